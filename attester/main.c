/* main.c: avouch-attester: attests this machine with its TPM, once or as a daemon. */
#include "attester/attester.h"

#include "codec/hex.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BUDGET = 512 << 20, INTERVAL_DEFAULT = 3600, RETRY_MAX = 600 };

static const char usage[] =
    "usage: avouch-attester attest --url U [options]          attest once; prints the report\n"
    "       avouch-attester daemon --url U [options]          attest now and at each interval\n"
    "       avouch-attester enroll --url U --machine ID       get a certificate for the attestation key\n"
    "       avouch-attester dump --out DIR [CHALLENGE]        evidence to files (challenge: hexadecimal)\n"
    "       avouch-attester verify DIR [--trust PEM]          verify a dump here\n"
    "  --tcti T        TPM: device:/dev/tpmrm0 (default), swtpm:path=S, ...\n"
    "  --bank B        PCR bank: sha256 (default), sha384, sha512\n"
    "  --pcrs LIST     default 0-23\n"
    "  --log F         event log; default " EVIDENCE_LOG "\n"
    "  --ima[=F]       also send the IMA list; default " EVIDENCE_IMA "\n"
    "  --aik-cert F    certificate of the attestation key (enroll: where it is written)\n"
    "  --ek-cert F     enroll: certificate of the endorsement key, where the TPM has none\n"
    "  --ak-handle H   persistent handle of the attestation key; default 0x81010010\n"
    "  --keep-ak       make it persistent there\n"
    "  --issuer U      who must have issued the report; default: the URL\n"
    "  --rp-id T, --rp-data T, --ca PEM, --bearer FILE, --interval SECONDS\n"
    "exit: 0 healthy, 1 refused, 2 platform or usage, 3 network\n";

enum flag { O_URL = 256, O_TCTI, O_BANK, O_PCRS, O_LOG, O_IMA, O_AIK_CERT, O_EK_CERT, O_AK_HANDLE, O_KEEP,
            O_RP_ID, O_RP_DATA, O_CA, O_BEARER, O_INTERVAL, O_OUT, O_MACHINE, O_TRUST, O_ISSUER, O_HELP };

static const struct option long_options[] = {
    { "url", required_argument, NULL, O_URL },         { "tcti", required_argument, NULL, O_TCTI },
    { "bank", required_argument, NULL, O_BANK },       { "pcrs", required_argument, NULL, O_PCRS },
    { "log", required_argument, NULL, O_LOG },         { "ima", optional_argument, NULL, O_IMA },
    { "aik-cert", required_argument, NULL, O_AIK_CERT }, { "ek-cert", required_argument, NULL, O_EK_CERT },
    { "ak-handle", required_argument, NULL, O_AK_HANDLE }, { "keep-ak", no_argument, NULL, O_KEEP },
    { "rp-id", required_argument, NULL, O_RP_ID },     { "rp-data", required_argument, NULL, O_RP_DATA },
    { "ca", required_argument, NULL, O_CA },           { "bearer", required_argument, NULL, O_BEARER },
    { "interval", required_argument, NULL, O_INTERVAL }, { "out", required_argument, NULL, O_OUT },
    { "machine", required_argument, NULL, O_MACHINE }, { "trust", required_argument, NULL, O_TRUST },
    { "issuer", required_argument, NULL, O_ISSUER },   { "help", no_argument, NULL, O_HELP },
    { NULL, 0, NULL, 0 },
};

/* "0-9,11-14" */
static bool parse_pcrs(const char *s, uint32_t *ret)
{
    uint32_t mask = 0;

    while (*s != 0) {
        char *end;
        unsigned long from = strtoul(s, &end, 10), to = from;

        if (end == s)
            return false;
        if (*end == '-') {
            s = end + 1;
            to = strtoul(s, &end, 10);
            if (end == s)
                return false;
        }
        if (from > to || to >= TPM_PCRS)
            return false;
        for (unsigned long i = from; i <= to; i++)
            mask |= 1u << i;
        if (*end != 0 && *end != ',')
            return false;
        s = *end == ',' ? end + 1 : end;
    }
    *ret = mask;
    return mask != 0;
}

static bool take_option(struct options *o, int c, const char *arg)
{
    const struct tpm_bank *bank;
    char *end;

    switch (c) {
    case O_URL: o->url = arg; return true;
    case O_TCTI: o->tcti = arg; return true;
    case O_BANK:
        bank = tpm_bank_named(bytes_str(arg));
        if (bank == NULL || !bank->known)
            return false;
        o->gather.bank = bank;
        return true;
    case O_PCRS: return parse_pcrs(arg, &o->gather.pcrs);
    case O_LOG: o->gather.log_path = arg; return true;
    case O_IMA: o->gather.ima_path = arg == NULL ? EVIDENCE_IMA : arg; return true;
    case O_AIK_CERT: o->aik_cert_path = arg; return true;
    case O_EK_CERT: o->ek_cert_path = arg; return true;
    case O_AK_HANDLE: o->gather.ak_handle = (uint32_t)strtoul(arg, &end, 0); return *end == 0;
    case O_KEEP: o->gather.keep_ak = true; return true;
    case O_RP_ID: o->gather.rp_id = bytes_str(arg); return true;
    case O_RP_DATA: o->gather.rp_data = bytes_str(arg); return true;
    case O_CA: o->ca = arg; return true;
    case O_BEARER: o->bearer_file = arg; return true;
    case O_INTERVAL: o->interval = strtol(arg, &end, 10); return *end == 0 && o->interval > 0;
    case O_OUT: o->out = arg; return true;
    case O_MACHINE: o->machine = arg; return true;
    case O_TRUST: o->trust = arg; return true;
    case O_ISSUER: o->issuer = arg; return true;
    default: return false;
    }
}

static void complain(const struct err *e)
{
    if (e->code != ERR_NONE)
        fprintf(stderr, "avouch-attester: %s: %s\n", e->what, e->why);
}

/* The certificate is read anew at each attestation: enrolment may have renewed it. */
static bool read_aik_cert(struct options *o, struct arena *a, struct err *e)
{
    return o->aik_cert_path == NULL || file_read(o->aik_cert_path, a, &o->gather.aik_cert, e);
}

static enum outcome attest_once(struct options *o, bool print, long *ret_retry)
{
    struct err e = { .code = ERR_NONE };
    struct bytes token = { NULL, 0 };
    struct arena a;
    enum outcome r = OUTCOME_PLATFORM;

    *ret_retry = 0;
    arena_init(&a, BUDGET);
    if (read_aik_cert(o, &a, &e))
        r = exchange_attest(o, &a, &token, ret_retry, &e);
    complain(&e);
    if (r == OUTCOME_OK && print)
        printf("%.*s\n", (int)token.n, (const char *)token.p);
    else if (r == OUTCOME_OK)
        fprintf(stderr, "avouch-attester: attested\n");
    o->gather.aik_cert = (struct bytes){ NULL, 0 };
    arena_done(&a);
    return r;
}

/* Refusals wait for the next interval; network failures are tried again, ever more slowly. The signals
 * that end it are blocked and waited for, so that none is lost between two attestations. */
static enum outcome command_daemon(struct options *o)
{
    long backoff = 0;
    sigset_t ending;

    sigemptyset(&ending);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGINT);
    sigprocmask(SIG_BLOCK, &ending, NULL);
    for (;;) {
        struct timespec wait = { .tv_sec = o->interval };
        long retry;
        enum outcome r = attest_once(o, false, &retry);

        if (r == OUTCOME_NETWORK) {
            backoff = backoff * 2 > retry ? backoff * 2 : retry;
            if (backoff <= 0 || backoff > RETRY_MAX)
                backoff = RETRY_MAX;
            wait.tv_sec = backoff < o->interval ? backoff : o->interval;
        } else {
            backoff = 0;
        }
        if (sigtimedwait(&ending, NULL, &wait) > 0)
            return r;
    }
}

static int misuse(const char *why)
{
    fprintf(stderr, "avouch-attester: %s\n%s", why, usage);
    return OUTCOME_PLATFORM;
}

static enum outcome run_offline(const struct options *o,
                                enum outcome (*command)(const struct options *, struct arena *, struct err *))
{
    struct err e = { .code = ERR_NONE };
    struct arena a;
    enum outcome r;

    arena_init(&a, BUDGET);
    r = command(o, &a, &e);
    complain(&e);
    arena_done(&a);
    return r;
}

static int run(struct options *o, const char *command)
{
    long retry;

    if (strcmp(command, "dump") == 0)
        return o->out == NULL ? misuse("dump needs --out") : (int)run_offline(o, command_dump);
    if (strcmp(command, "verify") == 0)
        return o->arg_count == 0 && o->out == NULL ? misuse("verify needs a folder")
                                                   : (int)run_offline(o, command_verify);
    if (o->url == NULL)
        return misuse("--url is missing");
    if (strcmp(command, "attest") == 0)
        return (int)attest_once(o, true, &retry);
    if (strcmp(command, "daemon") == 0)
        return (int)command_daemon(o);
    if (strcmp(command, "enroll") == 0)
        return o->machine == NULL ? misuse("enroll needs --machine") : (int)run_offline(o, command_enroll);
    return misuse("no such command");
}

int main(int argc, char **argv)
{
    struct options o = { .tcti = "device:/dev/tpmrm0",
                         .interval = INTERVAL_DEFAULT,
                         .gather = gather_default() };
    int c, r;

    setvbuf(stdout, NULL, _IOLBF, 0);
    setenv("TSS2_LOG", "all+none", 0); /* what fails is told once, by us; TSS2_LOG set by the caller stands */
    if (argc < 2)
        return misuse("which command?");
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        fputs(usage, stdout);
        return OUTCOME_OK;
    }
    while ((c = getopt_long(argc - 1, argv + 1, "", long_options, NULL)) != -1) {
        if (c == O_HELP) {
            fputs(usage, stdout);
            return OUTCOME_OK;
        }
        if (!take_option(&o, c, optarg))
            return misuse("a wrong option or value");
    }
    o.args = (const char *const *)argv + 1 + optind;
    o.arg_count = argc - 1 - optind;
    http_open();
    r = run(&o, argv[1]);
    http_close();
    return r;
}

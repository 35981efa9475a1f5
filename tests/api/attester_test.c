/* attester_test.c: avouch-attester as its users run it: a software TPM below it, a service beside it. What the
 * program prints, what it exits with, and what it makes of lies. */
#include "machine.h"
#include "service.h"

#include "codec/b64.h"
#include "codec/hex.h"
#include "evidence/tpm/akcert.h"
#include "evidence/tpm/eventlog.h"
#include "pki/ak_pki.h"

#include <errno.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>

#define ARM "/subscriptions/s/resourceGroups/g/providers/Microsoft.Attestation/attestationProviders"
#define LOG "tpm/qemu/shim-grub-sb/binary_bios_measurements"
#define CONFIGURE "configurationrules{ => issueproperty(type=\"required_pcr_mask\", value=255); "
#define AND_ISSUE "authorizationrules{ => permit(); };issuancerules{ c:[type==\"secureBootEnabled\"] => issue(claim=c); " \
                  "c:[type==\"aikValidated\"] => issue(claim=c); };"

/* Who asks for no certificate, who does, and who asks the caller for a token. */
#define LENIENT "contoso-lenient"
#define STRICT "contoso-strict"
#define CLOSED "contoso-closed"

static struct service the;
static struct machine machine;
static struct ak_pki pki;

/* -- running it -- */

struct ran {
    int status;
    struct bytes out; /* both streams */
};

/* The TPM is the program's while it runs. */
static struct ran attester(const char *const *args)
{
    const char *argv[40] = { "/bin/sh", "-c", "exec \"$@\" 2>&1", "sh", program_path(&the.a, "attester/avouch-attester") };
    struct ran r;
    size_t n = 5;

    while (*args != NULL && n < 39)
        argv[n++] = *args++;
    machine_release(&machine);
    r.out = run_program(&the.a, argv, &r.status);
    machine_take(&machine);
    return r;
}

static void expect(const struct ran *r, int status, const char *part)
{
    const char *text = arena_str(&the.a, r->out);

    if (r->status != status || strstr(text, part) == NULL)
        fail_msg("exit %d, expected %d and '%s': %s", r->status, status, part, text);
}

static const char *url(const char *tenant)
{
    return arena_printf(&the.a, "https://%s.localhost:%d", tenant, the.port);
}

static const char *issuer(const char *tenant)
{
    return arena_printf(&the.a, "https://%s.localhost:8443", tenant);
}

static const char *log_file(void)
{
    return machine_file(&machine, "log", test_vector(&the.a, LOG));
}

static struct ran attest_at(const char *tenant, const char *extra, const char *value)
{
    return attester((const char *const[]){ "attest", "--url", url(tenant), "--issuer", issuer(tenant), "--ca", the.ca, "--tcti",
                                           machine_tcti(&machine), "--log", log_file(), extra, value, NULL });
}

static const struct json *claims_of(const struct ran *r)
{
    struct bytes token = r->out;

    expect(r, 0, "");
    while (token.n > 0 && token.p[token.n - 1] == '\n')
        token.n--;
    return token_part(&the.a, token, 1);
}

static bool flag(const struct json *claims, const char *name)
{
    bool v = false;

    if (!json_bool(json_member(claims, name), &v))
        fail_msg("claim %s is missing", name);
    return v;
}

/* -- attest -- */

static void attest(void **state)
{
    struct ran r = attest_at(LENIENT, "--rp-data", "order 66-b");
    const struct json *claims = claims_of(&r);
    struct bytes data;

    (void)state;
    assert_true(flag(claims, "secureBootEnabled"));
    assert_false(flag(claims, "aikValidated"));
    assert_true(json_string(json_member(claims, "rp_data"), &data));
    assert_bytes_equal(data, b64url_encode(&the.a, LIT("order 66-b")));
}

/* A trailing slash of the URL, another bank of PCRs. */
static void attest_variants(void **state)
{
    struct ran r = attester((const char *const[]){ "attest", "--url", arena_printf(&the.a, "%s/", url(LENIENT)), "--issuer",
                                                   arena_printf(&the.a, "%s/", issuer(LENIENT)), "--ca", the.ca, "--tcti",
                                                   machine_tcti(&machine), "--log", log_file(), "--pcrs", "0-7,11", "--keep-ak", NULL });

    (void)state;
    expect(&r, 0, "ey");
    r = attest_at(LENIENT, "--pcrs", "0-3");
    expect(&r, 1, "PCR 4 is not quoted");
}

static void no_certificate(void **state)
{
    struct ran r = attest_at(STRICT, NULL, NULL);

    (void)state;
    expect(&r, 1, "requires a valid AIK certificate: none is given");
}

static void bearer(void **state)
{
    struct ran r = attest_at(CLOSED, NULL, NULL);

    (void)state;
    expect(&r, 1, "answers 401 Unauthorized");
    r = attest_at(CLOSED, "--bearer", machine_file(&machine, "bearer", LIT("dev\n")));
    expect(&r, 0, "ey");
    r = attest_at(CLOSED, "--bearer", "/nonexistent");
    expect(&r, 2, "/nonexistent: holds no token");
}

static void other_issuer(void **state)
{
    struct ran r = attester((const char *const[]){ "attest", "--url", url(LENIENT), "--ca", the.ca, "--tcti", machine_tcti(&machine),
                                                   "--log", log_file(), NULL });

    (void)state;
    expect(&r, 1, "report: is issued by 'https://" LENIENT ".localhost:8443', not by 'https://" LENIENT ".localhost:");
}

static void tampered(void **state)
{
    struct bytes log = test_vector(&the.a, LOG);
    struct tpm_log events = tpm_log_open(&the.a);
    struct out cut = out_open(&the.a);
    struct ran r;

    (void)state;
    assert_true(tpm_log_add(&events, log, "log", NULL));
    out_bytes(&cut, bytes_part(log, 0, events.events[20].offset));
    out_bytes(&cut, bytes_part(log, events.events[21].offset, log.n));
    r = attester((const char *const[]){ "attest", "--url", url(LENIENT), "--ca", the.ca, "--tcti", machine_tcti(&machine), "--log",
                                        machine_file(&machine, "cut", out_view(&cut)), NULL });
    expect(&r, 1, "does not replay to the quoted PCR");
}

static void unreachable(void **state)
{
    struct ran r = attester((const char *const[]){ "attest", "--url", "https://localhost:1", "--tcti", machine_tcti(&machine), NULL });

    (void)state;
    expect(&r, 3, "https://localhost:1: /attest/Tpm");
    r = attester((const char *const[]){ "attest", "--url", url(LENIENT), "--tcti", machine_tcti(&machine), NULL }); /* no root for it */
    expect(&r, 3, "certificate");
    r = attester((const char *const[]){ "attest", "--url", url(LENIENT), "--ca", the.ca, "--tcti", "swtpm:path=/nonexistent", NULL });
    expect(&r, 2, "cannot be reached by 'swtpm:path=/nonexistent'");
    r = attester((const char *const[]){ "attest", NULL });
    expect(&r, 2, "--url is missing");
}

/* -- daemon: one round, then the signal that ends it -- */

static pid_t start_daemon(int *ret_fd)
{
    const char *const argv[] = { program_path(&the.a, "attester/avouch-attester"), "daemon", "--url", url(LENIENT), "--issuer",
                                 issuer(LENIENT), "--ca", the.ca, "--tcti", machine_tcti(&machine), "--log", log_file(),
                                 "--interval", "86400", NULL };
    int fds[2];
    pid_t pid;

    assert_int_equal(pipe(fds), 0);
    pid = fork();
    if (pid == 0) {
        (void)dup2(fds[1], STDERR_FILENO);
        close(fds[0]);
        close(fds[1]);
        execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    close(fds[1]);
    *ret_fd = fds[0];
    return pid;
}

static void daemon_round(void **state)
{
    char line[512] = "";
    size_t n = 0;
    int fd, status;
    ssize_t got;
    pid_t pid;

    (void)state;
    (void)log_file();
    machine_release(&machine);
    pid = start_daemon(&fd);
    while (n < sizeof(line) - 1 && strchr(line, '\n') == NULL && (got = read(fd, line + n, sizeof(line) - 1 - n)) > 0)
        line[n += (size_t)got] = 0;
    (void)kill(pid, SIGTERM);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    close(fd);
    machine_take(&machine);
    assert_string_equal(line, "avouch-attester: attested\n");
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* -- dump, verify -- */

static struct ran dump_to(const char *folder, const char *challenge)
{
    return attester((const char *const[]){ "dump", "--out", folder, "--tcti", machine_tcti(&machine), "--log", log_file(), challenge, NULL });
}

static struct ran verify(const char *folder)
{
    return attester((const char *const[]){ "verify", folder, NULL });
}

static void dump_and_verify(void **state)
{
    static const char *const files[] = { "challenge", "request.json", "eventlog", "quote.attest", "quote.sig", "ak.tpmt_public", "ak.name", "pcrs.json" };
    const char *folder = arena_printf(&the.a, "%s/dump", machine.folder), *path;
    struct err e = { 0 };
    const struct json *claims;
    struct bytes content;
    struct stat st;
    struct ran r = dump_to(folder, "00112233445566778899aabbccddeeff");

    (void)state;
    expect(&r, 0, "sev-guest: none: ");
    for (size_t i = 0; i < COUNT(files); i++) {
        path = arena_printf(&the.a, "%s/%s", folder, files[i]);
        if (stat(path, &st) != 0 || st.st_size == 0)
            fail_msg("%s is missing or empty", path);
    }
    assert_bytes_equal(test_read(&the.a, arena_printf(&the.a, "%s/eventlog", folder)), test_vector(&the.a, LOG));
    r = verify(folder);
    expect(&r, 0, "\"secureBootEnabled\":true");
    assert_ok(json_parse(r.out, 64, "claims", &the.a, &claims, &e), &e);
    assert_false(flag(claims, "aikValidated"));
    path = arena_printf(&the.a, "%s/challenge", folder);
    content = arena_copy(&the.a, test_read(&the.a, path));
    assert_int_equal(content.n, 16);
    assert_ok(file_write(path, LIT("another challenge"), &e), &e);
    r = verify(folder);
    expect(&r, 1, "challenge: ");
    assert_ok(file_write(path, content, &e), &e);
    r = verify("/nonexistent");
    expect(&r, 2, "is missing or empty");
}

/* The tool of the service's operators says the same about the same file. */
static void dump_for_the_tool(void **state)
{
    const char *folder = arena_printf(&the.a, "%s/dump2", machine.folder);
    struct ran r = dump_to(folder, NULL);
    struct bytes out;
    int status;

    (void)state;
    expect(&r, 0, "tpm: quote over SHA256, event log of 17299 bytes");
    out = run_program(&the.a, (const char *const[]){ program_path(&the.a, "avouch"), "eventlog", arena_printf(&the.a, "%s/eventlog", folder),
                                                     "--compare", arena_printf(&the.a, "%s/pcrs.json", folder), NULL }, &status);
    if (status != 0)
        fail_msg("exit %d: %s", status, arena_str(&the.a, out));
    out = run_program(&the.a, (const char *const[]){ program_path(&the.a, "avouch"), "verify", "Tpm", arena_printf(&the.a, "%s/request.json", folder),
                                                     NULL }, &status);
    assert_int_equal(status, 1); /* its own default asks for a certificate, as a provider does */
    assert_non_null(strstr(arena_str(&the.a, out), "requires a valid AIK certificate"));
}

/* -- enroll: the service's side of it is played here, with the library's own MakeCredential -- */

static const uint8_t secret[24] = "a secret of 24 bytes....";

static struct peer {
    struct arena a;
    struct MHD_Daemon *daemon;
    int port;
    int calls;
    bool wrong_secret; /* the second call did not know it */
    bool broken;       /* the credential is for another key */
} peer;

static struct bytes member_of(const struct json *j, const char *name)
{
    struct bytes text, b = { NULL, 0 };

    if (!json_string(json_member(j, name), &text) || !b64_decode(text, B64_ANY, name, &peer.a, &b, NULL))
        return (struct bytes){ NULL, 0 };
    return b;
}

/* Behind its two bytes of size: TPM2B_PUBLIC. */
static bool key_in(struct bytes sized, struct key **ret)
{
    struct err e = { 0 };
    struct tpm_public p;

    return sized.n > 2 && tpm_public_parse(bytes_part(sized, 2, sized.n), ERR_FORMAT, "public", &p, &e) && tpm_public_key(&p, ERR_FORMAT, "public", ret, &e);
}

static struct bytes ak_spki;

static bool offer(const struct json *j, struct jobj *o)
{
    static const uint8_t seed[32] = { 4, 7, 1, 1 };
    struct bytes ak = member_of(j, "akPublic"), object, encrypted;
    struct digest d = ak.n > 2 ? sha256(bytes_part(ak, 2, ak.n)) : (struct digest){ .n = 0 };
    struct out name = out_open(&peer.a);
    struct err e = { 0 };
    AUTO_KEY ek = NULL;
    AUTO_KEY key = NULL;

    if (peer.broken)
        d.p[0] ^= 1;
    out_u8(&name, 0);
    out_u8(&name, 0x0b);
    out_bytes(&name, digest_bytes(&d));
    if (member_of(j, "ekCertificate").n == 0 || !key_in(member_of(j, "ekPublic"), &ek) || !key_in(ak, &key)
        || !tpm_make_credential(ek, out_view(&name), BYTES(secret), seed, &peer.a, &object, &encrypted, &e))
        return false;
    ak_spki = key_spki(key, &peer.a);
    jobj_b64url(o, "credentialBlob", object);
    jobj_b64url(o, "encryptedSecret", encrypted);
    jobj_text(o, "enrollmentContext", "sealed for the second call");
    return true;
}

static bool certify(const struct json *j, struct jobj *o)
{
    struct bytes context;

    peer.wrong_secret = !bytes_equal(member_of(j, "secret"), BYTES(secret));
    if (peer.wrong_secret || !json_string(json_member(j, "enrollmentContext"), &context) || !bytes_is(context, "sealed for the second call"))
        return false;
    jobj_b64url(o, "akCertificate", ak_pki_issue(&pki, "machine-7", ak_spki));
    return true;
}

static enum MHD_Result reply(struct MHD_Connection *c, unsigned status, struct bytes body)
{
    struct MHD_Response *r = MHD_create_response_from_buffer(body.n, (void *)(uintptr_t)body.p, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result result = MHD_queue_response(c, status, r);

    MHD_destroy_response(r);
    return result;
}

static enum MHD_Result serve(void *user, struct MHD_Connection *c, const char *path, const char *method, const char *version,
                             const char *data, size_t *n, void **state)
{
    struct jobj o = jobj_open(&peer.a);
    const struct json *j;
    struct out *body = *state;

    (void)user;
    (void)version;
    if (body == NULL) {
        body = arena_new(&peer.a, struct out);
        *body = out_open(&peer.a);
        *state = body;
        return MHD_YES;
    }
    if (*n > 0) {
        out_bytes(body, bytes_of(data, *n));
        *n = 0;
        return MHD_YES;
    }
    peer.calls++;
    if (strcmp(method, "POST") != 0 || strcmp(path, "/monitor/machines/machine-7:enroll") != 0
        || !json_parse(out_view(body), 16, "body", &peer.a, &j, NULL)
        || !(json_member(j, "secret") == NULL ? offer(j, &o) : certify(j, &o)))
        return reply(c, 400, LIT("{\"error\":{\"code\":\"InvalidParameter\",\"message\":\"no\"}}"));
    return reply(c, 200, jobj_print(&o, false));
}

static void peer_start(bool broken)
{
    const char *key = arena_str(&the.a, test_read(&the.a, arena_printf(&the.a, "%s/state/tls/key.pem", the.state)));
    const char *cert = arena_str(&the.a, test_read(&the.a, the.ca));

    memset(&peer, 0, sizeof(peer));
    arena_init(&peer.a, 64 << 20);
    peer.broken = broken;
    peer.daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_TLS, 0, NULL, NULL, serve, NULL, MHD_OPTION_HTTPS_MEM_KEY, key,
                                   MHD_OPTION_HTTPS_MEM_CERT, cert, MHD_OPTION_END);
    assert_non_null(peer.daemon);
    peer.port = MHD_get_daemon_info(peer.daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

static void peer_stop(void)
{
    MHD_stop_daemon(peer.daemon);
    arena_done(&peer.a);
}

static struct ran enroll_at(int port, const char *certificate, const char *ek_cert)
{
    return attester((const char *const[]){ "enroll", "--url", arena_printf(&the.a, "https://localhost:%d", port), "--ca", the.ca, "--tcti",
                                           machine_tcti(&machine), "--machine", "machine-7", "--aik-cert", certificate,
                                           ek_cert == NULL ? NULL : "--ek-cert", ek_cert, NULL });
}

/* With the certificate, a provider that asks for one is satisfied. */
static void enroll(void **state)
{
    const char *certificate = machine_file(&machine, "ak.der", LIT("the one before"));
    const char *ek_cert = machine_file(&machine, "ek.der", LIT("what the maker of the TPM says"));
    int before = open(certificate, O_RDONLY | O_CLOEXEC);
    char text[64] = "";
    struct ran r;

    (void)state;
    peer_start(false);
    r = enroll_at(peer.port, certificate, NULL);
    expect(&r, 2, "has no certificate of its endorsement key");
    r = enroll_at(peer.port, certificate, ek_cert);
    expect(&r, 0, "");
    assert_int_equal(peer.calls, 2);
    peer_stop();
    /* who began to read before, as the daemon may have, has the old one whole */
    assert_int_equal(read(before, text, sizeof(text) - 1), strlen("the one before"));
    assert_string_equal(text, "the one before");
    close(before);
    r = attest_at(STRICT, "--aik-cert", certificate);
    assert_true(flag(claims_of(&r), "aikValidated"));
}

/* A credential for another key is not opened by this TPM, and nothing is written. */
static void enroll_other_key(void **state)
{
    const char *certificate = arena_printf(&the.a, "%s/other.der", machine.folder);
    const char *ek_cert = machine_file(&machine, "ek.der", LIT("what the maker of the TPM says"));
    struct ran r;

    (void)state;
    peer_start(true);
    r = enroll_at(peer.port, certificate, ek_cert);
    expect(&r, 2, "activating the credential");
    assert_int_equal(peer.calls, 1);
    assert_int_not_equal(access(certificate, F_OK), 0);
    peer_stop();
    r = enroll_at(the.port, certificate, ek_cert); /* a service without the monitor */
    expect(&r, 1, "answers 404");
}

/* -- */

static void make_provider(const char *name, bool authentication, bool certificate)
{
    const char *const headers[] = { "Authorization: Bearer dev", NULL };
    struct answer got = service_call(&the, "PUT", arena_printf(&the.a, ARM "/%s?api-version=2021-06-01", name), headers,
                                     bytes_str(arena_printf(&the.a, "{\"location\":\"Local\",\"properties\":{\"tpmAttestationAuthentication\":\"%s\"}}",
                                                            authentication ? "Enabled" : "Disabled")));

    assert_int_equal(got.status, 201);
    got = service_call_host(&the, arena_printf(&the.a, "%s.localhost", name), "PUT", "/policies/Tpm?api-version=2022-08-01", headers,
                            bytes_str(arena_printf(&the.a, "version=1.2;" CONFIGURE "%s};" AND_ISSUE,
                                                   certificate ? "" : "=> issueproperty(type=\"require_valid_aik_cert\", value=false); ")));
    if (got.status != 200)
        fail_msg("HTTP %ld: %s", got.status, (const char *)got.body.p);
}

static void start(void)
{
    const char *trust = arena_printf(&machine.a, "%s/trust", machine.folder);
    struct err e = { 0 };

    ak_pki_init(&pki, &machine.a);
    assert_int_equal(mkdir(trust, 0700), 0);
    assert_ok(file_write(arena_printf(&machine.a, "%s/own.pem", trust), pki.root_pem, &e), &e);
    service_start(&the, arena_printf(&machine.a, "base_url = https://localhost:8443\nworkers = 1\n[verify]\ntrust = %s\n", trust),
                  (const char *const[]){ "--dev", NULL });
    make_provider(LENIENT, false, false);
    make_provider(STRICT, false, true);
    make_provider(CLOSED, true, false);
}

int main(void)
{
    struct suite s = { 0 };
    const char *why;
    int status;

    if (!machine_possible(&why) || test_vectors() == NULL) {
        suite_add_skipped(&s, test_vectors() == NULL ? "log vectors are missing" : why);
        return suite_run("api-attester", &s);
    }
    suite_add(&s, "attest", attest, NULL);
    suite_add(&s, "attest: spelling, PCRs, kept key", attest_variants, NULL);
    suite_add(&s, "attest: no certificate where one is asked for", no_certificate, NULL);
    suite_add(&s, "attest: bearer", bearer, NULL);
    suite_add(&s, "attest: another issuer", other_issuer, NULL);
    suite_add(&s, "attest: tampered log", tampered, NULL);
    suite_add(&s, "attest: network, platform, usage", unreachable, NULL);
    suite_add(&s, "daemon", daemon_round, NULL);
    suite_add(&s, "dump and verify", dump_and_verify, NULL);
    suite_add(&s, "dump read by the operators' tool", dump_for_the_tool, NULL);
    suite_add(&s, "enroll, then attest with the certificate", enroll, NULL);
    suite_add(&s, "enroll: refused by TPM and service", enroll_other_key, NULL);
    machine_init(&machine);
    machine_boot(&machine, test_vector(&machine.a, LOG));
    start();
    status = suite_run("api-attester", &s);
    ak_pki_done(&pki);
    if (service_stop(&the) != 0)
        status = 1;
    machine_done(&machine);
    return status;
}

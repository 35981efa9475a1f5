/* offline.c: evidence to files, and its verification by the library of the service. */
#include "attester/attester.h"

#include "codec/b64.h"
#include "codec/hex.h"
#include "evidence/tpm/tpm.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

static bool put(const struct options *o, const char *name, struct bytes content, struct arena *a,
                struct err *e)
{
    const char *path = arena_printf(a, "%s/%s", o->out, name);

    if (path == NULL)
        return err_memory(e, name);
    return content.n == 0 ? true : file_write(path, content, e);
}

static bool put_tpm(const struct options *o, const struct gathered *g, struct bytes challenge,
                    struct bytes jws, struct arena *a, struct err *e)
{
    struct jobj payload = jobj_open(a), doc = jobj_open(a);

    jobj_str(&payload, "request", jws);
    jobj_json(&doc, "payload", jobj_print(&payload, false));
    return put(o, "challenge", challenge, a, e) && put(o, "request.json", jobj_print(&doc, false), a, e)
        && put(o, "eventlog", g->log, a, e) && put(o, "ima", g->ima, a, e)
        && put(o, "quote.attest", g->quote, a, e) && put(o, "quote.sig", g->quote_sig, a, e)
        && put(o, "ak.tpmt_public", g->ak.public, a, e) && put(o, "ak.name", g->ak.name, a, e)
        && put(o, "aik_cert", g->aik_cert, a, e) && put(o, "pcrs.json", pcrs_json(&g->pcrs, a), a, e);
}

static enum outcome dump_tpm(const struct options *o, struct bytes challenge, struct arena *a, struct err *e)
{
    struct gathered g = { .log = { NULL, 0 } };
    struct tpmdev *t = NULL;
    struct bytes jws;
    bool ok;

    if (!tpmdev_open(o->tcti, &t, e))
        return OUTCOME_PLATFORM;
    ok = gather_tpm(t, &o->gather, challenge, a, &g, e)
      && request_make(t, &o->gather, &g, challenge, LIT("offline"), a, &jws, e)
      && put_tpm(o, &g, challenge, jws, a, e);
    gathered_done(t, &g);
    tpmdev_close(t);
    if (ok)
        printf("tpm: quote over %s, event log of %zu bytes%s, request.json\n", o->gather.bank->name, g.log.n,
               g.log.n == 0 ? " (this kernel has none)" : "");
    return ok ? OUTCOME_OK : OUTCOME_PLATFORM;
}

static bool dump_hardware(const struct options *o, struct bytes data, struct arena *a, struct err *e)
{
    struct hardware h[HARDWARE_SOURCES];

    hardware_read(data, a, h);
    for (size_t i = 0; i < HARDWARE_SOURCES; i++) {
        const char *aux = arena_printf(a, "%s.auxiliary", h[i].name);

        if (h[i].report.n > 0)
            printf("%s: report of %zu bytes%s%s\n", h[i].name, h[i].report.n,
                   h[i].provider == NULL ? "" : " by ", h[i].provider == NULL ? "" : h[i].provider);
        else
            printf("%s: none: %s\n", h[i].name, h[i].why);
        if (!put(o, h[i].name, h[i].report, a, e) || aux == NULL || !put(o, aux, h[i].auxiliary, a, e))
            return false;
    }
    return true;
}

enum outcome command_dump(const struct options *o, struct arena *a, struct err *e)
{
    uint8_t random[TPM_CHALLENGE_SIZE];
    struct bytes challenge = BYTES(random);
    enum outcome r;

    random_bytes(random, sizeof(random));
    if (o->arg_count > 0 && !hex_decode(bytes_str(o->args[0]), a, &challenge)) {
        (void)err_set(e, ERR_USAGE, "challenge", "is not hexadecimal");
        return OUTCOME_PLATFORM;
    }
    if (mkdir(o->out, 0700) != 0 && errno != EEXIST) {
        (void)err_set(e, ERR_UNAVAILABLE, o->out, "cannot be made: %s", strerror(errno));
        return OUTCOME_PLATFORM;
    }
    r = dump_tpm(o, challenge, a, e);
    if (r == OUTCOME_OK && !dump_hardware(o, challenge, a, e))
        r = OUTCOME_PLATFORM;
    return r;
}

/* -- verify -- */

static bool read_trust(const struct options *o, struct arena *a, struct trust *ret, struct err *e)
{
    struct bytes pem;
    struct cert *list;

    if (o->trust == NULL)
        return true;
    if (!file_read(o->trust, a, &pem, e) || !certs_read(pem, 256, o->trust, a, &list, &ret->count, e))
        return false;
    ret->anchors = list;
    return true;
}

static void print_claims(const struct claims *c, struct arena *a)
{
    struct jobj o = jobj_open(a);
    struct bytes text;

    claims_to_object(c, CLAIM_TO_POLICY, &o);
    text = jobj_print(&o, true);
    fwrite(text.p, 1, text.n, stdout);
    putchar('\n');
}

enum outcome command_verify(const struct options *o, struct arena *a, struct err *e)
{
    struct settings settings = settings_default();
    struct trust trust = { .count = 0 };
    struct verify_env env = { .now = (int64_t)time(NULL), .trust = &trust, .settings = &settings, .a = a };
    struct evidence_input in = { .evidence = { NULL, 0 } };
    const char *folder = o->arg_count > 0 ? o->args[0] : o->out;
    const char *request = arena_printf(a, "%s/request.json", folder),
               *nonce = arena_printf(a, "%s/challenge", folder);
    struct claims c = claims_open(a);

    settings.require_valid_aik_cert = o->trust != NULL; /* without roots the claim aikValidated tells */
    settings.required_pcr_mask = 0;
    if (request == NULL || nonce == NULL || !file_read(request, a, &in.evidence, e)
        || !file_read(nonce, a, &in.challenge, e) || !read_trust(o, a, &trust, e))
        return OUTCOME_PLATFORM;
    if (in.evidence.n == 0) {
        (void)err_set(e, ERR_USAGE, request, "is missing or empty");
        return OUTCOME_PLATFORM;
    }
    if (!evidence_verify(&evidence_tpm, &in, &env, &c, NULL, e))
        return err_is_undecided(e->code) ? OUTCOME_NETWORK : OUTCOME_REFUSED;
    print_claims(&c, a);
    return OUTCOME_OK;
}

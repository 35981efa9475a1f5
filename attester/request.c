/* request.c: the attestation request of version 2, signed by a key that the attestation key certifies. */
#include "attester/evidence.h"

#include "codec/b64.h"
#include "codec/hex.h"

static void jwk_json(struct jobj *o, const char *name, struct bytes public, struct arena *a)
{
    static const uint8_t f4[3] = { 1, 0, 1 };
    struct jobj jwk = jobj_open(a);
    struct tpm_public p;

    if (!tpm_public_parse(public, ERR_FORMAT, "public area", &p, NULL)) {
        o->failed = true;
        return;
    }
    jobj_text(&jwk, "kty", "RSA");
    jobj_b64url(&jwk, "n", p.n);
    jobj_b64url(&jwk, "e", BYTES(f4));
    jobj_json(o, name, jobj_print(&jwk, false));
}

static void add_log(struct jarr *list, const char *type, struct bytes log, struct arena *a)
{
    struct jobj o = jobj_open(a);

    if (log.n == 0)
        return;
    jobj_text(&o, "type", type);
    jobj_b64url(&o, "log", log);
    jarr_raw(list, jobj_print(&o, false));
}

static struct bytes pcrs_member(const struct pcr_set *s, struct arena *a)
{
    struct jarr banks = jarr_open(a);

    for (size_t i = 0; i < s->count; i++) {
        struct jarr values = jarr_open(a);
        struct jobj bank = jobj_open(a);

        for (unsigned pcr = 0; pcr < TPM_PCRS; pcr++) {
            struct bytes v = pcr_value(&s->bank[i], pcr);
            struct jobj o = jobj_open(a);

            if (v.n == 0)
                continue;
            jobj_int(&o, "index", pcr);
            jobj_b64url(&o, "digest", v);
            jarr_raw(&values, jobj_print(&o, false));
        }
        jobj_int(&bank, "algorithm", s->bank[i].bank->alg);
        jobj_json(&bank, "values", jarr_close(&values));
        jarr_raw(&banks, jobj_print(&bank, false));
    }
    return jarr_close(&banks);
}

static struct bytes attestation_json(const struct gathered *g, struct arena *a)
{
    struct jobj o = jobj_open(a);
    struct jarr logs = jarr_open(a);

    add_log(&logs, "TCG", g->log, a);
    add_log(&logs, "IMA", g->ima, a);
    jobj_json(&o, "logs", jarr_close(&logs));
    if (g->aik_cert.n > 0)
        jobj_b64url(&o, "aik_cert", g->aik_cert);
    jwk_json(&o, "aik_pub", g->ak.public, a);
    jobj_json(&o, "pcrs", pcrs_member(&g->pcrs, a));
    jobj_b64url(&o, "quote", g->quote);
    jobj_b64url(&o, "signature", g->quote_sig);
    return jobj_print(&o, false);
}

static struct bytes request_key_json(const struct gathered *g, struct arena *a)
{
    struct jobj certify = jobj_open(a), info = jobj_open(a), o = jobj_open(a);

    jobj_b64url(&certify, "public", g->request_key.public);
    jobj_b64url(&certify, "certification", g->cert);
    jobj_b64url(&certify, "signature", g->cert_sig);
    jobj_json(&info, "tpm_certify", jobj_print(&certify, false));
    jwk_json(&o, "jwk", g->request_key.public, a);
    jobj_json(&o, "info", jobj_print(&info, false));
    return jobj_print(&o, false);
}

static struct bytes payload_json(const struct gather *g, const struct gathered *have, struct bytes challenge,
                                 struct bytes service_context, struct arena *a)
{
    struct jobj data = jobj_open(a), o = jobj_open(a), top = jobj_open(a);

    jobj_json(&data, "current_attestation", attestation_json(have, a));
    if (g->rp_id.n > 0)
        jobj_str(&o, "rp_id", g->rp_id);
    if (g->rp_data.n > 0)
        jobj_b64url(&o, "rp_data", g->rp_data);
    jobj_b64url(&o, "challenge", challenge);
    jobj_json(&o, "tpm_att_data", jobj_print(&data, false));
    jobj_json(&o, "request_key", request_key_json(have, a));
    if (g->custom.n > 0)
        jobj_json(&o, "custom_claims", g->custom);
    jobj_str(&o, "service_context", service_context);
    jobj_text(&top, "att_type", "basic");
    jobj_json(&top, "att_data", jobj_print(&o, false));
    return jobj_print(&top, false);
}

bool request_make(struct tpmdev *t, const struct gather *g, const struct gathered *have,
                  struct bytes challenge, struct bytes service_context, struct arena *a,
                  struct bytes *ret_jws, struct err *e)
{
    struct bytes payload = payload_json(g, have, challenge, service_context, a), sig;
    struct out o = out_open(a);

    if (payload.p == NULL)
        return err_memory(e, "request");
    b64url_print(&o, LIT("{\"alg\":\"PS256\",\"typ\":\"attReqV2\"}"));
    out_char(&o, '.');
    b64url_print(&o, payload);
    if (!tpmdev_sign(t, &have->request_key, out_view(&o), a, &sig, e))
        return false;
    out_char(&o, '.');
    b64url_print(&o, sig);
    *ret_jws = out_view(&o);
    return ret_jws->p != NULL ? true : err_memory(e, "request");
}

struct bytes pcrs_json(const struct pcr_set *s, struct arena *a)
{
    struct jobj top = jobj_open(a);

    for (size_t i = 0; i < s->count; i++) {
        struct jobj o = jobj_open(a);

        for (unsigned pcr = 0; pcr < TPM_PCRS; pcr++) {
            struct bytes v = pcr_value(&s->bank[i], pcr);
            const char *name = arena_printf(a, "%u", pcr);

            if (v.n > 0 && name != NULL)
                jobj_hex(&o, name, v);
        }
        jobj_json(&top, s->bank[i].bank->lower, jobj_print(&o, false));
    }
    return jobj_print(&top, false);
}

/* request.c: the second message, from the JWS to structs (evidence-tpm 12.3, 12.4). Nothing is
 * verified here. */
#include "evidence/tpm/tpm_priv.h"

#include "codec/b64.h"

#include <stdio.h>

enum { DEPTH = 16, CHALLENGE_MAX = 64, RP_MAX = 4096 };

static bool fail(struct err *e, const char *what, const char *why)
{
    return err_set(e, ERR_JWS_FORMAT, what, "%s", why);
}

bool tpm_member_bytes(const struct json *j, const char *name, bool required, struct arena *a,
                      struct bytes *ret, struct err *e)
{
    const struct json *m = json_member(j, name);
    struct err inner = { .code = ERR_NONE };
    struct bytes text;

    if (m == NULL && !required) {
        *ret = (struct bytes){ NULL, 0 };
        return true;
    }
    if (!json_string(m, &text))
        return fail(e, name, m == NULL ? "is missing" : "is no string");
    if (b64_decode(text, B64_ANY, name, a, ret, &inner))
        return true;
    return err_set(e, inner.code == ERR_NO_MEMORY ? inner.code : ERR_JWS_FORMAT, name, "%s", inner.why);
}

static bool member_text(const struct json *j, const char *name, size_t max, struct bytes *ret, struct err *e)
{
    const struct json *m = json_member(j, name);

    if (m == NULL)
        return true;
    if (!json_string(m, ret))
        return fail(e, name, "is no string");
    if (ret->n > max)
        return err_set(e, ERR_LIMIT, name, "has %zu bytes, at most %zu are accepted", ret->n, max);
    return true;
}

/* -- JWS -- */

static bool split_jws(struct bytes jws, struct bytes part[3], struct err *e)
{
    struct bytes left = jws;

    for (size_t i = 0; i < 3; i++) {
        const uint8_t *dot = left.n == 0 ? NULL : memchr(left.p, '.', left.n);
        size_t n = dot == NULL ? left.n : (size_t)(dot - left.p);

        if ((dot == NULL) != (i == 2))
            return fail(e, "request", "is not three parts with dots between");
        part[i] = bytes_part(left, 0, n);
        left = bytes_part(left, n + (dot != NULL), left.n);
    }
    return true;
}

static bool decode_part(struct bytes text, const char *what, struct arena *a, struct bytes *ret,
                        struct err *e)
{
    struct err inner = { .code = ERR_NONE };

    if (b64_decode(text, B64_URL_STRICT, what, a, ret, &inner))
        return true;
    return err_set(e, inner.code == ERR_NO_MEMORY ? inner.code : ERR_JWS_FORMAT, what, "%s", inner.why);
}

static bool parse_json(struct bytes text, const char *what, struct arena *a, const struct json **ret,
                       struct err *e)
{
    struct err inner = { .code = ERR_NONE };

    if (json_parse(text, DEPTH, what, a, ret, &inner))
        return json_is(*ret, JSON_OBJECT) ? true : fail(e, what, "is no JSON object");
    return err_set(e, inner.code == ERR_NO_MEMORY ? inner.code : ERR_JWS_FORMAT, what, "%s", inner.why);
}

static bool read_header(struct bytes text, struct arena *a, int *ret_version, struct err *e)
{
    struct bytes alg = { NULL, 0 }, typ = { NULL, 0 };
    const struct json *h;

    if (!parse_json(text, "JWS header", a, &h, e))
        return false;
    (void)json_string(json_member(h, "alg"), &alg);
    (void)json_string(json_member(h, "typ"), &typ);
    if (!bytes_is(alg, "PS256"))
        return err_set(e, ERR_JWS_ALG, "JWS header", "alg is '%.*s'; only PS256 is allowed",
                       (int)(alg.n > 16 ? 16 : alg.n), alg.n == 0 ? "" : (const char *)alg.p);
    for (const struct json *m = h->child; m != NULL; m = m->next)
        if (!bytes_is(m->name, "alg") && !bytes_is(m->name, "typ"))
            return err_set(e, ERR_JWS_ALG, "JWS header",
                           "has the member '%.*s'; only alg and typ are allowed",
                           (int)(m->name.n > 32 ? 32 : m->name.n), (const char *)m->name.p);
    *ret_version = bytes_is(typ, "attReq") ? 1 : bytes_is(typ, "attReqV2") ? 2 : 0;
    return *ret_version != 0 ? true : fail(e, "JWS header", "typ is neither attReq nor attReqV2");
}

/* -- the attestation object -- */

static bool read_bank(const struct json *j, struct pcr_set *to, struct arena *a, struct err *e)
{
    const struct json *values = json_member(j, "values");
    const struct tpm_bank *bank;
    struct pcr_bank *b;
    int64_t alg = -1, index;

    if (!json_int(json_member(j, "algorithm"), &alg) || alg < 0 || alg > UINT16_MAX
        || (bank = tpm_bank((uint16_t)alg)) == NULL)
        return err_set(e, ERR_QUOTE_PCR_VALUES, "pcrs", "algorithm %lld is no known hash", (long long)alg);
    if (pcr_set_find(to, bank) != NULL || (b = pcr_set_bank(to, bank)) == NULL)
        return err_set(e, ERR_QUOTE_PCR_VALUES, "pcrs", "bank %s occurs twice", bank->name);
    if (!json_is(values, JSON_ARRAY))
        return fail(e, "pcrs", "values is missing or no array");
    for (const struct json *v = values->child; v != NULL; v = v->next) {
        struct bytes digest;

        if (!json_int(json_member(v, "index"), &index) || index < 0 || index >= TPM_PCRS)
            return err_set(e, ERR_QUOTE_PCR_VALUES, "pcrs", "index of a value of bank %s is not 0 to 23",
                           bank->name);
        if (!tpm_member_bytes(v, "digest", true, a, &digest, e))
            return false;
        if (!pcr_put(b, (unsigned)index, digest))
            return err_set(e, ERR_QUOTE_PCR_VALUES, "pcrs",
                           "value of PCR %lld of bank %s has %zu bytes instead of %u, or occurs twice",
                           (long long)index, bank->name, digest.n, bank->size);
    }
    return true;
}

static bool read_pcrs(const struct json *list, struct pcr_set *to, struct arena *a, struct err *e)
{
    if (!json_is(list, JSON_ARRAY))
        return fail(e, "pcrs", "is missing or no array");
    if (list->count > TPM_BANKS)
        return err_set(e, ERR_LIMIT, "pcrs", "%zu banks, at most %d are accepted", list->count, TPM_BANKS);
    for (const struct json *b = list->child; b != NULL; b = b->next)
        if (!read_bank(b, to, a, e))
            return false;
    return true;
}

static bool add_log(struct tpm_attestation *t, bool ima, struct bytes log, struct err *e)
{
    if (t->log_count == TPM_LOGS_MAX)
        return err_set(e, ERR_LIMIT, "logs", "more than %d logs", TPM_LOGS_MAX);
    t->logs[t->log_count++] = (struct tpm_log_ref){ ima, log };
    return true;
}

static bool read_logs(const struct json *list, struct tpm_attestation *t, struct arena *a, struct err *e)
{
    if (!json_is(list, JSON_ARRAY))
        return fail(e, "logs", "is missing or no array");
    for (const struct json *l = list->child; l != NULL; l = l->next) {
        struct bytes type = { NULL, 0 }, log;

        (void)json_string(json_member(l, "type"), &type);
        if (!bytes_is(type, "TCG") && !bytes_is(type, "IMA"))
            return fail(e, "logs", "type of a log is neither TCG nor IMA");
        if (!tpm_member_bytes(l, "log", true, a, &log, e) || !add_log(t, bytes_is(type, "IMA"), log, e))
            return false;
    }
    return true;
}

static struct tpm_attestation *attestation_new(const char *what, struct arena *a)
{
    struct tpm_attestation *t = arena_new(a, struct tpm_attestation);

    if (t != NULL) {
        t->what = what;
        tpm_state_open(&t->state, a);
    }
    return t;
}

static bool read_attestation_v2(const struct json *j, const char *what, struct arena *a,
                                struct tpm_attestation **ret, struct err *e)
{
    struct tpm_attestation *t = attestation_new(what, a);

    if (t == NULL)
        return err_memory(e, what);
    if (!json_is(j, JSON_OBJECT))
        return fail(e, what, "is missing or no object");
    if (!read_logs(json_member(j, "logs"), t, a, e)
        || !tpm_member_bytes(j, "aik_cert", false, a, &t->aik_cert, e)
        || !tpm_jwk_parse(json_member(j, "aik_pub"), true, "aik_pub", a, &t->aik_pub, e)
        || !read_pcrs(json_member(j, "pcrs"), &t->claimed, a, e)
        || !tpm_member_bytes(j, "quote", true, a, &t->quote, e)
        || !tpm_member_bytes(j, "signature", true, a, &t->signature, e))
        return false;
    t->sig_form = TPM_SIG_TPMT;
    *ret = t;
    return true;
}

static bool read_att_data_v2(const struct json *j, struct tpm_request *rq, struct arena *a, struct err *e)
{
    const struct json *boot = json_member(j, "boot_attestation");

    if (json_member(j, "aik_pub") != NULL)
        return fail(e, "tpm_att_data", "typ says version 2, the payload is one of version 1");
    rq->resumed = boot != NULL;
    return read_attestation_v2(json_member(j, "current_attestation"), "current_attestation", a, &rq->current,
                               e)
        && (boot == NULL || read_attestation_v2(boot, "boot_attestation", a, &rq->boot, e));
}

/* Logs of version 1 by name: of the boot, or of the resume where there is one. */
static bool read_logs_v1(const struct json *j, const char *srtm, const char *drtm, struct tpm_attestation *t,
                         struct arena *a, struct err *e)
{
    const char *const names[] = { srtm, drtm };

    for (size_t i = 0; i < 2; i++) {
        struct bytes log;

        if (!tpm_member_bytes(j, names[i], false, a, &log, e) || (log.n > 0 && !add_log(t, false, log, e)))
            return false;
    }
    return true;
}

static bool read_state_v1(const struct json *j, const char *claim, bool resume, struct arena *a,
                          struct tpm_attestation **ret, struct err *e)
{
    struct tpm_attestation *t = attestation_new(claim, a);
    struct bytes blob;

    if (t == NULL)
        return err_memory(e, claim);
    if (!tpm_member_bytes(j, claim, true, a, &blob, e) || !tpm_claim_blob_parse(blob, claim, t, e)
        || !tpm_member_bytes(j, "aik_cert", false, a, &t->aik_cert, e)
        || !tpm_jwk_parse(json_member(j, "aik_pub"), true, "aik_pub", a, &t->aik_pub, e)
        || !read_logs_v1(j, resume ? "srtm_resume_log" : "srtm_boot_log",
                         resume ? "drtm_resume_log" : "drtm_boot_log", t, a, e))
        return false;
    if (t->log_count == 0)
        return fail(e, "tpm_att_data", "no boot log is given");
    *ret = t;
    return true;
}

static bool read_att_data_v1(const struct json *j, struct tpm_request *rq, struct arena *a, struct err *e)
{
    if (json_member(j, "current_attestation") != NULL)
        return fail(e, "tpm_att_data",
                    "typ and payload disagree: attReq is version 1, the payload is one of version 2");
    rq->resumed = json_member(j, "srtm_resume_log") != NULL || json_member(j, "drtm_resume_log") != NULL;
    return read_state_v1(j, "current_claim", rq->resumed, a, &rq->current, e)
        && (json_member(j, "boot_claim") == NULL || read_state_v1(j, "boot_claim", false, a, &rq->boot, e));
}

static bool read_other_keys(const struct json *list, struct tpm_request *rq, struct arena *a, struct err *e)
{
    if (list == NULL)
        return true;
    if (!json_is(list, JSON_ARRAY))
        return fail(e, "other_keys", "is no array");
    if (list->count > TPM_OTHER_KEYS_MAX)
        return err_set(e, ERR_OTHER_KEYS, "other_keys", "%zu keys are too many; at most %d are accepted",
                       list->count, TPM_OTHER_KEYS_MAX);
    for (const struct json *k = list->child; k != NULL; k = k->next)
        if (!tpm_key_object_parse(k, "other_keys", a, &rq->other[rq->other_count++], e))
            return false;
    return true;
}

/* -- custom claims -- */

static bool read_integer(struct bytes text, int64_t *ret)
{
    bool negative = text.n > 0 && text.p[0] == '-';
    uint64_t v = 0, max = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX;
    size_t from = negative ? 1 : 0;

    if (text.n == from || text.n > 20)
        return false;
    for (size_t i = from; i < text.n; i++) {
        uint64_t d = (uint64_t)text.p[i] - '0';

        if (text.p[i] < '0' || text.p[i] > '9' || v > (max - d) / 10)
            return false;
        v = v * 10 + d;
    }
    *ret = negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

static bool read_value(struct tpm_custom *c, struct bytes type)
{
    if (type.n == 0 || bytes_is(type, "String")) {
        c->type = CLAIM_STRING;
        return true;
    }
    if (bytes_is(type, "Integer")) {
        c->type = CLAIM_INTEGER;
        return read_integer(c->text, &c->integer);
    }
    c->type = CLAIM_BOOLEAN;
    c->boolean = bytes_equal_nocase(c->text, LIT("true"));
    return bytes_is(type, "Boolean") && (c->boolean || bytes_equal_nocase(c->text, LIT("false")));
}

static bool read_custom(const struct json *list, struct tpm_request *rq, struct arena *a, struct err *e)
{
    if (list == NULL)
        return true;
    if (!json_is(list, JSON_ARRAY))
        return fail(e, "custom_claims", "is no array");
    if (list->count > TPM_CUSTOM_MAX)
        return err_set(e, ERR_CUSTOM_CLAIM, "custom_claims", "%zu claims, at most %d are accepted",
                       list->count, TPM_CUSTOM_MAX);
    rq->custom = arena_many(a, list->count, struct tpm_custom);
    if (rq->custom == NULL)
        return err_memory(e, "custom_claims");
    for (const struct json *j = list->child; j != NULL; j = j->next) {
        struct tpm_custom *c = &rq->custom[rq->custom_count++];
        struct bytes type = { NULL, 0 };

        if (!json_string(json_member(j, "name"), &c->name) || c->name.n == 0
            || !json_string(json_member(j, "value"), &c->text)
            || (json_member(j, "value_type") != NULL && !json_string(json_member(j, "value_type"), &type)))
            return err_set(e, ERR_CUSTOM_CLAIM, "custom_claims",
                           "claim %zu lacks a name or a value that is a string", rq->custom_count - 1);
        if (c->name.n + c->text.n > TPM_CUSTOM_TEXT_MAX)
            return err_set(e, ERR_CUSTOM_CLAIM, "custom_claims", "claim %zu has more than %d bytes",
                           rq->custom_count - 1, TPM_CUSTOM_TEXT_MAX);
        if (!read_value(c, type))
            return err_set(e, ERR_CUSTOM_CLAIM, "custom_claims",
                           "value of custom claim '%.*s' does not fit its type '%.*s'",
                           (int)(c->name.n > 64 ? 64 : c->name.n), (const char *)c->name.p,
                           (int)(type.n > 16 ? 16 : type.n), type.n == 0 ? "" : (const char *)type.p);
    }
    return true;
}

/* -- the whole -- */

static bool read_keys(const struct json *o, struct tpm_request *rq, struct arena *a, struct err *e)
{
    const struct json *v1 = json_member(o, "attest_key"), *v2 = json_member(o, "request_key");

    if ((v1 != NULL) != (rq->version == 1) || (v2 != NULL) != (rq->version == 2))
        return fail(e, "JWS", "typ and payload disagree: attReq has attest_key, attReqV2 has request_key");
    if (rq->version == 1)
        return tpm_jwk_parse(v1, false, "attest_key", a, &rq->request_key.jwk, e);
    return tpm_key_object_parse(v2, "request_key", a, &rq->request_key, e)
        && read_other_keys(json_member(o, "other_keys"), rq, a, e);
}

static bool read_object(const struct json *o, struct tpm_request *rq, struct arena *a, struct err *e)
{
    const struct json *data = json_member(o, "tpm_att_data");

    if (!json_is(o, JSON_OBJECT))
        return fail(e, "att_data", "the attestation object is missing");
    if (!json_is(data, JSON_OBJECT))
        return fail(e, "tpm_att_data", "is missing or no object");
    if (!read_keys(o, rq, a, e) || !member_text(o, "rp_id", RP_MAX, &rq->rp_id, e)
        || !member_text(o, "rp_data", RP_MAX, &rq->rp_data, e)
        || !tpm_member_bytes(o, "challenge", true, a, &rq->challenge, e)
        || !member_text(o, "service_context", RP_MAX, &rq->service_context, e))
        return false;
    if (rq->challenge.n > CHALLENGE_MAX || rq->challenge.n == 0)
        return err_set(e, ERR_CHALLENGE_MISMATCH, "challenge", "has %zu bytes, %d are given out",
                       rq->challenge.n, TPM_CHALLENGE_SIZE);
    return (rq->version == 1 ? read_att_data_v1(data, rq, a, e) : read_att_data_v2(data, rq, a, e))
        && read_custom(json_member(o, "custom_claims"), rq, a, e);
}

static bool read_vbs(const struct json *data, struct tpm_request *rq, struct arena *a, struct err *e)
{
    const struct json *inner = json_member(data, "report_signed"), *report = json_member(data, "vsm_report");

    if (!json_is(inner, JSON_OBJECT))
        return fail(e, "report_signed", "is missing or no object");
    rq->report_signed = inner->raw;
    if (rq->version == 2) {
        if (!tpm_member_bytes(json_member(report, "enclave"), "report", true, a, &rq->vsm_report, e))
            return false;
    } else if (!tpm_member_bytes(data, "vsm_report", true, a, &rq->vsm_report, e)) {
        return false;
    }
    return read_object(inner, rq, a, e);
}

static bool read_payload(struct bytes text, struct tpm_request *rq, struct arena *a, struct err *e)
{
    const struct json *p, *data;
    struct bytes type = { NULL, 0 };

    if (!parse_json(text, "JWS payload", a, &p, e))
        return false;
    (void)json_string(json_member(p, "att_type"), &type);
    data = json_member(p, "att_data");
    rq->vbs = bytes_is(type, "vbs");
    if (!rq->vbs && !bytes_is(type, "basic"))
        return fail(e, "att_type", "is neither basic nor vbs");
    return rq->vbs ? read_vbs(data, rq, a, e) : read_object(data, rq, a, e);
}

bool tpm_request_parse(struct bytes jws, struct arena *a, struct tpm_request **ret, struct err *e)
{
    struct tpm_request *rq = arena_new(a, struct tpm_request);
    struct bytes part[3], header, payload;

    if (rq == NULL)
        return err_memory(e, "request");
    if (jws.n > 2 * TPM_REQUEST_MAX_SIZE)
        return err_set(e, ERR_TOO_LARGE, "request", "has %zu bytes, at most %d are accepted", jws.n,
                       2 * TPM_REQUEST_MAX_SIZE);
    if (!split_jws(jws, part, e) || !decode_part(part[0], "JWS header", a, &header, e)
        || !read_header(header, a, &rq->version, e) || !decode_part(part[1], "JWS payload", a, &payload, e)
        || !decode_part(part[2], "JWS signature", a, &rq->jws_signature, e))
        return false;
    rq->signing_input = bytes_of(jws.p, part[0].n + 1 + part[1].n);
    if (!read_payload(payload, rq, a, e))
        return false;
    if (a->failed)
        return err_memory(e, "request");
    *ret = rq;
    return true;
}

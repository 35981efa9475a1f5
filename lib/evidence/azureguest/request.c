/* request.c: the JSON below AttestationInfo (trusted-launch B.1, B.2). Names in any case of letters. */
#include "evidence/azureguest/azureguest.h"

#include "codec/b64.h"

#define WHAT "AttestationInfo"

enum { DEPTH = 16, TEXT_MAX = 256, PAYLOAD_MAX = 64, PAYLOAD_VALUE_MAX = 16 << 10 };

static bool bad(struct err *e, const char *name, const char *why)
{
    return err_set(e, ERR_BAD_REQUEST, WHAT, "member %s %s", name, why);
}

static bool member_text(const struct json *j, const char *name, struct bytes *ret, struct err *e)
{
    return json_string(json_member_nocase(j, name), ret) ? true : bad(e, name, "is missing or no string");
}

static bool member_b64(const struct json *j, const char *name, bool required, struct arena *a,
                       struct bytes *ret, struct err *e)
{
    const struct json *m = json_member_nocase(j, name);
    struct bytes text;

    *ret = (struct bytes){ NULL, 0 };
    if ((m == NULL || json_is(m, JSON_NULL)) && !required)
        return true;
    if (!json_string(m, &text))
        return bad(e, name, m == NULL ? "is missing" : "is no string");
    return b64_decode(text, B64_ANY, name, a, ret, e);
}

/* Base64 of a short text, as the clients send names of operating systems. */
static bool member_b64_text(const struct json *j, const char *name, struct arena *a, struct bytes *ret,
                            struct err *e)
{
    if (!member_b64(j, name, false, a, ret, e))
        return false;
    while (ret->n > 0 && ret->p[ret->n - 1] == 0)
        ret->n--;
    if (ret->n > TEXT_MAX || !utf8_valid(*ret))
        return bad(e, name, "is longer than 256 bytes or no UTF-8");
    return true;
}

static bool member_int(const struct json *j, const char *name, int64_t *ret, struct err *e)
{
    const struct json *m = json_member_nocase(j, name);

    if (m == NULL || json_is(m, JSON_NULL))
        return true;
    return json_int(m, ret) ? true : bad(e, name, "is no integer");
}

/* Values stay as received. ArmID is for the health report alone: recorded tokens do not carry it. */
static bool read_payload(const struct json *j, struct guest_request *r, struct arena *a, struct err *e)
{
    struct jobj o = jobj_open(a);

    if (j == NULL || json_is(j, JSON_NULL))
        return true;
    if (!json_is(j, JSON_OBJECT))
        return bad(e, "ClientPayload", "is no object");
    if (j->count > PAYLOAD_MAX)
        return err_set(e, ERR_LIMIT, WHAT, "ClientPayload has %zu members, at most %d are accepted", j->count,
                       PAYLOAD_MAX);
    for (const struct json *m = j->child; m != NULL; m = m->next) {
        struct out text = out_open(a);
        struct bytes value;

        if (!json_string(m, &value) || value.n > PAYLOAD_VALUE_MAX)
            return bad(e, "ClientPayload", "has a value that is no string of at most 16384 bytes");
        if (bytes_equal_nocase(m->name, LIT("ArmID")))
            continue;
        json_print_string(&text, value);
        jobj_raw(&o, m->name, out_view(&text));
    }
    r->payload = jobj_print(&o, true);
    return true;
}

static bool read_pcr_set(const struct json *list, uint32_t *ret, struct err *e)
{
    int64_t v;

    if (!json_is(list, JSON_ARRAY))
        return bad(e, "PcrSet", "is missing or no array");
    for (const struct json *m = list->child; m != NULL; m = m->next) {
        if (!json_int(m, &v) || v < 0 || v >= TPM_PCRS || (*ret >> v & 1) != 0)
            return err_set(e, ERR_QUOTE_SELECTION, WHAT,
                           "PcrSet holds something else than PCRs from 0 to 23, each once");
        *ret |= 1u << v;
    }
    return true;
}

static bool read_pcrs(const struct json *list, struct guest_request *r, struct arena *a, struct err *e)
{
    struct pcr_bank *to = pcr_set_bank(&r->claimed, tpm_bank(TPM_SHA256));

    if (!json_is(list, JSON_ARRAY))
        return bad(e, "PCRs", "is missing or no array");
    for (const struct json *m = list->child; m != NULL; m = m->next) {
        struct bytes digest;
        int64_t index = -1;

        if (!json_int(json_member_nocase(m, "Index"), &index) || index < 0 || index >= TPM_PCRS)
            return err_set(e, ERR_QUOTE_PCR_VALUES, WHAT, "Index of a PCR is not 0 to 23");
        if (!member_b64(m, "Digest", true, a, &digest, e))
            return false;
        if (to == NULL || !pcr_put(to, (unsigned)index, digest))
            return err_set(e, ERR_QUOTE_PCR_VALUES, WHAT,
                           "value of PCR %lld has %zu bytes instead of 32, or occurs twice", (long long)index,
                           digest.n);
    }
    return true;
}

static bool read_tpm(const struct json *j, struct guest_request *r, struct arena *a, struct err *e)
{
    if (!json_is(j, JSON_OBJECT))
        return bad(e, "TpmInfo", "is missing or no object");
    return member_b64(j, "AikCert", false, a, &r->aik_cert, e)
        && member_b64(j, "AikPub", true, a, &r->aik_pub, e)
        && member_b64(j, "PcrQuote", true, a, &r->quote, e)
        && member_b64(j, "PcrSignature", true, a, &r->quote_sig, e)
        && member_b64(j, "EncKeyPub", true, a, &r->enc_pub, e)
        && member_b64(j, "EncKeyCertifyInfo", true, a, &r->enc_cert, e)
        && member_b64(j, "EncKeyCertifyInfoSignature", true, a, &r->enc_sig, e)
        && read_pcr_set(json_member_nocase(j, "PcrSet"), &r->pcr_set, e)
        && read_pcrs(json_member_nocase(j, "PCRs"), r, a, e);
}

static bool read_isolation(const struct json *j, struct guest_request *r, struct arena *a, struct err *e)
{
    const struct json *evidence = json_member_nocase(j, "Evidence");
    struct bytes type = { NULL, 0 }, proof;

    if (!json_string(json_member_nocase(j, "Type"), &type))
        return bad(e, "IsolationInfo", "is missing or has no Type");
    if (bytes_equal_nocase(type, LIT("TrustedLaunch")))
        return true;
    r->isolation = guest_isolation_find(type);
    if (r->isolation == NULL)
        return err_set(e, ERR_UNSUPPORTED_TEE, WHAT, "isolation of type '%.*s' is not verified here",
                       (int)(type.n > 32 ? 32 : type.n), (const char *)type.p);
    if (!json_is(evidence, JSON_OBJECT))
        return bad(e, "IsolationInfo.Evidence", "is missing or no object");
    return member_b64(evidence, "Proof", true, a, &proof, e)
        && member_b64(evidence, "RunTimeData", true, a, &r->runtime, e)
        && r->isolation->parse(proof, a, &r->isolation_ev, e);
}

bool guest_request_parse(struct bytes in, struct arena *a, struct guest_request **ret, struct err *e)
{
    struct guest_request *r = arena_new(a, struct guest_request);
    const struct json *j;

    if (r == NULL)
        return err_memory(e, WHAT);
    tpm_state_open(&r->state, a);
    if (!json_parse(in, DEPTH, WHAT, a, &j, e))
        return false;
    if (!json_is(j, JSON_OBJECT))
        return bad(e, "(top)", "is no object");
    if (!member_text(j, "AttestationProtocolVersion", &r->protocol, e))
        return false;
    if (!bytes_is(r->protocol, "2.0") && !bytes_is(r->protocol, "1.0") && !bytes_is(r->protocol, "3.0"))
        return err_set(e, ERR_UNSUPPORTED_VERSION, WHAT,
                       "AttestationProtocolVersion is '%.*s'; 1.0, 2.0 and 3.0 are accepted",
                       (int)(r->protocol.n > 16 ? 16 : r->protocol.n), (const char *)r->protocol.p);
    if (!member_b64_text(j, "OSType", a, &r->os_type, e)
        || !member_b64_text(j, "OSDistro", a, &r->os_distro, e)
        || !member_b64_text(j, "OSBuild", a, &r->os_build, e)
        || !member_int(j, "OSVersionMajor", &r->os_major, e)
        || !member_int(j, "OSVersionMinor", &r->os_minor, e) || !member_b64(j, "TcgLogs", true, a, &r->log, e)
        || !read_payload(json_member_nocase(j, "ClientPayload"), r, a, e)
        || !read_tpm(json_member_nocase(j, "TpmInfo"), r, a, e)
        || !read_isolation(json_member_nocase(j, "IsolationInfo"), r, a, e))
        return false;
    *ret = r;
    return true;
}

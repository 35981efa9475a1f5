/* attest.c: bodies of the attestation calls. */
#include "api/api.h"

#include "codec/b64.h"

#define WHAT "request body"

static const struct json *member(const struct json *body, const char *name)
{
    const struct json *m = json_member_nocase(body, name);

    return m == NULL || m->type == JSON_NULL ? NULL : m;
}

static bool is_json_type(struct bytes type, bool *ret, const char *name, struct err *e)
{
    *ret = bytes_equal_nocase(type, LIT("JSON"));
    return *ret || type.n == 0 || bytes_equal_nocase(type, LIT("Binary")) || bytes_equal_nocase(type, LIT("Text"))
        || err_set(e, ERR_BAD_REQUEST, name, "dataType is '%.*s', Binary or JSON is expected", (int)(type.n > 40 ? 40 : type.n),
                   (const char *)type.p);
}

/* An object without data is as good as none: a client in the field always sends {"data":"","dataType":""}. */
static bool attached(const struct json *body, const char *name, size_t limit, struct arena *a, struct api_attached *ret,
                     struct err *e)
{
    const struct json *m = member(body, name), *data, *type;

    *ret = (struct api_attached){ .present = false };
    if (m == NULL)
        return true;
    if (m->type != JSON_OBJECT)
        return err_set(e, ERR_BAD_REQUEST, name, "is of type %s, an object {data, dataType} is expected", json_type_name(m->type));
    data = member(m, "data");
    type = member(m, "dataType");
    if (data == NULL || (data->type == JSON_STRING && data->text.n == 0))
        return true;
    if (data->type != JSON_STRING || (type != NULL && type->type != JSON_STRING))
        return err_set(e, ERR_BAD_REQUEST, name, "data and dataType must be strings");
    if (!b64_decode(data->text, B64_ANY, name, a, &ret->data, e)
        || !is_json_type(type == NULL ? (struct bytes){ NULL, 0 } : type->text, &ret->json, name, e))
        return false;
    if (ret->data.n > limit)
        return err_set(e, ERR_TOO_LARGE, name, "has %zu bytes, at most %zu are accepted", ret->data.n, limit);
    ret->present = true;
    return true;
}

/* A string; a client in the field sends a number: its text is taken. */
static bool nonce(const struct json *body, size_t limit, struct bytes *ret, struct err *e)
{
    const struct json *m = member(body, "nonce");

    if (m == NULL)
        return true;
    if (m->type != JSON_STRING && m->type != JSON_NUMBER)
        return err_set(e, ERR_BAD_REQUEST, "nonce", "is of type %s, a string is expected", json_type_name(m->type));
    if (m->text.n > limit)
        return err_set(e, ERR_TOO_LARGE, "nonce", "has %zu bytes, at most %zu are accepted", m->text.n, limit);
    *ret = m->text;
    return true;
}

static bool draft(const struct json *body, struct api_attest *ret, struct err *e)
{
    const struct json *m = member(body, "draftPolicyForAttestation");

    if (m == NULL)
        return true;
    if (m->type != JSON_STRING)
        return err_set(e, ERR_BAD_REQUEST, "draftPolicyForAttestation", "is of type %s, a string is expected",
                       json_type_name(m->type));
    ret->has_draft = m->text.n > 0;
    ret->draft = m->text;
    return true;
}

bool api_attest_parse(struct bytes body, const char *evidence_member, const struct api_limits *limits, struct arena *a,
                      struct api_attest *ret, struct err *e)
{
    static const uint8_t bom[3] = { 0xef, 0xbb, 0xbf };
    struct api_attest r = { 0 };
    const struct json *j, *m;

    if (bytes_equal(bytes_part(body, 0, 3), BYTES(bom)))
        body = bytes_part(body, 3, body.n);
    if (!json_parse(body, JSON_DEPTH, WHAT, a, &j, e))
        return false;
    if (j->type != JSON_OBJECT)
        return err_set(e, ERR_BAD_REQUEST, WHAT, "is of type %s, an object is expected", json_type_name(j->type));
    m = member(j, evidence_member);
    if (m == NULL)
        return err_set(e, ERR_BAD_REQUEST, WHAT, "member '%s' is missing", evidence_member);
    if (m->type != JSON_STRING)
        return err_set(e, ERR_BAD_REQUEST, WHAT, "member '%s' is of type %s, a base64url string is expected", evidence_member,
                       json_type_name(m->type));
    if (!b64_decode(m->text, B64_ANY, evidence_member, a, &r.evidence, e)
        || !attached(j, "runtimeData", limits->data, a, &r.runtime, e)
        || !attached(j, "initTimeData", limits->data, a, &r.init, e) || !nonce(j, limits->nonce, &r.nonce, e)
        || !draft(j, &r, e))
        return false;
    *ret = r;
    return true;
}

/* signed_json.c: Intel's signed statements: members, dates, numbers, and the raw text that is signed. */
#include "evidence/sgx/sgx.h"

#include "codec/hex.h"
#include "codec/stamp.h"

#define DEPTH 16

static bool format(struct err *e, const char *name, const char *why)
{
    return err_set(e, ERR_COLLATERAL_FORMAT, "collateral JSON", "member '%s' %s", name, why);
}

const struct json *member_of(const struct json *j, const char *name, enum json_type type, struct err *e)
{
    const struct json *m = json_member(j, name);

    if (m == NULL) {
        (void)format(e, name, "is missing");
        return NULL;
    }
    if (m->type != type) {
        (void)err_set(e, ERR_COLLATERAL_FORMAT, "collateral JSON", "member '%s' is of type %s, %s is expected", name,
                      json_type_name(m->type), json_type_name(type));
        return NULL;
    }
    return m;
}

bool member_uint(const struct json *j, const char *name, int64_t max, int64_t *ret, struct err *e)
{
    const struct json *m = member_of(j, name, JSON_NUMBER, e);
    int64_t v;

    if (m == NULL)
        return false;
    if (!json_int(m, &v) || v < 0 || v > max)
        return err_set(e, ERR_COLLATERAL_FORMAT, "collateral JSON", "member '%s' is %.*s, an integer from 0 to %lld is expected",
                       name, (int)(m->text.n > 30 ? 30 : m->text.n), (const char *)m->text.p, (long long)max);
    *ret = v;
    return true;
}

bool member_hex(const struct json *j, const char *name, uint8_t *to, size_t n, struct err *e)
{
    const struct json *m = member_of(j, name, JSON_STRING, e);

    if (m == NULL)
        return false;
    if (!hex_decode_exact(m->text, to, n))
        return err_set(e, ERR_COLLATERAL_FORMAT, "collateral JSON", "member '%s' is not %zu hexadecimal digits", name, 2 * n);
    return true;
}

bool member_time(const struct json *j, const char *name, int64_t *ret, struct err *e)
{
    const struct json *m = member_of(j, name, JSON_STRING, e);

    if (m == NULL)
        return false;
    if (!stamp_parse(m->text, ret))
        return format(e, name, "is not a time of the form YYYY-MM-DDThh:mm:ssZ");
    return true;
}

const char *level_status_name(enum level_status s)
{
    static const char *const names[] = {
        "UpToDate", "SWHardeningNeeded", "ConfigurationNeeded", "ConfigurationAndSWHardeningNeeded",
        "OutOfDate", "OutOfDateConfigurationNeeded", "Revoked", "Unrecognized",
    };

    return names[s];
}

static enum level_status status_of(struct bytes text)
{
    for (int s = LEVEL_UP_TO_DATE; s <= LEVEL_REVOKED; s++)
        if (bytes_is(text, level_status_name((enum level_status)s)))
            return (enum level_status)s;
    return LEVEL_UNRECOGNIZED;
}

bool level_common_parse(const struct json *j, struct arena *a, struct tcb_level *ret, struct err *e)
{
    const struct json *status, *ids = json_member(j, "advisoryIDs");
    struct bytes *list;
    size_t n = 0;

    if (!member_time(j, "tcbDate", &ret->date, e))
        return false;
    status = member_of(j, "tcbStatus", JSON_STRING, e);
    if (status == NULL)
        return false;
    ret->status = status_of(status->text);
    if (ids == NULL)
        return true;
    if (ids->type != JSON_ARRAY)
        return format(e, "advisoryIDs", "is not an array");
    list = arena_many(a, ids->count, struct bytes);
    if (list == NULL)
        return err_memory(e, "collateral JSON");
    for (const struct json *id = ids->child; id != NULL; id = id->next) {
        if (id->type != JSON_STRING)
            return format(e, "advisoryIDs", "has an element that is no string");
        list[n++] = id->text;
    }
    ret->advisories = list;
    ret->advisory_count = n;
    return true;
}

bool levels_sort(struct tcb_level *list, size_t n, struct arena *a,
                 int (*compare)(const struct tcb_level *x, const struct tcb_level *y))
{
    struct tcb_level *from = list, *to = arena_many(a, n, struct tcb_level);

    if (to == NULL)
        return false;
    for (size_t width = 1; width < n; width *= 2) {
        struct tcb_level *swap = from;

        for (size_t lo = 0; lo < n; lo += 2 * width) {
            size_t mid = lo + width < n ? lo + width : n, hi = lo + 2 * width < n ? lo + 2 * width : n;
            size_t x = lo, y = mid;

            for (size_t k = lo; k < hi; k++)
                to[k] = y >= hi || (x < mid && compare(&from[x], &from[y]) >= 0) ? from[x++] : from[y++];
        }
        from = to;
        to = swap;
    }
    if (from != list)
        memcpy(list, from, n * sizeof(*list));
    return true;
}

bool signed_json_parse(struct bytes in, const char *member, struct arena *a, struct signed_json *ret,
                       struct err *e)
{
    const struct json *doc, *body;
    const struct json *sig;

    while (in.n > 0 && in.p[in.n - 1] == 0)
        in.n--;
    if (!json_parse(in, DEPTH, "collateral JSON", a, &doc, e)) {
        if (e != NULL && e->code == ERR_JSON_SYNTAX)
            e->code = ERR_COLLATERAL_FORMAT;
        return false;
    }
    body = member_of(doc, member, JSON_OBJECT, e);
    if (body == NULL)
        return false;
    sig = member_of(doc, "signature", JSON_STRING, e);
    if (sig == NULL)
        return false;
    if (!hex_decode_exact(sig->text, ret->sig, sizeof(ret->sig)))
        return format(e, "signature", "is not 128 hexadecimal digits");
    ret->body = body;
    ret->signed_text = body->raw;
    return true;
}

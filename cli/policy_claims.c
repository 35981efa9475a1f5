/* policy_claims.c: claims for `avouch policy eval` and `diff`: from JSON, to JSON. */
#include "cli/policy_priv.h"

static bool value_of(const struct json *v, const char *what, struct claim *ret, struct err *e)
{
    if (json_string(v, &ret->text))
        ret->type = CLAIM_STRING;
    else if (json_bool(v, &ret->boolean))
        ret->type = CLAIM_BOOLEAN;
    else if (json_int(v, &ret->integer))
        ret->type = CLAIM_INTEGER;
    else if (json_is(v, JSON_OBJECT) || json_is(v, JSON_ARRAY)) {
        ret->type = CLAIM_JSON;
        ret->text = v->raw;
    } else
        return err_set(e, ERR_BAD_REQUEST, what,
                       "the value of a claim must be a string, an integer of 64 bits, a boolean, an object or an array");
    return true;
}

static bool issuer_of(const struct json *j, const char *what, enum claim_issuer *ret, struct err *e)
{
    struct bytes name;

    if (j == NULL)
        return true; /* the service's */
    if (!json_string(j, &name))
        return err_set(e, ERR_BAD_REQUEST, what, "'issuer' must be a string");
    for (int i = ISSUER_SERVICE; i <= ISSUER_CUSTOM; i++)
        if (bytes_is(name, claim_issuer_name((enum claim_issuer)i))) {
            *ret = (enum claim_issuer)i;
            return true;
        }
    return err_set(e, ERR_BAD_REQUEST, what,
                   "issuer '%.*s' is none of AttestationService, AttestationPolicy, CustomClaim",
                   (int)(name.n > 60 ? 60 : name.n), (const char *)name.p);
}

static bool add_row(const struct json *row, const char *what, struct claims *ret, struct err *e)
{
    struct claim c = { .use = CLAIM_TO_BOTH };
    struct bytes type;
    bool read_only = false;

    if (!json_string(json_member(row, "type"), &c.name) || json_member(row, "value") == NULL)
        return err_set(e, ERR_BAD_REQUEST, what, "a claim needs the members 'type' (a string) and 'value'");
    if (!value_of(json_member(row, "value"), what, &c, e)
        || !issuer_of(json_member(row, "issuer"), what, &c.issuer, e))
        return false;
    if (json_string(json_member(row, "valueType"), &type) && !bytes_is(type, claim_type_name(c.type)))
        return err_set(e, ERR_BAD_REQUEST, what, "claim '%.*s' is of type %s, valueType says %.*s",
                       (int)(c.name.n > 60 ? 60 : c.name.n), (const char *)c.name.p, claim_type_name(c.type),
                       (int)(type.n > 20 ? 20 : type.n), (const char *)type.p);
    if (json_bool(json_member(row, "readOnly"), &read_only) && read_only)
        c.use |= CLAIM_READ_ONLY;
    claims_add(ret, c);
    return true;
}

static bool all_scalar(const struct json *j)
{
    for (const struct json *x = j->child; x != NULL; x = x->next)
        if (json_is(x, JSON_OBJECT) || json_is(x, JSON_ARRAY))
            return false;
    return j->count > 0;
}

static bool add_member(const struct json *m, const char *what, struct claims *ret, struct err *e)
{
    struct claim c = { .name = m->name, .use = CLAIM_TO_BOTH };

    if (m->type == JSON_ARRAY && all_scalar(m)) {
        for (const struct json *x = m->child; x != NULL; x = x->next) {
            if (!value_of(x, what, &c, e))
                return false;
            claims_add(ret, c);
        }
        return true;
    }
    if (!value_of(m, what, &c, e))
        return false;
    claims_add(ret, c);
    return true;
}

bool claims_read(struct bytes json_text, const char *what, struct arena *a, struct claims *ret, struct err *e)
{
    const struct json *j, *inner;

    if (!json_parse(json_text, JSON_DEPTH, what, a, &j, e))
        return false;
    inner = json_member(j, "incoming") != NULL ? json_member(j, "incoming") : json_member(j, "claims");
    if (inner != NULL)
        j = inner;
    if (j->type != JSON_ARRAY && j->type != JSON_OBJECT)
        return err_set(e, ERR_BAD_REQUEST, what, "claims are an array of claims or an object");
    *ret = claims_open(a);
    for (const struct json *x = j->child; x != NULL; x = x->next)
        if (j->type == JSON_ARRAY ? !add_row(x, what, ret, e) : !add_member(x, what, ret, e))
            return false;
    return !ret->failed || err_memory(e, what);
}

struct bytes claims_list_json(const struct claims *c, struct arena *a)
{
    struct jarr list = jarr_open(a);

    for (size_t i = 0; i < c->count; i++) {
        struct jobj o = jobj_open(a);

        jobj_str(&o, "type", c->list[i].name);
        jobj_json(&o, "value", claim_value_json(&c->list[i], a));
        jobj_text(&o, "valueType", claim_type_name(c->list[i].type));
        jobj_text(&o, "issuer", claim_issuer_name(c->list[i].issuer));
        jarr_raw(&list, jobj_print(&o, false));
    }
    return jarr_close(&list);
}

/* token.c: claims of the service and of the policy to members of the token (section 10). */
#include "policy/policy_priv.h"

/* clang-format off */
/* Section 10.3: never a policy's, unless with exactly the service's value. */
static const char *const reserved[] = {
    "iss", "iat", "exp", "nbf", "jti", "aud", "sub", "cnf", "nonce", "rp_data", "x-ms-ver", "ver",
    "x-ms-attestation-type", "x-ms-policy", "x-ms-policy-hash", "policy_hash", "maa-policyHash",
    "x-ms-policy-signer", "policy_signer", "x-ms-runtime", "x-ms-inittime", "x-ms-compliance-status",
    "x-ms-isolation-tee", "x-ms-sgx-collateral", "eat_profile", "dbgstat", "intuse", "attester_tcb_status",
};

/* Section 10.2: made by default policies, and free for others. */
static const char *const legacy[] = {
    "is-debuggable", "product-id", "sgx-mrsigner", "sgx-mrenclave", "svn", "tee", "aas-ehd", "maa-ehd",
    "maa-attestationcollateral",
};

static const struct known_property properties[] = {
    { "required_pcr_mask",          SECTION_CONFIGURATION, V_INTEGER, 0, 0xffffff },
    { "require_valid_aik_cert",     SECTION_CONFIGURATION, V_BOOLEAN, 0, 0 },
    { "x-ms-sgx-tcbidentifier",     SECTION_CONFIGURATION, V_STRING,  0, 0 },
    { "x-avouch-collateral-max-age", SECTION_CONFIGURATION, V_INTEGER, 3600, 315360000 },
    { "x-avouch-tcb-sets",          SECTION_CONFIGURATION, V_STRING,  0, 0 },
    { "report_validity_in_minutes", SECTION_ISSUANCE,      V_INTEGER, 1, 525600 },
    { "omit_x5c",                   SECTION_ISSUANCE,      V_BOOLEAN, 0, 0 },
};
/* clang-format on */

const struct known_property *known_property(struct bytes name, enum section section)
{
    for (size_t i = 0; i < COUNT(properties); i++)
        if (properties[i].section == section && bytes_is(name, properties[i].name))
            return &properties[i];
    return NULL;
}

const char *const *known_property_names(size_t *ret_count)
{
    static const char *const names[] = { "required_pcr_mask", "require_valid_aik_cert", "x-ms-sgx-tcbidentifier",
                                         "x-avouch-collateral-max-age", "x-avouch-tcb-sets", "report_validity_in_minutes", "omit_x5c" };

    *ret_count = COUNT(names);
    return names;
}

static bool listed(struct bytes name, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bytes_is(name, list[i]))
            return true;
    return false;
}

bool reserved_name(struct bytes name)
{
    return listed(name, reserved, COUNT(reserved));
}

static bool is_legacy(struct bytes name)
{
    return listed(name, legacy, COUNT(legacy));
}

/* The member of this name among those up to `last`, or NULL. */
static struct jobj_member *find(struct jobj *o, const struct jobj_member *last, struct bytes name)
{
    if (last == NULL)
        return NULL;
    for (struct jobj_member *m = o->first;; m = m->next) {
        if (bytes_equal(m->name, name))
            return m;
        if (m == last)
            return NULL;
    }
}

/* Equal, or the policy's is the text of the service's JSON: a copy of such a claim is a string (section 10.1). */
static bool same_value(const struct jobj *o, const struct jobj_member *own, const struct jobj_member *m)
{
    struct out text = out_open(o->a);

    if (bytes_equal(own->value, m->value))
        return true;
    if (own->value.n == 0 || (own->value.p[0] != '{' && own->value.p[0] != '['))
        return false;
    json_print_string(&text, own->value);
    return out_ok(&text) && bytes_equal(out_view(&text), m->value);
}

/* The service's members are never replaced: a policy may repeat one exactly, and owns the legacy names. */
static bool check_member(struct jobj *o, const struct jobj_member *last, const struct jobj_member *m, struct err *e)
{
    const struct jobj_member *own = find(o, last, m->name);
    struct bytes name = cut_utf8(m->name, 80);

    if (own == NULL ? !reserved_name(m->name) : is_legacy(m->name) || same_value(o, own, m))
        return true;
    return err_set(e, ERR_POLICY_EVALUATION, "policy",
                   "Native operation failed with 65518: Policy Evaluation Error has occurred Msg:[Policy Engine Exception: "
                   "issue: '%.*s' is a name of the service; a policy may issue it only with the service's own value]",
                   (int)name.n, (const char *)name.p);
}

static bool add_issued(struct jobj *ret, const struct jobj *issued, struct err *e)
{
    const struct jobj_member *last = ret->last; /* the service's members end here */

    for (const struct jobj_member *m = issued->first; m != NULL; m = m->next)
        if (!check_member(ret, last, m, e))
            return false;
    for (const struct jobj_member *m = issued->first; m != NULL; m = m->next) {
        struct jobj_member *own = find(ret, last, m->name);

        if (own == NULL)
            jobj_append(ret, m->name, m->value);
        else if (!same_value(ret, own, m))
            own->value = m->value;
    }
    return true;
}

/* x-ms-policy: all that an SGX policy made, as recorded in 2022; each member stands at the top level too. */
static void add_policy_object(struct jobj *ret, const struct jobj *issued)
{
    struct jobj own = jobj_open(ret->a);

    for (const struct jobj_member *m = issued->first; m != NULL; m = m->next)
        jobj_append(&own, m->name, m->value);
    if (own.first != NULL)
        jobj_json(ret, "x-ms-policy", jobj_print(&own, true));
}

bool policy_token_members(const struct policy *p, const struct claims *service, const struct policy_result *r,
                          struct jobj *ret, struct err *e)
{
    struct jobj issued = jobj_open(ret->a);

    claims_to_object(service, CLAIM_TO_TOKEN, ret);
    claims_to_object(&r->issued, UINT32_MAX, &issued);
    if (!add_issued(ret, &issued, e))
        return false;
    if (type_is_sgx(p->type))
        add_policy_object(ret, &issued);
    if (ret->failed || issued.failed)
        return err_memory(e, "token");
    return true;
}

/* head.c: "AVH1", u64 version, name, issuer, u8 isolated, signers, policies; counts and lengths u32. */
#include "wire/head.h"

static struct bytes take_field(struct cur *c, const char *field)
{
    return cur_take(c, cur_u32le(c, field), field);
}

bool head_parse(struct bytes b, struct head *ret, struct err *e)
{
    struct cur c = cur_open(b);
    struct head h = { 0 };
    struct bytes magic = cur_take(&c, 4, "magic");
    uint32_t n;

    h.version = cur_u64le(&c, "version");
    h.name = take_field(&c, "name");
    h.issuer = take_field(&c, "issuer");
    h.isolated = cur_u8(&c, "isolated") != 0;
    n = cur_u32le(&c, "signer count");
    if (n > HEAD_MAX_SIGNERS)
        cur_wrong(&c, "signer count", "at most 32");
    for (uint32_t i = 0; cur_ok(&c) && i < n; i++)
        h.signers[h.signer_count++] = take_field(&c, "signer");
    n = cur_u32le(&c, "policy count");
    if (n > HEAD_MAX_POLICIES)
        cur_wrong(&c, "policy count", "at most 16");
    for (uint32_t i = 0; cur_ok(&c) && i < n; i++) {
        struct head_policy *p = &h.policies[h.policy_count++];

        p->type = take_field(&c, "policy type");
        p->version = cur_u64le(&c, "policy version");
        p->digest = take_field(&c, "policy digest");
        if (p->digest.n != 0 && p->digest.n != 32)
            cur_wrong(&c, "policy digest", "32 bytes");
    }
    if (!cur_close(&c, ERR_STORE_TAMPERED, "provider head", e))
        return false;
    if (!bytes_is(magic, "AVH1"))
        return err_set(e, ERR_STORE_TAMPERED, "provider head", "does not begin with AVH1");
    *ret = h;
    return true;
}

static void put_field(struct out *o, struct bytes b)
{
    out_u32le(o, (uint32_t)b.n);
    out_bytes(o, b);
}

struct bytes head_print(const struct head *h, struct arena *a)
{
    struct out o = out_open(a);

    out_text(&o, "AVH1");
    out_u64le(&o, h->version);
    put_field(&o, h->name);
    put_field(&o, h->issuer);
    out_u8(&o, h->isolated);
    out_u32le(&o, (uint32_t)h->signer_count);
    for (size_t i = 0; i < h->signer_count; i++)
        put_field(&o, h->signers[i]);
    out_u32le(&o, (uint32_t)h->policy_count);
    for (size_t i = 0; i < h->policy_count; i++) {
        put_field(&o, h->policies[i].type);
        out_u64le(&o, h->policies[i].version);
        put_field(&o, h->policies[i].digest);
    }
    return out_view(&o);
}

const struct head_policy *head_policy_find(const struct head *h, struct bytes type)
{
    for (size_t i = 0; i < h->policy_count; i++)
        if (bytes_equal_nocase(h->policies[i].type, type))
            return &h->policies[i];
    return NULL;
}

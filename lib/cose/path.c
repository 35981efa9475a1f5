/* path.c: certificate paths of signed statements (RFC 5280 section 6, without times). */
#include "codec/der.h"
#include "cose/cose.h"

#define OID_SAN "\x55\x1d\x11"
#define OID_NAME_CONSTRAINTS "\x55\x1d\x1e"

/* Critical extensions that are processed here, or that only narrow what no rule here relies on. */
static const struct bytes processed[] = {
    { (const uint8_t *)OID_SAN, 3 },                /* subjectAltName */
    { (const uint8_t *)OID_NAME_CONSTRAINTS, 3 },
    { (const uint8_t *)"\x55\x1d\x20", 3 },         /* certificatePolicies: any policy will do */
    { (const uint8_t *)"\x55\x1d\x25", 3 },         /* extendedKeyUsage */
};

bool san_walk(const struct cert *c, bool (*each)(enum san_type type, struct bytes value, void *state), void *state)
{
    struct bytes value = { NULL, 0 }, name;
    struct cur list, names;

    if (!cert_extension(c, LIT(OID_SAN), &value, NULL))
        return true;
    list = cur_open(value);
    names = der_enter(&list, DER_SEQUENCE, "subjectAltName");
    while (cur_left(&names) > 0) {
        unsigned tag;

        (void)der_any(&names, &tag, &name, "GeneralName");
        if (!cur_ok(&names))
            break;
        if (!each(tag == DER_CONTEXT(SAN_EMAIL) ? SAN_EMAIL
                  : tag == DER_CONTEXT(SAN_DNS) ? SAN_DNS
                  : tag == DER_CONTEXT(SAN_URI) ? SAN_URI
                  : tag == DER_CONTEXT_C(SAN_DIRECTORY) ? SAN_DIRECTORY : SAN_OTHER, name, state))
            return false;
    }
    return cur_ok(&names) && cur_ok(&list);
}

/* host.example.com lies within example.com, and within .example.com; RFC 5280 section 4.2.1.10. */
static bool host_within(struct bytes host, struct bytes base)
{
    if (base.n == 0)
        return true;
    if (host.n < base.n || !bytes_equal_nocase(bytes_part(host, host.n - base.n, base.n), base))
        return false;
    return base.p[0] == '.' || host.n == base.n || host.p[host.n - base.n - 1] == '.';
}

static struct bytes host_of_uri(struct bytes uri)
{
    for (size_t i = 0; i + 3 <= uri.n; i++)
        if (memcmp(uri.p + i, "://", 3) == 0) {
            struct bytes host = bytes_part(uri, i + 3, uri.n);

            for (size_t k = 0; k < host.n; k++)
                if (host.p[k] == '/' || host.p[k] == ':' || host.p[k] == '?' || host.p[k] == '#')
                    host.n = k;
            return host;
        }
    return uri;
}

static struct bytes host_of_email(struct bytes email)
{
    for (size_t i = 0; i < email.n; i++)
        if (email.p[i] == '@')
            return bytes_part(email, i + 1, email.n);
    return email;
}

static bool name_within(enum san_type type, struct bytes name, struct bytes base)
{
    if (type == SAN_EMAIL) {
        if (memchr(base.n == 0 ? "" : (const char *)base.p, '@', base.n) != NULL)
            return bytes_equal_nocase(name, base);
        return host_within(host_of_email(name), base);
    }
    return host_within(type == SAN_URI ? host_of_uri(name) : name, base);
}

struct constraint {
    struct bytes subtrees;
    bool permitted;
    bool refused, unsupported;
    bool of_type, inside; /* for the name at hand */
};

/* Walks the subtrees for one name. */
static void compare_subtrees(struct constraint *k, enum san_type type, struct bytes name)
{
    struct cur list = cur_open(k->subtrees);

    k->of_type = k->inside = false;
    while (cur_left(&list) > 0) {
        struct cur subtree = der_enter(&list, DER_SEQUENCE, "GeneralSubtree");
        struct bytes base;
        unsigned tag;

        (void)der_any(&subtree, &tag, &base, "base");
        if (!cur_ok(&subtree) || cur_left(&subtree) != 0 || (tag != DER_CONTEXT(SAN_EMAIL)
            && tag != DER_CONTEXT(SAN_DNS) && tag != DER_CONTEXT(SAN_URI))) {
            k->unsupported = true;
            return;
        }
        if (tag != (unsigned)DER_CONTEXT((unsigned)type))
            continue;
        k->of_type = true;
        k->inside |= name_within(type, name, base);
    }
    if (!cur_ok(&list))
        k->unsupported = true;
}

static bool constrain(enum san_type type, struct bytes name, void *state)
{
    struct constraint *k = state;

    compare_subtrees(k, type, name);
    if (k->permitted ? k->of_type && !k->inside : k->inside)
        k->refused = true;
    return !k->refused && !k->unsupported;
}

static bool check_subtrees(const struct cert *below, struct bytes subtrees, bool permitted, enum err_code code,
                           const char *what, struct err *e)
{
    struct constraint k = { .subtrees = subtrees, .permitted = permitted };
    bool whole;

    compare_subtrees(&k, SAN_DNS, (struct bytes){ NULL, 0 }); /* the list itself must be understood */
    whole = !k.unsupported && san_walk(below, constrain, &k);
    if (k.unsupported)
        return err_set(e, code, what, "name constraints of a kind that is not supported");
    if (k.refused)
        return err_set(e, code, what, "an alternative name of '%.*s' is %s subtree of its issuer's name constraints",
                       (int)below->subject_cn.n, (const char *)below->subject_cn.p,
                       permitted ? "outside the permitted" : "within an excluded");
    if (!whole)
        return err_set(e, code, what, "malformed subjectAltName");
    return true;
}

/* Name constraints of `ca` on the certificate `below` it. */
static bool check_constraints(const struct cert *ca, const struct cert *below, enum err_code code, const char *what,
                              struct err *e)
{
    struct bytes value = { NULL, 0 };
    struct cur c, seq;

    if (!cert_extension(ca, LIT(OID_NAME_CONSTRAINTS), &value, NULL))
        return true;
    c = cur_open(value);
    seq = der_enter(&c, DER_SEQUENCE, "nameConstraints");
    while (cur_left(&seq) > 0) {
        struct bytes subtrees;
        unsigned tag;

        (void)der_any(&seq, &tag, &subtrees, "subtrees");
        if (!cur_ok(&seq) || (tag != DER_CONTEXT_C(0) && tag != DER_CONTEXT_C(1)))
            return err_set(e, code, what, "malformed name constraints");
        if (!check_subtrees(below, subtrees, tag == DER_CONTEXT_C(0), code, what, e))
            return false;
    }
    return cur_check(&c, code, what, e);
}

/* One certificate under its issuer, which stands at index i + 1. */
static bool check_link(const struct cert *chain, size_t i, enum err_code code, const char *what, struct err *e)
{
    const struct cert *parent = &chain[i + 1];
    struct err inner = { .code = ERR_NONE };
    AUTO_KEY k = NULL;

    if (!key_from_spki(parent->spki, what, &k, &inner))
        return err_set(e, code, what, "key of '%.*s': %s", (int)parent->subject_cn.n,
                       (const char *)parent->subject_cn.p, inner.why);
    if (!cert_check_issued(&chain[i], parent, k, code, what, e))
        return false;
    if (parent->path_len >= 0 && (size_t)parent->path_len < i)
        return err_set(e, code, what, "'%.*s' allows %d certificate authorities below it, there are %zu",
                       (int)parent->subject_cn.n, (const char *)parent->subject_cn.p, parent->path_len, i);
    for (size_t below = 0; below <= i; below++)
        if (!check_constraints(parent, &chain[below], code, what, e))
            return false;
    return true;
}

bool path_check(const struct cert *chain, size_t n, enum err_code code, const char *what,
                struct err *e)
{
    const struct cert *root = n == 0 ? NULL : &chain[n - 1];
    AUTO_KEY k = NULL;

    if (n < 2)
        return err_set(e, code, what, "the chain has %zu certificates, at least two are expected", n);
    for (size_t i = 0; i < n; i++)
        if (!cert_check_critical(&chain[i], processed, COUNT(processed), code, what, e))
            return false;
    for (size_t i = 0; i + 1 < n; i++)
        if (!check_link(chain, i, code, what, e))
            return false;
    if (!cert_self_issued(root) || !key_from_spki(root->spki, what, &k, e) || !cert_signed_by(root, k))
        return err_set(e, code, what, "the last certificate '%.*s' is not signed by itself", (int)root->subject_cn.n,
                       (const char *)root->subject_cn.p);
    return true;
}

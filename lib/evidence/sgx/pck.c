/* pck.c: the PCK certificate, its extension (table 3.4) and its chain (section 3.3). */
#include "evidence/sgx/sgx.h"

#include "codec/der.h"

#define WHAT "PCK certificate chain"
#define OID_SGX "\x2a\x86\x48\x86\xf8\x4d\x01\x0d\x01"

/* CN=Intel SGX Root CA, O=Intel Corporation: key of both certificates that exist (section 3.1). */
static const uint8_t intel_root_point[64] = {
    0x0b, 0xa9, 0xc4, 0xc0, 0xc0, 0xc8, 0x61, 0x93, 0xa3, 0xfe, 0x23, 0xd6, 0xb0, 0x2c, 0xda, 0x10,
    0xa8, 0xbb, 0xd4, 0xe8, 0x8e, 0x48, 0xb4, 0x45, 0x85, 0x61, 0xa3, 0x6e, 0x70, 0x55, 0x25, 0xf5,
    0x67, 0x91, 0x8e, 0x2e, 0xdc, 0x88, 0xe4, 0x0d, 0x86, 0x0b, 0xd0, 0xcc, 0x4e, 0xe2, 0x6a, 0xac,
    0xc9, 0x88, 0xe5, 0x05, 0xa9, 0x53, 0x55, 0x8c, 0x45, 0x3f, 0x6b, 0x09, 0x04, 0xae, 0x73, 0x94,
};

bool intel_root_trusted(const struct cert *root, const struct trust *trust)
{
    struct key *k = NULL;
    bool same;

    if (trust_has(trust, root->subject, root->spki))
        return true;
    if ((trust != NULL && trust->replace) || !bytes_is(root->subject_cn, "Intel SGX Root CA")
        || !bytes_is(name_attribute(root->subject, LIT("\x55\x04\x0a")), "Intel Corporation")
        || !key_from_spki(root->spki, WHAT, &k, NULL))
        return false;
    same = key_kind(k) == KEY_P256 && bytes_equal(key_point(k), BYTES(intel_root_point));
    key_free(k);
    return same;
}

bool intel_root_key(struct bytes subject, const struct trust *trust, struct key **ret, struct err *e)
{
    for (size_t i = 0; trust != NULL && i < trust->count; i++)
        if (bytes_equal(trust->anchors[i].subject, subject))
            return key_from_spki(trust->anchors[i].spki, WHAT, ret, e);
    if (trust != NULL && trust->replace)
        return err_set(e, ERR_UNTRUSTED_ROOT, WHAT, "chain has no root certificate and no configured anchor has its name");
    return key_from_point(KEY_P256, BYTES(intel_root_point), WHAT, ret, e);
}

/* Reads the fixed-size content of one entry. */
static void take_fixed(struct cur *c, unsigned tag, uint8_t *to, size_t n, const char *field)
{
    struct bytes b = der_take(c, tag, field);

    if (!cur_ok(c))
        return;
    if (b.n != n)
        cur_wrong(c, field, "its fixed size");
    else
        memcpy(to, b.p, n);
}

/* The last arc of an OID below the SGX extension's own, or 0. `depth` arcs follow it. */
static unsigned last_arc(struct bytes oid, struct bytes parent)
{
    if (oid.n != parent.n + 1 || !bytes_equal(bytes_part(oid, 0, parent.n), parent))
        return 0;
    return oid.p[oid.n - 1] < 0x80 ? oid.p[oid.n - 1] : 0;
}

static void parse_tcb(struct cur *list, struct pck_extension *x)
{
    uint32_t seen = 0;

    while (cur_left(list) > 0) {
        struct cur entry = der_enter(list, DER_SEQUENCE, "TCB entry");
        unsigned arc = last_arc(der_take(&entry, DER_OID, "TCB identifier"), LIT(OID_SGX "\x02"));

        if (arc >= 1 && arc <= 16)
            x->comp_svn[arc - 1] = (uint8_t)der_uint(&entry, DER_INTEGER, 255, "component SVN");
        else if (arc == 17)
            x->pce_svn = (uint16_t)der_uint(&entry, DER_INTEGER, 65535, "PCESVN");
        else if (arc == 18)
            take_fixed(&entry, DER_OCTET_STRING, x->cpu_svn, 16, "CPUSVN");
        else
            cur_wrong(&entry, "TCB identifier", "components 1 to 16, PCESVN, CPUSVN");
        if (!cur_ok(&entry) || cur_left(&entry) != 0 || (seen >> arc & 1) != 0) {
            cur_wrong(list, "TCB entry", "each well-formed entry once");
            return;
        }
        seen |= 1u << arc;
    }
    if (seen != 0x7fffe)
        cur_wrong(list, "TCB", "all 18 entries");
}

static void parse_configuration(struct cur *list, struct pck_extension *x)
{
    int8_t *const flags[] = { NULL, &x->dynamic_platform, &x->cached_keys, &x->smt_enabled };

    while (cur_left(list) > 0) {
        struct cur entry = der_enter(list, DER_SEQUENCE, "configuration entry");
        unsigned arc = last_arc(der_take(&entry, DER_OID, "configuration identifier"), LIT(OID_SGX "\x07"));
        bool v = der_bool(&entry, "configuration flag");

        if (!cur_ok(&entry) || arc < 1 || arc > 3 || *flags[arc] != -1) {
            cur_wrong(list, "configuration entry", "a known flag once");
            return;
        }
        *flags[arc] = v;
    }
}

static void parse_entry(struct cur *entry, unsigned arc, struct pck_extension *x)
{
    struct cur inner;

    switch (arc) {
    case 1:
        take_fixed(entry, DER_OCTET_STRING, x->ppid, 16, "PPID");
        break;
    case 2:
    case 7:
        inner = der_enter(entry, DER_SEQUENCE, arc == 2 ? "TCB" : "configuration");
        if (arc == 2)
            parse_tcb(&inner, x);
        else
            parse_configuration(&inner, x);
        if (!cur_ok(&inner))
            cur_wrong(entry, inner.field, inner.wrong == NULL ? "more bytes" : inner.wrong);
        break;
    case 3:
        take_fixed(entry, DER_OCTET_STRING, x->pce_id, 2, "PCE-ID");
        break;
    case 4:
        take_fixed(entry, DER_OCTET_STRING, x->fmspc, 6, "FMSPC");
        break;
    case 5:
        x->sgx_type = (uint8_t)der_uint(entry, DER_ENUMERATED, 2, "SGX type");
        break;
    case 6:
        take_fixed(entry, DER_OCTET_STRING, x->platform_instance, 16, "platform instance id");
        x->has_platform_instance = true;
        break;
    default:
        cur_wrong(entry, "identifier", "one of the seven entries");
        break;
    }
}

bool pck_extension_parse(const struct cert *leaf, struct pck_extension *ret, struct err *e)
{
    struct pck_extension x = { .dynamic_platform = -1, .cached_keys = -1, .smt_enabled = -1 };
    struct bytes value;
    struct cur c, list;
    unsigned seen = 0;

    if (!cert_extension(leaf, LIT(OID_SGX), &value, NULL))
        return err_set(e, ERR_INVALID_PCK_EXTENSION, "PCK certificate", "SGX extension 1.2.840.113741.1.13.1 is missing");
    c = cur_open(value);
    list = der_enter(&c, DER_SEQUENCE, "SGX extension");
    while (cur_left(&list) > 0) {
        struct cur entry = der_enter(&list, DER_SEQUENCE, "entry");
        unsigned arc = last_arc(der_take(&entry, DER_OID, "identifier"), LIT(OID_SGX));

        parse_entry(&entry, arc, &x);
        if (!cur_close(&entry, ERR_INVALID_PCK_EXTENSION, "PCK certificate SGX extension", e))
            return false;
        if ((seen >> arc & 1) != 0)
            return err_set(e, ERR_INVALID_PCK_EXTENSION, "PCK certificate SGX extension", "entry .%u stands twice", arc);
        seen |= 1u << arc;
    }
    if (!cur_close(&list, ERR_INVALID_PCK_EXTENSION, "PCK certificate SGX extension", e)
        || !cur_close(&c, ERR_INVALID_PCK_EXTENSION, "PCK certificate SGX extension", e))
        return false;
    if ((seen & 0x3e) != 0x3e)
        return err_set(e, ERR_INVALID_PCK_EXTENSION, "PCK certificate SGX extension",
                       "one of the entries .1 to .5 is missing");
    *ret = x;
    return true;
}

void pck_chain_free(struct pck_chain *c)
{
    struct arena own;

    if (c == NULL)
        return;
    key_free(c->leaf_key);
    key_free(c->intermediate_key);
    key_free(c->root_key);
    own = c->own; /* the chain lives in it */
    arena_done(&own);
}

/* By name, since the order in real quotes varies (section 3.3). */
static bool sort_certificates(struct pck_chain *c, const struct cert *list, size_t count, struct err *e)
{
    const struct cert *leaf = NULL, *intermediate = NULL, *root = NULL;

    for (size_t i = 0; i < count; i++) {
        const struct cert **place = cert_self_issued(&list[i]) ? &root
            : bytes_contain(list[i].subject_cn, LIT("SGX PCK Certificate")) ? &leaf
            : bytes_contain(list[i].subject_cn, LIT("CA"))                  ? &intermediate
                                                                            : NULL;
        if (place == NULL)
            return err_set(e, ERR_PCK_CHAIN_INVALID, WHAT, "'%.*s' is neither PCK certificate nor CA",
                           (int)list[i].subject_cn.n, (const char *)list[i].subject_cn.p);
        if (*place != NULL)
            return err_set(e, ERR_PCK_CHAIN_INVALID, WHAT, "two certificates for the place of '%.*s'",
                           (int)list[i].subject_cn.n, (const char *)list[i].subject_cn.p);
        *place = &list[i];
    }
    if (leaf == NULL || intermediate == NULL)
        return err_set(e, ERR_PCK_CHAIN_INVALID, WHAT, "%s certificate is missing among %zu",
                       leaf == NULL ? "PCK" : "intermediate", count);
    c->leaf = *leaf;
    c->intermediate = *intermediate;
    c->has_root = root != NULL;
    if (root != NULL)
        c->root = *root;
    return true;
}

static bool check_root(struct pck_chain *c, const struct trust *trust, struct err *e)
{
    if (!c->has_root)
        return intel_root_key(c->intermediate.issuer, trust, &c->root_key, e);
    if (!intel_root_trusted(&c->root, trust))
        return err_set(e, ERR_UNTRUSTED_ROOT, WHAT, "root '%.*s' is not a trust anchor (name and key are compared)",
                       (int)c->root.subject_cn.n, (const char *)c->root.subject_cn.p);
    if (!key_from_spki(c->root.spki, WHAT, &c->root_key, e))
        return false;
    return cert_check_issued(&c->root, &c->root, c->root_key, ERR_PCK_CHAIN_INVALID, WHAT, e);
}

static bool check_constraints(const struct pck_chain *c, struct err *e)
{
    if (c->has_root && c->root.path_len >= 0 && c->root.path_len < 1)
        return err_set(e, ERR_PCK_CHAIN_INVALID, WHAT, "root's pathLenConstraint is %d, the chain needs 1", c->root.path_len);
    if (!c->intermediate.ca)
        return err_set(e, ERR_PCK_CHAIN_INVALID, WHAT, "intermediate is not a CA");
    if (c->intermediate.path_len != -1 && c->intermediate.path_len != 0)
        return err_set(e, ERR_PCK_CHAIN_INVALID, WHAT, "intermediate's pathLenConstraint is %d, 0 is expected",
                       c->intermediate.path_len);
    if (!c->intermediate.has_key_usage || (c->has_root && !c->root.has_key_usage))
        return err_set(e, ERR_PCK_CHAIN_INVALID, WHAT, "a CA certificate lacks keyUsage keyCertSign");
    if (c->leaf.ca)
        return err_set(e, ERR_PCK_CHAIN_INVALID, WHAT, "PCK certificate is a CA");
    return true;
}

static bool check_links(struct pck_chain *c, struct err *e)
{
    struct cert anchor = { .ca = true };

    if (!key_from_spki(c->intermediate.spki, WHAT, &c->intermediate_key, e)
        || !key_from_spki(c->leaf.spki, WHAT, &c->leaf_key, e))
        return false;
    if (key_kind(c->leaf_key) != KEY_P256)
        return err_set(e, ERR_PCK_CHAIN_INVALID, WHAT, "PCK key is %s, P-256 is expected",
                       key_kind_name(key_kind(c->leaf_key)));
    if (c->has_root)
        anchor = c->root;
    else
        anchor.subject = c->intermediate.issuer; /* the anchor was found by this name */
    return cert_check_critical(&c->intermediate, NULL, 0, ERR_PCK_CHAIN_INVALID, WHAT, e)
        && cert_check_critical(&c->leaf, NULL, 0, ERR_PCK_CHAIN_INVALID, WHAT, e)
        && cert_check_issued(&c->intermediate, &anchor, c->root_key, ERR_PCK_CHAIN_INVALID, WHAT, e)
        && cert_check_issued(&c->leaf, &c->intermediate, c->intermediate_key, ERR_PCK_CHAIN_INVALID, WHAT, e);
}

static bool fill(struct pck_chain *c, struct bytes pem, const struct trust *trust, struct err *e)
{
    struct bytes text = arena_copy(&c->own, pem);
    struct digest d = sha256(pem);
    struct cert *list;
    size_t count;

    if (text.p == NULL)
        return err_memory(e, WHAT);
    memcpy(c->digest, d.p, 32);
    while (text.n > 0 && text.p[text.n - 1] == 0)
        text.n--;
    if (!certs_read(text, 3, WHAT, &c->own, &list, &count, e)) {
        if (e != NULL && e->code == ERR_CERT_FORMAT)
            e->code = ERR_PCK_CHAIN_INVALID;
        return false;
    }
    if (!sort_certificates(c, list, count, e) || !check_root(c, trust, e) || !check_constraints(c, e)
        || !check_links(c, e) || !pck_extension_parse(&c->leaf, &c->ext, e))
        return false;
    c->platform_ca = bytes_contain(c->intermediate.subject_cn, LIT("Platform"));
    return true;
}

bool pck_chain_build(struct bytes pem, const struct trust *trust, struct pck_chain **ret, struct err *e)
{
    struct arena own;
    struct pck_chain *c;

    arena_init(&own, (size_t)512 << 10);
    c = arena_new(&own, struct pck_chain);
    if (c == NULL) {
        arena_done(&own);
        return err_memory(e, WHAT);
    }
    c->own = own;
    if (!fill(c, pem, trust, e)) {
        pck_chain_free(c);
        return false;
    }
    *ret = c;
    return true;
}

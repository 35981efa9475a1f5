/* leaf.c: AMD's extensions of a VCEK or VLEK certificate
 * (AMD 57230, VCEK certificate and KDS interface, tables 8 to 10; evidence-snp section 2.2). */
#include "codec/der.h"
#include "evidence/snp/snp_priv.h"

/* 1.3.6.1.4.1.3704.1 */
#define AMD "\x2b\x06\x01\x04\x01\x9c\x78\x01"
#define WHAT "SEV-SNP certificate"

static const struct spl_row {
    const char *name;
    struct bytes oid;
    size_t at; /* in struct snp_tcb */
    bool turin_only;
} spl_rows[] = {
    { "blSPL", { (const uint8_t *)AMD "\x03\x01", 10 }, offsetof(struct snp_tcb, bl), false },
    { "teeSPL", { (const uint8_t *)AMD "\x03\x02", 10 }, offsetof(struct snp_tcb, tee), false },
    { "snpSPL", { (const uint8_t *)AMD "\x03\x03", 10 }, offsetof(struct snp_tcb, snp), false },
    { "ucodeSPL", { (const uint8_t *)AMD "\x03\x08", 10 }, offsetof(struct snp_tcb, ucode), false },
    { "fmcSPL", { (const uint8_t *)AMD "\x03\x09", 10 }, offsetof(struct snp_tcb, fmc), true },
};

/* INTEGER 0..255: two content bytes from 128 on, which one popular client library reads as zero. */
static bool read_spl(const struct cert *cert, const struct spl_row *row, struct snp_tcb *to, struct err *e)
{
    struct bytes value;
    struct cur c;
    uint64_t v;

    if (!cert_extension(cert, row->oid, &value, NULL))
        return err_set(e, ERR_CERT_EXTENSION, WHAT, "extension %s is missing", row->name);
    c = cur_open(value);
    v = der_uint(&c, DER_INTEGER, 255, row->name);
    if (!cur_close(&c, ERR_CERT_EXTENSION, WHAT, e))
        return false;
    *((uint8_t *)to + row->at) = (uint8_t)v;
    return true;
}

/* The raw chip id, or the same inside an OCTET STRING. */
static bool read_hwid(struct snp_leaf *leaf, struct err *e)
{
    size_t size = leaf->line == SNP_TURIN ? 8 : 64;
    struct bytes v;

    if (!cert_extension(&leaf->cert, LIT(AMD "\x04"), &v, NULL))
        return err_set(e, ERR_CERT_EXTENSION, WHAT, "extension hwID is missing");
    if (v.n == size + 2 && v.p[0] == DER_OCTET_STRING && v.p[1] == size)
        v = bytes_part(v, 2, size);
    if (v.n != size)
        return err_set(e, ERR_CERT_EXTENSION, WHAT, "hwID has %zu bytes, %zu are expected on %s", v.n, size,
                       snp_line_name(leaf->line));
    leaf->hwid = v;
    return true;
}

static bool read_text(const struct cert *cert, struct bytes oid, const char *name, struct bytes *ret, struct err *e)
{
    struct bytes value;
    struct cur c;

    if (!cert_extension(cert, oid, &value, NULL))
        return true;
    c = cur_open(value);
    *ret = der_take(&c, DER_IA5, name);
    return cur_close(&c, ERR_CERT_EXTENSION, WHAT, e);
}

bool snp_leaf_extensions(struct snp_leaf *leaf, struct err *e)
{
    for (size_t i = 0; i < COUNT(spl_rows); i++)
        if ((!spl_rows[i].turin_only || leaf->line == SNP_TURIN)
            && !read_spl(&leaf->cert, &spl_rows[i], &leaf->spl, e))
            return false;
    return read_text(&leaf->cert, LIT(AMD "\x02"), "productName", &leaf->product, e)
        && read_text(&leaf->cert, LIT(AMD "\x05"), "cspID", &leaf->csp, e)
        && (leaf->kind != SNP_VCEK || read_hwid(leaf, e));
}

/* vbs.c: see vbs.h. Little-endian and packed; the lines of each parse function are the layout. */
#include "evidence/vbs/vbs.h"

#include "base/cur.h"
#include "crypto/hash.h"
#include "crypto/key.h"
#include "evidence/tpm/efi.h"
#include "evidence/tpm/sipa.h"

enum {
    HEADER_SIZE = 24,
    STATEMENT_MIN = 224,
    SIGNATURE_MIN = 256,
    BLOCK_MODULE = 1,
};

static void read_identity(struct cur *c, struct vbs_identity *r)
{
    r->unique_id = cur_take(c, 32, "UniqueId");
    r->author_id = cur_take(c, 32, "AuthorId");
    r->family_id = cur_take(c, 16, "FamilyId");
    r->image_id = cur_take(c, 16, "ImageId");
    r->svn = cur_u32le(c, "Svn");
}

/* Variable data: { u32 DataType, u32 Size (of the whole block), ... } up to the end of the statement. */
static bool read_blocks(struct cur *c, struct vbs_report *r, const char *what, struct arena *a, struct err *e)
{
    struct vbs_module *list = arena_many(a, VBS_MODULES_MAX, struct vbs_module);

    if (list == NULL)
        return err_memory(e, what);
    while (cur_left(c) > 0) {
        size_t start = c->at;
        uint32_t type = cur_u32le(c, "DataType"), size = cur_u32le(c, "block Size");
        struct cur body;

        if (cur_ok(c) && (type == 0 || size < 8))
            return err_set(e, ERR_VBS_FORMAT, what,
                           "block at offset %zu of the variable data has type %u and size %u", start, type,
                           size);
        body = cur_sub(c, cur_ok(c) ? size - 8 : 0, "variable data block");
        if (!cur_check(c, ERR_VBS_FORMAT, what, e))
            return false;
        if (type != BLOCK_MODULE)
            continue;
        if (r->module_count == VBS_MODULES_MAX)
            return err_set(e, ERR_VBS_FORMAT, what, "more than %d modules", VBS_MODULES_MAX);
        read_identity(&body, &list[r->module_count].id);
        list[r->module_count++].name = cur_rest(&body);
        if (!cur_check(&body, ERR_VBS_FORMAT, what, e))
            return false;
    }
    r->modules = list;
    return true;
}

static bool read_statement(struct vbs_report *r, size_t base, const char *what, struct arena *a,
                           struct err *e)
{
    struct cur c = cur_open(r->statement);
    uint32_t size, version;

    c.base = base;
    size = cur_u32le(&c, "ReportSize");
    version = cur_u32le(&c, "ReportVersion");
    r->enclave_data = cur_take(&c, 64, "EnclaveData");
    r->owner_id = cur_take(&c, 32, "OwnerId");
    read_identity(&c, &r->id);
    r->secure_kernel_svn = cur_u32le(&c, "SecureKernelSvn");
    r->platform_svn = cur_u32le(&c, "PlatformSvn");
    r->flags = cur_u32le(&c, "Flags");
    r->signing_level = cur_u32le(&c, "SigningLevel");
    r->type = cur_u32le(&c, "EnclaveType");
    if (!cur_check(&c, ERR_VBS_FORMAT, what, e))
        return false;
    if (size != r->statement.n)
        return err_set(e, ERR_VBS_FORMAT, what, "ReportSize is %u, SignedStatementSize %zu", size,
                       r->statement.n);
    if (version != 1)
        return err_set(e, ERR_VBS_SCHEME, what, "ReportVersion is %u; 1 is supported", version);
    return read_blocks(&c, r, what, a, e);
}

bool vbs_report_parse(struct bytes in, const char *what, struct arena *a, struct vbs_report *ret,
                      struct err *e)
{
    struct cur c = cur_open(in);
    struct vbs_report r = { .module_count = 0 };
    uint32_t package, version, scheme, statement, signature;

    package = cur_u32le(&c, "PackageSize");
    version = cur_u32le(&c, "Version");
    scheme = cur_u32le(&c, "SignatureScheme");
    statement = cur_u32le(&c, "SignedStatementSize");
    signature = cur_u32le(&c, "SignatureSize");
    cur_skip(&c, 4, "Reserved");
    if (!cur_check(&c, ERR_VBS_FORMAT, what, e))
        return false;
    if (package != in.n)
        return err_set(e, ERR_VBS_FORMAT, what, "PackageSize is %u, the report has %zu bytes", package, in.n);
    if (version != 1 || scheme != 1)
        return err_set(e, ERR_VBS_SCHEME, what,
                       "version %u with signature scheme %u; 1 and 1 (RSA-PSS, SHA-256) are supported",
                       version, scheme);
    if (statement < STATEMENT_MIN || signature < SIGNATURE_MIN)
        return err_set(e, ERR_VBS_FORMAT, what,
                       "SignedStatementSize is %u and SignatureSize %u; at least %d and %d are needed",
                       statement, signature, STATEMENT_MIN, SIGNATURE_MIN);
    r.statement = cur_take(&c, statement, "signed statement");
    r.signature = cur_take(&c, signature, "signature");
    if (!cur_close(&c, ERR_VBS_FORMAT, what, e) || !read_statement(&r, HEADER_SIZE, what, a, e))
        return false;
    *ret = r;
    return true;
}

bool vbs_report_verify(const struct vbs_report *r, struct bytes key_info, const char *what, struct err *e)
{
    struct err inner = { .code = ERR_NONE };
    struct sipa_key info;
    AUTO_KEY k = NULL;

    if (!sipa_key_parse(key_info, "VSM_IDKS_INFO", &info, e))
        return false;
    if (info.alg != 1 || (size_t)info.bits != 8 * info.modulus.n || info.bits < 2048)
        return err_set(e, ERR_VBS_KEY, "VSM_IDKS_INFO",
                       "algorithm %u with %u bits and %zu bytes of modulus; RSA (1) of at "
                       "least 2048 bits is needed",
                       info.alg, info.bits, info.modulus.n);
    if (!key_from_rsa(info.modulus, info.exponent, "VSM_IDKS_INFO", &k, &inner))
        return err_set(e, inner.code == ERR_NO_MEMORY ? ERR_NO_MEMORY : ERR_VBS_KEY, "VSM_IDKS_INFO", "%s", inner.why);
    /* The salt's length is not documented; any is taken. */
    if (!key_verify(k, SIG_PS256_ANY_SALT, SIG_DER, r->statement, r->signature))
        return err_set(e, ERR_VBS_SIGNATURE, what,
                       "the VBS report signature does not verify with the key of the boot log");
    return true;
}

bool vbs_report_check_data(const struct vbs_report *r, struct bytes report_signed, const char *what,
                           struct err *e)
{
    struct digest d = hash(HASH_SHA512, report_signed);

    if (bytes_equal(digest_bytes(&d), r->enclave_data))
        return true;
    return err_set(e, ERR_VBS_ENCLAVE_DATA, what,
                   "EnclaveData is %02x%02x%02x%02x..., the SHA-512 of report_signed is %02x%02x%02x%02x...",
                   r->enclave_data.p[0], r->enclave_data.p[1], r->enclave_data.p[2], r->enclave_data.p[3],
                   d.p[0], d.p[1], d.p[2], d.p[3]);
}

static struct bytes modules_json(const struct vbs_report *r, struct arena *a)
{
    struct jarr list = jarr_open(a);

    for (size_t i = 0; i < r->module_count; i++) {
        const struct vbs_module *m = &r->modules[i];
        struct jobj o = jobj_open(a);

        jobj_str(&o, "name", utf16_text(a, m->name));
        jobj_b64url(&o, "uniqueId", m->id.unique_id);
        jobj_b64url(&o, "authorId", m->id.author_id);
        jobj_b64url(&o, "familyId", m->id.family_id);
        jobj_b64url(&o, "imageId", m->id.image_id);
        jobj_int(&o, "svn", m->id.svn);
        jarr_raw(&list, jobj_print(&o, false));
    }
    return jarr_close(&list);
}

void vbs_report_claims(const struct vbs_report *r, struct claims *ret)
{
    claims_b64url(ret, "enclaveAuthorId", CLAIM_TO_POLICY, r->id.author_id);
    claims_b64url(ret, "enclaveImageId", CLAIM_TO_POLICY, r->id.image_id);
    claims_b64url(ret, "enclaveOwnerId", CLAIM_TO_POLICY, r->owner_id);
    claims_b64url(ret, "enclaveFamilyId", CLAIM_TO_POLICY, r->id.family_id);
    claims_int(ret, "enclaveSvn", CLAIM_TO_POLICY, r->id.svn);
    claims_int(ret, "enclavePlatformSvn", CLAIM_TO_POLICY, r->platform_svn);
    claims_int(ret, "enclaveFlags", CLAIM_TO_POLICY, r->flags);
    claims_b64url(ret, "enclaveUniqueId", CLAIM_TO_POLICY, r->id.unique_id);
    claims_int(ret, "enclaveSecureKernelSvn", CLAIM_TO_POLICY, r->secure_kernel_svn);
    claims_int(ret, "enclaveSigningLevel", CLAIM_TO_POLICY, r->signing_level);
    claims_int(ret, "enclaveType", CLAIM_TO_POLICY, r->type);
    claims_json(ret, "enclaveModules", CLAIM_TO_POLICY, modules_json(r, ret->a));
}

/* hcl.c: see hcl.h. */
#include "evidence/snp/hcl.h"

#include "base/cur.h"
#include "codec/b64.h"

#define WHAT "HCL report"

enum { HEADER_SIZE = 32, HARDWARE_SIZE = 1184, DATA_HEADER_SIZE = 20, SIGNATURE = 0x414c4348 /* "HCLA" */ };

static bool hash_of(uint32_t type, enum hash_alg *ret)
{
    static const enum hash_alg algs[] = { HASH_SHA256, HASH_SHA384, HASH_SHA512 };

    if (type < 1 || type > COUNT(algs))
        return false;
    *ret = algs[type - 1];
    return true;
}

/* What the fields must be among themselves. */
static bool check_fields(uint32_t signature, struct hcl_report *h, struct err *e)
{
    if (signature != SIGNATURE)
        return err_set(e, ERR_HCL_SIGNATURE, WHAT, "signature is 0x%08x; 0x%08x (\"HCLA\") is expected", signature,
                       (unsigned)SIGNATURE);
    if (h->version != 1 && h->version != 2)
        return err_set(e, ERR_HCL_VERSION, WHAT, "version is %u; 1 and 2 are supported", h->version);
    if (!hash_of(h->hash_type, &h->hash))
        return err_set(e, ERR_HCL_HASH, WHAT, "hash type is %u; 1 to 3 (SHA-256, SHA-384, SHA-512) are supported",
                       h->hash_type);
    if (h->data_size != (uint64_t)h->variable_size + DATA_HEADER_SIZE)
        return err_set(e, ERR_HCL_LENGTH, WHAT, "data size is %u, %u bytes of runtime data and a header of %d are "
                       "announced", h->data_size, h->variable_size, DATA_HEADER_SIZE);
    return true;
}

/* The lines are the layout, in its order (evidence-snp table 5.2). */
bool hcl_parse(struct bytes in, struct hcl_report *ret, struct err *e)
{
    struct cur c = cur_open(in);
    struct hcl_report h;
    uint32_t signature = cur_u32le(&c, "signature");

    h.version = cur_u32le(&c, "version");
    h.report_size = cur_u32le(&c, "report size");
    h.request_type = cur_u32le(&c, "request type");
    h.status = cur_u32le(&c, "status");
    cur_skip(&c, 12, "reserved");
    h.hardware = cur_take(&c, HARDWARE_SIZE, "hardware report");
    h.data_size = cur_u32le(&c, "data size");
    h.data_version = cur_u32le(&c, "data version");
    h.report_type = cur_u32le(&c, "report type");
    h.hash_type = cur_u32le(&c, "hash type");
    h.variable_size = cur_u32le(&c, "runtime data size");
    if (!cur_check(&c, ERR_HCL_LENGTH, WHAT, e) || !check_fields(signature, &h, e))
        return false;
    h.runtime = cur_take(&c, h.variable_size, "runtime data");
    if (!cur_check(&c, ERR_HCL_LENGTH, WHAT, e))
        return false;
    if (!bytes_all_zero(cur_rest(&c)))
        return err_set(e, ERR_HCL_LENGTH, WHAT, "bytes behind the runtime data are not zero");
    *ret = h;
    return true;
}

bool hcl_check(const struct hcl_report *h, enum hcl_report_type type, struct bytes report_data,
               struct checks *list, struct err *e)
{
    static const struct rule kind = { "hardware report type", "evidence-snp 5.2", WHAT, ERR_HCL_REPORT_TYPE };
    static const struct rule bound = { "hash of the runtime data", "evidence-snp 5.2", WHAT, ERR_HCL_HASH };
    static const struct rule tail = { "report data behind the hash are zero", "evidence-snp 5.2", WHAT, ERR_HCL_HASH };
    struct digest d = hash(h->hash, h->runtime);

    return check_uint(list, &kind, type, h->report_type, e)
        && check_bytes(list, &bound, digest_bytes(&d), bytes_part(report_data, 0, d.n), e)
        && check_fact(list, &tail, bytes_all_zero(bytes_part(report_data, d.n, report_data.n)), "zero bytes",
                      "a byte that is not zero", e);
}

/* The number of a JWK member, big-endian. */
static bool number(const struct json *jwk, const char *name, struct arena *a, struct bytes *ret)
{
    struct err ignored = { .code = ERR_NONE };
    struct bytes text;

    return json_string(json_member(jwk, name), &text) && b64_decode(text, B64_URL_STRICT, WHAT, a, ret, &ignored);
}

static bool find_ak(struct hcl_runtime *r, struct arena *a, struct err *e)
{
    const struct json *keys = json_member(r->json, "keys");
    struct bytes kid, kty;

    for (const struct json *k = json_is(keys, JSON_ARRAY) ? keys->child : NULL; k != NULL; k = k->next) {
        if (!json_string(json_member(k, "kid"), &kid) || !bytes_is(kid, "HCLAkPub"))
            continue;
        if (r->ak_n.p != NULL)
            return err_set(e, ERR_AK_MISSING, WHAT, "runtime data name HCLAkPub twice");
        if (!json_string(json_member(k, "kty"), &kty) || !bytes_is(kty, "RSA") || !number(k, "n", a, &r->ak_n)
            || !number(k, "e", a, &r->ak_e))
            return err_set(e, ERR_AK_KEY, WHAT, "HCLAkPub is not an RSA key with members n and e");
    }
    return true;
}

bool hcl_runtime_parse(struct bytes runtime, struct arena *a, struct hcl_runtime *ret, struct err *e)
{
    struct hcl_runtime r = { .json = NULL };
    const struct json *configuration;

    if (!json_parse(runtime, JSON_DEPTH, "HCL runtime data", a, &r.json, e))
        return false;
    if (!json_is(r.json, JSON_OBJECT))
        return err_set(e, ERR_JSON_SYNTAX, "HCL runtime data", "JSON is no object");
    configuration = json_member(r.json, "vm-configuration");
    if (json_is(configuration, JSON_OBJECT)) {
        r.configuration = configuration;
        (void)json_string(json_member(configuration, "vmUniqueId"), &r.vm_id);
    }
    (void)json_string(json_member(r.json, "user-data"), &r.user_data);
    if (!find_ak(&r, a, e))
        return false;
    *ret = r;
    return true;
}

bool hcl_ak_key(const struct hcl_runtime *r, struct key **ret, struct err *e)
{
    struct err inner = { .code = ERR_NONE };

    if (r->ak_n.p == NULL)
        return err_set(e, ERR_AK_MISSING, WHAT, "runtime data have no key named HCLAkPub");
    if (!key_from_rsa(r->ak_n, r->ak_e, "HCLAkPub", ret, &inner))
        return err_set(e, ERR_AK_KEY, WHAT, "HCLAkPub: %s", inner.why);
    return true;
}

static struct bytes without_zeros(struct bytes b)
{
    while (b.n > 0 && b.p[0] == 0)
        b = bytes_part(b, 1, b.n - 1);
    return b;
}

bool hcl_ak_check(const struct hcl_runtime *r, struct bytes n, struct bytes exponent, struct checks *list,
                  struct err *e)
{
    static const struct rule modulus = { "modulus of the attestation key", "evidence-snp 5.4, 6 step 2", WHAT,
                                         ERR_AK_MISMATCH };
    static const struct rule exp = { "exponent of the attestation key", "evidence-snp 5.4, 6 step 2", WHAT,
                                     ERR_AK_MISMATCH };

    if (r->ak_n.p == NULL)
        return err_set(e, ERR_AK_MISSING, WHAT, "runtime data have no key named HCLAkPub");
    return check_bytes(list, &modulus, without_zeros(r->ak_n), without_zeros(n), e)
        && check_bytes(list, &exp, without_zeros(r->ak_e), without_zeros(exponent), e);
}

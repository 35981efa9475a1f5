/* intel_pki.c: see intel_pki.h. Certificates by libcrypto's X.509 functions, everything else by hand. */
#include "intel_pki.h"

#include "base/out.h"
#include "codec/hex.h"
#include "codec/stamp.h"
#include "crypto/hash.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

struct intel_pki {
    EVP_PKEY *root, *intermediate, *signer, *pck, *ak;
};

struct pki_options pki_options(int64_t now)
{
    struct pki_options o = {
        .now = now, .cert_from = now - 86400, .cert_to = now + 365 * 86400, .coll_from = now - 86400, .coll_to = now + 30 * 86400,
        .fmspc = { 0x00, 0xa0, 0x67, 0x11, 0x00, 0x01 }, .tcb_fmspc = { 0x00, 0xa0, 0x67, 0x11, 0x00, 0x01 },
        .comp_svn = { 7, 7, 2, 2, 1 }, .pce_svn = 13, .platform_status = "UpToDate", .qe_status = "UpToDate", .qe_isv_svn = 8,
        .tcb_version = 3, .eval_number = 17, .qe_eval_number = 17, .root_cn = "Intel SGX Root CA", .identity_id = "QE",
        .isv_prod_id = 1, .isv_svn = 2, .serial = 1, .quote_version = 3,
        .tee_tcb_svn = { 5, 1, 4 }, .tee_tcb_svn2 = { 5, 1, 4 }, .module_major = 1, .module_best = 5,
        .module_status = "OutOfDate", .td_attributes = UINT64_C(1) << 28,
        .standard_event = now - 400 * 86400, .early_event = now - 30 * 86400,
    };

    for (size_t i = 0; i < 32; i++) {
        o.mr_enclave[i] = (uint8_t)(0xe0 + i);
        o.mr_signer[i] = (uint8_t)(0x50 + i);
    }
    return o;
}

struct intel_pki *intel_pki_new(void)
{
    struct intel_pki *p = calloc(1, sizeof(*p));
    EVP_PKEY **const all[] = { &p->root, &p->intermediate, &p->signer, &p->pck, &p->ak };

    if (p == NULL)
        return NULL;
    for (size_t i = 0; i < COUNT(all); i++) {
        *all[i] = EVP_EC_gen("P-256");
        if (*all[i] == NULL) {
            intel_pki_free(p);
            return NULL;
        }
    }
    return p;
}

void intel_pki_free(struct intel_pki *p)
{
    if (p == NULL)
        return;
    EVP_PKEY_free(p->root);
    EVP_PKEY_free(p->intermediate);
    EVP_PKEY_free(p->signer);
    EVP_PKEY_free(p->pck);
    EVP_PKEY_free(p->ak);
    free(p);
}

/* -- certificates -- */

enum { SERIAL_ROOT = 1001, SERIAL_INTERMEDIATE = 1002, SERIAL_SIGNER = 1003 };

static void set_name(X509_NAME *n, const char *cn)
{
    X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
    X509_NAME_add_entry_by_txt(n, "O", MBSTRING_ASC, (const unsigned char *)"Avouch Test PKI", -1, -1, 0);
}

static void add_extension(X509 *x, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
}

static X509 *certificate(const struct pki_options *o, const char *cn, const char *issuer_cn, EVP_PKEY *key, uint64_t serial, int path_len)
{
    X509 *x = X509_new();
    char constraints[48];

    X509_set_version(x, 2);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), serial);
    ASN1_TIME_set(X509_getm_notBefore(x), (time_t)o->cert_from);
    ASN1_TIME_set(X509_getm_notAfter(x), (time_t)o->cert_to);
    set_name(X509_get_subject_name(x), cn);
    set_name(X509_get_issuer_name(x), issuer_cn);
    X509_set_pubkey(x, key);
    if (path_len >= 0) {
        snprintf(constraints, sizeof(constraints), "critical,CA:TRUE,pathlen:%d", path_len);
        add_extension(x, NID_basic_constraints, constraints);
        add_extension(x, NID_key_usage, "critical,keyCertSign,cRLSign");
    } else {
        add_extension(x, NID_basic_constraints, "critical,CA:FALSE");
        add_extension(x, NID_key_usage, "critical,digitalSignature,nonRepudiation");
    }
    if (o->odd_critical != NULL && strcmp(o->odd_critical, cn) == 0)
        add_extension(x, NID_netscape_comment, "critical,odd");
    return x;
}

static const char *ca_name(const struct pki_options *o)
{
    return o->platform_ca ? "Intel SGX PCK Platform CA" : "Intel SGX PCK Processor CA";
}

static struct bytes pem_of(X509 *const *list, size_t n, struct arena *a)
{
    BIO *b = BIO_new(BIO_s_mem());
    char *p = NULL;
    struct bytes r;
    long size;

    for (size_t i = 0; i < n; i++)
        PEM_write_bio_X509(b, list[i]);
    size = BIO_get_mem_data(b, &p); /* before p is read: the order of arguments is not defined */
    r = arena_copy(a, bytes_of(p, (size_t)size));
    BIO_free(b);
    return r;
}

static X509 *make_root(struct intel_pki *p, const struct pki_options *o)
{
    X509 *x = certificate(o, o->root_cn, o->root_cn, p->root, SERIAL_ROOT, 1);

    X509_sign(x, p->root, EVP_sha256());
    return x;
}

static X509 *make_intermediate(struct intel_pki *p, const struct pki_options *o)
{
    X509 *x = certificate(o, ca_name(o), o->root_cn, p->intermediate, SERIAL_INTERMEDIATE, 0);

    X509_sign(x, p->root, EVP_sha256());
    return x;
}

struct bytes pki_root_pem(struct intel_pki *p, const struct pki_options *o, struct arena *a)
{
    X509 *x = make_root(p, o);
    struct bytes r = pem_of(&x, 1, a);

    X509_free(x);
    return r;
}

struct bytes pki_tcb_chain(struct intel_pki *p, const struct pki_options *o, struct arena *a)
{
    X509 *list[] = { certificate(o, "Intel SGX TCB Signing", o->root_cn, p->signer, SERIAL_SIGNER, -1), make_root(p, o) };
    struct bytes r;

    X509_sign(list[0], p->root, EVP_sha256());
    r = pem_of(list, 2, a);
    X509_free(list[0]);
    X509_free(list[1]);
    return r;
}

/* -- the SGX extension -- */

static void put(struct out *o, unsigned tag, struct bytes content)
{
    out_u8(o, (uint8_t)tag);
    if (content.n < 0x80) {
        out_u8(o, (uint8_t)content.n);
    } else {
        out_u8(o, 0x82);
        out_u8(o, (uint8_t)(content.n >> 8));
        out_u8(o, (uint8_t)content.n);
    }
    out_bytes(o, content);
}

/* SEQUENCE { OID 1.2.840.113741.1.13.1.arcs, value } */
static void entry(struct out *o, struct bytes arcs, unsigned tag, struct bytes value, struct arena *a)
{
    struct out oid = out_open(a), body = out_open(a);

    out_bytes(&oid, LIT("\x2a\x86\x48\x86\xf8\x4d\x01\x0d\x01"));
    out_bytes(&oid, arcs);
    put(&body, 0x06, out_view(&oid));
    put(&body, tag, value);
    put(o, 0x30, out_view(&body));
}

static void entry_int(struct out *o, uint8_t arc, uint32_t v, struct arena *a)
{
    uint8_t arcs[] = { 2, arc }, b[4] = { 0, (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };
    size_t from = 0;

    while (from < 3 && b[from] == 0 && b[from + 1] < 0x80)
        from++;
    entry(o, BYTES(arcs), 0x02, bytes_of(b + from, 4 - from), a);
}

static struct bytes sgx_extension(const struct pki_options *o, struct arena *a)
{
    static const uint8_t ppid[16] = { 0x99 }, type = 0, instance[16] = { 0x42 }, yes = 0xff, no = 0;
    struct out tcb = out_open(a), conf = out_open(a), all = out_open(a), whole = out_open(a);

    for (uint8_t i = 0; i < 16; i++)
        entry_int(&tcb, (uint8_t)(i + 1), o->comp_svn[i], a);
    entry_int(&tcb, 17, o->pce_svn, a);
    entry(&tcb, LIT("\x02\x12"), 0x04, BYTES(o->comp_svn), a);
    entry(&all, LIT("\x01"), 0x04, BYTES(ppid), a);
    entry(&all, LIT("\x02"), 0x30, out_view(&tcb), a);
    entry(&all, LIT("\x03"), 0x04, BYTES(o->pce_id), a);
    entry(&all, LIT("\x04"), 0x04, BYTES(o->fmspc), a);
    entry(&all, LIT("\x05"), 0x0a, bytes_of(&type, 1), a);
    if (o->platform_ca) {
        entry(&all, LIT("\x06"), 0x04, BYTES(instance), a);
        entry(&conf, LIT("\x07\x01"), 0x01, bytes_of(&yes, 1), a);
        entry(&conf, LIT("\x07\x03"), 0x01, bytes_of(&no, 1), a);
        entry(&all, LIT("\x07"), 0x30, out_view(&conf), a);
    }
    put(&whole, 0x30, out_view(&all));
    return out_view(&whole);
}

struct bytes pki_pck_chain(struct intel_pki *p, const struct pki_options *o, struct arena *a)
{
    X509 *list[] = { certificate(o, "Intel SGX PCK Certificate", ca_name(o), p->pck, o->serial, -1), make_intermediate(p, o), make_root(p, o) };
    ASN1_OBJECT *oid = OBJ_txt2obj("1.2.840.113741.1.13.1", 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    struct bytes ext = sgx_extension(o, a), r;
    X509_EXTENSION *x;

    ASN1_OCTET_STRING_set(value, ext.p, (int)ext.n);
    x = X509_EXTENSION_create_by_OBJ(NULL, oid, 0, value);
    X509_add_ext(list[0], x, -1);
    X509_EXTENSION_free(x);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(oid);
    X509_sign(list[0], p->intermediate, EVP_sha256());
    r = pem_of(list, 3, a);
    for (size_t i = 0; i < 3; i++)
        X509_free(list[i]);
    return r;
}

/* -- CRLs -- */

static struct bytes make_crl(const struct pki_options *o, const char *issuer_cn, EVP_PKEY *key, const uint64_t *serials, size_t n,
                             struct arena *a)
{
    X509_CRL *c = X509_CRL_new();
    X509_NAME *name = X509_NAME_new();
    ASN1_TIME *from = ASN1_TIME_set(NULL, (time_t)o->coll_from), *to = ASN1_TIME_set(NULL, (time_t)o->coll_to);
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    AUTHORITY_KEYID *akid = AUTHORITY_KEYID_new();
    unsigned char *der = NULL;
    struct bytes r;
    int size;

    set_name(name, issuer_cn);
    X509_CRL_set_version(c, 1);
    X509_CRL_set_issuer_name(c, name);
    X509_CRL_set1_lastUpdate(c, from);
    X509_CRL_set1_nextUpdate(c, to);
    for (size_t i = 0; i < n; i++) {
        X509_REVOKED *rev = X509_REVOKED_new();
        ASN1_INTEGER *serial = ASN1_INTEGER_new();

        ASN1_INTEGER_set_uint64(serial, serials[i]);
        X509_REVOKED_set_serialNumber(rev, serial);
        X509_REVOKED_set_revocationDate(rev, from);
        X509_CRL_add0_revoked(c, rev);
        ASN1_INTEGER_free(serial);
    }
    ASN1_INTEGER_set(number, 1);
    X509_CRL_add1_ext_i2d(c, NID_crl_number, number, 0, 0);
    akid->keyid = ASN1_OCTET_STRING_new();
    ASN1_OCTET_STRING_set(akid->keyid, (const unsigned char *)"test key id", 11);
    X509_CRL_add1_ext_i2d(c, NID_authority_key_identifier, akid, 0, 0);
    X509_CRL_sort(c);
    X509_CRL_sign(c, key, EVP_sha256());
    size = i2d_X509_CRL(c, &der);
    r = arena_copy(a, bytes_of(der, (size_t)size));
    OPENSSL_free(der);
    AUTHORITY_KEYID_free(akid);
    ASN1_INTEGER_free(number);
    ASN1_TIME_free(from);
    ASN1_TIME_free(to);
    X509_NAME_free(name);
    X509_CRL_free(c);
    return r;
}

struct bytes pki_root_crl(struct intel_pki *p, const struct pki_options *o, struct arena *a)
{
    uint64_t serials[2];
    size_t n = 0;

    if (o->revoke_intermediate)
        serials[n++] = SERIAL_INTERMEDIATE;
    if (o->revoke_signer)
        serials[n++] = SERIAL_SIGNER;
    return make_crl(o, o->root_cn, p->root, serials, n, a);
}

struct bytes pki_pck_crl(struct intel_pki *p, const struct pki_options *o, struct arena *a)
{
    const uint64_t serials[] = { 77, o->serial, 78 };

    return o->revoke_pck ? make_crl(o, ca_name(o), p->intermediate, serials, 3, a)
                         : make_crl(o, ca_name(o), p->intermediate, serials, 1, a);
}

/* -- signatures: r || s -- */

static void sign_raw(EVP_PKEY *key, struct bytes data, uint8_t to[64])
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    uint8_t der[128];
    size_t n = sizeof(der);
    const unsigned char *p = der;
    ECDSA_SIG *sig;

    EVP_DigestSignInit(c, NULL, EVP_sha256(), NULL, key);
    EVP_DigestSign(c, der, &n, data.p, data.n);
    EVP_MD_CTX_free(c);
    sig = d2i_ECDSA_SIG(NULL, &p, (long)n);
    BN_bn2binpad(ECDSA_SIG_get0_r(sig), to, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(sig), to + 32, 32);
    ECDSA_SIG_free(sig);
}

static struct bytes signed_document(struct intel_pki *p, const char *member, struct bytes body, struct arena *a)
{
    struct out o = out_open(a);
    uint8_t sig[64];

    sign_raw(p->signer, body, sig);
    out_printf(&o, "{\"%s\":", member);
    out_bytes(&o, body);
    out_text(&o, ",\"signature\":\"");
    hex_print(&o, BYTES(sig));
    out_text(&o, "\"}");
    return out_view(&o);
}

static void put_level_numbers(struct out *b, const struct pki_options *o, int add)
{
    if (o->tcb_version == 2) {
        for (int i = 0; i < 16; i++)
            out_printf(b, "\"sgxtcbcomp%02dsvn\":%d,", i + 1, o->comp_svn[i] + (i == 0 ? add : 0));
    } else {
        out_text(b, "\"sgxtcbcomponents\":[");
        for (int i = 0; i < 16; i++)
            out_printf(b, "%s{\"svn\":%d}", i == 0 ? "" : ",", o->comp_svn[i] + (i == 0 ? add : 0));
        out_text(b, "],");
    }
    if (o->tdx) { /* the module's own numbers, 0 and 1, are left to its identity */
        out_text(b, "\"tdxtcbcomponents\":[");
        for (int i = 0; i < 16; i++)
            out_printf(b, "%s{\"svn\":%d}", i == 0 ? "" : ",", i < 2 ? 0 : o->tee_tcb_svn[i]);
        out_text(b, "],");
    }
    out_printf(b, "\"pcesvn\":%d", o->pce_svn);
}

static void put_modules(struct out *b, const struct pki_options *o)
{
    static const char common[] = "\"mrsigner\":\"000000000000000000000000000000000000000000000000000000000000000000000000"
                                 "000000000000000000000000\",\"attributes\":\"0000000000000000\","
                                 "\"attributesMask\":\"FFFFFFFFFFFFFFFF\"";
    static const char date[] = "\"tcbDate\":\"2024-03-13T00:00:00Z\"";

    out_printf(b, "\"tdxModule\":{%s},\"tdxModuleIdentities\":[{\"id\":\"TDX_%02X\",%s,\"tcbLevels\":[", common,
               o->module_major, common);
    out_printf(b, "{\"tcb\":{\"isvsvn\":%u},%s,\"tcbStatus\":\"UpToDate\"},", o->module_best, date);
    out_printf(b, "{\"tcb\":{\"isvsvn\":2},%s,\"tcbStatus\":\"%s\"}]}],", date, o->module_status);
}

struct bytes pki_eval_numbers(struct intel_pki *p, const struct pki_options *o, struct arena *a)
{
    struct out b = out_open(a);

    out_printf(&b, "{\"id\":\"%s\",\"version\":1,\"issueDate\":\"%s\",", o->tdx ? "TDX" : "SGX", stamp_text(o->coll_from).s);
    out_printf(&b, "\"nextUpdate\":\"%s\",\"tcbEvalNumbers\":[", stamp_text(o->coll_to).s);
    if (o->early_number != 0)
        out_printf(&b, "{\"tcbEvaluationDataNumber\":%lld,\"tcbRecoveryEventDate\":\"%s\",\"tcbDate\":\"2025-05-14T00:00:00Z\"},",
                   (long long)o->early_number, stamp_text(o->early_event).s);
    out_printf(&b, "{\"tcbEvaluationDataNumber\":%lld,\"tcbRecoveryEventDate\":\"%s\",\"tcbDate\":\"2024-03-13T00:00:00Z\"}]}",
               (long long)o->eval_number, stamp_text(o->standard_event).s);
    return signed_document(p, "tcbEvaluationDataNumbers", out_view(&b), a);
}

struct bytes pki_tcb_info(struct intel_pki *p, const struct pki_options *o, struct arena *a)
{
    bool early = o->early_number != 0 && o->eval_number == o->early_number;
    const char *advisory = early ? o->early_advisory : o->advisory;
    struct out b = out_open(a);

    out_printf(&b, "{%s\"version\":%d,\"issueDate\":\"%s\",", o->tcb_version != 3 ? "" : o->tdx ? "\"id\":\"TDX\"," : "\"id\":\"SGX\",", o->tcb_version,
               stamp_text(o->coll_from).s);
    out_printf(&b, "\"nextUpdate\":\"%s\",\"fmspc\":\"", stamp_text(o->coll_to).s);
    hex_print(&b, BYTES(o->tcb_fmspc));
    out_text(&b, "\",\"pceId\":\"");
    hex_print(&b, BYTES(o->pce_id));
    out_printf(&b, "\",\"tcbType\":0,\"tcbEvaluationDataNumber\":%lld,", (long long)o->eval_number);
    if (o->tdx)
        put_modules(&b, o);
    out_text(&b, "\"tcbLevels\":[");
    if (!o->tcb_level_above) { /* a level that is not reached stands first */
        out_text(&b, "{\"tcb\":{");
        put_level_numbers(&b, o, 1);
        out_text(&b, "},\"tcbDate\":\"2024-03-13T00:00:00Z\",\"tcbStatus\":\"UpToDate\"},");
    }
    out_text(&b, "{\"tcb\":{");
    put_level_numbers(&b, o, o->tcb_level_above ? 1 : 0);
    out_printf(&b, "},\"tcbDate\":\"2023-02-15T00:00:00Z\",\"tcbStatus\":\"%s\"", early ? o->early_status : o->platform_status);
    if (advisory != NULL)
        out_printf(&b, ",\"advisoryIDs\":[\"%s\"]", advisory);
    out_text(&b, "}]}");
    return signed_document(p, "tcbInfo", out_view(&b), a);
}

struct bytes pki_qe_identity(struct intel_pki *p, const struct pki_options *o, struct arena *a)
{
    struct out b = out_open(a);

    out_printf(&b, "{\"id\":\"%s\",\"version\":2,\"issueDate\":\"%s\",", 
               o->tdx && strcmp(o->identity_id, "QE") == 0 ? "TD_QE" : o->identity_id, stamp_text(o->coll_from).s);
    out_printf(&b, "\"nextUpdate\":\"%s\",\"tcbEvaluationDataNumber\":%lld,", stamp_text(o->coll_to).s, (long long)o->qe_eval_number);
    out_text(&b, "\"miscselect\":\"00000000\",\"miscselectMask\":\"FFFFFFFF\",\"attributes\":\"11000000000000000000000000000000\",");
    out_text(&b, "\"attributesMask\":\"FBFFFFFFFFFFFFFF0000000000000000\",\"mrsigner\":\"");
    hex_print(&b, BYTES(o->mr_signer));
    out_printf(&b, "\",\"isvprodid\":1,\"tcbLevels\":[{\"tcb\":{\"isvsvn\":%u},\"tcbDate\":\"2023-02-15T00:00:00Z\",\"tcbStatus\":\"%s\"}]}",
               o->qe_isv_svn, o->qe_status);
    return signed_document(p, "enclaveIdentity", out_view(&b), a);
}

/* -- quote -- */

static struct bytes report(const struct pki_options *o, bool qe, const uint8_t data[64], struct arena *a)
{
    static const uint8_t zeros[64];
    uint8_t flags = qe ? (uint8_t)(0x11 | (o->qe_debug ? 2 : 0)) : (uint8_t)(0x05 | (o->debug ? 2 : 0) | (o->kss ? 0x80 : 0));
    struct out b = out_open(a);

    out_bytes(&b, BYTES(o->comp_svn));
    out_bytes(&b, bytes_of(zeros, 32)); /* MISCSELECT, reserved, ISVEXTPRODID */
    out_u64le(&b, flags);
    out_u64le(&b, 0xe7);
    out_bytes(&b, BYTES(o->mr_enclave));
    out_bytes(&b, bytes_of(zeros, 32));
    out_bytes(&b, BYTES(o->mr_signer));
    out_bytes(&b, bytes_of(zeros, 32));
    out_bytes(&b, BYTES(o->config_id));
    out_u16le(&b, qe ? 1 : o->isv_prod_id);
    out_u16le(&b, qe ? o->qe_isv_svn : o->isv_svn);
    out_u16le(&b, o->config_svn);
    out_bytes(&b, bytes_of(zeros, 42));
    out_bytes(&b, bytes_of(zeros, 16));
    out_bytes(&b, bytes_of(data, 64));
    return out_view(&b);
}

static void public_point(EVP_PKEY *key, uint8_t to[64])
{
    uint8_t point[65];
    size_t n;

    EVP_PKEY_get_octet_string_param(key, "pub", point, sizeof(point), &n);
    memcpy(to, point + 1, 64);
}

static struct bytes td_report(const struct pki_options *o, struct arena *a)
{
    static const uint8_t zeros[48 * 4];
    struct out b = out_open(a);

    out_bytes(&b, BYTES(o->tee_tcb_svn));
    out_bytes(&b, bytes_of(zeros, 48 + 48 + 8)); /* MRSEAM, MRSIGNERSEAM, SEAMATTRIBUTES */
    out_u64le(&b, o->td_attributes);
    out_u64le(&b, 0x602e7);
    out_bytes(&b, BYTES(o->mr_td));
    out_bytes(&b, bytes_of(o->config_id, 48)); /* MRCONFIGID */
    out_bytes(&b, bytes_of(zeros, 48 * 2));    /* MROWNER, MROWNERCONFIG */
    out_bytes(&b, bytes_of(zeros, 48 * 4));    /* RTMR0 to RTMR3 */
    out_bytes(&b, BYTES(o->report_data));
    if (o->td_15) {
        out_bytes(&b, BYTES(o->tee_tcb_svn2));
        out_bytes(&b, bytes_of(zeros, 48));
    }
    return out_view(&b);
}

static void put_header(struct out *q, const struct pki_options *o)
{
    static const uint8_t vendor[16] = { 0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07 };
    static const uint8_t user_data[20] = { 0xab };

    out_u16le(q, (uint16_t)o->quote_version);
    out_u16le(q, 2);
    out_u32le(q, o->tdx ? 0x81 : 0);
    out_u16le(q, o->tdx ? 0 : o->qe_isv_svn);
    out_u16le(q, o->tdx ? 0 : o->pce_svn);
    out_bytes(q, BYTES(vendor));
    out_bytes(q, BYTES(user_data));
}

/* From the QE report on: the same bytes stand at the end of version 3 and inside version 4's certification data. */
static struct bytes vouching(struct intel_pki *p, const struct pki_options *o, struct bytes ak, struct arena *a)
{
    static const uint8_t auth[32] = { 1, 2, 3 };
    uint8_t qe_sig[64], qe_data[64] = { 0 };
    const struct bytes bound[] = { ak, BYTES(auth) };
    struct bytes chain = pki_pck_chain(p, o, a), qe;
    struct digest d = hash_parts(HASH_SHA256, bound, 2);
    struct out b = out_open(a);

    memcpy(qe_data, d.p, 32);
    qe_data[0] ^= o->break_qe_binding;
    qe = report(o, true, qe_data, a);
    sign_raw(p->pck, qe, qe_sig);
    out_bytes(&b, qe);
    out_bytes(&b, BYTES(qe_sig));
    out_u16le(&b, sizeof(auth));
    out_bytes(&b, BYTES(auth));
    out_u16le(&b, 5);
    out_u32le(&b, (uint32_t)chain.n);
    out_bytes(&b, chain);
    return out_view(&b);
}

struct bytes pki_quote(struct intel_pki *p, const struct pki_options *o, struct arena *a)
{
    struct bytes body = o->tdx ? td_report(o, a) : report(o, false, o->report_data, a), rest;
    uint8_t ak[64], sig[64];
    struct out q = out_open(a);

    public_point(p->ak, ak);
    rest = vouching(p, o, BYTES(ak), a);
    put_header(&q, o);
    if (o->quote_version == 5) {
        out_u16le(&q, !o->tdx ? 1 : o->td_15 ? 3 : 2);
        out_u32le(&q, (uint32_t)body.n);
    }
    out_bytes(&q, body);
    sign_raw(p->ak, bytes_of(q.p, q.n), sig);
    out_u32le(&q, (uint32_t)(rest.n + (o->quote_version == 3 ? 128u : 134u)));
    out_bytes(&q, BYTES(sig));
    out_bytes(&q, BYTES(ak));
    if (o->quote_version > 3) {
        out_u16le(&q, 6);
        out_u32le(&q, (uint32_t)rest.n);
    }
    out_bytes(&q, rest);
    return out_view(&q);
}

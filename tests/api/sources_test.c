/* sources_test.c: what particular sources give, and what is kept of it: PCK certificates by PCS, PCCS, a mirror and Azure's
 * cache, AMD's items by KDS and from inside an Azure VM, all of it through a proxy.
 *
 * Where no front is needed, the tool `avouch collateral fetch` asks: it runs the engine of the process. */
#include "proxy.h"
#include "service.h"
#include "vendor.h"

#include "base/out.h"
#include "codec/b64.h"
#include "codec/hex.h"
#include "codec/json.h"
#include "codec/pem.h"
#include "os/io.h"
#include "os/tls.h"
#include "pki/amd_pki.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NOW 1767225600LL /* 2026-01-01T00:00:00Z */
#define AT "2026-01-01T00:00:00Z"
#define PCE_ID "0000"

static const char *const dev[] = { "--dev", NULL };

static struct {
    struct arena a;
    struct intel_pki *intel;
    struct pki_options o;
    struct amd_pki amd, stranger; /* the same names, other keys */
    char folder[64];
    struct vendor *first, *second, *tls;
    struct service service;
    unsigned count; /* of platforms, caches and files: each row has fresh ones */
} the;

static const char *url_of(const struct vendor *v)
{
    return arena_printf(&the.a, "http://127.0.0.1:%d", vendor_port(v));
}

static const char *tls_url(void)
{
    return arena_printf(&the.a, "https://localhost:%d", vendor_port(the.tls));
}

/* -- the tool -- */

/* One key, an empty cache: what --json says of it. */
static const struct json *fetch(int want, const char *collateral, const char *key, const char **ret_cache)
{
    unsigned n = ++the.count;
    const char *conf = arena_printf(&the.a, "%s/%u.conf", the.folder, n), *cache = arena_printf(&the.a, "%s/%u.cache", the.folder, n),
               *argv[] = { program_path(&the.a, "avouch"), "collateral", "fetch", "--config", conf, "--cache", cache, "--trust",
                           arena_printf(&the.a, "%s/trust", the.folder), "--at", AT, "--json", key, NULL };
    const struct json *j;
    struct bytes printed;
    struct err e = { 0 };
    int status;

    assert_ok(file_write(conf, bytes_str(arena_printf(&the.a, "[collateral]\n%s", collateral)), 0600, &e), &e);
    printed = run_program(&the.a, argv, &status);
    if (status != want)
        fail_msg("status %d, expected %d: %.*s", status, want, (int)printed.n, (const char *)printed.p);
    assert_ok(json_parse(printed, 16, "output", &the.a, &j, &e), &e);
    *ret_cache = cache;
    return j->child;
}

static bool is_kept(const char *cache, const char *key)
{
    const char *argv[] = { program_path(&the.a, "avouch"), "collateral", "list", "--cache", cache, "--trust", arena_printf(&the.a, "%s/trust", the.folder),
                           "--at", AT, "--json", NULL };
    const struct json *j;
    struct err e = { 0 };
    struct bytes kept;
    int status;

    assert_ok(json_parse(run_program(&the.a, argv, &status), 16, "output", &the.a, &j, &e), &e);
    assert_int_equal(status, 0);
    for (j = j->child; j != NULL; j = j->next) {
        assert_true(json_string(json_member(j, "key"), &kept));
        if (strncmp(arena_str(&the.a, kept), key, kept.n) == 0) /* an encrypted PPID is no part of it */
            return true;
    }
    return false;
}

static void assert_fetched(const char *collateral, const char *key)
{
    const char *cache;

    assert_text(json_member(fetch(0, collateral, key, &cache), "result")->text, "ok");
    assert_true(is_kept(cache, key));
}

/* Nothing is kept, and the message says why. */
static void assert_not_fetched(const char *collateral, const char *key, const char *why)
{
    const char *cache;
    const struct json *j = fetch(3, collateral, key, &cache);
    struct bytes errors;

    assert_text(json_member(j, "result")->text, "missing");
    assert_true(json_string(json_member(j, "errors"), &errors));
    if (!bytes_contain(errors, bytes_str(why)))
        fail_msg("errors '%.*s' do not contain '%s'", (int)errors.n, (const char *)errors.p, why);
    assert_false(is_kept(cache, key));
}

/* -- PCK certificates -- */

static const char *new_qe(void)
{
    return arena_printf(&the.a, "%032x", ++the.count);
}

static const char *pck_query(const char *qe, bool with_ppid)
{
    char ppid[769] = "";

    if (with_ppid)
        for (size_t i = 0; i < 384; i++)
            snprintf(ppid + 2 * i, 3, "%02x", (unsigned)(i * 7 + ++the.count) & 0xff);
    return arena_printf(&the.a, "qeid=%s&cpusvn=%s&pcesvn=%02x%02x&pceid=" PCE_ID "%s%s", qe, (const char *)hex_encode(&the.a, BYTES(the.o.comp_svn)).p,
                        the.o.pce_svn & 0xff, the.o.pce_svn >> 8, with_ppid ? "&encrypted_ppid=" : "", ppid);
}

static const char *pck_key(const char *qe)
{
    return arena_printf(&the.a, "sgx/pckcert?%s", pck_query(qe, false));
}

static const struct pck_row {
    const char *name;
    enum fault fault;
    const char *why;
} pck_rows[] = {
    { "404", FAULT_404, "HTTP 404" },
    { "461", FAULT_461, "HTTP 461" },
    { "462", FAULT_462, "HTTP 462" },
    { "500", FAULT_500, "HTTP 500" },
    { "signed by a stranger", FAULT_FOREIGN, "is not a trust anchor" },
    { "no issuer chain", FAULT_NO_CHAIN, "came without its issuer chain" },
    { "SGX-TCBm of another TCB", FAULT_TCBM, "its certificate is of CPUSVN" },
    { "no SGX-TCBm", FAULT_NO_TCBM, "has no SGX-TCBm of 36 hexadecimal digits" },
    { "newer TCB than asked", FAULT_TCB_ABOVE, "above the 07070202010000000000000000000000 that was asked for" },
    { "another PCE", FAULT_PCE, "is of PCE 0100, 0000 was asked for" },
    { "HTML", FAULT_GARBAGE, "" },
};

static void pck_fault(void **state)
{
    const struct pck_row *r = *state;
    const char *qe = new_qe(), *one = arena_printf(&the.a, "intel = pccs:%s\n", url_of(the.first)),
               *two = arena_printf(&the.a, "intel = pccs:%s, pccs:%s\n", url_of(the.first), url_of(the.second));

    vendor_fault(the.first, qe, r->fault);
    assert_not_fetched(one, pck_key(qe), r->why);
    assert_fetched(two, pck_key(qe));
    assert_int_equal(vendor_count(the.second, qe), 1);
    vendor_fault(the.first, qe, FAULT_NONE);
}

static void pck_thim_fault(void **state)
{
    static const struct pck_row rows[] = {
        { "stranger", FAULT_FOREIGN, "is not a trust anchor" },
        { "no issuer chain", FAULT_NO_CHAIN, "came without its issuer chain" },
        { "tcbm", FAULT_TCBM, "its certificate is of CPUSVN" },
        { "no tcbm", FAULT_NO_TCBM, "has no text 'sgx-Tcbm'" },
        { "newer", FAULT_TCB_ABOVE, "that was asked for" },
        { "HTML", FAULT_GARBAGE, "answer: " },
    };
    const char *conf = arena_printf(&the.a, "intel = thim:%s\n", url_of(the.first));

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *qe = new_qe();

        vendor_fault(the.first, qe, rows[i].fault);
        assert_not_fetched(conf, pck_key(qe), rows[i].why);
        vendor_fault(the.first, qe, FAULT_NONE);
        assert_fetched(conf, pck_key(qe));
    }
}

/* Intel's own service: only with a key, only by https, only by the encrypted PPID. */
static void pck_by_pcs(void **state)
{
    const char *good = arena_printf(&the.a, "%s/pcs.key", the.folder), *bad = arena_printf(&the.a, "%s/bad.key", the.folder),
               *ca = arena_printf(&the.a, "%s/good/cert.pem", the.folder), *qe = new_qe(),
               *key = arena_printf(&the.a, "sgx/pckcert?%s", pck_query(qe, true));
    unsigned keys = vendor_count_keys(the.tls);
    struct err e = { 0 };

    (void)state;
    assert_ok(file_write(good, LIT(VENDOR_KEY "\n"), 0600, &e), &e);
    assert_ok(file_write(bad, LIT("another\n"), 0600, &e), &e);
    assert_not_fetched(arena_printf(&the.a, "intel = pcs:%s\nca = %s\n", tls_url(), ca), key, "to subscribers only (collateral.pcs_key)");
    assert_not_fetched(arena_printf(&the.a, "intel = pcs:%s\npcs_key = %s\n", url_of(the.first), good), key, "is not sent in the clear");
    assert_not_fetched(arena_printf(&the.a, "intel = pcs:%s\nca = %s\npcs_key = %s\n", tls_url(), ca, good), pck_key(qe), "encrypted PPID, which was not given");
    assert_int_equal(vendor_count_keys(the.tls), keys);
    assert_not_fetched(arena_printf(&the.a, "intel = pcs:%s\nca = %s\npcs_key = %s\n", tls_url(), ca, bad), key, "HTTP 401");
    assert_fetched(arena_printf(&the.a, "intel = pcs:%s\nca = %s\npcs_key = %s\n", tls_url(), ca, good), key);
    assert_int_equal(vendor_count_keys(the.tls), keys + 2);
    /* what is no PCK certificate needs no key, and does not get it */
    assert_fetched(arena_printf(&the.a, "intel = pcs:%s\nca = %s\npcs_key = %s\n", tls_url(), ca, good), "sgx/rootcacrl");
    assert_int_equal(vendor_count_keys(the.tls), keys + 2);
    assert_int_equal(vendor_count_keys(the.first), 0);
}

/* -- the mirror -- */

static const char *config_with(const char *collateral)
{
    return arena_printf(&the.a, "workers = 1\n[verify]\ntrust = %s/trust\n[metrics]\nlisten =\n[collateral]\n%s\n[dev]\nclock = " AT "\n", the.folder,
                        collateral);
}

static struct answer get(const char *path)
{
    return service_call(&the.service, "GET", path, NULL, (struct bytes){ NULL, 0 });
}

static void assert_status(const struct answer *a, long status)
{
    if (a->status != status)
        fail_msg("HTTP %ld, expected %ld: %s", a->status, status, (const char *)a->body.p);
}

static const char *pck_path(const char *version, const char *query)
{
    return arena_printf(&the.a, "/sgx/certification/%s/pckcert?%s", version, query);
}

static struct bytes leaf_of(const struct pki_options *o)
{
    struct bytes all = pki_pck_chain(the.intel, o, &the.a);

    for (size_t i = 1; i < all.n; i++)
        if (memcmp(all.p + i, "-----BEGIN", 10) == 0)
            return bytes_part(all, 0, i);
    return all;
}

/* What a host's quote provider reads from a PCCS. */
static void assert_pck(const struct answer *got, const char *ca)
{
    struct cert *leaf, *expected;
    struct err e = { 0 };
    size_t n;

    assert_status(got, 200);
    assert_string_equal(answer_header(&the.service, got, "Content-Type"), "application/x-pem-file");
    assert_string_equal(answer_header(&the.service, got, "Cache-Control"), "no-store");
    assert_string_equal(answer_header(&the.service, got, "SGX-TCBm"),
                        arena_printf(&the.a, "%s%02x%02x", (const char *)hex_encode(&the.a, BYTES(the.o.comp_svn)).p, the.o.pce_svn & 0xff, the.o.pce_svn >> 8));
    assert_string_equal(answer_header(&the.service, got, "SGX-FMSPC"), "00a067110001");
    assert_string_equal(answer_header(&the.service, got, "SGX-PCK-Certificate-CA-Type"), ca);
    assert_non_null(strstr(answer_header(&the.service, got, "SGX-PCK-Certificate-Issuer-Chain"), "-----BEGIN%20CERTIFICATE-----%0A"));
    assert_ok(certs_read(got->body, 4, "leaf", &the.a, &leaf, &n, &e), &e);
    assert_int_equal(n, 1);
    assert_ok(certs_read(leaf_of(&the.o), 1, "leaf", &the.a, &expected, &n, &e), &e);
    assert_bytes_equal(leaf->spki, expected->spki);
}

/* By each form of source, and by a service that has this service as its only source. */
static void pck_form(void **state)
{
    const char *word = *state, *qe = new_qe();
    struct answer got;

    service_restart(&the.service, config_with(arena_printf(&the.a, "intel = %s:%s\nmirror = fetch\n", word, url_of(the.first))), dev);
    got = get(pck_path("v4", pck_query(qe, false)));
    assert_pck(&got, "processor");
    got = get(pck_path("v3", pck_query(qe, false)));
    assert_pck(&got, "processor");
    assert_int_equal(vendor_count(the.first, qe), 1);
}

static void pck_mirror_of_mirror(void **state)
{
    struct service upper = the.service;
    const char *qe = new_qe();
    struct answer got;

    (void)state;
    service_restart(&upper, config_with(arena_printf(&the.a, "intel = pccs:%s\nmirror = fetch\n", url_of(the.first))), dev);
    service_start(&the.service, config_with(arena_printf(&the.a, "intel = mirror:%s\nca = %s\nmirror = fetch\n", upper.url, upper.ca)), dev);
    got = get(pck_path("v4", pck_query(qe, true)));
    assert_pck(&got, "processor");
    assert_int_equal(vendor_count(the.first, qe), 1);
    assert_int_equal(service_stop(&the.service), 0);
    the.service = upper;
}

/* The encrypted PPID is another text each time: it is no part of the name, in neither process. */
static void pck_ppid(void **state)
{
    const char *qe = new_qe();
    struct answer got;

    (void)state;
    service_restart(&the.service, config_with(arena_printf(&the.a, "intel = pcs:%s\nca = %s/good/cert.pem\npcs_key = %s/pcs.key\nmirror = fetch\n", tls_url(),
                                                           the.folder, the.folder)), dev);
    got = get(pck_path("v4", pck_query(qe, false)));
    assert_status(&got, 404); /* Intel must be told by PPID */
    assert_non_null(strstr(answer_message(&the.service, &got), "encrypted PPID, which was not given"));
    qe = new_qe();
    for (int i = 0; i < 3; i++) {
        got = get(pck_path("v4", pck_query(qe, true)));
        assert_pck(&got, "processor");
    }
    got = get(pck_path("v4", pck_query(qe, false)));
    assert_pck(&got, "processor");
    assert_int_equal(vendor_count(the.tls, "/pckcert?encrypted_ppid="), 3); /* two by the tool before */
}

static void pck_platform_ca(void **state)
{
    struct pki_options o = the.o;
    struct answer got;

    (void)state;
    o.platform_ca = true;
    vendor_options(the.second, &o);
    service_restart(&the.service, config_with(arena_printf(&the.a, "intel = pccs:%s\nmirror = fetch\n", url_of(the.second))), dev);
    got = get(pck_path("v4", pck_query(new_qe(), false)));
    assert_pck(&got, "platform");
    vendor_options(the.second, &the.o);
}

/* What the mirror has not got is told as a PCCS tells it; and who asks for nonsense cannot have a source left alone. */
static void pck_missing(void **state)
{
    static const struct {
        enum fault fault;
        long status;
        const char *why;
    } rows[] = {
        { FAULT_461, 461, "HTTP 461" },
        { FAULT_404, 461, "HTTP 404" },
        { FAULT_462, 462, "HTTP 462" },
        { FAULT_TCB_ABOVE, 462, "that was asked for" },
        { FAULT_TCB_ABOVE, 462, "that was asked for" },
        { FAULT_TCB_ABOVE, 462, "that was asked for" },
        { FAULT_TCB_ABOVE, 462, "that was asked for" },
        { FAULT_500, 502, "HTTP 500" },
    };
    const char *qe = new_qe();
    struct answer got;

    (void)state;
    service_restart(&the.service, config_with(arena_printf(&the.a, "intel = pccs:%s\nmirror = fetch\n", url_of(the.first))), dev);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *other = new_qe();

        vendor_fault(the.first, other, rows[i].fault);
        got = get(pck_path("v4", pck_query(other, i % 2 == 0)));
        assert_status(&got, rows[i].status);
        if (strstr(answer_message(&the.service, &got), rows[i].why) == NULL)
            fail_msg("message '%s' does not contain '%s'", answer_message(&the.service, &got), rows[i].why);
    }
    got = get(pck_path("v4", pck_query(qe, false)));
    assert_pck(&got, "processor");
    service_restart(&the.service, config_with(arena_printf(&the.a, "intel = pccs:%s\n", url_of(the.first))), dev);
    got = get(pck_path("v4", pck_query(qe, true)));
    assert_pck(&got, "processor"); /* from the cache on disk */
    qe = new_qe();
    got = get(pck_path("v4", pck_query(qe, true)));
    assert_status(&got, 461); /* and nobody is asked */
    assert_int_equal(vendor_count(the.first, qe), 0);
}

/* A source that is down may have what the others do not know: then nothing is decided, and asking again may help. */
static void mirror_undecided(void **state)
{
    static const char down[] = "pccs:http://127.0.0.1:9";
    const char *qe = new_qe();
    struct answer got;

    (void)state;
    service_restart(&the.service, config_with(arena_printf(&the.a, "intel = %s, pccs:%s\nmirror = fetch\n", down, url_of(the.first))), dev);
    vendor_fault(the.first, qe, FAULT_461);
    got = get(pck_path("v4", pck_query(qe, false)));
    assert_status(&got, 502);
    assert_non_null(strstr(answer_message(&the.service, &got), "HTTP 461"));
    assert_null(answer_header(&the.service, &got, "Retry-After")); /* it would be taken for all items */
    got = get(pck_path("v4", pck_query(qe, true)));
    assert_status(&got, 502);
    vendor_fault(the.first, "fmspc=00a067110001", FAULT_404);
    service_restart(&the.service, config_with(arena_printf(&the.a, "intel = pccs:%s\nmirror = fetch\n", url_of(the.first))), dev);
    got = get("/sgx/certification/v4/tcb?fmspc=00a067110001");
    assert_status(&got, 404);
    vendor_fault(the.first, "fmspc=00a067110001", FAULT_NONE);
    service_restart(&the.service, config_with(arena_printf(&the.a, "intel = %s\nmirror = fetch\n", down)), dev);
    got = get("/sgx/certification/v4/tcb?fmspc=00a067110001");
    assert_status(&got, 502);
}

static void pck_nonsense(void **state)
{
    static const char *const queries[] = {
        "", "qeid=00", "qeid=00000000000000000000000000000000&cpusvn=07070202010000000000000000000000&pcesvn=0d00",
        "qeid=00000000000000000000000000000000&cpusvn=07070202010000000000000000000000&pcesvn=0d&pceid=0000",
        "qeid=0000000000000000000000000000000g&cpusvn=07070202010000000000000000000000&pcesvn=0d00&pceid=0000",
        "qeid=00000000000000000000000000000000&cpusvn=07070202010000000000000000000000&pcesvn=0d00&pceid=0000&encrypted_ppid=00",
        "qeid=%26pceid%3D0000&cpusvn=07070202010000000000000000000000&pcesvn=0d00&pceid=0000",
    };
    struct answer got;

    (void)state;
    for (size_t i = 0; i < COUNT(queries); i++) {
        got = get(pck_path("v4", queries[i]));
        assert_status(&got, 400);
        assert_non_null(strstr(answer_message(&the.service, &got), "names no collateral"));
    }
    got = get(arena_printf(&the.a, "/tdx/certification/v4/pckcert?%s", pck_query(new_qe(), false)));
    assert_status(&got, 404);
    got = get(pck_path("v2", pck_query(new_qe(), false)));
    assert_status(&got, 404);
}

static void qve_and_crl(void **state)
{
    static const char *const crls[] = {
        "https%3A%2F%2Fcertificates.trustedservices.intel.com%2FIntelSGXRootCA.der",
        "https://certificates.trustedservices.intel.com/IntelSGXRootCA.crl",
        "https%3A%2F%2Fapi.trustedservices.intel.com%2Fsgx%2Fcertification%2Fv4%2Fpckcrl%3Fca%3Dprocessor%26encoding%3Dder",
        "https%3A%2F%2Fapi.trustedservices.intel.com%2Fsgx%2Fcertification%2Fv3%2Fpckcrl%3Fca%3Dplatform",
    };
    struct answer got;
    struct bytes id;

    (void)state;
    service_restart(&the.service, config_with(arena_printf(&the.a, "intel = pccs:%s\nmirror = fetch\n", url_of(the.first))), dev);
    got = get("/sgx/certification/v4/qve/identity");
    assert_status(&got, 200);
    assert_true(json_string(json_member(json_member(got.json, "enclaveIdentity"), "id"), &id));
    assert_text(id, "QVE");
    assert_non_null(answer_header(&the.service, &got, "SGX-Enclave-Identity-Issuer-Chain"));
    got = get("/sgx/certification/v4/qe/identity");
    assert_true(json_string(json_member(json_member(got.json, "enclaveIdentity"), "id"), &id));
    assert_text(id, "QE");
    got = get("/tdx/certification/v4/qve/identity");
    assert_status(&got, 400);
    for (size_t i = 0; i < COUNT(crls); i++) {
        struct crl crl;
        struct err e = { 0 };

        got = get(arena_printf(&the.a, "/sgx/certification/v4/crl?uri=%s", crls[i]));
        assert_status(&got, 200);
        assert_string_equal(answer_header(&the.service, &got, "Content-Type"), "application/pkix-crl");
        assert_ok(crl_parse(got.body, "CRL", &crl, &e), &e);
        assert_int_equal(bytes_contain(crl.issuer, LIT("Root CA")), i < 2);
    }
    got = get("/sgx/certification/v4/crl?uri=https%3A%2F%2Fexample.com%2Fx.crl");
    assert_status(&got, 400);
    got = get("/sgx/certification/v4/crl");
    assert_status(&got, 400);
    got = get("/sgx/certification/v4/crl?uri=https://api.trustedservices.intel.com/sgx/certification/v4/pckcrl?ca=processorX");
    assert_status(&got, 400);
}

/* -- AMD -- */

static struct bytes pem(const struct bytes *ders, size_t n)
{
    return amd_pem(&the.a, ders, n);
}

static const char *hwid_of(const struct amd_leaf_spec *s)
{
    return (const char *)hex_encode(&the.a, bytes_of(s->hwid, s->hwid_size)).p;
}

static const char *vcek_key(const struct amd_leaf_spec *s)
{
    return arena_printf(&the.a, "kds/vcek/v1/Milan/%s?blSPL=%u&teeSPL=%u&snpSPL=%u&ucodeSPL=%u", hwid_of(s), s->spl.bl, s->spl.tee, s->spl.snp, s->spl.ucode);
}

/* Azure's form. */
static struct bytes thim_json(struct bytes leaf, const struct amd_pki *p, const char *tcbm, bool with_chain)
{
    struct bytes chain[] = { p->ca_der[SNP_VCEK], p->ark_der };
    struct out o = out_open(&the.a);

    out_text(&o, "{\"vcekCert\":");
    json_print_string(&o, pem(&leaf, 1));
    out_printf(&o, ",\"tcbm\":\"%s\"", tcbm);
    if (with_chain) {
        out_text(&o, ",\"certificateChain\":");
        json_print_string(&o, pem(chain, 2));
    }
    out_text(&o, ",\"cacheControl\":\"86400\"}");
    return out_view(&o);
}

#define TCBM "c814000000000004" /* microcode 200, SNP 20, boot loader 4 */

enum amd_case {
    VCEK_GOOD, VCEK_WRAPPED, VCEK_PEM_CHAIN, VCEK_STRANGER, VCEK_STRANGER_CHAIN, VCEK_FALSE_ROOT, VCEK_OTHER_CHIP, VCEK_OTHER_TCB, VCEK_ENDED, VCEK_HTML,
    VCEK_JSON, VCEK_JSON_TCBM, VCEK_JSON_NO_TCBM, VCEK_JSON_NO_CHAIN, VCEK_JSON_STRANGER, VCEK_JSON_CUT,
    CHAIN_GOOD, CHAIN_ASK_ALONE, CHAIN_STRANGER, CHAIN_FALSE_ROOT, CHAIN_VLEK,
    CRL_GOOD, CRL_STRANGER, CRL_ENDED, CRL_OTHER_LINE,
};

static const struct amd_row {
    const char *name;
    enum amd_case what;
    const char *why; /* NULL: kept */
} amd_rows[] = {
    { "VCEK", VCEK_GOOD, NULL },
    { "VCEK, chip id in an OCTET STRING", VCEK_WRAPPED, NULL },
    { "VCEK with its chain, PEM", VCEK_PEM_CHAIN, NULL },
    { "VCEK of a stranger", VCEK_STRANGER, "no certificate named 'SEV-Milan' verifies it" },
    { "VCEK of a stranger with his chain", VCEK_STRANGER_CHAIN, "the CA was issued by another root" },
    { "VCEK with another root under AMD's name", VCEK_FALSE_ROOT, "another key under its name" },
    { "VCEK of another chip", VCEK_OTHER_CHIP, "is the VCEK of another chip" },
    { "VCEK of another TCB", VCEK_OTHER_TCB, "is of TCB" },
    { "VCEK that has ended", VCEK_ENDED, "ended at 2025-12-31" },
    { "VCEK, HTML instead", VCEK_HTML, "neither collateral JSON nor CRL nor certificate" },
    { "VCEK in Azure's JSON", VCEK_JSON, NULL },
    { "VCEK in Azure's JSON, of another TCB", VCEK_JSON_TCBM, "tcbm is c814000000000003" },
    { "VCEK in Azure's JSON, no TCB", VCEK_JSON_NO_TCBM, "has no tcbm of 16 hexadecimal digits" },
    { "VCEK in Azure's JSON, no chain", VCEK_JSON_NO_CHAIN, "has no text 'certificateChain'" },
    { "VCEK in Azure's JSON, of a stranger", VCEK_JSON_STRANGER, "the CA was issued by another root" },
    { "VCEK in Azure's JSON, cut", VCEK_JSON_CUT, "answer: " },
    { "chain", CHAIN_GOOD, NULL },
    { "chain without its root", CHAIN_ASK_ALONE, NULL },
    { "chain of a stranger", CHAIN_STRANGER, "was issued neither by AMD's root" },
    { "chain with another root under AMD's name", CHAIN_FALSE_ROOT, "has another key than the trust anchor" },
    { "chain of VLEKs for that of VCEKs", CHAIN_VLEK, "but not of what was asked for" },
    { "CRL", CRL_GOOD, NULL },
    { "CRL of a stranger", CRL_STRANGER, "is signed neither by AMD's root of Milan" },
    { "CRL that has ended", CRL_ENDED, "ended at 2025-12-" },
    { "CRL of another line", CRL_OTHER_LINE, "but not of what was asked for" },
};

static struct bytes vcek_of(const struct amd_pki *p, struct amd_leaf_spec s, enum amd_case what)
{
    struct amd_leaf leaf;

    s.hwid_wrapped = what == VCEK_WRAPPED;
    s.hwid[7] ^= what == VCEK_OTHER_CHIP;
    s.spl.bl = (uint8_t)(s.spl.bl - (what == VCEK_OTHER_TCB));
    if (what == VCEK_ENDED) {
        s.not_before = NOW - 86400 * 30;
        s.not_after = NOW - 3600;
    }
    leaf = amd_leaf_new(p, &s);
    EVP_PKEY_free(leaf.key);
    return leaf.der;
}

static struct bytes vcek_body(const struct amd_leaf_spec *s, enum amd_case what)
{
    bool strange = what == VCEK_STRANGER || what == VCEK_STRANGER_CHAIN || what == VCEK_JSON_STRANGER;
    const struct amd_pki *p = strange ? &the.stranger : &the.amd;
    struct bytes leaf = vcek_of(p, *s, what), json = thim_json(leaf, p, what == VCEK_JSON_TCBM ? "c814000000000003" : what == VCEK_JSON_NO_TCBM ? "" : TCBM,
                                                            what != VCEK_JSON_NO_CHAIN);
    struct bytes list[] = { leaf, p->ca_der[SNP_VCEK], what == VCEK_FALSE_ROOT ? the.stranger.ark_der : p->ark_der };

    if (what == VCEK_HTML)
        return LIT("<html>Please log in.</html>");
    if (what == VCEK_JSON_CUT)
        return bytes_part(json, 0, json.n / 2);
    if (what >= VCEK_JSON)
        return json;
    return what == VCEK_PEM_CHAIN || what == VCEK_STRANGER_CHAIN || what == VCEK_FALSE_ROOT ? pem(list, 3) : leaf;
}

static struct bytes other_body(enum amd_case what)
{
    struct amd_pki genoa;
    struct bytes ask = what == CHAIN_STRANGER ? the.stranger.ca_der[SNP_VCEK] : the.amd.ca_der[what == CHAIN_VLEK ? SNP_VLEK : SNP_VCEK],
                 list[] = { ask, what == CHAIN_STRANGER || what == CHAIN_FALSE_ROOT ? the.stranger.ark_der : the.amd.ark_der };
    bool ended = what == CRL_ENDED;

    if (what < CRL_GOOD)
        return pem(list, what == CHAIN_ASK_ALONE ? 1 : 2);
    if (what == CRL_OTHER_LINE) {
        amd_pki_relabel(&the.amd, SNP_GENOA, &genoa);
        return amd_crl(&genoa, 0, NOW - 86400, NOW + 86400, genoa.ark);
    }
    return amd_crl(&the.amd, 0, NOW - 86400 * (ended ? 40 : 1), NOW + 86400 * (ended ? -10 : 30), what == CRL_STRANGER ? the.stranger.ark : the.amd.ark);
}

/* From the first source; where it is not kept, the second one has the right item. */
static void amd_item(void **state)
{
    const struct amd_row *r = *state;
    struct amd_leaf_spec s = amd_leaf_spec(&the.amd, SNP_VCEK, ++the.count);
    bool vcek = r->what < CHAIN_GOOD, crl = r->what >= CRL_GOOD;
    const char *key = vcek ? vcek_key(&s) : crl ? "kds/vcek/v1/Milan/crl" : "kds/vcek/v1/Milan/cert_chain";
    const char *part = vcek ? arena_printf(&the.a, "/vcek/v1/Milan/%.40s", hwid_of(&s)) : key + 3;

    vendor_file(the.first, part, vcek ? vcek_body(&s, r->what) : other_body(r->what));
    vendor_file(the.second, part, vcek ? vcek_body(&s, VCEK_GOOD) : other_body(crl ? CRL_GOOD : CHAIN_GOOD));
    if (r->why == NULL) {
        assert_fetched(arena_printf(&the.a, "amd = kds:%s\n", url_of(the.first)), key);
        return;
    }
    assert_not_fetched(arena_printf(&the.a, "amd = kds:%s\n", url_of(the.first)), key, r->why);
    assert_fetched(arena_printf(&the.a, "amd = kds:%s, mirror:%s\n", url_of(the.first), url_of(the.second)), key);
}

/* Without the configured anchor our own PKI is a stranger to AMD's roots. */
static void amd_needs_trust(void **state)
{
    struct amd_leaf_spec s = amd_leaf_spec(&the.amd, SNP_VCEK, ++the.count);
    const char *trust = arena_printf(&the.a, "%s/trust/ark.der", the.folder);
    struct err e = { 0 };

    (void)state;
    vendor_file(the.first, hwid_of(&s), vcek_body(&s, VCEK_PEM_CHAIN));
    vendor_file(the.first, "/vcek/v1/Milan/crl", other_body(CRL_GOOD));
    assert_int_equal(unlink(trust), 0);
    assert_not_fetched(arena_printf(&the.a, "amd = kds:%s\n", url_of(the.first)), vcek_key(&s), "the CA was issued by another root");
    assert_not_fetched(arena_printf(&the.a, "amd = kds:%s\n", url_of(the.first)), "kds/vcek/v1/Milan/crl", "is signed neither");
    assert_ok(file_write(trust, the.amd.ark_der, 0644, &e), &e);
    assert_fetched(arena_printf(&the.a, "amd = kds:%s\n", url_of(the.first)), vcek_key(&s));
}

/* Inside an Azure VM: one address for the chip at hand, whichever that is. */
static void inside_vm(void **state)
{
    struct amd_leaf_spec s = amd_leaf_spec(&the.amd, SNP_VCEK, ++the.count), other = amd_leaf_spec(&the.amd, SNP_VCEK, ++the.count);
    const char *conf = arena_printf(&the.a, "amd = thim:%s/metadata/THIM\n", url_of(the.first));

    (void)state;
    vendor_file(the.first, "/metadata/THIM/amd/certification", vcek_body(&s, VCEK_JSON));
    assert_fetched(conf, vcek_key(&s));
    assert_not_fetched(conf, vcek_key(&other), "is the VCEK of another chip");
    s.spl.snp--;
    assert_not_fetched(conf, vcek_key(&s), "tcbm is " TCBM "; boot loader 4, TEE 0, SNP 19, microcode 200 were asked for");
    assert_not_fetched(conf, "kds/vcek/v1/Milan/crl", "no source is configured");
}

/* What Azure gave for a real chip, by both of its addresses, and verified up to AMD's own root. */
static void azure_recorded(void **state)
{
    struct bytes report, json, chip, tcb;
    const char *key;

    (void)state;
    if (test_vectors() == NULL)
        skip();
    json = test_vector(&the.a, "snp/aci-milan-v2/uvm_host_amd_certificate.json");
    report = test_vector(&the.a, "snp/aci-milan-v2/snp_report.bin");
    chip = bytes_part(report, 0x1a0, 64);
    tcb = bytes_part(report, 0x180, 8);
    key = arena_printf(&the.a, "kds/vcek/v1/Milan/%s?blSPL=%u&teeSPL=%u&snpSPL=%u&ucodeSPL=%u", (const char *)hex_encode(&the.a, chip).p, tcb.p[0], tcb.p[1],
                       tcb.p[6], tcb.p[7]);
    vendor_file(the.second, "/metadata/THIM/amd/certification", json);
    assert_fetched(arena_printf(&the.a, "amd = thim:%s/metadata/THIM\n", url_of(the.second)), key);
    vendor_file(the.second, "/SevSnpVM/certificates/", test_vector(&the.a, "snp/aci-milan-v2/uvm_host_amd_certificate.pem"));
    assert_fetched(arena_printf(&the.a, "amd = thim:%s\n", url_of(the.second)), key);
    assert_int_equal(vendor_count(the.second, "/SevSnpVM/certificates/"), 1);
}

/* The same through the service: a report that came without its certificate, and the certificate from inside the VM. */
static void azure_report_alone(void **state)
{
    struct out body = out_open(&the.a);
    struct answer got;

    (void)state;
    if (test_vectors() == NULL)
        skip();
    out_text(&body, "{\"report\":\"");
    b64url_print(&body, test_vector(&the.a, "snp/aci-milan-v2/snp_report.bin"));
    out_text(&body, "\"}");
    service_restart(&the.service, config_with(arena_printf(&the.a, "amd = thim:%s/metadata/THIM\n", url_of(the.second))), dev);
    got = service_call(&the.service, "POST", "/attest/SevSnpVm?api-version=2022-08-01", NULL, out_view(&body));
    assert_status(&got, 200);
    assert_non_null(json_member(got.json, "token"));
}

/* -- proxies -- */

static const struct proxy_row {
    const char *name;
    bool tunnel; /* https: CONNECT */
    enum proxy_mode mode;
    const char *why; /* NULL: it works */
} proxy_rows[] = {
    { "plain", false, PROXY_WORKS, NULL },
    { "CONNECT", true, PROXY_WORKS, NULL },
    { "plain, refused", false, PROXY_REFUSES, "HTTP 403" },
    { "CONNECT, refused", true, PROXY_REFUSES, "403" },
    { "plain, wants a login", false, PROXY_WANTS_LOGIN, "HTTP 407" },
    { "CONNECT, wants a login", true, PROXY_WANTS_LOGIN, "407" },
    { "plain, dies", false, PROXY_DIES, "127.0.0.1" },
    { "CONNECT, dies", true, PROXY_DIES, "localhost" },
    { "plain, dies within the answer", false, PROXY_DIES_LATER, "127.0.0.1" },
    { "CONNECT, dies within the answer", true, PROXY_DIES_LATER, "localhost" },
};

static void through_proxy(void **state)
{
    const struct proxy_row *r = *state;
    struct proxy *p = proxy_start();
    const char *source = r->tunnel ? tls_url() : url_of(the.first), *own = arena_printf(&the.a, "proxy = http://127.0.0.1:%d\nca = %s/good/cert.pem\n",
                                                                                       proxy_port(p), the.folder);
    const char *conf = arena_printf(&the.a, "intel = pccs:%s\n%sno_proxy =\n", source, own);
    /* the second source is reached without the proxy */
    const char *two = arena_printf(&the.a, "intel = pccs:%s, pccs:%s\n%sno_proxy = %s\n", source, r->tunnel ? url_of(the.second) : tls_url(), own,
                                   r->tunnel ? "127.0.0.1" : "localhost");

    proxy_mode(p, r->mode);
    if (r->why == NULL) {
        assert_fetched(conf, "sgx/qe/identity");
        assert_int_equal(proxy_count(p, r->tunnel ? "CONNECT localhost:" : "GET http://127.0.0.1:"), 1);
    } else {
        assert_not_fetched(conf, "sgx/qe/identity", r->why);
        assert_fetched(two, "sgx/qe/identity");
        assert_true(proxy_count(p, r->tunnel ? "CONNECT localhost:" : "GET http://127.0.0.1:") >= 2);
    }
    proxy_stop(p);
}

/* The subscription key is Intel's alone: a proxy sees only where the tunnel goes. */
static void key_in_tunnel(void **state)
{
    struct proxy *p = proxy_start();
    unsigned keys = vendor_count_keys(the.tls);

    (void)state;
    assert_fetched(arena_printf(&the.a, "intel = pcs:%s\nproxy = http://127.0.0.1:%d\nno_proxy =\nca = %s/good/cert.pem\npcs_key = %s/pcs.key\n", tls_url(),
                                proxy_port(p), the.folder, the.folder),
                   arena_printf(&the.a, "sgx/pckcert?%s", pck_query(new_qe(), true)));
    assert_int_equal(vendor_count_keys(the.tls), keys + 1);
    assert_int_equal(proxy_count(p, "CONNECT localhost:"), 1);
    assert_false(proxy_saw(p, VENDOR_KEY));
    assert_false(proxy_saw(p, "Subscription"));
    proxy_stop(p);
}

static void no_proxy_there(void **state)
{
    struct proxy *p = proxy_start();
    int port = proxy_port(p);

    (void)state;
    proxy_stop(p);
    assert_not_fetched(arena_printf(&the.a, "intel = pccs:%s\nproxy = http://127.0.0.1:%d\nno_proxy =\n", url_of(the.first), port), "sgx/qe/identity",
                       "onnect"); /* libcurl's words: Failed to connect, Couldn't connect */
}

/* Through the service: its process behind its walls. */
static void service_through_proxy(void **state)
{
    struct proxy *p = proxy_start();
    struct out body = out_open(&the.a);
    struct answer got;

    (void)state;
    out_text(&body, "{\"quote\":\"");
    b64url_print(&body, pki_quote(the.intel, &the.o, &the.a));
    out_text(&body, "\"}");
    service_restart(&the.service, config_with(arena_printf(&the.a, "intel = pcs:%s\nca = %s/good/cert.pem\nproxy = http://127.0.0.1:%d\nno_proxy =\nwait = 20\n",
                                                           tls_url(), the.folder, proxy_port(p))), dev);
    got = service_call(&the.service, "POST", "/attest/SgxEnclave?api-version=2022-08-01", NULL, out_view(&body));
    assert_status(&got, 200);
    assert_true(proxy_count(p, "CONNECT localhost:") >= 1);
    assert_int_equal(service_stop(&the.service), 0);
    service_start(&the.service, config_with("intel = none\n"), dev);
    proxy_stop(p);
}

/* -- */

static void prepare(void)
{
    const char *trust, *good;
    struct err e = { 0 };

    arena_init(&the.a, (size_t)1 << 30);
    the.intel = intel_pki_new();
    the.o = pki_options(NOW);
    amd_pki_init(&the.amd, SNP_MILAN, NOW, 4096, &the.a);
    amd_pki_init(&the.stranger, SNP_MILAN, NOW, 4096, &the.a);
    snprintf(the.folder, sizeof(the.folder), "/tmp/avouch-sources-XXXXXX");
    if (mkdtemp(the.folder) == NULL)
        abort();
    trust = arena_printf(&the.a, "%s/trust", the.folder);
    good = arena_printf(&the.a, "%s/good", the.folder);
    if (!folder_make(trust, 0755, &e) || !folder_make(good, 0755, &e)
        || !tls_make_development(arena_printf(&the.a, "%s/cert.pem", good), arena_printf(&the.a, "%s/key.pem", good), &e)
        || !file_write(arena_printf(&the.a, "%s/root.pem", trust), pki_root_pem(the.intel, &the.o, &the.a), 0644, &e)
        || !file_write(arena_printf(&the.a, "%s/ark.der", trust), the.amd.ark_der, 0644, &e))
        abort();
    the.first = vendor_start(the.intel, &the.o, NULL);
    the.second = vendor_start(the.intel, &the.o, NULL);
    the.tls = vendor_start(the.intel, &the.o, good);
}

static void stops(void **state)
{
    (void)state;
    assert_int_equal(service_stop(&the.service), 0);
    vendor_stop(the.first);
    vendor_stop(the.second);
    vendor_stop(the.tls);
    intel_pki_free(the.intel);
    amd_pki_done(&the.amd);
    amd_pki_done(&the.stranger);
}

int main(void)
{
    static const char *const forms[] = { "pccs", "pccs3", "mirror", "thim" };
    struct suite s = { 0 };

    prepare();
    vendor_file(the.first, "/vcek/v1/Milan/cert_chain", other_body(CHAIN_GOOD));
    vendor_file(the.second, "/vcek/v1/Milan/cert_chain", other_body(CHAIN_GOOD));
    service_start(&the.service, config_with("intel = none\n"), dev);
    for (size_t i = 0; i < COUNT(pck_rows); i++)
        suite_add(&s, arena_printf(&the.a, "PCK: %s", pck_rows[i].name), pck_fault, (void *)(uintptr_t)&pck_rows[i]);
    suite_add(&s, "PCK: Azure's form and its faults", pck_thim_fault, NULL);
    suite_add(&s, "PCK: Intel's service and its key", pck_by_pcs, NULL);
    for (size_t i = 0; i < COUNT(forms); i++)
        suite_add(&s, arena_printf(&the.a, "PCK mirror of %s", forms[i]), pck_form, (void *)(uintptr_t)forms[i]);
    suite_add(&s, "PCK mirror of a mirror", pck_mirror_of_mirror, NULL);
    suite_add(&s, "PCK mirror: the encrypted PPID is no name", pck_ppid, NULL);
    suite_add(&s, "PCK mirror: platform CA", pck_platform_ca, NULL);
    suite_add(&s, "PCK mirror: what is missing", pck_missing, NULL);
    suite_add(&s, "mirror: sources that decide nothing", mirror_undecided, NULL);
    suite_add(&s, "PCK mirror: nonsense", pck_nonsense, NULL);
    suite_add(&s, "mirror: QvE identity, CRLs by their addresses", qve_and_crl, NULL);
    for (size_t i = 0; i < COUNT(amd_rows); i++)
        suite_add(&s, arena_printf(&the.a, "AMD: %s", amd_rows[i].name), amd_item, (void *)(uintptr_t)&amd_rows[i]);
    suite_add(&s, "AMD: trust is what is configured", amd_needs_trust, NULL);
    suite_add(&s, "AMD: inside an Azure VM", inside_vm, NULL);
    suite_add(&s, "AMD: a recorded answer of Azure", azure_recorded, NULL);
    suite_add(&s, "AMD: a report alone inside an Azure VM", azure_report_alone, NULL);
    for (size_t i = 0; i < COUNT(proxy_rows); i++)
        suite_add(&s, arena_printf(&the.a, "proxy: %s", proxy_rows[i].name), through_proxy, (void *)(uintptr_t)&proxy_rows[i]);
    suite_add(&s, "proxy: the subscription key stays in the tunnel", key_in_tunnel, NULL);
    suite_add(&s, "proxy: none is there", no_proxy_there, NULL);
    suite_add(&s, "proxy: the service behind one", service_through_proxy, NULL);
    suite_add(&s, "stops cleanly", stops, NULL);
    return suite_run("sources", &s);
}

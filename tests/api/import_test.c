/* import_test.c: `avouch collateral import` of files as vendors give them: known by content, verified like an answer, taken
 * or named with the reason; and a service without network that lives on what was imported. */
#include "service.h"

#include "base/out.h"
#include "codec/b64.h"
#include "codec/hex.h"
#include "codec/pem.h"
#include "os/io.h"
#include "pki/amd_pki.h"
#include "pki/intel_pki.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define NOW 1767225600LL /* 2026-01-01T00:00:00Z */
#define AT "2026-01-01T00:00:00Z"

static struct {
    struct arena a;
    struct intel_pki *intel, *stranger;
    struct pki_options o;
    struct amd_pki amd, amd_stranger;
    char folder[64];
    const char *files, *cache; /* of the test that runs */
    unsigned count;
} the;

/* -- files -- */

static int fresh(void **state)
{
    struct err e = { 0 };

    (void)state;
    the.files = arena_printf(&the.a, "%s/%u", the.folder, ++the.count);
    the.cache = arena_printf(&the.a, "%s/%u.cache", the.folder, the.count);
    return folder_make(the.files, 0755, &e) ? 0 : -1;
}

static const char *put(const char *name, struct bytes body)
{
    const char *path = arena_printf(&the.a, "%s/%s", the.files, name);
    struct err e = { 0 };

    assert_ok(file_write(path, body, 0644, &e), &e);
    return path;
}

static struct bytes as_pem(const char *label, struct bytes der)
{
    struct out o = out_open(&the.a);

    pem_print(&o, label, der);
    return out_view(&o);
}

static struct bytes as_text(struct bytes body, const char *from, const char *to)
{
    uint8_t *copy = (uint8_t *)(uintptr_t)arena_copy(&the.a, body).p;
    uint8_t *at = memmem(copy, body.n, from, strlen(from));

    assert_non_null(at);
    memcpy(at, to, strlen(to));
    return bytes_of(copy, body.n);
}

/* The issuers of a PCK chain without its leaf. */
static struct bytes pck_issuers(const struct pki_options *o)
{
    struct bytes all = pki_pck_chain(the.intel, o, &the.a);

    for (size_t i = 1; i < all.n; i++)
        if (memcmp(all.p + i, "-----BEGIN", 10) == 0)
            return bytes_part(all, i, all.n);
    return all;
}

static struct bytes vcek(const struct amd_pki *p, unsigned chip)
{
    struct amd_leaf_spec s = amd_leaf_spec(p, SNP_VCEK, chip);
    struct amd_leaf leaf = amd_leaf_new(p, &s);

    EVP_PKEY_free(leaf.key);
    return leaf.der;
}

static const char *vcek_key(unsigned chip)
{
    struct amd_leaf_spec s = amd_leaf_spec(&the.amd, SNP_VCEK, chip);

    return arena_printf(&the.a, "kds/vcek/v1/Milan/%s?blSPL=%u&teeSPL=%u&snpSPL=%u&ucodeSPL=%u", (const char *)hex_encode(&the.a, bytes_of(s.hwid, 64)).p,
                        s.spl.bl, s.spl.tee, s.spl.snp, s.spl.ucode);
}

/* -- the tool -- */

static const struct json *tool(int want, const char *verb, const char *cache, const char *at, const char *const *more)
{
    const char *argv[24] = { program_path(&the.a, "avouch"), "collateral", verb, "--cache", cache, "--trust", arena_printf(&the.a, "%s/trust", the.folder),
                             "--at", at, "--json" };
    const struct json *j;
    struct bytes printed;
    struct err e = { 0 };
    size_t n = 10;
    int status;

    while (more != NULL && *more != NULL)
        argv[n++] = *more++;
    argv[n] = NULL;
    printed = run_program(&the.a, argv, &status);
    if (status != want)
        fail_msg("%s: status %d, expected %d: %.*s", verb, status, want, (int)printed.n, (const char *)printed.p);
    if (printed.n == 0)
        return NULL;
    assert_ok(json_parse(printed, 16, "output", &the.a, &j, &e), &e);
    return j;
}
#define IMPORT(want, ...) tool((want), "import", the.cache, AT, (const char *const[]){ __VA_ARGS__, NULL })

static void assert_counts(const struct json *j, int64_t kept, int64_t refused)
{
    int64_t k = -1, r = -1;

    assert_true(json_int(json_member(j, "imported"), &k) && json_int(json_member(j, "refused"), &r));
    assert_int_equal(k, kept);
    assert_int_equal(r, refused);
    assert_int_equal(json_member(j, "refusals")->count, refused);
}

/* That the file of this name was refused for this reason. */
static void assert_refusal(const struct json *j, const char *name, const char *why)
{
    struct bytes file, reason;

    for (const struct json *r = json_member(j, "refusals")->child; r != NULL; r = r->next) {
        assert_true(json_string(json_member(r, "file"), &file) && json_string(json_member(r, "reason"), &reason));
        if (!bytes_contain(file, bytes_str(arena_printf(&the.a, "/%s", name))))
            continue;
        if (bytes_contain(reason, bytes_str(why)))
            return;
        fail_msg("'%s' was refused because '%.*s', expected '%s'", name, (int)reason.n, (const char *)reason.p, why);
    }
    fail_msg("'%s' was not refused", name);
}

/* The item of the cache with this key, or NULL. */
static const struct json *kept(const char *key)
{
    for (const struct json *i = tool(0, "list", the.cache, AT, NULL)->child; i != NULL; i = i->next)
        if (bytes_is(json_member(i, "key")->text, key))
            return i;
    return NULL;
}

static int64_t number_of(const char *key)
{
    int64_t n = -1;

    assert_non_null(kept(key));
    (void)json_int(json_member(kept(key), "evaluationNumber"), &n);
    return n;
}

/* -- Intel -- */

static void put_intel(void)
{
    struct pki_options o = the.o, next = the.o, tdx = the.o;

    next.eval_number = next.qe_eval_number = 18;
    put("b-tcb-18.json", pki_tcb_info(the.intel, &next, &the.a)); /* before 17 by name: the number decides */
    put("c-tcb-17.json", pki_tcb_info(the.intel, &o, &the.a));
    put("identity", pki_qe_identity(the.intel, &o, &the.a));
    tdx.identity_id = "TD_QE";
    put("identity.td", pki_qe_identity(the.intel, &tdx, &the.a));
    tdx.identity_id = "QVE";
    put("identity.qve", pki_qe_identity(the.intel, &tdx, &the.a));
    put("root.der", pki_root_crl(the.intel, &o, &the.a));
    put("processor.hex", hex_encode(&the.a, pki_pck_crl(the.intel, &o, &the.a)));
    put("processor-issuers.pem", pck_issuers(&o));
    o.platform_ca = true;
    put("platform.pem", as_pem("X509 CRL", pki_pck_crl(the.intel, &o, &the.a)));
    put("platform-issuers.pem", pck_issuers(&o));
    put("signers.pem", pki_tcb_chain(the.intel, &o, &the.a));
}

static void intel_folder(void **state)
{
    static const char *const keys[] = { "sgx/tcb?fmspc=00a067110001&eval=17", "sgx/tcb?fmspc=00a067110001&eval=18", "sgx/qe/identity", "sgx/qe/identity?eval=17",
                                        "tdx/qe/identity", "sgx/qve/identity", "sgx/rootcacrl", "sgx/pckcrl?ca=processor", "sgx/pckcrl?ca=platform" };

    (void)state;
    put_intel();
    assert_counts(IMPORT(0, the.files), 8, 0);
    for (size_t i = 0; i < COUNT(keys); i++)
        if (kept(keys[i]) == NULL)
            fail_msg("%s is not in the cache", keys[i]);
    assert_int_equal(number_of("sgx/tcb?fmspc=00a067110001"), 18);
    assert_counts(IMPORT(0, the.files), 8, 0); /* again: as new as what is there */
}

static const struct bad_row {
    const char *name, *why;
} bad_rows[] = {
    { "1-altered.json", "signature does not verify" },
    { "2-stranger.json", "signature does not verify" },
    { "3-ended.json", "ended at 2025-12-" },
    { "4-other.json", "is of 'QAE', which nothing asks for" },
    { "5-stranger.crl", "is not its issuer's" },
    { "6-foreign.crl", "of which no list is asked for" },
    { "7-leaf.pem", "does not say for which QE it is" },
    { "8-text.txt", "neither collateral JSON nor CRL nor certificate" },
    { "9-empty", "neither collateral JSON nor CRL nor certificate" },
    { "A-large", "at most 4194304 are read" },
    { "B-bundle", "was cut or damaged" },
    { "C-json", "JSON is neither tcbInfo" },
};

/* Each bad file is named; all the good ones around them are taken. */
static void intel_refused(void **state)
{
    struct pki_options o = the.o, old = the.o, qae = the.o;
    struct bytes tcb = pki_tcb_info(the.intel, &o, &the.a);
    struct out large = out_open(&the.a);
    const struct json *j;

    (void)state;
    put_intel();
    o.tcb_fmspc[5] = 9;
    old.coll_from -= 60 * 86400;
    old.coll_to -= 60 * 86400;
    old.tcb_fmspc[5] = 10;
    qae.identity_id = "QAE";
    memset(out_room(&large, 5 << 20), ' ', 5 << 20);
    put("1-altered.json", as_text(tcb, "UpToDate", "Up2oDate"));
    put("2-stranger.json", pki_tcb_info(the.stranger, &o, &the.a));
    put("3-ended.json", pki_tcb_info(the.intel, &old, &the.a));
    put("4-other.json", pki_qe_identity(the.intel, &qae, &the.a));
    put("5-stranger.crl", pki_pck_crl(the.stranger, &the.o, &the.a));
    o.root_cn = "Another Root";
    put("6-foreign.crl", pki_root_crl(the.intel, &o, &the.a));
    put("7-leaf.pem", pki_pck_chain(the.intel, &the.o, &the.a));
    put("8-text.txt", LIT("hello"));
    put("9-empty", LIT(""));
    put("A-large", out_view(&large));
    put("B-bundle", LIT("AVOUCH COLLATERAL 1\nbut nothing else that would be a bundle, and no digest"));
    put("C-json", LIT("{\"platforms\":[]}"));
    j = IMPORT(1, the.files);
    assert_counts(j, 8, COUNT(bad_rows));
    for (size_t i = 0; i < COUNT(bad_rows); i++)
        assert_refusal(j, bad_rows[i].name, bad_rows[i].why);
    assert_null(kept("sgx/tcb?fmspc=00a067110009"));
    assert_non_null(kept("sgx/tcb?fmspc=00a067110001"));
}

/* Where the issuer chain of a single file is looked for. */
static void single_file(void **state)
{
    struct bytes chain = pki_tcb_chain(the.intel, &the.o, &the.a);
    const char *tcb = put("tcb.json", pki_tcb_info(the.intel, &the.o, &the.a)), *apart;

    (void)state;
    put("tcbx.pem", chain); /* another name */
    assert_refusal(IMPORT(1, tcb), "tcb.json", "came without its issuer chain");
    apart = put("elsewhere", chain);
    assert_counts(IMPORT(0, "--chain", apart, tcb), 1, 0);
    the.cache = arena_printf(&the.a, "%s-2", the.cache);
    put("tcb.chain", chain);
    assert_counts(IMPORT(0, tcb), 1, 0);
    the.cache = arena_printf(&the.a, "%s-3", the.cache);
    assert_counts(IMPORT(0, put("crl", pki_root_crl(the.intel, &the.o, &the.a))), 1, 0); /* the root's own list needs none */
    IMPORT(2, "--chain", arena_printf(&the.a, "%s/missing", the.files), tcb);
    IMPORT(2, "--chain", tcb, tcb);
    assert_refusal(IMPORT(1, arena_printf(&the.a, "%s/missing", the.files)), "missing", "");
    assert_counts(IMPORT(1, apart), 0, 0); /* issuers alone */
    tool(2, "import", the.cache, AT, NULL);
}

/* A chain of somebody else beside ours, under the same names, does no harm. */
static void stranger_beside(void **state)
{
    (void)state;
    put_intel();
    put("0-stranger.pem", pki_tcb_chain(the.stranger, &the.o, &the.a));
    put("0-stranger-ca.pem", pki_root_pem(the.stranger, &the.o, &the.a));
    assert_counts(IMPORT(0, the.files), 8, 0);
}

static void never_older(void **state)
{
    struct pki_options older = the.o;
    const char *chain = put("chain", pki_tcb_chain(the.intel, &the.o, &the.a)), *tcb = put("tcb", pki_tcb_info(the.intel, &the.o, &the.a)), *before;

    (void)state;
    older.coll_from -= 86400;
    before = put("before", pki_tcb_info(the.intel, &older, &the.a));
    assert_counts(IMPORT(0, "--chain", chain, tcb), 1, 0);
    assert_refusal(IMPORT(1, "--chain", chain, before), "before", "older than what is there");
}

/* -- AMD -- */

static void amd_folder(void **state)
{
    struct bytes whole[] = { vcek(&the.amd, 2), the.amd.ca_der[SNP_VCEK], the.amd.ark_der };
    struct err e = { 0 };

    (void)state;
    assert_ok(folder_make(arena_printf(&the.a, "%s/chips/rack7", the.files), 0755, &e), &e);
    put("chips/one.der", vcek(&the.amd, 1));
    put("chips/rack7/two.pem", amd_pem(&the.a, whole, 3));
    put("ask.der", the.amd.ca_der[SNP_VCEK]);
    put("asvk.pem", as_pem("CERTIFICATE", the.amd.ca_der[SNP_VLEK]));
    put("ark.der", the.amd.ark_der);
    put("crl.hex", hex_encode(&the.a, amd_crl(&the.amd, 0, NOW - 86400, NOW + 30 * 86400, the.amd.ark)));
    assert_counts(IMPORT(0, the.files), 6, 0); /* two chips, their CA twice, VLEKs' CA, the list */
    assert_non_null(kept(vcek_key(1)));
    assert_non_null(kept(vcek_key(2)));
    assert_non_null(kept("kds/vcek/v1/Milan/cert_chain"));
    assert_non_null(kept("kds/vlek/v1/Milan/cert_chain"));
    assert_non_null(kept("kds/vcek/v1/Milan/crl"));
    assert_non_null(kept("kds/vlek/v1/Milan/crl"));
}

static void amd_refused(void **state)
{
    struct bytes strange[] = { vcek(&the.amd_stranger, 4), the.amd_stranger.ca_der[SNP_VCEK], the.amd_stranger.ark_der };
    struct amd_leaf_spec s = amd_leaf_spec(&the.amd, SNP_VLEK, 0), bad = amd_leaf_spec(&the.amd, SNP_VCEK, 5);
    struct amd_leaf leaf = amd_leaf_new(&the.amd, &s), broken;
    const struct json *j;

    (void)state;
    bad.omit = 1;
    broken = amd_leaf_new(&the.amd, &bad);
    EVP_PKEY_free(leaf.key);
    EVP_PKEY_free(broken.key);
    put("good.der", vcek(&the.amd, 1));
    put("ask.der", the.amd.ca_der[SNP_VCEK]);
    put("stranger.der", vcek(&the.amd_stranger, 3));
    put("stranger.pem", amd_pem(&the.a, strange, 3));
    put("vlek.der", leaf.der);
    put("broken.der", broken.der);
    put("stranger.crl", amd_crl(&the.amd_stranger, 0, NOW - 86400, NOW + 86400, the.amd_stranger.ark));
    put("ended.crl", amd_crl(&the.amd, 0, NOW - 86400 * 9, NOW - 86400, the.amd.ark));
    j = IMPORT(1, the.files);
    assert_counts(j, 2, 7);
    assert_refusal(j, "stranger.der", "issued by another root"); /* its CA was in another file */
    assert_refusal(j, "vlek.der", "comes with the evidence");
    assert_refusal(j, "broken.der", "extension blSPL is missing");
    assert_refusal(j, "stranger.crl", "is signed neither by AMD's root of Milan");
    assert_refusal(j, "ended.crl", "ended at 2025-12-31");
    assert_non_null(kept(vcek_key(1)));
    assert_null(kept(vcek_key(3)));
    assert_null(kept(vcek_key(4)));
}

/* -- bundles among files, recorded files -- */

static void bundle_among_files(void **state)
{
    const char *bundle, *first = the.cache;

    (void)state;
    put_intel();
    assert_counts(IMPORT(0, the.files), 8, 0);
    assert_int_equal(fresh(NULL), 0);
    bundle = arena_printf(&the.a, "%s/monday", the.files);
    tool(0, "export", first, AT, (const char *const[]){ bundle, NULL });
    put("one.der", vcek(&the.amd, 1));
    put("ask.der", the.amd.ca_der[SNP_VCEK]);
    assert_counts(IMPORT(0, the.files), 14, 0); /* 12 keys of Intel's, a chip, its CA */
    assert_non_null(kept("sgx/qve/identity"));
    assert_non_null(kept(vcek_key(1)));
}

/* Everything that Intel once published and somebody recorded: what is of its day is taken, the rest has a reason. */
static void recorded(void **state)
{
    static const char *const reasons[] = { "ended at", "older than what is there", "is valid only from", "came without its issuer chain", "signature" };
    const char *folder, *more[2] = { NULL, NULL };
    const struct json *j;
    int64_t n = 0;

    (void)state;
    if (test_vectors() == NULL)
        skip();
    folder = arena_printf(&the.a, "%s/sgx/collateral", test_vectors());
    more[0] = folder;
    j = tool(1, "import", the.cache, "2025-06-10T00:00:00Z", more);
    assert_true(json_int(json_member(j, "imported"), &n));
    assert_true(n >= 4);
    for (const struct json *r = json_member(j, "refusals")->child; r != NULL; r = r->next) {
        struct bytes reason;
        bool known = false;

        assert_true(json_string(json_member(r, "reason"), &reason));
        for (size_t i = 0; i < COUNT(reasons); i++)
            known = known || bytes_contain(reason, bytes_str(reasons[i]));
        if (!known)
            fail_msg("refused because '%.*s'", (int)reason.n, (const char *)reason.p);
    }
    print_message("# %lld recorded files taken at 2025-06-10, %zu refused\n", (long long)n, json_member(j, "refusals")->count);
}

/* A service that never had a network, and files that somebody carried in. */
static void offline_service(void **state)
{
    static const char *const dev[] = { "--dev", NULL };
    struct out body = out_open(&the.a);
    struct service s;
    struct answer got;

    (void)state;
    put_intel();
    service_start(&s, arena_printf(&the.a, "workers = 1\n[verify]\ntrust = %s/trust\n[metrics]\nlisten =\n[collateral]\nintel = none\n[dev]\nclock = " AT "\n",
                                   the.folder), dev);
    out_text(&body, "{\"quote\":\"");
    b64url_print(&body, pki_quote(the.intel, &the.o, &the.a));
    out_text(&body, "\"}");
    got = service_call(&s, "POST", "/attest/SgxEnclave?api-version=2022-08-01", NULL, out_view(&body));
    assert_int_equal(got.status, 503);
    the.cache = arena_printf(&the.a, "%s/state/collateral", s.state);
    /* the TCB info of the newest set is for a set whose identity is not there: the front asks for a pair */
    assert_int_equal(remove(arena_printf(&the.a, "%s/b-tcb-18.json", the.files)), 0);
    assert_counts(IMPORT(0, the.files), 7, 0);
    assert_int_equal(kill(s.pid, SIGHUP), 0);
    do
        got = service_call(&s, "POST", "/attest/SgxEnclave?api-version=2022-08-01", NULL, out_view(&body));
    while (got.status == 503);
    assert_int_equal(got.status, 200);
    assert_non_null(json_member(got.json, "token"));
    assert_int_equal(service_stop(&s), 0);
}

/* -- */

static void prepare(void)
{
    const char *trust;
    struct err e = { 0 };

    arena_init(&the.a, (size_t)1 << 30);
    the.intel = intel_pki_new();
    the.stranger = intel_pki_new();
    the.o = pki_options(NOW);
    amd_pki_init(&the.amd, SNP_MILAN, NOW, 4096, &the.a);
    amd_pki_init(&the.amd_stranger, SNP_MILAN, NOW, 4096, &the.a);
    snprintf(the.folder, sizeof(the.folder), "/tmp/avouch-import-XXXXXX");
    if (mkdtemp(the.folder) == NULL)
        abort();
    trust = arena_printf(&the.a, "%s/trust", the.folder);
    if (!folder_make(trust, 0755, &e) || !file_write(arena_printf(&the.a, "%s/root.pem", trust), pki_root_pem(the.intel, &the.o, &the.a), 0644, &e)
        || !file_write(arena_printf(&the.a, "%s/ark.der", trust), the.amd.ark_der, 0644, &e))
        abort();
}

int main(void)
{
    static const struct {
        const char *name;
        CMUnitTestFunction run;
    } rows[] = {
        { "Intel: a folder", intel_folder },
        { "Intel: what is not taken is named, the rest is taken", intel_refused },
        { "a single file and its chain", single_file },
        { "a stranger's chain beside ours", stranger_beside },
        { "never over a newer one", never_older },
        { "AMD: a folder with folders", amd_folder },
        { "AMD: what is not taken", amd_refused },
        { "a bundle among files", bundle_among_files },
        { "recorded files of Intel", recorded },
        { "a service without network", offline_service },
    };
    struct suite s = { 0 };
    int status;

    prepare();
    for (size_t i = 0; i < COUNT(rows); i++) {
        suite_add(&s, rows[i].name, rows[i].run, NULL);
        s.list[s.count - 1].setup_func = fresh;
    }
    status = suite_run("import", &s);
    intel_pki_free(the.intel);
    intel_pki_free(the.stranger);
    amd_pki_done(&the.amd);
    amd_pki_done(&the.amd_stranger);
    arena_done(&the.a);
    return status;
}

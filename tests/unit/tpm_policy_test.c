/* tpm_policy_test.c: published policies over the claims of real boots: what the events JSON is for. */
#include "testing.h"

#include "base/out.h"
#include "codec/json.h"
#include "evidence/tpm/boot.h"
#include "policy/policy.h"

#include <stdio.h>
#include <stdlib.h>

enum { BUDGET = 256 << 20 };

static const struct row {
    const char *policy, *folder, *log, *ima;
    bool allow_sha1, aik_validated;
    enum err_code code;
    const char *issued; /* some members, as compact JSON with sorted names; separated by '|' */
} rows[] = {
    { "100-health-attestation-csp", "qemu/shim-grub-sb", "binary_bios_measurements", NULL, false, true, ERR_NONE,
      "\"secureBootEnabled\":true" },
    { "100-health-attestation-csp", "qemu/uki-nosb", "binary_bios_measurements", NULL, false, true, ERR_NONE,
      "\"secureBootEnabled\":false" },
    { "012-tpm-1.0", "qemu/shim-grub-sb", "binary_bios_measurements", NULL, false, true, ERR_NONE, "{}" },
    { "016-tpm-linux-ima", "qemu/uki-sb", "binary_bios_measurements", "ima_binary_runtime_measurements", false, true, ERR_NONE,
      "\"secureBootEnabled\":true|\"bootOrder\":|\"platformKey\":|\"forbiddenSignatures\":" },
    { "016-tpm-linux-ima", "qemu/uki-sb", "binary_bios_measurements", NULL, false, false, ERR_POLICY_DENIED, NULL },
    { "020-tpm-known-pcrs", "qemu/uki-sb", "binary_bios_measurements", NULL, false, true, ERR_POLICY_DENIED, NULL },
    { "031-row-code-integrity", "quotes/gce-windows", "wbcl.bin", NULL, true, true, ERR_NONE, "\"codeIntegrityEnabled\":true" },
    { "033-row-early-launch-antimalware-elam", "quotes/gce-windows", "wbcl.bin", NULL, true, true, ERR_NONE,
      "\"elamDriverLoaded\":true" },
    { "034-row-boot-debugging", "quotes/gce-windows", "wbcl.bin", NULL, true, true, ERR_NONE,
      "\"bootDebuggingDisabled\":true" },
    { "036-row-data-execution-prevention-dep-policy", "quotes/gce-windows", "wbcl.bin", NULL, true, true, ERR_NONE,
      "\"depPolicy\":1" },
    { "037-row-test-and-flight-signing", "quotes/gce-windows", "wbcl.bin", NULL, true, true, ERR_NONE,
      "\"testSigningDisabled\":true" },
    { "038-row-virtual-secure-mode-vbs", "vbs", "synthetic-wbcl.bin", NULL, false, true, ERR_NONE, "\"vbsEnabled\":true" },
    { "100-health-attestation-csp", "quotes/gce-windows", "wbcl.bin", NULL, true, true, ERR_NONE,
      "\"secureBootEnabled\":true|\"codeIntegrityEnabled\":true|\"bootDebuggingDisabled\":true|"
      "\"osKernelDebuggingDisabled\":true|\"depPolicy\":1|\"testSigningDisabled\":true|\"flightSigningNotEnabled\":true|"
      "\"notSafeMode\":true|\"notWinPE\":true|\"bootMgrSvn\":1|\"bitlockerEnabled\":false|\"vbsEnabled\":false|"
      "\"bootRevListInfo\":\"|\"osRevListInfo\":\"" },
    { "100-health-attestation-csp", "vbs", "synthetic-wbcl.bin", NULL, false, true, ERR_NONE,
      "\"secureBootEnabled\":true|\"vbsEnabled\":true|\"iommuEnabled\":true|\"bootDebuggingDisabled\":true" },
};

static void load_pcrs(struct arena *a, const char *path, struct pcr_set *to)
{
    const struct json *j = NULL;

    assert_true(json_parse(test_vector(a, path), JSON_DEPTH, path, a, &j, NULL));
    for (const struct json *b = j->child; b != NULL; b = b->next) {
        struct pcr_bank *bank = pcr_set_bank(to, tpm_bank_named(b->name));

        for (const struct json *v = b->child; v != NULL; v = v->next)
            assert_true(pcr_put(bank, (unsigned)strtoul(arena_str(a, v->name), NULL, 10),
                                test_hex(a, arena_str(a, v->text))));
    }
}

static void load_state(struct arena *a, const struct row *row, struct tpm_state *s)
{
    struct err e = { .code = ERR_NONE };

    tpm_state_open(s, a);
    assert_ok(tpm_state_add(s, false, test_vector(a, arena_printf(a, "tpm/%s/%s", row->folder, row->log)), "log", &e), &e);
    if (row->ima != NULL)
        assert_ok(tpm_state_add(s, true, test_vector(a, arena_printf(a, "tpm/%s/%s", row->folder, row->ima)), "IMA", &e), &e);
    if (strcmp(row->folder, "vbs") == 0) {
        assert_ok(tpm_state_assume(s, "log", &e), &e);
        return;
    }
    load_pcrs(a, arena_printf(a, "tpm/%s/pcrs.json", row->folder), &s->pcrs);
    assert_ok(tpm_state_replay(s, row->allow_sha1, "log", &e), &e);
}

static void check_issued(struct arena *a, const struct row *row, const struct policy_result *r)
{
    struct jobj o = jobj_open(a);
    char *part, *rest = arena_str(a, bytes_str(row->issued));
    struct bytes text;

    claims_to_object(&r->issued, CLAIM_TO_TOKEN, &o);
    text = jobj_print(&o, true);
    if (text.n == 2) { /* claims of a policy may carry no use: print them all */
        o = jobj_open(a);
        for (size_t i = 0; i < r->issued.count; i++)
            jobj_raw(&o, r->issued.list[i].name, claim_value_json(&r->issued.list[i], a));
        text = jobj_print(&o, true);
    }
    while ((part = strsep(&rest, "|")) != NULL)
        if (!bytes_contain(text, bytes_str(part)))
            fail_msg("%s is not issued; issued are %.1500s", part, (const char *)text.p);
}

static void test_row(void **state)
{
    const struct row *row = *state;
    struct policy *p = NULL;
    struct err e = { .code = ERR_NONE };
    struct policy_result r;
    struct tpm_state *s;
    struct claims c;
    struct arena a;
    bool ok;

    arena_init(&a, BUDGET);
    s = arena_new(&a, struct tpm_state);
    load_state(&a, row, s);
    c = claims_open(&a);
    claims_bool(&c, "aikValidated", CLAIM_TO_POLICY, row->aik_validated);
    tpm_state_claims(s, true, &c);
    assert_ok(policy_compile(test_vector(&a, arena_printf(&a, "policies/%s.txt", row->policy)), LIT("Tpm"), &p, NULL, &e), &e);
    ok = policy_eval(p, &c, &a, &r, NULL, &e);
    if (row->code == ERR_NONE) {
        assert_ok(ok, &e);
        check_issued(&a, row, &r);
    } else {
        assert_false(ok);
        assert_int_equal(e.code, row->code);
    }
    policy_free(p);
    arena_done(&a);
}

int main(void)
{
    struct suite s = { 0 };
    char name[160];

    if (test_vectors() == NULL) {
        suite_add_skipped(&s, "policies over boot logs");
        return suite_run("tpm_policy", &s);
    }
    for (size_t i = 0; i < COUNT(rows); i++) {
        snprintf(name, sizeof(name), "%s over %s%s", rows[i].policy, rows[i].folder, rows[i].ima != NULL ? " with IMA" : "");
        suite_add(&s, name, test_row, (void *)(uintptr_t)&rows[i]);
    }
    return suite_run("tpm_policy", &s);
}

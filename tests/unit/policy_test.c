/* policy_test.c: every published policy, every evaluation vector, golden diagnostics, traces, budgets, tokens. */
#include "testing.h"

#include "policy/policy_priv.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

/* -- the texts of vectors/policies -- */

/* clang-format off */
static const struct text_row {
    const char *file;
    unsigned line, column;   /* 0: accepted */
    const char *code, *message, *suggestion, *rule;
} texts[] = {
    { "001-author-overview-broken.txt", 4, 12, "mismatched-input",
      "mismatched input '=' expecting {'==', '!=', '<', '<=', '>', '>='}", "did you mean '=='?",
      "policy > authorizationRules > claimRule > condition > propertyCondition" },
    { "002-author-deny-all.txt" }, { "003-author-permit-secureboot.txt" }, { "004-author-issue-literal.txt" },
    { "005-sgx-custom-placeholders.txt", 5, 50, "mismatched-input", "mismatched input '<' expecting expression", NULL,
      "policy > authorizationRules > claimRule > condition > propertyCondition > expression" },
    { "006-sgx-default-1.1.txt" }, { "007-sgx-multi-signer.txt" }, { "008-sgx-rotation-before.txt" },
    { "009-sgx-rotation-after.txt" },
    { "010-functions-sample-single-equals.txt", 13, 38, "mismatched-input",
      "mismatched input '=' expecting {'==', '!=', '<', '<=', '>', '>='}", "did you mean '=='?",
      "policy > issuanceRules > claimRule > condition > propertyCondition" },
    { "011-tcb-baseline-curly-quote.txt", 5, 45, "token-recognition", "token recognition error at: '\xe2\x80\x9d'",
      "a typographic quote does not close a string", "policy > configurationRules > claimRule > action" },
    { "012-tpm-1.0.txt" }, { "013-tpm-1.1-configuration.txt" },
    { "014-tpm-1.2-missing-type.txt", 23, 51, "mismatched-input",
      "mismatched input '\"PlatformAttested\"' expecting {'claim', 'type', 'value', 'valueType'}", "did you mean type=...?",
      "policy > issuanceRules > claimRule > action > claimExpr" },
    { "015-tpm-simple.txt" }, { "016-tpm-linux-ima.txt" }, { "017-tpm-key-attestation-issue.txt" },
    { "018-tpm-1.0-six-conditions.txt" }, { "019-tpm-1.2-properties.txt" }, { "020-tpm-known-pcrs.txt" },
    { "021-vbs-enclave-identity.txt" }, { "022-tpm-issue-raw-events.txt" }, { "023-tpm-driver-list.txt" },
    { "024-tpm-key-attestation-authorize.txt" },
    { "030-row-secure-boot.txt", 11, 72, "not-bound", "'c' is not bound", "bind it in a condition before",
      "policy > issuanceRules > claimRule > action" },
    { "031-row-code-integrity.txt" }, { "032-row-bitlocker-boot-state.txt" },
    { "033-row-early-launch-antimalware-elam.txt" }, { "034-row-boot-debugging.txt" }, { "035-row-kernel-debugging.txt" },
    { "036-row-data-execution-prevention-dep-policy.txt" }, { "037-row-test-and-flight-signing.txt" },
    { "038-row-virtual-secure-mode-vbs.txt" }, { "039-row-hypervisor-protected-code-integrity-hvci.txt" },
    { "040-row-code-integrity-ci-policy.txt" }, { "041-row-secure-boot-configuration-policy-hash-sb.txt" },
    { "042-row-system-guard-drtm-validation-and-smm-lev.txt" }, { "043-row-boot-revision-list.txt" },
    { "044-row-pcr-value-evaluation.txt" }, { "050-default-cyrescomponent-2020.txt" }, { "051-default-sgx-2020.txt" },
    { "052-default-sgx-2021.txt" }, { "053-default-sevsnpvm.txt" }, { "054-default-tdxvm.txt" },
    { "055-default-azurevm-clauses.txt" }, { "056-constellation.txt" }, { "057-sdk-net-disallow-debugging-compact.txt" },
    { "058-sdk-minimal.txt" }, { "059-sdk-js-draft.txt" }, { "060-sdk-python-draft.txt" }, { "061-cli-text-sgx.txt" },
    { "062-powershell-tee-future.txt" }, { "063-vbs-no-security.txt" }, { "064-sql-always-encrypted.txt" },
    { "065-azurevm-vmid.txt" }, { "066-intel-migration.txt" }, { "067-snp-cua.txt" },
    { "068-sdk-cpp-draft-custom-name.txt" }, { "069-sdk-cpp-set-policy.txt" }, { "070-sample-add-custom-claim.txt" },
    { "071-sample-deny-all.txt" }, { "072-sample-permit-secure-boot.txt" }, { "073-blog-aad-sgx-1.1.txt" },
    { "080-legacy-json-allow-debug.txt", 1, 1, "mismatched-input", "mismatched input '{' expecting 'version'",
      "the JSON policies of before version 1.0", "policy > versionInfo" },
    { "081-legacy-json-disable-debug.txt", 1, 1, "mismatched-input", "mismatched input '{' expecting 'version'",
      "the JSON policies of before version 1.0", "policy > versionInfo" },
    { "082-grammar-two-variables.txt" }, { "083-fn-jmespath-literal.txt" },
    { "084-fn-jmespath-claims-single-equals.txt", 8, 9, "mismatched-input",
      "mismatched input '=' expecting {'==', '!=', '<', '<=', '>', '>='}", "did you mean '=='?",
      "policy > issuanceRules > claimRule > condition > propertyCondition" },
    { "085-fn-jsontoclaimvalue.txt" }, { "086-fn-issubsetof.txt" },
    { "087-fn-appendstring-unbound.txt", 8, 86, "not-bound", "'c1' is not bound", "did you mean 'c'?",
      "policy > issuanceRules > claimRule > action > claimExpr > expression" },
    { "088-fn-negatebool-misspelt.txt", 8, 47, "unknown-function", "function 'NegateBol' is not known",
      "did you mean 'NegateBool'?", "policy > issuanceRules > claimRule > action > claimExpr > expression" },
    { "089-fn-containsonlyvalue-arity.txt", 8, 45, "argument-count", "function 'ContainsOnlyValue' takes 2 arguments", "1 given",
      "policy > issuanceRules > claimRule > action > claimExpr > expression" },
    { "090-fn-not-no-semicolon.txt", 9, 1, "mismatched-input", "mismatched input '}' expecting ';'",
      "a ';' is missing behind ')' in line 8", "policy > issuanceRules > claimRule" },
    { "100-health-attestation-csp.txt" },
};
/* clang-format on */

static const struct policy_problem *first_error(const struct policy_diagnostics *d)
{
    for (size_t i = 0; i < d->count; i++)
        if (!d->list[i].warning)
            return &d->list[i];
    fail_msg("no error among %zu problems", d->count);
    return NULL;
}

static void assert_has(const char *text, const char *part)
{
    if (part != NULL && (text == NULL || strstr(text, part) == NULL))
        fail_msg("'%s' does not contain '%s'", text == NULL ? "(nothing)" : text, part);
}

/* Printing gives a text that parses to the same tree, and prints the same again. */
static void assert_round_trip(struct arena *a, const struct policy *p)
{
    struct out once = out_open(a), twice = out_open(a);
    struct policy *again;
    struct err e = { 0 };

    assert_true(policy_print(p, &once));
    assert_ok(policy_compile(out_view(&once), policy_type(p), &again, NULL, &e), &e);
    assert_true(policy_same(p, again));
    assert_true(policy_print(again, &twice));
    assert_bytes_equal(out_view(&once), out_view(&twice));
    policy_free(again);
}

static void published_text(void **state)
{
    const struct text_row *row = *state;
    struct arena a;
    struct policy *p = NULL;
    struct policy_diagnostics d;
    struct err e = { 0 };
    const struct policy_problem *first;
    char path[300];
    bool ok;

    arena_init(&a, 64 << 20);
    d = policy_diagnostics_open(&a);
    snprintf(path, sizeof(path), "policies/%s", row->file);
    ok = policy_compile(test_vector(&a, path), LIT(""), &p, &d, &e);
    if (row->line == 0) {
        assert_ok(ok, &e);
        assert_int_equal(d.errors, 0);
        assert_round_trip(&a, p);
        policy_free(p);
    } else {
        assert_false(ok);
        first = first_error(&d);
        if (first->line != row->line || first->column != row->column)
            fail_msg("error is at %u:%u: %s", first->line, first->column, first->message);
        assert_string_equal(first->code, row->code);
        assert_string_equal(first->message, row->message);
        assert_has(first->suggestion, row->suggestion);
        assert_has(first->rule, row->rule);
        assert_refused(&e, ERR_POLICY_SYNTAX, row->message);
    }
    arena_done(&a);
}

/* -- evaluation vectors -- */

static const struct json *vector_json(struct arena *a, const char *name)
{
    char path[300];
    const struct json *j = NULL;
    struct err e = { 0 };

    snprintf(path, sizeof(path), "policies/eval/%s", name);
    assert_ok(json_parse(test_vector(a, path), 64, name, a, &j, &e), &e);
    return j;
}

static struct bytes text_of(const struct json *j)
{
    struct bytes b = { NULL, 0 };

    if (!json_string(j, &b))
        fail_msg("a string is missing in the vector");
    return b;
}

static struct claim claim_of(const struct json *j)
{
    const struct json *v = json_member(j, "value");
    struct bytes issuer = text_of(json_member(j, "issuer"));
    struct claim c = { .name = text_of(json_member(j, "type")), .use = CLAIM_TO_BOTH };
    bool read_only = false;

    c.issuer = bytes_is(issuer, "CustomClaim") ? ISSUER_CUSTOM
        : bytes_is(issuer, "AttestationPolicy") ? ISSUER_POLICY : ISSUER_SERVICE;
    if (json_bool(json_member(j, "readOnly"), &read_only) && read_only)
        c.use |= CLAIM_READ_ONLY;
    if (json_bool(v, &c.boolean))
        c.type = CLAIM_BOOLEAN;
    else if (json_int(v, &c.integer))
        c.type = CLAIM_INTEGER;
    else
        c.text = text_of(v);
    return c;
}

static struct bytes sorted_text(struct arena *a, const struct json *j)
{
    struct out o = out_open(a);

    json_print(&o, j, true);
    return out_view(&o);
}

static struct bytes without_blanks(struct arena *a, struct bytes b)
{
    struct out o = out_open(a);

    for (size_t i = 0; i < b.n; i++)
        if (b.p[i] != ' ')
            out_char(&o, (char)b.p[i]);
    return out_view(&o);
}

static void assert_json(struct arena *a, struct bytes got, const struct json *expected, const char *what)
{
    struct bytes text = sorted_text(a, expected);

    if (!bytes_equal(got, text))
        fail_msg("%s: got %.*s, expected %.*s", what, (int)got.n, (const char *)got.p, (int)text.n, (const char *)text.p);
}

static void assert_added(const struct claims *added, const struct json *expected)
{
    size_t i = 0;

    assert_int_equal(added->count, expected->count);
    for (const struct json *j = expected->child; j != NULL; j = j->next, i++) {
        struct claim c = claim_of(j);

        if (!claim_same(&c, &added->list[i]))
            fail_msg("claim %zu is %.*s, expected %.*s", i, (int)added->list[i].name.n, (const char *)added->list[i].name.p,
                     (int)j->raw.n, (const char *)j->raw.p);
        assert_string_equal(claim_type_name(added->list[i].type), claim_type_name(c.type));
    }
}

static struct policy *vector_policy(struct arena *a, const struct json *j)
{
    struct bytes text;
    struct policy *p = NULL;
    struct err e = { 0 };
    char path[300];

    if (json_member(j, "policyText") != NULL) {
        text = text_of(json_member(j, "policyText"));
    } else {
        struct bytes file = text_of(json_member(j, "policy"));

        snprintf(path, sizeof(path), "policies/eval/%.*s", (int)file.n, (const char *)file.p);
        text = test_vector(a, path);
    }
    assert_ok(policy_compile(text, LIT(""), &p, NULL, &e), &e);
    return p;
}

static void eval_vector(void **state)
{
    struct arena a;
    const struct json *j, *expect;
    struct claims in;
    struct policy *p;
    struct policy_result r = { 0 };
    struct policy_trace trace;
    struct err e = { 0 };
    struct bytes wanted;
    bool ok;

    arena_init(&a, 64 << 20);
    in = claims_open(&a);
    trace = policy_trace_open(&a);
    j = vector_json(&a, *state);
    p = vector_policy(&a, j);
    for (const struct json *c = json_member(j, "incoming")->child; c != NULL; c = c->next)
        claims_add(&in, claim_of(c));
    ok = policy_eval(p, &in, &a, &r, &trace, &e);
    expect = json_member(j, "expect");
    wanted = text_of(json_member(expect, "result"));
    if (bytes_is(wanted, "permit")) {
        struct jobj token = jobj_open(&a), properties = jobj_open(&a);
        struct claims none = claims_open(&a);

        assert_ok(ok, &e);
        assert_int_equal(trace.decision, POLICY_PERMITTED);
        assert_ok(policy_token_members(p, &none, &r, &token, &e), &e);
        assert_json(&a, jobj_print(&token, true), json_member(expect, "token"), "token");
        claims_to_object(&r.properties, UINT32_MAX, &properties);
        if (json_member(expect, "properties") != NULL)
            assert_json(&a, jobj_print(&properties, true), json_member(expect, "properties"), "properties");
        if (json_member(expect, "added") != NULL)
            assert_added(&r.added, json_member(expect, "added"));
    } else {
        assert_false(ok);
        if (bytes_is(wanted, "deny")) {
            struct bytes rule = without_blanks(&a, text_of(json_member(expect, "rule")));

            assert_refused(&e, ERR_POLICY_DENIED, "A Deny claim was issued, authorization failed.]\nPolicyValidationFailure: ");
            assert_true(bytes_contain(without_blanks(&a, bytes_str(e.why)), rule));
            assert_int_equal(trace.decision, POLICY_DENIED);
            assert_non_null(trace.decisive);
        } else if (bytes_is(wanted, "no-permit")) {
            assert_refused(&e, ERR_POLICY_DENIED, "No Permit claim was issued in the authorizationrules section");
            assert_int_equal(trace.decision, POLICY_NOT_PERMITTED);
        } else {
            assert_refused(&e, ERR_POLICY_EVALUATION, "Policy Engine Exception: ");
            assert_int_equal(trace.decision, POLICY_FAILED);
        }
    }
    policy_free(p);
    arena_done(&a);
    free(*state);
}

/* -- golden diagnostics: a text, then what is told -- */

/* clang-format off */
static const struct golden {
    const char *name, *text, *told; /* policy_diagnostics_print with file "p" */
} goldens[] = {
    { "misspelt property", "version=1.0;\nauthorizationrules\n{\n    c:[type==\"x\", vlaue==false] => permit();\n};\n",
      "p:4:19: error: mismatched input 'vlaue' expecting {'type', 'value', 'valueType', 'issuer'}; did you mean 'value'?\n"
      "        c:[type==\"x\", vlaue==false] => permit();\n"
      "                      ^~~~~\n"
      "    expected: {'type', 'value', 'valueType', 'issuer'}\n" },
    { "missing semicolon, and more behind it",
      "version=1.0;\nauthorizationrules {\n [type==\"a\"] => permit()\n [type=\"b\"] => deny();\n => premit();\n};",
      "p:4:2: error: mismatched input '[' expecting ';'; a ';' is missing behind ')' in line 3\n"
      "     [type=\"b\"] => deny();\n     ^\n    expected: ';'\n"
      "p:4:7: error: mismatched input '=' expecting {'==', '!=', '<', '<=', '>', '>='}; did you mean '=='?\n"
      "     [type=\"b\"] => deny();\n          ^\n    expected: {'==', '!=', '<', '<=', '>', '>='}\n"
      "p:5:5: error: mismatched input 'premit' expecting {'permit', 'deny', 'add'}; did you mean 'permit'?\n"
      "     => premit();\n        ^~~~~~\n    expected: {'permit', 'deny', 'add'}\n" },
    { "typographic quotes", "version=1.0;\nauthorizationrules{ [type==\xe2\x80\x9cx\xe2\x80\x9d] => permit(); };",
      "p:2:28: error: token recognition error at: '\xe2\x80\x9c'; a typographic quote is no quote; write \"\n"
      "    authorizationrules{ [type==\xe2\x80\x9cx\xe2\x80\x9d] => permit(); };\n                               ^\n"
      "p:2:30: error: token recognition error at: '\xe2\x80\x9d'; a typographic quote is no quote; write \"\n"
      "    authorizationrules{ [type==\xe2\x80\x9cx\xe2\x80\x9d] => permit(); };\n                                 ^\n" },
    { "unterminated string", "version=1.0;\nauthorizationrules{ [type==\"x] => permit(); };",
      "p:2:28: error: unterminated string; close the string with \"\n"
      "    authorizationrules{ [type==\"x] => permit(); };\n                               ^\n" },
    { "unterminated comment", "version=1.0; /* no end",
      "p:1:14: error: unterminated comment; close the comment with */\n    version=1.0; /* no end\n                 ^~\n" },
    { "version", "version=1.3;\nauthorizationrules{=>permit();};",
      "p:1:9: error: unsupported version '1.3'\n    version=1.3;\n            ^~~\n    expected: {1.0, 1.1, 1.2}\n" },
    { "misspelt section", "version=1.0;\nauthorisationrules{=>permit();};",
      "p:2:1: error: mismatched input 'authorisationrules' expecting 'authorizationrules'; did you mean 'authorizationrules'?\n"
      "    authorisationrules{=>permit();};\n    ^~~~~~~~~~~~~~~~~~\n    expected: 'authorizationrules'\n" },
    { "no version", "authorizationrules{=>permit();};",
      "p:1:1: error: mismatched input 'authorizationrules' expecting 'version'\n"
      "    authorizationrules{=>permit();};\n    ^~~~~~~~~~~~~~~~~~\n    expected: 'version'\n" },
    { "empty text", "", "p:1:1: error: mismatched input '<EOF>' expecting 'version'; begin with version=1.0;\n    \n    ^\n    expected: 'version'\n" },
    { "permit in issuance", "version=1.0;authorizationrules{=>permit();};issuancerules{=>permit();};",
      "p:1:61: error: action 'permit' is not allowed in issuancerules; permit() and deny() stand in authorizationrules\n"
      "    version=1.0;authorizationrules{=>permit();};issuancerules{=>permit();};\n"
      "                                                                ^~~~~~\n" },
    { "bound twice, compared in vain", "version=1.0;\nauthorizationrules{\nc:[type==1] && c:[value<\"a\"] => permit();\n};",
      "p:3:10: error: operator '==' needs a string; 'type' is always a string\n"
      "    c:[type==1] && c:[value<\"a\"] => permit();\n             ^\n"
      "p:3:16: error: 'c' is bound twice; give each condition of a rule a name of its own\n"
      "    c:[type==1] && c:[value<\"a\"] => permit();\n                   ^\n"
      "p:3:25: error: operator '<' needs an integer\n"
      "    c:[type==1] && c:[value<\"a\"] => permit();\n                            ^~~\n" },
    { "1.0 knows no negation", "version=1.0;\nauthorizationrules{\n![type==\"a\"] => permit();\n};",
      "p:3:1: error: mismatched input '!' expecting {'[', identifier, '=>'}; a negated condition ![...] needs version=1.2\n"
      "    ![type==\"a\"] => permit();\n    ^\n    expected: {'[', identifier, '=>'}\n" },
    { "property twice and missing", "version=1.0;\nauthorizationrules{\n=> add(type=\"a\", type=\"b\");\n};",
      "p:3:4: error: property 'value' missing; write add(type=..., value=...)\n"
      "    => add(type=\"a\", type=\"b\");\n       ^~~\n"
      "p:3:18: error: property 'type' given twice\n"
      "    => add(type=\"a\", type=\"b\");\n                     ^~~~\n" },
    { "integer range", "version=1.0;\nauthorizationrules{[value==9223372036854775808] => permit();};",
      "p:2:28: error: integer out of range\n"
      "    authorizationrules{[value==9223372036854775808] => permit();};\n                               ^~~~~~~~~~~~~~~~~~~\n"
      "    expected: -9223372036854775808 to 9223372036854775807\n" },
    { "columns are code points", "version=1.0;\nauthorizationrules{[type==\"\xc3\xa9\xc3\xa9\", x==1] => permit();};",
      "p:2:33: error: mismatched input 'x' expecting {'type', 'value', 'valueType', 'issuer'}\n"
      "    authorizationrules{[type==\"\xc3\xa9\xc3\xa9\", x==1] => permit();};\n                                    ^\n"
      "    expected: {'type', 'value', 'valueType', 'issuer'}\n" },
    { "configuration", "version=1.1;\nconfigurationrules{\n=> issueproperty(type=\"required_pcr_mask\", value=16777216);\n"
      "=> issueproperty(type=\"require_valid_aik_cert\", value=1);\n=> issueproperty(type=\"x-ms-sgx-tcbidentifier\", value=\"new\");\n};\n"
      "authorizationrules{};",
      "p:3:50: error: property 'required_pcr_mask' is 16777216; 0 to 16777215 is accepted\n"
      "    => issueproperty(type=\"required_pcr_mask\", value=16777216);\n                                                     ^~~~~~~~\n"
      "p:4:55: error: property 'require_valid_aik_cert' needs a boolean\n"
      "    => issueproperty(type=\"require_valid_aik_cert\", value=1);\n                                                          ^\n"
      "p:5:55: error: property 'x-ms-sgx-tcbidentifier' is no baseline\n"
      "    => issueproperty(type=\"x-ms-sgx-tcbidentifier\", value=\"new\");\n"
      "                                                          ^~~~~\n"
      "    expected: \"azuredefault\" or the decimal number of a TCB baseline\n" },
    { "configuration of collateral", "version=1.1;\nconfigurationrules{\n=> issueproperty(type=\"x-avouch-collateral-max-age\", value=3599);\n"
      "=> issueproperty(type=\"x-avouch-tcb-sets\", value=\"all\");\n=> issueproperty(type=\"x-avouch-tcb-sets\", value=true);\n"
      "=> issueproperty(type=\"x-avouch-collateral-max-age\", value=\"1 h\");\n};\n"
      "authorizationrules{};",
      "p:3:60: error: property 'x-avouch-collateral-max-age' is 3599; 3600 to 315360000 is accepted\n"
      "    => issueproperty(type=\"x-avouch-collateral-max-age\", value=3599);\n"
      "                                                               ^~~~\n"
      "p:4:50: error: property 'x-avouch-tcb-sets' is neither \"one\" nor \"both\"\n"
      "    => issueproperty(type=\"x-avouch-tcb-sets\", value=\"all\");\n"
      "                                                     ^~~~~\n"
      "    expected: \"one\" or \"both\"\n"
      "p:5:50: error: property 'x-avouch-tcb-sets' needs a string\n"
      "    => issueproperty(type=\"x-avouch-tcb-sets\", value=true);\n"
      "                                                     ^~~~\n"
      "p:6:60: error: property 'x-avouch-collateral-max-age' needs an integer\n"
      "    => issueproperty(type=\"x-avouch-collateral-max-age\", value=\"1 h\");\n"
      "                                                               ^~~~~\n" },
    { "warnings", "version=1.2;\nauthorizationrules{\n=> permit();\n};\nissuancerules{\n"
      "c:[type==\"events\"] => issue(type=\"nonce\", value=JmesPath(c.value, \"a[?b == true]\"));\n"
      "=> issueproperty(type=\"omit_x5\", value=true);\nc:[type==\"e\"] => add(type=\"f\", value=JmesPath(c.value, \"a[\"));\n};",
      "p:3:1: warning: this policy permits everything; put conditions on permit() unless that is meant\n"
      "    => permit();\n    ^~~~~~~~~~~~\n"
      "p:6:34: warning: \"nonce\" is a name of the service; issuing another value than the service's own fails the attestation\n"
      "    c:[type==\"events\"] => issue(type=\"nonce\", value=JmesPath(c.value, \"a[?b == true]\"));\n"
      "                                     ^~~~~~~\n"
      "p:6:67: warning: bare true is a field of that name; write == `true`\n"
      "    c:[type==\"events\"] => issue(type=\"nonce\", value=JmesPath(c.value, \"a[?b == true]\"));\n"
      "                                                                      ^~~~~~~~~~~~~~~\n"
      "p:7:23: warning: property \"omit_x5\" is not known in issuancerules; did you mean 'omit_x5c'?\n"
      "    => issueproperty(type=\"omit_x5\", value=true);\n                          ^~~~~~~~~\n"
      "p:8:56: warning: the query is not valid JMESPath: syntax: at offset 2: the end of the expression cannot stand here; "
      "expected a number, ':' or '*'; the rule will fail when it is evaluated\n"
      "    c:[type==\"e\"] => add(type=\"f\", value=JmesPath(c.value, \"a[\"));\n"
      "                                                           ^~~~\n" },
    { "claims near known ones", "version=1.0;\nauthorizationrules{\nc:[type==\"x-ms-sgx-mrsingner\"] && [type==\"mine\"] => permit();\n};\n"
      "issuancerules{\nc:[type==\"mrsigner\"] => issue(claim=c);\n};",
      "p:3:10: warning: no evidence yields a claim of this type; did you mean 'x-ms-sgx-mrsigner'?\n"
      "    c:[type==\"x-ms-sgx-mrsingner\"] && [type==\"mine\"] => permit();\n             ^~~~~~~~~~~~~~~~~~~~\n" },
};
/* clang-format on */

static void golden(void **state)
{
    const struct golden *g = *state;
    struct arena a;
    struct policy *p = NULL;
    struct policy_diagnostics d;
    struct err e = { 0 };
    struct out o;

    arena_init(&a, 16 << 20);
    d = policy_diagnostics_open(&a);
    o = out_open(&a);
    if (policy_compile(bytes_str(g->text), LIT("SgxEnclave"), &p, &d, &e))
        policy_free(p);
    policy_diagnostics_print(&d, "p", &o);
    assert_string_equal((const char *)out_view(&o).p, g->told);
    assert_int_equal(e.code, d.errors == 0 ? ERR_NONE : ERR_POLICY_SYNTAX);
    arena_done(&a);
}

/* -- single facts -- */

static struct policy *compile(const char *text, const char *type)
{
    struct policy *p = NULL;
    struct err e = { 0 };

    assert_ok(policy_compile(bytes_str(text), bytes_str(type), &p, NULL, &e), &e);
    return p;
}

static void rest_message(void **state)
{
    struct arena a;
    struct policy *p;
    struct policy_diagnostics d;
    struct err e = { 0 };

    (void)state;
    arena_init(&a, 1 << 20);
    d = policy_diagnostics_open(&a);
    /* the recorded message: Offending symbol '[', Line 2, Column 1 */
    assert_false(policy_compile(LIT("version=1.0\n[type==\"x\"] => permit();"), LIT(""), &p, &d, &e));
    assert_string_equal(policy_rest_message(&d, &a),
                        "Native operation failed with 65526: Invalid policy was specified Msg:[Policy Parser Exception Thrown: "
                        "Offending symbol: '['\nLine: '2', Column: '1'\nFailure message: 'mismatched input '[' expecting ';''\n"
                        "Failing rule: 'policy > versionInfo']");
    arena_done(&a);
}

static void configuration(void **state)
{
    struct policy *p = compile("version=1.1;configurationrules{=> issueproperty(type=\"required_pcr_mask\", value=15);"
                               "=> issueproperty(type=\"required_pcr_mask\", value=7);"
                               "=> issueproperty(type=\"require_valid_aik_cert\", value=false);};authorizationrules{=>permit();};", "Tpm");
    const struct claim *c = policy_property(p, "required_pcr_mask");

    (void)state;
    assert_non_null(c);
    assert_int_equal(c->integer, 7); /* later assignments replace earlier ones */
    assert_false(policy_property(p, "require_valid_aik_cert")->boolean);
    assert_null(policy_property(p, "x-ms-sgx-tcbidentifier"));
    assert_string_equal(policy_version(p), "1.1");
    policy_free(p);
}

/* Which rows of a policy on one claim list come out how. */
/* clang-format off */
static const struct fact {
    const char *name, *type, *policy; /* policy: rules of authorization, then '|', then rules of issuance */
    enum err_code code;
    const char *result; /* token members, or a part of the reason */
} facts[] = {
    { "deny beats an earlier permit", "", "=>permit(); =>deny();|", ERR_POLICY_DENIED, "PolicyValidationFailure: =>deny();" },
    { "no rule permits", "", "|", ERR_POLICY_DENIED, "No Permit claim" },
    { "the nearest rule is named", "", "[type==\"i\"] && [type==\"s\", value==\"y\"] => permit(); [type==\"no\"] && [type==\"i\"] && [type==\"b\"] => permit();|",
      ERR_POLICY_DENIED, "Nearest rule, line 1, stopped by its condition 2: [type==\"i\"] && [type==\"s\", value==\"y\"] => permit();" },
    { "no coercion", "", "[type==\"i\", value==\"5\"] => permit();|", ERR_POLICY_DENIED, "No Permit claim" },
    { "different types are unequal", "", "[type==\"i\", value!=\"5\"] => permit();|", ERR_NONE, "{}" },
    { "order", "", "[type==\"i\", value<6, value<=5, value>4, value>=5] => permit();|", ERR_NONE, "{}" },
    { "order of a string is false", "", "[type==\"s\", value<6] => permit();|", ERR_POLICY_DENIED, "No Permit claim" },
    { "valueType and issuer", "", "[type==\"i\", valueType==\"Integer\", issuer==\"AttestationService\"] => permit();|", ERR_NONE, "{}" },
    { "a copy keeps its issuer", "", "=>permit();|c:[type==\"i\"] => issue(claim=c); [type==\"i\", issuer==\"AttestationPolicy\"] => issue(type=\"x\", value=1);",
      ERR_NONE, "{\"i\":5}" },
    { "every pair of types and values", "", "c:[type==\"m\"] => add(type=c.value, value=c.value); => permit();|c:[type==\"1\"] => issue(claim=c);",
      ERR_NONE, "{\"1\":[\"1\",\"2\"]}" },
    { "rules see what earlier rules added", "", "=> add(type=\"n\", value=1); [type==\"n\", value==1] => permit();|", ERR_NONE, "{}" },
    { "a rule does not see what it adds", "", "![type==\"n\"] => add(type=\"n\", value=1); ![type==\"n\"] => deny(); => permit();|", ERR_NONE, "{}" },
    { "type from an integer", "", "=>permit();|c:[type==\"i\"] => issue(type=c.value, value=1);", ERR_POLICY_EVALUATION, "issue: type must be a string" },
    { "valueType denies", "", "=>permit();|c:[type==\"i\"] => issue(type=\"a\", value=c.value, valueType=\"String\");", ERR_POLICY_EVALUATION,
      "issue: a value is of type Integer" },
    { "read-only is never issued", "", "=>permit();|c:[type==\"ro\"] => issue(claim=c);", ERR_POLICY_EVALUATION, "read-only" },
    { "read-only survives AppendString", "", "=>permit();|c:[type==\"ro\"] => add(type=\"a\", value=AppendString(c.value, \"x\")); c:[type==\"a\"] => issue(claim=c);",
      ERR_POLICY_EVALUATION, "read-only" },
    { "several values where one is needed", "", "=>permit();|c:[type==\"m\"] => issue(type=\"a\", value=AppendString(c.value, \"x\"));",
      ERR_POLICY_EVALUATION, "AppendString: argument 1 has 2 values, exactly one String is needed at line 1, column" },
    { "bad query", "", "=>permit();|=> issue(type=\"a\", value=JmesPath(\"{}\", \"a[\"));", ERR_POLICY_EVALUATION, "JmesPath: syntax: " },
    { "not JSON", "", "=>permit();|=> issue(type=\"a\", value=JmesPath(\"{\", \"a\"));", ERR_POLICY_EVALUATION, "JmesPath: argument 1 is not JSON" },
    { "duplicate members are no string", "", "=>permit();|=> issue(type=\"a\", value=JsonToClaimValue(\"{\\\"a\\\":1,\\\"a\\\":2}\"));", ERR_POLICY_EVALUATION, "stands twice" },
    { "1e2 counts as an integer", "", "=>permit();|=> issue(type=\"a\", value=JsonToClaimValue(\" [1.0, 1e2, null, -3] \"));", ERR_NONE, "{\"a\":[1,100,-3]}" },
    { "SGX: policy object", "SgxEnclave", "=>permit();|=> issue(type=\"svn\", value=2); => issue(type=\"mine\", value=true);", ERR_NONE,
      "{\"mine\":true,\"svn\":2,\"x-ms-policy\":{\"mine\":true,\"svn\":2}}" },
    { "SGX: legacy names too, as recorded in 2022", "OpenEnclave", "=>permit();|=> issue(type=\"tee\", value=\"sgx\");", ERR_NONE, "{\"tee\":\"sgx\",\"x-ms-policy\":{\"tee\":\"sgx\"}}" },
    { "SNP: top level only", "SevSnpVm", "=>permit();|=> issue(type=\"mine\", value=true);", ERR_NONE, "{\"mine\":true}" },
    { "reserved names", "", "=>permit();|=> issue(type=\"iss\", value=\"me\");", ERR_POLICY_EVALUATION, "'iss' is a name of the service" },
    { "escapes", "", "=>permit();|=> issue(type=\"a\", value=\"q\\\"b\\\\w\\windows\");", ERR_NONE, "{\"a\":\"q\\\"b\\\\w\\\\windows\"}" },
    { "IsSubsetOf the empty set", "", "=>permit();|c:[type==\"m\"] => issue(type=\"a\", value=IsSubsetOf(c.value, JsonToClaimValue(\"[]\"))); => issue(type=\"b\", value=IsSubsetOf(JsonToClaimValue(\"[]\"), 1));",
      ERR_NONE, "{\"a\":false,\"b\":true}" },
};
/* clang-format on */

static void add_claim(struct claims *c, const char *name, const char *text, unsigned use)
{
    claims_str(c, name, CLAIM_TO_POLICY | use, bytes_str(text));
}

static struct claims some_claims(struct arena *a)
{
    struct claims c = claims_open(a);

    claims_int(&c, "i", CLAIM_TO_POLICY, 5);
    add_claim(&c, "s", "x", 0);
    claims_bool(&c, "b", CLAIM_TO_POLICY, true);
    add_claim(&c, "m", "1", 0);
    add_claim(&c, "m", "2", 0);
    add_claim(&c, "ro", "secret", CLAIM_READ_ONLY);
    add_claim(&c, "token-only", "x", 0);
    c.list[c.count - 1].use = CLAIM_TO_TOKEN;
    return c;
}

static void fact(void **state)
{
    const struct fact *f = *state;
    const char *bar = strchr(f->policy, '|');
    struct arena a;
    struct claims in, none;
    struct policy *p;
    struct policy_result r;
    struct jobj token;
    struct err e = { 0 };
    char text[2000];
    bool ok;

    arena_init(&a, 16 << 20);
    in = some_claims(&a);
    none = claims_open(&a);
    token = jobj_open(&a);
    snprintf(text, sizeof(text), "version=1.2;authorizationrules{%.*s};issuancerules{%s};", (int)(bar - f->policy), f->policy, bar + 1);
    p = compile(text, f->type);
    ok = policy_eval(p, &in, &a, &r, NULL, &e) && policy_token_members(p, &none, &r, &token, &e);
    if (f->code != ERR_NONE) {
        assert_false(ok);
        assert_refused(&e, f->code, f->result);
    } else {
        assert_ok(ok, &e);
        assert_text(jobj_print(&token, true), f->result);
    }
    policy_free(p);
    arena_done(&a);
}

static void properties_of_tokens(void **state)
{
    static const struct {
        const char *type, *value;
        int64_t validity; /* -1: refused */
        bool omit;
    } rows[] = { { "Tpm", "", 1440, false }, { "Tpm", "=> issueproperty(type=\"report_validity_in_minutes\", value=5);"
                 "=> issueproperty(type=\"report_validity_in_minutes\", value=7); => issueproperty(type=\"omit_x5c\", value=true);", 7, true },
                 { "SgxEnclave", "=> issueproperty(type=\"omit_x5c\", value=true);", 0, false },
                 { "Tpm", "c:[type==\"zero\"] => issueproperty(type=\"report_validity_in_minutes\", value=c.value);", -1, false },
                 { "VbsEnclave", "c:[type==\"s\"] => issueproperty(type=\"omit_x5c\", value=c.value);", -1, false } };
    char text[1000];

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct arena a;
        struct claims in;
        struct policy *p;
        struct policy_result r;
        struct err e = { 0 };
        bool ok;

        arena_init(&a, 1 << 20);
        in = some_claims(&a);
        claims_int(&in, "zero", CLAIM_TO_POLICY, 0);
        snprintf(text, sizeof(text), "version=1.0;authorizationrules{=>permit();};issuancerules{%s};", rows[i].value);
        p = compile(text, rows[i].type);
        ok = policy_eval(p, &in, &a, &r, NULL, &e);
        assert_int_equal(ok, rows[i].validity >= 0);
        if (ok) {
            assert_int_equal(r.report_validity_in_minutes, rows[i].validity);
            assert_int_equal(r.omit_x5c, rows[i].omit);
        } else {
            assert_refused(&e, ERR_POLICY_EVALUATION, "issueproperty: ");
        }
        policy_free(p);
        arena_done(&a);
    }
}

/* The service's members stand, equal repetition is allowed, another value is refused, legacy names are the policy's. */
static void service_members(void **state)
{
    static const char head[] = "version=1.0;authorizationrules{=>permit();};issuancerules{";
    static const struct {
        const char *rules, *token;
    } rows[] = {
        { "=> issue(type=\"x-ms-sgx-svn\", value=3);", "{\"iss\":\"https://a\",\"tee\":\"old\",\"x-ms-sgx-svn\":3,\"x-ms-policy\":{\"x-ms-sgx-svn\":3}}" },
        { "=> issue(type=\"x-ms-sgx-svn\", value=4);", NULL },
        { "=> issue(type=\"iss\", value=\"https://b\");", NULL },
        { "=> issue(type=\"tee\", value=\"new\");", "{\"iss\":\"https://a\",\"tee\":\"new\",\"x-ms-sgx-svn\":3,\"x-ms-policy\":{\"tee\":\"new\"}}" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct arena a;
        struct claims service;
        struct policy *p;
        struct policy_result r;
        struct jobj token;
        struct err e = { 0 };
        char text[500];

        arena_init(&a, 1 << 20);
        service = claims_open(&a);
        token = jobj_open(&a);
        jobj_text(&token, "iss", "https://a");
        claims_str(&service, "tee", CLAIM_TO_TOKEN, LIT("old"));
        claims_int(&service, "x-ms-sgx-svn", CLAIM_TO_BOTH, 3);
        snprintf(text, sizeof(text), "%s%s};", head, rows[i].rules);
        p = compile(text, "SgxEnclave");
        assert_ok(policy_eval(p, &service, &a, &r, NULL, &e), &e);
        if (rows[i].token == NULL) {
            assert_false(policy_token_members(p, &service, &r, &token, &e));
            assert_refused(&e, ERR_POLICY_EVALUATION, "is a name of the service");
        } else {
            assert_ok(policy_token_members(p, &service, &r, &token, &e), &e);
            assert_text(jobj_print(&token, false), rows[i].token);
        }
        policy_free(p);
        arena_done(&a);
    }
}

static void trace_of_denied(void **state)
{
    struct arena a;
    struct claims in;
    struct policy *p = compile("version=1.0;\nauthorizationrules{\n [type==\"i\", value==4] => permit();\n"
                               " c:[type==\"s\"] && [type==\"no\"] => permit();\n};", "");
    struct policy_result r;
    struct policy_trace t;
    struct err e = { 0 };
    struct out o;

    (void)state;
    arena_init(&a, 1 << 20);
    in = some_claims(&a);
    t = policy_trace_open(&a);
    assert_false(policy_eval(p, &in, &a, &r, &t, &e));
    o = out_open(&a);
    policy_trace_print(&t, &o);
    assert_string_equal((const char *)out_view(&o).p,
                        "authorizationrules line 3: not fired: [type==\"i\", value==4] => permit();\n"
                        "    fails [type==\"i\", value==4]\n"
                        "        not     i = 5 (Integer, AttestationService): value 5 is not == 4\n"
                        "authorizationrules line 4: not fired: c:[type==\"s\"] && [type==\"no\"] => permit();\n"
                        "    holds c:[type==\"s\"]\n"
                        "        matched s = \"x\" (String, AttestationService)\n"
                        "    fails [type==\"no\"]\n"
                        "        there is no claim of type \"no\"\n"
                        "decision: not-permitted\n");
    assert_string_equal(policy_trace_summary(&t, false, &a),
                        "no rule permitted; the nearest is\nauthorizationrules line 3: not fired: [type==\"i\", value==4] => permit();\n"
                        "    fails [type==\"i\", value==4]\n");
    assert_true(bytes_contain(policy_trace_json(&t, &a), LIT("\"why\":\"value 5 is not == 4\"")));
    assert_true(bytes_contain(policy_trace_json(&t, &a), LIT("\"decision\":\"not-permitted\"")));
    policy_free(p);
    arena_done(&a);
}

static void defaults(void **state)
{
    static const struct {
        const char *type, *file;
    } rows[] = { { "sgxenclave", NULL }, { "OpenEnclave", NULL }, { "SevSnpVm", "053-default-sevsnpvm.txt" },
                 { "TdxVm", "054-default-tdxvm.txt" }, { "AzureGuest", "055-default-azurevm-clauses.txt" } };
    struct arena a;
    struct bytes text;

    (void)state;
    if (test_vectors() == NULL)
        skip();
    arena_init(&a, 1 << 20);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct policy *p;
        struct err e = { 0 };
        char path[200];

        assert_true(policy_default(bytes_str(rows[i].type), &text));
        assert_ok(policy_compile(text, bytes_str(rows[i].type), &p, NULL, &e), &e);
        policy_free(p);
        if (rows[i].file == NULL)
            continue;
        snprintf(path, sizeof(path), "policies/%s", rows[i].file);
        assert_bytes_equal(text, test_vector(&a, path));
    }
    assert_true(policy_default(LIT("Tpm"), &text));
    assert_int_equal(text.n, 0);
    assert_false(policy_default(LIT("Toaster"), &text));
    assert_bytes_equal(policy_default_sgx_v10(), test_vector(&a, "policies/052-default-sgx-2021.txt"));
    arena_done(&a);
}

/* -- limits -- */

static void repeat(struct out *o, const char *part, unsigned n)
{
    while (n-- > 0)
        out_text(o, part);
}

static void limits(void **state)
{
    static const struct {
        const char *head, *part, *tail;
        unsigned fits, breaks;
    } rows[] = {
        { "version=1.0;authorizationrules{", "=>permit();", "};", 4096, 4097 },
        { "version=1.0;authorizationrules{[type==\"a\"]", "&&[type==\"a\"]", "=>permit();};", 63, 64 },
        { "version=1.0;authorizationrules{[type==\"a\"", ",type==\"a\"", "]=>permit();};", 31, 32 },
        { "version=1.0;authorizationrules{[type==\"", "a", "\"]=>permit();};", 65536, 65537 },
        { "version=1.0;authorizationrules{", "a", ":[type==\"a\"]=>permit();};", 128, 129 },
        { "version=1.0;authorizationrules{=>permit();}; //", "a", "", 262097, 262098 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        for (int over = 0; over < 2; over++) {
            struct arena a;
            struct policy *p;
            struct err e = { 0 };
            struct out o;
            bool ok;

            arena_init(&a, 16 << 20);
            o = out_open(&a);
            out_text(&o, rows[i].head);
            repeat(&o, rows[i].part, over ? rows[i].breaks : rows[i].fits);
            out_text(&o, rows[i].tail);
            ok = policy_compile(out_view(&o), LIT(""), &p, NULL, &e);
            if (over) {
                assert_false(ok);
                assert_refused(&e, ERR_POLICY_SYNTAX, "policy too large");
            } else {
                assert_ok(ok, &e);
                policy_free(p);
            }
            arena_done(&a);
        }
}

static void nested_calls(void **state)
{
    (void)state;
    for (unsigned over = 0; over < 2; over++) {
        struct arena a;
        struct policy *p;
        struct err e = { 0 };
        struct out o;

        arena_init(&a, 1 << 20);
        o = out_open(&a);
        out_text(&o, "version=1.2;authorizationrules{=>add(type=\"a\",value=");
        repeat(&o, "NegateBool(", 32 + over);
        out_text(&o, "true");
        repeat(&o, ")", 32 + over);
        out_text(&o, ");};");
        assert_int_equal(policy_compile(out_view(&o), LIT(""), &p, NULL, &e), over == 0);
        if (over == 0)
            policy_free(p);
        else
            assert_refused(&e, ERR_POLICY_SYNTAX, "policy too large");
        arena_done(&a);
    }
}

static void not_utf8(void **state)
{
    struct policy *p;
    struct err e = { 0 };

    (void)state;
    assert_false(policy_compile(LIT("version=1.0;\nauthorizationrules{ //\xff\n};"), LIT(""), &p, NULL, &e));
    assert_refused(&e, ERR_POLICY_SYNTAX, "policy 2:23: token recognition error at: '\\xff'; save the policy as UTF-8");
}

static void byte_order_mark(void **state)
{
    struct policy *p;
    struct err e = { 0 };

    (void)state;
    assert_ok(policy_compile(LIT("\xef\xbb\xbfVersion = 1.0;\r\nAuthorizationRules{=>permit();};"), LIT(""), &p, NULL, &e), &e);
    assert_int_equal(policy_text(p).p[0], 0xef); /* the hash covers it */
    policy_free(p);
}

/* Hostile policies: strings that double, claims that square, queries on queries. All end in a reason, none in a crash. */
static void hostile(void **state)
{
    static const struct {
        const char *once, *again, *reason;
    } rows[] = {
        { "=> add(type=\"s\", value=\"0123456789abcdef0123456789abcdef\");",
          "c:[type==\"s\"] => add(type=\"t\", value=AppendString(c.value, c.value)); c:[type==\"t\"] => add(type=\"s\", value=AppendString(c.value, c.value));",
          "AppendString: " },
        { "=> add(type=\"s\", value=1);", "c:[type==\"s\"] && d:[value!=\"x\"] => add(type=d.type, value=d.value); c:[issuer==\"AttestationPolicy\"] => add(type=c.valueType, value=c.value);", NULL },
        { "=> add(type=\"j\", value=\"[1]\");", "c:[type==\"j\"] => add(type=JmesPath(\"[1]\", \"[@,@] | to_string(@)\"), value=JmesPath(\"[1,2,3,4]\", \"[@,@,@,@][][@,@,@,@][][@,@,@,@][]\"));", NULL },
        { "=> add(type=\"j\", value=\"[1,2,3,4,5,6,7,8,9,10]\");",
          "c:[type==\"j\"] => add(type=\"k\", value=JmesPath(c.value, \"[@,@,@,@,@,@,@,@][].[@,@] | [@,@,@,@] | [][][] | map(&sort(not_null(@, `[]`)), [@, @])\"));", NULL },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct arena a;
        struct claims in;
        struct policy *p;
        struct policy_result r;
        struct err e = { 0 };
        struct out o;

        arena_init(&a, (size_t)512 << 20);
        o = out_open(&a);
        in = claims_open(&a);
        out_text(&o, "version=1.2;authorizationrules{=>permit();};issuancerules{");
        out_text(&o, rows[i].once);
        repeat(&o, rows[i].again, 1000);
        out_text(&o, "};");
        p = compile((const char *)out_view(&o).p, "");
        if (!policy_eval(p, &in, &a, &r, NULL, &e)) {
            assert_int_equal(e.code, ERR_POLICY_EVALUATION);
            assert_refused(&e, ERR_POLICY_EVALUATION, rows[i].reason);
        }
        policy_free(p);
        arena_done(&a);
    }
}

/* Names chosen so that they meet in the table of types: what looking for a place costs is counted like the rest. */
static void colliding_types(void **state)
{
    struct policy *p = compile("version=1.0;authorizationrules{=> permit();};issuancerules{c:[type==\"n\"] => issue(type=c.value, value=1);};", "");
    struct arena a;
    struct claims in;
    struct policy_result r;
    struct err e = { 0 };

    (void)state;
    arena_init(&a, (size_t)256 << 20);
    in = claims_open(&a);
    for (unsigned i = 0, n = 0; n < 8000; i++) {
        char name[16];

        snprintf(name, sizeof(name), "%u", i);
        if ((hash_bytes(2166136261u, bytes_str(name)) & 0x7fff) >= 0x100)
            continue;
        claims_str(&in, "n", CLAIM_TO_POLICY, arena_copy(&a, bytes_str(name)));
        n++;
    }
    assert_false(policy_eval(p, &in, &a, &r, NULL, &e));
    assert_refused(&e, ERR_POLICY_EVALUATION, "more steps than it may take");
    policy_free(p);
    arena_done(&a);
}

/* Whoever reads a refusal is told the rule, not the values of claims: those are in a trace, where it is allowed. */
static void no_values_in_errors(void **state)
{
    static const struct {
        const char *rule, *value, *tells;
    } rows[] = {
        { "issueproperty(type=\"report_validity_in_minutes\", value=JsonToClaimValue(c.value))", "731337731337", "1 to 525600 is accepted" },
        { "issue(type=\"a\", value=JmesPath(c.value, \"a\"))", "{\"731337\":1,\"731337\":2}", "stands twice" },
        { "issue(type=\"a\", value=JmesPath(c.value, \"a\"))", "[731337e999]", "beyond the range" },
        { "issue(type=\"a\", value=JsonToClaimValue(c.value))", "{\"731337\":1,\"731337\":2}", "stands twice" },
        { "issue(type=\"a\", value=JsonToClaimValue(c.value))", "[731337e999]", "beyond the range" },
        { "issue(type=\"a\", value=JmesPath(\"{}\", c.value))", "x731337(@)", "unknown-function" },
        { "issue(type=\"a\", value=JmesPath(\"{}\", c.value))", "`731337e999`", "syntax" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[400];
        struct policy *p;
        struct policy_result r;
        struct claims in;
        struct err e = { 0 };
        struct arena a;

        snprintf(text, sizeof(text), "version=1.2;authorizationrules{=> permit();};issuancerules{c:[type==\"s\"] => %s;};", rows[i].rule);
        p = compile(text, "Tpm");
        arena_init(&a, 1 << 20);
        in = claims_open(&a);
        add_claim(&in, "s", rows[i].value, 0);
        assert_false(policy_eval(p, &in, &a, &r, NULL, &e));
        assert_refused(&e, ERR_POLICY_EVALUATION, rows[i].tells);
        if (strstr(e.why, "731337") != NULL)
            fail_msg("'%s' tells a value", e.why);
        policy_free(p);
        arena_done(&a);
    }
}

/* "0" would be taken for no number at all, and the token would say another baseline than was judged by. */
static void baselines(void **state)
{
    static const struct {
        const char *value;
        bool good;
    } rows[] = { { "azuredefault", true }, { "10", true }, { "17", true }, { "0", false }, { "00", false }, { "010", false }, { "", false }, { "1234567890", false } };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[300];
        struct policy *p;
        struct err e = { 0 };

        snprintf(text, sizeof(text), "version=1.1;configurationrules{=> issueproperty(type=\"x-ms-sgx-tcbidentifier\", value=\"%s\");};authorizationrules{=> permit();};",
                 rows[i].value);
        assert_int_equal(policy_compile(bytes_str(text), LIT("SgxEnclave"), &p, NULL, &e), rows[i].good);
        if (rows[i].good)
            policy_free(p);
        else
            assert_refused(&e, ERR_POLICY_SYNTAX, "is no baseline");
    }
}

/* 16,384 claims of one name against 16,384 of another: sets are indexed, so this takes milliseconds, not seconds. */
static void wide(void **state)
{
    struct arena a;
    struct claims in;
    struct policy *p = compile("version=1.0;authorizationrules{c:[type==\"a\"] && d:[type==\"b\", value==c.value] => permit();};"
                               "issuancerules{c:[type==\"a\"] => issue(claim=c); c:[type==\"b\"] => issue(type=c.value, value=1);};", "");
    struct policy_result r;
    struct jobj token;
    struct err e = { 0 };

    (void)state;
    arena_init(&a, (size_t)256 << 20);
    in = claims_open(&a);
    token = jobj_open(&a);
    for (int i = 0; i < 5000; i++) {
        claims_str(&in, "a", CLAIM_TO_POLICY, bytes_str(arena_printf(&a, "%d", i)));
        claims_str(&in, "b", CLAIM_TO_POLICY, bytes_str(arena_printf(&a, "%d", i + 4999)));
    }
    assert_ok(policy_eval(p, &in, &a, &r, NULL, &e), &e);
    assert_int_equal(r.issued.count, 10000);
    assert_ok(policy_token_members(p, &in, &r, &token, &e), &e);
    assert_true(bytes_contain(jobj_print(&token, true), LIT("\"a\":[\"0\",\"1\"")));
    policy_free(p);
    arena_done(&a);
}

/* Memory: whatever budget the arena has, the answer is a result or ERR_NO_MEMORY. */
static void out_of_memory(void **state)
{
    struct policy *p = compile("version=1.2;authorizationrules{c:[type==\"s\"]=>add(type=\"t\",value=AppendString(c.value,\"x\"));=>permit();};"
                               "issuancerules{c:[type==\"t\"]=>issue(type=\"u\",value=JmesPath(\"[1,2]\",\"[0]\"));};", "");

    (void)state;
    for (size_t budget = 0; budget < 60000; budget += 997) {
        struct arena a, claims_arena;
        struct claims in;
        struct policy_result r;
        struct policy_trace t;
        struct err e = { 0 };

        arena_init(&claims_arena, 1 << 20);
        in = some_claims(&claims_arena);
        arena_init(&a, budget);
        t = policy_trace_open(&a);
        if (!policy_eval(p, &in, &a, &r, &t, &e))
            assert_int_equal(e.code, ERR_NO_MEMORY);
        arena_done(&a);
        arena_done(&claims_arena);
    }
    policy_free(p);
}

/* Each prefix of a policy that uses everything is refused with a place, none crashes. */
static void truncations(void **state)
{
    struct arena a;
    struct bytes text;

    (void)state;
    if (test_vectors() == NULL)
        skip();
    arena_init(&a, 64 << 20);
    text = test_vector(&a, "policies/013-tpm-1.1-configuration.txt");
    while (text.n > 0 && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == ' '))
        text.n--;
    for (size_t n = 0; n < text.n; n++) {
        struct policy *p;
        struct policy_diagnostics d = policy_diagnostics_open(&a);
        struct err e = { 0 };

        if (policy_compile(bytes_part(text, 0, n), LIT("Tpm"), &p, &d, &e)) {
            policy_free(p); /* the issuance section may be absent */
            assert_true(bytes_contain(bytes_part(text, 0, n), LIT("authorizationrules")));
            continue;
        }
        assert_int_equal(e.code, ERR_POLICY_SYNTAX);
        assert_true(first_error(&d)->line >= 1);
    }
    arena_done(&a);
}

static void add_eval_vectors(struct suite *s)
{
    char path[4200];
    DIR *d;

    snprintf(path, sizeof(path), "%s/policies/eval", test_vectors() == NULL ? "" : test_vectors());
    d = opendir(path);
    if (d == NULL) {
        suite_add_skipped(s, "evaluation vectors (missing)");
        return;
    }
    for (struct dirent *f; (f = readdir(d)) != NULL;)
        if (f->d_name[0] != '.')
            suite_add(s, f->d_name, eval_vector, strdup(f->d_name));
    closedir(d);
}

/* A claim may be left out only where no condition could meet it. */
static void reads(void **state)
{
    static const struct {
        const char *rules;
        bool events;
    } rows[] = {
        { "c:[type==\"events\"] => issue(claim=c);", true },
        { "[type==\"aikValidated\", value==true] => issue(type=\"x\", value=1);", false },
        { "[type==\"a\"] && ![type==\"events\"] => issue(type=\"x\", value=1);", true },
        { "c:[value==\"events\"] => issue(claim=c);", true },
        { "c:[issuer==\"AttestationService\"] => issue(claim=c);", true },
        { "c:[type!=\"events\"] => issue(claim=c);", true },
        { "c:[type==\"Events\"] => issue(type=\"events\", value=c.value);", false },
        { "=> issue(type=\"events\", value=1);", false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[512];
        struct policy *p;

        snprintf(text, sizeof(text), "version=1.2;configurationrules{};authorizationrules{=>permit();};issuancerules{%s};", rows[i].rules);
        p = compile(text, "Tpm");
        if (policy_reads(p, LIT("events")) != rows[i].events)
            fail_msg("%s", rows[i].rules);
        policy_free(p);
    }
}

int main(void)
{
    struct suite s = { 0 };

    for (size_t i = 0; i < COUNT(texts); i++)
        if (test_vectors() != NULL)
            suite_add(&s, texts[i].file, published_text, (void *)(uintptr_t)&texts[i]);
        else
            suite_add_skipped(&s, texts[i].file);
    add_eval_vectors(&s);
    for (size_t i = 0; i < COUNT(goldens); i++)
        suite_add(&s, goldens[i].name, golden, (void *)(uintptr_t)&goldens[i]);
    for (size_t i = 0; i < COUNT(facts); i++)
        suite_add(&s, facts[i].name, fact, (void *)(uintptr_t)&facts[i]);
    suite_add(&s, "recorded form of a message", rest_message, NULL);
    suite_add(&s, "configuration properties", configuration, NULL);
    suite_add(&s, "token properties", properties_of_tokens, NULL);
    suite_add(&s, "members of the service", service_members, NULL);
    suite_add(&s, "trace of a denied policy", trace_of_denied, NULL);
    suite_add(&s, "default policies", defaults, NULL);
    suite_add(&s, "limits of a text", limits, NULL);
    suite_add(&s, "nesting of calls", nested_calls, NULL);
    suite_add(&s, "not UTF-8", not_utf8, NULL);
    suite_add(&s, "byte order mark", byte_order_mark, NULL);
    suite_add(&s, "hostile policies", hostile, NULL);
    suite_add(&s, "wide sets", wide, NULL);
    suite_add(&s, "types that collide", colliding_types, NULL);
    suite_add(&s, "no values in errors", no_values_in_errors, NULL);
    suite_add(&s, "names of baselines", baselines, NULL);
    suite_add(&s, "out of memory", out_of_memory, NULL);
    suite_add(&s, "truncations", truncations, NULL);
    suite_add(&s, "which claims are read", reads, NULL);
    return suite_run("policy", &s);
}

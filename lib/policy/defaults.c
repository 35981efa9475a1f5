/* defaults.c: the policies of types where none is set (section 11).
 *
 * These are bytes, not policies: x-ms-policy-hash in tokens is the hash of exactly this text, so nothing here is
 * ever laid out anew. Recorded hashes stand beside the texts; tests compute them. */
#include "policy/policy.h"

#define SGX_ISSUE(from, to) "c:[type==\"" from "\"] => issue(type=\"" to "\", value=c.value);"
#define SGX_RULES                                                                              \
    "authorizationrules{=> permit();};issuancerules{"                                          \
    SGX_ISSUE("x-ms-sgx-is-debuggable", "is-debuggable") SGX_ISSUE("x-ms-sgx-mrsigner", "sgx-mrsigner") \
    SGX_ISSUE("x-ms-sgx-mrenclave", "sgx-mrenclave") SGX_ISSUE("x-ms-sgx-product-id", "product-id")     \
    SGX_ISSUE("x-ms-sgx-svn", "svn") SGX_ISSUE("x-ms-attestation-type", "tee") "};"

/* bROrN897ZfWmWY2V0FLUlu3uwk5xatGnKYHn3zBbSlw */
static const char sgx_v10[] = "version= 1.0;" SGX_RULES;
/* ViVGS4BYl70X8eUrgryHg0TtbEk9WtIc6DtTBEFxaWc */
static const char sgx_v11[] = "version= 1.1;configurationrules{=> issueproperty(type=\"x-ms-sgx-tcbidentifier\", "
                              "value=\"azuredefault\");};" SGX_RULES;
/* 9NY0VnTQ-IiBriBplVUpFbczcDaEBUwsiFYAzHu_gco */
static const char snp[] = "version= 1.0;authorizationrules{=> permit();};";
/* B56nbp5slhw66peoRYkpdq1WykMkEworvdol08hnMXE */
static const char tdx[] = "version= 1.0;\n\nauthorizationrules\n{\n    => permit();\n};\n\nissuancerules\n{\n};";
/* The clauses are the service's; the layout behind its hash is not known, so this text has a hash of its own. */
static const char azure_guest[] = "version= 1.0;\n"
                                  "authorizationrules\n"
                                  "{\n"
                                  "    [type==\"x-ms-azurevm-default-securebootkeysvalidated\", value==false] => deny();\n"
                                  "    [type==\"x-ms-azurevm-debuggersdisabled\", value==false] => deny();\n"
                                  "    [type==\"secureboot\", value==false] => deny();\n"
                                  "    [type==\"x-ms-azurevm-signingdisabled\", value==false] => deny();\n"
                                  "    [type==\"x-ms-azurevm-dbvalidated\", value==false] => deny();\n"
                                  "    [type==\"x-ms-azurevm-dbxvalidated\", value==false] => deny();\n"
                                  "    => permit();\n"
                                  "};\n"
                                  "issuancerules\n"
                                  "{\n"
                                  "};\n";

static const struct {
    const char *type, *text;
} defaults[] = {
    { "SgxEnclave", sgx_v11 }, { "OpenEnclave", sgx_v11 }, { "SevSnpVm", snp },        { "TdxVm", tdx },
    { "AzureGuest", azure_guest }, { "AzureVM", azure_guest }, { "Tpm", "" }, { "VbsEnclave", "" }, { "Vbs", "" },
};

bool policy_default(struct bytes attestation_type, struct bytes *ret)
{
    for (size_t i = 0; i < COUNT(defaults); i++)
        if (bytes_equal_nocase(attestation_type, bytes_str(defaults[i].type))) {
            *ret = bytes_str(defaults[i].text);
            return true;
        }
    return false;
}

struct bytes policy_default_sgx_v10(void)
{
    return LIT(sgx_v10);
}

/* config.h: the one configuration file: INI, every key in a table, unknown ones refused with a suggestion.
 *
 * The parent reads the file; every process reads the same text again from a descriptor. */
#ifndef AVOUCH_OS_CONFIG_H
#define AVOUCH_OS_CONFIG_H

#include "base/arena.h"
#include "base/err.h"

/* clang-format off */
/*     section      key                     default                          meaning (for the manual) */
#define CONFIG_TABLE(X)                                                                                                       \
    X(service,     listen,                 "127.0.0.1:8443",                "address and port of the HTTPS listener")         \
    X(service,     base_url,               "https://localhost:8443",        "URL of the shared provider; issuer of its tokens") \
    X(service,     provider_url,           "https://{name}.localhost:8443", "pattern of a provider's URL; issuer of its tokens") \
    X(service,     state,                  "/var/lib/avouch",               "folder of keys, store and certificates")         \
    X(service,     workers,                "0",                             "fronts and core workers; 0: one per CPU")        \
    X(service,     location,               "Local",                         "location that providers are created in")         \
    X(service,     region,                 "local",                         "short name that providers carry")               \
    X(service,     private_networks,       "",                              "networks (10.0.0.0/8,fd00::/8) whose connections may use providers with publicNetworkAccess Disabled; behind a proxy that is the proxy's address; empty: nobody may, and only the control plane works for them") \
    X(tls,         certificate,            "",                              "PEM chain; empty: a development certificate")    \
    X(tls,         key,                    "",                              "PEM private key")                                \
    X(tls,         client_ca,              "",                              "PEM CAs of operators' client certificates")      \
    X(verify,      accept,                 "OK,SW_HARDENING_NEEDED,CONFIGURATION_NEEDED,CONFIGURATION_AND_SW_HARDENING_NEEDED,TD_RELAUNCH_ADVISED,TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED", "platform statuses that are accepted") \
    X(verify,      expired_grace,          "0",                             "seconds that collateral may be past its end")    \
    X(verify,      mix_evaluation_numbers, "no",                            "TCB info and QE identity of different numbers")  \
    X(verify,      evaluation_number,      "0",                             "what azuredefault stands for; 0: the newest")    \
    X(verify,      collateral_max_age,     "0",                             "seconds since Intel signed TCB info, QE identity and PCK CRL, at least 3600; 0: no limit; the root CA CRL and what AMD issues are exempt") \
    X(verify,      tcb_sets,               "one",                           "both: claims of Intel's standard and early TCB sets beside the one that counts; or one") \
    X(verify,      snp_crl,                "if-present",                     "AMD revocation lists: if-present, required or off") \
    X(verify,      snp_version1,           "no",                             "SEV-SNP reports of version 1 are accepted")     \
    X(verify,      snp_masked_chip_id,     "no",                             "SEV-SNP reports with a masked CHIP_ID are accepted") \
    X(verify,      snp_refuse_debug,       "no",                             "debuggable SEV-SNP guests are refused before any policy") \
    X(verify,      snp_refuse_provisional, "no",                             "provisional AMD firmware is refused before any policy") \
    X(verify,      snp_require_receipt,    "no",                             "container endorsements must carry a ledger receipt") \
    X(verify,      tpm_sha1,               "no",                             "TPM quotes and logs that only SHA-1 covers are accepted") \
    X(verify,      trust,                  "",                              "folder of certificates that are trust anchors too") \
    X(auth,        issuer,                 "",                              "issuers of bearer tokens, as in their iss, with commas between") \
    X(auth,        jwks,                   "",                              "file with the issuer's key set; empty: it is found by discovery") \
    X(auth,        audience,               "https://attest.azure.net",      "audience of tokens for the data plane")          \
    X(auth,        control_audience,       "https://management.azure.com",  "audience of tokens for the control plane")       \
    X(auth,        roles_claim,            "roles",                         "claim with the roles: Role or Role@scope")       \
    X(auth,        role_map,               "",                              "claim value=Role;... for a directory's own names") \
    X(audit,       file,                   "",                              "JSON lines beside the store; empty: none")       \
    X(audit,       keep,                   "90",                            "days that audit records stay in the store; 0: for ever; the file is not shortened") \
    X(metrics,     listen,                 "127.0.0.1:9464",                "address of the metrics listener; empty: none")   \
    X(limits,      rate,                   "0",                             "requests a second of an address; 0: unlimited")  \
    X(limits,      tenant_rate,            "0",                             "requests a second of a provider; 0: unlimited")  \
    X(token,       algorithm,              "RS256",                         "RS256, PS256, ES256 or ES384")                   \
    X(token,       lifetime,               "28800",                         "seconds")                                        \
    X(token,       compatible,             "no",                            "only the recorded members, none of our own")     \
    X(policy,      explain,                "summary",                       "refusals carry a summary or the full trace")     \
    X(collateral,  directory,              "",                              "folder with collateral files of any names")      \
    X(collateral,  intel,                  "",                              "Intel sources in order: pcs, pcs3, pccs:URL, thim[:URL], mirror:URL, none") \
    X(collateral,  amd,                    "",                              "AMD sources in order: kds, thim[:URL], mirror:URL, none") \
    X(collateral,  bundle,                 "",                              "file made by avouch collateral export")          \
    X(collateral,  update,                 "standard",                      "TCB evaluation set that is asked for: standard or early") \
    X(collateral,  proxy,                  "",                              "URL of the proxy of outgoing requests")          \
    X(collateral,  no_proxy,               "169.254.169.254,localhost,127.0.0.1,::1", "hosts that are reached without it")    \
    X(collateral,  ca,                     "",                              "PEM file with CAs of sources, beside those of the system") \
    X(collateral,  wait,                   "5",                             "seconds that a request waits for missing collateral") \
    X(collateral,  timeout,                "3",                             "seconds of one download while another source is left") \
    X(collateral,  pcs_key,                "",                              "file with the subscription key of Intel's service, for PCK certificates") \
    X(collateral,  rate,                   "10",                            "requests a second to one source of Intel collateral") \
    X(collateral,  amd_rate,               "1",                             "requests a second to one source of AMD certificates") \
    X(collateral,  burst,                  "40",                            "requests to one source at once")                 \
    X(collateral,  max_size,               "4194304",                       "bytes of one download")                          \
    X(collateral,  warn,                   "259200",                        "seconds before the end of an item that is not refreshed: a warning") \
    X(collateral,  mirror,                 "cached",                        "PCCS and KDS paths: off, cached, fetch")         \
    X(limits,      body,                   "4194304",                       "bytes of a request body")                        \
    X(limits,      header,                 "32768",                         "bytes of a header block")                        \
    X(limits,      connections,            "4096",                          "connections of a front process")                 \
    X(limits,      idle,                   "60",                            "seconds until an idle connection is closed")     \
    X(limits,      drain,                  "20",                            "seconds that a stop waits for running requests") \
    X(limits,      core_wait,              "10",                            "seconds until an unanswered request gets 503")   \
    X(dev,         clock,                  "",                              "RFC 3339 time at which --dev pretends to start") \
    X(dev,         bearer,                 "dev",                           "bearer token that is an owner's, with --dev")    \
    X(dev,         probe,                  "no",                            "the core answers probes; only with --dev")
/* clang-format on */

enum config_key {
#define X(section, key, otherwise, meaning) CONFIG_##section##_##key,
    CONFIG_TABLE(X)
#undef X
    CONFIG_COUNT,
};

struct config {
    const char *value[CONFIG_COUNT];
    bool dev; /* --dev */
};

/* Defaults, then the text. An unknown section or key, or one that stands twice, is refused. */
bool config_parse(struct bytes text, struct arena *a, struct config *ret, struct err *e) CHECKED;
/* The same as text, for another process. */
struct bytes config_print(const struct config *c, struct arena *a);
bool config_number(const struct config *c, enum config_key k, int64_t min, int64_t max, int64_t *ret, struct err *e) CHECKED;
bool config_yes(const struct config *c, enum config_key k, bool *ret, struct err *e) CHECKED;
/* "section.key", default and meaning of a row. */
const char *config_name(enum config_key k);
const char *config_default(enum config_key k);
const char *config_meaning(enum config_key k);

#endif

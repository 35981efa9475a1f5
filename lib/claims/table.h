/* table.h: every claim that the service itself makes: for the manual, for authors, for the tests that keep both true.
 *
 * A row: of which evidence, name, type, where it goes, meaning. B: policy and token; P: only the policy sees it;
 * T: only the token carries it; O: policy, and the token unless token.compatible is set. */
#ifndef AVOUCH_CLAIMS_TABLE_H
#define AVOUCH_CLAIMS_TABLE_H

/* clang-format off */
#define CLAIM_TABLE(X) \
    X(any, "x-ms-ver",                            String,  B, "version of the form of these claims: 1.0") \
    X(any, "x-ms-attestation-type",               String,  B, "kind of evidence: sgx, sevsnpvm, tdxvm, tpm, azurevm, vbs") \
    X(any, "x-ms-policy-hash",                    String,  B, "base64url of the SHA-256 of the policy text that decided") \
    X(any, "x-ms-policy-signer",                  JSON,    B, "public key and certificates that signed the policy; absent for an unsigned one") \
    X(any, "x-ms-runtime",                        JSON,    B, "runtime data that the evidence binds, where it is JSON") \
    X(any, "x-ms-inittime",                       JSON,    B, "init-time data that the evidence binds, where it is JSON") \
    X(any, "nonce",                               String,  B, "nonce of the request, unchanged") \
    X(any, "x-avouch-dev",                        Boolean, B, "the service runs with --dev: no relying party should accept the token") \
    X(any, "ver",                                 String,  P, "older name of x-ms-ver") \
    X(any, "tee",                                 String,  P, "older name of x-ms-attestation-type") \
    X(any, "policy_hash",                         String,  P, "older name of x-ms-policy-hash") \
    X(any, "maa-policyHash",                      String,  P, "older name of x-ms-policy-hash") \
    X(any, "policy_signer",                       JSON,    P, "older name of x-ms-policy-signer") \
    X(sgx, "x-ms-sgx-is-debuggable",              Boolean, B, "DEBUG of the enclave's ATTRIBUTES") \
    X(sgx, "x-ms-sgx-product-id",                 Integer, B, "ISVPRODID") \
    X(sgx, "x-ms-sgx-svn",                        Integer, B, "ISVSVN") \
    X(sgx, "x-ms-sgx-mrenclave",                  String,  B, "MRENCLAVE, lower-case hexadecimal") \
    X(sgx, "x-ms-sgx-mrsigner",                   String,  B, "MRSIGNER, lower-case hexadecimal") \
    X(sgx, "x-ms-sgx-report-data",                String,  B, "the 64 bytes of REPORTDATA, hexadecimal") \
    X(sgx, "x-ms-sgx-config-id",                  String,  B, "CONFIGID; only of enclaves with KSS") \
    X(sgx, "x-ms-sgx-config-svn",                 Integer, B, "CONFIGSVN; only of enclaves with KSS") \
    X(sgx, "x-ms-sgx-isv-extended-product-id",    String,  B, "ISVEXTPRODID; only of enclaves with KSS") \
    X(sgx, "x-ms-sgx-isv-family-id",              String,  B, "ISVFAMILYID; only of enclaves with KSS") \
    X(sgx, "x-ms-sgx-ehd",                        String,  B, "runtime data that is not JSON, base64url") \
    X(sgx, "aas-ehd",                             String,  B, "older name of x-ms-sgx-ehd") \
    X(sgx, "maa-ehd",                             String,  B, "older name of x-ms-sgx-ehd") \
    X(sgx, "x-ms-sgx-collateral",                 JSON,    B, "SHA-256 of the quote and of each piece of collateral that was used") \
    X(sgx, "maa-attestationcollateral",           JSON,    B, "older name of x-ms-sgx-collateral") \
    X(sgx, "x-ms-sgx-tcbidentifier",              String,  B, "TCB baseline that was demanded: azuredefault or an evaluation number") \
    X(sgx, "x-ms-sgx-tcb-status",                 String,  O, "status of the platform against Intel's TCB info and QE identity") \
    X(sgx, "x-ms-sgx-tcb-eval-number",            Integer, O, "tcbEvaluationDataNumber of the TCB info") \
    X(sgx, "x-ms-sgx-tcb-date",                   String,  O, "tcbDate of the level that matched") \
    X(sgx, "x-ms-sgx-collateral-expiration",      String,  O, "when the first piece of the collateral ends") \
    X(sgx, "x-ms-sgx-advisory-ids",               JSON,    O, "Intel's advisories that apply, an array") \
    X(sgx, "x-ms-sgx-fmspc",                      String,  O, "FMSPC of the PCK certificate") \
    X(sgx, "x-ms-sgx-attributes",                 String,  O, "ATTRIBUTES of the enclave, hexadecimal") \
    X(sgx, "x-ms-sgx-xfrm",                       String,  O, "XFRM of the enclave, hexadecimal") \
    X(sgx, "x-ms-sgx-platform-instance-id",       String,  O, "platform instance of a multi-package platform's certificate") \
    X(sgx, "x-ms-sgx-smt-enabled",                Boolean, O, "hyper-threading, as the PCK certificate says") \
    X(sgx, "x-ms-sgx-dynamic-platform",           Boolean, O, "packages may be added, as the PCK certificate says") \
    X(sgx, "x-ms-sgx-cached-keys",                Boolean, O, "Intel keeps the platform's root keys, as the PCK certificate says") \
    X(sgx, "x-avouch-collateral-max-age",          Integer, O, "seconds that TCB info, QE identity and PCK CRL may be old; only where a limit was set") \
    X(sgx, "x-avouch-tcb-standard-status",         String,  O, "status under the set that is standard: its recovery event is a year past; NOT_AT_HAND; or the error by which it refuses the platform; only with both sets") \
    X(sgx, "x-avouch-tcb-standard-eval-number",    Integer, O, "tcbEvaluationDataNumber of that set") \
    X(sgx, "x-avouch-tcb-standard-date",           String,  O, "tcbDate of the level that matched in that set") \
    X(sgx, "x-avouch-tcb-standard-advisory-ids",   JSON,    O, "advisories that apply under that set, an array") \
    X(sgx, "x-avouch-tcb-standard-missing",        String,  O, "why nothing can be said under that set") \
    X(sgx, "x-avouch-tcb-early-status",            String,  O, "status under the newest set that the vendor lists; NOT_AT_HAND; or the error by which it refuses the platform; only with both sets") \
    X(sgx, "x-avouch-tcb-early-eval-number",       Integer, O, "tcbEvaluationDataNumber of that set") \
    X(sgx, "x-avouch-tcb-early-date",              String,  O, "tcbDate of the level that matched in that set") \
    X(sgx, "x-avouch-tcb-early-advisory-ids",      JSON,    O, "advisories that apply under that set, an array") \
    X(sgx, "x-avouch-tcb-early-missing",           String,  O, "why nothing can be said under that set") \
    X(sgx, "is-debuggable",                       Boolean, P, "older name of x-ms-sgx-is-debuggable, also as $is-debuggable") \
    X(sgx, "product-id",                          Integer, P, "older name of x-ms-sgx-product-id, also as $product-id") \
    X(sgx, "svn",                                 Integer, P, "older name of x-ms-sgx-svn, also as $svn") \
    X(sgx, "sgx-mrenclave",                       String,  P, "older name of x-ms-sgx-mrenclave, also as $sgx-mrenclave") \
    X(sgx, "sgx-mrsigner",                        String,  P, "older name of x-ms-sgx-mrsigner, also as $sgx-mrsigner") \
    X(sgx, "$tee",                                String,  P, "older name of x-ms-attestation-type") \
    X(sgx, "$is-debuggable",                      Boolean, P, "older name of x-ms-sgx-is-debuggable") \
    X(sgx, "$product-id",                         Integer, P, "older name of x-ms-sgx-product-id") \
    X(sgx, "$svn",                                Integer, P, "older name of x-ms-sgx-svn") \
    X(sgx, "$sgx-mrenclave",                      String,  P, "older name of x-ms-sgx-mrenclave") \
    X(sgx, "$sgx-mrsigner",                       String,  P, "older name of x-ms-sgx-mrsigner") \
    X(snp, "x-ms-compliance-status",              String,  B, "azure-compliant-cvm where the measurements are those of a known image; read-only") \
    X(snp, "x-ms-sevsnpvm-authorkeydigest",       String,  B, "AUTHOR_KEY_DIGEST, hexadecimal") \
    X(snp, "x-ms-sevsnpvm-idkeydigest",           String,  B, "ID_KEY_DIGEST, hexadecimal") \
    X(snp, "x-ms-sevsnpvm-familyId",              String,  B, "FAMILY_ID, hexadecimal") \
    X(snp, "x-ms-sevsnpvm-imageId",               String,  B, "IMAGE_ID, hexadecimal") \
    X(snp, "x-ms-sevsnpvm-hostdata",              String,  B, "HOST_DATA, hexadecimal") \
    X(snp, "x-ms-sevsnpvm-launchmeasurement",     String,  B, "MEASUREMENT, hexadecimal") \
    X(snp, "x-ms-sevsnpvm-reportdata",            String,  B, "REPORT_DATA, hexadecimal") \
    X(snp, "x-ms-sevsnpvm-reportid",              String,  B, "REPORT_ID, hexadecimal") \
    X(snp, "x-ms-sevsnpvm-guestsvn",              Integer, B, "GUEST_SVN") \
    X(snp, "x-ms-sevsnpvm-guestsvn-int",          Integer, B, "GUEST_SVN; with container endorsements that of the endorsed utility VM") \
    X(snp, "x-ms-sevsnpvm-vmpl",                  Integer, B, "VMPL of the report's requester") \
    X(snp, "x-ms-sevsnpvm-bootloader-svn",        Integer, B, "boot loader SVN of REPORTED_TCB") \
    X(snp, "x-ms-sevsnpvm-tee-svn",               Integer, B, "TEE SVN of REPORTED_TCB") \
    X(snp, "x-ms-sevsnpvm-snpfw-svn",             Integer, B, "SNP firmware SVN of REPORTED_TCB") \
    X(snp, "x-ms-sevsnpvm-microcode-svn",         Integer, B, "microcode SVN of REPORTED_TCB") \
    X(snp, "x-ms-sevsnpvm-is-debuggable",         Boolean, B, "DEBUG of the guest policy") \
    X(snp, "x-ms-sevsnpvm-migration-allowed",     Boolean, B, "MIGRATE_MA of the guest policy") \
    X(snp, "x-ms-sevsnpvm-smt-allowed",           Boolean, B, "SMT of the guest policy") \
    X(snp, "x-ms-sevsnpvm-singlesocket",          Boolean, B, "SINGLE_SOCKET of the guest policy") \
    X(snp, "x-ms-sevsnpvm-cxl-allowed",           Boolean, B, "CXL_ALLOW of the guest policy") \
    X(snp, "x-ms-sevsnpvm-mem-aes256-xts-required", Boolean, B, "MEM_AES_256_XTS of the guest policy") \
    X(snp, "x-ms-sevsnpvm-rapl-disabled",         Boolean, B, "RAPL_DIS of the guest policy") \
    X(snp, "x-ms-sevsnpvm-ciphertext-hiding-dram-enabled", Boolean, B, "CIPHERTEXT_HIDING_DRAM of the guest policy") \
    X(snp, "x-ms-sevsnpvm-page-swap-disabled",    Boolean, B, "PAGE_SWAP_DISABLE of the guest policy") \
    X(snp, "avouch-snp-product",                  String,  O, "product line by the certificate: Milan, Genoa, Turin") \
    X(snp, "avouch-snp-signing-key",              String,  O, "vcek or vlek") \
    X(snp, "avouch-snp-csp-id",                   String,  O, "CSP_ID of a VLEK certificate") \
    X(snp, "avouch-snp-id-block-verified",        Boolean, O, "the ID block that came with the report is that of its launch, signed by its keys") \
    X(snp, "avouch-snp-report-version",           Integer, O, "VERSION of the report") \
    X(snp, "avouch-snp-fmc-svn",                  Integer, O, "FMC SVN of REPORTED_TCB; Turin and later") \
    X(snp, "avouch-snp-platform-info",            Integer, O, "PLATFORM_INFO") \
    X(snp, "avouch-snp-current-tcb",              String,  O, "CURRENT_TCB, hexadecimal") \
    X(snp, "avouch-snp-committed-tcb",            String,  O, "COMMITTED_TCB, hexadecimal") \
    X(snp, "avouch-snp-launch-tcb",               String,  O, "LAUNCH_TCB, hexadecimal") \
    X(snp, "avouch-snp-launch-mitigations",       Integer, O, "LAUNCH_MIT_VECTOR; version 5") \
    X(snp, "avouch-snp-current-mitigations",      Integer, O, "CURRENT_MIT_VECTOR; version 5") \
    X(tdx, "attester_tcb_status",                 String,  B, "status of the platform against Intel's TCB info") \
    X(tdx, "dbgstat",                             String,  B, "EAT: enabled or disabled") \
    X(tdx, "eat_profile",                         String,  B, "EAT: profile of this set of claims") \
    X(tdx, "intuse",                              String,  B, "EAT: intended use, generic") \
    X(tdx, "tdx_tee_tcb_svn",                     String,  B, "TEE_TCB_SVN, hexadecimal") \
    X(tdx, "tdx_mrseam",                          String,  B, "MRSEAM, hexadecimal") \
    X(tdx, "tdx_mrsignerseam",                    String,  B, "MRSIGNERSEAM, hexadecimal") \
    X(tdx, "tdx_seam_attributes",                 String,  B, "SEAMATTRIBUTES, hexadecimal") \
    X(tdx, "tdx_seamsvn",                         Integer, B, "SVN of the TDX module") \
    X(tdx, "tdx_td_attributes",                   String,  B, "TDATTRIBUTES, hexadecimal") \
    X(tdx, "tdx_td_attributes_debug",             Boolean, B, "DEBUG of TDATTRIBUTES") \
    X(tdx, "tdx_td_attributes_septve_disable",    Boolean, B, "SEPT_VE_DISABLE of TDATTRIBUTES") \
    X(tdx, "tdx_td_attributes_protection_keys",   Boolean, B, "PKS of TDATTRIBUTES") \
    X(tdx, "tdx_td_attributes_key_locker",        Boolean, B, "KL of TDATTRIBUTES") \
    X(tdx, "tdx_td_attributes_perfmon",           Boolean, B, "PERFMON of TDATTRIBUTES") \
    X(tdx, "tdx_xfam",                            String,  B, "XFAM, hexadecimal") \
    X(tdx, "tdx_mrtd",                            String,  B, "MRTD, hexadecimal") \
    X(tdx, "tdx_mrconfigid",                      String,  B, "MRCONFIGID, hexadecimal") \
    X(tdx, "tdx_mrowner",                         String,  B, "MROWNER, hexadecimal") \
    X(tdx, "tdx_mrownerconfig",                   String,  B, "MROWNERCONFIG, hexadecimal") \
    X(tdx, "tdx_rtmr0",                           String,  B, "RTMR 0, hexadecimal") \
    X(tdx, "tdx_rtmr1",                           String,  B, "RTMR 1, hexadecimal") \
    X(tdx, "tdx_rtmr2",                           String,  B, "RTMR 2, hexadecimal") \
    X(tdx, "tdx_rtmr3",                           String,  B, "RTMR 3, hexadecimal") \
    X(tdx, "tdx_report_data",                     String,  B, "REPORTDATA, hexadecimal") \
    X(tdx, "avouch-tdx-tcb-status",               String,  O, "status by the service's own names") \
    X(tdx, "avouch-tdx-tcb-date",                 String,  O, "tcbDate of the level that matched") \
    X(tdx, "avouch-tdx-tcb-eval-number",          Integer, O, "tcbEvaluationDataNumber of the TCB info") \
    X(tdx, "avouch-tdx-advisory-ids",             JSON,    O, "Intel's advisories that apply, an array") \
    X(tdx, "avouch-tdx-fmspc",                    String,  O, "FMSPC of the PCK certificate") \
    X(tdx, "avouch-tdx-mrservicetd",              String,  O, "MRSERVICETD; TD report 1.5") \
    X(tdx, "avouch-tdx-tee-tcb-svn2",             String,  O, "TEE_TCB_SVN2; TD report 1.5") \
    X(tdx, "x-avouch-collateral-max-age",          Integer, O, "seconds that TCB info, QE identity and PCK CRL may be old; only where a limit was set") \
    X(tdx, "x-avouch-tcb-standard-status",         String,  O, "status under the set that is standard: its recovery event is a year past; NOT_AT_HAND; or the error by which it refuses the platform; only with both sets") \
    X(tdx, "x-avouch-tcb-standard-eval-number",    Integer, O, "tcbEvaluationDataNumber of that set") \
    X(tdx, "x-avouch-tcb-standard-date",           String,  O, "tcbDate of the level that matched in that set") \
    X(tdx, "x-avouch-tcb-standard-advisory-ids",   JSON,    O, "advisories that apply under that set, an array") \
    X(tdx, "x-avouch-tcb-standard-missing",        String,  O, "why nothing can be said under that set") \
    X(tdx, "x-avouch-tcb-early-status",            String,  O, "status under the newest set that the vendor lists; NOT_AT_HAND; or the error by which it refuses the platform; only with both sets") \
    X(tdx, "x-avouch-tcb-early-eval-number",       Integer, O, "tcbEvaluationDataNumber of that set") \
    X(tdx, "x-avouch-tcb-early-date",              String,  O, "tcbDate of the level that matched in that set") \
    X(tdx, "x-avouch-tcb-early-advisory-ids",      JSON,    O, "advisories that apply under that set, an array") \
    X(tdx, "x-avouch-tcb-early-missing",           String,  O, "why nothing can be said under that set") \
    X(tpm, "aikValidated",                        Boolean, P, "the attestation key's certificate was verified") \
    X(tpm, "aikPubHash",                          String,  P, "SHA-256 of the attestation key's public area") \
    X(tpm, "aikPubHashPkcs1",                     String,  P, "SHA-256 of an RSA attestation key as PKCS #1") \
    X(tpm, "tpmVersion",                          Integer, P, "2") \
    X(tpm, "tpmClock",                            Integer, P, "clock of the quote, milliseconds") \
    X(tpm, "tpmClockSafe",                        Boolean, P, "safe of the quote's clock information") \
    X(tpm, "tpmResetCount",                       Integer, P, "resetCount of the quote") \
    X(tpm, "tpmRestartCount",                     Integer, P, "restartCount of the quote") \
    X(tpm, "pcrs",                                JSON,    P, "quoted PCR values by bank; read-only") \
    X(tpm, "events",                              JSON,    P, "the replayed boot log, as policies 1.2 query it") \
    X(tpm, "bootEvents",                          JSON,    P, "the same under the older name") \
    X(tpm, "secureBootEnabled",                   Boolean, P, "SecureBoot variable, as measured") \
    X(tpm, "secureBootState",                     String,  P, "enabled, disabled, unknown or inconsistent") \
    X(tpm, "secureBootAuthorities",               JSON,    P, "certificates and hashes that allowed an image to start") \
    X(tpm, "bootImages",                          JSON,    P, "images that the firmware started, with their digests") \
    X(tpm, "bootDebuggingDisabled",               Boolean, P, "the boot manager's debugger is off") \
    X(tpm, "notSafeMode",                         Boolean, P, "Windows did not start in safe mode") \
    X(tpm, "notWinPE",                            Boolean, P, "the started Windows is not WinPE") \
    X(tpm, "vbsEnabled",                          Boolean, P, "virtualization-based security is on") \
    X(tpm, "iommuEnabled",                        Boolean, P, "DMA protection is on") \
    X(tpm, "exitBootServicesSeen",                Boolean, P, "the log shows the end of the boot services") \
    X(tpm, "firmwareSeparatorsValid",             Boolean, P, "separators stand where the firmware specification wants them") \
    X(tpm, "firmwareVersion",                     String,  P, "S-CRTM version of the log") \
    X(tpm, "kernelCommandLine",                   String,  P, "command line that the boot loader measured; absent where the log speaks of more than one") \
    X(tpm, "grubCommands",                        JSON,    P, "commands that GRUB measured") \
    X(tpm, "unifiedKernelSections",               JSON,    P, "sections of a unified kernel image, with their digests") \
    X(tpm, "x-ms-tpm-request-key",                JSON,    P, "key of the request, certified by the attestation key; read-only") \
    X(tpm, "x-ms-tpm-other-keys",                 JSON,    P, "further keys of the request, certified likewise; read-only") \
    X(tpm, "cnf",                                 JSON,    T, "RFC 7800: the key that the token is bound to; read-only") \
    X(tpm, "rp_data",                             String,  T, "data of the relying party, from the request") \
    X(tpm, "vbsReportPresent",                    Boolean, P, "a VBS enclave report came along and was verified") \
    X(tpm, "vsmReportPresent",                    Boolean, P, "older name of vbsReportPresent") \
    X(vbs, "enclaveType",                         Integer, P, "EnclaveType of the report") \
    X(vbs, "enclaveFlags",                        Integer, P, "Flags of the enclave") \
    X(vbs, "enclaveSigningLevel",                 Integer, P, "SigningLevel") \
    X(vbs, "enclaveSvn",                          Integer, P, "Svn of the enclave") \
    X(vbs, "enclaveSecureKernelSvn",              Integer, P, "SecureKernelSvn") \
    X(vbs, "enclavePlatformSvn",                  Integer, P, "PlatformSvn") \
    X(vbs, "enclaveOwnerId",                      String,  P, "OwnerId, base64url") \
    X(vbs, "enclaveUniqueId",                     String,  P, "UniqueId, base64url") \
    X(vbs, "enclaveAuthorId",                     String,  P, "AuthorId, base64url") \
    X(vbs, "enclaveFamilyId",                     String,  P, "FamilyId, base64url") \
    X(vbs, "enclaveImageId",                      String,  P, "ImageId, base64url") \
    X(vbs, "enclaveModules",                      JSON,    P, "modules of the enclave") \
    X(azurevm, "secureboot",                      Boolean, B, "Secure Boot is on, as measured") \
    X(azurevm, "x-ms-azurevm-attestation-protocol-ver", String, B, "version of the guest's request") \
    X(azurevm, "x-ms-azurevm-attested-pcrs",      Integer, B, "number of a PCR that was quoted; one claim for each") \
    X(azurevm, "x-ms-azurevm-attested-pcr-values", JSON,   B, "their values") \
    X(azurevm, "x-ms-azurevm-bootdebug-enabled",  Boolean, B, "boot debugging") \
    X(azurevm, "x-ms-azurevm-dbvalidated",        Boolean, B, "db is one of the known ones") \
    X(azurevm, "x-ms-azurevm-dbxvalidated",       Boolean, B, "dbx is one of the known ones") \
    X(azurevm, "x-ms-azurevm-default-securebootkeysvalidated", Boolean, B, "PK and KEK are the known ones") \
    X(azurevm, "x-ms-azurevm-debuggersdisabled",  Boolean, B, "no debugger is on") \
    X(azurevm, "x-ms-azurevm-elam-enabled",       Boolean, B, "early-launch anti-malware was loaded") \
    X(azurevm, "x-ms-azurevm-flightsigning-enabled", Boolean, B, "flight signing is on") \
    X(azurevm, "x-ms-azurevm-hvci-policy",        Integer, B, "hypervisor-enforced code integrity") \
    X(azurevm, "x-ms-azurevm-hypervisordebug-enabled", Boolean, B, "hypervisor debugging") \
    X(azurevm, "x-ms-azurevm-is-windows",         Boolean, B, "the guest is Windows") \
    X(azurevm, "x-ms-azurevm-kerneldebug-enabled", Boolean, B, "kernel debugging") \
    X(azurevm, "x-ms-azurevm-osbuild",            String,  B, "build of the system, as the guest says") \
    X(azurevm, "x-ms-azurevm-osdistro",           String,  B, "distribution, as the guest says") \
    X(azurevm, "x-ms-azurevm-ostype",             String,  B, "Windows or Linux, as the guest says") \
    X(azurevm, "x-ms-azurevm-osversion-major",    Integer, B, "as the guest says") \
    X(azurevm, "x-ms-azurevm-osversion-minor",    Integer, B, "as the guest says") \
    X(azurevm, "x-ms-azurevm-signingdisabled",    Boolean, B, "neither test nor flight signing is on") \
    X(azurevm, "x-ms-azurevm-testsigning-enabled", Boolean, B, "test signing is on") \
    X(azurevm, "x-ms-azurevm-vmid",               String,  B, "the virtual machine's identity") \
    X(azurevm, "x-ms-isolation-tee",              JSON,    B, "claims of the SEV-SNP report or TDX quote below the guest")
/* clang-format on */

#endif

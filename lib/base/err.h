/* err.h: an error is a value that its caller owns; it is filled once, where the cause is known.
 *
 * Three kinds, told apart by the HTTP status of the code and never mixed: the sender's fault (4xx),
 * "cannot decide now" (503), our own bug (500). The REST code, the status and the hint all come from
 * the table below; the manual pages print the same rows. */
#ifndef AVOUCH_BASE_ERR_H
#define AVOUCH_BASE_ERR_H

#include "base/bytes.h"

/* clang-format off */
/*   code                         HTTP  code of the REST answer    what the caller can do about it */
#define ERR_TABLE(X)                                                                                                  \
    X(NONE,                        200, "",                       "")                                                 \
    X(FORMAT,                      400, "InvalidParameter",       "send the evidence exactly as the platform produced it") \
    X(UNSUPPORTED_VERSION,         400, "InvalidParameter",       "send evidence of a version that this service verifies") \
    X(UNSUPPORTED_KEY_TYPE,        400, "InvalidParameter",       "use a quote with an ECDSA P-256 attestation key")  \
    X(UNSUPPORTED_TEE,             400, "InvalidParameter",       "send the evidence to the path of its own type")    \
    X(UNKNOWN_QE_VENDOR,           400, "InvalidParameter",       "use Intel's quoting enclave")                      \
    X(UNSUPPORTED_CERT_DATA,       400, "InvalidParameter",       "let the platform embed its PCK certificate chain (certification data type 5)") \
    X(UNSUPPORTED_ALGORITHM,       400, "InvalidParameter",       "use one of the algorithms that the manual lists")  \
    X(CERT_FORMAT,                 400, "InvalidParameter",       "send the certificates unchanged")                  \
    X(CHAIN,                       400, "InvalidParameter",       "send the chain that belongs to the evidence")      \
    X(PCK_CHAIN_INVALID,           400, "InvalidParameter",       "send the quote with its own certificate chain")    \
    X(UNTRUSTED_ROOT,              400, "InvalidParameter",       "only evidence that chains to the vendor's root is accepted") \
    X(CERT_EXPIRED,                400, "InvalidParameter",       "let the platform renew its certificate")           \
    X(CERT_REVOKED,                400, "InvalidParameter",       "the vendor revoked this certificate; the platform cannot be trusted") \
    X(INTERMEDIATE_REVOKED,        400, "InvalidParameter",       "the vendor revoked this certificate; the platform cannot be trusted") \
    X(PCK_REVOKED,                 400, "InvalidParameter",       "the vendor revoked this platform; it cannot be trusted") \
    X(INVALID_PCK_EXTENSION,       400, "InvalidParameter",       "send the quote with its own certificate chain")    \
    X(QE_REPORT_SIGNATURE,         400, "InvalidParameter",       "make a fresh quote; this one was altered or belongs to another platform") \
    X(QE_REPORT_DATA,              400, "InvalidParameter",       "make a fresh quote; its attestation key is not the quoting enclave's") \
    X(QE_IDENTITY_MISMATCH,        400, "InvalidParameter",       "update the platform's quoting enclave")            \
    X(QUOTE_SIGNATURE,             400, "InvalidParameter",       "make a fresh quote; this one was altered")         \
    X(TCB_INFO_MISMATCH,           400, "InvalidParameter",       "the collateral is for another platform than the quote's") \
    X(TCB_NOT_SUPPORTED,           400, "InvalidParameter",       "update the platform's firmware; it is below every level that the vendor supports") \
    X(TCB_UNRECOGNIZED,            400, "InvalidParameter",       "the vendor's statement has a status that this version does not know") \
    X(TCB_STATUS_REFUSED,          400, "InvalidParameter",       "update the platform, or let the provider accept this status") \
    X(TDX_MODULE_MISMATCH,         400, "InvalidParameter",       "use a TDX module that the vendor's TCB info lists") \
    X(SIGNATURE,                   400, "InvalidParameter",       "make fresh evidence; this was altered")            \
    X(REPORT_LENGTH,               400, "InvalidParameter",       "send the report exactly as the firmware gave it")  \
    X(UNSUPPORTED_SIGNATURE_ALGORITHM, 400, "InvalidParameter",   "send a report signed with ECDSA P-384 and SHA-384") \
    X(POLICY_RESERVED_BIT,         400, "InvalidParameter",       "launch the guest with a policy of the published ABI") \
    X(REPORT_NOT_SIGNED,           400, "InvalidParameter",       "ask for a report signed by the VCEK or the VLEK")  \
    X(UNSUPPORTED_SIGNING_KEY,     400, "InvalidParameter",       "ask for a report signed by the VCEK or the VLEK")  \
    X(RESERVED_NOT_ZERO,           400, "InvalidParameter",       "send the report exactly as the firmware gave it")  \
    X(HOST_REQUESTED_REPORT,       400, "InvalidParameter",       "let the guest ask for the report, not the host")   \
    X(VMPL_RANGE,                  400, "InvalidParameter",       "ask for the report at a privilege level from 0 to 3") \
    X(UNSUPPORTED_PRODUCT,         400, "InvalidParameter",       "use a processor line whose roots this service has") \
    X(PRODUCT_MISMATCH,            400, "InvalidParameter",       "send the certificate of the processor that made the report") \
    X(CERT_PARSE,                  400, "InvalidParameter",       "send the certificates as PEM or DER, unchanged")   \
    X(CERT_SIGNATURE_ALGORITHM,    400, "InvalidParameter",       "send AMD's own certificates")                      \
    X(CERT_SIGNATURE,              400, "InvalidParameter",       "send the certificate that AMD issued for this processor") \
    X(CERT_NOT_YET_VALID,          400, "InvalidParameter",       "check the clocks; the certificate begins later")   \
    X(CERT_EXTENSION,              400, "InvalidParameter",       "send AMD's own certificates")                      \
    X(LEAF_MISSING,                400, "InvalidParameter",       "send the VCEK or VLEK certificate with the report") \
    X(LEAF_AMBIGUOUS,              400, "InvalidParameter",       "send one VCEK or VLEK certificate only")           \
    X(SIGNING_KEY_KIND,            400, "InvalidParameter",       "send the certificate of the kind that signed the report") \
    X(CA_REVOKED,                  400, "InvalidParameter",       "AMD revoked this certificate authority; the platform cannot be trusted") \
    X(REPORT_SIGNATURE,            400, "InvalidParameter",       "make a fresh report; this one was altered or belongs to another processor") \
    X(CHIP_ID_MASKED,              400, "InvalidParameter",       "let the host turn off MASK_CHIP_ID")               \
    X(CHIP_ID_MISMATCH,            400, "InvalidParameter",       "send the certificate of the processor that made the report") \
    X(TCB_MISMATCH,                400, "InvalidParameter",       "fetch the VCEK for the report's reported TCB")     \
    X(TCB_ORDER,                   400, "InvalidParameter",       "make a fresh report; its firmware versions contradict each other") \
    X(TCB_TOO_OLD,                 400, "InvalidParameter",       "update the platform's firmware")                   \
    X(DEBUG_ENABLED,               400, "InvalidParameter",       "launch the guest without the DEBUG policy bit")    \
    X(MIGRATION_AGENT,             400, "InvalidParameter",       "make a fresh report; its migration agent contradicts its policy") \
    X(ID_BLOCK_FORMAT,             400, "InvalidParameter",       "send the ID block and ID authentication as used at launch") \
    X(ID_BLOCK_SIGNATURE,          400, "InvalidParameter",       "send the ID block and ID authentication as used at launch") \
    X(ID_KEY_DIGEST,               400, "InvalidParameter",       "send the ID key that this guest was launched with") \
    X(AUTHOR_KEY_DIGEST,           400, "InvalidParameter",       "send the author key that this guest was launched with") \
    X(ID_BLOCK_MISMATCH,           400, "InvalidParameter",       "send the ID block that this guest was launched with") \
    X(HCL_LENGTH,                  400, "InvalidParameter",       "read the whole vTPM NV index 0x01400001")          \
    X(HCL_SIGNATURE,               400, "InvalidParameter",       "send the content of vTPM NV index 0x01400001")     \
    X(HCL_VERSION,                 400, "InvalidParameter",       "send an HCL report of version 1 or 2")             \
    X(HCL_REPORT_TYPE,             400, "InvalidParameter",       "send the evidence to the path of its own type")    \
    X(HCL_HASH,                    400, "InvalidParameter",       "read the HCL report anew; its runtime data are not the report's") \
    X(AK_MISSING,                  400, "InvalidParameter",       "send the attestation key: its certificate, or runtime data that name HCLAkPub") \
    X(AK_KEY,                      400, "InvalidParameter",       "attest with a restricted signing key that was made in the TPM, RSA of 2048 bits or more") \
    X(AK_MISMATCH,                 400, "InvalidParameter",       "quote with the attestation key that the paravisor reports") \
    X(COSE_FORMAT,                 400, "InvalidParameter",       "send the endorsement exactly as published")        \
    X(COSE_ALG,                    400, "InvalidParameter",       "send an endorsement signed with an algorithm that the manual lists") \
    X(COSE_CHAIN,                  400, "InvalidParameter",       "send the endorsement with its own certificate chain") \
    X(COSE_SIGNATURE,              400, "InvalidParameter",       "send the endorsement exactly as published")        \
    X(COSE_RECEIPT,                400, "InvalidParameter",       "send the transparent statement with its own receipt") \
    X(DID_FORMAT,                  400, "InvalidParameter",       "use a did:x509 identifier of version 0")           \
    X(DID_MISMATCH,                400, "InvalidParameter",       "the issuer's identifier must fit its certificate chain") \
    X(ISSUER_UNTRUSTED,            400, "InvalidParameter",       "send an endorsement of a trusted issuer")          \
    X(FEED_UNTRUSTED,              400, "InvalidParameter",       "send an endorsement of a trusted feed")            \
    X(PAYLOAD_FORMAT,              400, "InvalidParameter",       "send the endorsement exactly as published")        \
    X(MEASUREMENT_MISMATCH,        400, "InvalidParameter",       "send the endorsement of the image that was launched") \
    X(PLATFORM_REFUSED,            400, "InvalidParameter",       "update or reconfigure the platform as the message says") \
    X(NOT_BOUND,                   400, "InvalidParameter",       "put the SHA-256 of these data into the evidence before it is made") \
    X(NONCE,                       400, "InvalidParameter",       "ask for a fresh challenge and use it once")        \
    X(TPM_MESSAGE,                 400, "InvalidParameter",       "send {\"payload\":{\"type\":\"aikcert\"}} or {\"payload\":{\"request\":\"<JWS>\"}} in base64url") \
    X(JWS_FORMAT,                  400, "InvalidOperation",       "send the attestation request as a compact JWS with the members that the manual lists") \
    X(JWS_ALG,                     400, "InvalidOperation",       "sign the attestation request with PS256 and send no kid, jwk, x5c or crit") \
    X(JWS_SIGNATURE,               400, "InvalidParameter",       "sign the request with the key that it names") \
    X(CONTEXT_INVALID,             400, "InvalidParameter",       "send the service_context of the challenge unchanged, to the provider that made it") \
    X(CONTEXT_EXPIRED,             400, "InvalidParameter",       "ask for a fresh challenge and answer it sooner") \
    X(CHALLENGE_MISMATCH,          400, "InvalidParameter",       "send the challenge that came with this service_context") \
    X(CHALLENGE_USED,              400, "InvalidParameter",       "ask for a fresh challenge; each may be answered once") \
    X(JWK_FORMAT,                  400, "InvalidParameter",       "send an RSA key of 2048 to 4096 bits, or an EC key where the manual allows one") \
    X(AK_CERT_FORMAT,              400, "InvalidParameter",       "send the attestation key's certificate as DER") \
    X(AK_CERT_MISMATCH,            400, "InvalidParameter",       "send the certificate of the key that made the quote") \
    X(AK_CERT_CHAIN,               400, "InvalidParameter",       "use an attestation key whose certificate chains to a trusted root") \
    X(QUOTE_FORMAT,                400, "InvalidParameter",       "send the TPM's quote exactly as it came out of the TPM") \
    X(QUOTE_ALG,                   400, "InvalidParameter",       "quote with RSASSA, RSAPSS or ECDSA and SHA-256 or stronger") \
    X(QUOTE_NONCE,                 400, "InvalidParameter",       "make the quote for this challenge and this key, as the manual describes") \
    X(QUOTE_SELECTION,             400, "InvalidParameter",       "quote PCRs 0 to 23 of known banks, each bank once") \
    X(QUOTE_PCR_VALUES,            400, "InvalidParameter",       "send exactly the values of the quoted PCRs") \
    X(QUOTE_PCR_DIGEST,            400, "InvalidParameter",       "read the PCRs again until they agree with the quote") \
    X(TPM_VERSION,                 400, "InvalidParameter",       "use a TPM 2.0; quotes of a TPM 1.2 rest on SHA-1 alone") \
    X(CLAIM_BLOB,                  400, "InvalidParameter",       "send the claim as the platform crypto provider made it") \
    X(KEY_BINDING,                 400, "InvalidParameter",       "bind the request key by tpm_quote or tpm_certify") \
    X(CERTIFY_FORMAT,              400, "InvalidParameter",       "send the certification exactly as it came out of the TPM") \
    X(CERTIFY_SIGNATURE,           400, "InvalidParameter",       "certify the key with the attestation key of this request") \
    X(CERTIFY_NONCE,               400, "InvalidParameter",       "certify the key for this challenge") \
    X(CERTIFY_NAME,                400, "InvalidParameter",       "send the public area of the key that was certified") \
    X(CERTIFY_KEY,                 400, "InvalidParameter",       "send the same key as JWK and as public area") \
    X(CERTIFY_ATTRIBUTES,          400, "InvalidParameter",       "certify a key that was made in the TPM and cannot leave it") \
    X(OTHER_KEYS,                  400, "InvalidParameter",       "send at most two other keys") \
    X(BOOT_ATTESTATION,            400, "InvalidParameter",       "send the boot attestation of the same cold boot and the same TPM") \
    X(LOG_FORMAT,                  400, "InvalidParameter",       "send the event log exactly as the platform keeps it") \
    X(LOG_BANK,                    400, "InvalidParameter",       "quote a PCR bank that the event log has, SHA-256 or stronger") \
    X(LOG_MISMATCH,                400, "InvalidParameter",       "send the complete event log of this boot") \
    X(IMA_FORMAT,                  400, "InvalidParameter",       "send the binary IMA log, cut behind a whole entry") \
    X(IMA_PCR10,                   400, "InvalidParameter",       "quote PCR 10 when an IMA log is sent") \
    X(IMA_MISMATCH,                400, "InvalidParameter",       "cut the IMA log to the entries that the quote covers") \
    X(VBS_FORMAT,                  400, "InvalidParameter",       "send the enclave report exactly as the system made it") \
    X(VBS_SCHEME,                  400, "InvalidParameter",       "send a report of version 1 signed with RSA-PSS and SHA-256") \
    X(VBS_KEY,                     400, "InvalidParameter",       "attest on a system whose boot log has the enclave report signing key, and quote PCR 12") \
    X(VBS_SIGNATURE,               400, "InvalidParameter",       "send a report that was made since this boot") \
    X(VBS_ENCLAVE_DATA,            400, "InvalidParameter",       "put the SHA-512 of report_signed, as sent, into the enclave data") \
    X(CUSTOM_CLAIM,                400, "InvalidParameter",       "send custom claims whose values fit their types") \
    X(ENC_KEY,                     400, "InvalidParameter",       "make the ephemeral key in this TPM, sealed to the quoted PCRs") \
    X(LIMIT,                       400, "InvalidParameter",       "send less; the limit is in the message") \
    X(BAD_REQUEST,                 400, "InvalidParameter",       "see the API description for the members of this request") \
    X(BAD_API_VERSION,             400, "InvalidParameter",       "add ?api-version=2022-08-01")                      \
    X(POLICY_SYNTAX,               400, "PolicyParsingError",     "correct the policy at the place shown")            \
    X(POLICY_DENIED,               400, "PolicyEvaluationError",  "meet the provider's policy, or let its owner change it") \
    X(POLICY_EVALUATION,           400, "PolicyEvaluationError",  "let the policy's owner correct the rule that is named") \
    X(SIGNER_SIGNATURE,            400, "InvalidParameter",       "sign again with the key of the certificate that the token carries") \
    X(SIGNER_CHAIN,                400, "InvalidParameter",       "put the signer's certificates into x5c, up to a self-signed CA") \
    X(INVALID_OPERATION,           400, "InvalidOperation",       "see the API description of this operation")        \
    X(JSON_SYNTAX,                 400, "InvalidParameter",       "send well-formed JSON (RFC 8259), UTF-8, without duplicate members") \
    X(EXPRESSION,                  400, "InvalidParameter",       "correct the JMESPath expression")                  \
    X(UNAUTHORIZED,                401, "Unauthorized",           "send a valid bearer token of a principal that has the role") \
    X(FORBIDDEN,                   403, "Forbidden",              "use a network path that the provider allows")      \
    X(NOT_FOUND,                   404, "NotFound",               "check the host name and the path")                 \
    X(RESOURCE_NOT_FOUND,          404, "ResourceNotFound",       "check the name of the resource")                   \
    X(METHOD,                      405, "MethodNotAllowed",       "use a method that the Allow header names")         \
    X(TIMEOUT,                     408, "RequestTimeout",         "send the request faster")                          \
    X(CONFLICT,                    409, "Conflict",               "choose another name")                              \
    X(PLATFORM_UNKNOWN,            461, "ResourceNotFound",       "let the platform be registered with Intel, or with the cache above this one") \
    X(CERTS_UNAVAILABLE,           462, "ResourceNotFound",       "ask for a TCB that Intel has certificates for")   \
    X(TOO_LARGE,                   413, "RequestEntityTooLarge",  "send less; the limit is in the message")           \
    X(TOO_MANY,                    429, "TooManyRequests",        "wait as long as Retry-After says")                 \
    X(HEADERS_TOO_LARGE,           431, "RequestHeaderFieldsTooLarge", "send fewer or shorter headers")               \
    X(INTERNAL,                    500, "InternalError",          "report this with the request id")                  \
    X(NO_MEMORY,                   500, "InternalError",          "the request needed more memory than its budget")   \
    X(SOURCES_FAILED,              502, "ServiceUnavailable",     "retry later; a source that may have it did not answer") \
    X(COLLATERAL_MISSING,          503, "ServiceUnavailable",     "retry; the vendor's collateral could not be had yet") \
    X(COLLATERAL_FORMAT,           503, "ServiceUnavailable",     "retry; the collateral on hand is damaged")         \
    X(TCB_CHAIN_INVALID,           503, "ServiceUnavailable",     "retry; the collateral on hand is not signed by the vendor") \
    X(TCB_SIGNER_REVOKED,          503, "ServiceUnavailable",     "retry; the vendor revoked the signer of the collateral on hand") \
    X(TCB_INFO_SIGNATURE,          503, "ServiceUnavailable",     "retry; the collateral on hand was altered")        \
    X(QE_IDENTITY_SIGNATURE,       503, "ServiceUnavailable",     "retry; the collateral on hand was altered")        \
    X(CRL_INVALID,                 503, "ServiceUnavailable",     "retry; the revocation list on hand is not the vendor's") \
    X(CRL_EXPIRED,                 503, "ServiceUnavailable",     "retry; the revocation list is being refreshed")    \
    X(COLLATERAL_SIGNATURE,        503, "ServiceUnavailable",     "retry; the collateral on hand is not the vendor's") \
    X(COLLATERAL_EXPIRED,          503, "ServiceUnavailable",     "retry; platform collateral is being refreshed")    \
    X(COLLATERAL_TOO_OLD,          503, "ServiceUnavailable",     "retry; a newer one is asked of the vendor, or let the provider allow an older one") \
    X(CRL_MISSING,                 503, "ServiceUnavailable",     "retry; the vendor's revocation list could not be had yet") \
    X(CRL_SIGNATURE,               503, "ServiceUnavailable",     "retry; the revocation list on hand is not the vendor's") \
    X(STORE,                       503, "ServiceUnavailable",     "retry; the store does not answer")                 \
    X(STORE_TAMPERED,              503, "ServiceUnavailable",     "tell the operator: a stored record was changed outside the service") \
    X(UNAVAILABLE,                 503, "ServiceUnavailable",     "retry as Retry-After says")                        \
    X(USAGE,                       400, "InvalidParameter",       "see the manual page")
/* clang-format on */

enum err_code {
#define X(code, http, rest, hint) ERR_##code,
    ERR_TABLE(X)
#undef X
};

struct err {
    enum err_code code;
    char what[64]; /* which object: "SGX quote", "policy 4:17" */
    char why[1024]; /* the reason, with the values that decided it */
};

/* Records the first error and returns false: return err_set(e, ...). A NULL e is allowed. */
bool err_set(struct err *e, enum err_code code, const char *what, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

/* ERR_NO_MEMORY for `what`. */
bool err_memory(struct err *e, const char *what);

const char *err_name(enum err_code code);      /* "QUOTE_SIGNATURE" */
int err_http(enum err_code code);              /* 400 */
const char *err_rest_code(enum err_code code); /* "InvalidParameter" */
const char *err_hint(enum err_code code);

/* "undecided" for 503 and 500, "refused" else. */
bool err_is_undecided(enum err_code code);

#endif

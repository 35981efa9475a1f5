/* wire.h: the messages that cross from front to core and back.
 *
 * A frame is a fixed header and a list of fields (tag, length, bytes), all little-endian:
 *
 *     u32 payload length   u16 message   u16 zero   u64 request id   payload
 *     field: u16 tag   u32 length   bytes
 *
 * Whatever is malformed ends the connection; the core answers each request exactly once. */
#ifndef AVOUCH_WIRE_WIRE_H
#define AVOUCH_WIRE_WIRE_H

#include "base/cur.h"
#include "base/out.h"

#define WIRE_HEADER_SIZE 16
#define WIRE_MAX_PAYLOAD ((size_t)16 << 20)

enum wire_message {
    MSG_PING = 1,     /* -> MSG_ANSWER, empty */
    MSG_ATTEST,       /* evidence in, token out */
    MSG_CERTS,        /* ISSUER -> JWK set */
    MSG_PROVIDER_NEW, /* NAME, ISSUER, SIGNERS? -> HEAD, MAC */
    MSG_POLICY_GET,   /* HEAD, MAC (or ISSUER), KIND, POLICY_JWS? -> token */
    MSG_POLICY_SET,   /* ..., JWS -> token, HEAD, MAC, POLICY_JWS, VERSION_MAC */
    MSG_POLICY_RESET, /* ..., JWS -> token, HEAD, MAC */
    MSG_SIGNERS_GET,  /* HEAD, MAC (or ISSUER) -> token */
    MSG_SIGNERS_CHANGE, /* HEAD, MAC, JWS, ADD? -> token, HEAD, MAC */
    MSG_ADMIN_TOKEN,  /* SUBJECT, ROLES, AUDIENCE, LIFETIME -> token of the local issuer */
    MSG_FETCH,        /* to the collateral process: WAIT, NEWER?, NEED... -> for each NEED: EXPIRES, ISSUED, COLLATERAL..., or an error */
    MSG_COLLATERAL_STATUS, /* to the collateral process -> BODY: JSON about sources and items */
    MSG_PROBE,        /* tests only, where the core was built and started for them */
    MSG_ANSWER,
    MSG_ISSUER_KEYS,  /* to the collateral process: ISSUER, WAIT, KID? -> BODY: key set, EXPIRES, RETRY, and perhaps an error */
    MSG_POLICY_ROLLBACK, /* as MSG_POLICY_SET, the JWS from the store with its VERSION and VERSION_MAC -> the same */
    MSG_COUNT,
};

enum wire_tag {
    TAG_END = 0,
    /* request */
    TAG_KIND,            /* text: "SgxEnclave" */
    TAG_ISSUER,          /* text: base URL of the provider */
    TAG_EVIDENCE,
    TAG_RUNTIME,         /* bytes; present even if empty */
    TAG_RUNTIME_JSON,    /* no content: runtime data is JSON */
    TAG_INIT,
    TAG_INIT_JSON,
    TAG_NONCE,
    TAG_DRAFT_POLICY,    /* text of a policy that replaces the provider's; the token is unsigned */
    TAG_COLLATERAL,      /* repeated */
    TAG_ACCEPT,          /* u32: bits of enum tcb_status */
    TAG_EVAL_NUMBER,     /* u32: of "azuredefault"; 0 or absent: the newest */
    TAG_GRACE,           /* u32: seconds */
    TAG_FLAGS,           /* u32: enum wire_flag */
    TAG_ALG,             /* text: "RS256" */
    TAG_LIFETIME,        /* u32: seconds */
    TAG_HEAD,            /* of the provider (head.h) */
    TAG_MAC,             /* of the head, by the core */
    TAG_POLICY_JWS,      /* as it was uploaded */
    TAG_JWS,             /* body of a management request */
    TAG_NAME,            /* of a new provider */
    TAG_SIGNERS,         /* JSON: policySigningCertificates */
    TAG_ADD,             /* no content: add, else remove */
    TAG_SUBJECT,
    TAG_ROLES,           /* JSON array */
    TAG_AUDIENCE,
    TAG_NEED,            /* text: key of a need (evidence/collateral.h); in answers what follows is about it */
    TAG_WAIT,            /* u32: milliseconds that the asker waits */
    TAG_CACHED,          /* no content: only what is there already */
    TAG_PROBE,           /* text: which system call to try */
    /* answer */
    TAG_BODY,            /* JSON text, or a token */
    TAG_ERROR,           /* u16: enum err_code */
    TAG_ERROR_WHAT,
    TAG_ERROR_WHY,
    TAG_ERROR_DETAILS,   /* JSON */
    TAG_STATUS,          /* text: platform status */
    TAG_POLICY_HASH,
    TAG_SETTINGS,        /* u32: bits of enum setting, that of the evidence room; in answers those that the policy adds */
    TAG_EXPIRES,         /* i64: seconds since 1970; of the collateral that follows */
    TAG_RETRY,           /* u32: seconds after which asking again may help */
    TAG_KID,             /* text: the set should have this key */
    TAG_MAX_AGE,         /* u32: seconds that collateral may be old: of the service; in answers also of the policy */
    TAG_NEWER,           /* i64: what was issued before that time does not help the asker */
    TAG_COLLATERAL_ASIDE, /* repeated: of a set that does not count unless it is asked for by number */
    TAG_ISSUED,          /* i64: seconds since 1970; of the collateral that follows */
    TAG_VERSION,         /* i64: of a stored policy */
    TAG_VERSION_MAC,     /* of that, by the core: what it was when it was set */
    TAG_COUNT,
};

enum wire_flag {
    WIRE_EXPLAIN_FULL = 1, /* refusals by policy carry the trace with claim values */
};

struct wire_header {
    uint32_t size; /* of the payload */
    enum wire_message message;
    uint64_t id;
};

/* From exactly WIRE_HEADER_SIZE bytes; false: the peer speaks something else. */
bool wire_header_parse(struct bytes b, struct wire_header *ret) CHECKED;

/* Fields by tag. Repeated tags are kept in order in `list`. Views point into the payload. */
struct wire_field {
    uint16_t tag;
    struct bytes value;
};
struct wire_fields {
    struct wire_field *list;
    size_t count;
};
bool wire_fields_parse(struct bytes payload, struct arena *a, struct wire_fields *ret, struct err *e) CHECKED;
/* The first field of this tag; false: none. */
bool wire_find(const struct wire_fields *f, enum wire_tag tag, struct bytes *ret);
uint32_t wire_u32(const struct wire_fields *f, enum wire_tag tag, uint32_t otherwise);
int64_t wire_i64(const struct wire_fields *f, enum wire_tag tag, int64_t otherwise);

/* Writing: begin, fields, end. wire_end() fills the length in and gives the whole frame. */
struct out wire_begin(struct arena *a, enum wire_message message, uint64_t id);
void wire_put(struct out *o, enum wire_tag tag, struct bytes value);
void wire_put_u32(struct out *o, enum wire_tag tag, uint32_t v);
void wire_put_i64(struct out *o, enum wire_tag tag, int64_t v);
struct bytes wire_end(struct out *o); /* p is NULL where it does not fit */

/* An error as fields of an answer, and back. */
void wire_put_error(struct out *o, const struct err *e);
bool wire_error(const struct wire_fields *f, struct err *ret);

#endif

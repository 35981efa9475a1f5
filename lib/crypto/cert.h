/* cert.h: X.509 certificates and CRLs (RFC 5280), read by an own walk on the cursor.
 *
 * Parsing makes views only; each check is a function of its own so that the vendor's rules (which
 * CAs, how many, which order of errors) stay in the room of the evidence kind. */
#ifndef AVOUCH_CRYPTO_CERT_H
#define AVOUCH_CRYPTO_CERT_H

#include "base/arena.h"
#include "base/err.h"
#include "crypto/key.h"

struct cert {
    struct bytes der;     /* the whole certificate */
    struct bytes tbs;     /* signed part */
    struct bytes serial;  /* content of the INTEGER */
    struct bytes issuer;  /* Name, DER with header */
    struct bytes subject;
    struct bytes issuer_cn;  /* last commonName, or empty */
    struct bytes subject_cn;
    int64_t not_before, not_after;
    struct bytes spki;
    struct bytes extensions; /* content of the SEQUENCE OF Extension, or empty */
    enum sig_alg sig_alg;
    struct bytes sig;
    bool ca;              /* basicConstraints cA */
    bool has_constraints; /* basicConstraints present */
    int path_len;         /* -1: none given */
    bool has_key_usage;
    uint16_t key_usage;   /* bit n of RFC 5280 is 1 << n: keyCertSign is bit 5, cRLSign bit 6 */
    struct bytes skid, akid; /* key identifiers, or empty */
};

#define KEY_USAGE_DIGITAL_SIGNATURE (1u << 0)
#define KEY_USAGE_CERT_SIGN (1u << 5)
#define KEY_USAGE_CRL_SIGN (1u << 6)

/* `der` may be followed by nothing. */
bool cert_parse(struct bytes der, const char *what, struct cert *ret, struct err *e) CHECKED;
/* The value (content of the OCTET STRING) of an extension by its OID's encoding; false: absent. */
bool cert_extension(const struct cert *c, struct bytes oid, struct bytes *ret_value, bool *ret_critical);
/* Every attribute of a Name with this OID, last wins; empty if absent. */
struct bytes name_attribute(struct bytes name_der, struct bytes oid);
/* One line "CN=..., O=..." for messages; owned by the arena. */
const char *name_text(struct bytes name_der, struct arena *a);
const char *cert_serial_hex(const struct cert *c, struct arena *a);

/* notBefore <= now <= notAfter, else ERR_CERT_EXPIRED. */
bool cert_check_time(const struct cert *c, int64_t now, const char *what, struct err *e) CHECKED;
/* child names parent as issuer, parent is a CA that may sign certificates, and `parent_key` (the
 * parent's) made the child's signature, not with SHA-1 unless child is parent. `code` is the error. */
bool cert_check_issued(const struct cert *child, const struct cert *parent, struct key *parent_key,
                       enum err_code code, const char *what, struct err *e) CHECKED;
/* Only the signature. */
bool cert_signed_by(const struct cert *c, struct key *issuer_key);
bool cert_self_issued(const struct cert *c);
/* RFC 5280 section 4.2: that no extension is critical but those that are processed: basicConstraints, keyUsage, and what
 * the caller processes or what does not restrict its use (`known`: contents of OIDs). */
bool cert_check_critical(const struct cert *c, const struct bytes *known, size_t count, enum err_code code, const char *what,
                         struct err *e) CHECKED;

/* PEM text (other blocks and text between are skipped) or DER certificates one behind the other; at most `max`. */
bool certs_read(struct bytes in, size_t max, const char *what, struct arena *a,
                struct cert **ret, size_t *ret_count, struct err *e) CHECKED;

struct crl {
    struct bytes der;
    struct bytes tbs;
    struct bytes issuer;
    int64_t this_update, next_update;
    bool has_next_update;
    struct bytes revoked; /* content of revokedCertificates, or empty */
    bool has_number, has_akid;
    struct bytes number;  /* content of the INTEGER */
    struct bytes akid;
    enum sig_alg sig_alg;
    struct bytes sig;
};

bool crl_parse(struct bytes der, const char *what, struct crl *ret, struct err *e) CHECKED;
/* DER, PEM, or DER as hexadecimal text, each with NULs behind it. The DER is copied into the arena. */
bool crl_read(struct bytes in, const char *what, struct arena *a, struct crl *ret, struct err *e) CHECKED;
bool crl_signed_by(const struct crl *c, struct key *issuer_key);
/* Whether the serial (content of the INTEGER) is listed. */
bool crl_lists(const struct crl *c, struct bytes serial);
size_t crl_count(const struct crl *c);

#endif

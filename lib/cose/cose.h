/* cose.h: signed statements in COSE_Sign1 (RFC 9052 section 4.2) with their certificate chain (RFC 9360),
 * did:x509 issuers, and receipts of a transparency ledger (evidence-snp section 8).
 *
 * A statement is read in both of its generations: text keys "iss", "feed", "signingtime" in the protected
 * header, or CWT claims (RFC 9597) with a hash envelope. Order of use: parse, chain, verify, did, receipt. */
#ifndef AVOUCH_COSE_COSE_H
#define AVOUCH_COSE_COSE_H

#include "base/arena.h"
#include "base/err.h"
#include "crypto/cert.h"

enum {
    COSE_MAX_SIZE = 64 << 10,
    COSE_MAX_CHAIN = 6,
    COSE_MAX_RECEIPTS = 8,
};

struct cose_sign1 {
    struct bytes raw;
    struct bytes protected_bstr; /* the protected header as it stands, with its CBOR head */
    struct bytes protected_map;  /* its content */
    struct bytes unprotected;    /* a map */
    bool detached;               /* payload nil */
    struct bytes payload_item;   /* as it stands */
    struct bytes payload;
    struct bytes signature_item;
    struct bytes signature;
    enum sig_alg alg;
    struct bytes x5chain[COSE_MAX_CHAIN]; /* DER, leaf first */
    size_t chain_count;
    bool has_x5t;
    enum hash_alg x5t_alg;
    struct bytes x5t;
    struct bytes content_type;
    bool has_payload_hash;       /* hash envelope: label 258 */
    int64_t payload_hash;        /* COSE algorithm */
    struct bytes issuer, feed;   /* empty: absent */
    bool has_time, has_svn;
    int64_t time, svn;
};

/* Everything of section 8.2 steps 1 and 2 that needs no key. ERR_COSE_FORMAT, ERR_COSE_ALG. */
bool cose_parse(struct bytes in, const char *what, struct cose_sign1 *ret, struct err *e) CHECKED;
/* The certificates, leaf first, as a path up to a self-signed root; and the thumbprint of the leaf.
 * No time is looked at, no root is trusted by it. ERR_COSE_CHAIN. */
bool cose_chain(const struct cose_sign1 *m, const char *what, struct arena *a, struct cert **ret, size_t *ret_count,
                struct err *e) CHECKED;
/* Signature over the payload, or over `payload` where it is detached. ERR_COSE_SIGNATURE. */
bool cose_verify(const struct cose_sign1 *m, struct key *k, struct bytes payload, const char *what, struct arena *a,
                 struct err *e) CHECKED;

/* -- certificate paths (path.c) -- */

/* Names, signatures, CA flags, path lengths, name constraints, critical extensions; the last is self-signed.
 * Validity periods are the caller's. */
bool path_check(const struct cert *chain, size_t n, enum err_code code, const char *what,
                struct err *e) CHECKED;

/* Subject alternative names. Calls back for each; false from the callback ends the walk and is returned. */
enum san_type {
    SAN_EMAIL = 1,
    SAN_DNS = 2,
    SAN_DIRECTORY = 4,
    SAN_URI = 6,
    SAN_OTHER = -1,
};
bool san_walk(const struct cert *c, bool (*each)(enum san_type type, struct bytes value, void *state), void *state);

/* -- did:x509 version 0 (did.c) -- */

/* Whether the identifier holds for this chain (leaf first), and its text without a fragment. */
bool did_x509_check(struct bytes did, const struct cert *chain, size_t n, struct arena *a, struct bytes *ret_id,
                    struct err *e) CHECKED;

/* -- receipts (receipt.c) -- */

struct cose_ledger {
    struct bytes host, kid; /* kid: hexadecimal text of the SHA-256 of the SubjectPublicKeyInfo */
    struct bytes point;     /* P-384, X || Y */
};
struct cose_receipt {
    struct bytes host, txid;
    bool has_time;
    int64_t time;
};
/* One receipt of the statement that verifies with a ledger of the list. ERR_COSE_RECEIPT: none does; the
 * reason of the last one is told. */
bool cose_receipt_verify(const struct cose_sign1 *statement, const struct cose_ledger *ledgers, size_t count,
                         struct arena *a, struct cose_receipt *ret, struct err *e) CHECKED;

#endif

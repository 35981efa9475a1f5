/* collateral.h: what vendors say about their platforms, recognised by content.
 *
 * Recognising reads only what is needed to choose an item; nothing is trusted by it. The rooms
 * verify each signature, name and date of what they use. */
#ifndef AVOUCH_EVIDENCE_COLLATERAL_H
#define AVOUCH_EVIDENCE_COLLATERAL_H

#include "base/arena.h"
#include "base/err.h"

enum collateral_kind {
    COLL_TCB_INFO,      /* Intel: {"tcbInfo":{...},"signature":"..."} */
    COLL_QE_IDENTITY,   /* Intel: {"enclaveIdentity":{...},"signature":"..."} */
    COLL_EVAL_NUMBERS,  /* Intel: {"tcbEvaluationDataNumbers":{...},"signature":"..."} */
    COLL_CRL,           /* any vendor: DER, PEM, hexadecimal DER */
    COLL_CERTS,         /* any vendor: one DER certificate or a PEM chain */
};

struct collateral_item {
    enum collateral_kind kind;
    struct bytes body;      /* as fetched */
    bool has_digest;        /* an owner of long-lived items fills it once */
    uint8_t digest[32];     /* SHA-256 of body; by collateral_digest() */
    int64_t from, to;       /* issueDate..nextUpdate, thisUpdate..nextUpdate, notBefore..notAfter */
    struct bytes issuer_cn; /* CRL, CERTS: of the first certificate */
    struct bytes subject_cn;/* CERTS: of the first certificate */
    struct bytes id;        /* TCB_INFO: "SGX" or "TDX"; QE_IDENTITY: "QE", "TD_QE", ... */
    uint8_t fmspc[6];       /* TCB_INFO */
    int64_t version;        /* TCB_INFO, QE_IDENTITY */
    int64_t eval_number;    /* TCB_INFO, QE_IDENTITY */
    bool aside;             /* counts only for who asks for its number: it is there to be told of, not to judge */
};

/* A plain array; the order is that of arrival. */
struct collateral {
    struct arena *a;
    struct collateral_item *list;
    size_t count, room;
};

struct collateral collateral_open(struct arena *a);
/* Recognises one file or answer and adds it. ERR_COLLATERAL_FORMAT: nothing that is known. */
bool collateral_add(struct collateral *c, struct bytes body, const char *name, struct err *e) CHECKED;
/* Adds the items of `from`; their bodies are not copied. */
bool collateral_join(struct collateral *c, const struct collateral *from) CHECKED;
const char *collateral_kind_name(enum collateral_kind kind);
/* SHA-256 of the body into `to`. */
void collateral_digest(const struct collateral_item *item, uint8_t to[32]);

/* What a verification asks for. `key` names it across processes and sources, in the form of a path:
 *   sgx/tcb?fmspc=00906ed50000   tdx/tcb?fmspc=...   sgx/qe/identity   tdx/qe/identity
 *   sgx/pckcrl?ca=processor      sgx/rootcacrl
 *   kds/vcek/v1/Milan/<hwid hex>?blSPL=..&teeSPL=..&snpSPL=..&ucodeSPL=..   kds/vcek/v1/Milan/cert_chain
 *   kds/vlek/v1/Milan/cert_chain kds/vcek/v1/Milan/crl
 * An Intel key may end in &eval=N for a certain evaluation number. */
struct need {
    enum collateral_kind kind;
    const char *key;
    bool optional; /* the verification may succeed without it */
    bool aside;    /* of a set that is told of beside the one that counts (collateral_item) */
};
struct needs {
    struct arena *a;
    struct need *list;
    size_t count, room;
};
struct needs needs_open(struct arena *a);
bool needs_add(struct needs *n, enum collateral_kind kind, const char *key, bool optional) CHECKED;

#endif

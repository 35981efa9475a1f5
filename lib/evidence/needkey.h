/* needkey.h: the names of collateral (collateral.h: struct need) read, written and matched with items.
 *
 * A key comes from evidence that nobody has verified yet, so it is read strictly: only what a vendor
 * could be asked for is a key. need_key_print() gives the one spelling that caches use. */
#ifndef AVOUCH_EVIDENCE_NEEDKEY_H
#define AVOUCH_EVIDENCE_NEEDKEY_H

#include "crypto/cert.h"
#include "evidence/collateral.h"

enum need_form {
    NEED_TCB_INFO,     /* sgx/tcb?fmspc=00906ed50000            tdx/tcb?... */
    NEED_IDENTITY,     /* sgx/qe/identity                       tdx/qe/identity    sgx/qve/identity */
    NEED_EVAL_NUMBERS, /* sgx/tcbevaluationdatanumbers          tdx/... */
    NEED_PCK_CRL,      /* sgx/pckcrl?ca=platform                ca=processor */
    NEED_ROOT_CRL,     /* sgx/rootcacrl */
    NEED_PCK,          /* sgx/pckcert?qeid=..&cpusvn=..&pcesvn=..&pceid=..[&encrypted_ppid=..] */
    NEED_VCEK,         /* kds/vcek/v1/Milan/<hwid>?blSPL=..&teeSPL=..&snpSPL=..&ucodeSPL=.. */
    NEED_AMD_CHAIN,    /* kds/vcek/v1/Milan/cert_chain          kds/vlek/... */
    NEED_AMD_CRL,      /* kds/vcek/v1/Milan/crl                 kds/vlek/... */
    NEED_URL,          /* url/https://...: a document of a configured address, as an issuer's key set */
};

#define NEED_KEY_MAX 1000 /* an encrypted PPID has 768 digits */
#define NEED_EVAL_EARLY ((int64_t)-1) /* &eval=early: the newest set that the vendor offers */

struct need_key {
    enum need_form form;
    bool tdx;
    bool qve;            /* NEED_IDENTITY: of Intel's quote verification enclave */
    uint8_t fmspc[6];
    uint8_t qe_id[16];   /* NEED_PCK: which platform, and the TCB that it reported */
    uint8_t cpu_svn[16];
    uint8_t pce_svn[2], pce_id[2]; /* little-endian, as in Intel's paths */
    uint8_t ppid[384];   /* encrypted to Intel, other bytes each time: tells Intel the platform, is no part of its name */
    size_t ppid_size;    /* 384, or 0: not told */
    bool platform_ca;
    int64_t eval;        /* 0: the set that the source gives by itself */
    bool vlek;
    char line[16];       /* "Milan" */
    uint8_t hw_id[64];
    size_t hw_id_size;   /* 64, or 8 on Turin */
    uint8_t spl[5];      /* fmc, bl, tee, snp, ucode */
    bool has_fmc;
    char url[512];
};

/* ERR_BAD_REQUEST: no key. */
bool need_key_parse(struct bytes text, struct need_key *ret, struct err *e) CHECKED;
const char *need_key_print(const struct need_key *k, struct arena *a); /* NULL: out of memory */
/* "TCB info on hand for FMSPC 00906ed50000", for messages that begin with "no ". */
const char *need_key_text(const struct need_key *k, struct arena *a);
enum collateral_kind need_key_kind(const struct need_key *k);
/* The name under which the item is kept: the key without what only a source needs. */
struct need_key need_key_name(const struct need_key *k);
/* Whether an item is what the key names; its signature and dates are not looked at. A PCK certificate does not say
 * of which QE it is: only what the source answered for that QE is its own. */
bool need_key_serves(const struct need_key *k, const struct collateral_item *i);

/* The keys under which an item that somebody brought is kept, at most NEED_MAX_NAMES: a statement under its evaluation number
 * as well, a list of AMD's root for both kinds of leaves. *ret_count 0: certificates that only verify others. `cert` is the
 * certificate of a COLL_CERTS item that is meant. ERR_COLLATERAL_FORMAT: nothing that a key can name. */
enum { NEED_MAX_NAMES = 2 };
bool need_keys_of(const struct collateral_item *i, const struct cert *cert, struct need_key *ret, size_t *ret_count, struct err *e) CHECKED;

#endif

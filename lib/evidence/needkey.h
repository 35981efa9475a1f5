/* needkey.h: the names of collateral (collateral.h: struct need) read, written and matched with items.
 *
 * A key comes from evidence that nobody has verified yet, so it is read strictly: only what a vendor
 * could be asked for is a key. need_key_print() gives the one spelling that caches use. */
#ifndef AVOUCH_EVIDENCE_NEEDKEY_H
#define AVOUCH_EVIDENCE_NEEDKEY_H

#include "evidence/collateral.h"

enum need_form {
    NEED_TCB_INFO,     /* sgx/tcb?fmspc=00906ed50000            tdx/tcb?... */
    NEED_IDENTITY,     /* sgx/qe/identity                       tdx/qe/identity */
    NEED_EVAL_NUMBERS, /* sgx/tcbevaluationdatanumbers          tdx/... */
    NEED_PCK_CRL,      /* sgx/pckcrl?ca=platform                ca=processor */
    NEED_ROOT_CRL,     /* sgx/rootcacrl */
    NEED_VCEK,         /* kds/vcek/v1/Milan/<hwid>?blSPL=..&teeSPL=..&snpSPL=..&ucodeSPL=.. */
    NEED_AMD_CHAIN,    /* kds/vcek/v1/Milan/cert_chain          kds/vlek/... */
    NEED_AMD_CRL,      /* kds/vcek/v1/Milan/crl                 kds/vlek/... */
    NEED_URL,          /* url/https://...: a document of a configured address, as an issuer's key set */
};

#define NEED_KEY_MAX 640
#define NEED_EVAL_EARLY ((int64_t)-1) /* &eval=early: the newest set that the vendor offers */

struct need_key {
    enum need_form form;
    bool tdx;
    uint8_t fmspc[6];
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
/* Whether an item is what the key names; its signature and dates are not looked at. */
bool need_key_serves(const struct need_key *k, const struct collateral_item *i);

#endif

/* vet.h: whether what a source gave is worth keeping.
 *
 * The core verifies everything again. This look keeps a cache from being filled with what the core would
 * refuse: a source that gives forged, foreign or stale collateral is told apart from one that gives none,
 * and the next source is asked. */
#ifndef AVOUCH_COLLATERAL_VET_H
#define AVOUCH_COLLATERAL_VET_H

#include "collateral/bundle.h"
#include "evidence/evidence.h"
#include "evidence/needkey.h"

struct vetted {
    int64_t from, to; /* of the item itself: from orders its generations */
    int64_t eval_number;
};

/* `loose`: an operator put the item there, so certificates may be missing; signatures that can be checked are.
 * `now` is for the issuers: whether the item itself has ended or not begun is left to the caller, who gets its dates.
 * ERR_TCB_MISMATCH, ERR_CHIP_ID_MISMATCH: genuine, but of another TCB or chip than was asked for. */
bool vet_record(const struct need_key *k, const struct record *r, const struct trust *trust, bool loose, int64_t now, struct vetted *ret,
                struct err *e) CHECKED;

#endif

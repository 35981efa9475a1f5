/* answer.h: what a source answered, as a record: which part is the item, which are its certificates.
 *
 * Most answers are the item itself with its issuer chain in a header. PCK certificates say in SGX-TCBm which TCB they
 * are of; Azure's cache wraps certificates of both vendors in JSON. Nothing is trusted by this: vet.h does that. */
#ifndef AVOUCH_COLLATERAL_ANSWER_H
#define AVOUCH_COLLATERAL_ANSWER_H

#include "collateral/net.h"
#include "collateral/source.h"

/* Fills bodies, count and max_age of the record. ERR_COLLATERAL_FORMAT: not the form that is known;
 * ERR_TCB_MISMATCH: the answer says itself that it is of another TCB than its certificate, or than was asked for. */
bool answer_read(enum source_kind from, const struct need_key *k, const struct net_answer *n, struct arena *a, struct record *ret,
                 struct err *e) CHECKED;

#endif

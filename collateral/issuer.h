/* issuer.h: key sets of the issuers of bearer tokens (auth.issuer), fetched by this process because no other
 * reaches the network.
 *
 *     document -> key set, both bounded, over TLS, without redirects
 *     fresh:   as long as Cache-Control says, within 5 minutes and 24 hours; fetched anew before that ends
 *     stale:   24 hours more, so that an outage of the issuer locks nobody out; kept on disk for a restart
 *     unknown: a key that the set has not got makes us look once a minute, however many ask */
#ifndef AVOUCH_COLLATERAL_ISSUER_H
#define AVOUCH_COLLATERAL_ISSUER_H

#include "collateral/net.h"
#include "os/config.h"

struct issuers;

struct issuer_answer {
    struct bytes keys;    /* text of the set (RFC 7517 section 5); empty: there is none that may be used */
    int64_t to;           /* when it may not be used any more */
    const char *error;    /* of the last attempt; "": it succeeded, or there was none */
    unsigned retry_after; /* seconds until asking again may change the answer */
};
/* Called once for each question, perhaps before issuers_ask() returns; the answer lives for the call. */
typedef void issuer_done(void *user, const struct issuer_answer *answer);

/* `folder` is made where there is an issuer to be asked; sets of earlier runs are read: before the sandbox closes. */
bool issuers_open(const struct config *c, const char *folder, int64_t clock_offset, struct net *net, struct arena *a, struct issuers **ret,
                  struct err *e) CHECKED;
/* After net_close(): what is under way gets no answer. */
void issuers_close(struct issuers *x);
/* `kid` empty: the set as it is. The answer comes by deadline_us of the monotonic clock. */
void issuers_ask(struct issuers *x, struct bytes issuer, struct bytes kid, uint64_t deadline_us, issuer_done *done, void *user);
/* Starts what is due and answers who cannot wait longer; milliseconds until that is to be called again, at most max_ms. */
int issuers_tick(struct issuers *x, int max_ms);

#endif

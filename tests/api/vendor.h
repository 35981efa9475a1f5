/* vendor.h: a server in the test process that speaks Intel's PCS and PCCS, Azure's THIM and AMD's KDS with
 * minted collateral, counts who asks for what, and misbehaves on demand. */
#ifndef AVOUCH_TESTS_API_VENDOR_H
#define AVOUCH_TESTS_API_VENDOR_H

#include "testing.h"

#include "pki/intel_pki.h"

enum fault {
    FAULT_NONE,
    FAULT_HOLD,          /* no answer until vendor_release() */
    FAULT_429,           /* with Retry-After: 1 */
    FAULT_500,
    FAULT_404,
    FAULT_CUT,           /* the body ends before its length is reached */
    FAULT_SIGNATURE,     /* one byte of the signed text is another */
    FAULT_OLD,           /* a set that was replaced 60 days ago and is over */
    FAULT_OLDER,         /* valid, but issued a day before the usual one */
    FAULT_HUGE,          /* larger than any limit */
    FAULT_REDIRECT_AWAY, /* to another host */
    FAULT_REDIRECT_HERE, /* to a path of the same host that gives the right answer */
    FAULT_REDIRECT_LOOP,
    FAULT_NO_CHAIN,      /* without its issuer chain */
    FAULT_GARBAGE,       /* HTML of some proxy */
    FAULT_OTHER,         /* right and signed, but for another platform */
    FAULT_FOREIGN,       /* signed by somebody else's chain */
    FAULT_461,           /* as a PCCS says that it does not know the platform */
    FAULT_462,           /* ... that there is no certificate for this TCB */
    FAULT_TCBM,          /* SGX-TCBm is not that of the certificate */
    FAULT_NO_TCBM,
    FAULT_TCB_ABOVE,     /* a PCK certificate of a newer TCB than was asked for */
    FAULT_PCE,           /* ... of another PCE */
};

struct vendor;

/* `tls_folder` NULL: plain HTTP; else cert.pem and key.pem of that folder. */
struct vendor *vendor_start(struct intel_pki *pki, const struct pki_options *o, const char *tls_folder);
void vendor_stop(struct vendor *v);
int vendor_port(const struct vendor *v);

/* Requests whose path and query contain `part` get this fault from now on; the latest rule counts. */
void vendor_fault(struct vendor *v, const char *part, enum fault fault);
void vendor_release(struct vendor *v); /* what is held is answered, as its rules say now */
/* How many requests contained `part`. */
/* Returns when so many requests that contain `part` have come, or so many were answered with 304. */
void vendor_await(struct vendor *v, const char *part, unsigned n);
void vendor_await_conditional(struct vendor *v, unsigned n);
unsigned vendor_count(struct vendor *v, const char *part);
unsigned vendor_count_conditional(struct vendor *v); /* answered by 304 */
/* Collateral of another time, another evaluation number, another status from now on. */
void vendor_options(struct vendor *v, const struct pki_options *o);
/* What KDS gives for a path that contains `part`. */
void vendor_file(struct vendor *v, const char *part, struct bytes body);
/* The subscription key without which a PCS path (no qeid in it) gives no PCK certificate. */
#define VENDOR_KEY "0123456789abcdef-subscription"
unsigned vendor_count_keys(struct vendor *v); /* requests that bore any subscription key */

#endif

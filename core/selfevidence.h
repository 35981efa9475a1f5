/* selfevidence.h: what this core can prove about itself: a report by the TEE that it runs in, bound to a key. */
#ifndef AVOUCH_CORE_SELFEVIDENCE_H
#define AVOUCH_CORE_SELFEVIDENCE_H

#include "base/arena.h"
#include "base/err.h"

struct self_evidence {
    const char *kind;       /* "none", "acisevsnp", "tdx": extension 1.3.6.1.4.1.311.105.1000.2 */
    struct bytes statement; /* JSON of extension ...1000.1; empty for "none" */
};

/* `binding` goes into the first half of the report data. Reads configfs-tsm, so call it before the sandbox
 * closes. Without a TEE the answer is "none" and true; false: a TEE is there but does not answer. */
bool self_evidence(const uint8_t binding[32], struct arena *a, struct self_evidence *ret, struct err *e) CHECKED;

#endif

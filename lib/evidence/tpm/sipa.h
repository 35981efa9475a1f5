/* sipa.h: Windows measured-boot data (SIPA elements of a WBCL), carried by EV_EVENT_TAG events.
 *
 * { u32 id, u32 size, data } repeated; bit 30 of the id marks a container (Windows SDK, wbcl.h). */
#ifndef AVOUCH_EVIDENCE_TPM_SIPA_H
#define AVOUCH_EVIDENCE_TPM_SIPA_H

#include "base/arena.h"
#include "base/err.h"
#include "base/out.h"

enum sipa_id {
    SIPA_TRUSTBOUNDARY = 0x40010001,
    SIPA_ELAM_AGGREGATION = 0x40010002,
    SIPA_LOADEDMODULE_AGGREGATION = 0x40010003,
    SIPA_BOOTCOUNTER = 0x00020002,
    SIPA_TRANSFER_CONTROL = 0x00020003,
    SIPA_BOOTDEBUGGING = 0x00040001,
    SIPA_OSKERNELDEBUG = 0x00050001,
    SIPA_TESTSIGNING = 0x00050003,
    SIPA_SAFEMODE = 0x00050005,
    SIPA_WINPE = 0x00050006,
    SIPA_HYPERVISOR_DEBUG = 0x0005000d,
    SIPA_FLIGHTSIGNING = 0x00050021,
    SIPA_VSM_IDKS_INFO = 0x00050023,
    SIPA_ELAM_KEYNAME = 0x00090001,
    SIPA_ELAM_POLICY = 0x00090003,
    SIPA_ELAM_MEASURED = 0x00090004,
    SIPA_VBS_VSM_REQUIRED = 0x000a0001,
    SIPA_VBS_IOMMU_REQUIRED = 0x000a0003,
    SIPA_VBS_MANDATORY_ENFORCEMENT = 0x000a0006,
    SIPA_VBS_HVCI_POLICY = 0x000a0007,
};

#define SIPA_CONTAINER 0x40000000u /* bit of an id */

enum { SIPA_MAX_DEPTH = 8, SIPA_MAX_ELEMENTS = 65536 };

struct sipa {
    uint32_t id;
    struct bytes data;
    unsigned depth; /* 0: at the top */
};

/* Reads elements in order, entering containers: each container comes before its children. */
struct sipa_walk {
    struct bytes level[SIPA_MAX_DEPTH + 1]; /* what is left at each depth */
    unsigned depth;
    size_t count;
    const char *wrong; /* not NULL: malformed, and how */
};
struct sipa_walk sipa_open(struct bytes in);
bool sipa_next(struct sipa_walk *w, struct sipa *ret); /* false: end, or malformed */
/* Whether the whole is well-formed and has at least one element. */
bool sipa_valid(struct bytes in, const char **ret_wrong);

const char *sipa_name(uint32_t id); /* "BOOTDEBUGGING", or NULL */
/* Integers of 1, 2, 4 or 8 bytes by the element's size; false: another size. */
bool sipa_uint(struct bytes data, uint64_t *ret);
/* Booleans: non-zero in any byte. */
bool sipa_true(struct bytes data);

/* Members of ProcessedData: "EVENT_...":... separated by commas. The input is sipa_valid(). */
void sipa_json(struct bytes in, struct out *o);

/* VSM_IDK_INFO, VSM_IDKS_INFO (evidence-tpm 10.3). */
struct sipa_key {
    uint32_t alg, bits;
    struct bytes exponent, modulus;
};
bool sipa_key_parse(struct bytes data, const char *what, struct sipa_key *ret, struct err *e) CHECKED;

#endif

/* boot.h: one state of a machine: what its quote proved, its logs replayed against it, and what they say.
 *
 * Nothing in a log is believed because it stands there. The digests are bound by the replay; data
 * count only where a digest covers them; types are bound by nothing, so where a type decides what a
 * claim or a policy sees, a type that contradicts its digest is refused. */
#ifndef AVOUCH_EVIDENCE_TPM_BOOT_H
#define AVOUCH_EVIDENCE_TPM_BOOT_H

#include "claims/claims.h"
#include "evidence/tpm/eventlog.h"
#include "evidence/tpm/ima.h"

enum secure_boot {
    SECURE_BOOT_UNKNOWN,      /* not measured, or measured empty */
    SECURE_BOOT_ENABLED,
    SECURE_BOOT_DISABLED,
    SECURE_BOOT_INCONSISTENT, /* measured more than once, or data that the digests do not cover */
    SECURE_BOOT_DEBUG,        /* on, but the firmware was in debug mode */
};

struct tpm_state {
    struct tpm_attest quote;
    struct pcr_set pcrs; /* the verified values */
    struct tpm_log log;
    struct ima_log ima;
    /* Set by tpm_state_replay(): */
    const struct tpm_bank *cover[TPM_PCRS]; /* strongest bank that binds the events of a PCR */
    uint32_t with_events;  /* PCRs that the log extends */
    uint32_t removed;      /* of these the ones that the quote does not bind: their events are not shown */
    uint32_t unexplained;  /* quoted, not in their start value, without events */
};

void tpm_state_open(struct tpm_state *s, struct arena *a);
/* Adds one log of type "TCG" or "IMA". */
bool tpm_state_add(struct tpm_state *s, bool ima, struct bytes log, const char *what, struct err *e) CHECKED;
/* Sections 5 and 9 of evidence-tpm: every quoted PCR that the log extends must come out. */
bool tpm_state_replay(struct tpm_state *s, bool allow_sha1, const char *what, struct err *e) CHECKED;
/* For tools that show a log without a quote: takes what the log replays to as verified. */
bool tpm_state_assume(struct tpm_state *s, const char *what, struct err *e) CHECKED;

enum secure_boot tpm_secure_boot(const struct tpm_state *s);
const char *tpm_secure_boot_name(enum secure_boot b);

/* What Windows measured, latched over all occurrences before the separator of each PCR. */
struct win_boot {
    bool any;            /* some SIPA element was seen */
    bool hidden;         /* there are measurements in PCR 12 or 13 that nothing explains */
    bool boot_debug_seen, boot_debug, kernel_debug, hypervisor_debug;
    bool safe_mode, win_pe, test_signing, flight_signing;
    bool vsm_seen, vsm_all, iommu_seen, iommu_all, mandatory_seen, mandatory_all;
    bool elam;
    uint64_t hvci;
    bool has_boot_counter, has_transfer;
    uint64_t boot_counter, transfer;
};
struct win_boot tpm_win_boot(const struct tpm_state *s);

/* The public key of the enclave report signer (VSM_IDKS_INFO) in PCR 12, 19 or 20: evidence-vbs 3 step 2.
 * ret->n 0 without an error: there is none. */
bool tpm_vbs_key(const struct tpm_state *s, struct bytes *ret_info, struct err *e) CHECKED;

/* The kernel's command line; empty: none is covered, or what was measured speaks of more than one (cmdline.c). */
struct bytes tpm_kernel_command_line(const struct tpm_state *s, struct arena *a);

/* Claims.md 5.2 and 5.3: {"Events":[...]} and {"PCRs":[...]}. */
struct bytes tpm_events_json(const struct tpm_state *s, struct arena *a);
struct bytes tpm_pcrs_json(const struct tpm_state *s, struct arena *a);
/* ProcessedData of one event, braces included. */
void tpm_event_json(const struct tpm_event *ev, struct out *o);

/* Scalar claims of claims.md 5.1 but aikValidated and aikPubHash, and our additional ones. */
void tpm_state_claims(const struct tpm_state *s, bool with_events, struct claims *ret);

#endif

/* eventlog.h: firmware and OS event logs (TCG PC Client Platform Firmware Profile 10.4), parsed and replayed.
 *
 * An event's index into a PCR and its digest are bound by the replay. Its type, its order relative to
 * other PCRs and its data are not: tpm_event_covered() tells which data the digest covers, and boot.c
 * refuses logs whose types contradict their digests. */
#ifndef AVOUCH_EVIDENCE_TPM_EVENTLOG_H
#define AVOUCH_EVIDENCE_TPM_EVENTLOG_H

#include "evidence/tpm/attest.h"

enum tpm_event_type {
    EV_PREBOOT_CERT = 0x0,
    EV_POST_CODE = 0x1,
    EV_NO_ACTION = 0x3,
    EV_SEPARATOR = 0x4,
    EV_ACTION = 0x5,
    EV_EVENT_TAG = 0x6,
    EV_S_CRTM_VERSION = 0x8,
    EV_COMPACT_HASH = 0xc,
    EV_IPL = 0xd,
    EV_EFI_VARIABLE_DRIVER_CONFIG = 0x80000001,
    EV_EFI_VARIABLE_BOOT = 0x80000002,
    EV_EFI_BOOT_SERVICES_APPLICATION = 0x80000003,
    EV_EFI_BOOT_SERVICES_DRIVER = 0x80000004,
    EV_EFI_RUNTIME_SERVICES_DRIVER = 0x80000005,
    EV_EFI_GPT_EVENT = 0x80000006,
    EV_EFI_ACTION = 0x80000007,
    EV_EFI_PLATFORM_FIRMWARE_BLOB = 0x80000008,
    EV_EFI_PLATFORM_FIRMWARE_BLOB2 = 0x8000000a,
    EV_EFI_VARIABLE_BOOT2 = 0x8000000c,
    EV_EFI_GPT_EVENT2 = 0x8000000d,
    EV_EFI_HCRTM_EVENT = 0x80000010,
    EV_EFI_VARIABLE_AUTHORITY = 0x800000e0,
    EV_EFI_SPDM_DEVICE_POLICY = 0x800000e3,
    EV_EFI_SPDM_DEVICE_AUTHORITY = 0x800000e4,
};

enum {
    TPM_LOG_MAX_SIZE = 4 << 20,
    TPM_LOG_MAX_EVENTS = 65536,
    TPM_LOG_MAX_BANKS = 16,
    TPM_LOGS_MAX = 16,
};

struct tpm_log_bank {
    uint16_t alg;
    uint16_t size;
    const struct tpm_bank *bank; /* NULL: an algorithm that is not in our table */
};

/* Texts that boot loaders measure (evidence-tpm section 8). The prefix that tells them apart is not part
 * of the digest. */
enum tpm_text {
    TEXT_NONE,
    TEXT_GRUB_COMMAND,
    TEXT_KERNEL_COMMAND_LINE,
    TEXT_MODULE_COMMAND_LINE,
    TEXT_UTF16,        /* systemd: a command line */
    TEXT_SECTION_NAME, /* systemd-stub: name of a section of a unified kernel image */
};

/* What a log's Spec ID event declares (TCG_EfiSpecIDEvent); an old log has SHA-1 alone. */
struct tpm_log_spec {
    struct tpm_log_bank banks[TPM_LOG_MAX_BANKS];
    size_t count;
    uint8_t minor, major, errata;
    bool crypto_agile;
};

struct tpm_event {
    uint32_t seq; /* over all logs of one state, the Spec ID included */
    uint32_t pcr; /* below 24, or 0xffffffff for an informational EV_NO_ACTION */
    uint32_t type;
    size_t offset;        /* in its log */
    size_t digest_count;
    struct bytes digests; /* crypto-agile: algorithm and digest each; old format: 20 bytes of SHA-1 */
    struct bytes data;
    const struct tpm_log_spec *spec; /* of its log; NULL: the event is in the old format */
    /* Set by boot.c once the log is replayed against a quote. */
    bool visible;         /* its PCR is in the verified set */
    bool covered;         /* its digest covers its data in one of the ways of its type */
    bool separator;       /* its digest is that of a separator, whatever its type says */
    enum tpm_text text_kind;
    struct bytes text;    /* the part of an EV_IPL's data that the digest covers */
};

/* One or more logs in the order of measurement. */
struct tpm_log {
    struct arena *a;
    struct tpm_event *events;
    size_t count, room;
    const struct tpm_log_spec *spec; /* of the first log */
    size_t logs;
    int locality;        /* of StartupLocality, or -1 */
    bool hcrtm;
    uint32_t next_seq;
};

struct tpm_log tpm_log_open(struct arena *a);
/* Parses one log and appends its events. ERR_LOG_FORMAT names event and offset. */
bool tpm_log_add(struct tpm_log *log, struct bytes in, const char *what, struct err *e) CHECKED;

/* The digest of an event in a bank; empty where it has none. */
struct bytes tpm_event_digest(const struct tpm_event *ev, uint16_t alg);
/* The i-th digest with its algorithm. */
struct bytes tpm_event_digest_at(const struct tpm_event *ev, size_t i, uint16_t *ret_alg);
const char *tpm_event_type_name(uint32_t type); /* NULL: not in the tables */
/* Whether EV_NO_ACTION: never extended. */
static inline bool tpm_event_extends(const struct tpm_event *ev)
{
    return ev->type != EV_NO_ACTION;
}

/* Replays one bank from its start values. ret->present has the PCRs that have events. false: some
 * event has no digest in this bank, or the hash is not computed here; *ret_missing is that event. */
bool tpm_log_replay(const struct tpm_log *log, const struct tpm_bank *bank, struct pcr_bank *ret,
                    const struct tpm_event **ret_missing);
/* Whether the first log declares this bank. */
bool tpm_log_has_bank(const struct tpm_log *log, const struct tpm_bank *bank);

#endif

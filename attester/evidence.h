/* evidence.h: what the attester gathers on this machine, and the request it makes of it. */
#ifndef AVOUCH_ATTESTER_EVIDENCE_H
#define AVOUCH_ATTESTER_EVIDENCE_H

#include "attester/tpmdev.h"
#include "codec/json.h"

#define EVIDENCE_LOG "/sys/kernel/security/tpm0/binary_bios_measurements"
#define EVIDENCE_IMA "/sys/kernel/security/ima/binary_runtime_measurements"

struct gather {
    const struct tpm_bank *bank;
    uint32_t pcrs;
    uint32_t ak_handle;
    bool keep_ak;            /* at ak_handle, if it is not there */
    const char *log_path;    /* a file that is missing means: no log */
    const char *ima_path;    /* NULL: not sent */
    struct bytes aik_cert;   /* empty: the one of Azure's NV index, if there is one */
    struct bytes rp_id, rp_data;
    struct bytes custom;     /* JSON array, or empty */
};
struct gather gather_default(void);

struct gathered {
    struct tpmdev_key ak, request_key;
    struct bytes log, ima, aik_cert;
    struct pcr_set pcrs;
    struct bytes quote, quote_sig;
    struct bytes cert, cert_sig; /* of the request key */
};

/* Quotes for this challenge; the PCR values belong to the quote, the IMA list is cut to them. */
bool gather_tpm(struct tpmdev *t, const struct gather *g, struct bytes challenge, struct arena *a,
                struct gathered *ret, struct err *e) CHECKED;
void gathered_done(struct tpmdev *t, struct gathered *g);

/* The attReqV2 of evidence-tpm 12.4, signed in the TPM: the compact JWS. */
bool request_make(struct tpmdev *t, const struct gather *g, const struct gathered *have,
                  struct bytes challenge, struct bytes service_context, struct arena *a,
                  struct bytes *ret_jws, struct err *e) CHECKED;
/* {"sha256":{"0":"<hex>",...}} */
struct bytes pcrs_json(const struct pcr_set *s, struct arena *a);

/* A whole file; `ret->p` NULL where it does not exist. */
bool file_read(const char *path, struct arena *a, struct bytes *ret, struct err *e) CHECKED;
bool file_write(const char *path, struct bytes content, struct err *e) CHECKED;
/* The old file or the new one, whatever happens meanwhile and whoever reads; for what others read, not for devices. */
bool file_replace(const char *path, struct bytes content, struct arena *a, struct err *e) CHECKED;

/* Hardware reports that this kernel offers, or why it offers none. */
struct hardware {
    const char *name;   /* "sev-guest" */
    const char *path;
    bool present;
    char why[160];      /* if not present, or not readable */
    const char *provider; /* configfs-tsm */
    struct bytes report;
    struct bytes auxiliary; /* configfs-tsm: certificates beside the report */
};
enum { HARDWARE_SOURCES = 3 };
/* Asks each source for a report over `data` (up to 64 bytes). */
void hardware_read(struct bytes data, struct arena *a, struct hardware ret[HARDWARE_SOURCES]);

#endif

/* ima.h: the Linux kernel's list of measured files (binary_runtime_measurements), PCR 10.
 *
 * Layout: Linux Documentation/security/IMA-templates.rst; integers little-endian. */
#ifndef AVOUCH_EVIDENCE_TPM_IMA_H
#define AVOUCH_EVIDENCE_TPM_IMA_H

#include "base/out.h"
#include "evidence/tpm/attest.h"

enum { IMA_PCR = 10, IMA_MAX_ENTRIES = 100000 };

struct ima_entry {
    uint32_t seq;
    struct bytes digest;   /* SHA-1 of the template data; zero: a violation */
    struct bytes template; /* "ima-ng" */
    struct bytes data;     /* template data as hashed, field lengths included */
    bool old;              /* template "ima": digest and name without lengths */
    bool violation;
    bool covered;          /* the digest is that of the data */
};
struct ima_log {
    struct arena *a;
    struct ima_entry *list;
    size_t count, room;
};

struct ima_log ima_open(struct arena *a);
/* Appends the entries of one list; an incomplete last one is an error. *seq counts on. */
bool ima_add(struct ima_log *log, struct bytes in, uint32_t *seq, const char *what, struct err *e) CHECKED;

enum ima_mode {
    IMA_OWN_HASH,    /* the bank's hash over the template data */
    IMA_PADDED_SHA1, /* the SHA-1 template digest, zeros behind it: kernels before 5.8 and missing hashes */
};
struct digest ima_replay(const struct ima_log *log, const struct tpm_bank *bank, enum ima_mode mode);
/* How many entries from the start replay to this value of PCR 10; 0: no number of them. */
size_t ima_prefix(const struct ima_log *log, const struct tpm_bank *bank, enum ima_mode mode,
                  struct bytes want);

/* PCR 10 of every verified bank must be what the list replays to. */
bool ima_check(const struct ima_log *log, const struct pcr_set *verified, bool allow_sha1, const char *what,
               struct err *e) CHECKED;

/* File name and digest ("sha256:<hex>") of an entry; false: its template is not known. */
bool ima_file(const struct ima_entry *en, struct arena *a, struct bytes *ret_name, struct bytes *ret_hash);
/* Members of ProcessedData, without the braces. */
void ima_json(const struct ima_entry *en, struct out *o);

/* Text that may not be UTF-8, as a JSON string: bytes of no character become U+FFFD. */
void text_json(struct out *o, struct bytes text);

#endif

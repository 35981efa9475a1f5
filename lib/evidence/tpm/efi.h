/* efi.h: structures that firmware measures: variables, images, device paths, signature lists, partitions.
 *
 * UEFI 2.10 (3.1.2 Boot####, 10.3 device paths, 32.4.1 EFI_SIGNATURE_LIST), TCG PFP 10.4.6
 * (measured forms). */
#ifndef AVOUCH_EVIDENCE_TPM_EFI_H
#define AVOUCH_EVIDENCE_TPM_EFI_H

#include "base/arena.h"
#include "base/err.h"
#include "base/out.h"
#include "codec/json.h"

/* UEFI_VARIABLE_DATA (PFP 10.4.6). */
struct efi_variable {
    struct bytes guid; /* 16 bytes, as measured */
    struct bytes name; /* UTF-16LE without a closing NUL */
    struct bytes data;
    size_t rest;       /* bytes behind it: some firmware and old shims log more */
};
bool efi_variable_parse(struct bytes in, struct efi_variable *ret);

/* UEFI_IMAGE_LOAD_EVENT (PFP 10.4.4). */
struct efi_image {
    uint64_t location, length, link_time;
    struct bytes path;
};
bool efi_image_parse(struct bytes in, struct efi_image *ret);

#define EFI_GLOBAL "\x61\xdf\xe4\x8b\xca\x93\xd2\x11\xaa\x0d\x00\xe0\x98\x03\x2b\x8c"
#define EFI_IMAGE_SECURITY "\xcb\xb2\x19\xd7\x3a\x3d\x96\x45\xa3\xbc\xda\xd0\x0e\x67\x65\x6f"
#define EFI_SHIM_LOCK "\x50\xab\x5d\x60\x46\xe0\x00\x43\xab\xb6\x3d\xd8\x10\xdd\x8b\x23"

/* "8BE4DF61-93CA-..." as claims write it, or in lower case. */
void efi_guid_print(struct out *o, struct bytes guid, bool upper);
/* UTF-16LE to UTF-8; unpaired surrogates become U+FFFD; stops at a NUL. */
void utf16_print(struct out *o, struct bytes utf16);
struct bytes utf16_text(struct arena *a, struct bytes utf16);
/* Whether the UTF-16LE text is this ASCII text. */
bool utf16_is(struct bytes utf16, const char *ascii);

/* Text form of a device path (evidence-tpm 6.1); at most 64 nodes, bad ones end it. The short form has
 * PCI devices, firmware volumes and files, offsets and file paths alone. */
void efi_path_print(struct out *o, struct bytes path, bool full);

/* Walks the entries of EFI_SIGNATURE_LISTs, one call each. false: malformed, or more than 65536. */
struct efi_signature {
    struct bytes type;  /* GUID of the list */
    struct bytes owner; /* GUID */
    struct bytes data;
};
struct efi_siglist {
    struct bytes left;    /* lists not yet begun */
    struct bytes entries; /* of the list that is being read */
    struct bytes type;
    size_t size;          /* of an entry */
    size_t count;
    bool failed;
};
struct efi_siglist efi_siglist_open(struct bytes in);
bool efi_siglist_next(struct efi_siglist *l, struct efi_signature *ret); /* false: end, or failed */
enum efi_sig_kind {
    EFI_SIG_X509,
    EFI_SIG_SHA256,
    EFI_SIG_X509_SHA256,
    EFI_SIG_X509_SHA384,
    EFI_SIG_RSA2048,
    EFI_SIG_OTHER,
};
enum efi_sig_kind efi_sig_kind(struct bytes type);
const char *efi_sig_kind_name(enum efi_sig_kind k);
/* Array of {"Type","Owner","Data" or "Sha256"}; false: malformed. */
bool efi_siglist_json(struct bytes in, struct out *o);

/* Members of a measured variable, image or partition table, as ProcessedData. false: not of that form. */
bool efi_gpt_json(struct bytes in, struct out *o);

#endif

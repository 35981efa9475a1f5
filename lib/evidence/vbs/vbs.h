/* vbs.h: reports of Windows enclaves under virtualization-based security (ntenclv.h; evidence-vbs).
 *
 * A report travels inside a TPM request. Its signing key is believed only from the verified boot log
 * of the same request (tpm_vbs_key()): anyone can make a key. */
#ifndef AVOUCH_EVIDENCE_VBS_VBS_H
#define AVOUCH_EVIDENCE_VBS_VBS_H

#include "base/arena.h"
#include "base/err.h"
#include "claims/claims.h"

enum { VBS_MODULES_MAX = 256 };

struct vbs_identity {
    struct bytes unique_id, author_id; /* 32 bytes */
    struct bytes family_id, image_id;  /* 16 bytes */
    uint32_t svn;
};
struct vbs_module {
    struct vbs_identity id;
    struct bytes name; /* UTF-16LE */
};
struct vbs_report {
    struct bytes statement; /* the signed bytes */
    struct bytes signature;
    struct bytes enclave_data; /* 64 bytes that the enclave chose */
    struct bytes owner_id;
    struct vbs_identity id;
    uint32_t secure_kernel_svn, platform_svn, flags, signing_level, type;
    struct vbs_module *modules;
    size_t module_count;
};

/* The package that EnclaveGetAttestationReport makes; the whole input. ERR_VBS_FORMAT, ERR_VBS_SCHEME. */
bool vbs_report_parse(struct bytes in, const char *what, struct arena *a, struct vbs_report *ret,
                      struct err *e) CHECKED;
/* `key_info` is the content of VSM_IDKS_INFO. ERR_VBS_KEY, ERR_VBS_SIGNATURE. */
bool vbs_report_verify(const struct vbs_report *r, struct bytes key_info, const char *what,
                       struct err *e) CHECKED;
/* EnclaveData is the SHA-512 of this text (report_signed exactly as received): ERR_VBS_ENCLAVE_DATA. */
bool vbs_report_check_data(const struct vbs_report *r, struct bytes report_signed, const char *what,
                           struct err *e) CHECKED;
/* Claims.md section 6; vbsReportPresent and vsmReportPresent are the caller's. */
void vbs_report_claims(const struct vbs_report *r, struct claims *ret);

#endif

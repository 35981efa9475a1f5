/* hcl.h: the report of Azure's paravisor (HCL): a hardware report with runtime data whose hash it carries
 * (evidence-snp section 5). Used for SEV-SNP and TDX confidential VMs and by the Azure-guest room. */
#ifndef AVOUCH_EVIDENCE_SNP_HCL_H
#define AVOUCH_EVIDENCE_SNP_HCL_H

#include "codec/json.h"
#include "crypto/key.h"
#include "evidence/check.h"

enum hcl_report_type {
    HCL_VBS = 1,
    HCL_SNP = 2,
    HCL_TRUSTED_VM = 3,
    HCL_TDX = 4,
};

struct hcl_report {
    uint32_t version, report_size, request_type, status;
    struct bytes hardware;      /* 1184 bytes: the SNP report, or a TD report with zeros behind */
    uint32_t data_size, data_version, report_type, hash_type, variable_size;
    enum hash_alg hash;
    struct bytes runtime;       /* the JSON, exactly as hashed */
};

/* Layout 5.2. Bytes behind the runtime data are NV padding and must be zero. */
bool hcl_parse(struct bytes in, struct hcl_report *ret, struct err *e) CHECKED;
/* Report type, and H(runtime) = report_data[0, n) with zeros behind; `report_data` is that of the *verified*
 * hardware report. */
bool hcl_check(const struct hcl_report *h, enum hcl_report_type type, struct bytes report_data,
               struct checks *list, struct err *e) CHECKED;

/* Runtime JSON 5.3. */
struct hcl_runtime {
    const struct json *json;
    const struct json *configuration; /* vm-configuration, or NULL */
    struct bytes ak_n, ak_e;          /* HCLAkPub: big-endian modulus and exponent */
    struct bytes vm_id;               /* vmUniqueId, or empty */
    struct bytes user_data;           /* as it stands: upper-case hexadecimal, or empty */
};
bool hcl_runtime_parse(struct bytes runtime, struct arena *a, struct hcl_runtime *ret, struct err *e) CHECKED;
/* HCLAkPub as a key. ERR_AK_MISSING, ERR_AK_KEY. */
bool hcl_ak_key(const struct hcl_runtime *r, struct key **ret, struct err *e) CHECKED;
/* That another statement of the key (AikPub, AK certificate) is the same key: ERR_AK_MISMATCH. */
bool hcl_ak_check(const struct hcl_runtime *r, struct bytes n, struct bytes exponent, struct checks *list,
                  struct err *e) CHECKED;

#endif

/* body.c: TD reports inside quotes (Intel TDX DCAP quoting library API, appendix A.3.2; evidence-sgx table 8.1). */
#include "base/cur.h"
#include "evidence/tdx/tdx.h"

bool td_body_parse(struct bytes raw, struct td_body *ret, struct err *e)
{
    struct cur c = cur_open(raw), attributes;
    struct td_body b = { .raw = raw };

    b.tee_tcb_svn = cur_take(&c, 16, "TEE_TCB_SVN");
    b.mr_seam = cur_take(&c, 48, "MRSEAM");
    b.mr_signer_seam = cur_take(&c, 48, "MRSIGNERSEAM");
    b.seam_attributes = cur_take(&c, 8, "SEAMATTRIBUTES");
    b.td_attributes = cur_take(&c, 8, "TDATTRIBUTES");
    b.xfam = cur_take(&c, 8, "XFAM");
    b.mr_td = cur_take(&c, 48, "MRTD");
    b.mr_config_id = cur_take(&c, 48, "MRCONFIGID");
    b.mr_owner = cur_take(&c, 48, "MROWNER");
    b.mr_owner_config = cur_take(&c, 48, "MROWNERCONFIG");
    for (int i = 0; i < 4; i++)
        b.rtmr[i] = cur_take(&c, 48, "RTMR");
    b.report_data = cur_take(&c, 64, "REPORTDATA");
    b.is_15 = raw.n == TDX15_BODY_SIZE;
    if (b.is_15) {
        b.tee_tcb_svn2 = cur_take(&c, 16, "TEE_TCB_SVN2");
        b.mr_service_td = cur_take(&c, 48, "MRSERVICETD");
    }
    if (!cur_close(&c, ERR_FORMAT, "TD report", e))
        return false;
    attributes = cur_open(b.td_attributes);
    b.attributes = cur_u64le(&attributes, "TDATTRIBUTES");
    *ret = b;
    return true;
}

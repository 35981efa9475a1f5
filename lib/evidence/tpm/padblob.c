/* padblob.c: attestation blobs of the Windows platform crypto provider (evidence-tpm 12.3). */
#include "evidence/tpm/tpm_priv.h"

#include "base/cur.h"

static bool bank_of(struct cur *c, bool pad2, uint32_t header, const char *what, const struct tpm_bank **ret,
                    struct err *e)
{
    uint32_t alg = pad2 ? cur_u32le(c, "PCR bank") : TPM_SHA1;

    if (!cur_check(c, ERR_CLAIM_BLOB, what, e))
        return false;
    if (header != (pad2 ? 32u : 28u))
        return err_set(e, ERR_CLAIM_BLOB, what, "headerSize is %u, %s has %u", header, pad2 ? "PAD2" : "PADS",
                       pad2 ? 32 : 28);
    *ret = alg > UINT16_MAX ? NULL : tpm_bank((uint16_t)alg);
    if (*ret == NULL)
        return err_set(e, ERR_CLAIM_BLOB, what, "PCR bank is 0x%x, which is no hash algorithm", alg);
    return true;
}

bool tpm_claim_blob_parse(struct bytes in, const char *what, struct tpm_attestation *ret, struct err *e)
{
    struct cur c = cur_open(in);
    struct bytes magic = cur_take(&c, 4, "magic");
    bool pad2 = bytes_is(magic, "PAD2");
    const struct tpm_bank *bank = NULL;
    uint32_t platform, header, values, quote, signature, log;
    struct pcr_bank *to;

    if (!pad2 && !bytes_is(magic, "PADS"))
        return err_set(e, ERR_CLAIM_BLOB, what, "does not begin with PADS or PAD2");
    platform = cur_u32le(&c, "platform");
    header = cur_u32le(&c, "headerSize");
    values = cur_u32le(&c, "cbPcrValues");
    quote = cur_u32le(&c, "cbQuote");
    signature = cur_u32le(&c, "cbSignature");
    log = cur_u32le(&c, "cbLog");
    if (cur_ok(&c) && platform == 1)
        return err_set(e, ERR_TPM_VERSION, what, "platform 1 is a TPM 1.2; only TPM 2.0 is verified");
    if (cur_ok(&c) && platform != 2)
        return err_set(e, ERR_CLAIM_BLOB, what, "platform is %u, a TPM 2.0 has 2", platform);
    if (!bank_of(&c, pad2, header, what, &bank, e))
        return false;
    if (values != (uint32_t)TPM_PCRS * bank->size)
        return err_set(e, ERR_CLAIM_BLOB, what, "cbPcrValues is %u, 24 values of %s have %u", values,
                       bank->name, TPM_PCRS * bank->size);
    to = pcr_set_bank(&ret->claimed, bank);
    for (unsigned i = 0; i < TPM_PCRS; i++) {
        struct bytes v = cur_take(&c, bank->size, "PCR value");

        if (cur_ok(&c) && (to == NULL || !pcr_put(to, i, v)))
            return err_set(e, ERR_CLAIM_BLOB, what, "PCR %u occurs twice", i);
    }
    ret->quote = cur_take(&c, quote, "quote");
    ret->signature = cur_take(&c, signature, "signature");
    cur_skip(&c, log, "log");
    ret->sig_form = TPM_SIG_TPMT_OR_BARE;
    return cur_close(&c, ERR_CLAIM_BLOB, what, e);
}

/* gather.c: log, quote and PCR values that belong together (trusted-launch D, steps 1 to 5). */
#include "attester/evidence.h"

#include "evidence/tpm/ima.h"

enum { TRIES = 5 };

struct gather gather_default(void)
{
    return (struct gather){
        .bank = tpm_bank(TPM_SHA256),
        .pcrs = TPMDEV_PCRS_DEFAULT,
        .ak_handle = TPMDEV_AK_HANDLE,
        .log_path = EVIDENCE_LOG,
    };
}

/* Quote first, values after: when something was extended between the two, the digest does not fit. */
static bool quote_once(struct tpmdev *t, const struct gather *g, struct bytes challenge, struct arena *a,
                       struct gathered *r, bool *ret_fits, struct err *e)
{
    struct tpm_quote_check q = { .nonce = challenge, .claimed = &r->pcrs, .exact = true, .form = TPM_SIG_TPMT,
                                 .what = "quote" };
    struct err why = { .code = ERR_NONE };
    struct pcr_set verified;
    struct tpm_attest attest;
    struct tpm_public p;
    AUTO_KEY key = NULL;

    r->pcrs.count = 0;
    if (!tpmdev_quote(t, &r->ak, challenge, g->bank, g->pcrs, a, &r->quote, &r->quote_sig, e)
        || !tpmdev_pcrs(t, g->bank, g->pcrs, &r->pcrs, e)
        || !tpm_public_parse(r->ak.public, ERR_AK_KEY, "attestation key", &p, e)
        || !tpm_public_key(&p, ERR_AK_KEY, "attestation key", &key, e))
        return false;
    q.attest = r->quote;
    q.signature = r->quote_sig;
    q.key = key;
    *ret_fits = tpm_quote_verify(&q, &attest, &verified, &why);
    if (!*ret_fits && why.code != ERR_QUOTE_PCR_DIGEST)
        return err_set(e, ERR_UNAVAILABLE, "TPM", "its quote does not verify here: %s", why.why);
    return true;
}

static bool quote_until_fits(struct tpmdev *t, const struct gather *g, struct bytes challenge,
                             struct arena *a, struct gathered *r, struct err *e)
{
    bool fits = false;

    for (int i = 0; i < TRIES; i++) {
        if (!quote_once(t, g, challenge, a, r, &fits, e))
            return false;
        if (fits)
            return true;
    }
    return err_set(e, ERR_UNAVAILABLE, "TPM", "PCRs changed during each of %d quotes", TRIES);
}

/* The list may have grown since the quote: the entries that replay to the quoted PCR 10. */
static bool cut_ima(const struct gather *g, struct gathered *r, struct arena *a, struct err *e)
{
    struct bytes want = pcr_value(pcr_set_find(&r->pcrs, g->bank), IMA_PCR), all = r->ima;
    struct ima_log log = ima_open(a);
    uint32_t seq = 0;
    size_t n;

    if (all.n == 0 || !ima_add(&log, all, &seq, "IMA list", e))
        return all.n == 0;
    n = ima_prefix(&log, g->bank, IMA_OWN_HASH, want);
    if (n == 0)
        n = ima_prefix(&log, g->bank, IMA_PADDED_SHA1, want);
    if (n > 0) {
        r->ima.n = (size_t)(log.list[n - 1].data.p + log.list[n - 1].data.n - all.p);
        return true;
    }
    return err_set(e, ERR_UNAVAILABLE, "IMA list", "no part of it replays to the quoted PCR 10");
}

static bool read_keys(struct tpmdev *t, const struct gather *g, struct bytes challenge, struct arena *a,
                      struct gathered *r, struct err *e)
{
    if (!tpmdev_ak(t, g->ak_handle, a, &r->ak, e) || (g->keep_ak && !tpmdev_keep(t, &r->ak, g->ak_handle, e))
        || !tpmdev_request_key(t, a, &r->request_key, e)
        || !tpmdev_certify(t, &r->request_key, &r->ak, challenge, a, &r->cert, &r->cert_sig, e))
        return false;
    r->aik_cert = g->aik_cert;
    return g->aik_cert.n > 0 || tpmdev_nv(t, TPMDEV_AZURE_AK_CERT, a, &r->aik_cert, e);
}

bool gather_tpm(struct tpmdev *t, const struct gather *g, struct bytes challenge, struct arena *a,
                struct gathered *ret, struct err *e)
{
    struct gather with_ima = *g;

    if (g->ima_path != NULL)
        with_ima.pcrs |= 1u << IMA_PCR;
    memset(ret, 0, sizeof(*ret));
    if (!read_keys(t, g, challenge, a, ret, e) || !file_read(g->log_path, a, &ret->log, e)
        || !quote_until_fits(t, &with_ima, challenge, a, ret, e))
        return false;
    if (g->ima_path == NULL)
        return true;
    return file_read(g->ima_path, a, &ret->ima, e) && cut_ima(&with_ima, ret, a, e);
}

void gathered_done(struct tpmdev *t, struct gathered *g)
{
    tpmdev_key_done(t, &g->ak);
    tpmdev_key_done(t, &g->request_key);
}

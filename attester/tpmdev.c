/* tpmdev.c: see tpmdev.h. */
#include "attester/tpmdev.h"

#include <stdlib.h>
#include <tss2/tss2_esys.h>
#include <tss2/tss2_mu.h>
#include <tss2/tss2_rc.h>
#include <tss2/tss2_tctildr.h>

#define WHAT "TPM"

struct tpmdev {
    TSS2_TCTI_CONTEXT *tcti;
    ESYS_CONTEXT *esys;
};

static bool failed(struct err *e, const char *step, TSS2_RC rc)
{
    return err_set(e, ERR_UNAVAILABLE, WHAT, "%s: %s (0x%x)", step, Tss2_RC_Decode(rc), rc);
}

bool tpmdev_open(const char *tcti, struct tpmdev **ret, struct err *e)
{
    struct tpmdev *t = calloc(1, sizeof(*t));
    TSS2_RC rc;

    if (t == NULL)
        return err_memory(e, WHAT);
    rc = Tss2_TctiLdr_Initialize(tcti, &t->tcti);
    if (rc == TSS2_RC_SUCCESS)
        rc = Esys_Initialize(&t->esys, t->tcti, NULL);
    if (rc != TSS2_RC_SUCCESS) {
        tpmdev_close(t);
        return err_set(e, ERR_UNAVAILABLE, WHAT, "cannot be reached by '%s': %s", tcti, Tss2_RC_Decode(rc));
    }
    *ret = t;
    return true;
}

void tpmdev_close(struct tpmdev *t)
{
    if (t == NULL)
        return;
    if (t->esys != NULL)
        Esys_Finalize(&t->esys);
    if (t->tcti != NULL)
        Tss2_TctiLdr_Finalize(&t->tcti);
    free(t);
}

/* -- templates -- */

#define COMMON (TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN)

static void rsa_template(TPM2B_PUBLIC *p, TPMA_OBJECT attributes, TPMI_ALG_RSA_SCHEME scheme)
{
    memset(p, 0, sizeof(*p));
    p->publicArea.type = TPM2_ALG_RSA;
    p->publicArea.nameAlg = TPM2_ALG_SHA256;
    p->publicArea.objectAttributes = attributes;
    p->publicArea.parameters.rsaDetail.symmetric.algorithm = TPM2_ALG_NULL;
    p->publicArea.parameters.rsaDetail.scheme.scheme = scheme;
    if (scheme != TPM2_ALG_NULL)
        p->publicArea.parameters.rsaDetail.scheme.details.anySig.hashAlg = TPM2_ALG_SHA256;
    p->publicArea.parameters.rsaDetail.keyBits = 2048;
}

/* TCG EK Credential Profile B.3.3, template L-1: the policy is PolicySecret of the endorsement hierarchy. */
static void ek_template(TPM2B_PUBLIC *p)
{
    static const uint8_t policy[32] = {
        0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc, 0x8d, 0x46, 0xa5, 0xd7, 0x24,
        0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52, 0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa,
    };

    rsa_template(p, COMMON | TPMA_OBJECT_ADMINWITHPOLICY | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT,
                 TPM2_ALG_NULL);
    p->publicArea.authPolicy.size = sizeof(policy);
    memcpy(p->publicArea.authPolicy.buffer, policy, sizeof(policy));
    p->publicArea.parameters.rsaDetail.symmetric.algorithm = TPM2_ALG_AES;
    p->publicArea.parameters.rsaDetail.symmetric.keyBits.aes = 128;
    p->publicArea.parameters.rsaDetail.symmetric.mode.aes = TPM2_ALG_CFB;
    p->publicArea.unique.rsa.size = 256;
}

/* Template L-2: the same over P-256. */
static void ek_to_ecc(TPM2B_PUBLIC *p)
{
    TPMS_ECC_PARMS *ecc = &p->publicArea.parameters.eccDetail;

    p->publicArea.type = TPM2_ALG_ECC;
    memset(&p->publicArea.parameters, 0, sizeof(p->publicArea.parameters));
    ecc->symmetric.algorithm = TPM2_ALG_AES;
    ecc->symmetric.keyBits.aes = 128;
    ecc->symmetric.mode.aes = TPM2_ALG_CFB;
    ecc->scheme.scheme = TPM2_ALG_NULL;
    ecc->curveID = TPM2_ECC_NIST_P256;
    ecc->kdf.scheme = TPM2_ALG_NULL;
    memset(&p->publicArea.unique, 0, sizeof(p->publicArea.unique));
    p->publicArea.unique.ecc.x.size = 32;
    p->publicArea.unique.ecc.y.size = 32;
}

/* -- marshalling -- */

static struct bytes public_bytes(const TPM2B_PUBLIC *p, struct arena *a)
{
    uint8_t buffer[sizeof(TPM2B_PUBLIC)];
    size_t n = 0;

    if (Tss2_MU_TPMT_PUBLIC_Marshal(&p->publicArea, buffer, sizeof(buffer), &n) != TSS2_RC_SUCCESS)
        return (struct bytes){ NULL, 0 };
    return arena_copy(a, bytes_of(buffer, n));
}

static struct bytes signature_bytes(const TPMT_SIGNATURE *s, struct arena *a)
{
    uint8_t buffer[sizeof(TPMT_SIGNATURE)];
    size_t n = 0;

    if (Tss2_MU_TPMT_SIGNATURE_Marshal(s, buffer, sizeof(buffer), &n) != TSS2_RC_SUCCESS)
        return (struct bytes){ NULL, 0 };
    return arena_copy(a, bytes_of(buffer, n));
}

static bool nonce_of(struct bytes nonce, TPM2B_DATA *to, struct err *e)
{
    memset(to, 0, sizeof(*to));
    if (nonce.n > sizeof(to->buffer))
        return err_set(e, ERR_UNAVAILABLE, WHAT, "a nonce of %zu bytes does not fit", nonce.n);
    to->size = (UINT16)nonce.n;
    if (nonce.n > 0)
        memcpy(to->buffer, nonce.p, nonce.n);
    return true;
}

static bool take_signed(TSS2_RC rc, const char *step, TPM2B_ATTEST *attest, TPMT_SIGNATURE *sig,
                        struct arena *a, struct bytes *ret_attest, struct bytes *ret_sig, struct err *e)
{
    bool ok = rc == TSS2_RC_SUCCESS;

    if (ok) {
        *ret_attest = arena_copy(a, bytes_of(attest->attestationData, attest->size));
        *ret_sig = signature_bytes(sig, a);
        ok = ret_attest->p != NULL && ret_sig->p != NULL;
    }
    Esys_Free(attest);
    Esys_Free(sig);
    if (rc != TSS2_RC_SUCCESS)
        return failed(e, step, rc);
    return ok ? true : err_memory(e, WHAT);
}

/* -- keys -- */

static bool read_key(struct tpmdev *t, ESYS_TR handle, bool transient, struct arena *a,
                     struct tpmdev_key *ret, struct err *e)
{
    TPM2B_PUBLIC *public = NULL;
    TPM2B_NAME *name = NULL;
    TSS2_RC rc =
        Esys_ReadPublic(t->esys, handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &public, &name, NULL);

    if (rc != TSS2_RC_SUCCESS)
        return failed(e, "reading a key", rc);
    ret->handle = handle;
    ret->transient = transient;
    ret->public = public_bytes(public, a);
    ret->name = arena_copy(a, bytes_of(name->name, name->size));
    Esys_Free(public);
    Esys_Free(name);
    return ret->public.p != NULL && ret->name.p != NULL ? true : err_memory(e, WHAT);
}

static bool persistent_key(struct tpmdev *t, uint32_t handle, struct arena *a, struct tpmdev_key *ret)
{
    struct err ignored = { .code = ERR_NONE };
    ESYS_TR tr;

    if (Esys_TR_FromTPMPublic(t->esys, handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &tr)
        != TSS2_RC_SUCCESS)
        return false;
    return read_key(t, tr, false, a, ret, &ignored);
}

static bool make_primary(struct tpmdev *t, ESYS_TR hierarchy, const TPM2B_PUBLIC *template, struct arena *a,
                         struct tpmdev_key *ret, struct err *e)
{
    const TPM2B_SENSITIVE_CREATE sensitive = { .size = 0 };
    const TPML_PCR_SELECTION no_pcrs = { .count = 0 };
    const TPM2B_DATA outside = { .size = 0 };
    ESYS_TR tr;
    TSS2_RC rc = Esys_CreatePrimary(t->esys, hierarchy, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
                                    &sensitive, template, &outside, &no_pcrs, &tr, NULL, NULL, NULL, NULL);

    return rc == TSS2_RC_SUCCESS ? read_key(t, tr, true, a, ret, e) : failed(e, "making a key", rc);
}

bool tpmdev_ak(struct tpmdev *t, uint32_t handle, struct arena *a, struct tpmdev_key *ret, struct err *e)
{
    struct tpm_public p;
    TPM2B_PUBLIC template;

    if (persistent_key(t, handle, a, ret) && tpm_public_parse(ret->public, ERR_AK_KEY, "AK", &p, NULL)
        && tpm_public_check_ak(&p, "AK", NULL))
        return true;
    rsa_template(&template,
                 COMMON | TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_SIGN_ENCRYPT,
                 TPM2_ALG_RSASSA);
    return make_primary(t, ESYS_TR_RH_ENDORSEMENT, &template, a, ret, e);
}

bool tpmdev_keep(struct tpmdev *t, const struct tpmdev_key *k, uint32_t handle, struct err *e)
{
    ESYS_TR tr;
    TSS2_RC rc;

    if (!k->transient)
        return true;
    rc = Esys_EvictControl(t->esys, ESYS_TR_RH_OWNER, k->handle, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
                           handle, &tr);
    return rc == TSS2_RC_SUCCESS ? true : failed(e, "keeping the attestation key", rc);
}

bool tpmdev_ek(struct tpmdev *t, bool ecc, struct arena *a, struct tpmdev_key *ret, struct err *e)
{
    TPM2B_PUBLIC template;

    if (!ecc && persistent_key(t, TPMDEV_EK_HANDLE, a, ret))
        return true;
    ek_template(&template);
    if (ecc)
        ek_to_ecc(&template);
    return make_primary(t, ESYS_TR_RH_ENDORSEMENT, &template, a, ret, e);
}

bool tpmdev_request_key(struct tpmdev *t, struct arena *a, struct tpmdev_key *ret, struct err *e)
{
    TPM2B_PUBLIC template;

    rsa_template(&template, COMMON | TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA | TPMA_OBJECT_SIGN_ENCRYPT,
                 TPM2_ALG_RSAPSS);
    return make_primary(t, ESYS_TR_RH_NULL, &template, a, ret, e);
}

void tpmdev_key_done(struct tpmdev *t, struct tpmdev_key *k)
{
    if (k->transient)
        (void)Esys_FlushContext(t->esys, k->handle);
    k->transient = false;
}

/* -- PCRs, quotes -- */

static TPML_PCR_SELECTION selection(const struct tpm_bank *bank, uint32_t mask)
{
    TPML_PCR_SELECTION s = { .count = 1 };

    s.pcrSelections[0].hash = bank->alg;
    s.pcrSelections[0].sizeofSelect = 3;
    for (size_t i = 0; i < 3; i++)
        s.pcrSelections[0].pcrSelect[i] = (BYTE)(mask >> (8 * i));
    return s;
}

/* What one command read: the TPM gives eight values or fewer and says which. */
static bool take_pcrs(const TPML_PCR_SELECTION *which, const TPML_DIGEST *values, struct pcr_bank *to,
                      uint32_t *left)
{
    uint32_t k = 0;

    for (unsigned pcr = 0; pcr < TPM_PCRS && which->count > 0; pcr++) {
        if ((which->pcrSelections[0].pcrSelect[pcr / 8] >> (pcr % 8) & 1) == 0)
            continue;
        if (k == values->count
            || !pcr_put(to, pcr, bytes_of(values->digests[k].buffer, values->digests[k].size)))
            return false;
        *left &= ~(1u << pcr);
        k++;
    }
    return k > 0;
}

bool tpmdev_pcrs(struct tpmdev *t, const struct tpm_bank *bank, uint32_t mask, struct pcr_set *ret,
                 struct err *e)
{
    struct pcr_bank *to = pcr_set_bank(ret, bank);

    while (mask != 0) {
        TPML_PCR_SELECTION want = selection(bank, mask), *got = NULL;
        TPML_DIGEST *values = NULL;
        UINT32 counter;
        TSS2_RC rc =
            Esys_PCR_Read(t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &want, &counter, &got, &values);
        bool ok = rc == TSS2_RC_SUCCESS && to != NULL && take_pcrs(got, values, to, &mask);

        Esys_Free(got);
        Esys_Free(values);
        if (rc != TSS2_RC_SUCCESS)
            return failed(e, "reading PCRs", rc);
        if (!ok)
            return err_set(e, ERR_UNAVAILABLE, WHAT, "has no PCR bank %s", bank->name);
    }
    return true;
}

bool tpmdev_quote(struct tpmdev *t, const struct tpmdev_key *ak, struct bytes nonce,
                  const struct tpm_bank *bank, uint32_t mask, struct arena *a, struct bytes *ret_attest,
                  struct bytes *ret_sig, struct err *e)
{
    const TPMT_SIG_SCHEME of_key = { .scheme = TPM2_ALG_NULL };
    TPML_PCR_SELECTION s = selection(bank, mask);
    TPM2B_ATTEST *attest = NULL;
    TPMT_SIGNATURE *sig = NULL;
    TPM2B_DATA q;
    TSS2_RC rc;

    if (!nonce_of(nonce, &q, e))
        return false;
    rc = Esys_Quote(t->esys, ak->handle, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &q, &of_key, &s,
                    &attest, &sig);
    return take_signed(rc, "quoting", attest, sig, a, ret_attest, ret_sig, e);
}

bool tpmdev_certify(struct tpmdev *t, const struct tpmdev_key *k, const struct tpmdev_key *ak,
                    struct bytes nonce, struct arena *a, struct bytes *ret_attest, struct bytes *ret_sig,
                    struct err *e)
{
    const TPMT_SIG_SCHEME of_key = { .scheme = TPM2_ALG_NULL };
    TPM2B_ATTEST *attest = NULL;
    TPMT_SIGNATURE *sig = NULL;
    TPM2B_DATA q;
    TSS2_RC rc;

    if (!nonce_of(nonce, &q, e))
        return false;
    rc = Esys_Certify(t->esys, k->handle, ak->handle, ESYS_TR_PASSWORD, ESYS_TR_PASSWORD, ESYS_TR_NONE, &q,
                      &of_key, &attest, &sig);
    return take_signed(rc, "certifying", attest, sig, a, ret_attest, ret_sig, e);
}

bool tpmdev_sign(struct tpmdev *t, const struct tpmdev_key *k, struct bytes data, struct arena *a,
                 struct bytes *ret, struct err *e)
{
    const TPMT_SIG_SCHEME scheme = { .scheme = TPM2_ALG_RSAPSS, .details.rsapss.hashAlg = TPM2_ALG_SHA256 };
    const TPMT_TK_HASHCHECK no_ticket = { .tag = TPM2_ST_HASHCHECK, .hierarchy = TPM2_RH_NULL };
    struct digest d = sha256(data);
    TPM2B_DIGEST in = { .size = 32 };
    TPMT_SIGNATURE *sig = NULL;
    TSS2_RC rc;

    memcpy(in.buffer, d.p, 32);
    rc = Esys_Sign(t->esys, k->handle, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &in, &scheme, &no_ticket,
                   &sig);
    if (rc != TSS2_RC_SUCCESS)
        return failed(e, "signing", rc);
    *ret = arena_copy(a, bytes_of(sig->signature.rsapss.sig.buffer, sig->signature.rsapss.sig.size));
    Esys_Free(sig);
    return ret->p != NULL ? true : err_memory(e, WHAT);
}

/* -- credential activation -- */

/* A policy session that fulfils PolicySecret of the endorsement hierarchy, as the EK's template asks. */
static TSS2_RC ek_session(struct tpmdev *t, ESYS_TR *ret)
{
    const TPMT_SYM_DEF none = { .algorithm = TPM2_ALG_NULL };
    TSS2_RC rc = Esys_StartAuthSession(t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                       ESYS_TR_NONE, NULL, TPM2_SE_POLICY, &none, TPM2_ALG_SHA256, ret);

    if (rc != TSS2_RC_SUCCESS)
        return rc;
    rc = Esys_PolicySecret(t->esys, ESYS_TR_RH_ENDORSEMENT, *ret, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                           ESYS_TR_NONE, NULL, NULL, NULL, 0, NULL, NULL);
    if (rc != TSS2_RC_SUCCESS)
        (void)Esys_FlushContext(t->esys, *ret);
    return rc;
}

bool tpmdev_activate(struct tpmdev *t, const struct tpmdev_key *ak, const struct tpmdev_key *ek,
                     struct bytes id_object, struct bytes encrypted, struct arena *a,
                     struct bytes *ret_secret, struct err *e)
{
    TPM2B_ENCRYPTED_SECRET secret = { .size = 0 };
    TPM2B_ID_OBJECT object = { .size = 0 };
    TPM2B_DIGEST *out = NULL;
    ESYS_TR session;
    size_t at = 0;
    TSS2_RC rc = Tss2_MU_TPM2B_ID_OBJECT_Unmarshal(id_object.p, id_object.n, &at, &object);

    at = 0;
    if (rc == TSS2_RC_SUCCESS)
        rc = Tss2_MU_TPM2B_ENCRYPTED_SECRET_Unmarshal(encrypted.p, encrypted.n, &at, &secret);
    if (rc == TSS2_RC_SUCCESS)
        rc = ek_session(t, &session);
    if (rc != TSS2_RC_SUCCESS)
        return failed(e, "preparing the activation", rc);
    rc = Esys_ActivateCredential(t->esys, ak->handle, ek->handle, ESYS_TR_PASSWORD, session, ESYS_TR_NONE,
                                 &object, &secret, &out);
    if (rc != TSS2_RC_SUCCESS) { /* on success the session ends with its use */
        (void)Esys_FlushContext(t->esys, session);
        return failed(e, "activating the credential", rc);
    }
    *ret_secret = arena_copy(a, bytes_of(out->buffer, out->size));
    Esys_Free(out);
    return ret_secret->p != NULL ? true : err_memory(e, WHAT);
}

/* -- NV, extending -- */

bool tpmdev_nv(struct tpmdev *t, uint32_t index, struct arena *a, struct bytes *ret, struct err *e)
{
    TPM2B_NV_PUBLIC *public = NULL;
    uint8_t *to;
    size_t size, at = 0;
    ESYS_TR tr;

    *ret = (struct bytes){ NULL, 0 };
    if (Esys_TR_FromTPMPublic(t->esys, index, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &tr)
            != TSS2_RC_SUCCESS
        || Esys_NV_ReadPublic(t->esys, tr, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &public, NULL)
               != TSS2_RC_SUCCESS)
        return true;
    size = public->nvPublic.dataSize;
    Esys_Free(public);
    to = arena_alloc(a, size);
    if (to == NULL)
        return err_memory(e, WHAT);
    while (at < size) {
        UINT16 n = (UINT16)(size - at > 512 ? 512 : size - at);
        TPM2B_MAX_NV_BUFFER *part = NULL;
        TSS2_RC rc = Esys_NV_Read(t->esys, ESYS_TR_RH_OWNER, tr, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
                                  n, (UINT16)at, &part);

        if (rc != TSS2_RC_SUCCESS)
            return failed(e, "reading an NV index", rc);
        n = part->size > n ? n : part->size;
        memcpy(to + at, part->buffer, n);
        Esys_Free(part);
        if (n == 0)
            break;
        at += n;
    }
    *ret = bytes_of(to, at);
    return true;
}

bool tpmdev_extend(struct tpmdev *t, unsigned pcr, const struct tpm_bank *bank, struct bytes digest,
                   struct err *e)
{
    TPML_DIGEST_VALUES v = { .count = 1 };
    TSS2_RC rc;

    v.digests[0].hashAlg = bank->alg;
    if (digest.n != bank->size || pcr >= TPM_PCRS)
        return err_set(e, ERR_INTERNAL, WHAT, "a digest of %zu bytes does not fit bank %s", digest.n,
                       bank->name);
    memcpy(&v.digests[0].digest, digest.p, digest.n);
    rc = Esys_PCR_Extend(t->esys, ESYS_TR_PCR0 + pcr, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &v);
    return rc == TSS2_RC_SUCCESS ? true : failed(e, "extending a PCR", rc);
}

/* answer.c: the sealed token of trusted-launch B.4. */
#include "evidence/azureguest/azureguest.h"

#include "codec/b64.h"
#include "crypto/seal.h"

static void member_b64(struct jobj *o, const char *name, struct bytes b)
{
    jobj_str(o, name, b64std_encode(o->a, b));
}

/* BlockPadding is a constant of the format; GCM pads nothing. */
static struct bytes params_json(struct bytes iv, struct arena *a)
{
    struct jobj o = jobj_open(a);

    jobj_text(&o, "BlockMode", "ChainingModeGCM");
    jobj_text(&o, "BlockPadding", "PKCS7");
    jobj_text(&o, "Cipher", "AES");
    member_b64(&o, "Iv", iv);
    jobj_int(&o, "KeySizeInBits", 8 * GCM_KEY_SIZE);
    return jobj_print(&o, false);
}

bool azureguest_seal_to(struct key *enc, struct bytes jwt, const uint8_t random[GUEST_SEAL_RANDOM],
                        struct arena *a, struct bytes *ret, struct err *e)
{
    const uint8_t *key = random, *iv = random + GCM_KEY_SIZE;
    uint8_t tag[GCM_TAG_SIZE], *sealed = arena_alloc(a, jwt.n);
    struct jobj o = jobj_open(a);
    struct bytes wrapped;

    if (sealed == NULL)
        return err_memory(e, "sealed token");
    gcm_seal(key, iv, LIT("Transport Key"), jwt, sealed, tag);
    if (!rsa_encrypt_pkcs1(enc, bytes_of(key, GCM_KEY_SIZE), "sealed token", a, &wrapped, e))
        return false;
    member_b64(&o, "AuthenticationData", BYTES(tag));
    member_b64(&o, "EncryptedInnerKey", wrapped);
    jobj_json(&o, "EncryptionParams", params_json(bytes_of(iv, GCM_IV_SIZE), a));
    member_b64(&o, "Jwt", bytes_of(sealed, jwt.n));
    *ret = b64url_encode(a, jobj_print(&o, false));
    return a->failed || ret->p == NULL ? err_memory(e, "sealed token") : true;
}

bool azureguest_seal(const struct guest_request *rq, struct bytes jwt,
                     const uint8_t random[GUEST_SEAL_RANDOM], struct arena *a, struct bytes *ret,
                     struct err *e)
{
    AUTO_KEY enc = NULL;

    if (!rq->verified)
        return err_set(e, ERR_INTERNAL, "sealed token", "the request is not verified");
    return tpm_public_key(&rq->enc, ERR_ENC_KEY, "EncKeyPub", &enc, e)
        && azureguest_seal_to(enc, jwt, random, a, ret, e);
}

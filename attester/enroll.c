/* enroll.c: binding this machine's attestation key to its endorsement key (trusted-launch C.3): the
 * service makes a credential that only this TPM can open, and gives a certificate for the secret. */
#include "attester/attester.h"

#include "codec/b64.h"
#include "codec/pem.h"

#include <stdio.h>

enum { DEPTH = 32 };

static struct bytes with_size(struct bytes area, struct arena *a)
{
    struct out o = out_open(a);

    out_u8(&o, (uint8_t)(area.n >> 8));
    out_u8(&o, (uint8_t)area.n);
    out_bytes(&o, area);
    return out_view(&o);
}

static enum outcome call(const struct options *o, const char *path, struct jobj *body, struct arena *a,
                         const struct json **ret, struct err *e)
{
    struct http_answer h = { .status = 0 };

    if (!http_call(o, path, jobj_print(body, false), a, &h, e))
        return http_failure(e);
    if (h.status != 200 && h.status != 201) {
        (void)err_set(e, ERR_BAD_REQUEST, "service", "answers %ld to %s: %.*s", h.status, path,
                      (int)(h.body.n > 300 ? 300 : h.body.n), h.body.n == 0 ? "" : (const char *)h.body.p);
        return h.status >= 500 || h.status == 429 ? OUTCOME_NETWORK : OUTCOME_REFUSED;
    }
    return json_parse(h.body, DEPTH, "answer", a, ret, e) ? OUTCOME_OK : OUTCOME_REFUSED;
}

static bool member(const struct json *j, const char *name, struct arena *a, struct bytes *ret, struct err *e)
{
    struct bytes text;

    if (!json_string(json_member(j, name), &text))
        return err_set(e, ERR_FORMAT, "answer", "has no %s", name);
    return b64_decode(text, B64_ANY, name, a, ret, e);
}

static bool ek_certificate(const struct options *o, struct tpmdev *t, struct arena *a, struct bytes *ret,
                           struct err *e)
{
    if (o->ek_cert_path != NULL ? !file_read(o->ek_cert_path, a, ret, e)
                                : !tpmdev_nv(t, TPMDEV_EK_CERT, a, ret, e))
        return false;
    return ret->n > 0 ? true
                      : err_set(e, ERR_UNAVAILABLE, "TPM",
                                "has no certificate of its endorsement key (NV 0x%08x)", TPMDEV_EK_CERT);
}

static enum outcome answer_credential(const struct options *o, struct tpmdev *t, const struct tpmdev_key *ak,
                                      const struct tpmdev_key *ek, const struct json *offer, const char *path,
                                      struct arena *a, const struct json **ret, struct err *e)
{
    struct bytes blob, encrypted, secret, context;
    struct jobj body = jobj_open(a);

    if (!member(offer, "credentialBlob", a, &blob, e) || !member(offer, "encryptedSecret", a, &encrypted, e)
        || !json_string(json_member(offer, "enrollmentContext"), &context)) {
        (void)err_set(e, ERR_FORMAT, "answer", "has no enrollmentContext");
        return OUTCOME_REFUSED;
    }
    if (!tpmdev_activate(t, ak, ek, blob, encrypted, a, &secret, e))
        return OUTCOME_PLATFORM;
    jobj_str(&body, "enrollmentContext", context);
    jobj_b64url(&body, "secret", secret);
    return call(o, path, &body, a, ret, e);
}

static bool keep_certificate(const struct options *o, const struct json *j, struct arena *a, struct err *e)
{
    struct bytes der;

    if (!member(j, "akCertificate", a, &der, e))
        return false;
    if (o->aik_cert_path != NULL)
        return file_replace(o->aik_cert_path, der, a, e); /* a daemon may read it just now */
    {
        struct out pem = out_open(a);

        pem_print(&pem, "CERTIFICATE", der);
        fwrite(out_view(&pem).p, 1, pem.n, stdout);
    }
    return true;
}

enum outcome command_enroll(const struct options *o, struct arena *a, struct err *e)
{
    const char *path = arena_printf(a, "/monitor/machines/%s:enroll?api-version=2026-01-01", o->machine);
    struct tpmdev_key ak = { .transient = false }, ek = { .transient = false };
    enum outcome r = OUTCOME_PLATFORM;
    const struct json *offer, *done;
    struct jobj body = jobj_open(a);
    struct tpmdev *t = NULL;
    struct bytes cert;

    if (path == NULL || !tpmdev_open(o->tcti, &t, e))
        return OUTCOME_PLATFORM;
    if (tpmdev_ak(t, o->gather.ak_handle, a, &ak, e) && tpmdev_ek(t, false, a, &ek, e)
        && ek_certificate(o, t, a, &cert, e)) {
        jobj_b64url(&body, "ekCertificate", cert);
        jobj_b64url(&body, "ekPublic", with_size(ek.public, a));
        jobj_b64url(&body, "akPublic", with_size(ak.public, a));
        r = call(o, path, &body, a, &offer, e);
        if (r == OUTCOME_OK)
            r = answer_credential(o, t, &ak, &ek, offer, path, a, &done, e);
        if (r == OUTCOME_OK && !keep_certificate(o, done, a, e))
            r = OUTCOME_REFUSED;
    }
    tpmdev_key_done(t, &ak);
    tpmdev_key_done(t, &ek);
    tpmdev_close(t);
    return r;
}

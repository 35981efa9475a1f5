/* claims.c: claims.md section 4. */
#include "evidence/azureguest/azureguest.h"

#include "codec/b64.h"
#include "codec/hex.h"
#include "evidence/tpm/efi.h"

/* What the Hyper-V firmware of Trusted Launch machines enrols: Microsoft's KEK of 2011, and in db its
 * Windows and third-party CAs of 2011 (SHA-256 of the certificates). */
static const uint8_t builtin_db[][32] = {
    { 0x48, 0xe9, 0x9b, 0x99, 0x1f, 0x57, 0xfc, 0x52, 0xf7, 0x61, 0x49, 0x59, 0x9b, 0xff, 0x0a, 0x58,
      0xc4, 0x71, 0x54, 0x22, 0x9b, 0x9f, 0x8d, 0x60, 0x3a, 0xc4, 0x0d, 0x35, 0x00, 0x24, 0x85, 0x07 },
    { 0xe8, 0xe9, 0x5f, 0x07, 0x33, 0xa5, 0x5e, 0x8b, 0xad, 0x7b, 0xe0, 0xa1, 0x41, 0x3e, 0xe2, 0x3c,
      0x51, 0xfc, 0xea, 0x64, 0xb3, 0xc8, 0xfa, 0x6a, 0x78, 0x69, 0x35, 0xfd, 0xdc, 0xc7, 0x19, 0x61 },
};
static const uint8_t builtin_keys[][32] = {
    { 0xa1, 0x11, 0x7f, 0x51, 0x6a, 0x32, 0xce, 0xfc, 0xba, 0x3f, 0x2d, 0x1a, 0xce, 0x10, 0xa8, 0x79,
      0x72, 0xfd, 0x6b, 0xbe, 0x8f, 0xe0, 0xd0, 0xb9, 0x96, 0xe0, 0x9e, 0x65, 0xd8, 0x02, 0xa5, 0x03 },
};
static const struct guest_settings builtin = {
    .db = builtin_db, .db_count = COUNT(builtin_db), .keys = builtin_keys, .keys_count = COUNT(builtin_keys),
};

/* A covered variable of PCR 7 before the separator; false: absent. */
static bool find_variable(const struct tpm_state *s, const char *name, struct bytes *ret)
{
    for (size_t i = 0; i < s->log.count; i++) {
        const struct tpm_event *ev = &s->log.events[i];
        struct efi_variable v;

        if (!ev->visible || ev->pcr != 7)
            continue;
        if (ev->separator)
            return false;
        if (ev->covered && ev->type == EV_EFI_VARIABLE_DRIVER_CONFIG && efi_variable_parse(ev->data, &v)
            && utf16_is(v.name, name)
            && (bytes_equal(v.guid, LIT(EFI_GLOBAL)) || bytes_equal(v.guid, LIT(EFI_IMAGE_SECURITY)))) {
            *ret = v.data;
            return true;
        }
    }
    return false;
}

static bool listed(const uint8_t (*list)[32], size_t n, struct bytes fingerprint)
{
    for (size_t i = 0; i < n; i++)
        if (bytes_equal(bytes_of(list[i], 32), fingerprint))
            return true;
    return false;
}

static struct digest fingerprint(const struct efi_signature *s)
{
    struct digest d = { .n = 32 };

    if (efi_sig_kind(s->type) != EFI_SIG_SHA256 || s->data.n != 32)
        return sha256(s->data);
    memcpy(d.p, s->data.p, 32);
    return d;
}

/* Every entry of the variable is listed, and there is one. */
static bool only_listed(const struct tpm_state *s, const char *name, const uint8_t (*list)[32], size_t n)
{
    struct efi_siglist l;
    struct efi_signature sig;
    struct bytes data;

    if (!find_variable(s, name, &data) || data.n == 0)
        return false;
    l = efi_siglist_open(data);
    while (efi_siglist_next(&l, &sig)) {
        struct digest d = fingerprint(&sig);

        if (!listed(list, n, digest_bytes(&d)))
            return false;
    }
    return !l.failed;
}

static bool holds(struct bytes data, const uint8_t want[32])
{
    struct efi_siglist l = efi_siglist_open(data);
    struct efi_signature sig;

    while (efi_siglist_next(&l, &sig)) {
        struct digest d = fingerprint(&sig);

        if (bytes_equal(digest_bytes(&d), bytes_of(want, 32)))
            return true;
    }
    return false;
}

static bool holds_all(const struct tpm_state *s, const char *name, const uint8_t (*list)[32], size_t n)
{
    struct bytes data;

    if (n == 0 || !find_variable(s, name, &data))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!holds(data, list[i]))
            return false;
    return true;
}

static void boot_claims(const struct guest_request *rq, const struct guest_settings *lists, struct claims *c)
{
    struct win_boot w = tpm_win_boot(&rq->state);
    const struct tpm_state *s = &rq->state;

    claims_bool(c, "secureboot", CLAIM_TO_BOTH, tpm_secure_boot(s) == SECURE_BOOT_ENABLED);
    claims_bool(c, "x-ms-azurevm-bootdebug-enabled", CLAIM_TO_BOTH, w.boot_debug);
    claims_bool(c, "x-ms-azurevm-dbvalidated", CLAIM_TO_BOTH,
                only_listed(s, "db", lists->db, lists->db_count));
    claims_bool(c, "x-ms-azurevm-dbxvalidated", CLAIM_TO_BOTH,
                holds_all(s, "dbx", lists->dbx, lists->dbx_count));
    claims_bool(c, "x-ms-azurevm-debuggersdisabled", CLAIM_TO_BOTH,
                !w.boot_debug && !w.kernel_debug && !w.hypervisor_debug && !w.hidden);
    claims_bool(c, "x-ms-azurevm-default-securebootkeysvalidated", CLAIM_TO_BOTH,
                only_listed(s, "PK", lists->keys, lists->keys_count)
                    && only_listed(s, "KEK", lists->keys, lists->keys_count));
    claims_bool(c, "x-ms-azurevm-elam-enabled", CLAIM_TO_BOTH, w.elam);
    claims_bool(c, "x-ms-azurevm-flightsigning-enabled", CLAIM_TO_BOTH, w.flight_signing);
    claims_int(c, "x-ms-azurevm-hvci-policy", CLAIM_TO_BOTH, (int64_t)(w.hvci & INT64_MAX));
    claims_bool(c, "x-ms-azurevm-hypervisordebug-enabled", CLAIM_TO_BOTH, w.hypervisor_debug);
    claims_bool(c, "x-ms-azurevm-kerneldebug-enabled", CLAIM_TO_BOTH, w.kernel_debug);
    claims_bool(c, "x-ms-azurevm-signingdisabled", CLAIM_TO_BOTH,
                !w.test_signing && !w.flight_signing && !w.hidden);
    claims_bool(c, "x-ms-azurevm-testsigning-enabled", CLAIM_TO_BOTH, w.test_signing);
}

/* Said by the client; nothing verifies it. */
static void client_claims(const struct guest_request *rq, struct claims *c)
{
    claims_str(c, "x-ms-azurevm-attestation-protocol-ver", CLAIM_TO_BOTH, rq->protocol);
    claims_bool(c, "x-ms-azurevm-is-windows", CLAIM_TO_BOTH, bytes_equal_nocase(rq->os_type, LIT("Windows")));
    claims_str(c, "x-ms-azurevm-osbuild", CLAIM_TO_BOTH, rq->os_build);
    claims_str(c, "x-ms-azurevm-osdistro", CLAIM_TO_BOTH, rq->os_distro);
    claims_str(c, "x-ms-azurevm-ostype", CLAIM_TO_BOTH, rq->os_type);
    claims_int(c, "x-ms-azurevm-osversion-major", CLAIM_TO_BOTH, rq->os_major);
    claims_int(c, "x-ms-azurevm-osversion-minor", CLAIM_TO_BOTH, rq->os_minor);
}

static void pcr_claims(const struct guest_request *rq, struct claims *c)
{
    const struct pcr_bank *b = pcr_set_find(&rq->state.pcrs, tpm_bank(TPM_SHA256));
    struct jobj o = jobj_open(c->a);

    for (unsigned i = 0; i < TPM_PCRS; i++) {
        struct bytes v = pcr_value(b, i);
        const char *name;

        if (v.n == 0)
            continue;
        claims_int(c, "x-ms-azurevm-attested-pcrs", CLAIM_TO_BOTH, i);
        name = arena_printf(c->a, "pcr%u", i);
        if (name != NULL)
            jobj_str(&o, name, b64std_encode(c->a, v));
    }
    claims_json(c, "x-ms-azurevm-attested-pcr-values", CLAIM_TO_BOTH, jobj_print(&o, false));
}

static struct bytes enc_key_json(const struct guest_request *rq, struct arena *a)
{
    const uint32_t exponent = rq->enc.exponent == 0 ? 65537 : rq->enc.exponent;
    const uint8_t be[4] = { (uint8_t)(exponent >> 24), (uint8_t)(exponent >> 16), (uint8_t)(exponent >> 8),
                            (uint8_t)exponent };
    struct bytes e = BYTES(be);
    struct jobj o = jobj_open(a);

    while (e.n > 1 && e.p[0] == 0)
        e = bytes_part(e, 1, e.n);
    jobj_b64url(&o, "e", e);
    jobj_json(&o, "key_ops", LIT("[\"encrypt\"]"));
    jobj_text(&o, "kid", "TpmEphemeralEncryptionKey");
    jobj_text(&o, "kty", "RSA");
    jobj_b64url(&o, "n", rq->enc.n);
    return jobj_print(&o, false);
}

static struct bytes runtime_json(const struct guest_request *rq, struct arena *a)
{
    struct jarr keys = jarr_open(a);
    struct jobj o = jobj_open(a);

    jarr_raw(&keys, enc_key_json(rq, a));
    if (rq->payload.n > 0)
        jobj_json(&o, "client-payload", rq->payload);
    jobj_json(&o, "keys", jarr_close(&keys));
    return jobj_print(&o, false);
}

bool guest_request_claims(const struct guest_request *rq, const struct verify_env *env, struct claims *ret,
                          struct err *e)
{
    const struct guest_settings *lists = env->settings->guest == NULL ? &builtin : env->settings->guest;

    if (!rq->verified)
        return err_set(e, ERR_INTERNAL, "AzureGuest request", "claims of a request that is not verified");
    boot_claims(rq, lists, ret);
    client_claims(rq, ret);
    pcr_claims(rq, ret);
    if (rq->vm_id.n > 0)
        claims_str(ret, "x-ms-azurevm-vmid", CLAIM_TO_BOTH, rq->vm_id);
    if (rq->isolation != NULL)
        claims_json(ret, "x-ms-isolation-tee", CLAIM_TO_BOTH,
                    rq->isolation->json(rq->isolation_ev, env, rq->runtime, ret->a));
    claims_json(ret, "x-ms-runtime", CLAIM_TO_BOTH, runtime_json(rq, ret->a));
    return ret->failed ? err_memory(e, "claims") : true;
}

/* explain_tpm.c: what TPMs make, what firmware logs, and the requests that carry both. */
#include "cli/explain.h"

#include "evidence/azureguest/azureguest.h"
#include "evidence/tpm/tpm.h"

#include <stdio.h>

enum { BUDGET = 64 << 20 };

/* -- TPMS_ATTEST -- */

static bool is_attest(struct bytes in)
{
    return in.n > 6 && bytes_equal(bytes_part(in, 0, 4), LIT("\xffTCG"));
}

static const char *attest_name(uint16_t type)
{
    return type == TPM_ATTEST_QUOTE ? "quote of PCRs" : type == TPM_ATTEST_CERTIFY ? "certification of a key" : "creation of a key";
}

static const char *pcr_list(uint32_t mask, struct arena *a)
{
    struct out o = out_open(a);

    for (unsigned i = 0; i < 32; i++)
        if ((mask >> i & 1) != 0)
            out_printf(&o, "%s%u", o.n == 0 ? "" : " ", i);
    return (const char *)out_view(&o).p;
}

static bool explain_attest(struct bytes in, struct page *p, struct err *e)
{
    struct tpm_attest t;

    if (!tpm_attest_parse(in, ERR_FORMAT, "TPMS_ATTEST", &t, e))
        return false;
    page_line(p, "type", "0x%04x  %s", t.type, attest_name(t.type));
    page_hex(p, "qualified signer", t.signer);
    page_hex(p, "extra data (nonce)", t.extra);
    page_line(p, "clock", "%llu ms, resets %u, restarts %u, %s", (unsigned long long)t.clock, t.resets, t.restarts,
              t.safe ? "safe" : "not safe");
    page_line(p, "firmware version", "0x%016llx", (unsigned long long)t.firmware);
    for (size_t i = 0; i < t.select_count; i++) {
        const struct tpm_bank *b = tpm_bank(t.select[i].alg);

        page_line(p, "PCRs", "%s: %s", b == NULL ? "unknown bank" : b->name, pcr_list(t.select[i].pcrs, p->a));
    }
    if (t.type == TPM_ATTEST_QUOTE)
        page_hex(p, "digest of the PCRs", t.pcr_digest);
    else
        page_hex(p, "name of the key", t.name);
    return true;
}

/* -- TPMT_PUBLIC, alone or with its size in front -- */

static bool is_public(struct bytes in)
{
    struct err ignored = { .code = ERR_NONE };
    struct tpm_public t;

    return in.n < 1024 && tpm_public_parse(in, ERR_FORMAT, "public area", &t, &ignored);
}

static bool explain_public(struct bytes in, struct page *p, struct err *e)
{
    static const struct bit_name attributes[] = {
        { 1, "fixedTPM: never leaves this TPM" },      { 4, "fixedParent" },
        { 5, "sensitiveDataOrigin: made in the TPM" }, { 6, "userWithAuth" },
        { 7, "adminWithPolicy" },                      { 10, "noDA" },
        { 16, "restricted: signs only what the TPM made" }, { 17, "decrypt" },
        { 18, "sign" },
    };
    struct tpm_public t;

    if (!tpm_public_parse(in, ERR_FORMAT, "public area", &t, e))
        return false;
    page_line(p, "type", "%s", t.type == TPM_RSA ? "RSA" : t.type == TPM_ECC ? "ECC" : "other");
    page_bits(p, "attributes", t.attributes, attributes, COUNT(attributes));
    page_hex(p, "policy", t.policy);
    if (t.type == TPM_RSA)
        page_hex(p, "modulus", t.n);
    return true;
}

/* -- event logs -- */

/* Both formats begin with an event in the old one: PCR, type, 20 bytes of digest, size, data. */
static bool is_log(struct bytes in)
{
    struct err ignored = { .code = ERR_NONE };
    struct tpm_log log;
    struct arena a;
    bool yes;

    if (in.n < 32 || !bytes_all_zero(bytes_part(in, 0, 4)) || in.p[4] > 0x10 || !bytes_all_zero(bytes_part(in, 5, 3)))
        return false;
    arena_init(&a, BUDGET);
    log = tpm_log_open(&a);
    yes = tpm_log_add(&log, in, "log", &ignored) && log.count > 0;
    arena_done(&a);
    return yes;
}

static bool explain_log(struct bytes in, struct page *p, struct err *e)
{
    struct tpm_log log = tpm_log_open(p->a);

    if (!tpm_log_add(&log, in, "log", e))
        return false;
    page_line(p, "format", "%s", log.spec->crypto_agile ? "crypto agile (TPM 2.0)" : "SHA-1 only");
    for (size_t i = 0; i < log.spec->count; i++)
        page_line(p, "bank", "%s", log.spec->banks[i].bank == NULL ? "unknown" : log.spec->banks[i].bank->name);
    page_line(p, "events", "%zu  (avouch eventlog shows what they hold and what they replay to)", log.count);
    for (size_t i = 0; i < log.count; i++) {
        const struct tpm_event *ev = &log.events[i];
        const char *type = tpm_event_type_name(ev->type);

        page_line(p, arena_printf(p->a, "event %u", ev->seq), "PCR %-2d %s, %zu bytes", (int)ev->pcr,
                  type == NULL ? arena_printf(p->a, "0x%08x", ev->type) : type, ev->data.n);
    }
    return true;
}

/* -- requests -- */

static bool json_has(struct bytes in, const char *member)
{
    struct err ignored = { .code = ERR_NONE };
    const struct json *j;
    struct arena a;
    bool yes;

    arena_init(&a, BUDGET);
    yes = in.n > 0 && json_parse(in, 32, "file", &a, &j, &ignored) && json_member_nocase(j, member) != NULL;
    arena_done(&a);
    return yes;
}

static bool is_message(struct bytes in)
{
    return json_has(in, "payload");
}

static bool explain_attestation(struct page *p, const struct tpm_attestation *t, struct err *e)
{
    page_heading(p, t->what);
    p->indent++;
    if (t->aik_cert.n > 0)
        page_certs(p, "certificate of the key", t->aik_cert);
    if (!page_nested(p, "quote", t->quote, e))
        return false;
    page_hex(p, "signature", t->signature);
    for (size_t i = 0; i < t->log_count; i++)
        if (!page_nested(p, t->logs[i].ima ? "IMA list" : "event log", t->logs[i].log, e))
            return false;
    p->indent--;
    return true;
}

static bool explain_message(struct bytes in, struct page *p, struct err *e)
{
    static const char *const bindings[] = { "not bound", "in the quote", "certified" };
    enum tpm_message kind;
    struct tpm_request *rq;
    struct bytes jws;

    if (!tpm_message_parse(in, p->a, &kind, &jws, e))
        return false;
    page_line(p, "message", "%s", kind == TPM_MESSAGE_AIKCERT ? "first: asks for a challenge" : "second: the evidence");
    if (kind == TPM_MESSAGE_AIKCERT)
        return true;
    if (!tpm_request_parse(jws, p->a, &rq, e))
        return false;
    page_line(p, "protocol", "version %d, %s", rq->version, rq->vbs ? "with the report of an enclave" : "basic");
    page_hex(p, "challenge", rq->challenge);
    page_line(p, "request key", "%s", bindings[rq->request_key.binding]);
    for (size_t i = 0; i < rq->custom_count; i++)
        page_text(p, arena_printf(p->a, "custom claim %.*s", (int)rq->custom[i].name.n, (const char *)rq->custom[i].name.p),
                  rq->custom[i].text);
    if (rq->vbs)
        page_hex(p, "report of the enclave", rq->vsm_report);
    return explain_attestation(p, rq->current, e) && (rq->boot == NULL || explain_attestation(p, rq->boot, e));
}

static bool is_guest(struct bytes in)
{
    return json_has(in, "AttestationProtocolVersion");
}

static bool explain_guest(struct bytes in, struct page *p, struct err *e)
{
    struct guest_request *rq;

    if (!guest_request_parse(in, p->a, &rq, e))
        return false;
    page_text(p, "protocol version", rq->protocol);
    page_text(p, "system, as it says", rq->os_type);
    page_text(p, "distribution, as it says", rq->os_distro);
    page_line(p, "isolation", "%s", rq->isolation == NULL ? "TrustedLaunch" : rq->isolation->type);
    if (rq->aik_cert.n > 0)
        page_certs(p, "certificate of the key", rq->aik_cert);
    return page_nested(p, "attestation key", rq->aik_pub, e) && page_nested(p, "quote", rq->quote, e)
        && page_nested(p, "ephemeral key", rq->enc_pub, e) && page_nested(p, "its certification", rq->enc_cert, e)
        && page_nested(p, "event log", rq->log, e);
}

const struct explainer explain_tpm[] = {
    { "TPM attestation structure", is_attest, explain_attest },
    { "TPM public area", is_public, explain_public },
    { "firmware event log", is_log, explain_log },
    { "TPM attestation message", is_message, explain_message },
    { "Azure guest attestation request", is_guest, explain_guest },
};
const size_t explain_tpm_count = COUNT(explain_tpm);

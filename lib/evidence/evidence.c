/* evidence.c: what is the same for every kind. */
#include "evidence/evidence.h"

static const char *const status_names[TCB_STATUS_COUNT] = {
    [TCB_OK] = "OK",
    [TCB_SW_HARDENING_NEEDED] = "SW_HARDENING_NEEDED",
    [TCB_CONFIGURATION_NEEDED] = "CONFIGURATION_NEEDED",
    [TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED] = "CONFIGURATION_AND_SW_HARDENING_NEEDED",
    [TCB_TD_RELAUNCH_ADVISED] = "TD_RELAUNCH_ADVISED",
    [TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED] = "TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED",
    [TCB_OUT_OF_DATE] = "OUT_OF_DATE",
    [TCB_OUT_OF_DATE_CONFIGURATION_NEEDED] = "OUT_OF_DATE_CONFIGURATION_NEEDED",
    [TCB_REVOKED] = "REVOKED",
};

const char *tcb_status_name(enum tcb_status s)
{
    return status_names[s];
}

bool tcb_status_find(struct bytes name, enum tcb_status *ret)
{
    for (size_t i = 0; i < TCB_STATUS_COUNT; i++)
        if (bytes_equal_nocase(name, bytes_str(status_names[i]))) {
            *ret = (enum tcb_status)i;
            return true;
        }
    return false;
}

bool trust_add(struct trust *t, const struct named_bytes *files, size_t count, struct arena *a, struct err *e)
{
    enum { MAX = 256 };
    struct cert *list = arena_many(a, MAX, struct cert);
    size_t n = t->count;

    if (list == NULL)
        return err_memory(e, "trust anchors");
    if (n > 0)
        memcpy(list, t->anchors, n * sizeof(*list));
    for (size_t i = 0; i < count; i++) {
        struct cert *certs;
        size_t k;

        if (!certs_read(files[i].body, 16, files[i].name, a, &certs, &k, e))
            return false;
        if (k > MAX - n)
            return err_set(e, ERR_USAGE, "trust anchors", "are more than %d with those of '%.100s'", MAX, files[i].name);
        memcpy(list + n, certs, k * sizeof(*list));
        n += k;
    }
    t->anchors = list;
    t->count = n;
    return true;
}

bool trust_has(const struct trust *t, struct bytes subject, struct bytes spki)
{
    for (size_t i = 0; t != NULL && i < t->count; i++)
        if (bytes_equal(t->anchors[i].subject, subject) && bytes_equal(t->anchors[i].spki, spki))
            return true;
    return false;
}

struct settings settings_default(void)
{
    return (struct settings){
        .accept_tcb = TCB_ACCEPT_DEFAULT,
        .tcb_identifier = LIT("azuredefault"),
        .extra_claims = true,
        .required_pcr_mask = 0xffffff,
        .require_valid_aik_cert = true,
    };
}

int64_t max_age_stricter(int64_t a, int64_t b)
{
    return a == 0 ? b : b == 0 || a < b ? a : b;
}

void settings_apply(struct settings *s, uint32_t bits)
{
    s->mix_eval_numbers = (bits & SETTING_MIX_EVAL_NUMBERS) != 0;
    s->tcb_sets = (bits & SETTING_TCB_SETS) != 0;
    s->extra_claims = (bits & SETTING_COMPATIBLE) == 0;
    s->allow_snp_v1 = (bits & SETTING_SNP_V1) != 0;
    s->allow_sha1_quotes = (bits & SETTING_TPM_SHA1) != 0;
    s->snp.allow_masked_chip_id = (bits & SETTING_SNP_MASKED_CHIP_ID) != 0;
    s->snp.refuse_debug = (bits & SETTING_SNP_REFUSE_DEBUG) != 0;
    s->snp.refuse_provisional = (bits & SETTING_SNP_REFUSE_PROVISIONAL) != 0;
    s->snp.require_receipt = (bits & SETTING_SNP_REQUIRE_RECEIPT) != 0;
    s->snp.crl = (bits & SETTING_SNP_CRL_REQUIRED) != 0 ? CRL_REQUIRED : (bits & SETTING_SNP_CRL_OFF) != 0 ? CRL_OFF : CRL_IF_PRESENT;
}

bool evidence_verify_keep(const struct evidence_kind *kind, const struct evidence_input *in,
                          const struct verify_env *env, struct claims *ret_claims, const char **ret_status,
                          void **ret_ev, struct err *e)
{
    void *ev = NULL;
    bool ok;

    if (in->evidence.n > kind->max_size)
        return err_set(e, ERR_TOO_LARGE, kind->name, "evidence has %zu bytes, at most %zu are accepted",
                       in->evidence.n, kind->max_size);
    if (!kind->parse(in, env->a, &ev, e))
        return false;
    ok = kind->verify(ev, env, e) && kind->bound(ev, in, env, e)
        && kind->claims(ev, in, env, ret_claims, e) && attached_claims(in, ret_claims, e);
    *ret_ev = ev;
    if (ret_status != NULL)
        *ret_status = kind->status == NULL ? NULL : kind->status(ev);
    if (ok && (ret_claims->failed || env->a->failed))
        return err_memory(e, kind->name);
    return ok;
}

const char *evidence_type(const struct evidence_kind *kind, const void *ev)
{
    return kind->type == NULL ? kind->token : kind->type(ev);
}

bool evidence_verify(const struct evidence_kind *kind, const struct evidence_input *in,
                     const struct verify_env *env, struct claims *ret_claims, const char **ret_status,
                     struct err *e)
{
    void *ev;

    return evidence_verify_keep(kind, in, env, ret_claims, ret_status, &ev, e);
}

static bool add_attached(const struct attached *d, const char *member, const char *claim, struct claims *ret,
                         struct err *e)
{
    const struct json *j;
    struct bytes text = d->data;
    struct out o;

    if (!d->present || d->type != DATA_JSON)
        return true;
    if (text.n > 0 && text.p[text.n - 1] == 0) /* a C string with its end: the SDKs' own sample data */
        text.n--;
    if (!json_parse(text, JSON_DEPTH, member, ret->a, &j, e))
        return false;
    if (j->type != JSON_OBJECT)
        return err_set(e, ERR_BAD_REQUEST, member, "JSON is of type %s, an object is expected",
                       json_type_name(j->type));
    o = out_open(ret->a);
    json_print(&o, j, true);
    claims_json(ret, claim, CLAIM_TO_BOTH, out_view(&o));
    return true;
}

bool attached_claims(const struct evidence_input *in, struct claims *ret, struct err *e)
{
    return add_attached(&in->runtime, "runtimeData", "x-ms-runtime", ret, e)
        && add_attached(&in->init, "initTimeData", "x-ms-inittime", ret, e);
}

/* compliance.c: what x-ms-compliance-status is made of: lists, no code for any one image (evidence-snp section 7).
 *
 * Nobody publishes the rule of the original; this one and its lists are ours. An operator replaces the lists. */
#include "codec/hex.h"
#include "codec/json.h"
#include "evidence/snp/uvm.h"

#define UVM_ISSUER "did:x509:0:sha256:I__iuL25oXEVFdTP_aBLx_eT1RPHbCQ_ECBQfYZpt9s::eku:1.3.6.1.4.1.311.76.59.1.2"

static const struct snp_uvm_profile uvm_profiles[] = {
    { UVM_ISSUER, "ContainerPlat-AMD-UVM", 100, "azure-compliant-uvm" },
};

/* ID keys of the paravisor in reports and tokens of real confidential VMs. Container groups have other ID keys and
 * count by their endorsement, not by this list. */
static const struct snp_cvm_profile cvm_profiles[] = {
    /* Milan, 2023 */
    { "0356215882a825279a85b300b0b742931d113bf7e32dde2e50ffde7ec743ca491ecdd7f336dc28a6e0b2bb57af7a44a3",
      0, { 0 }, "azure-compliant-cvm" },
    /* Milan, 2022 */
    { "57486a447ec0f1958002a22a06b7673b9fd27d11e1c6527498056054c5fa92d23c50f9de44072760fe2b6fb89740b696",
      0, { 0 }, "azure-compliant-cvm" },
    /* Milan and Genoa, 2025 */
    { "942fd93ebde6ea7a96efadeafc60f1c6b3d10e703b1dafd7555b92f7f3d32d0e006767648cba5b102af3d65756af4177",
      0, { 0 }, "azure-compliant-cvm" },
    /* Milan, 2022 and 2023 */
    { "934f68bd8ba01938eec21475c872e3a942b60c59fafc6df9e9a76ee66bc47f2d09c676f61c0315c578da26085fb13a71",
      0, { 0 }, "azure-compliant-cvm" },
    /* Milan, 2023 */
    { "57e229e0ffe5fa92d0faddff6cae0e61c926fc9ef9afd20a8b8cfcf7129db9338cbe5bf3f6987733a2bf65d06dc38fc1",
      0, { 0 }, "azure-compliant-cvm" },
};

/* Keys of the ledgers that publish statements about utility VMs; kid is the SHA-256 of the key's encoding. */
static const struct snp_ledger ledgers[] = {
    { "esrp-cts-db.confidential-ledger.azure.com",
      "23d48c280f71abf575c81e89f18a4dc9f3b33d8a3b149b16ad836c8553f95bc0",
      "d86209bfd9c086cb5eee10d6ae979ad7e85dfc100f5e0e192312f2e02e21017d9e0a9a93e2c88baa8840d8a21526d8bc"
      "6934fa5d81d93c181d23844b168d8168fd5156e386dab160e4906162fb7cef51c8c26b7336dc17977fcd0707dcaabf0e" },
    { "esrp-cts-db.confidential-ledger.azure.com",
      "da7694f16def5a056ca96afb21e89a9450e4cc875e2de351da76d99544a3e849",
      "19e43fa80dd9c58a1a6a7dc3d2703bc6b88c72688ca90d14358d432ecec2e64204688fd12ffd9db91706d488ba83ef3e"
      "b8a891af8514f1a5ee99c03cc2ee8b39ab47d2a2f6023172dfff22071de66edd5fa12e7134795772130c2d3482bd12e7" },
    { "esrp-cts-cp.confidential-ledger.azure.com",
      "a7ad3b7729516ca443fa472a0f2faa4a984ee3da7eafd17f98dcffbac4a6a10f",
      "9b4910d40feea875ae3fd7dd19229ab52ab66eb70027afaadda6793f7e708db82d367966daef8d2c5d6a33ec82e08da7"
      "27d70916b756bd47fa3c2324ad6153801d7ab84ab899230223834f572b67c185fac4d9ee276193acfb5a7ca620d55362" },
};

const struct snp_profiles snp_profiles_builtin = {
    uvm_profiles, COUNT(uvm_profiles), cvm_profiles, COUNT(cvm_profiles), ledgers, COUNT(ledgers),
};

const struct snp_profiles *snp_profiles_of(const struct settings *s)
{
    return s->snp.profiles != NULL ? s->snp.profiles : &snp_profiles_builtin;
}

/* Rule 1: container groups. */
static const char *uvm_status(const struct snp_evidence *ev)
{
    const struct snp_uvm *u = ev->endorsed;

    if (u == NULL || u->svn < u->profile->min_svn || ev->report.vmpl != 0
        || (ev->report.policy & SNP_POLICY_DEBUG) != 0)
        return NULL;
    return u->profile->status;
}

static bool has_configuration(struct bytes runtime, struct arena *a)
{
    struct err ignored = { .code = ERR_NONE };
    const struct json *j;

    while (runtime.n > 0 && runtime.p[runtime.n - 1] == 0)
        runtime.n--;
    return runtime.n > 0 && json_parse(runtime, JSON_DEPTH, "runtime data", a, &j, &ignored)
        && json_is(json_member(j, "vm-configuration"), JSON_OBJECT);
}

/* Rule 2: confidential VMs whose paravisor was started with a listed ID key. */
static const char *cvm_status(const struct snp_evidence *ev, const struct verify_env *env, struct bytes runtime)
{
    const struct snp_profiles *p = snp_profiles_of(env->settings);

    if ((ev->report.policy & (SNP_POLICY_DEBUG | SNP_POLICY_MIGRATE_MA)) != 0 || ev->report.vmpl != 0
        || !has_configuration(runtime, env->a))
        return NULL;
    for (size_t i = 0; i < p->cvm_count; i++) {
        const struct snp_cvm_profile *c = &p->cvm[i];
        struct snp_tcb least = { c->min_tcb[0], c->min_tcb[1], c->min_tcb[2], c->min_tcb[3], c->min_tcb[4] };
        uint8_t digest[48];

        if (hex_decode_exact(bytes_str(c->id_key_digest), digest, sizeof(digest))
            && bytes_equal(BYTES(digest), ev->report.id_key_digest) && ev->report.guest_svn >= c->min_guest_svn
            && snp_tcb_at_least(ev->reported, least))
            return c->status;
    }
    return NULL;
}

const char *snp_compliance(const struct snp_evidence *ev, const struct verify_env *env, struct bytes runtime)
{
    const char *status = uvm_status(ev);

    return status != NULL ? status : cvm_status(ev, env, runtime);
}

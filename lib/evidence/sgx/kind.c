/* kind.c: the row of /attest/SgxEnclave: a bare quote. */
#include "evidence/sgx/sgx.h"

static bool parse(const struct evidence_input *in, struct arena *a, void **ret, struct err *e)
{
    struct sgx_evidence *x = arena_new(a, struct sgx_evidence);

    if (x == NULL)
        return err_memory(e, "SGX quote");
    if (!quote_parse(in->evidence, "SGX quote", &x->quote, e))
        return false;
    if (x->quote.tee != TEE_SGX)
        return err_set(e, ERR_UNSUPPORTED_TEE, "SGX quote", "TEE type is 0x%x (TDX); this door takes SGX (0)", x->quote.tee);
    if (!bytes_all_zero(x->quote.trailing))
        return err_set(e, ERR_FORMAT, "SGX quote", "%zu bytes that are not all zero follow the end at offset %zu",
                       x->quote.trailing.n, x->quote.used.n);
    if (!sgx_body_parse(x->quote.body, &x->body))
        return err_set(e, ERR_INTERNAL, "SGX quote", "report body is not 384 bytes");
    x->submitted = in->evidence;
    *ret = x;
    return true;
}

const struct evidence_kind evidence_sgx = {
    .name = "SgxEnclave",
    .token = "sgx",
    .member = "quote",
    .max_size = QUOTE_MAX_SIZE,
    .parse = parse,
    .needs = sgx_evidence_needs,
    .genuine = sgx_evidence_genuine,
    .verify = sgx_evidence_verify,
    .bound = sgx_evidence_bound,
    .claims = sgx_evidence_claims,
    .status = sgx_evidence_status,
    .tcb_sets = true,
};

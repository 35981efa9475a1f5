/* isolation.c: the technologies below a confidential VM's vTPM, a row each. */
#include "evidence/azureguest/azureguest.h"
#include "evidence/snp/snp.h"

static bool snp_row_parse(struct bytes proof, struct arena *a, void **ret, struct err *e)
{
    struct snp_evidence *ev;

    if (!snp_evidence_parse(proof, a, &ev, e))
        return false;
    *ret = ev;
    return true;
}

static bool snp_row_needs(const void *ev, const struct settings *s, struct needs *ret, struct err *e)
{
    return snp_evidence_needs(ev, s, ret, e);
}

static bool snp_row_verify(void *ev, const struct verify_env *env, struct err *e)
{
    return snp_evidence_verify(ev, env, e);
}

static struct bytes snp_row_data(const void *ev)
{
    return ((const struct snp_evidence *)ev)->report.report_data;
}

static struct bytes snp_row_json(const void *ev, const struct verify_env *env, struct bytes runtime, struct arena *a)
{
    return snp_isolation_json(ev, env, runtime, a);
}

static const struct guest_isolation rows[] = {
    { "SevSnp", snp_row_parse, snp_row_needs, snp_row_verify, snp_row_data, snp_row_json },
};

const struct guest_isolation *guest_isolation_find(struct bytes type)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        if (bytes_equal_nocase(type, bytes_str(rows[i].type)))
            return &rows[i];
    return NULL;
}

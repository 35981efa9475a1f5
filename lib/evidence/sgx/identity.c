/* identity.c: identities of Intel's quoting enclaves (table 4.2). */
#include "evidence/sgx/sgx.h"

#define WHAT "enclave identity"

static int compare_isv_svn(const struct tcb_level *x, const struct tcb_level *y)
{
    return (x->isv_svn > y->isv_svn) - (x->isv_svn < y->isv_svn);
}

static bool levels_parse(const struct json *body, struct arena *a, struct enclave_identity *ret, struct err *e)
{
    const struct json *list = member_of(body, "tcbLevels", JSON_ARRAY, e);
    size_t n = 0;

    if (list == NULL)
        return false;
    if (list->count == 0)
        return err_set(e, ERR_COLLATERAL_FORMAT, WHAT, "'tcbLevels' is empty");
    ret->levels = arena_many(a, list->count, struct tcb_level);
    if (ret->levels == NULL)
        return err_memory(e, WHAT);
    for (const struct json *j = list->child; j != NULL; j = j->next, n++) {
        const struct json *tcb = json_is(j, JSON_OBJECT) ? member_of(j, "tcb", JSON_OBJECT, e) : NULL;
        int64_t v;

        if (tcb == NULL)
            return err_set(e, ERR_COLLATERAL_FORMAT, WHAT, "a TCB level has no 'tcb' object");
        if (!member_uint(tcb, "isvsvn", 65535, &v, e) || !level_common_parse(j, a, &ret->levels[n], e))
            return false;
        ret->levels[n].isv_svn = (uint16_t)v;
    }
    ret->level_count = n;
    if (!levels_sort(ret->levels, n, a, compare_isv_svn))
        return err_memory(e, WHAT);
    for (size_t i = 1; i < n; i++)
        if (ret->levels[i].isv_svn == ret->levels[i - 1].isv_svn)
            return err_set(e, ERR_COLLATERAL_FORMAT, WHAT, "two TCB levels have isvsvn %u", ret->levels[i].isv_svn);
    return true;
}

bool enclave_identity_parse(const struct json *body, struct arena *a, struct enclave_identity *ret, struct err *e)
{
    struct enclave_identity r = { 0 };
    const struct json *id = member_of(body, "id", JSON_STRING, e);
    int64_t version, prod_id;

    if (id == NULL || !member_uint(body, "version", UINT32_MAX, &version, e))
        return false;
    if (version != 2)
        return err_set(e, ERR_COLLATERAL_FORMAT, WHAT, "version is %lld; 2 is supported", (long long)version);
    r.id = id->text;
    if (!member_time(body, "issueDate", &r.issue, e) || !member_time(body, "nextUpdate", &r.next, e)
        || !member_uint(body, "tcbEvaluationDataNumber", UINT32_MAX, &r.eval_number, e)
        || !member_hex(body, "miscselect", r.misc_select, 4, e)
        || !member_hex(body, "miscselectMask", r.misc_mask, 4, e)
        || !member_hex(body, "attributes", r.attributes, 16, e)
        || !member_hex(body, "attributesMask", r.attributes_mask, 16, e)
        || !member_hex(body, "mrsigner", r.mr_signer, 32, e)
        || !member_uint(body, "isvprodid", 65535, &prod_id, e) || !levels_parse(body, a, &r, e))
        return false;
    r.isv_prod_id = (uint16_t)prod_id;
    *ret = r;
    return true;
}

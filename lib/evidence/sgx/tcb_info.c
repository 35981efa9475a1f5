/* tcb_info.c: TCB info versions 2 and 3 (table 4.1, TDX parts 8.2). */
#include "evidence/sgx/sgx.h"

#include "codec/hex.h"

#include <stdio.h>

#define WHAT "TCB info"

static bool refuse(struct err *e, const char *why)
{
    return err_set(e, ERR_COLLATERAL_FORMAT, WHAT, "%s", why);
}

/* Version 2 names each component; version 3 has arrays of objects. */
static bool components_v2(const struct json *tcb, uint8_t *to, struct err *e)
{
    for (int i = 0; i < 16; i++) {
        char name[24];
        int64_t v;

        snprintf(name, sizeof(name), "sgxtcbcomp%02dsvn", i + 1);
        if (!member_uint(tcb, name, 255, &v, e))
            return false;
        to[i] = (uint8_t)v;
    }
    return true;
}

static bool components_v3(const struct json *tcb, const char *name, uint8_t *to, struct err *e)
{
    const struct json *list = member_of(tcb, name, JSON_ARRAY, e);
    size_t i = 0;

    if (list == NULL)
        return false;
    if (list->count != 16)
        return err_set(e, ERR_COLLATERAL_FORMAT, WHAT, "'%s' has %zu components, 16 are expected", name, list->count);
    for (const struct json *c = list->child; c != NULL; c = c->next) {
        int64_t v;

        if (!json_is(c, JSON_OBJECT))
            return refuse(e, "a TCB component is no object");
        if (!member_uint(c, "svn", 255, &v, e))
            return false;
        to[i++] = (uint8_t)v;
    }
    return true;
}

static bool level_parse(const struct json *j, const struct tcb_info *info, struct arena *a, struct tcb_level *ret,
                        struct err *e)
{
    const struct json *tcb;
    int64_t v;

    if (!json_is(j, JSON_OBJECT))
        return refuse(e, "a TCB level is no object");
    tcb = member_of(j, "tcb", JSON_OBJECT, e);
    if (tcb == NULL || !level_common_parse(j, a, ret, e) || !member_uint(tcb, "pcesvn", 65535, &v, e))
        return false;
    ret->pce_svn = (uint16_t)v;
    if (info->version == 2)
        return components_v2(tcb, ret->sgx, e);
    return components_v3(tcb, "sgxtcbcomponents", ret->sgx, e)
        && (!info->tdx || components_v3(tcb, "tdxtcbcomponents", ret->tdx, e));
}

/* Order of section 5 step 14 and section 9 step 14a. */
static int compare_levels(const struct tcb_level *x, const struct tcb_level *y)
{
    int d = memcmp(x->sgx, y->sgx, sizeof(x->sgx));

    if (d == 0)
        d = (x->pce_svn > y->pce_svn) - (x->pce_svn < y->pce_svn);
    return d != 0 ? d : memcmp(x->tdx, y->tdx, sizeof(x->tdx));
}

static int compare_isv_svn(const struct tcb_level *x, const struct tcb_level *y)
{
    return (x->isv_svn > y->isv_svn) - (x->isv_svn < y->isv_svn);
}

static bool levels_parse(const struct json *body, struct arena *a, struct tcb_info *ret, struct err *e)
{
    const struct json *list = member_of(body, "tcbLevels", JSON_ARRAY, e);
    size_t n = 0;

    if (list == NULL)
        return false;
    if (list->count == 0)
        return refuse(e, "'tcbLevels' is empty");
    ret->levels = arena_many(a, list->count, struct tcb_level);
    if (ret->levels == NULL)
        return err_memory(e, WHAT);
    for (const struct json *j = list->child; j != NULL; j = j->next)
        if (!level_parse(j, ret, a, &ret->levels[n++], e))
            return false;
    ret->level_count = n;
    if (!levels_sort(ret->levels, n, a, compare_levels))
        return err_memory(e, WHAT);
    for (size_t i = 1; i < n; i++)
        if (compare_levels(&ret->levels[i - 1], &ret->levels[i]) == 0)
            return refuse(e, "two TCB levels have the same numbers");
    return true;
}

static bool module_common(const struct json *j, struct arena *a, struct tdx_module *ret, struct err *e)
{
    uint8_t *signer = arena_alloc(a, 48);

    if (signer == NULL)
        return err_memory(e, WHAT);
    ret->mr_signer = bytes_of(signer, 48);
    return member_hex(j, "mrsigner", signer, 48, e) && member_hex(j, "attributes", ret->attributes, 8, e)
        && member_hex(j, "attributesMask", ret->attributes_mask, 8, e);
}

/* Levels with a single number, as TDX modules have them. */
static bool module_levels(const struct json *j, struct arena *a, struct tdx_module *ret, struct err *e)
{
    const struct json *list = member_of(j, "tcbLevels", JSON_ARRAY, e);
    size_t n = 0;

    if (list == NULL)
        return false;
    ret->levels = arena_many(a, list->count, struct tcb_level);
    if (ret->levels == NULL)
        return err_memory(e, WHAT);
    for (const struct json *l = list->child; l != NULL; l = l->next) {
        const struct json *tcb = json_is(l, JSON_OBJECT) ? member_of(l, "tcb", JSON_OBJECT, e) : NULL;
        int64_t v;

        if (tcb == NULL)
            return refuse(e, "a TDX module level has no 'tcb' object");
        if (!member_uint(tcb, "isvsvn", 255, &v, e) || !level_common_parse(l, a, &ret->levels[n], e))
            return false;
        ret->levels[n++].isv_svn = (uint16_t)v;
    }
    ret->level_count = n;
    return levels_sort(ret->levels, n, a, compare_isv_svn) || err_memory(e, WHAT);
}

/* "TDX_01": the digits are the module's major version. */
static bool module_id(const struct json *j, uint8_t *ret, struct err *e)
{
    const struct json *id = member_of(j, "id", JSON_STRING, e);

    if (id == NULL)
        return false;
    if (id->text.n != 6 || !bytes_equal_nocase(bytes_part(id->text, 0, 4), LIT("TDX_"))
        || !hex_decode_exact(bytes_part(id->text, 4, 2), ret, 1))
        return refuse(e, "id of a TDX module identity is not of the form TDX_xx");
    return true;
}

static bool modules_parse(const struct json *body, struct arena *a, struct tcb_info *ret, struct err *e)
{
    const struct json *one = member_of(body, "tdxModule", JSON_OBJECT, e), *list = json_member(body, "tdxModuleIdentities");
    size_t n = 0;

    if (one == NULL || !module_common(one, a, &ret->module, e))
        return false;
    ret->has_module = true;
    if (list == NULL)
        return true;
    if (list->type != JSON_ARRAY)
        return refuse(e, "'tdxModuleIdentities' is no array");
    ret->has_identities = true;
    ret->modules = arena_many(a, list->count, struct tdx_module);
    if (ret->modules == NULL)
        return err_memory(e, WHAT);
    for (const struct json *j = list->child; j != NULL; j = j->next, n++)
        if (!json_is(j, JSON_OBJECT) || !module_id(j, &ret->modules[n].major, e)
            || !module_common(j, a, &ret->modules[n], e) || !module_levels(j, a, &ret->modules[n], e))
            return refuse(e, "a TDX module identity is no object");
    ret->module_count = n;
    return true;
}

static bool header_parse(const struct json *body, struct tcb_info *r, struct err *e)
{
    const struct json *id;
    int64_t type;

    if (!member_uint(body, "version", UINT32_MAX, &r->version, e))
        return false;
    if (r->version != 2 && r->version != 3)
        return err_set(e, ERR_COLLATERAL_FORMAT, WHAT, "version is %lld; 2 and 3 are supported", (long long)r->version);
    if (r->version == 3) {
        id = member_of(body, "id", JSON_STRING, e);
        if (id == NULL)
            return false;
        r->tdx = bytes_is(id->text, "TDX");
        if (!r->tdx && !bytes_is(id->text, "SGX"))
            return refuse(e, "id is neither SGX nor TDX");
    }
    if (!member_time(body, "issueDate", &r->issue, e) || !member_time(body, "nextUpdate", &r->next, e)
        || !member_hex(body, "fmspc", r->fmspc, sizeof(r->fmspc), e)
        || !member_hex(body, "pceId", r->pce_id, sizeof(r->pce_id), e)
        || !member_uint(body, "tcbType", UINT32_MAX, &type, e)
        || !member_uint(body, "tcbEvaluationDataNumber", UINT32_MAX, &r->eval_number, e))
        return false;
    if (type != 0)
        return err_set(e, ERR_COLLATERAL_FORMAT, WHAT, "tcbType is %lld, only 0 is defined", (long long)type);
    return true;
}

bool tcb_info_parse(const struct json *body, struct arena *a, struct tcb_info *ret, struct err *e)
{
    struct tcb_info r = { 0 };

    if (!header_parse(body, &r, e))
        return false;
    if (!r.tdx && (json_member(body, "tdxModule") != NULL || json_member(body, "tdxModuleIdentities") != NULL))
        return refuse(e, "TCB info for SGX has TDX modules");
    if ((r.tdx && !modules_parse(body, a, &r, e)) || !levels_parse(body, a, &r, e))
        return false;
    *ret = r;
    return true;
}

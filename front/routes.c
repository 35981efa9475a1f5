/* routes.c: which path and method has which handler. Literal text is compared without case; "{}" takes the
 * text up to the next literal or slash. The OpenAPI document lists the same rows; a test compares them. */
#include "front/front.h"

#include <stdio.h>
#include <strings.h>

#define ARM "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Attestation/attestationProviders"

enum route_flag {
    NEEDS_VERSION = 1, /* api-version must be there and known (rest-api 1.3) */
    TENANT = 2,        /* the host names a provider */
    ARM_VERSION = 4,   /* api-version must be one of the control plane */
};

/* clang-format off */
static const struct route_row {
    const char *method, *path;
    unsigned flags;
    const char *operation; /* of audit and metrics */
    void (*handle)(struct request *rq);
} rows[] = {
    { "GET",    "/.well-known/openid-configuration", TENANT,                 "GetOpenIdMetadata",       handle_metadata },
    { "GET",    "/certs",                            TENANT,                 "GetCerts",                handle_certs },
    { "GET",    "/openapi.json",                     0,                      "GetOpenApi",              handle_openapi },
    { "GET",    "/servicehealth",                    0,                      "GetServiceHealth",        handle_health },
    { "POST",   "/attest/{}",                        TENANT | NEEDS_VERSION, "Attest",                  handle_attest },
    { "POST",   "/policies/{}:reset",                TENANT | NEEDS_VERSION, "ResetPolicy",             handle_policy_reset },
    { "POST",   "/policies/{}:rollback",             TENANT | NEEDS_VERSION, "RollbackPolicy",          handle_policy_rollback },
    { "GET",    "/policies/{}/history",              TENANT | NEEDS_VERSION, "GetPolicyHistory",        handle_policy_history },
    { "GET",    "/policies/{}",                      TENANT | NEEDS_VERSION, "GetPolicy",               handle_policy_get },
    { "PUT",    "/policies/{}",                      TENANT | NEEDS_VERSION, "SetPolicy",               handle_policy_put },
    { "GET",    "/certificates",                     TENANT | NEEDS_VERSION, "GetPolicyCertificates",   handle_signers_get },
    { "POST",   "/certificates:add",                 TENANT | NEEDS_VERSION, "AddPolicyCertificate",    handle_signers_add },
    { "POST",   "/certificates:remove",              TENANT | NEEDS_VERSION, "RemovePolicyCertificate", handle_signers_remove },
    { "GET",    "/tcbbaselines/{}",                  TENANT | NEEDS_VERSION, "GetTcbBaselines",         handle_baselines },
    { "GET",    "/audit",                            TENANT | NEEDS_VERSION, "GetAuditRecords",         handle_audit },
    { "GET",    "/{}/certification/{}/qe/identity",  0,                      "MirrorCollateral",        handle_mirror_intel },
    { "GET",    "/{}/certification/{}/qve/identity", 0,                      "MirrorCollateral",        handle_mirror_qve },
    { "GET",    "/{}/certification/{}/{}",           0,                      "MirrorCollateral",        handle_mirror_intel },
    { "GET",    "/{}/v1/{}/{}",                      0,                      "MirrorCollateral",        handle_mirror_amd },
    { "PUT",    ARM "/{}",                                 ARM_VERSION, "CreateProvider",     handle_arm_put },
    { "GET",    ARM "/{}",                                 ARM_VERSION, "GetProvider",        handle_arm_get },
    { "PATCH",  ARM "/{}",                                 ARM_VERSION, "UpdateProvider",     handle_arm_patch },
    { "DELETE", ARM "/{}",                                 ARM_VERSION, "DeleteProvider",     handle_arm_delete },
    { "GET",    ARM,                                       ARM_VERSION, "ListProviders",      handle_arm_list },
    { "GET",    "/subscriptions/{}/providers/Microsoft.Attestation/attestationProviders", ARM_VERSION, "ListProviders", handle_arm_list },
    { "GET",    "/subscriptions/{}/providers/Microsoft.Attestation/defaultProviders", ARM_VERSION, "ListDefaultProviders", handle_arm_defaults },
    { "GET",    "/subscriptions/{}/providers/Microsoft.Attestation/locations/{}/defaultProvider", ARM_VERSION, "GetDefaultProvider", handle_arm_default },
    { "GET",    "/providers/Microsoft.Attestation/operations", ARM_VERSION, "ListOperations", handle_arm_operations },
    { "GET",    ARM "/{}/privateEndpointConnections",      ARM_VERSION, "ListConnections",    handle_arm_connections },
    { "GET",    ARM "/{}/privateEndpointConnections/{}",   ARM_VERSION, "GetConnection",      handle_arm_connection_get },
    { "PUT",    ARM "/{}/privateEndpointConnections/{}",   ARM_VERSION, "CreateConnection",   handle_arm_connection_put },
    { "DELETE", ARM "/{}/privateEndpointConnections/{}",   ARM_VERSION, "DeleteConnection",   handle_arm_connection_delete },
    { "GET",    ARM "/{}/privateLinkResources",            ARM_VERSION, "ListLinkResources",  handle_arm_links },
};
/* clang-format on */

void routes_print(void)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        printf("%s %s\n", rows[i].method, rows[i].path);
}

/* Literal text up to the next hole, then the hole's text; steps go to the arena of the request. What a row that did
 * not match has found is forgotten: handlers tell by the steps what was asked for. */
static bool match(struct request *rq, const char *pattern)
{
    const char *path = rq->path;
    size_t step = 0;

    memset(rq->steps, 0, sizeof(rq->steps));
    while (*pattern != 0) {
        const char *hole = strstr(pattern, "{}"), *after;
        size_t literal = hole == NULL ? strlen(pattern) : (size_t)(hole - pattern), n = 0;

        if (strncasecmp(path, pattern, literal) != 0)
            return false;
        path += literal;
        if (hole == NULL)
            return *path == 0;
        after = hole + 2;
        while (path[n] != 0 && path[n] != '/' && !(*after == ':' && path[n] == ':'))
            n++;
        if (n == 0 || step == MAX_STEPS)
            return false;
        rq->steps[step] = arena_str(&rq->a, bytes_of(path, n));
        if (rq->steps[step++] == NULL)
            return false;
        path += n;
        pattern = after;
    }
    return *path == 0;
}

static bool check_version(struct request *rq, unsigned flags)
{
    static const char *const arm[] = { "2018-09-01-preview", "2018-09-01", "2020-10-01", "2021-06-01-preview", "2021-06-01" };
    const char *version = request_query(rq, "api-version");
    struct err e = { .code = ERR_NONE };

    if ((flags & NEEDS_VERSION) != 0 && version != NULL && api_version_known(bytes_str(version)))
        return true;
    for (size_t i = 0; (flags & ARM_VERSION) != 0 && version != NULL && i < COUNT(arm); i++)
        if (strcasecmp(arm[i], version) == 0)
            return true;
    (void)err_set(&e, ERR_BAD_API_VERSION, "api-version", version == NULL ? "is missing%.0s" : "'%.40s' is not known",
                  version == NULL ? "" : version);
    reply_error(rq, &e);
    return false;
}

static void run(struct request *rq, const struct route_row *row)
{
    rq->operation = row->operation;
    if ((row->flags & TENANT) != 0 && (!tenant_find(rq) || !network_check(rq)))
        return;
    if ((row->flags & (NEEDS_VERSION | ARM_VERSION)) == 0 || check_version(rq, row->flags))
        row->handle(rq);
}

void route(struct request *rq)
{
    struct err e = { .code = ERR_NONE };
    char allow[64] = "";

    for (size_t i = 0; i < COUNT(rows); i++) {
        if (!match(rq, rows[i].path))
            continue;
        if (strcmp(rq->method, rows[i].method) == 0) {
            run(rq, &rows[i]);
            return;
        }
        snprintf(allow + strlen(allow), sizeof(allow) - strlen(allow), "%s%s", allow[0] == 0 ? "" : ", ", rows[i].method);
    }
    if (allow[0] != 0) {
        rq->allow = arena_str(&rq->a, bytes_str(allow));
        (void)err_set(&e, ERR_METHOD, "method", "'%.16s' is not offered here, %s is", rq->method, allow);
    } else {
        (void)err_set(&e, ERR_NOT_FOUND, "path", "'%.100s' is not known", rq->path);
    }
    reply_error(rq, &e);
}

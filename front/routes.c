/* routes.c: which path and method has which handler. Literal steps are compared without case; "{}" takes
 * one step, whose text goes to the handler. */
#include "front/front.h"

#include <stdio.h>
#include <strings.h>

static const struct route_row {
    const char *method, *path;
    bool needs_version; /* api-version must be there and known (rest-api 1.3) */
    void (*handle)(struct request *rq, const char *step);
} rows[] = {
    { "GET", "/.well-known/openid-configuration", false, handle_metadata },
    { "GET", "/certs", false, handle_certs },
    { "GET", "/servicehealth", false, handle_health },
    { "POST", "/attest/{}", true, handle_attest },
};

/* `path` against a pattern; *ret is the text of "{}" in the arena of the request, or NULL. */
static bool match(struct request *rq, const char *pattern, const char **ret)
{
    const char *hole = strstr(pattern, "{}"), *rest;
    size_t before = hole == NULL ? 0 : (size_t)(hole - pattern);

    *ret = NULL;
    if (hole == NULL)
        return strcasecmp(rq->path, pattern) == 0;
    if (strncasecmp(rq->path, pattern, before) != 0)
        return false;
    rest = rq->path + before;
    if (*rest == 0 || strchr(rest, '/') != NULL)
        return false;
    *ret = rest;
    return true;
}

static bool check_version(struct request *rq)
{
    const char *version = request_query(rq, "api-version");
    struct err e = { .code = ERR_NONE };

    if (version != NULL && api_version_known(bytes_str(version)))
        return true;
    (void)err_set(&e, ERR_BAD_API_VERSION, "api-version", version == NULL ? "is missing%.0s" : "'%.40s' is not known",
                  version == NULL ? "" : version);
    reply_error(rq, &e);
    return false;
}

void route(struct request *rq)
{
    struct err e = { .code = ERR_NONE };
    char allow[64] = "";
    const char *step;

    for (size_t i = 0; i < COUNT(rows); i++) {
        if (!match(rq, rows[i].path, &step))
            continue;
        if (strcmp(rq->method, rows[i].method) != 0) {
            snprintf(allow + strlen(allow), sizeof(allow) - strlen(allow), "%s%s", allow[0] == 0 ? "" : ", ", rows[i].method);
            continue;
        }
        if (!rows[i].needs_version || check_version(rq))
            rows[i].handle(rq, step);
        return;
    }
    if (allow[0] != 0) {
        rq->allow = arena_str(&rq->a, bytes_str(allow));
        (void)err_set(&e, ERR_METHOD, "method", "'%.16s' is not offered here, %s is", rq->method, allow);
    } else {
        (void)err_set(&e, ERR_NOT_FOUND, "path", "'%.100s' is not known", rq->path);
    }
    reply_error(rq, &e);
}

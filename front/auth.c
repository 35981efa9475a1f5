/* auth.c: who asks, and whether they may: bearer tokens (RFC 6750) of the configured issuer or of the local
 * one, client certificates, and in --dev one fixed token. The key never comes from the token: jku and x5c of
 * its header are not looked at. */
#include "front/front.h"

#include "base/memo.h"
#include "codec/stamp.h"
#include "jose/jws.h"
#include "os/io.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define SKEW 300 /* seconds, rest-api section 3 */
#define MAX_TOKEN 16384
#define LOCAL_ISSUER "urn:avouch:local"
#define LOCAL_TYPE "avouch-admin+jwt"
#define ALL_DATA (MAY_READ_DATA | MAY_WRITE_DATA | MAY_DELETE_DATA)
#define ALL_CONTROL (MAY_READ_CONTROL | MAY_WRITE_CONTROL | MAY_DELETE_CONTROL)

/* Built-in roles by name or id (rest-api section 3). */
static const struct {
    const char *name, *id;
    unsigned permissions;
} roles[] = {
    { "Attestation Reader", "fd1bd22b-8476-40bc-a0bc-69b95687b9f3", MAY_READ_DATA },
    { "Attestation Contributor", "bbf86eb8-f7b4-4cce-96e4-18cddf81d86e", ALL_DATA },
    { "Reader", "acdd72a7-3385-48ef-bd42-f606fba81ae7", MAY_READ_DATA | MAY_READ_CONTROL },
    { "Contributor", "b24988ac-6180-42a0-ab88-20f7382dd24c", ALL_DATA | ALL_CONTROL },
    { "Owner", "8e3af657-a8ff-443c-a75c-2fe8c4bcb635", ALL_DATA | ALL_CONTROL },
};

static unsigned permissions_of(struct bytes role)
{
    for (size_t i = 0; i < COUNT(roles); i++)
        if (bytes_equal_nocase(role, bytes_str(roles[i].name)) || bytes_equal_nocase(role, bytes_str(roles[i].id)))
            return roles[i].permissions;
    return 0;
}

/* auth.role_map: "claim value=Role;claim value=Role": what a directory calls a role. */
static struct bytes mapped(const struct front *f, struct bytes role)
{
    const char *p = f->config.value[CONFIG_auth_role_map];

    while (*p != 0) {
        size_t n = strcspn(p, ";"), eq = strcspn(p, "=");

        if (eq < n && bytes_equal(role, bytes_of(p, eq)))
            return bytes_of(p + eq + 1, n - eq - 1);
        p += n + (p[n] == ';');
    }
    return role;
}

/* "Role" or "Role@scope"; `f` NULL: of our own issuer, which a directory's names (auth.role_map) do not concern. A NUL would end the copy early and thereby widen the scope. */
static void add_grant(const struct front *f, struct bytes text, struct principal *ret)
{
    const uint8_t *at = memchr(text.p, '@', text.n);
    struct bytes role = at == NULL ? text : bytes_part(text, 0, (size_t)(at - text.p));
    struct bytes scope = at == NULL ? (struct bytes){ NULL, 0 } : bytes_part(text, role.n + 1, text.n);
    unsigned p = permissions_of(f == NULL ? role : mapped(f, role));
    struct grant *g;

    if (p == 0 || ret->grant_count == MAX_GRANTS || scope.n >= sizeof(g->scope) || (at != NULL && scope.n == 0)
        || (scope.n > 0 && memchr(scope.p, 0, scope.n) != NULL))
        return;
    g = &ret->grants[ret->grant_count++];
    g->permissions = p;
    memcpy(g->scope, scope.p == NULL ? (const uint8_t *)"" : scope.p, scope.n);
    g->scope[scope.n] = 0;
}

static void copy_text(char *to, size_t size, const struct json *j)
{
    struct bytes b = { NULL, 0 };

    (void)json_string(j, &b);
    if (b.n > 0 && memchr(b.p, 0, b.n) == NULL)
        snprintf(to, size, "%.*s", (int)(b.n < size ? b.n : size), (const char *)b.p);
}

/* -- tokens -- */

static bool refuse(struct err *e, const char *why)
{
    return err_set(e, ERR_UNAUTHORIZED, "bearer token", "%s", why);
}

/* With or without one slash at the end (rest-api section 3), on both sides. */
static bool same_audience(const struct json *j, struct bytes wanted)
{
    struct bytes b;

    if (!json_string(j, &b))
        return false;
    if (b.n > 0 && b.p[b.n - 1] == '/')
        b.n--;
    if (wanted.n > 0 && wanted.p[wanted.n - 1] == '/')
        wanted.n--;
    return bytes_equal(b, wanted);
}

/* One text or an array of texts (RFC 7519 section 4.1.3). */
static bool audience_is(const struct json *aud, const char *wanted)
{
    for (const struct json *j = json_is(aud, JSON_ARRAY) ? aud->child : NULL; j != NULL; j = j->next)
        if (same_audience(j, bytes_str(wanted)))
            return true;
    return same_audience(aud, bytes_str(wanted));
}

/* exp and nbf are whole seconds: what is no integer is refused, not taken for absent. Differences cannot overflow:
 * `now` is far from both ends. */
static bool check_times(const struct json *claims, int64_t now, int64_t *ret_exp, struct err *e)
{
    const struct json *nbf = json_member(claims, "nbf");
    int64_t from;

    if (!json_int(json_member(claims, "exp"), ret_exp))
        return refuse(e, "has no exp that is a whole number");
    if (now - SKEW > *ret_exp)
        return err_set(e, ERR_UNAUTHORIZED, "bearer token", "has expired: exp is %s, it is %s", stamp_text(*ret_exp).s, stamp_text(now).s);
    if (nbf != NULL && !json_int(nbf, &from))
        return refuse(e, "has an nbf that is no whole number");
    if (nbf != NULL && now + SKEW < from)
        return err_set(e, ERR_UNAUTHORIZED, "bearer token", "is not valid yet: nbf is %s, it is %s", stamp_text(from).s, stamp_text(now).s);
    return true;
}

/* Which of our keys the token must be signed with. Its issuer is read before it is proven: it only chooses the set
 * of keys that proves it. */
static const struct jwk *find_key(struct request *rq, const struct jws *j, const struct json *claims, bool local, struct err *e)
{
    struct front *f = rq->front;
    const char *expected = local ? LOCAL_ISSUER : f->config.value[CONFIG_auth_issuer];
    struct bytes iss = { NULL, 0 };
    const struct jwk *key;

    (void)json_string(json_member(claims, "iss"), &iss);
    if (!local && f->issuers != NULL)
        return issuer_key(rq, iss, j->kid, e);
    key = jwks_find(local ? &f->local_keys : &f->issuer_keys, j->kid);
    if (!bytes_is(iss, expected))
        (void)err_set(e, ERR_UNAUTHORIZED, "bearer token", "issuer is '%.*s', '%s' is configured", (int)(iss.n > 100 ? 100 : iss.n),
                      (const char *)iss.p, expected);
    else if (key == NULL)
        (void)err_set(e, ERR_UNAUTHORIZED, "bearer token", "its key '%.*s' is not one of the issuer's", (int)(j->kid.n > 60 ? 60 : j->kid.n),
                      (const char *)j->kid.p);
    return bytes_is(iss, expected) ? key : NULL;
}

static bool check_claims(const struct front *f, const struct json *claims, bool local, bool control, int64_t now, int64_t *ret_exp,
                         struct err *e)
{
    const char *audience = local ? "avouch" : f->config.value[control ? CONFIG_auth_control_audience : CONFIG_auth_audience];

    if (!audience_is(json_member(claims, "aud"), audience))
        return err_set(e, ERR_UNAUTHORIZED, "bearer token", "audience is not '%s'", audience);
    return check_times(claims, now, ret_exp, e);
}

static void read_principal(const struct front *f, const struct json *claims, bool local, struct principal *ret)
{
    const struct json *list = json_member(claims, local ? "roles" : f->config.value[CONFIG_auth_roles_claim]);
    const struct front *map = local ? NULL : f;

    copy_text(ret->id, sizeof(ret->id), json_member(claims, "oid"));
    if (ret->id[0] == 0)
        copy_text(ret->id, sizeof(ret->id), json_member(claims, "sub"));
    copy_text(ret->name, sizeof(ret->name), json_member(claims, "upn"));
    copy_text(ret->app, sizeof(ret->app), json_member(claims, "appid"));
    if (json_is(list, JSON_STRING))
        add_grant(map, list->text, ret);
    for (const struct json *j = json_is(list, JSON_ARRAY) ? list->child : NULL; j != NULL; j = j->next)
        if (j->type == JSON_STRING)
            add_grant(map, j->text, ret);
}

struct known_token {
    int64_t exp;
    bool local;
    struct principal principal;
};

/* Whatever is wrong with a token is 401; that we ran out of memory is not the token's fault. */
static bool unauthorized(struct err *e)
{
    if (e->code != ERR_NO_MEMORY)
        e->code = ERR_UNAUTHORIZED;
    return false;
}

static bool validate(struct request *rq, struct bytes text, bool control, struct known_token *ret, struct err *e)
{
    struct front *f = rq->front;
    struct arena *a = &rq->a;
    struct jws j;
    const struct json *claims;
    struct bytes typ = { NULL, 0 };
    const struct jwk *key;

    if (text.n > MAX_TOKEN)
        return err_set(e, ERR_UNAUTHORIZED, "bearer token", "has %zu bytes, at most %d are read", text.n, MAX_TOKEN);
    if (!jws_parse(text, JWS_STRICT, ERR_UNAUTHORIZED, "bearer token", a, &j, e))
        return unauthorized(e);
    (void)json_string(json_member(j.header, "typ"), &typ);
    ret->local = bytes_is(typ, LOCAL_TYPE);
    if (!json_parse(j.payload, 16, "bearer token", a, &claims, e))
        return unauthorized(e);
    key = find_key(rq, &j, claims, ret->local, e);
    if (key == NULL || !jws_verify(&j, key, JWS_STRICT, ERR_UNAUTHORIZED, "bearer token", e))
        return false;
    if (!check_claims(f, claims, ret->local, control, front_now(f), &ret->exp, e))
        return false;
    read_principal(f, claims, ret->local, &ret->principal);
    return ret->principal.id[0] != 0 || refuse(e, "names no principal (oid or sub)");
}

/* A token that was validated once is known by its digest until it expires. Audiences differ by plane. */
static bool known_or_valid(struct request *rq, struct bytes text, bool control, struct principal *ret, struct err *e)
{
    struct front *f = rq->front;
    static const char data_tag, control_tag;
    struct digest key = sha256(text);
    struct known_token *t = memo_find(f->tokens, control ? &control_tag : &data_tag, key.p);

    if (t != NULL && front_now(f) - SKEW <= t->exp) {
        *ret = t->principal;
        return true;
    }
    t = calloc(1, sizeof(*t));
    if (t == NULL)
        return err_memory(e, "bearer token");
    if (!validate(rq, text, control, t, e)) {
        free(t);
        return false;
    }
    *ret = t->principal;
    (void)memo_put(f->tokens, control ? &control_tag : &data_tag, key.p, t, free);
    return true;
}

static bool identify(struct request *rq, bool control, struct err *e)
{
    const char *header = request_header(rq, "Authorization"), *dev = rq->front->config.value[CONFIG_dev_bearer];
    struct bytes token;

    if (header == NULL && http_client_shown(rq)) {
        if (!http_client_name(rq, rq->principal.id, sizeof(rq->principal.id), e))
            return false;
        add_grant(NULL, LIT("Owner"), &rq->principal);
        return true;
    }
    if (header == NULL || strncasecmp(header, "Bearer ", 7) != 0)
        return refuse(e, "is missing");
    token = bytes_str(header + 7);
    while (token.n > 0 && token.p[0] == ' ')
        token = bytes_part(token, 1, token.n);
    if (rq->front->config.dev && dev[0] != 0 && secret_equal(token, bytes_str(dev))) {
        snprintf(rq->principal.id, sizeof(rq->principal.id), "developer");
        add_grant(NULL, LIT("Owner"), &rq->principal);
        return true;
    }
    return known_or_valid(rq, token, control, &rq->principal, e);
}

/* A scope covers a provider of that name, or all resources below a path. */
static bool covers(const char *scope, const char *what)
{
    size_t n = strlen(scope);

    return n == 0 || strcasecmp(scope, what) == 0 || (scope[0] == '/' && strncasecmp(scope, what, n) == 0 && (what[n] == '/' || what[n] == 0));
}

static bool permitted(const struct principal *p, unsigned permission, const char *scope)
{
    for (size_t i = 0; i < p->grant_count; i++)
        if ((p->grants[i].permissions & permission) != 0 && covers(p->grants[i].scope, scope))
            return true;
    return false;
}

void auth_refuse(struct request *rq, bool control, const struct err *e)
{
    const struct config *c = &rq->front->config;

    if (err_http(e->code) == 401)
        rq->authenticate = arena_printf(&rq->a, "Bearer authorization_uri=\"%s\", resource=\"%s\"", issuer_first(rq),
                                        c->value[control ? CONFIG_auth_control_audience : CONFIG_auth_audience]);
    reply_error(rq, e);
}

bool auth_check(struct request *rq, enum permission p, const char *scope)
{
    bool control = (p & ALL_CONTROL) != 0;
    struct err e = { .code = ERR_NONE };
    bool ok = identify(rq, control, &e);

    if (ok && scope != NULL && !permitted(&rq->principal, p, scope)) {
        const char *path = rq->tenant.row.subscription == NULL
            ? scope
            : arena_printf(&rq->a, "/subscriptions/%s/resourceGroups/%s/providers/Microsoft.Attestation/attestationProviders/%s",
                           rq->tenant.row.subscription, rq->tenant.row.group, rq->tenant.row.name);

        ok = (path != NULL && permitted(&rq->principal, p, path))
            || err_set(&e, ERR_UNAUTHORIZED, "principal", "'%s' has no role that allows this operation on '%s'", rq->principal.id, scope);
    }
    if (ok)
        return true;
    if (!rq->awaits_keys)
        auth_refuse(rq, control, &e);
    return false;
}

/* -- keys -- */

static bool read_keys(struct front *f, struct bytes text, const char *what, struct jwks *ret, struct err *e)
{
    const struct json *j;

    return json_parse(text, JSON_DEPTH, what, &f->auth_arena, &j, e) && jwks_read(j, what, &f->auth_arena, ret, e);
}

void auth_forget_tokens(struct front *f)
{
    memo_free(f->tokens);
    f->tokens = memo_new(4096); /* NULL finds nothing and keeps nothing */
}

bool auth_open(struct front *f, struct err *e)
{
    const char *path = f->config.value[CONFIG_auth_jwks];
    struct wire_fields answer;
    struct bytes body, file;
    struct out frame;

    arena_init(&f->auth_arena, 8 << 20);
    f->tokens = memo_new(4096);
    if (path[0] != 0 && f->config.value[CONFIG_auth_issuer][0] == 0)
        return err_set(e, ERR_USAGE, "configuration", "'auth.jwks' is '%s' but 'auth.issuer' is empty: whose keys they are must be said", path);
    frame = wire_begin(&f->auth_arena, MSG_CERTS, core_next_id(f));
    wire_put(&frame, TAG_ISSUER, LIT(LOCAL_ISSUER));
    if (f->tokens == NULL || !corelink_ask_now(f, wire_end(&frame), &f->auth_arena, &answer, e))
        return err_memory(e, "authentication");
    if (!wire_find(&answer, TAG_BODY, &body))
        return err_set(e, ERR_INTERNAL, "authentication", "core gives no keys");
    if (!read_keys(f, arena_copy(&f->auth_arena, body), "keys of the local issuer", &f->local_keys, e))
        return false;
    if (path[0] == 0)
        return true;
    return file_read(path, 1 << 20, &f->auth_arena, &file, e) && read_keys(f, file, "keys of the issuer", &f->issuer_keys, e);
}

/* arm.c: the control plane in the form of Azure Resource Manager (rest-api 11): providers of a subscription
 * and resource group, default providers, private endpoint connections. Answers are synchronous. */
#include "front/front.h"

#include "crypto/hash.h"
#include "wire/head.h"
#include "os/io.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define TYPE "Microsoft.Attestation/attestationProviders"

/* steps: subscription, resource group, provider, connection */
static const char *resource_id(struct request *rq, const char *subscription, const char *group, const char *name)
{
    return arena_printf(&rq->a, "/subscriptions/%s/resourceGroups/%s/providers/" TYPE "/%s", subscription, group, name);
}

static const char *scope_of(struct request *rq)
{
    if (rq->steps[2] != NULL)
        return resource_id(rq, rq->steps[0], rq->steps[1], rq->steps[2]);
    return rq->steps[1] != NULL ? arena_printf(&rq->a, "/subscriptions/%s/resourceGroups/%s", rq->steps[0], rq->steps[1])
                                : arena_printf(&rq->a, "/subscriptions/%s", rq->steps[0]);
}

static bool may(struct request *rq, enum permission p)
{
    const char *scope = scope_of(rq);

    return scope != NULL && auth_check(rq, p, scope);
}

static void fail(struct request *rq, const struct err *e)
{
    reply_error(rq, e);
}

/* -- documents -- */

static struct bytes connections_json(struct request *rq, const struct store_provider *p);

static struct bytes provider_json(struct request *rq, const struct store_provider *p, bool isolated)
{
    struct jobj o = jobj_open(&rq->a), props = jobj_open(&rq->a);

    jobj_text(&props, "trustModel", isolated ? "Isolated" : "AAD");
    jobj_text(&props, "status", "Ready");
    jobj_text(&props, "attestUri", tenant_url(rq->front, p->name, &rq->a));
    jobj_text(&props, "publicNetworkAccess", p->public_access ? "Enabled" : "Disabled");
    jobj_text(&props, "tpmAttestationAuthentication", p->tpm_authentication ? "Enabled" : "Disabled");
    jobj_json(&props, "privateEndpointConnections", connections_json(rq, p));
    jobj_text(&o, "id", resource_id(rq, p->subscription, p->group, p->name));
    jobj_text(&o, "name", p->name);
    jobj_text(&o, "type", TYPE);
    jobj_text(&o, "location", p->location);
    jobj_json(&o, "tags", bytes_str(p->tags));
    jobj_json(&o, "properties", jobj_print(&props, false));
    return jobj_print(&o, false);
}

/* The trust model stands in the head that the core made. */
static bool is_isolated(const struct store_provider *p)
{
    struct head h;

    return head_parse(p->head, &h, NULL) && h.isolated;
}

static struct bytes shared_json(struct request *rq)
{
    struct front *f = rq->front;
    struct jobj o = jobj_open(&rq->a), props = jobj_open(&rq->a);
    const char *name = arena_printf(&rq->a, "shared%s", f->config.value[CONFIG_service_region]);

    jobj_text(&props, "trustModel", "AAD");
    jobj_text(&props, "status", "Ready");
    jobj_text(&props, "attestUri", f->base_url);
    jobj_text(&props, "publicNetworkAccess", "Enabled");
    jobj_text(&props, "tpmAttestationAuthentication", "Enabled");
    jobj_text(&o, "id", arena_printf(&rq->a, "/providers/" TYPE "/%s", name));
    jobj_text(&o, "name", name);
    jobj_text(&o, "type", TYPE);
    jobj_text(&o, "location", f->config.value[CONFIG_service_location]);
    jobj_json(&o, "properties", jobj_print(&props, false));
    return jobj_print(&o, false);
}

static void reply_list(struct request *rq, struct jarr *list)
{
    struct jobj whole = jobj_open(&rq->a);

    jobj_json(&whole, "value", jarr_close(list));
    reply_json(rq, 200, jobj_print(&whole, false));
}

/* The provider of the path, or a reply: 404 as clients expect before they create one. */
static bool find(struct request *rq, struct store_provider *ret)
{
    struct err e = { .code = ERR_NONE };
    bool found;

    if (!store_provider_find(rq->front->store, rq->steps[2], &rq->a, ret, &found, &e)) {
        fail(rq, &e);
        return false;
    }
    if (found && strcasecmp(ret->subscription, rq->steps[0]) == 0 && strcasecmp(ret->group, rq->steps[1]) == 0)
        return true;
    (void)err_set(&e, ERR_RESOURCE_NOT_FOUND, "resource", "'" TYPE "/%.60s' in resource group '%.90s' was not found", rq->steps[2], rq->steps[1]);
    fail(rq, &e);
    return false;
}

/* -- create -- */

struct creation {
    struct store_provider row;
    struct bytes signers; /* JSON, or empty */
};

static bool enabled(const struct json *properties, const char *name, bool otherwise, bool *ret, struct err *e)
{
    const struct json *j = json_member_nocase(properties, name);

    *ret = otherwise;
    if (j == NULL || j->type == JSON_NULL)
        return true;
    *ret = j->type == JSON_STRING && bytes_equal_nocase(j->text, LIT("Enabled"));
    return *ret || (j->type == JSON_STRING && bytes_equal_nocase(j->text, LIT("Disabled")))
        || err_set(e, ERR_BAD_REQUEST, name, "is neither Enabled nor Disabled");
}

static const char *print_tags(const struct json *j, struct arena *a)
{
    struct out o = out_open(a);

    if (!json_is(j, JSON_OBJECT))
        return "{}";
    json_print(&o, j, false);
    return out_view(&o).p == NULL ? "{}" : (const char *)o.p;
}

/* ^[a-zA-Z0-9-]{3,24}$ (rest-api section 1); the name becomes a step of a host name. */
static bool check_name(const char *name, struct err *e)
{
    size_t n = strlen(name);

    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)name[i]) && name[i] != '-')
            n = 0;
    return (n >= 3 && n <= 24 && name[0] != '-' && name[n - 1] != '-')
        || err_set(e, ERR_BAD_REQUEST, "provider name", "'%.40s' must have 3 to 24 letters, digits and hyphens", name);
}

/* The host of the shared provider is looked for first: a provider of that name would never be reached, and who asked its URL
 * would be given the shared provider's tokens. */
static bool is_free(struct request *rq, struct err *e)
{
    const char *url = tenant_url(rq->front, rq->steps[2], &rq->a);

    if (url == NULL)
        return err_memory(e, "provider name");
    return strcasecmp(url, rq->front->base_url) != 0
        || err_set(e, ERR_CONFLICT, "provider", "name '%s' is taken: its URL is that of the shared provider", rq->steps[2]);
}

static bool read_creation(struct request *rq, struct creation *ret, struct err *e)
{
    const struct json *j, *properties, *signers;
    struct bytes location;

    if (!check_name(rq->steps[2], e) || !is_free(rq, e) || !json_parse(rq->body, JSON_DEPTH, "request body", &rq->a, &j, e))
        return false;
    properties = json_member_nocase(j, "properties");
    if (!json_string(json_member_nocase(j, "location"), &location) || location.n == 0)
        return err_set(e, ERR_BAD_REQUEST, "request body", "member 'location' is missing");
    ret->row = (struct store_provider){ .name = rq->steps[2], .subscription = rq->steps[0], .group = rq->steps[1],
                                        .location = arena_str(&rq->a, location), .tags = print_tags(json_member_nocase(j, "tags"), &rq->a),
                                        .created = front_now(rq->front) };
    signers = json_member_nocase(properties, "policySigningCertificates");
    if (signers != NULL && signers->type != JSON_NULL) /* whatever its form: the core reads it, or refuses */
        ret->signers = signers->raw;
    return enabled(properties, "publicNetworkAccess", true, &ret->row.public_access, e)
        && enabled(properties, "tpmAttestationAuthentication", true, &ret->row.tpm_authentication, e);
}

static void on_created(struct request *rq, const struct wire_fields *f)
{
    struct creation c;
    struct bytes head, mac;
    struct err e = { .code = ERR_NONE };

    if (core_replied_error(rq, f))
        return;
    if (!wire_find(f, TAG_HEAD, &head) || !wire_find(f, TAG_MAC, &mac)) {
        (void)err_set(&e, ERR_INTERNAL, "core", "answer has no head");
        fail(rq, &e);
        return;
    }
    if (!read_creation(rq, &c, &e)) {
        fail(rq, &e);
        return;
    }
    c.row.head = arena_copy(&rq->a, head);
    c.row.mac = arena_copy(&rq->a, mac);
    if (!store_provider_add(rq->front->store, &c.row, &e)) {
        fail(rq, &e);
        return;
    }
    reply_json(rq, 201, provider_json(rq, &c.row, is_isolated(&c.row)));
}

/* A name that lives again is another provider: its heads start anew and must not be taken for old ones. */
static void ask_for_head(struct request *rq, const struct creation *c)
{
    uint64_t id = core_next_id(rq->front);
    struct out frame = wire_begin(&rq->a, MSG_PROVIDER_NEW, id);
    uint8_t unique[8];

    random_bytes(unique, sizeof(unique));
    wire_put(&frame, TAG_NAME, bytes_str(arena_printf(&rq->a, "%s/%02x%02x%02x%02x%02x%02x%02x%02x", rq->steps[2], unique[0], unique[1], unique[2],
                                                      unique[3], unique[4], unique[5], unique[6], unique[7])));
    wire_put(&frame, TAG_ISSUER, bytes_str(tenant_url(rq->front, rq->steps[2], &rq->a)));
    if (c->signers.n > 0)
        wire_put(&frame, TAG_SIGNERS, c->signers);
    core_ask(rq, &frame, id, on_created);
}

static void update_existing(struct request *rq, struct store_provider *p, const struct creation *c)
{
    const struct store_update u = { c->row.tags, &c->row.public_access, &c->row.tpm_authentication };
    struct err e = { .code = ERR_NONE };

    if (strcasecmp(p->subscription, rq->steps[0]) != 0 || strcasecmp(p->group, rq->steps[1]) != 0)
        (void)err_set(&e, ERR_CONFLICT, "provider", "name '%s' is taken", rq->steps[2]);
    if (e.code != ERR_NONE || !store_provider_update(rq->front->store, p->name, &u, &e)) {
        fail(rq, &e);
        return;
    }
    p->tags = c->row.tags;
    p->public_access = c->row.public_access;
    p->tpm_authentication = c->row.tpm_authentication;
    reply_json(rq, 200, provider_json(rq, p, is_isolated(p)));
}

void handle_arm_put(struct request *rq)
{
    struct creation c = { 0 };
    struct store_provider existing;
    struct err e = { .code = ERR_NONE };
    bool found;

    if (!may(rq, MAY_WRITE_CONTROL))
        return;
    if (!read_creation(rq, &c, &e) || !store_provider_find(rq->front->store, rq->steps[2], &rq->a, &existing, &found, &e)) {
        fail(rq, &e);
        return;
    }
    if (found)
        update_existing(rq, &existing, &c);
    else
        ask_for_head(rq, &c);
}

/* -- read, change, delete -- */

void handle_arm_get(struct request *rq)
{
    struct store_provider p;

    if (may(rq, MAY_READ_CONTROL) && find(rq, &p))
        reply_json(rq, 200, provider_json(rq, &p, is_isolated(&p)));
}

/* The members that are there; another request may change the others at the same time. */
static bool read_patch(struct request *rq, bool flags[2], struct store_update *ret, struct err *e)
{
    static const char *const names[2] = { "publicNetworkAccess", "tpmAttestationAuthentication" };
    const bool **const to[2] = { &ret->public_access, &ret->tpm_authentication };
    const struct json *j, *properties, *tags;

    if (!json_parse(rq->body, JSON_DEPTH, "request body", &rq->a, &j, e))
        return false;
    properties = json_member_nocase(j, "properties");
    tags = json_member_nocase(j, "tags");
    if (json_is(tags, JSON_OBJECT))
        ret->tags = print_tags(tags, &rq->a);
    for (size_t i = 0; i < 2; i++) {
        const struct json *m = json_member_nocase(properties, names[i]);

        if (m == NULL || m->type == JSON_NULL)
            continue;
        if (!enabled(properties, names[i], true, &flags[i], e))
            return false;
        *to[i] = &flags[i];
    }
    return true;
}

void handle_arm_patch(struct request *rq)
{
    struct store_provider p;
    struct store_update u = { NULL };
    struct err e = { .code = ERR_NONE };
    bool flags[2];

    if (!may(rq, MAY_WRITE_CONTROL) || !find(rq, &p))
        return;
    if (!read_patch(rq, flags, &u, &e) || !store_provider_update(rq->front->store, p.name, &u, &e)) {
        fail(rq, &e);
        return;
    }
    if (find(rq, &p))
        reply_json(rq, 200, provider_json(rq, &p, is_isolated(&p)));
}

void handle_arm_delete(struct request *rq)
{
    struct store_provider p;
    struct err e = { .code = ERR_NONE };
    bool found;

    if (!may(rq, MAY_DELETE_CONTROL))
        return;
    if (!store_provider_find(rq->front->store, rq->steps[2], &rq->a, &p, &found, &e)) {
        fail(rq, &e);
        return;
    }
    if (!found || strcasecmp(p.subscription, rq->steps[0]) != 0 || strcasecmp(p.group, rq->steps[1]) != 0) {
        reply_empty(rq, 204);
        return;
    }
    if (!store_provider_delete(rq->front->store, p.name, &found, &e)) {
        fail(rq, &e);
        return;
    }
    reply_json(rq, 200, LIT(""));
}

void handle_arm_list(struct request *rq)
{
    struct jarr list = jarr_open(&rq->a);
    struct store_provider *rows;
    struct err e = { .code = ERR_NONE };
    size_t n;

    if (!may(rq, MAY_READ_CONTROL))
        return;
    if (!store_provider_list(rq->front->store, rq->steps[0], rq->steps[1], &rq->a, &rows, &n, &e)) {
        fail(rq, &e);
        return;
    }
    for (size_t i = 0; i < n; i++)
        jarr_raw(&list, provider_json(rq, &rows[i], is_isolated(&rows[i])));
    reply_list(rq, &list);
}

void handle_arm_defaults(struct request *rq)
{
    struct jarr list = jarr_open(&rq->a);

    if (!auth_check(rq, MAY_READ_CONTROL, NULL))
        return;
    jarr_raw(&list, shared_json(rq));
    reply_list(rq, &list);
}

/* Locations are compared without blanks and case: "East US 2" is "eastus2". */
static bool same_location(const char *a, const char *b)
{
    for (;; a++, b++) {
        while (*a == ' ')
            a++;
        while (*b == ' ')
            b++;
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
            return false;
        if (*a == 0)
            return true;
    }
}

void handle_arm_default(struct request *rq)
{
    struct err e = { .code = ERR_NONE };

    if (!auth_check(rq, MAY_READ_CONTROL, NULL))
        return;
    if (same_location(rq->steps[1], rq->front->config.value[CONFIG_service_location])) {
        reply_json(rq, 200, shared_json(rq));
        return;
    }
    (void)err_set(&e, ERR_RESOURCE_NOT_FOUND, "location", "'%.60s' has no default provider here; '%s' has", rq->steps[1],
                  rq->front->config.value[CONFIG_service_location]);
    fail(rq, &e);
}

void handle_arm_operations(struct request *rq)
{
    static const char *const names[] = { "attestationProviders/read", "attestationProviders/write", "attestationProviders/delete",
                                         "attestationProviders/attestation/read", "attestationProviders/attestation/write",
                                         "attestationProviders/attestation/delete" };
    struct jarr list = jarr_open(&rq->a);

    if (!auth_check(rq, MAY_READ_CONTROL, NULL))
        return;
    for (size_t i = 0; i < COUNT(names); i++) {
        struct jobj o = jobj_open(&rq->a), display = jobj_open(&rq->a);
        const char *verb = strrchr(names[i], '/') + 1;

        jobj_text(&display, "provider", "Microsoft.Attestation");
        jobj_text(&display, "resource", strstr(names[i], "/attestation/") != NULL ? "Attestation" : "Attestation Provider");
        jobj_text(&display, "operation", verb);
        jobj_text(&display, "description", arena_printf(&rq->a, "%s of %s", verb, strstr(names[i], "/attestation/") != NULL ? "policies and signers" : "providers"));
        jobj_text(&o, "name", arena_printf(&rq->a, "Microsoft.Attestation/%s", names[i]));
        jobj_json(&o, "display", jobj_print(&display, false));
        jarr_raw(&list, jobj_print(&o, false));
    }
    reply_list(rq, &list);
}

/* -- private endpoint connections -- */

static struct bytes connection_json(struct request *rq, const struct store_provider *p, const struct store_connection *c)
{
    struct jobj o = jobj_open(&rq->a);

    jobj_text(&o, "id", arena_printf(&rq->a, "%s/privateEndpointConnections/%s", resource_id(rq, p->subscription, p->group, p->name), c->name));
    jobj_text(&o, "name", c->name);
    jobj_text(&o, "type", TYPE "/privateEndpointConnections");
    jobj_json(&o, "properties", bytes_str(c->properties));
    return jobj_print(&o, false);
}

static struct bytes connections_json(struct request *rq, const struct store_provider *p)
{
    struct jarr list = jarr_open(&rq->a);
    struct store_connection *rows;
    size_t n;

    if (store_connection_list(rq->front->store, p->name, NULL, &rq->a, &rows, &n, NULL))
        for (size_t i = 0; i < n; i++)
            jarr_raw(&list, connection_json(rq, p, &rows[i]));
    return jarr_close(&list);
}

void handle_arm_connections(struct request *rq)
{
    struct store_provider p;
    struct jobj whole = jobj_open(&rq->a);

    if (!may(rq, MAY_READ_CONTROL) || !find(rq, &p))
        return;
    jobj_json(&whole, "value", connections_json(rq, &p));
    reply_json(rq, 200, jobj_print(&whole, false));
}

void handle_arm_connection_get(struct request *rq)
{
    struct store_provider p;
    struct store_connection *rows;
    struct err e = { .code = ERR_NONE };
    size_t n;

    if (!may(rq, MAY_READ_CONTROL) || !find(rq, &p))
        return;
    if (!store_connection_list(rq->front->store, p.name, rq->steps[3], &rq->a, &rows, &n, &e))
        fail(rq, &e);
    else if (n == 1)
        reply_json(rq, 200, connection_json(rq, &p, rows));
    else {
        (void)err_set(&e, ERR_RESOURCE_NOT_FOUND, "resource", "private endpoint connection '%.60s' was not found", rq->steps[3]);
        fail(rq, &e);
    }
}

void handle_arm_connection_put(struct request *rq)
{
    struct store_provider p;
    struct store_connection c = { .name = rq->steps[3] };
    struct jobj props = jobj_open(&rq->a);
    const struct json *j, *state;
    struct err e = { .code = ERR_NONE };

    if (!may(rq, MAY_WRITE_CONTROL) || !find(rq, &p))
        return;
    if (json_parse(rq->body, JSON_DEPTH, "request body", &rq->a, &j, &e)) {
        state = json_member_nocase(json_member_nocase(j, "properties"), "privateLinkServiceConnectionState");
        if (state == NULL || state->type != JSON_OBJECT)
            (void)err_set(&e, ERR_BAD_REQUEST, "request body", "member 'properties.privateLinkServiceConnectionState' is missing");
        else
            jobj_json(&props, "privateLinkServiceConnectionState", state->raw);
        jobj_text(&props, "provisioningState", "Succeeded");
        c.properties = arena_str(&rq->a, jobj_print(&props, false));
    }
    if (e.code != ERR_NONE || c.properties == NULL || !store_connection_put(rq->front->store, p.name, &c, &e)) {
        fail(rq, &e);
        return;
    }
    reply_json(rq, 200, connection_json(rq, &p, &c));
}

void handle_arm_connection_delete(struct request *rq)
{
    struct store_provider p;
    struct err e = { .code = ERR_NONE };
    bool found = false;

    if (!may(rq, MAY_DELETE_CONTROL) || !find(rq, &p))
        return;
    if (!store_connection_delete(rq->front->store, p.name, rq->steps[3], &found, &e))
        fail(rq, &e);
    else if (found)
        reply_json(rq, 200, LIT(""));
    else
        reply_empty(rq, 204);
}

void handle_arm_links(struct request *rq)
{
    struct store_provider p;

    if (may(rq, MAY_READ_CONTROL) && find(rq, &p))
        reply_json(rq, 200, LIT("{\"value\":[{\"properties\":{\"groupId\":\"standard\",\"requiredMembers\":[],\"requiredZoneNames\":[]}}]}"));
}

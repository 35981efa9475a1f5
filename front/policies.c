/* policies.c: the data plane beside attestation: policies, policy signing certificates, baselines, audit
 * records. The core decides and signs; here the answer is stored before it is given. */
#include "front/front.h"

#include "codec/b64.h"
#include "wire/head.h"
#include "os/io.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* Types that have a policy (rest-api 1.4), with their spelling of record. */
static const char *const types[] = { "SgxEnclave", "OpenEnclave", "SevSnpVm", "Tpm", "AzureGuest", "TdxVm", "Pluton", "KeyGuard", "MdepTz", "AiHsm" };

static const struct {
    const char *alias, *type;
} aliases[] = { { "VbsEnclave", "Tpm" }, { "Vbs", "Tpm" }, { "AzureVM", "AzureGuest" }, { "CVM", "AzureGuest" } };

static const char *policy_type(struct request *rq)
{
    const char *name = rq->steps[0];
    struct err e = { .code = ERR_NONE };

    for (size_t i = 0; i < COUNT(aliases); i++)
        if (strcasecmp(name, aliases[i].alias) == 0)
            name = aliases[i].type;
    for (size_t i = 0; i < COUNT(types); i++)
        if (strcasecmp(name, types[i]) == 0)
            return types[i];
    (void)err_set(&e, ERR_BAD_REQUEST, "attestation type", "'%.40s' is not known", rq->steps[0]);
    reply_error(rq, &e);
    return NULL;
}

/* Reads may be done by any valid caller on the shared provider, writes by nobody. */
static bool may(struct request *rq, enum permission p)
{
    struct err e = { .code = ERR_NONE };

    if (!rq->tenant.shared)
        return auth_check(rq, p, rq->tenant.row.name);
    if (!auth_check(rq, p, NULL))
        return false;
    if (p == MAY_READ_DATA)
        return true;
    (void)err_set(&e, ERR_UNAUTHORIZED, "provider", "a shared provider cannot be changed; create one of your own");
    auth_refuse(rq, false, &e);
    return false;
}

static void on_token(struct request *rq, const struct wire_fields *f)
{
    struct bytes token;
    struct err e = { .code = ERR_NONE };

    if (core_replied_error(rq, f))
        return;
    if (wire_find(f, TAG_BODY, &token)) {
        reply_json(rq, 200, api_token(token, &rq->a));
        return;
    }
    (void)err_set(&e, ERR_INTERNAL, "core", "answer has no token");
    reply_error(rq, &e);
}

/* The new head takes the place of the one that was sent to the core; then the answer is given. */
static void on_change(struct request *rq, const struct wire_fields *f)
{
    struct bytes head, mac, jws = { NULL, 0 }, version_mac = { NULL, 0 };
    struct store_policy row = { .type = rq->steps[0], .who = rq->principal.id, .when = front_now(rq->front) };
    struct head h;
    struct err e = { .code = ERR_NONE };
    bool policy = rq->steps[0] != NULL;

    if (core_replied_error(rq, f))
        return;
    if (!wire_find(f, TAG_HEAD, &head) || !wire_find(f, TAG_MAC, &mac) || !head_parse(head, &h, &e)) {
        (void)err_set(&e, ERR_INTERNAL, "core", "answer has no head");
        reply_error(rq, &e);
        return;
    }
    (void)wire_find(f, TAG_POLICY_JWS, &jws);
    row.version = (int64_t)h.version;
    row.jws = jws;
    (void)wire_find(f, TAG_VERSION_MAC, &version_mac);
    row.mac = version_mac;
    if (!store_change(rq->front->store, rq->tenant.row.name, rq->tenant.row.head, head, mac, policy ? &row : NULL, &e)) {
        reply_error(rq, &e);
        return;
    }
    on_token(rq, f);
}

/* A parcel about the provider; false: replied already. */
static bool begin(struct request *rq, enum wire_message message, const char *type, struct out *ret_frame, uint64_t *ret_id)
{
    struct err e = { .code = ERR_NONE };

    *ret_id = core_next_id(rq->front);
    *ret_frame = wire_begin(&rq->a, message, *ret_id);
    if (!tenant_put(rq, type, ret_frame, &e)) {
        reply_error(rq, &e);
        return false;
    }
    if (type != NULL)
        wire_put(ret_frame, TAG_KIND, bytes_str(type));
    wire_put(ret_frame, TAG_ALG, bytes_str(rq->front->config.value[CONFIG_token_algorithm]));
    return true;
}

void handle_policy_get(struct request *rq)
{
    const char *type = policy_type(rq);
    struct out frame;
    uint64_t id;

    if (type != NULL && may(rq, MAY_READ_DATA) && begin(rq, MSG_POLICY_GET, type, &frame, &id))
        core_ask(rq, &frame, id, on_token);
}

/* Clients also send bare text in AAD providers: it is wrapped as their own tools would. */
static struct bytes as_jws(struct request *rq)
{
    struct bytes b = rq->body;
    struct jobj body = jobj_open(&rq->a);
    struct out o = out_open(&rq->a);

    while (b.n > 0 && (b.p[0] == ' ' || b.p[0] == '\n' || b.p[0] == '\r' || b.p[0] == '\t'))
        b = bytes_part(b, 1, b.n);
    if (!bytes_equal_nocase(bytes_part(b, 0, 7), LIT("version")))
        return rq->body;
    jobj_b64url(&body, "AttestationPolicy", rq->body);
    b64url_print(&o, LIT("{\"alg\":\"none\"}"));
    out_char(&o, '.');
    b64url_print(&o, jobj_print(&body, false));
    out_char(&o, '.');
    return out_view(&o);
}

/* `old`: the stored row that is set anew, or NULL. */
static void change_policy(struct request *rq, enum permission p, enum wire_message message, struct bytes jws, const struct store_policy *old)
{
    const char *type = policy_type(rq);
    struct out frame;
    uint64_t id;

    if (type == NULL || !may(rq, p) || !begin(rq, message, type, &frame, &id))
        return;
    rq->steps[0] = type;
    wire_put(&frame, TAG_JWS, jws);
    if (old != NULL) {
        wire_put_i64(&frame, TAG_VERSION, old->version);
        wire_put(&frame, TAG_VERSION_MAC, old->mac);
    }
    core_ask(rq, &frame, id, on_change);
}

void handle_policy_put(struct request *rq)
{
    change_policy(rq, MAY_WRITE_DATA, MSG_POLICY_SET, as_jws(rq), NULL);
}

void handle_policy_reset(struct request *rq)
{
    change_policy(rq, MAY_DELETE_DATA, MSG_POLICY_RESET, rq->body, NULL);
}

/* -- history -- */

void handle_policy_history(struct request *rq)
{
    const char *type = policy_type(rq);
    struct jarr list = jarr_open(&rq->a);
    struct jobj whole = jobj_open(&rq->a);
    struct store_policy *rows = NULL;
    struct err e = { .code = ERR_NONE };
    size_t n = 0;

    if (type == NULL || !may(rq, MAY_READ_DATA))
        return;
    if (!rq->tenant.shared && !store_policy_history(rq->front->store, rq->tenant.row.name, type, 0, &rq->a, &rows, &n, &e)) {
        reply_error(rq, &e);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        struct jobj o = jobj_open(&rq->a);

        jobj_int(&o, "version", rows[i].version);
        jobj_int(&o, "time", rows[i].when);
        jobj_text(&o, "by", rows[i].who);
        jobj_text(&o, "result", rows[i].jws.n > 0 ? "Updated" : "Removed");
        if (rows[i].jws.n > 0)
            jobj_str(&o, "policy", rows[i].jws);
        jarr_raw(&list, jobj_print(&o, false));
    }
    jobj_json(&whole, "versions", jarr_close(&list));
    reply_json(rq, 200, jobj_print(&whole, false));
}

/* An older version is set anew, as if its author sent it again: the same checks, a new version. That the row is what its
 * author sent, the core's MAC beside it shows. */
void handle_policy_rollback(struct request *rq)
{
    const char *type = policy_type(rq), *version = request_query(rq, "version");
    struct store_policy *row = NULL;
    struct err e = { .code = ERR_NONE };
    size_t n = 0;

    if (type == NULL || !may(rq, MAY_WRITE_DATA))
        return;
    if (version == NULL || strtoll(version, NULL, 10) <= 0)
        (void)err_set(&e, ERR_BAD_REQUEST, "version", "query parameter 'version' is missing; /policies/%s/history lists them", type);
    else if (!store_policy_history(rq->front->store, rq->tenant.row.name, type, strtoll(version, NULL, 10), &rq->a, &row, &n, &e))
        ;
    else if (n != 1 || row->jws.n == 0)
        (void)err_set(&e, ERR_BAD_REQUEST, "version", "the %s policy has no version %.20s that can be set again", type, version);
    else if (row->mac.n == 0)
        (void)err_set(&e, ERR_INVALID_OPERATION, "version",
                      "version %.20s of the %s policy was stored without a MAC, as older releases did, so nothing shows that it is what was "
                      "set then; send the policy itself instead", version, type);
    if (e.code != ERR_NONE) {
        reply_error(rq, &e);
        return;
    }
    change_policy(rq, MAY_WRITE_DATA, MSG_POLICY_ROLLBACK, row->jws, row);
}

/* -- policy signing certificates -- */

void handle_signers_get(struct request *rq)
{
    struct out frame;
    uint64_t id;

    if (may(rq, MAY_READ_DATA) && begin(rq, MSG_SIGNERS_GET, NULL, &frame, &id))
        core_ask(rq, &frame, id, on_token);
}

/* A JSON string, an object with the member of newer versions, or the bare JWS: the first character tells. */
static bool signer_request(struct request *rq, const char *member, struct bytes *ret, struct err *e)
{
    struct bytes b = rq->body;
    const struct json *j;

    while (b.n > 0 && (b.p[0] == ' ' || b.p[0] == '\n' || b.p[0] == '\r' || b.p[0] == '\t'))
        b = bytes_part(b, 1, b.n);
    *ret = b;
    if (b.n == 0 || (b.p[0] != '{' && b.p[0] != '"'))
        return true;
    if (!json_parse(b, JSON_DEPTH, "request body", &rq->a, &j, e))
        return false;
    return json_string(j->type == JSON_STRING ? j : json_member_nocase(j, member), ret)
        || err_set(e, ERR_BAD_REQUEST, "request body", "member '%s' is missing or no string", member);
}

static void change_signers(struct request *rq, enum permission p, const char *member, bool add)
{
    struct err e = { .code = ERR_NONE };
    struct bytes jws;
    struct out frame;
    uint64_t id;

    if (!may(rq, p))
        return;
    if (!signer_request(rq, member, &jws, &e)) {
        reply_error(rq, &e);
        return;
    }
    if (!begin(rq, MSG_SIGNERS_CHANGE, NULL, &frame, &id))
        return;
    wire_put(&frame, TAG_JWS, jws);
    if (add)
        wire_put(&frame, TAG_ADD, (struct bytes){ NULL, 0 });
    core_ask(rq, &frame, id, on_change);
}

void handle_signers_add(struct request *rq)
{
    change_signers(rq, MAY_WRITE_DATA, "policyCertificateToAdd", true);
}

void handle_signers_remove(struct request *rq)
{
    change_signers(rq, MAY_DELETE_DATA, "policyCertificateToRemove", false);
}

/* -- TCB baselines (rest-api 8.1) -- */

static const struct baseline {
    int number;
    const char *released, *psw_linux, *psw_windows;
} baselines[] = {
    { 15, "2023-02-14T00:00:00", "2.17", "2.16" },           { 14, "2022-11-08T00:00:00", "2.17", "2.16" },
    { 13, "2022-08-09T00:00:00", "2.17", "2.16" },           { 12, "2021-11-10T00:00:00", "2.13.3", "2.13.100.2" },
    { 11, "2021-06-08T00:00:00", "2.13.3", "2.13.100.2" },   { 10, "2020-11-11T00:00:00", "2.9", "2.7.101.2" },
};

static struct bytes baseline_json(const struct baseline *b, bool selected, struct arena *a)
{
    struct jobj o = jobj_open(a);

    jobj_bool(&o, "isSelectedTcb", selected);
    jobj_text(&o, "minimumPswLinuxVersion", b->psw_linux);
    jobj_text(&o, "minimumPswWindowsVersion", b->psw_windows);
    jobj_int(&o, "tcbEvaluationDataNumber", b->number);
    jobj_text(&o, "tcbIdentifier", arena_printf(a, "%d", b->number));
    jobj_text(&o, "tcbReleaseDate", b->released);
    return jobj_print(&o, false);
}

/* The baseline of the policy in force: the core says which, for it alone opens policies. */
static void on_policy_for_baselines(struct request *rq, const struct wire_fields *f)
{
    const char *wanted = request_query(rq, "provideCurrentTcbInPolicy");
    bool only_selected = wanted != NULL && strcasecmp(wanted, "true") == 0;
    struct jarr list = jarr_open(&rq->a);
    struct jobj whole = jobj_open(&rq->a);
    uint32_t selected = wire_u32(f, TAG_EVAL_NUMBER, 0);

    if (core_replied_error(rq, f))
        return;
    if (selected == 0)
        selected = rq->front->settings.tcb_eval_number == 0 ? 10 : (uint32_t)rq->front->settings.tcb_eval_number;
    for (size_t i = 0; i < COUNT(baselines); i++)
        if (!only_selected || baselines[i].number == (int)selected)
            jarr_raw(&list, baseline_json(&baselines[i], baselines[i].number == (int)selected, &rq->a));
    jobj_json(&whole, "tcbBaselines", jarr_close(&list));
    reply_json(rq, 200, jobj_print(&whole, false));
}

void handle_baselines(struct request *rq)
{
    const char *type = policy_type(rq);
    struct out frame;
    uint64_t id;

    if (type == NULL || !may(rq, MAY_READ_DATA))
        return;
    if (strcmp(type, "SgxEnclave") != 0 && strcmp(type, "OpenEnclave") != 0) {
        reply_json(rq, 200, LIT("{\"tcbBaselines\":[]}"));
        return;
    }
    if (begin(rq, MSG_POLICY_GET, type, &frame, &id))
        core_ask(rq, &frame, id, on_policy_for_baselines);
}

/* -- audit records of a tenant -- */

/* The records of the shared provider are for who may read everywhere: no provider has a name that begins with a
 * slash, so no role for a single one covers them. */
void handle_audit(struct request *rq)
{
    const char *after = request_query(rq, "after"), *limit = request_query(rq, "limit");
    int64_t most = limit == NULL ? 100 : strtoll(limit, NULL, 10), *ids;
    struct jarr list = jarr_open(&rq->a);
    struct jobj whole = jobj_open(&rq->a);
    struct bytes *records;
    struct err e = { .code = ERR_NONE };
    size_t n;

    if (!auth_check(rq, MAY_READ_DATA, rq->tenant.shared ? "/shared" : rq->tenant.row.name))
        return;
    audit_flush(rq->front);
    if (!store_audit_list(rq->front->store, rq->tenant.shared ? "" : rq->tenant.row.name, after == NULL ? 0 : strtoll(after, NULL, 10),
                          most < 1 || most > 1000 ? 1000 : most, &rq->a, &records, &ids, &n, &e)) {
        reply_error(rq, &e);
        return;
    }
    for (size_t i = 0; i < n; i++)
        jarr_raw(&list, records[i]);
    jobj_json(&whole, "records", jarr_close(&list));
    jobj_int(&whole, "next", n == 0 ? (after == NULL ? 0 : strtoll(after, NULL, 10)) : ids[n - 1]);
    reply_json(rq, 200, jobj_print(&whole, false));
}

/* collateral.c: see collateral.h. */
#include "evidence/collateral.h"

#include "base/cur.h"
#include "codec/hex.h"
#include "codec/json.h"
#include "codec/stamp.h"
#include "crypto/cert.h"

struct collateral collateral_open(struct arena *a)
{
    return (struct collateral){ .a = a };
}

const char *collateral_kind_name(enum collateral_kind kind)
{
    static const char *const names[] = { "TCB info", "QE identity", "TCB evaluation numbers", "CRL", "certificates" };

    return names[kind];
}

void collateral_digest(const struct collateral_item *item, uint8_t to[32])
{
    struct digest d;

    if (item->has_digest) {
        memcpy(to, item->digest, 32);
        return;
    }
    d = sha256(item->body);
    memcpy(to, d.p, 32);
}

static void read_dates(const struct json *body, struct collateral_item *item)
{
    struct bytes text;

    if (json_string(json_member(body, "issueDate"), &text))
        (void)stamp_parse(text, &item->from);
    if (json_string(json_member(body, "nextUpdate"), &text))
        (void)stamp_parse(text, &item->to);
    (void)json_int(json_member(body, "version"), &item->version);
    (void)json_int(json_member(body, "tcbEvaluationDataNumber"), &item->eval_number);
    (void)json_string(json_member(body, "id"), &item->id);
}

static bool recognise_json(struct collateral *c, struct collateral_item *item, const char *name, struct err *e)
{
    const struct json *doc, *body;
    struct bytes fmspc;

    if (!json_parse(item->body, JSON_DEPTH, name, c->a, &doc, e)) {
        if (e != NULL && e->code == ERR_JSON_SYNTAX)
            e->code = ERR_COLLATERAL_FORMAT;
        return false;
    }
    if ((body = json_member(doc, "tcbInfo")) != NULL) {
        item->kind = COLL_TCB_INFO;
        read_dates(body, item);
        if (item->id.n == 0)
            item->id = LIT("SGX"); /* version 2 has no id */
        if (json_string(json_member(body, "fmspc"), &fmspc))
            (void)hex_decode_exact(fmspc, item->fmspc, sizeof(item->fmspc));
        return true;
    }
    if ((body = json_member(doc, "enclaveIdentity")) != NULL) {
        item->kind = COLL_QE_IDENTITY;
        read_dates(body, item);
        return true;
    }
    if ((body = json_member(doc, "tcbEvaluationDataNumbers")) != NULL) {
        item->kind = COLL_EVAL_NUMBERS;
        read_dates(body, item);
        return true;
    }
    return err_set(e, ERR_COLLATERAL_FORMAT, name, "JSON is neither tcbInfo nor enclaveIdentity nor evaluation numbers");
}

static bool recognise(struct collateral *c, struct collateral_item *item, const char *name, struct err *e)
{
    struct bytes start = item->body;
    struct err as_crl = { .code = ERR_NONE }, as_cert = { .code = ERR_NONE };
    struct crl crl;
    struct cert *certs;
    size_t count;

    while (start.n > 0 && (start.p[0] == ' ' || start.p[0] == '\n' || start.p[0] == '\r' || start.p[0] == '\t'))
        start = bytes_part(start, 1, start.n - 1);
    if (start.n > 0 && start.p[0] == '{')
        return recognise_json(c, item, name, e);
    if (!bytes_contain(item->body, LIT("-----BEGIN CERTIFICATE")) && crl_read(item->body, name, c->a, &crl, &as_crl)) {
        item->kind = COLL_CRL;
        item->from = crl.this_update;
        item->to = crl.has_next_update ? crl.next_update : INT64_MAX;
        item->issuer_cn = name_attribute(crl.issuer, LIT("\x55\x04\x03"));
        return true;
    }
    if (certs_read(item->body, 16, name, c->a, &certs, &count, &as_cert)) {
        item->kind = COLL_CERTS;
        item->from = certs[0].not_before;
        item->to = certs[0].not_after;
        item->issuer_cn = certs[0].issuer_cn;
        item->subject_cn = certs[0].subject_cn;
        return true;
    }
    return err_set(e, ERR_COLLATERAL_FORMAT, name, "neither collateral JSON nor CRL nor certificate");
}

static bool push(struct collateral *c, const struct collateral_item *item)
{
    if (c->count == c->room) {
        size_t room = c->room == 0 ? 16 : c->room * 2;
        struct collateral_item *list = arena_many(c->a, room, struct collateral_item);

        if (list == NULL)
            return false;
        if (c->count > 0)
            memcpy(list, c->list, c->count * sizeof(*list));
        c->list = list;
        c->room = room;
    }
    c->list[c->count++] = *item;
    return true;
}

bool collateral_join(struct collateral *c, const struct collateral *from)
{
    for (size_t i = 0; i < from->count; i++)
        if (!push(c, &from->list[i]))
            return false;
    return true;
}

static bool add_one(struct collateral *c, struct bytes body, const char *name, struct err *e)
{
    struct collateral_item item = { .body = body };

    if (!recognise(c, &item, name, e))
        return false;
    return push(c, &item) || err_memory(e, name);
}

/* Endorsements as Open Enclave stores them: a table of nine offsets, then the items (evidence-sgx 7.4). */
static bool add_endorsements(struct collateral *c, struct bytes body, const char *name, struct err *e)
{
    enum { ITEMS = 9, FIRST = 1, LAST = 7 };
    struct cur in = cur_open(body);
    uint32_t size, count, at[ITEMS + 1];
    struct bytes data;

    cur_skip(&in, 8, "version, enclave type");
    size = cur_u32le(&in, "buffer size");
    count = cur_u32le(&in, "count");
    for (size_t i = 0; i < ITEMS; i++)
        at[i] = cur_u32le(&in, "offset");
    size = size < 4 * ITEMS ? 0 : size - 4 * ITEMS; /* the buffer begins with the table of offsets */
    data = cur_take(&in, size, "endorsements");
    if (!cur_close(&in, ERR_COLLATERAL_FORMAT, name, e))
        return false;
    if (count != ITEMS)
        return err_set(e, ERR_COLLATERAL_FORMAT, name, "endorsements have %u items, %d are expected", count, ITEMS);
    at[ITEMS] = size;
    for (size_t i = FIRST; i <= LAST; i++) {
        struct bytes item;

        if (at[i] > at[i + 1] || at[i + 1] > size)
            return err_set(e, ERR_COLLATERAL_FORMAT, name, "offset of item %zu is %u, the next is %u of %u", i, at[i], at[i + 1], size);
        item = bytes_part(data, at[i], at[i + 1] - at[i]);
        while (item.n > 0 && item.p[item.n - 1] == 0 && item.p[0] != 0x30)
            item.n--; /* texts end in NUL; a DER item tells its own length */
        if (!add_one(c, item, name, e))
            return false;
    }
    return true;
}

bool collateral_add(struct collateral *c, struct bytes body, const char *name, struct err *e)
{
    static const uint8_t endorsements[8] = { 1, 0, 0, 0, 2, 0, 0, 0 };

    if (bytes_equal(bytes_part(body, 0, sizeof(endorsements)), BYTES(endorsements)))
        return add_endorsements(c, body, name, e);
    return add_one(c, body, name, e);
}

struct needs needs_open(struct arena *a)
{
    return (struct needs){ .a = a };
}

bool needs_add(struct needs *n, enum collateral_kind kind, const char *key, bool optional)
{
    if (key == NULL)
        return false;
    if (n->count == n->room) {
        size_t room = n->room == 0 ? 8 : n->room * 2;
        struct need *list = arena_many(n->a, room, struct need);

        if (list == NULL)
            return false;
        if (n->count > 0)
            memcpy(list, n->list, n->count * sizeof(*list));
        n->list = list;
        n->room = room;
    }
    n->list[n->count++] = (struct need){ .kind = kind, .key = key, .optional = optional };
    return true;
}

/* collateral_folder.c: the folders that the operator configured, and what goes to the core with the evidence. */
#include "front/collateral_priv.h"

#include "os/io.h"

/* -- the folders -- */

bool front_load_collateral(struct front *f, struct err *e)
{
    const char *folder = f->config.value[CONFIG_collateral_directory];
    const struct named_bytes *files;
    size_t count;

    f->collateral = collateral_open(&f->own);
    if (folder[0] == 0)
        return true;
    if (!folder_read(folder, 4 << 20, &f->own, &files, &count, e))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct err why = { .code = ERR_NONE };

        if (!collateral_add(&f->collateral, files[i].body, files[i].name, &why))
            log_error("front", &why);
    }
    return true;
}

bool folder_load_trust(struct front *f, struct err *e)
{
    const char *folder = f->config.value[CONFIG_verify_trust];
    const struct named_bytes *files;
    size_t count;

    return folder[0] == 0
        || (folder_read(folder, TRUST_MAX_FILE, &f->own, &files, &count, e) && trust_add(&f->trust, files, count, &f->own, e));
}

bool folder_has(const struct front *f, const struct need_key *k, int64_t oldest)
{
    int64_t now = front_now(f);

    for (size_t i = 0; i < f->collateral.count; i++) {
        const struct collateral_item *c = &f->collateral.list[i];

        if (need_key_serves(k, c) && c->from <= now && now <= c->to && c->from >= oldest)
            return true;
    }
    return false;
}

bool folder_had(const struct front *f, const struct need_key *k)
{
    for (size_t i = 0; i < f->collateral.count; i++)
        if (need_key_serves(k, &f->collateral.list[i]))
            return true;
    return false;
}

/* -- the parcel -- */

struct parcel {
    struct out *frame;
    struct bytes put[64]; /* signing chains come with several items; one copy is enough */
    size_t count;
};

static void put_once(struct parcel *p, enum wire_tag tag, struct bytes body)
{
    for (size_t i = 0; i < p->count; i++)
        if (bytes_equal(p->put[i], body))
            return;
    if (p->count < COUNT(p->put))
        p->put[p->count++] = body;
    wire_put(p->frame, tag, body);
}

/* What the collateral process gave for these needs. */
static void put_entries(struct parcel *p, const struct front *f, const struct needs *n, bool aside)
{
    for (size_t i = 0; i < n->count; i++) {
        const struct entry *x = entry_find(f->collateral_link, n->list[i].key);

        for (size_t k = 0; n->list[i].aside == aside && x != NULL && k < x->count; k++)
            put_once(p, aside ? TAG_COLLATERAL_ASIDE : TAG_COLLATERAL, x->bodies[k]);
    }
}

void front_attach_collateral(const struct front *f, const struct needs *n, struct out *frame)
{
    struct parcel p = { .frame = frame };
    struct need_key keys[MAX_NEEDS];
    size_t count = 0;

    put_entries(&p, f, n, false);
    for (size_t i = 0; i < n->count && count < MAX_NEEDS; i++)
        count += need_key_parse(bytes_str(n->list[i].key), &keys[count], NULL);
    for (size_t i = 0; i < f->collateral.count; i++) {
        const struct collateral_item *item = &f->collateral.list[i];
        /* signing chains are few, and the core chooses; leaves of AMD's chips may be many */
        bool wanted = item->kind == COLL_CERTS && !bytes_is(item->subject_cn, "SEV-VCEK");

        /* nothing is fetched for the keys of TPMs, and nobody knows their issuers beforehand: all that revokes counts */
        wanted |= item->kind == COLL_CRL && n->count == 0;
        for (size_t k = 0; !wanted && k < count; k++)
            wanted = need_key_serves(&keys[k], item);
        if (wanted)
            put_once(&p, TAG_COLLATERAL, item->body);
    }
    put_entries(&p, f, n, true); /* behind the rest: what is the same is not aside */
}

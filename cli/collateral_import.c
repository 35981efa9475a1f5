/* collateral_import.c: avouch collateral import: bundles, and files as vendors give them, into the cache.
 *
 * A file is known by its content. It is verified like the answer of a source, with the certificates of all files of the
 * same call, of --chain, and of files beside it. One that is not taken is named with its reason; the others are taken. */
#include "cli/collateral_priv.h"

#include "base/out.h"
#include "codec/pem.h"
#include "evidence/needkey.h"
#include "evidence/sgx/sgx.h"
#include "os/io.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { MAX_FILE = 4 << 20, MAX_DEPTH = 8, MAX_CHAIN = 8 };

/* Something that a file holds and that may have a key. */
struct piece {
    const char *file;
    struct collateral_item item;
    const struct cert *cert; /* of COLL_CERTS: one of those in the file */
};

struct importing {
    struct collateral_args *c;
    struct engine *x;
    struct piece *pieces;
    size_t count, room;
    const struct cert **issuers; /* certificates that verify others */
    size_t issuer_count, issuer_room;
    struct jarr refusals;
    size_t kept, refused;
    bool no_memory;
};

static void refuse(struct importing *im, const char *file, const struct err *e)
{
    struct jobj o = jobj_open(&im->c->a);

    im->refused++;
    fprintf(stderr, "avouch: %s: not taken: %s: %s\n", file, e->what, e->why);
    jobj_text(&o, "file", file);
    jobj_text(&o, "error", err_name(e->code));
    jobj_text(&o, "reason", e->why);
    jarr_raw(&im->refusals, jobj_print(&o, false));
}

/* Twice the room, with what is there. NULL: no memory. */
static void *grow(struct importing *im, const void *list, size_t size, size_t count, size_t *room)
{
    size_t n = *room == 0 ? 64 : *room * 2;
    void *to = arena_alloc(&im->c->a, n * size);

    if (to == NULL) {
        im->no_memory = true;
        return NULL;
    }
    if (count > 0)
        memcpy(to, list, count * size);
    *room = n;
    return to;
}

static void add_piece(struct importing *im, struct piece p)
{
    struct piece *list = im->count < im->room ? im->pieces : grow(im, im->pieces, sizeof(*list), im->count, &im->room);

    if (list == NULL)
        return;
    im->pieces = list;
    im->pieces[im->count++] = p;
}

static void add_issuer(struct importing *im, const struct cert *c)
{
    const struct cert **list = im->issuer_count < im->issuer_room ? im->issuers
                                                                  : grow(im, im->issuers, sizeof(*list), im->issuer_count, &im->issuer_room);

    if (list == NULL)
        return;
    im->issuers = list;
    im->issuers[im->issuer_count++] = c;
}

/* -- bundles -- */

static void import_bundle(struct importing *im, const char *path, struct bytes file)
{
    struct record *list;
    struct err e = { .code = ERR_NONE };
    size_t count;
    bool newer;

    if (!bundle_parse(file, &im->c->a, &list, &count, &e)) {
        refuse(im, path, &e);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        e = (struct err){ .code = ERR_NONE };
        if (engine_import(im->x, &list[i], false, &newer, &e))
            im->kept++;
        else
            refuse(im, arena_printf(&im->c->a, "%s: %.*s", path, (int)list[i].key.n, (const char *)list[i].key.p), &e);
    }
}

/* -- files -- */

/* A leaf of a platform verifies nobody. */
static bool may_issue(const struct cert *c)
{
    return c->ca || cert_self_issued(c) || bytes_contain(c->subject_cn, LIT("SGX TCB Signing"));
}

static bool read_certificates(struct importing *im, const char *path, const struct collateral_item *item, bool only_issuers, struct err *e)
{
    struct cert *list;
    size_t n;

    if (!certs_read(item->body, 16, path, &im->c->a, &list, &n, e))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (may_issue(&list[i]))
            add_issuer(im, &list[i]);
        if (!only_issuers)
            add_piece(im, (struct piece){ .file = path, .item = *item, .cert = &list[i] });
    }
    return true;
}

static bool read_items(struct importing *im, const char *path, struct bytes body, struct err *e)
{
    struct collateral found = collateral_open(&im->c->a);

    if (body.n > MAX_FILE)
        return err_set(e, ERR_TOO_LARGE, "file", "has %zu bytes, at most %d are read", body.n, MAX_FILE);
    if (!collateral_add(&found, body, "file", e))
        return false;
    for (size_t i = 0; i < found.count; i++) {
        if (found.list[i].kind != COLL_CERTS)
            add_piece(im, (struct piece){ .file = path, .item = found.list[i] });
        else if (!read_certificates(im, path, &found.list[i], false, e))
            return false;
    }
    return true;
}

static void import_file(struct importing *im, const char *path)
{
    struct bytes body;
    struct err e = { .code = ERR_NONE };

    if (!file_read(path, BUNDLE_MAX_SIZE, &im->c->a, &body, &e)) {
        refuse(im, path, &e);
        return;
    }
    if (bundle_is(body))
        import_bundle(im, path, body);
    else if (!read_items(im, path, body, &e))
        refuse(im, path, &e);
}

/* Certificates alone; false after a message: the caller named this file. */
static bool import_chain(struct importing *im, const char *path)
{
    struct collateral_item item = { .kind = COLL_CERTS };
    struct err e = { .code = ERR_NONE };

    if (file_read(path, MAX_FILE, &im->c->a, &item.body, &e) && read_certificates(im, path, &item, true, &e))
        return true;
    (void)cli_error(&e);
    return false;
}

/* tcb.json has its issuer chain in tcb.pem, tcb.chain or tcb.json.chain: the same name up to its first dot. */
static void look_beside(struct importing *im, const char *path)
{
    struct arena *a = &im->c->a;
    const char *slash = strrchr(path, '/'), *own = slash == NULL ? path : slash + 1,
               *folder = slash == NULL ? "." : slash == path ? "/" : arena_str(a, bytes_of(path, (size_t)(slash - path))), *const *names;
    size_t stem = strcspn(own, "."), count;

    if (folder == NULL || !folder_list(folder, a, &names, &count, NULL))
        return;
    for (size_t i = 0; i < count; i++) {
        struct collateral_item item = { .kind = COLL_CERTS };

        if (strcmp(names[i], own) == 0 || strncmp(names[i], own, stem) != 0 || (names[i][stem] != '.' && names[i][stem] != 0))
            continue;
        if (file_read(arena_printf(a, "%s/%s", folder, names[i]), MAX_FILE, a, &item.body, NULL))
            (void)read_certificates(im, names[i], &item, true, NULL); /* what is no certificate is another file's matter */
    }
}

static void import_folder(struct importing *im, const char *path, unsigned depth)
{
    const char *const *names;
    struct err e = { .code = ERR_NONE };
    size_t count;
    DIR *d;

    if (!folder_list(path, &im->c->a, &names, &count, &e)) {
        refuse(im, path, &e);
        return;
    }
    for (size_t i = 0; i < count; i++)
        import_file(im, arena_printf(&im->c->a, "%s/%s", path, names[i]));
    d = depth == MAX_DEPTH ? NULL : opendir(path);
    for (struct dirent *f; d != NULL && (f = readdir(d)) != NULL;) {
        const char *inner = arena_printf(&im->c->a, "%s/%s", path, f->d_name);
        struct stat st;

        if (f->d_name[0] != '.' && inner != NULL && lstat(inner, &st) == 0 && S_ISDIR(st.st_mode))
            import_folder(im, inner, depth + 1);
    }
    if (d != NULL)
        closedir(d);
}

/* -- issuers -- */

struct chain {
    const struct cert *list[MAX_CHAIN];
    size_t count;
};

static bool chain_add(struct chain *ch, const struct cert *c)
{
    for (size_t i = 0; i < ch->count; i++)
        if (bytes_equal(ch->list[i]->der, c->der))
            return false;
    if (ch->count == MAX_CHAIN)
        return false;
    ch->list[ch->count++] = c;
    return true;
}

/* The certificates whose key made the signature, up to their roots: strangers of the same name are left out. */
static void climb(const struct importing *im, const struct cert *of, struct chain *ch)
{
    for (size_t i = 0; !cert_self_issued(of) && i < im->issuer_count; i++) {
        const struct cert *c = im->issuers[i];
        AUTO_KEY k = NULL;

        if (bytes_equal(c->subject, of->issuer) && key_from_spki(c->spki, "issuer", &k, NULL) && cert_signed_by(of, k) && chain_add(ch, c))
            climb(im, c, ch); /* ends: each certificate is added once, and at most MAX_CHAIN */
    }
}

/* Whether the certificate's key made the signature of the item. */
static bool made_by(const struct piece *p, const struct cert *c, struct arena *a)
{
    static const char *const members[] = { [COLL_TCB_INFO] = "tcbInfo", [COLL_QE_IDENTITY] = "enclaveIdentity",
                                           [COLL_EVAL_NUMBERS] = "tcbEvaluationDataNumbers" };
    struct signed_json doc;
    struct crl crl;
    AUTO_KEY k = NULL;

    if (!key_from_spki(c->spki, "issuer", &k, NULL))
        return false;
    if (p->item.kind == COLL_CRL)
        return crl_read(p->item.body, "CRL", a, &crl, NULL) && bytes_equal(crl.issuer, c->subject) && crl_signed_by(&crl, k);
    return bytes_contain(c->subject_cn, LIT("SGX TCB Signing")) && signed_json_parse(p->item.body, members[p->item.kind], a, &doc, NULL)
        && key_verify(k, SIG_ES256, SIG_RAW, doc.signed_text, BYTES(doc.sig));
}

/* Where none made it, those that bear the right name: the refusal then says that the signature is not theirs. */
static void find_signers(const struct importing *im, const struct piece *p, struct chain *ch)
{
    struct arena scratch;

    arena_init(&scratch, (size_t)64 << 20);
    for (size_t i = 0; i < im->issuer_count; i++) {
        if (made_by(p, im->issuers[i], &scratch) && chain_add(ch, im->issuers[i]))
            climb(im, im->issuers[i], ch);
        arena_reset(&scratch, (size_t)64 << 20);
    }
    for (size_t i = 0; ch->count == 0 && i < im->issuer_count; i++)
        if (p->item.kind == COLL_CRL ? bytes_equal(im->issuers[i]->subject_cn, p->item.issuer_cn)
                                     : bytes_contain(im->issuers[i]->subject_cn, LIT("SGX TCB Signing")))
            (void)chain_add(ch, im->issuers[i]);
    arena_done(&scratch);
}

static struct bytes chain_pem(struct importing *im, const struct cert *first, const struct chain *ch)
{
    struct out o = out_open(&im->c->a);

    if (first != NULL)
        pem_print(&o, "CERTIFICATE", first->der);
    for (size_t i = 0; i < ch->count; i++)
        pem_print(&o, "CERTIFICATE", ch->list[i]->der);
    return out_view(&o);
}

/* The item with its certificates, in the form in which a source gives them. */
static struct record make_record(struct importing *im, const struct piece *p, enum need_form form)
{
    struct record r = { .source = LIT("import"), .fetched = im->c->at, .bodies = { p->item.body }, .count = 1 };
    struct chain ch = { .count = 0 };

    if (p->item.kind == COLL_CERTS)
        climb(im, p->cert, &ch);
    else
        find_signers(im, p, &ch);
    if (form == NEED_AMD_CHAIN) { /* AMD's service gives the CA and its root as one */
        r.bodies[0] = chain_pem(im, p->cert, &ch);
        return r;
    }
    if (form == NEED_VCEK)
        r.bodies[0] = p->cert->der;
    if (ch.count > 0)
        r.bodies[r.count++] = chain_pem(im, NULL, &ch);
    return r;
}

/* -- into the cache -- */

static void import_piece(struct importing *im, const struct piece *p)
{
    struct need_key keys[NEED_MAX_NAMES];
    struct err first = { .code = ERR_NONE };
    size_t count, kept = 0;
    struct record r;
    bool newer;

    if (!need_keys_of(&p->item, p->cert, keys, &count, &first)) {
        refuse(im, p->file, &first);
        return;
    }
    if (count == 0)
        return; /* it verifies others */
    r = make_record(im, p, keys[0].form);
    for (size_t i = 0; i < count; i++) {
        struct err e = { .code = ERR_NONE };
        const char *key = need_key_print(&keys[i], &im->c->a);

        if (key == NULL)
            (void)err_memory(&e, "import");
        r.key = bytes_str(key == NULL ? "" : key);
        if (key != NULL && engine_import(im->x, &r, true, &newer, &e))
            kept++;
        else if (first.code == ERR_NONE)
            first = e;
    }
    if (kept > 0)
        im->kept++;
    else
        refuse(im, p->file, &first);
}

/* The newest last: under a name that several have, it stays. */
static int by_generation(const void *x, const void *y)
{
    const struct piece *a = x, *b = y;
    const int64_t of_a[] = { a->item.eval_number, a->item.from, a->item.version }, of_b[] = { b->item.eval_number, b->item.from, b->item.version };

    for (size_t i = 0; i < COUNT(of_a); i++)
        if (of_a[i] != of_b[i])
            return of_a[i] < of_b[i] ? -1 : 1;
    return strcmp(a->file, b->file);
}

static bool gather(struct importing *im)
{
    for (size_t i = 0; i < im->c->chain_count; i++)
        if (!import_chain(im, im->c->chains[i]))
            return false;
    for (size_t i = 0; i < im->c->rest_count; i++) {
        const char *path = im->c->rest[i];
        struct stat st;

        if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
            import_folder(im, path, 0);
            continue;
        }
        import_file(im, path);
        look_beside(im, path);
    }
    return true;
}

static int report(struct importing *im)
{
    struct jobj o = jobj_open(&im->c->a);

    if (im->no_memory)
        fputs("avouch: out of memory\n", stderr);
    if (im->kept + im->refused == 0)
        fputs("avouch: nothing to import: certificates of issuers alone are no collateral\n", stderr);
    jobj_int(&o, "imported", (int64_t)im->kept);
    jobj_int(&o, "refused", (int64_t)im->refused);
    jobj_json(&o, "refusals", jarr_close(&im->refusals));
    if (im->c->json)
        cli_print_line(jobj_print(&o, false));
    else
        printf("%zu imported, %zu not taken\n", im->kept, im->refused);
    return im->kept > 0 && im->refused == 0 && !im->no_memory ? EXIT_VALID : EXIT_REFUSED;
}

int collateral_import(struct collateral_args *c)
{
    struct importing im = { .c = c, .refusals = jarr_open(&c->a) };

    if (c->rest_count == 0) {
        fputs("avouch: import: which files?\n", stderr);
        return EXIT_USAGE;
    }
    if (!collateral_cli_open(c, &im.x))
        return EXIT_USAGE;
    if (!gather(&im)) {
        engine_close(im.x);
        return EXIT_USAGE;
    }
    if (im.count > 0)
        qsort(im.pieces, im.count, sizeof(*im.pieces), by_generation);
    for (size_t i = 0; i < im.count; i++)
        import_piece(&im, &im.pieces[i]);
    engine_close(im.x);
    return report(&im);
}

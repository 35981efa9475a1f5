/* sqlite.c: the embedded back end: SQLite in WAL mode, synchronous=FULL: what was acknowledged survives. */
#include "store/store.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

/* Numbered steps; a store of an older number is brought up to date, a newer one is refused. */
static const char *const migrations[] = {
    "CREATE TABLE provider(name TEXT PRIMARY KEY COLLATE NOCASE, subscription TEXT NOT NULL, grp TEXT NOT NULL, location TEXT NOT NULL,"
    " tags TEXT NOT NULL, public_access INTEGER NOT NULL, tpm_authentication INTEGER NOT NULL, created INTEGER NOT NULL,"
    " head BLOB NOT NULL, mac BLOB NOT NULL);"
    "CREATE TABLE policy(provider TEXT NOT NULL COLLATE NOCASE, type TEXT NOT NULL COLLATE NOCASE, version INTEGER NOT NULL,"
    " jws BLOB NOT NULL, who TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(provider, type, version));"
    "CREATE TABLE connection(provider TEXT NOT NULL COLLATE NOCASE, name TEXT NOT NULL COLLATE NOCASE, properties TEXT NOT NULL,"
    " PRIMARY KEY(provider, name));"
    "CREATE TABLE audit(id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, provider TEXT NOT NULL COLLATE NOCASE, record BLOB NOT NULL);"
    "CREATE INDEX audit_by_provider ON audit(provider, id);",
    "ALTER TABLE policy ADD COLUMN mac BLOB NOT NULL DEFAULT x'';",
    "CREATE INDEX audit_by_time ON audit(at);",
};

enum query {
    Q_BEGIN,
    Q_COMMIT,
    Q_ROLLBACK,
    Q_GENERATION,
    Q_PROVIDER_ADD,
    Q_PROVIDER_FIND,
    Q_PROVIDER_LIST,
    Q_PROVIDER_UPDATE,
    Q_PROVIDER_DELETE,
    Q_POLICIES_DELETE,
    Q_CONNECTIONS_DELETE,
    Q_HEAD_SET,
    Q_POLICY_ADD,
    Q_POLICY_TRIM,
    Q_POLICY_FIND,
    Q_POLICY_HISTORY,
    Q_CONNECTION_PUT,
    Q_CONNECTION_LIST,
    Q_CONNECTION_DELETE,
    Q_AUDIT_ADD,
    Q_AUDIT_LIST,
    Q_AUDIT_TRIM,
    Q_COUNT,
};

#define PROVIDER_COLUMNS "name, subscription, grp, location, tags, public_access, tpm_authentication, created, head, mac"

static const char *const queries[Q_COUNT] = {
    [Q_BEGIN] = "BEGIN IMMEDIATE",
    [Q_COMMIT] = "COMMIT",
    [Q_ROLLBACK] = "ROLLBACK",
    [Q_GENERATION] = "PRAGMA data_version",
    [Q_PROVIDER_ADD] = "INSERT INTO provider(" PROVIDER_COLUMNS ") VALUES(?,?,?,?,?,?,?,?,?,?)",
    [Q_PROVIDER_FIND] = "SELECT " PROVIDER_COLUMNS " FROM provider WHERE name=?",
    [Q_PROVIDER_LIST] = "SELECT " PROVIDER_COLUMNS " FROM provider WHERE (?1 IS NULL OR subscription=?1 COLLATE NOCASE)"
                        " AND (?2 IS NULL OR grp=?2 COLLATE NOCASE) ORDER BY name LIMIT 10000",
    [Q_PROVIDER_UPDATE] = "UPDATE provider SET tags=COALESCE(?2, tags), public_access=COALESCE(?3, public_access),"
                          " tpm_authentication=COALESCE(?4, tpm_authentication) WHERE name=?1",
    [Q_PROVIDER_DELETE] = "DELETE FROM provider WHERE name=?",
    [Q_POLICIES_DELETE] = "DELETE FROM policy WHERE provider=?",
    [Q_CONNECTIONS_DELETE] = "DELETE FROM connection WHERE provider=?",
    [Q_HEAD_SET] = "UPDATE provider SET head=?3, mac=?4 WHERE name=?1 AND head=?2",
    [Q_POLICY_ADD] = "INSERT INTO policy(provider, type, version, jws, who, at, mac) VALUES(?,?,?,?,?,?,?)",
    [Q_POLICY_TRIM] = "DELETE FROM policy WHERE provider=?1 AND type=?2 AND version<=(SELECT version FROM policy"
                      " WHERE provider=?1 AND type=?2 ORDER BY version DESC LIMIT 1 OFFSET ?3)",
    [Q_POLICY_FIND] = "SELECT type, version, jws, who, at, mac FROM policy WHERE provider=? AND type=? ORDER BY version DESC LIMIT 1",
    [Q_POLICY_HISTORY] = "SELECT type, version, jws, who, at, mac FROM policy WHERE provider=?1 AND type=?2 AND (?3=0 OR version=?3)"
                         " ORDER BY version DESC LIMIT 1000",
    [Q_CONNECTION_PUT] = "INSERT INTO connection(provider, name, properties) VALUES(?1,?2,?3)"
                         " ON CONFLICT(provider, name) DO UPDATE SET properties=?3",
    [Q_CONNECTION_LIST] = "SELECT name, properties FROM connection WHERE provider=?1 AND (?2 IS NULL OR name=?2) ORDER BY name LIMIT 1000",
    [Q_CONNECTION_DELETE] = "DELETE FROM connection WHERE provider=? AND name=?",
    [Q_AUDIT_ADD] = "INSERT INTO audit(at, provider, record) VALUES(?,?,?)",
    [Q_AUDIT_LIST] = "SELECT id, record FROM audit WHERE provider=? AND id>? ORDER BY id LIMIT ?",
    [Q_AUDIT_TRIM] = "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at<?1 ORDER BY at LIMIT ?2)",
};

struct store {
    sqlite3 *db;
    sqlite3_stmt *prepared[Q_COUNT];
};

static bool failed(struct store *s, struct err *e, const char *doing)
{
    return err_set(e, ERR_STORE, "store", "%s: %s", doing, s->db == NULL ? "out of memory" : sqlite3_errmsg(s->db));
}

static sqlite3_stmt *query(struct store *s, enum query q)
{
    if (s->prepared[q] == NULL
        && sqlite3_prepare_v3(s->db, queries[q], -1, SQLITE_PREPARE_PERSISTENT, &s->prepared[q], NULL) != SQLITE_OK)
        return NULL;
    sqlite3_reset(s->prepared[q]);
    sqlite3_clear_bindings(s->prepared[q]);
    return s->prepared[q];
}

/* Runs a statement that gives no rows. */
static bool run(struct store *s, sqlite3_stmt *st, const char *doing, struct err *e)
{
    int rc = st == NULL ? SQLITE_NOMEM : sqlite3_step(st);

    if (st != NULL)
        sqlite3_reset(st);
    return rc == SQLITE_DONE || failed(s, e, doing);
}

static bool simple(struct store *s, enum query q, struct err *e)
{
    return run(s, query(s, q), queries[q], e);
}

static void roll_back(struct store *s)
{
    (void)simple(s, Q_ROLLBACK, NULL);
}

static bool migrate(struct store *s, struct err *e)
{
    sqlite3_stmt *st = NULL;
    int version = 0;
    char set[64];

    if (sqlite3_prepare_v2(s->db, "PRAGMA user_version", -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW)
        version = sqlite3_column_int(st, 0);
    sqlite3_finalize(st);
    if (version > (int)COUNT(migrations))
        return err_set(e, ERR_STORE, "store", "has version %d, this program knows %zu", version, COUNT(migrations));
    for (; version < (int)COUNT(migrations); version++) {
        snprintf(set, sizeof(set), "PRAGMA user_version=%d", version + 1);
        if (sqlite3_exec(s->db, migrations[version], NULL, NULL, NULL) != SQLITE_OK || sqlite3_exec(s->db, set, NULL, NULL, NULL) != SQLITE_OK)
            return failed(s, e, "migration");
    }
    return true;
}

bool store_open(const char *path, struct store **ret, struct err *e)
{
    struct store *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return err_memory(e, "store");
    if (sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK
        || sqlite3_busy_timeout(s->db, 5000) != SQLITE_OK
        || sqlite3_exec(s->db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA trusted_schema=OFF; PRAGMA temp_store=MEMORY;", NULL,
                        NULL, NULL)
            != SQLITE_OK
        || !simple(s, Q_BEGIN, e)) {
        (void)failed(s, e, path);
        store_close(s);
        return false;
    }
    if (!migrate(s, e) || !simple(s, Q_COMMIT, e)) {
        roll_back(s);
        store_close(s);
        return false;
    }
    *ret = s;
    return true;
}

void store_close(struct store *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < Q_COUNT; i++)
        sqlite3_finalize(s->prepared[i]);
    sqlite3_close(s->db);
    free(s);
}

int64_t store_generation(struct store *s)
{
    sqlite3_stmt *st = query(s, Q_GENERATION);
    int64_t v = st != NULL && sqlite3_step(st) == SQLITE_ROW ? sqlite3_column_int64(st, 0) : -1;

    if (st != NULL)
        sqlite3_reset(st);
    return v;
}

/* -- binding and reading -- */

static void bind_text(sqlite3_stmt *st, int at, const char *text)
{
    if (text == NULL)
        sqlite3_bind_null(st, at);
    else
        sqlite3_bind_text(st, at, text, -1, SQLITE_TRANSIENT);
}

static void bind_bytes(sqlite3_stmt *st, int at, struct bytes b)
{
    sqlite3_bind_blob64(st, at, b.p == NULL ? (const void *)"" : b.p, b.n, SQLITE_TRANSIENT);
}

static struct bytes column_bytes(sqlite3_stmt *st, int at, struct arena *a)
{
    const void *p = sqlite3_column_blob(st, at);

    return arena_copy(a, bytes_of(p, (size_t)sqlite3_column_bytes(st, at)));
}

static const char *column_text(sqlite3_stmt *st, int at, struct arena *a)
{
    const char *text = arena_str(a, bytes_str((const char *)sqlite3_column_text(st, at)));

    return text == NULL ? "" : text;
}

static void read_provider(sqlite3_stmt *st, struct arena *a, struct store_provider *ret)
{
    ret->name = column_text(st, 0, a);
    ret->subscription = column_text(st, 1, a);
    ret->group = column_text(st, 2, a);
    ret->location = column_text(st, 3, a);
    ret->tags = column_text(st, 4, a);
    ret->public_access = sqlite3_column_int(st, 5) != 0;
    ret->tpm_authentication = sqlite3_column_int(st, 6) != 0;
    ret->created = sqlite3_column_int64(st, 7);
    ret->head = column_bytes(st, 8, a);
    ret->mac = column_bytes(st, 9, a);
}

static void read_policy(sqlite3_stmt *st, struct arena *a, struct store_policy *ret)
{
    ret->type = column_text(st, 0, a);
    ret->version = sqlite3_column_int64(st, 1);
    ret->jws = column_bytes(st, 2, a);
    ret->who = column_text(st, 3, a);
    ret->when = sqlite3_column_int64(st, 4);
    ret->mac = column_bytes(st, 5, a);
}

/* Collects rows into a growing array; `read` fills one item of `size` bytes. */
static bool collect(struct store *s, sqlite3_stmt *st, size_t size, void (*read)(sqlite3_stmt *, struct arena *, void *), struct arena *a,
                    void **ret, size_t *ret_count, struct err *e)
{
    size_t n = 0, room = 0;
    uint8_t *list = NULL;
    int rc;

    if (st == NULL)
        return failed(s, e, "query");
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        if (n == room) {
            size_t bigger = room == 0 ? 16 : room * 2;
            uint8_t *p = arena_array(a, bigger, size);

            if (p == NULL)
                break;
            if (n > 0)
                memcpy(p, list, n * size);
            list = p;
            room = bigger;
        }
        read(st, a, list + n++ * size);
    }
    sqlite3_reset(st);
    if (a->failed)
        return err_memory(e, "store");
    if (rc != SQLITE_DONE)
        return failed(s, e, "query");
    *ret = list;
    *ret_count = n;
    return true;
}

/* -- providers -- */

bool store_provider_add(struct store *s, const struct store_provider *p, struct err *e)
{
    sqlite3_stmt *st = query(s, Q_PROVIDER_ADD);
    int rc;

    if (st == NULL)
        return failed(s, e, "provider");
    bind_text(st, 1, p->name);
    bind_text(st, 2, p->subscription);
    bind_text(st, 3, p->group);
    bind_text(st, 4, p->location);
    bind_text(st, 5, p->tags);
    sqlite3_bind_int(st, 6, p->public_access);
    sqlite3_bind_int(st, 7, p->tpm_authentication);
    sqlite3_bind_int64(st, 8, p->created);
    bind_bytes(st, 9, p->head);
    bind_bytes(st, 10, p->mac);
    rc = sqlite3_step(st);
    sqlite3_reset(st);
    if (rc == SQLITE_CONSTRAINT)
        return err_set(e, ERR_CONFLICT, "provider", "name '%s' is taken", p->name);
    return rc == SQLITE_DONE || failed(s, e, "provider");
}

bool store_provider_find(struct store *s, const char *name, struct arena *a, struct store_provider *ret, bool *ret_found, struct err *e)
{
    sqlite3_stmt *st = query(s, Q_PROVIDER_FIND);
    int rc;

    if (st == NULL)
        return failed(s, e, "provider");
    bind_text(st, 1, name);
    rc = sqlite3_step(st);
    *ret_found = rc == SQLITE_ROW;
    if (rc == SQLITE_ROW)
        read_provider(st, a, ret);
    sqlite3_reset(st);
    if (a->failed)
        return err_memory(e, "store");
    return rc == SQLITE_ROW || rc == SQLITE_DONE || failed(s, e, "provider");
}

static void read_provider_item(sqlite3_stmt *st, struct arena *a, void *to)
{
    read_provider(st, a, to);
}

bool store_provider_list(struct store *s, const char *subscription, const char *group, struct arena *a, struct store_provider **ret,
                         size_t *ret_count, struct err *e)
{
    sqlite3_stmt *st = query(s, Q_PROVIDER_LIST);
    void *list;

    if (st == NULL)
        return failed(s, e, "providers");
    bind_text(st, 1, subscription);
    bind_text(st, 2, group);
    if (!collect(s, st, sizeof(**ret), read_provider_item, a, &list, ret_count, e))
        return false;
    *ret = list;
    return true;
}

static void bind_flag(sqlite3_stmt *st, int at, const bool *flag)
{
    if (flag == NULL)
        sqlite3_bind_null(st, at);
    else
        sqlite3_bind_int(st, at, *flag);
}

bool store_provider_update(struct store *s, const char *name, const struct store_update *u, struct err *e)
{
    sqlite3_stmt *st = query(s, Q_PROVIDER_UPDATE);

    if (st == NULL)
        return failed(s, e, "provider");
    bind_text(st, 1, name);
    bind_text(st, 2, u->tags);
    bind_flag(st, 3, u->public_access);
    bind_flag(st, 4, u->tpm_authentication);
    return run(s, st, "provider", e);
}

static bool delete_rows(struct store *s, enum query q, const char *name, struct err *e)
{
    sqlite3_stmt *st = query(s, q);

    if (st == NULL)
        return failed(s, e, "delete");
    bind_text(st, 1, name);
    return run(s, st, "delete", e);
}

bool store_provider_delete(struct store *s, const char *name, bool *ret_found, struct err *e)
{
    if (!simple(s, Q_BEGIN, e))
        return false;
    if (!delete_rows(s, Q_PROVIDER_DELETE, name, e)) {
        roll_back(s);
        return false;
    }
    *ret_found = sqlite3_changes(s->db) > 0;
    if (!delete_rows(s, Q_POLICIES_DELETE, name, e) || !delete_rows(s, Q_CONNECTIONS_DELETE, name, e) || !simple(s, Q_COMMIT, e)) {
        roll_back(s);
        return false;
    }
    return true;
}

/* -- policies -- */

static bool set_head(struct store *s, const char *name, struct bytes old_head, struct bytes head, struct bytes mac, struct err *e)
{
    sqlite3_stmt *st = query(s, Q_HEAD_SET);

    if (st == NULL)
        return failed(s, e, "head");
    bind_text(st, 1, name);
    bind_bytes(st, 2, old_head);
    bind_bytes(st, 3, head);
    bind_bytes(st, 4, mac);
    if (!run(s, st, "head", e))
        return false;
    return sqlite3_changes(s->db) == 1
        || err_set(e, ERR_CONFLICT, "provider", "'%s' was changed by another request meanwhile; send yours again", name);
}

static bool add_policy(struct store *s, const char *name, const struct store_policy *p, struct err *e)
{
    sqlite3_stmt *st = query(s, Q_POLICY_ADD);

    if (st == NULL)
        return failed(s, e, "policy");
    bind_text(st, 1, name);
    bind_text(st, 2, p->type);
    sqlite3_bind_int64(st, 3, p->version);
    bind_bytes(st, 4, p->jws);
    bind_text(st, 5, p->who);
    sqlite3_bind_int64(st, 6, p->when);
    bind_bytes(st, 7, p->mac);
    return run(s, st, "policy", e);
}

/* Whoever may set a policy decides how often. */
static bool trim_policies(struct store *s, const char *name, const struct store_policy *p, struct err *e)
{
    sqlite3_stmt *st = query(s, Q_POLICY_TRIM);

    if (st == NULL)
        return failed(s, e, "policy");
    bind_text(st, 1, name);
    bind_text(st, 2, p->type);
    sqlite3_bind_int64(st, 3, STORE_POLICY_VERSIONS);
    return run(s, st, "policy", e);
}

bool store_change(struct store *s, const char *name, struct bytes old_head, struct bytes head, struct bytes mac,
                  const struct store_policy *policy, struct err *e)
{
    if (!simple(s, Q_BEGIN, e))
        return false;
    if (!set_head(s, name, old_head, head, mac, e) || (policy != NULL && (!add_policy(s, name, policy, e) || !trim_policies(s, name, policy, e)))
        || !simple(s, Q_COMMIT, e)) {
        roll_back(s);
        return false;
    }
    return true;
}

bool store_policy_find(struct store *s, const char *name, const char *type, struct arena *a, struct store_policy *ret, bool *ret_found,
                       struct err *e)
{
    sqlite3_stmt *st = query(s, Q_POLICY_FIND);
    int rc;

    if (st == NULL)
        return failed(s, e, "policy");
    bind_text(st, 1, name);
    bind_text(st, 2, type);
    rc = sqlite3_step(st);
    *ret_found = rc == SQLITE_ROW;
    if (rc == SQLITE_ROW)
        read_policy(st, a, ret);
    sqlite3_reset(st);
    if (a->failed)
        return err_memory(e, "store");
    return rc == SQLITE_ROW || rc == SQLITE_DONE || failed(s, e, "policy");
}

static void read_policy_item(sqlite3_stmt *st, struct arena *a, void *to)
{
    read_policy(st, a, to);
}

bool store_policy_history(struct store *s, const char *name, const char *type, int64_t version, struct arena *a, struct store_policy **ret,
                          size_t *ret_count, struct err *e)
{
    sqlite3_stmt *st = query(s, Q_POLICY_HISTORY);
    void *list;

    if (st == NULL)
        return failed(s, e, "policies");
    bind_text(st, 1, name);
    bind_text(st, 2, type);
    sqlite3_bind_int64(st, 3, version);
    if (!collect(s, st, sizeof(**ret), read_policy_item, a, &list, ret_count, e))
        return false;
    *ret = list;
    return true;
}

/* -- private endpoint connections -- */

bool store_connection_put(struct store *s, const char *provider, const struct store_connection *c, struct err *e)
{
    sqlite3_stmt *st = query(s, Q_CONNECTION_PUT);

    if (st == NULL)
        return failed(s, e, "connection");
    bind_text(st, 1, provider);
    bind_text(st, 2, c->name);
    bind_text(st, 3, c->properties);
    return run(s, st, "connection", e);
}

static void read_connection(sqlite3_stmt *st, struct arena *a, void *to)
{
    struct store_connection *c = to;

    c->name = column_text(st, 0, a);
    c->properties = column_text(st, 1, a);
}

bool store_connection_list(struct store *s, const char *provider, const char *name, struct arena *a, struct store_connection **ret,
                           size_t *ret_count, struct err *e)
{
    sqlite3_stmt *st = query(s, Q_CONNECTION_LIST);
    void *list;

    if (st == NULL)
        return failed(s, e, "connections");
    bind_text(st, 1, provider);
    bind_text(st, 2, name);
    if (!collect(s, st, sizeof(**ret), read_connection, a, &list, ret_count, e))
        return false;
    *ret = list;
    return true;
}

bool store_connection_delete(struct store *s, const char *provider, const char *name, bool *ret_found, struct err *e)
{
    sqlite3_stmt *st = query(s, Q_CONNECTION_DELETE);

    if (st == NULL)
        return failed(s, e, "connection");
    bind_text(st, 1, provider);
    bind_text(st, 2, name);
    if (!run(s, st, "connection", e))
        return false;
    *ret_found = sqlite3_changes(s->db) > 0;
    return true;
}

/* -- audit -- */

bool store_audit_begin(struct store *s, struct err *e)
{
    return simple(s, Q_BEGIN, e);
}

bool store_audit_commit(struct store *s, struct err *e)
{
    if (simple(s, Q_COMMIT, e))
        return true;
    roll_back(s);
    return false;
}

bool store_audit_add(struct store *s, int64_t when, const char *provider, struct bytes record, struct err *e)
{
    sqlite3_stmt *st = query(s, Q_AUDIT_ADD);

    if (st == NULL)
        return failed(s, e, "audit");
    sqlite3_bind_int64(st, 1, when);
    bind_text(st, 2, provider);
    bind_bytes(st, 3, record);
    return run(s, st, "audit", e);
}

bool store_audit_trim(struct store *s, int64_t before, int64_t most, int64_t *ret_deleted, struct err *e)
{
    sqlite3_stmt *st = query(s, Q_AUDIT_TRIM);

    if (st == NULL)
        return failed(s, e, "audit");
    sqlite3_bind_int64(st, 1, before);
    sqlite3_bind_int64(st, 2, most);
    if (!run(s, st, "audit", e))
        return false;
    *ret_deleted = sqlite3_changes(s->db);
    return true;
}

struct audit_item {
    int64_t id;
    struct bytes record;
};

static void read_audit(sqlite3_stmt *st, struct arena *a, void *to)
{
    struct audit_item *i = to;

    i->id = sqlite3_column_int64(st, 0);
    i->record = column_bytes(st, 1, a);
}

bool store_audit_list(struct store *s, const char *provider, int64_t after, int64_t limit, struct arena *a, struct bytes **ret_records,
                      int64_t **ret_ids, size_t *ret_count, struct err *e)
{
    sqlite3_stmt *st = query(s, Q_AUDIT_LIST);
    struct audit_item *items;
    void *list;
    size_t n;

    if (st == NULL)
        return failed(s, e, "audit");
    bind_text(st, 1, provider);
    sqlite3_bind_int64(st, 2, after);
    sqlite3_bind_int64(st, 3, limit);
    if (!collect(s, st, sizeof(*items), read_audit, a, &list, &n, e))
        return false;
    items = list;
    *ret_records = arena_many(a, n, struct bytes);
    *ret_ids = arena_many(a, n, int64_t);
    if (*ret_records == NULL || *ret_ids == NULL)
        return err_memory(e, "store");
    for (size_t i = 0; i < n; i++) {
        (*ret_records)[i] = items[i].record;
        (*ret_ids)[i] = items[i].id;
    }
    *ret_count = n;
    return true;
}

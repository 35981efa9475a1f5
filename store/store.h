/* store.h: what the service remembers: providers, policies with their versions, audit records.
 *
 * The store is outside the trusted part: it may withhold or go back in time, it cannot alter, since the
 * core checks each head (wire/head.h). The interface asks of a back end only transactions with a
 * compare-and-set, and a number that changes when somebody else wrote; nothing of one product. */
#ifndef AVOUCH_STORE_STORE_H
#define AVOUCH_STORE_STORE_H

#include "base/arena.h"
#include "base/err.h"

struct store;

enum { STORE_POLICY_VERSIONS = 100 }; /* of a provider's policy of one type that are kept; the newest, so always the one that counts */

/* Texts and bytes of a result live in the arena that the call was given. */
struct store_provider {
    const char *name;         /* as created; unique without regard to case */
    const char *subscription, *group, *location;
    const char *tags;         /* JSON object */
    bool public_access, tpm_authentication;
    int64_t created;          /* seconds since 1970 */
    struct bytes head, mac;
};

struct store_policy {
    const char *type;
    int64_t version;          /* of the head with which it came */
    struct bytes jws;         /* empty: reset */
    struct bytes mac;         /* of this version, by the core; empty: reset, or older than such MACs */
    const char *who;
    int64_t when;
};

struct store_connection {     /* private endpoint connection */
    const char *name;
    const char *properties;   /* JSON object */
};

/* Opens or makes the file; ERR_STORE with the reason. */
bool store_open(const char *path, struct store **ret, struct err *e) CHECKED;
void store_close(struct store *s);
/* Moves whenever another process committed a change. */
int64_t store_generation(struct store *s);

/* ERR_CONFLICT: the name is taken. */
bool store_provider_add(struct store *s, const struct store_provider *p, struct err *e) CHECKED;
/* *ret_found tells; by name without regard to case. */
bool store_provider_find(struct store *s, const char *name, struct arena *a, struct store_provider *ret, bool *ret_found,
                         struct err *e) CHECKED;
/* NULL filters match all. */
bool store_provider_list(struct store *s, const char *subscription, const char *group, struct arena *a, struct store_provider **ret,
                         size_t *ret_count, struct err *e) CHECKED;
/* What is NULL stays as it is in the store, whoever changed it meanwhile. */
struct store_update {
    const char *tags;
    const bool *public_access, *tpm_authentication;
};
bool store_provider_update(struct store *s, const char *name, const struct store_update *u, struct err *e) CHECKED;
bool store_provider_delete(struct store *s, const char *name, bool *ret_found, struct err *e) CHECKED;

/* One step of a provider: the new head in the place of the old one, and with it a policy row (NULL: none), for which the
 * oldest version may have to go.
 * ERR_CONFLICT where the head in the store is not `old_head`: somebody else was faster. */
bool store_change(struct store *s, const char *name, struct bytes old_head, struct bytes head, struct bytes mac,
                  const struct store_policy *policy, struct err *e) CHECKED;
/* The newest row of a type. */
bool store_policy_find(struct store *s, const char *name, const char *type, struct arena *a, struct store_policy *ret, bool *ret_found,
                       struct err *e) CHECKED;
/* All rows of a type, newest first; `version` picks one where it is not 0. */
bool store_policy_history(struct store *s, const char *name, const char *type, int64_t version, struct arena *a, struct store_policy **ret,
                          size_t *ret_count, struct err *e) CHECKED;

bool store_connection_put(struct store *s, const char *provider, const struct store_connection *c, struct err *e) CHECKED;
bool store_connection_list(struct store *s, const char *provider, const char *name, struct arena *a, struct store_connection **ret,
                           size_t *ret_count, struct err *e) CHECKED;
bool store_connection_delete(struct store *s, const char *provider, const char *name, bool *ret_found, struct err *e) CHECKED;

/* Audit records: one JSON object each, in the order of their arrival. `provider` "" is the shared one. */
bool store_audit_begin(struct store *s, struct err *e) CHECKED; /* a batch is one transaction */
bool store_audit_commit(struct store *s, struct err *e) CHECKED;
bool store_audit_add(struct store *s, int64_t when, const char *provider, struct bytes record, struct err *e) CHECKED;
/* Deletes the oldest of the records from before that time, at most `most` of them. */
bool store_audit_trim(struct store *s, int64_t before, int64_t most, int64_t *ret_deleted, struct err *e) CHECKED;
bool store_audit_list(struct store *s, const char *provider, int64_t after, int64_t limit, struct arena *a, struct bytes **ret_records,
                      int64_t **ret_ids, size_t *ret_count, struct err *e) CHECKED;

#endif

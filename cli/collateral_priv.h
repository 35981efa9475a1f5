/* collateral_priv.h: what the parts of `avouch collateral` share. */
#ifndef AVOUCH_CLI_COLLATERAL_PRIV_H
#define AVOUCH_CLI_COLLATERAL_PRIV_H

#include "cli/cli.h"
#include "collateral/engine.h"

enum { COLLATERAL_MAX_FOLDERS = 64 };

struct collateral_args {
    struct arena a;
    struct config config;
    const char *cache;
    const char *evidence;
    const char *trust;
    const char *folders[COLLATERAL_MAX_FOLDERS]; /* --collateral */
    size_t folder_count;
    const char *chains[COLLATERAL_MAX_FOLDERS];  /* --chain */
    size_t chain_count;
    int64_t at, warn, evaluation;
    bool has_at, json, anew;
    char **rest;
    size_t rest_count;
};

/* Opens the engine on the cache; false after a message. */
bool collateral_cli_open(struct collateral_args *c, struct engine **ret) CHECKED;
/* Paths of the files of a folder, or the file itself. */
bool collateral_cli_files(struct collateral_args *c, const char *path, const char *const **ret, size_t *ret_count) CHECKED;
/* The kind that reads this evidence, and what it needs; NULL: none does. */
const struct evidence_kind *collateral_cli_needs(struct bytes evidence, const struct settings *s, struct arena *a, struct needs *ret);

int collateral_forecast(struct collateral_args *c);
int collateral_import(struct collateral_args *c);

#endif

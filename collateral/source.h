/* source.h: who may be asked for collateral, in which words, and how that went so far. */
#ifndef AVOUCH_COLLATERAL_SOURCE_H
#define AVOUCH_COLLATERAL_SOURCE_H

#include "collateral/bucket.h"
#include "collateral/bundle.h"
#include "evidence/needkey.h"
#include "os/config.h"

enum source_kind {
    SOURCE_PCS,       /* Intel's service; the root CRL has a host of its own */
    SOURCE_PCCS,      /* a cache with Intel's paths; our own mirror too */
    SOURCE_THIM,      /* Azure's cache, Intel part */
    SOURCE_KDS,       /* AMD's service, or a mirror of it */
    SOURCE_THIM_AMD,  /* Azure's cache, AMD part */
    SOURCE_DIRECTORY, /* files of any names */
    SOURCE_BUNDLE,    /* a file made by export */
    SOURCE_URL,       /* one address that configuration allows */
};

struct source {
    enum source_kind kind;
    int version;       /* 3 or 4: form of Intel's paths */
    const char *name;  /* "pccs https://cache:8081": for messages and metrics */
    const char *base;  /* URL without a slash behind it, or a path */
    bool early;        /* ask for the early set where the key does not say */
    const char *subscription_key; /* of Intel's service, which gives PCK certificates to subscribers; NULL: none */
    struct bucket bucket;
    struct breaker breaker;
    uint64_t asked, succeeded, failed;
    int64_t success_at, failure_at;
    char error[256];   /* the last one */
    /* of directories and bundles */
    struct arena own;
    struct collateral pool;
    struct record *records;
    size_t record_count;
};

struct sources {
    struct source *list;
    size_t count;
};

/* From the configuration; the file with the subscription key is read, others are not yet. */
bool sources_read(const struct config *c, struct arena *a, struct sources *ret, struct err *e) CHECKED;
/* Reads directories and bundles anew; what cannot be read is told in the log and stays empty. */
void sources_load_files(struct sources *s);
bool source_is_file(const struct source *s);
/* Whether it is worth asking this source for such a thing at all. */
bool source_serves(const struct source *s, const struct need_key *k);
/* Why it cannot be asked for this one although it has such things; NULL: it can. */
const char *source_refuses(const struct source *s, const struct need_key *k);
/* The URL to ask; NULL: not in this source's words. */
const char *source_url(const struct source *s, const struct need_key *k, struct arena *a);
/* From a directory or bundle: the newest that fits. false: has none. Views live as long as the files are not read anew. */
bool source_find(const struct source *s, const struct need_key *k, int64_t now, struct record *ret);

#endif

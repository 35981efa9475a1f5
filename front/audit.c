/* audit.c: a record for each decision and each change (rest-api section 12): who, what, how it ended, and of
 * evidence and policies only digests. Records of changes are committed with their reply; those of decisions
 * in batches, at most 20 ms or 64 records apart, so that attesting does not wait for a disk. */
#include "front/front.h"

#include "codec/stamp.h"
#include "os/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BATCH = 64, DELAY_US = 20000, TRIM_STEP = 500 };
#define TRIM_EVERY_US (UINT64_C(3600) * 1000000)

struct pending {
    char provider[32];
    char *record;
};

struct audit {
    struct pending list[BATCH];
    size_t count;
    uint64_t oldest_us;
    int file; /* -1: none */
};

/* Before the walls: a file that cannot be written must not be missed when somebody looks for it. */
bool audit_open(struct front *f, struct err *e)
{
    const char *path = f->config.value[CONFIG_audit_file];

    f->audit = arena_new(&f->own, struct audit);
    if (f->audit == NULL)
        return err_memory(e, "audit");
    f->audit->file = path[0] == 0 ? -1 : open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    return path[0] == 0 || f->audit->file >= 0 || err_set(e, ERR_USAGE, "audit file", "%s (audit.file): %s", path, strerror(errno));
}

static struct bytes identity_json(struct request *rq)
{
    struct jobj o = jobj_open(&rq->a);

    jobj_text(&o, "callerAadUPN", rq->principal.name);
    jobj_text(&o, "callerAadObjectId", rq->principal.id);
    jobj_text(&o, "callerId", rq->principal.app);
    return jobj_print(&o, false);
}

static struct bytes trace_json(struct request *rq)
{
    struct jobj o = jobj_open(&rq->a);

    jobj_str(&o, "traceId", bytes_of(rq->request_id + 3, 32));
    jobj_str(&o, "parentId", bytes_of(rq->request_id + 36, 16));
    return jobj_print(&o, false);
}

/* What callers choose freely is cut: records are kept for long, and nobody had to prove anything for some of them. */
static struct bytes header_text(struct request *rq, const char *name)
{
    const char *text = request_header(rq, name);

    return bytes_part(bytes_str(text == NULL ? "" : text), 0, 256);
}

static struct bytes properties_json(struct request *rq)
{
    struct jobj o = jobj_open(&rq->a), in = jobj_open(&rq->a), headers = jobj_open(&rq->a);

    jobj_str(&headers, "User-Agent", header_text(rq, "User-Agent"));
    jobj_json(&in, "Headers", jobj_print(&headers, false));
    jobj_str(&in, "ContentType", header_text(rq, "Content-Type"));
    jobj_int(&in, "ContentLength", (int64_t)rq->body.n);
    jobj_text(&o, "failureCategory", rq->status < 400 ? "None" : rq->error_code == NULL ? "" : rq->error_code);
    jobj_text(&o, "failureDetails", rq->failure == NULL ? "" : rq->failure);
    if (rq->evidence_hash.n > 0)
        jobj_str(&o, "evidenceSha256", rq->evidence_hash);
    if (rq->policy_hash.n > 0)
        jobj_str(&o, "policyHash", rq->policy_hash);
    jobj_json(&o, "infoDataReceived", jobj_print(&in, false));
    return jobj_print(&o, false);
}

static struct bytes record_json(struct request *rq)
{
    const char *region = rq->front->config.value[CONFIG_service_region], *address = http_client_address(rq);
    struct jobj o = jobj_open(&rq->a);
    char status[8];

    snprintf(status, sizeof(status), "%d", rq->status);
    jobj_text(&o, "Time", arena_printf(&rq->a, "%.19s.0000000Z", stamp_text(front_now(rq->front)).s));
    jobj_text(&o, "resourceId", rq->tenant.row.subscription == NULL
                  ? "/shared"
                  : arena_printf(&rq->a, "/subscriptions/%s/resourceGroups/%s/providers/Microsoft.Attestation/attestationProviders/%s",
                                 rq->tenant.row.subscription, rq->tenant.row.group, rq->tenant.row.name));
    jobj_text(&o, "region", region);
    jobj_text(&o, "operationName", rq->operation);
    jobj_text(&o, "category", "Operational");
    jobj_text(&o, "resultType", rq->status < 400 ? "Succeeded" : "Failed");
    jobj_text(&o, "resultSignature", status);
    jobj_int(&o, "durationMs", (int64_t)((clock_monotonic_us() - rq->started_us) / 1000));
    jobj_text(&o, "callerIpAddress", address);
    jobj_str(&o, "traceContext", trace_json(rq));
    jobj_str(&o, "identity", identity_json(rq));
    jobj_text(&o, "uri", arena_printf(&rq->a, "%s%.1024s", rq->issuer == NULL ? "" : rq->issuer, rq->path));
    jobj_text(&o, "level", rq->status < 400 ? "Informational" : "Error");
    jobj_text(&o, "location", region);
    jobj_json(&o, "properties", properties_json(rq));
    return jobj_print(&o, false);
}

void audit_flush(struct front *f)
{
    struct audit *a = f->audit;
    struct err e = { .code = ERR_NONE };

    if (a == NULL || a->count == 0)
        return;
    (void)!store_audit_begin(f->store, &e);
    for (size_t i = 0; i < a->count; i++) {
        if (e.code == ERR_NONE)
            (void)!store_audit_add(f->store, front_now(f), a->list[i].provider, bytes_str(a->list[i].record), &e);
        if (a->file >= 0 && dprintf(a->file, "%s\n", a->list[i].record) < 0)
            log_line("error", "front", strerror(errno), "\"file\":\"audit\"");
        free(a->list[i].record);
    }
    if (!store_audit_commit(f->store, &e))
        log_error("front", &e);
    a->count = 0;
}

/* What is logged: attestations, everything that asked for a caller, and what was refused one. */
static bool is_recorded(const struct request *rq)
{
    return rq->operation != NULL && (strncmp(rq->operation, "Attest", 6) == 0 || rq->principal.id[0] != 0 || rq->status == 401);
}

void audit_record(struct request *rq)
{
    struct front *f = rq->front;
    struct audit *a = f->audit;
    struct bytes record;
    struct pending *p;

    if (a == NULL || !is_recorded(rq))
        return;
    record = record_json(rq);
    if (record.p == NULL)
        return;
    if (a->count == BATCH)
        audit_flush(f);
    p = &a->list[a->count];
    snprintf(p->provider, sizeof(p->provider), "%s", rq->tenant.row.name == NULL ? "" : rq->tenant.row.name);
    p->record = strndup((const char *)record.p, record.n);
    if (p->record == NULL)
        return;
    if (a->count++ == 0)
        a->oldest_us = clock_monotonic_us();
    if (strncmp(rq->operation, "Attest", 6) != 0)
        audit_flush(f);
}

static bool keeps_house(const struct front *f)
{
    return f->slot == 0 && f->audit_keep > 0;
}

/* Requests are served between two steps; with nothing left to forget the next look is an hour away. */
void audit_trim(struct front *f, uint64_t now_us)
{
    struct err e = { .code = ERR_NONE };
    int64_t deleted = 0;

    if (!keeps_house(f) || now_us < f->trim_us)
        return;
    if (!store_audit_trim(f->store, front_now(f) - f->audit_keep * 86400, TRIM_STEP, &deleted, &e))
        log_error("front", &e);
    if (deleted < TRIM_STEP)
        f->trim_us = now_us + TRIM_EVERY_US;
}

int audit_trim_timeout_ms(const struct front *f, uint64_t now_us)
{
    if (!keeps_house(f))
        return -1;
    return now_us >= f->trim_us ? 0 : (int)((f->trim_us - now_us) / 1000 + 1);
}

int audit_timeout_ms(const struct front *f, uint64_t now_us)
{
    if (f->audit == NULL || f->audit->count == 0)
        return -1;
    return now_us - f->audit->oldest_us >= DELAY_US ? 0 : (int)((DELAY_US - (now_us - f->audit->oldest_us)) / 1000 + 1);
}

/* collateral_metrics.c: what the collateral process says about itself (MSG_COLLATERAL_STATUS) as metrics. */
#include "front/front.h"

#include <stdio.h>

static int64_t number_of(const struct json *j, const char *name)
{
    int64_t v = 0;

    (void)json_int(json_member(j, name), &v);
    return v;
}

/* Label values are names from configuration and keys: quotes and backslashes do not occur, but are not trusted to. */
static void label(struct out *o, const struct json *j, const char *name)
{
    struct bytes text = { NULL, 0 };

    (void)json_string(json_member(j, name), &text);
    for (size_t i = 0; i < text.n; i++)
        out_char(o, text.p[i] < ' ' || text.p[i] == '"' || text.p[i] == '\\' ? '_' : (char)text.p[i]);
}

static void rows(struct out *o, const struct json *list, const char *label_name, const char *member, const char *metric, const char *type,
                 const char *help)
{
    out_printf(o, "# HELP %s %s\n# TYPE %s %s\n", metric, help, metric, type);
    for (const struct json *m = list == NULL ? NULL : list->child; m != NULL; m = m->next) {
        out_printf(o, "%s{%s=\"", metric, label_name);
        label(o, m, label_name);
        out_printf(o, "\"} %lld\n", (long long)number_of(m, member));
    }
}

static void health(struct out *o, const struct json *list)
{
    out_text(o, "# HELP avouch_collateral_source_open 1: the source may be asked; 0: it is left alone after failures.\n"
                "# TYPE avouch_collateral_source_open gauge\n");
    for (const struct json *m = list == NULL ? NULL : list->child; m != NULL; m = m->next) {
        struct bytes state = { NULL, 0 };

        (void)json_string(json_member(m, "state"), &state);
        out_text(o, "avouch_collateral_source_open{source=\"");
        label(o, m, "source");
        out_printf(o, "\"} %d\n", !bytes_is(state, "closed"));
    }
}

void collateral_metrics(struct front *f, struct out *o)
{
    static const struct {
        const char *member, *metric, *type, *help;
    } counters[] = {
        { "items", "avouch_collateral_items", "gauge", "Items in the cache." },
        { "hits", "avouch_collateral_hits_total", "counter", "Questions that the cache answered." },
        { "misses", "avouch_collateral_misses_total", "counter", "Questions that it did not." },
        { "joined", "avouch_collateral_joined_total", "counter", "Of those, the ones that waited for a fetch under way." },
        { "fetches", "avouch_collateral_fetches_total", "counter", "Requests to sources." },
        { "refused", "avouch_collateral_refused_total", "counter", "Answers of sources that were not kept." },
    };
    struct bytes text = collateral_status(f);
    const struct json *j, *sources, *entries;

    if (text.n == 0 || !json_parse(text, JSON_DEPTH, "status", o->a, &j, NULL))
        return;
    for (size_t i = 0; i < COUNT(counters); i++)
        out_printf(o, "# HELP %s %s\n# TYPE %s %s\n%s %lld\n", counters[i].metric, counters[i].help, counters[i].metric, counters[i].type,
                   counters[i].metric, (long long)number_of(j, counters[i].member));
    sources = json_member(j, "sources");
    entries = json_member(j, "entries");
    health(o, sources);
    rows(o, sources, "source", "asked", "avouch_collateral_source_requests_total", "counter", "Requests to a source.");
    rows(o, sources, "source", "failed", "avouch_collateral_source_failures_total", "counter", "Requests that brought nothing to keep.");
    rows(o, entries, "key", "age", "avouch_collateral_item_age_seconds", "gauge", "Seconds since an item was fetched.");
    rows(o, entries, "key", "expires_in", "avouch_collateral_item_expires_seconds", "gauge", "Seconds until an item ends.");
}

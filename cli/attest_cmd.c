/* attest_cmd.c: avouch attest: a client of the service. */
#include "cli/cli.h"

#include "codec/b64.h"
#include "evidence/evidence.h"

#include <getopt.h>
#include <stdio.h>

static const char help[] =
    "usage: avouch attest TYPE FILE --url URL [--ca FILE] [--api-version V] [--runtime-data F | --runtime-json F]\n"
    "              [--init-data F | --init-json F] [--nonce TEXT] [--draft-policy F] [--json]\n"
    "prints the token, with --json the whole answer\n";

static const struct option options[] = {
    { "url", required_argument, NULL, 'u' },
    { "ca", required_argument, NULL, 'c' },
    { "api-version", required_argument, NULL, 'v' },
    { "runtime-data", required_argument, NULL, 'r' },
    { "runtime-json", required_argument, NULL, 'R' },
    { "init-data", required_argument, NULL, 'i' },
    { "init-json", required_argument, NULL, 'I' },
    { "nonce", required_argument, NULL, 'n' },
    { "draft-policy", required_argument, NULL, 'd' },
    { "json", no_argument, NULL, 'j' },
    { 0 },
};

static bool put_data(struct jobj *body, const char *member, const char *path, const char *type, struct arena *a)
{
    struct jobj o = jobj_open(a);
    struct bytes data;

    if (!cli_read(path, a, &data))
        return false;
    jobj_b64url(&o, "data", data);
    jobj_text(&o, "dataType", type);
    jobj_json(body, member, jobj_print(&o, false));
    return true;
}

static bool put_text(struct jobj *body, const char *member, const char *path, struct arena *a)
{
    struct bytes text;

    if (!cli_read(path, a, &text))
        return false;
    jobj_str(body, member, text);
    return true;
}

/* The service's own words on stderr; the status by its kind. */
static int refused(const struct http_answer *answer, struct arena *a)
{
    const struct json *j, *error;
    struct err ignored = { .code = ERR_NONE };
    struct bytes code = { NULL, 0 }, message = { NULL, 0 };

    if (json_parse(answer->body, 64, "answer", a, &j, &ignored)) {
        error = json_member(j, "error");
        (void)json_string(json_member(error, "code"), &code);
        (void)json_string(json_member(error, "message"), &message);
    }
    fprintf(stderr, "avouch: HTTP %ld %s: %s\n", answer->status, cli_clean(code, a), cli_clean(message, a));
    return answer->status >= 500 || answer->status == 429 || answer->status == 408 ? EXIT_UNDECIDED : EXIT_REFUSED;
}

static int show(const struct http_answer *answer, bool whole, struct arena *a)
{
    const struct json *j;
    struct err e = { .code = ERR_NONE };
    struct bytes token;

    if (whole)
        cli_print_line(answer->body);
    if (answer->status != 200)
        return refused(answer, a);
    if (!json_parse(answer->body, 64, "answer", a, &j, &e) || !json_string(json_member(j, "token"), &token)) {
        (void)err_set(&e, ERR_INTERNAL, "answer", "has no token");
        return cli_error(&e);
    }
    if (!whole)
        cli_print_line(token);
    return EXIT_VALID;
}

int cmd_attest(int argc, char **argv)
{
    struct arena a;
    struct jobj body;
    const char *url = NULL, *ca = NULL, *version = "2022-08-01";
    const struct evidence_kind *kind;
    struct http_answer answer = { 0 };
    struct bytes evidence;
    struct err e = { .code = ERR_NONE };
    bool json = false, ok = true;
    int opt;

    arena_init(&a, (size_t)512 << 20);
    body = jobj_open(&a);
    while (ok && (opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (opt) {
        case 'u':
            url = optarg;
            break;
        case 'c':
            ca = optarg;
            break;
        case 'v':
            version = optarg;
            break;
        case 'r':
        case 'R':
            ok = put_data(&body, "runtimeData", optarg, opt == 'R' ? "JSON" : "Binary", &a);
            break;
        case 'i':
        case 'I':
            ok = put_data(&body, "initTimeData", optarg, opt == 'I' ? "JSON" : "Binary", &a);
            break;
        case 'n':
            jobj_text(&body, "nonce", optarg);
            break;
        case 'd':
            ok = put_text(&body, "draftPolicyForAttestation", optarg, &a);
            break;
        case 'j':
            json = true;
            break;
        default:
            ok = false;
        }
    }
    kind = ok && argc - optind == 2 ? evidence_kind_find(bytes_str(argv[optind])) : NULL;
    if (kind == NULL || url == NULL)
        return cli_usage(help);
    if (!cli_read(argv[optind + 1], &a, &evidence))
        return EXIT_USAGE;
    jobj_b64url(&body, kind->member, evidence);
    if (!cli_http("POST", arena_printf(&a, "%s/attest/%s?api-version=%s", url, kind->name, version), ca, jobj_print(&body, false), &a,
                  &answer, &e))
        return cli_error(&e);
    opt = show(&answer, json, &a);
    arena_done(&a);
    return opt;
}

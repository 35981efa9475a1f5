/* verify_cmd.c: avouch verify: the verifier at the command line, every check told. */
#include "cli/cli.h"

#include "codec/hex.h"
#include "codec/stamp.h"
#include "evidence/evidence.h"
#include "os/io.h"
#include "policy/policy.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char help[] =
    "usage: avouch verify TYPE FILE [--collateral DIR]... [--at TIME] [--runtime-data F | --runtime-json F]\n"
    "              [--init-data F | --init-json F] [--nonce HEX] [--trust DIR] [--accept STATUS,...]\n"
    "              [--id-block F --id-auth F] [--evaluation N] [--max-age SECONDS] [--tcb-sets] [--policy F] [--json]\n"
    "TYPE: SgxEnclave, OpenEnclave, TdxVm, SevSnpVm, AzureGuest, Tpm (any case)\n";

enum { LONG_VALUE = 120 };

struct verification {
    struct arena a;
    const struct evidence_kind *kind;
    struct evidence_input in;
    struct settings settings;
    struct collateral collateral;
    struct trust trust;
    struct checks checks;
    struct claims claims;
    void *evidence; /* as parsed */
    int64_t at;
    const char *status;
    const char *policy_file;
    bool json;
};

/* Files of a folder; problems are told. */
static bool read_files(struct verification *v, const char *folder, const struct named_bytes **ret, size_t *ret_count)
{
    struct err e = { .code = ERR_NONE };

    if (folder_read(folder, (size_t)64 << 20, &v->a, ret, ret_count, &e))
        return true;
    fprintf(stderr, "avouch: %s\n", e.why);
    return false;
}

static bool read_folder(struct verification *v, const char *folder)
{
    const struct named_bytes *files;
    size_t count;

    if (!read_files(v, folder, &files, &count))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct err why = { .code = ERR_NONE };

        if (!collateral_add(&v->collateral, files[i].body, files[i].name, &why) && !v->json)
            fprintf(stderr, "avouch: note: %s: %s\n", files[i].name, why.why);
    }
    return true;
}

static bool read_trust(struct verification *v, const char *folder)
{
    const struct named_bytes *files;
    struct err e = { .code = ERR_NONE };
    size_t count;

    if (!read_files(v, folder, &files, &count))
        return false;
    if (trust_add(&v->trust, files, count, &v->a, &e))
        return true;
    (void)cli_error(&e);
    return false;
}

static bool read_attached(struct verification *v, const char *path, enum data_type type, struct attached *ret)
{
    ret->present = true;
    ret->type = type;
    return cli_read(path, &v->a, &ret->data);
}

static bool read_accept(struct verification *v, const char *list)
{
    struct bytes all = bytes_str(list);

    v->settings.accept_tcb = 0;
    while (all.n > 0) {
        const uint8_t *comma = memchr(all.p, ',', all.n);
        struct bytes word = bytes_part(all, 0, comma == NULL ? all.n : (size_t)(comma - all.p));
        enum tcb_status s;

        if (!tcb_status_find(word, &s) || s == TCB_REVOKED) {
            fprintf(stderr, "avouch: '%.*s' is no status that can be accepted; known:", (int)word.n, (const char *)word.p);
            for (int i = 0; i < TCB_REVOKED; i++)
                fprintf(stderr, " %s", tcb_status_name((enum tcb_status)i));
            fputc('\n', stderr);
            return false;
        }
        v->settings.accept_tcb |= 1u << s;
        all = bytes_part(all, word.n + 1, all.n);
    }
    return true;
}

enum verify_option {
    OPT_COLLATERAL = 1,
    OPT_AT,
    OPT_RUNTIME_DATA,
    OPT_RUNTIME_JSON,
    OPT_INIT_DATA,
    OPT_INIT_JSON,
    OPT_NONCE,
    OPT_ID_BLOCK,
    OPT_ID_AUTH,
    OPT_TRUST,
    OPT_ACCEPT,
    OPT_EVALUATION,
    OPT_MAX_AGE,
    OPT_TCB_SETS,
    OPT_POLICY,
    OPT_JSON,
};

static const struct option options[] = {
    { "collateral", required_argument, NULL, OPT_COLLATERAL },
    { "at", required_argument, NULL, OPT_AT },
    { "runtime-data", required_argument, NULL, OPT_RUNTIME_DATA },
    { "runtime-json", required_argument, NULL, OPT_RUNTIME_JSON },
    { "init-data", required_argument, NULL, OPT_INIT_DATA },
    { "init-json", required_argument, NULL, OPT_INIT_JSON },
    { "nonce", required_argument, NULL, OPT_NONCE },
    { "id-block", required_argument, NULL, OPT_ID_BLOCK },
    { "id-auth", required_argument, NULL, OPT_ID_AUTH },
    { "trust", required_argument, NULL, OPT_TRUST },
    { "accept", required_argument, NULL, OPT_ACCEPT },
    { "evaluation", required_argument, NULL, OPT_EVALUATION },
    { "max-age", required_argument, NULL, OPT_MAX_AGE },
    { "tcb-sets", no_argument, NULL, OPT_TCB_SETS },
    { "policy", required_argument, NULL, OPT_POLICY },
    { "json", no_argument, NULL, OPT_JSON },
    { 0 },
};

static bool take_number(const char *text, int64_t *ret)
{
    struct json j = { .type = JSON_NUMBER, .text = bytes_str(text) };

    return j.text.n > 0 && json_int(&j, ret) && *ret >= 0;
}

static bool take_option(struct verification *v, int opt)
{
    switch (opt) {
    case OPT_COLLATERAL:
        return read_folder(v, optarg);
    case OPT_AT:
        return cli_time(optarg, &v->at);
    case OPT_RUNTIME_DATA:
        return read_attached(v, optarg, DATA_BINARY, &v->in.runtime);
    case OPT_RUNTIME_JSON:
        return read_attached(v, optarg, DATA_JSON, &v->in.runtime);
    case OPT_INIT_DATA:
        return read_attached(v, optarg, DATA_BINARY, &v->in.init);
    case OPT_INIT_JSON:
        return read_attached(v, optarg, DATA_JSON, &v->in.init);
    case OPT_NONCE:
        return hex_decode(bytes_str(optarg), &v->a, &v->in.nonce);
    case OPT_ID_BLOCK:
        return cli_read(optarg, &v->a, &v->in.id_block);
    case OPT_ID_AUTH:
        return cli_read(optarg, &v->a, &v->in.id_auth);
    case OPT_TRUST:
        return read_trust(v, optarg);
    case OPT_ACCEPT:
        return read_accept(v, optarg);
    case OPT_EVALUATION:
        return take_number(optarg, &v->settings.tcb_eval_number);
    case OPT_MAX_AGE:
        return take_number(optarg, &v->settings.collateral_max_age);
    case OPT_TCB_SETS:
        v->settings.tcb_sets = true;
        return true;
    case OPT_POLICY:
        v->policy_file = optarg;
        return true;
    case OPT_JSON:
        v->json = true;
        return true;
    default:
        return false;
    }
}

/* What a policy asks of the verification itself, as the service takes it. */
static bool configure(struct verification *v, struct bytes text, struct policy **ret, struct err *e)
{
    struct policy_diagnostics diag = policy_diagnostics_open(&v->a);
    const struct claim *c;
    const char *number;

    if (!policy_compile(text, bytes_str(v->kind->name), ret, &diag, e))
        return false;
    c = policy_property(*ret, "x-ms-sgx-tcbidentifier");
    if (c != NULL && !bytes_is(c->text, "azuredefault")) {
        number = arena_str(&v->a, c->text);
        if (number == NULL)
            return err_memory(e, "policy");
        v->settings.tcb_identifier = c->text;
        v->settings.tcb_eval_number = strtol(number, NULL, 10); /* the compiler has seen that it is one, of nine digits at most */
    }
    c = policy_property(*ret, "required_pcr_mask");
    if (c != NULL)
        v->settings.required_pcr_mask = (uint32_t)c->integer;
    c = policy_property(*ret, "require_valid_aik_cert");
    if (c != NULL)
        v->settings.require_valid_aik_cert = c->boolean;
    c = policy_property(*ret, "x-avouch-collateral-max-age");
    if (c != NULL)
        v->settings.collateral_max_age = max_age_stricter(v->settings.collateral_max_age, c->integer);
    c = policy_property(*ret, "x-avouch-tcb-sets");
    if (c != NULL && bytes_is(c->text, "both"))
        v->settings.tcb_sets = true;
    return true;
}

static bool apply_policy(struct verification *v, struct policy *p, struct err *e)
{
    struct policy_result result;
    bool ok;

    claims_str(&v->claims, "x-ms-attestation-type", CLAIM_TO_BOTH, bytes_str(evidence_type(v->kind, v->evidence)));
    ok = policy_eval(p, &v->claims, &v->a, &result, NULL, e);
    for (size_t i = 0; ok && i < result.issued.count; i++) {
        struct claim c = result.issued.list[i];

        c.use = CLAIM_TO_TOKEN;
        claims_add(&v->claims, c);
    }
    return ok;
}

static void print_json(struct verification *v, const char *result, const struct err *e)
{
    struct jobj o = jobj_open(&v->a), claims = jobj_open(&v->a), incoming = jobj_open(&v->a);

    claims_to_object(&v->claims, CLAIM_TO_TOKEN, &claims);
    claims_to_object(&v->claims, CLAIM_TO_POLICY, &incoming);
    jobj_text(&o, "result", result);
    jobj_text(&o, "type", v->kind->name);
    jobj_text(&o, "at", stamp_text(v->at).s);
    if (v->status != NULL)
        jobj_text(&o, "status", v->status);
    else
        jobj_json(&o, "status", LIT("null"));
    jobj_json(&o, "claims", jobj_print(&claims, true));
    jobj_json(&o, "policy_claims", jobj_print(&incoming, true));
    jobj_json(&o, "checks", checks_json(&v->checks, &v->a));
    if (e->code != ERR_NONE)
        jobj_json(&o, "error", cli_error_json(e, &v->a));
    cli_print_line(jobj_print(&o, false));
}

/* Claims of which `use` is the first bit that they have; a longer value is cut. */
static void print_claims(struct verification *v, const char *title, unsigned use, size_t longest)
{
    bool any = false;

    for (size_t i = 0; i < v->claims.count; i++) {
        const struct claim *c = &v->claims.list[i];
        struct bytes value = claim_value_json(c, &v->a);
        size_t n = value.n > longest ? longest : value.n;

        if (((c->use & CLAIM_TO_TOKEN) != 0 ? CLAIM_TO_TOKEN : c->use & CLAIM_TO_POLICY) != use)
            continue;
        if (!any)
            printf("\n%s\n", title);
        any = true;
        printf("  %s = %s", cli_clean(c->name, &v->a), cli_clean(bytes_part(value, 0, n), &v->a));
        if (n < value.n)
            printf("... (%zu bytes)", value.n);
        putchar('\n');
    }
}

static void print_text(struct verification *v, const char *result, const struct err *e)
{
    static const char marks[] = { '+', '-', ' ', '?' };

    printf("%s: %s at %s", v->kind->name, result, stamp_text(v->at).s);
    printf(v->status == NULL ? "\n" : ", platform status %s\n", v->status);
    if (e->code != ERR_NONE)
        printf("\n%s: %s\n  %s: %s\n", e->what, cli_clean(bytes_str(e->why), &v->a), err_name(e->code), err_hint(e->code));
    printf("\nchecks\n");
    for (const struct check *c = v->checks.first; c != NULL; c = c->next) {
        printf("  %c %s", marks[c->result], c->name);
        if (c->result == CHECK_OK)
            printf(": %s\n", c->actual != NULL ? cli_clean(bytes_str(c->actual), &v->a) : "ok");
        else
            printf(": %s%s%s%s\n", c->expected == NULL ? "" : "expected ", c->expected == NULL ? "" : cli_clean(bytes_str(c->expected), &v->a),
                   c->expected == NULL || c->actual == NULL ? "" : ", found ", c->actual == NULL ? "" : cli_clean(bytes_str(c->actual), &v->a));
    }
    print_claims(v, "claims", CLAIM_TO_TOKEN, SIZE_MAX);
    print_claims(v, "claims that only a policy sees (--json has them whole)", CLAIM_TO_POLICY, LONG_VALUE);
}

static int run(struct verification *v, struct bytes text)
{
    struct verify_env env = { .now = v->at, .trust = &v->trust, .collateral = &v->collateral, .settings = &v->settings,
                              .checks = &v->checks, .a = &v->a };
    struct err e = { .code = ERR_NONE };
    struct policy *policy = NULL;
    bool ok;
    const char *result;

    v->in.offline = true;
    ok = (v->policy_file == NULL || configure(v, text, &policy, &e))
        && evidence_verify_keep(v->kind, &v->in, &env, &v->claims, &v->status, &v->evidence, &e)
        && (v->policy_file == NULL || apply_policy(v, policy, &e));
    result = ok ? "valid" : err_is_undecided(e.code) ? "undecided" : "refused";
    if (v->json)
        print_json(v, result, &e);
    else
        print_text(v, result, &e);
    if (policy != NULL) /* names of issued claims are its own */
        policy_free(policy);
    return ok ? EXIT_VALID : cli_status(&e);
}

int cmd_verify(int argc, char **argv)
{
    static struct verification v;
    struct bytes policy = { NULL, 0 };
    int opt, status;

    arena_init(&v.a, (size_t)1 << 30);
    v.settings = settings_default();
    v.settings.mix_eval_numbers = true; /* the operator gave the folder: whatever fits together is told in the checks */
    v.collateral = collateral_open(&v.a);
    v.claims = claims_open(&v.a);
    v.checks.a = &v.a;
    v.at = clock_now();
    while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1)
        if (!take_option(&v, opt))
            return cli_usage(help);
    if (argc - optind != 2)
        return cli_usage(help);
    v.kind = evidence_kind_find(bytes_str(argv[optind]));
    if (v.kind == NULL) {
        fprintf(stderr, "avouch: evidence type '%s' is not known\n", argv[optind]);
        return cli_usage(help);
    }
    if (!cli_read(argv[optind + 1], &v.a, &v.in.evidence) || (v.policy_file != NULL && !cli_read(v.policy_file, &v.a, &policy)))
        return EXIT_USAGE;
    status = run(&v, policy);
    arena_done(&v.a);
    return status;
}

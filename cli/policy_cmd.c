/* policy_cmd.c: avouch policy: check, eval, format, hash, wrap, sign, unwrap, diff. */
#include "cli/policy_priv.h"
#include "jose/policy_jws.h"

#include <stdio.h>

static const char usage[] =
    "usage: avouch policy check FILE [--type T] [--json]\n"
    "       avouch policy eval FILE --claims CLAIMS.json [--type T] [--trace] [--json]\n"
    "       avouch policy format FILE\n"
    "       avouch policy hash FILE [--token]\n"
    "       avouch policy wrap FILE\n"
    "       avouch policy sign FILE --key KEY.pem --cert CERTS.pem [--alg ALG]\n"
    "       avouch policy unwrap FILE [--json]\n"
    "       avouch policy diff A B --claims DIR [--type T] [--json]\n"
    "FILE is a policy's text or its JWS; - is standard input. T is an attestation type, as SgxEnclave.\n";

enum { MEMORY = 1 << 30 };

static struct bytes type_of(const struct policy_args *args)
{
    return bytes_str(args->type == NULL ? "" : args->type);
}

static bool is_jws(struct bytes b)
{
    while (b.n > 0 && (b.p[0] == '"' || b.p[0] <= ' '))
        b = bytes_part(b, 1, b.n - 1);
    return bytes_equal(bytes_part(b, 0, 3), LIT("eyJ"));
}

static bool read_file(const char *path, struct arena *a, struct bytes *ret, struct err *e)
{
    return cli_read(path, a, ret) || err_set(e, ERR_USAGE, path, "cannot be read");
}

bool policy_file(const char *path, struct arena *a, struct bytes *ret_text, struct err *e)
{
    struct bytes file;
    struct signed_request r;
    bool empty, ok;

    if (!read_file(path, a, &file, e))
        return false;
    if (!is_jws(file)) {
        *ret_text = file;
        return true;
    }
    if (!signed_request_open(file, ANY_TIME, a, &r, e))
        return false;
    ok = policy_of_request(&r, a, ret_text, &empty, e);
    signed_request_done(&r);
    return ok;
}

/* Compiles and tells problems: on stderr, or in *d for --json. Warnings are for `check`: others want the result. */
static bool load(const struct policy_args *args, bool warnings, struct arena *a, struct policy **ret,
                 struct policy_diagnostics *d, struct err *e)
{
    struct bytes text;
    struct out o = out_open(a);
    bool ok;

    *d = policy_diagnostics_open(a);
    if (!policy_file(args->files[0], a, &text, e))
        return false;
    ok = policy_compile(text, type_of(args), ret, d, e);
    if (!args->json && (!ok || warnings)) {
        policy_diagnostics_print(d, args->files[0], &o);
        if (out_ok(&o))
            fprintf(stderr, "%.*s", (int)out_view(&o).n, (const char *)out_view(&o).p);
    }
    return ok;
}

/* The compiler's errors are on stderr already; others are told here. */
static int not_loaded(const struct err *e)
{
    return e->code == ERR_POLICY_SYNTAX ? EXIT_REFUSED : cli_error(e);
}

/* -- check -- */

static int check(const struct policy_args *args, struct arena *a)
{
    struct policy *p = NULL;
    struct policy_diagnostics d;
    struct err e = { 0 };
    bool ok = load(args, true, a, &p, &d, &e);

    if (!ok && e.code != ERR_POLICY_SYNTAX)
        return cli_error(&e);
    if (args->json) {
        struct jobj o = jobj_open(a);

        jobj_text(&o, "result", ok ? "accepted" : "rejected");
        if (ok) {
            jobj_text(&o, "version", policy_version(p));
            jobj_str(&o, "hash", policy_hash(policy_text(p), a));
        }
        jobj_json(&o, "problems", policy_diagnostics_json(&d, a));
        cli_print_line(jobj_print(&o, false));
    } else if (ok) {
        printf("%s: accepted, version %s, %zu warning%s\n", args->files[0], policy_version(p), d.count,
               d.count == 1 ? "" : "s");
    } else {
        fprintf(stderr, "%s: %zu error%s\n", args->files[0], d.errors, d.errors == 1 ? "" : "s");
    }
    policy_free(p);
    return ok ? EXIT_VALID : EXIT_REFUSED;
}

/* -- eval -- */

static void print_json(const struct policy_args *args, bool permitted, const struct policy_result *r,
                       const struct policy_trace *t, const struct err *e, struct arena *a)
{
    struct jobj o = jobj_open(a), properties = jobj_open(a);

    jobj_text(&o, "result", permitted ? "permitted" : "denied");
    jobj_json(&o, "issued", claims_list_json(&r->issued, a));
    claims_to_object(&r->properties, UINT32_MAX, &properties);
    jobj_json(&o, "properties", jobj_print(&properties, true));
    if (!permitted) {
        jobj_json(&o, "error", cli_error_json(e, a));
        jobj_text(&o, "summary", policy_trace_summary(t, true, a));
    }
    if (args->trace)
        jobj_json(&o, "trace", policy_trace_rules_json(t, a));
    cli_print_line(jobj_print(&o, false));
}

static void print_people(const struct policy_args *args, bool permitted, const struct policy_result *r,
                         const struct policy_trace *t, struct arena *a)
{
    struct out o = out_open(a);

    if (args->trace)
        policy_trace_print(t, &o);
    else if (!permitted)
        out_printf(&o, "%s", policy_trace_summary(t, true, a));
    if (out_ok(&o))
        fprintf(stderr, "%.*s", (int)out_view(&o).n, (const char *)out_view(&o).p);
    puts(permitted ? "permitted" : "denied");
    for (size_t i = 0; permitted && i < r->issued.count; i++) {
        struct bytes value = claim_value_json(&r->issued.list[i], a);

        printf("issued %.*s = %.*s\n", (int)r->issued.list[i].name.n, (const char *)r->issued.list[i].name.p,
               (int)value.n,
               (const char *)value.p);
    }
}

static int evaluate(const struct policy *p, const struct policy_args *args, struct arena *a)
{
    struct policy_result r = { .issued = claims_open(a), .properties = claims_open(a) };
    struct policy_trace t = policy_trace_open(a);
    struct claims in, none = claims_open(a);
    struct jobj token = jobj_open(a);
    struct bytes text;
    struct err e = { 0 };
    bool permitted;

    if (!read_file(args->claims, a, &text, &e))
        return EXIT_USAGE;
    if (!claims_read(text, args->claims, a, &in, &e)) {
        cli_error(&e);
        return EXIT_USAGE;
    }
    permitted = policy_eval(p, &in, a, &r, &t, &e) && policy_token_members(p, &none, &r, &token, &e);
    if (!permitted && err_is_undecided(e.code))
        return cli_error(&e);
    if (!permitted) {
        r.issued.count = 0;
        if (!args->json)
            cli_error(&e);
    }
    if (args->json)
        print_json(args, permitted, &r, &t, &e, a);
    else
        print_people(args, permitted, &r, &t, a);
    return permitted ? EXIT_VALID : EXIT_REFUSED;
}

static int eval(const struct policy_args *args, struct arena *a)
{
    struct policy *p = NULL;
    struct policy_diagnostics d;
    struct err e = { 0 };
    int status;

    if (args->claims == NULL)
        return cli_usage("avouch policy eval: --claims FILE is needed\n");
    if (!load(args, false, a, &p, &d, &e)) {
        if (args->json && e.code == ERR_POLICY_SYNTAX)
            cli_error(&e);
        return not_loaded(&e);
    }
    status = evaluate(p, args, a);
    policy_free(p);
    return status;
}

/* -- the others -- */

static int format(const struct policy_args *args, struct arena *a)
{
    struct policy *p = NULL;
    struct policy_diagnostics d;
    struct err e = { 0 };
    struct out o = out_open(a);

    if (!load(args, false, a, &p, &d, &e))
        return not_loaded(&e);
    if (policy_print(p, &o))
        cli_print(out_view(&o));
    policy_free(p);
    return out_ok(&o) ? EXIT_VALID : EXIT_UNDECIDED;
}

static int hash_file(const struct policy_args *args, struct arena *a)
{
    struct bytes text;
    struct err e = { 0 };

    if (args->token) {
        if (!read_file(args->files[0], a, &text, &e))
            return EXIT_USAGE;
        while (text.n > 0 && text.p[text.n - 1] <= ' ') /* the line end of the file is not the token's */
            text.n--;
        cli_print_line(policy_token_hash(text, a));
        return EXIT_VALID;
    }
    if (!policy_file(args->files[0], a, &text, &e))
        return cli_error(&e);
    cli_print_line(policy_hash(text, a));
    return EXIT_VALID;
}

static int wrap(const struct policy_args *args, struct arena *a)
{
    struct policy *p = NULL;
    struct policy_diagnostics d;
    struct err e = { 0 };

    if (!load(args, false, a, &p, &d, &e))
        return not_loaded(&e);
    cli_print_line(policy_wrap(policy_text(p), a));
    policy_free(p);
    return EXIT_VALID;
}

static int sign(const struct policy_args *args, struct arena *a)
{
    struct policy *p = NULL;
    struct policy_diagnostics d;
    struct bytes key, cert, jws;
    struct err e = { 0 };
    bool ok;

    if (args->key == NULL || args->cert == NULL)
        return cli_usage("avouch policy sign: --key KEY.pem and --cert CERTS.pem are needed\n");
    if (!read_file(args->key, a, &key, &e) || !read_file(args->cert, a, &cert, &e))
        return EXIT_USAGE;
    if (!load(args, false, a, &p, &d, &e))
        return not_loaded(&e);
    ok = policy_sign(policy_text(p), key, cert, args->alg, a, &jws, &e);
    policy_free(p);
    if (!ok)
        return cli_error(&e);
    cli_print_line(jws);
    return EXIT_VALID;
}

static struct bytes unwrapped_json(const struct signed_request *r, struct bytes text, struct arena *a)
{
    struct jobj o = jobj_open(a);

    jobj_bool(&o, "signed", r->is_signed);
    jobj_str(&o, "alg", r->jws.alg);
    if (r->is_signed)
        jobj_json(&o, "signer", policy_signer_json(r, a));
    if (r->chain_count > 0)
        jobj_text(&o, "subject", name_text(r->chain[0].subject, a));
    if (utf8_valid(text))
        jobj_str(&o, "policy", text);
    jobj_str(&o, "hash", policy_hash(text, a));
    jobj_str(&o, "tokenHash", policy_token_hash(r->jws.text, a));
    return jobj_print(&o, false);
}

static int unwrap(const struct policy_args *args, struct arena *a)
{
    struct bytes file, text;
    struct signed_request r;
    struct err e = { 0 };
    bool empty;

    if (!read_file(args->files[0], a, &file, &e))
        return EXIT_USAGE;
    if (!signed_request_open(file, ANY_TIME, a, &r, &e))
        return cli_error(&e);
    if (!policy_of_request(&r, a, &text, &empty, &e)) {
        signed_request_done(&r);
        return cli_error(&e);
    }
    if (args->json)
        cli_print_line(unwrapped_json(&r, text, a));
    else {
        fprintf(stderr, "avouch: %s%s\n", r.is_signed ? "signed by " : "not signed",
                !r.is_signed ? "" : r.chain_count > 0
                    ? name_text(r.chain[0].subject, a) : "a key without certificate");
        cli_print(text);
    }
    signed_request_done(&r);
    return EXIT_VALID;
}

static int diff(const struct policy_args *args, struct arena *a)
{
    if (args->claims == NULL)
        return cli_usage("avouch policy diff: --claims DIR is needed\n");
    return policy_diff(args, a);
}

/* -- arguments -- */

static const struct {
    const char *name;
    int files;
    int (*run)(const struct policy_args *args, struct arena *a);
} commands[] = {
    { "check", 1, check }, { "eval", 1, eval }, { "format", 1, format }, { "hash", 1, hash_file },
    { "wrap", 1, wrap },   { "sign", 1, sign }, { "unwrap", 1, unwrap }, { "diff", 2, diff },
};

static bool read_option(struct policy_args *args, const char *name, const char *value, bool *ret_used)
{
    const struct {
        const char *name;
        const char **to;
    } values[] = { { "--type", &args->type }, { "--claims", &args->claims }, { "--key", &args->key },
                   { "--cert", &args->cert }, { "--alg", &args->alg } };
    const struct {
        const char *name;
        bool *to;
    } flags[] = { { "--json", &args->json }, { "--trace", &args->trace }, { "--token", &args->token } };

    *ret_used = false;
    for (size_t i = 0; i < COUNT(flags); i++)
        if (strcmp(name, flags[i].name) == 0)
            return *flags[i].to = true;
    for (size_t i = 0; i < COUNT(values); i++)
        if (strcmp(name, values[i].name) == 0 && value != NULL) {
            *values[i].to = value;
            return *ret_used = true;
        }
    return false;
}

static bool read_args(int argc, char **argv, struct policy_args *args)
{
    for (int i = 2; i < argc; i++) {
        bool used;

        if (argv[i][0] == '-' && argv[i][1] != 0) {
            if (!read_option(args, argv[i], i + 1 < argc ? argv[i + 1] : NULL, &used))
                return false;
            i += used;
        } else if (args->count < 2) {
            args->files[args->count++] = argv[i];
        } else {
            return false;
        }
    }
    return true;
}

int cmd_policy(int argc, char **argv)
{
    struct policy_args args = { 0 };
    struct arena a;
    int status = -1;

    if (argc < 2 || !read_args(argc, argv, &args))
        return cli_usage(usage);
    for (size_t i = 0; i < COUNT(commands); i++) {
        if (strcmp(argv[1], commands[i].name) != 0)
            continue;
        if (args.count != commands[i].files)
            return cli_usage(usage);
        arena_init(&a, MEMORY);
        status = commands[i].run(&args, &a);
        arena_done(&a);
    }
    return status >= 0 ? status : cli_usage(usage);
}

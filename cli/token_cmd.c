/* token_cmd.c: avouch token decode | verify: a relying party at the command line. */
#include "cli/cli.h"

#include "codec/stamp.h"
#include "jose/jws.h"

#include <getopt.h>
#include <stdio.h>

#define SKEW 300 /* seconds that clocks may differ */

static const char help[] =
    "usage: avouch token decode TOKEN [--json]\n"
    "       avouch token verify TOKEN [--jwks FILE | --url URL] [--ca FILE] [--at TIME] [--issuer URL] [--json]\n"
    "TOKEN is the token itself, a file that holds it, or - for standard input\n";

static const struct option options[] = {
    { "jwks", required_argument, NULL, 'k' },   { "url", required_argument, NULL, 'u' }, { "ca", required_argument, NULL, 'c' },
    { "at", required_argument, NULL, 'a' },     { "issuer", required_argument, NULL, 'i' }, { "json", no_argument, NULL, 'j' }, { 0 },
};

struct args {
    struct arena a;
    const char *jwks, *url, *ca, *at, *issuer;
    bool json;
    struct bytes token;
    struct jws jws;
    const struct json *claims;
};

/* The token itself, or a file. */
static bool read_token(struct args *x, const char *arg)
{
    struct bytes b = bytes_str(arg);

    if (b.n < 20 || memchr(b.p, '.', b.n) == NULL || bytes_contain(b, LIT("/")) || bytes_contain(b, LIT(".jwt"))
        || bytes_contain(b, LIT(".json")))
        if (!cli_read(arg, &x->a, &b))
            return false;
    while (b.n > 0 && (b.p[b.n - 1] == '\n' || b.p[b.n - 1] == '\r' || b.p[b.n - 1] == ' '))
        b.n--;
    x->token = b;
    return true;
}

static bool parse(struct args *x, struct err *e)
{
    return jws_parse(x->token, JWS_UNSIGNED, ERR_SIGNATURE, "token", &x->a, &x->jws, e)
        && json_parse(x->jws.payload, JSON_DEPTH, "token payload", &x->a, &x->claims, e)
        && (x->claims->type == JSON_OBJECT || err_set(e, ERR_FORMAT, "token payload", "is no JSON object"));
}

static void print_member_lines(const struct json *j, struct arena *a)
{
    for (const struct json *m = j->child; m != NULL; m = m->next) {
        struct out o = out_open(a), name = out_open(a);
        int64_t t;

        json_print(&o, m, false);
        json_print_string(&name, m->name); /* as it is written: what an escape stands for is nobody's to obey */
        printf("  %s = %s", cli_clean(bytes_part(out_view(&name), 1, out_view(&name).n - 2), a), cli_clean(out_view(&o), a));
        if ((bytes_is(m->name, "exp") || bytes_is(m->name, "nbf") || bytes_is(m->name, "iat")) && json_int(m, &t))
            printf("  (%s)", stamp_text(t).s);
        putchar('\n');
    }
}

static struct bytes compact(const struct json *j, struct arena *a)
{
    struct out o = out_open(a);

    json_print(&o, j, false);
    return out_view(&o);
}

static int decode(struct args *x)
{
    struct err e = { .code = ERR_NONE };
    struct jobj o = jobj_open(&x->a);

    if (!parse(x, &e))
        return cli_error(&e);
    if (x->json) {
        jobj_json(&o, "header", compact(x->jws.header, &x->a));
        jobj_json(&o, "claims", compact(x->claims, &x->a));
        cli_print_line(jobj_print(&o, false));
        return EXIT_VALID;
    }
    printf("header\n");
    print_member_lines(x->jws.header, &x->a);
    printf("claims\n");
    print_member_lines(x->claims, &x->a);
    return EXIT_VALID;
}

/* -- verify -- */

static bool read_keys(struct args *x, struct bytes *ret, struct err *e)
{
    struct http_answer answer = { 0 };
    struct bytes iss = { NULL, 0 };
    const char *url = x->url;

    if (x->jwks != NULL)
        return cli_read(x->jwks, &x->a, ret) || err_set(e, ERR_USAGE, "key set", "cannot be read");
    if (url == NULL && json_string(json_member(x->claims, "iss"), &iss))
        return err_set(e, ERR_USAGE, "key set", "give --jwks FILE or --url URL; the token names its issuer %.*s itself, which proves nothing",
                       (int)iss.n, (const char *)iss.p);
    if (url == NULL)
        return err_set(e, ERR_USAGE, "key set", "give --jwks FILE or --url URL");
    if (!cli_http("GET", arena_printf(&x->a, "%s/certs", url), x->ca, (struct bytes){ NULL, 0 }, &x->a, &answer, e))
        return false;
    if (answer.status != 200)
        return err_set(e, ERR_UNAVAILABLE, "key set", "%s/certs answers HTTP %ld", url, answer.status);
    *ret = answer.body;
    return true;
}

/* What is no key set says nothing about the token: a proxy's page, a file that was cut. */
static bool read_set(struct args *x, struct bytes keys, const struct json **ret, struct err *e)
{
    struct err why = { .code = ERR_NONE };
    const struct json *set;

    if (!json_parse(keys, JSON_DEPTH, "key set", &x->a, &set, &why))
        return err_set(e, ERR_UNAVAILABLE, "key set", "%s", why.why);
    *ret = json_member(set, "keys");
    return json_is(*ret, JSON_ARRAY) || err_set(e, ERR_UNAVAILABLE, "key set", "has no list of keys");
}

/* Keys that this tool cannot use are passed over: a set may hold some for other algorithms. */
static bool check_signature(struct args *x, struct bytes keys, struct err *e)
{
    const struct json *list;
    struct err last = { .code = ERR_NONE };
    bool kid_known = false;

    if (x->jws.is_unsigned)
        return err_set(e, ERR_SIGNATURE, "token", "is not signed (alg none): a token for a draft policy proves nothing");
    if (!read_set(x, keys, &list, e))
        return false;
    for (const struct json *j = list->child; j != NULL; j = j->next) {
        struct bytes kid = { NULL, 0 };
        struct jwk k;
        bool ok;

        (void)json_string(json_member(j, "kid"), &kid);
        if (!bytes_equal(kid, x->jws.kid))
            continue;
        kid_known = true;
        if (!jwk_read(j, "key", &x->a, &k, &last))
            continue;
        ok = jws_verify(&x->jws, &k, JWS_STRICT, ERR_SIGNATURE, "token", &last);
        jwk_done(&k);
        if (ok)
            return true;
    }
    if (last.code != ERR_NONE)
        return err_set(e, last.code, last.what, "%s", last.why);
    return err_set(e, ERR_SIGNATURE, "token", kid_known ? "no key of the set verifies it%.0s" : "kid '%.60s' is not in the key set",
                   x->jws.kid.n == 0 ? "" : arena_str(&x->a, x->jws.kid));
}

/* Differences of `at`, which is far from both ends, cannot overflow. */
static bool check_times(struct args *x, int64_t at, struct err *e)
{
    const struct json *from = json_member(x->claims, "nbf");
    int64_t exp, nbf;

    if (!json_int(json_member(x->claims, "exp"), &exp))
        return err_set(e, ERR_FORMAT, "token", "'exp' is missing or no whole number");
    if (at - SKEW > exp)
        return err_set(e, ERR_CERT_EXPIRED, "token", "expired at %s, now is %s", stamp_text(exp).s, stamp_text(at).s);
    if (from != NULL && !json_int(from, &nbf))
        return err_set(e, ERR_FORMAT, "token", "'nbf' is no whole number");
    if (from != NULL && at + SKEW < nbf)
        return err_set(e, ERR_CERT_EXPIRED, "token", "is valid from %s, now is %s", stamp_text(nbf).s, stamp_text(at).s);
    return true;
}

static bool check_issuer(struct args *x, struct err *e)
{
    const char *wanted = x->issuer != NULL ? x->issuer : x->url;
    struct bytes iss = { NULL, 0 };

    (void)json_string(json_member(x->claims, "iss"), &iss);
    return wanted == NULL || bytes_is(iss, wanted)
        || err_set(e, ERR_SIGNATURE, "token", "issuer is '%.*s', expected '%s'", (int)iss.n, (const char *)iss.p, wanted);
}

static int verify(struct args *x)
{
    struct err e = { .code = ERR_NONE };
    struct jobj o = jobj_open(&x->a);
    struct bytes keys;
    int64_t at;
    bool ok;

    if (!cli_time(x->at, &at))
        return EXIT_USAGE;
    ok = parse(x, &e) && read_keys(x, &keys, &e) && check_signature(x, keys, &e) && check_issuer(x, &e) && check_times(x, at, &e);
    if (!x->json)
        return ok ? (printf("valid: signature by %s, %s at %s\n", cli_clean(x->jws.kid, &x->a),
                            x->issuer == NULL && x->url == NULL ? "times hold; its issuer was not compared (--issuer)," : "issuer and times hold",
                            stamp_text(at).s),
                     EXIT_VALID)
                  : cli_error(&e);
    jobj_text(&o, "result", ok ? "valid" : err_is_undecided(e.code) ? "undecided" : "refused");
    jobj_text(&o, "at", stamp_text(at).s);
    if (x->claims != NULL)
        jobj_json(&o, "claims", compact(x->claims, &x->a));
    if (!ok)
        jobj_json(&o, "error", cli_error_json(&e, &x->a));
    cli_print_line(jobj_print(&o, false));
    return ok ? EXIT_VALID : cli_status(&e);
}

int cmd_token(int argc, char **argv)
{
    static struct args x;
    const char *verb = argc < 2 ? "" : argv[1];
    int opt, status;

    if (strcmp(verb, "decode") != 0 && strcmp(verb, "verify") != 0)
        return cli_usage(help);
    arena_init(&x.a, (size_t)256 << 20);
    while ((opt = getopt_long(argc - 1, argv + 1, "", options, NULL)) != -1) {
        switch (opt) {
        case 'k':
            x.jwks = optarg;
            break;
        case 'u':
            x.url = optarg;
            break;
        case 'c':
            x.ca = optarg;
            break;
        case 'a':
            x.at = optarg;
            break;
        case 'i':
            x.issuer = optarg;
            break;
        case 'j':
            x.json = true;
            break;
        default:
            return cli_usage(help);
        }
    }
    if (argc - 1 - optind != 1)
        return cli_usage(help);
    if (!read_token(&x, argv[1 + optind]))
        return EXIT_USAGE;
    status = strcmp(verb, "decode") == 0 ? decode(&x) : verify(&x);
    arena_done(&x.a);
    return status;
}

/* policy_diff.c: which claim sets two policies decide otherwise: `avouch policy diff A B --claims DIR`. */
#include "cli/policy_priv.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

struct outcome {
    bool permitted;
    struct bytes issued; /* token members, sorted */
    const char *why;
};

static bool outcome_of(const struct policy *p, const struct claims *in, struct arena *a, struct outcome *ret,
                       struct err *e)
{
    struct policy_result r;
    struct claims none = claims_open(a);
    struct jobj o = jobj_open(a);
    struct err why = { 0 };

    *ret = (struct outcome){ .issued = LIT("{}") };
    ret->permitted = policy_eval(p, in, a, &r, NULL, &why) && policy_token_members(p, &none, &r, &o, &why);
    if (ret->permitted)
        ret->issued = jobj_print(&o, true);
    else if (err_is_undecided(why.code))
        return err_set(e, why.code, why.what, "%s", why.why);
    else
        ret->why = arena_str(a, bytes_str(why.why));
    return true;
}

static void print_text(const char *name, const struct outcome *x, const struct outcome *y)
{
    printf("%s: %s -> %s\n", name, x->permitted ? "permitted" : "denied", y->permitted ? "permitted" : "denied");
    if (x->permitted && y->permitted)
        printf("    - %.*s\n    + %.*s\n", (int)x->issued.n, (const char *)x->issued.p, (int)y->issued.n,
               (const char *)y->issued.p);
    else
        printf("    %s\n", x->why != NULL ? x->why : y->why != NULL ? y->why : "");
}

static struct bytes one_json(const char *name, const struct outcome *x, const struct outcome *y, struct arena *a)
{
    struct jobj o = jobj_open(a);

    jobj_text(&o, "claims", name);
    jobj_text(&o, "before", x->permitted ? "permitted" : "denied");
    jobj_text(&o, "after", y->permitted ? "permitted" : "denied");
    jobj_json(&o, "issuedBefore", x->issued);
    jobj_json(&o, "issuedAfter", y->issued);
    return jobj_print(&o, false);
}

static bool same(const struct outcome *x, const struct outcome *y)
{
    return x->permitted == y->permitted && bytes_equal(x->issued, y->issued);
}

static bool compare_file(struct policy *const p[2], const char *dir, const char *name, bool json, struct arena *a,
                         struct jarr *list, size_t *differ, struct err *e)
{
    struct bytes text;
    struct claims in;
    struct outcome x, y;
    const char *path = arena_printf(a, "%s/%s", dir, name);

    if (path == NULL || !cli_read(path, a, &text))
        return err_set(e, ERR_USAGE, name, "cannot be read");
    if (!claims_read(text, name, a, &in, e) || !outcome_of(p[0], &in, a, &x, e) || !outcome_of(p[1], &in, a, &y, e))
        return false;
    if (same(&x, &y))
        return true;
    ++*differ;
    if (json)
        jarr_raw(list, one_json(name, &x, &y, a));
    else
        print_text(name, &x, &y);
    return true;
}

static int by_name(const struct dirent **x, const struct dirent **y)
{
    return strcmp((*x)->d_name, (*y)->d_name);
}

static int is_json(const struct dirent *f)
{
    size_t n = strlen(f->d_name);

    return n > 5 && strcmp(f->d_name + n - 5, ".json") == 0;
}

static int compare_all(struct policy *const p[2], const struct policy_args *args, struct arena *a)
{
    struct dirent **files;
    struct jarr list = jarr_open(a);
    size_t differ = 0;
    struct err e = { 0 };
    int n = scandir(args->claims, &files, is_json, by_name);

    if (n < 0) {
        fprintf(stderr, "avouch: cannot read folder %s\n", args->claims);
        return EXIT_USAGE;
    }
    for (int i = 0; i < n; i++) {
        if (e.code == ERR_NONE)
            (void)!compare_file(p, args->claims, files[i]->d_name, args->json, a, &list, &differ, &e);
        free(files[i]);
    }
    free(files);
    if (e.code != ERR_NONE)
        return cli_error(&e);
    if (args->json)
        cli_print_line(jarr_close(&list));
    else
        printf("%d claim sets, %zu decided otherwise\n", n, differ);
    return differ == 0 ? EXIT_VALID : EXIT_REFUSED;
}

int policy_diff(const struct policy_args *args, struct arena *a)
{
    struct policy *p[2] = { NULL, NULL };
    struct err e = { 0 };
    int status;

    for (int i = 0; i < 2; i++) {
        struct bytes text;

        if (!policy_file(args->files[i], a, &text, &e)
            || !policy_compile(text, bytes_str(args->type == NULL ? "" : args->type), &p[i], NULL, &e)) {
            policy_free(p[0]);
            return cli_error(&e);
        }
    }
    status = compare_all(p, args, a);
    policy_free(p[0]);
    policy_free(p[1]);
    return status;
}

/* jmespath_cmd.c: avouch jmespath EXPR [FILE]: the query language of policies, to try things out. */
#include "cli/cli.h"
#include "jmespath/jmespath.h"

static int run(struct bytes expression, const char *path, struct arena *a)
{
    const struct jmespath *compiled;
    const struct jvalue *in, *found;
    uint64_t steps = JMESPATH_STEPS;
    struct bytes text;
    struct out o = out_open(a);
    struct err e = { 0 };

    if (!jmespath_compile(expression, a, &compiled, &e))
        return cli_error(&e);
    if (!cli_read(path, a, &text))
        return EXIT_USAGE;
    if (!jvalue_parse(text, path, a, &in, &e) || !jmespath_search(compiled, in, a, &steps, &found, &e))
        return cli_error(&e);
    jvalue_print(&o, found);
    if (!out_ok(&o)) {
        err_set(&e, ERR_EXPRESSION, "JMESPath", "the result is longer than %zu bytes", JMESPATH_MAX_RESULT);
        return cli_error(&e);
    }
    cli_print_line(out_view(&o));
    return EXIT_VALID;
}

int cmd_jmespath(int argc, char **argv)
{
    struct arena a;
    int status;

    if (argc < 2 || argc > 3)
        return cli_usage("usage: avouch jmespath EXPRESSION [FILE]\n"
                         "FILE is JSON; without it, or with -, standard input is read.\n");
    arena_init(&a, (size_t)1 << 30);
    status = run(bytes_str(argv[1]), argc == 3 ? argv[2] : "-", &a);
    arena_done(&a);
    return status;
}

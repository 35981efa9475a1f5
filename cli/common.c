/* common.c: see cli.h. */
#include "cli/cli.h"

#include "codec/stamp.h"
#include "os/io.h"

#include <stdio.h>

int cli_usage(const char *text)
{
    fputs(text, stderr);
    return EXIT_USAGE;
}

int cli_status(const struct err *e)
{
    return e->code == ERR_USAGE ? EXIT_USAGE : err_is_undecided(e->code) ? EXIT_UNDECIDED : EXIT_REFUSED;
}

/* Lines stay where `lines` says so. C1 controls are two bytes of UTF-8. */
static void clean(char *text, size_t n, bool lines)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t c = (uint8_t)text[i], before = i == 0 ? 0 : (uint8_t)text[i - 1];

        if ((c < ' ' && !(lines && c == '\n')) || c == 0x7f || (before == 0xc2 && c >= 0x80 && c <= 0x9f))
            text[i] = '?';
        if (text[i] == '?' && before == 0xc2)
            text[i - 1] = '?';
    }
}

const char *cli_clean(struct bytes text, struct arena *a)
{
    char *copy = arena_str(a, text);

    if (copy == NULL)
        return "";
    clean(copy, text.n, false);
    return copy;
}

int cli_error(const struct err *e)
{
    struct err shown = *e;

    clean(shown.what, strlen(shown.what), false);
    clean(shown.why, strlen(shown.why), true);
    fprintf(stderr, "avouch: %s: %s\n", shown.what, shown.why);
    if (err_hint(e->code)[0] != 0 && e->code != ERR_USAGE)
        fprintf(stderr, "        %s: %s\n", err_name(e->code), err_hint(e->code));
    return cli_status(e);
}

bool cli_read(const char *path, struct arena *a, struct bytes *ret)
{
    struct err e = { .code = ERR_NONE };
    struct out o = out_open(a);
    size_t n;

    if (strcmp(path, "-") != 0) {
        if (file_read(path, (size_t)64 << 20, a, ret, &e))
            return true;
        fprintf(stderr, "avouch: %s\n", e.why);
        return false;
    }
    do {
        uint8_t *p = out_room(&o, 65536);

        if (p == NULL)
            return false;
        n = fread(p, 1, 65536, stdin);
        o.n -= 65536 - n;
    } while (n > 0 && o.n < ((size_t)64 << 20));
    *ret = out_view(&o);
    return ret->p != NULL;
}

void cli_print(struct bytes b)
{
    (void)!fwrite(b.p, 1, b.n, stdout);
}

void cli_print_line(struct bytes b)
{
    cli_print(b);
    putchar('\n');
}

struct bytes cli_error_json(const struct err *e, struct arena *a)
{
    struct jobj o = jobj_open(a);

    jobj_text(&o, "code", err_name(e->code));
    jobj_text(&o, "message", arena_printf(a, "%s: %s", e->what, e->why));
    jobj_text(&o, "hint", err_hint(e->code));
    return jobj_print(&o, false);
}

bool cli_time(const char *text, int64_t *ret)
{
    if (text == NULL) {
        *ret = clock_now();
        return true;
    }
    if (stamp_parse(bytes_str(text), ret))
        return true;
    fprintf(stderr, "avouch: '%s' is not a time of the form YYYY-MM-DDThh:mm:ssZ\n", text);
    return false;
}

/* explain_cmd.c: avouch explain: evidence recognised by its content and printed field by field. */
#include "cli/explain.h"

#include "cli/cli.h"
#include "codec/b64.h"
#include "codec/hex.h"
#include "codec/stamp.h"

#include <stdarg.h>
#include <stdio.h>

enum { MAX_NESTED = 4, NAME_WIDTH = 30, SHOWN = 64, BUDGET = 64 << 20 };

static const char help[] = "usage: avouch explain FILE\n"
                           "FILE is any evidence, certificate or collateral, as binary, base64 or hexadecimal text;"
                           " - is standard input\n";

/* Every room that has something to explain: its rows and their number. */
static const struct {
    const struct explainer *rows;
    const size_t *count;
} rooms[] = {
    { explain_snp, &explain_snp_count },
    { explain_intel, &explain_intel_count },
    { explain_tpm, &explain_tpm_count },
    { explain_documents, &explain_documents_count },
};

static const struct explainer *recognise(struct bytes in)
{
    for (size_t r = 0; r < COUNT(rooms); r++)
        for (size_t i = 0; i < *rooms[r].count; i++)
            if (rooms[r].rows[i].is(in))
                return &rooms[r].rows[i];
    return NULL;
}

/* -- the page -- */

static void name_column(struct page *p, const char *name)
{
    out_printf(&p->o, "%*s%-*s ", (int)(2 * p->indent), "", NAME_WIDTH, name);
}

void page_heading(struct page *p, const char *text)
{
    out_printf(&p->o, "%*s%s\n", (int)(2 * p->indent), "", text);
}

void page_text(struct page *p, const char *name, struct bytes text)
{
    name_column(p, name);
    for (size_t i = 0; i < text.n && i < 200; i++)
        out_char(&p->o, text.p[i] >= 0x20 && text.p[i] != 0x7f ? (char)text.p[i] : '?');
    out_text(&p->o, text.n > 200 ? "...\n" : "\n");
}

void page_line(struct page *p, const char *name, const char *fmt, ...)
{
    char text[256];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    page_text(p, name, bytes_str(text));
}

void page_hex(struct page *p, const char *name, struct bytes b)
{
    name_column(p, name);
    hex_print(&p->o, bytes_part(b, 0, b.n > SHOWN ? SHOWN / 2 : b.n));
    if (b.n > SHOWN)
        out_printf(&p->o, "... (%zu bytes)", b.n);
    else if (b.n > 0 && bytes_all_zero(b))
        out_text(&p->o, " (zero)");
    out_char(&p->o, '\n');
}

void page_time(struct page *p, const char *name, int64_t t)
{
    page_text(p, name, bytes_str(stamp_text(t).s));
}

void page_bits(struct page *p, const char *name, uint64_t value, const struct bit_name *bits, size_t count)
{
    uint64_t known = 0;

    page_line(p, name, "0x%llx", (unsigned long long)value);
    p->indent++;
    for (size_t i = 0; i < count; i++) {
        known |= UINT64_C(1) << bits[i].bit;
        page_line(p, arena_printf(p->a, "bit %u", bits[i].bit), "%s  %s", (value >> bits[i].bit & 1) != 0 ? "1" : "0",
                  bits[i].name);
    }
    for (unsigned bit = 0; bit < 64; bit++)
        if ((value & ~known) >> bit & 1)
            page_line(p, arena_printf(p->a, "bit %u", bit), "1  (no published name)");
    p->indent--;
}

static void page_cert(struct page *p, const struct cert *c)
{
    page_text(p, "subject", bytes_str(name_text(c->subject, p->a)));
    page_text(p, "issuer", bytes_str(name_text(c->issuer, p->a)));
    page_text(p, "serial number", bytes_str(cert_serial_hex(c, p->a)));
    page_time(p, "valid from", c->not_before);
    page_time(p, "valid to", c->not_after);
    page_text(p, "signature algorithm", bytes_str(sig_alg_name(c->sig_alg)));
}

void page_certs(struct page *p, const char *heading, struct bytes in)
{
    struct err e = { .code = ERR_NONE };
    struct cert *list;
    size_t n;

    while (in.n > 0 && in.p[in.n - 1] == 0)
        in.n--;
    if (!certs_read(in, 16, heading, p->a, &list, &n, &e)) {
        page_text(p, heading, bytes_str(e.why));
        return;
    }
    for (size_t i = 0; i < n; i++) {
        page_heading(p, arena_printf(p->a, "%s %zu", heading, i + 1));
        p->indent++;
        page_cert(p, &list[i]);
        p->indent--;
    }
}

/* Text of base64 or hexadecimal digits with white space: what is inside, or an empty view. */
static struct bytes from_text(struct bytes in, struct arena *a)
{
    struct err ignored = { .code = ERR_NONE };
    struct bytes decoded = { NULL, 0 };
    struct out o = out_open(a);

    for (size_t i = 0; i < in.n; i++)
        if (in.p[i] >= 0x80)
            return decoded;
        else if (in.p[i] > ' ')
            out_u8(&o, in.p[i]);
    if (o.n < 32 || !out_ok(&o))
        return decoded;
    if (!hex_decode(out_view(&o), a, &decoded) && !b64_decode(out_view(&o), B64_ANY, "text", a, &decoded, &ignored))
        return (struct bytes){ NULL, 0 };
    return decoded;
}

static bool explain(struct page *p, struct bytes in, struct err *e)
{
    const struct explainer *x = recognise(in);
    struct bytes inner;

    if (x != NULL) {
        page_heading(p, arena_printf(p->a, "%s, %zu bytes", x->name, in.n));
        p->indent++;
        if (!x->explain(in, p, e))
            return false;
        p->indent--;
        return true;
    }
    inner = p->nested < MAX_NESTED ? from_text(in, p->a) : (struct bytes){ NULL, 0 };
    if (inner.n == 0)
        return err_set(e, ERR_FORMAT, "evidence", "%zu bytes are of no kind that is known here", in.n);
    p->nested++;
    page_heading(p, "text that holds");
    return explain(p, inner, e);
}

bool page_nested(struct page *p, const char *heading, struct bytes in, struct err *e)
{
    bool ok;

    if (p->nested >= MAX_NESTED || recognise(in) == NULL) {
        page_hex(p, heading, in);
        return true;
    }
    p->nested++;
    page_heading(p, heading);
    p->indent++;
    ok = explain(p, in, e);
    p->indent--;
    p->nested--;
    return ok;
}

int cmd_explain(int argc, char **argv)
{
    struct page p = { .indent = 0 };
    struct err e = { .code = ERR_NONE };
    struct arena a;
    struct bytes in;
    int status = EXIT_VALID;

    if (argc != 2 || strcmp(argv[1], "--help") == 0)
        return cli_usage(help);
    arena_init(&a, BUDGET);
    if (!cli_read(argv[1], &a, &in)) {
        arena_done(&a);
        return EXIT_USAGE;
    }
    p.a = &a;
    p.o = out_open(&a);
    if (!explain(&p, in, &e))
        status = cli_error(&e);
    cli_print(out_view(&p.o)); /* also what was read before the error: that is where it stands */
    arena_done(&a);
    return status;
}

/* pem.c: see pem.h. */
#include "codec/pem.h"

#include "codec/b64.h"

/* Offset of `needle` at or after `at`, or SIZE_MAX. */
static size_t find(struct bytes text, size_t at, struct bytes needle)
{
    const uint8_t *p;

    if (at >= text.n)
        return SIZE_MAX;
    p = memmem(text.p + at, text.n - at, needle.p, needle.n);
    return p == NULL ? SIZE_MAX : (size_t)(p - text.p);
}

bool pem_next(struct bytes text, size_t *at, const char *what, struct arena *a,
              struct pem_block *ret, struct err *e)
{
    static const char begin[] = "-----BEGIN ", end[] = "-----END ", dashes[] = "-----";
    size_t start = find(text, *at, LIT(begin)), label_end, body_end, stop;
    struct bytes label, body;
    uint8_t *squeezed;
    size_t n = 0;

    if (start == SIZE_MAX)
        return false;
    label_end = find(text, start + sizeof(begin) - 1, LIT(dashes));
    if (label_end == SIZE_MAX)
        return err_set(e, ERR_CERT_FORMAT, what, "PEM block at offset %zu has no end of its first line", start);
    label = bytes_part(text, start + sizeof(begin) - 1, label_end - start - (sizeof(begin) - 1));
    body_end = find(text, label_end + 5, LIT(end));
    if (body_end == SIZE_MAX)
        return err_set(e, ERR_CERT_FORMAT, what, "PEM block at offset %zu has no END line", start);
    stop = body_end + sizeof(end) - 1;
    if (!bytes_equal(bytes_part(text, stop, label.n), label)
        || !bytes_equal(bytes_part(text, stop + label.n, 5), LIT(dashes)))
        return err_set(e, ERR_CERT_FORMAT, what, "PEM block at offset %zu ends with another label", start);
    stop += label.n + 5;
    body = bytes_part(text, label_end + 5, body_end - label_end - 5);
    squeezed = arena_alloc(a, body.n + 1);
    if (squeezed == NULL)
        return err_memory(e, what);
    for (size_t i = 0; i < body.n; i++)
        if (body.p[i] != '\n' && body.p[i] != '\r' && body.p[i] != ' ' && body.p[i] != '\t')
            squeezed[n++] = body.p[i];
    if (!b64_decode(bytes_of(squeezed, n), B64_STD_STRICT, what, a, &ret->der, e)) {
        if (e != NULL && e->code == ERR_BAD_REQUEST)
            e->code = ERR_CERT_FORMAT;
        return false;
    }
    ret->label = label;
    ret->text = bytes_part(text, start, stop - start);
    *at = stop;
    return true;
}

void pem_print(struct out *o, const char *label, struct bytes der)
{
    out_printf(o, "-----BEGIN %s-----\n", label);
    for (size_t i = 0; i < der.n; i += 48) {
        b64std_print(o, bytes_part(der, i, 48));
        out_char(o, '\n');
    }
    out_printf(o, "-----END %s-----\n", label);
}

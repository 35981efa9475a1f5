/* err.c: the error table's look-ups. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
    const char *name;
    int http;
    const char *rest;
    const char *hint;
} table[] = {
#define X(code, http, rest, hint) { #code, http, rest, hint },
    ERR_TABLE(X)
#undef X
};

bool err_set(struct err *e, enum err_code code, const char *what, const char *fmt, ...)
{
    va_list args;

    if (e == NULL || e->code != ERR_NONE) /* the first reason stands */
        return false;
    e->code = code;
    snprintf(e->what, sizeof(e->what), "%s", what);
    va_start(args, fmt);
    vsnprintf(e->why, sizeof(e->why), fmt, args);
    va_end(args);
    return false;
}

bool err_memory(struct err *e, const char *what)
{
    return err_set(e, ERR_NO_MEMORY, what, "needs more memory than the budget of a request");
}

const char *err_name(enum err_code code)
{
    return (size_t)code < COUNT(table) ? table[code].name : "UNKNOWN";
}

int err_http(enum err_code code)
{
    return (size_t)code < COUNT(table) ? table[code].http : 500;
}

const char *err_rest_code(enum err_code code)
{
    return (size_t)code < COUNT(table) ? table[code].rest : "InternalError";
}

const char *err_hint(enum err_code code)
{
    return (size_t)code < COUNT(table) ? table[code].hint : "";
}

bool err_is_undecided(enum err_code code)
{
    return err_http(code) >= 500;
}

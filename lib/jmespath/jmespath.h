/* jmespath.h: JMESPath (jmespath.org specification) and the service's equals_ignore_case().
 *
 * An expression is compiled once and searched often. Both are bounded: text, nesting, steps, and the
 * arena's budget; whatever an expression or a document does, it ends (policy-language section 8). */
#ifndef AVOUCH_JMESPATH_JMESPATH_H
#define AVOUCH_JMESPATH_JMESPATH_H

#include "base/arena.h"
#include "base/err.h"
#include "codec/json.h"

#define JMESPATH_MAX_TEXT ((size_t)64 << 10)
#define JMESPATH_STEPS 5000000u     /* per search */
#define JMESPATH_MAX_RESULT ((size_t)16 << 20)

/* A JSON value as searches see it: containers are arrays, so an index costs one step. */
struct jvalue {
    enum json_type type;
    enum jnumber { JNUMBER_INT, JNUMBER_UINT, JNUMBER_DOUBLE } number;
    uint16_t depth; /* of containers, 0 for scalars */
    bool boolean;
    union {
        int64_t i;
        uint64_t u; /* above INT64_MAX only */
        double d;   /* finite */
        struct bytes text;
        struct {
            const struct jvalue *const *items;
            const struct bytes *names; /* of an object's members, as stored */
            size_t count;
        };
    };
};

/* From JSON text. Numbers keep 64 bits exactly; a number beyond double is refused. */
bool jvalue_parse(struct bytes json_text, const char *what, struct arena *a, const struct jvalue **ret,
                  struct err *e) CHECKED;
bool jvalue_from_json(const struct json *j, const char *what, struct arena *a, const struct jvalue **ret,
                      struct err *e) CHECKED;
/* Compact JSON text with sorted members (section 8.6). */
void jvalue_print(struct out *o, const struct jvalue *v);

struct jmespath;

/* Errors are ERR_EXPRESSION; their text begins with the class of the specification: "syntax: ",
 * "invalid-arity: ", "invalid-type: ", "invalid-value: ", "unknown-function: ". */
bool jmespath_compile(struct bytes expression, struct arena *a, const struct jmespath **ret,
                      struct err *e) CHECKED;
/* *steps is what may be spent and is lowered by what was. The result may share parts of `in` and of the
 * expression. */
bool jmespath_search(const struct jmespath *expression, const struct jvalue *in, struct arena *a,
                     uint64_t *steps, const struct jvalue **ret, struct err *e) CHECKED;

#endif

/* json.h: strict JSON (RFC 8259) in one pass, and its writer.
 *
 * Refused: duplicate member names, bad UTF-8, lone surrogates, control characters, leading zeros,
 * anything behind the value, nesting beyond the limit. Numbers stay text; strings are decoded. Each
 * value keeps `raw`, its exact characters in the input: vendors sign such substrings. */
#ifndef AVOUCH_CODEC_JSON_H
#define AVOUCH_CODEC_JSON_H

#include "base/arena.h"
#include "base/err.h"
#include "base/out.h"

enum json_type {
    JSON_NULL,
    JSON_BOOLEAN,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
};

struct json {
    enum json_type type;
    bool boolean;
    struct bytes raw;         /* exact text of the value in the input */
    struct bytes name;        /* decoded, if it is a member */
    struct bytes text;        /* decoded string, or the text of a number */
    const struct json *child; /* first element or member */
    const struct json *next;  /* next sibling */
    size_t count;             /* of children */
};

#define JSON_DEPTH 64 /* for requests; spec rest-api section 2.1 */

/* The whole input is one value with white space around it. Owned by the arena; views point into `in`
 * where a string has no escapes. A text is refused with the offset and what was expected. */
bool json_parse(struct bytes in, unsigned max_depth, const char *what, struct arena *a,
                const struct json **ret, struct err *e) CHECKED;

/* A member, or NULL; also NULL where j is NULL or no object. */
const struct json *json_member(const struct json *j, const char *name);
const struct json *json_member_bytes(const struct json *j, struct bytes name);
/* Names compared without regard to ASCII case, as clients of the REST API need. */
const struct json *json_member_nocase(const struct json *j, const char *name);

bool json_is(const struct json *j, enum json_type type);
bool json_string(const struct json *j, struct bytes *ret);
/* Integers only: no fraction, no exponent, within 64 bits. */
bool json_int(const struct json *j, int64_t *ret);
bool json_bool(const struct json *j, bool *ret);
const char *json_type_name(enum json_type type);

/* -- writing -- */

/* With quotes. What is not UTF-8, as where a message was cut inside a character, becomes U+FFFD: the result is JSON. */
void json_print_string(struct out *o, struct bytes text);
/* Compact; members sorted by the bytes of their names when `sorted`, at every depth. */
void json_print(struct out *o, const struct json *j, bool sorted);

/* An object in the making: members in any order, each name once (a later one replaces). */
struct jobj {
    struct arena *a;
    struct jobj_member *first, *last;
    bool failed;
};
struct jobj_member {
    struct bytes name;
    struct bytes value; /* JSON text */
    struct jobj_member *next;
};

struct jobj jobj_open(struct arena *a);
void jobj_raw(struct jobj *o, struct bytes name, struct bytes json_text);
/* For a name that the caller knows to be absent: no search, so that many members stay linear. */
void jobj_append(struct jobj *o, struct bytes name, struct bytes json_text);
void jobj_str(struct jobj *o, const char *name, struct bytes text);
void jobj_text(struct jobj *o, const char *name, const char *text);
void jobj_int(struct jobj *o, const char *name, int64_t v);
void jobj_bool(struct jobj *o, const char *name, bool v);
void jobj_hex(struct jobj *o, const char *name, struct bytes b);
void jobj_b64url(struct jobj *o, const char *name, struct bytes b);
void jobj_json(struct jobj *o, const char *name, struct bytes json_text);
bool jobj_has(const struct jobj *o, struct bytes name);
/* The object as compact text; members as given or sorted. Empty view on failure. */
struct bytes jobj_print(struct jobj *o, bool sorted);

/* The same for arrays: text of each element, comma handling included. */
struct jarr {
    struct out o;
    bool any;
};
struct jarr jarr_open(struct arena *a);
void jarr_raw(struct jarr *j, struct bytes json_text);
void jarr_str(struct jarr *j, struct bytes text);
struct bytes jarr_close(struct jarr *j);

/* Length of the valid sequence at p, of which n > 0 bytes are there; 0: there is none. */
size_t utf8_length(const uint8_t *p, size_t n);
/* Whether b is valid UTF-8 (RFC 3629). */
bool utf8_valid(struct bytes b);

#endif

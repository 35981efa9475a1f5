/* b64.h: base64 and base64url (RFC 4648 sections 4 and 5). */
#ifndef AVOUCH_CODEC_B64_H
#define AVOUCH_CODEC_B64_H

#include "base/arena.h"
#include "base/err.h"
#include "base/out.h"

enum b64_form {
    B64_URL_STRICT,  /* base64url, no padding, unused bits zero: JOSE (RFC 7515 section 2) */
    B64_STD_STRICT,  /* base64 with padding: x5c */
    B64_ANY,         /* either alphabet, padding optional: what clients of the REST API send */
};

/* Decodes into the arena. `what` names the object in the error; the offending character and its place are told. */
bool b64_decode(struct bytes text, enum b64_form form, const char *what, struct arena *a,
                struct bytes *ret, struct err *e) CHECKED;

void b64url_print(struct out *o, struct bytes b); /* without padding */
void b64std_print(struct out *o, struct bytes b); /* with padding */
struct bytes b64url_encode(struct arena *a, struct bytes b);
struct bytes b64std_encode(struct arena *a, struct bytes b);

#endif

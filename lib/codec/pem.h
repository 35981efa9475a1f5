/* pem.h: PEM blocks (RFC 7468). */
#ifndef AVOUCH_CODEC_PEM_H
#define AVOUCH_CODEC_PEM_H

#include "base/arena.h"
#include "base/err.h"
#include "base/out.h"

struct pem_block {
    struct bytes label; /* "CERTIFICATE" */
    struct bytes der;
    struct bytes text;  /* from the first dash to the last */
};

/* The next block at or after *at; text between blocks is skipped. false with e unset: there is none. */
bool pem_next(struct bytes text, size_t *at, const char *what, struct arena *a,
              struct pem_block *ret, struct err *e) CHECKED;

/* Base64 in lines of 64 characters, '\n' line ends, a final '\n'. */
void pem_print(struct out *o, const char *label, struct bytes der);

#endif

/* explain.h: how evidence is printed for people. A room adds a row to the table in explain_cmd.c: how its evidence is
 * recognised, and a function that writes its fields on a page. Nothing is verified here, only read. */
#ifndef AVOUCH_CLI_EXPLAIN_H
#define AVOUCH_CLI_EXPLAIN_H

#include "base/out.h"
#include "codec/json.h"
#include "crypto/cert.h"

struct page {
    struct arena *a;
    struct out o;
    unsigned indent;
    unsigned nested; /* containers entered so far: evidence inside evidence is explained too, to a depth */
};

struct explainer {
    const char *name; /* "SEV-SNP attestation report" */
    bool (*is)(struct bytes in);
    bool (*explain)(struct bytes in, struct page *p, struct err *e);
};

/* Recognises `in` and explains it under the given heading; evidence that is not recognised is shown as bytes. */
bool page_nested(struct page *p, const char *heading, struct bytes in, struct err *e) CHECKED;

void page_heading(struct page *p, const char *text);
void page_text(struct page *p, const char *name, struct bytes text); /* control characters become '?' */
void page_line(struct page *p, const char *name, const char *fmt, ...) PRINTF_LIKE(3, 4);
void page_hex(struct page *p, const char *name, struct bytes b);     /* up to 64 bytes, else the first 32 and the length */
void page_time(struct page *p, const char *name, int64_t t);
void page_certs(struct page *p, const char *heading, struct bytes in);

/* Each bit that is set by its name, unnamed ones by their number; each named bit that is clear as such. */
struct bit_name {
    unsigned bit;
    const char *name;
};
void page_bits(struct page *p, const char *name, uint64_t value, const struct bit_name *bits, size_t count);

/* -- rows of the rooms -- */
extern const struct explainer explain_snp[];
extern const size_t explain_snp_count;
extern const struct explainer explain_intel[];
extern const size_t explain_intel_count;
extern const struct explainer explain_tpm[];
extern const size_t explain_tpm_count;
extern const struct explainer explain_documents[];
extern const size_t explain_documents_count;

#endif

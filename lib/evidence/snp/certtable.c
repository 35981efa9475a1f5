/* certtable.c: the table of certificates that an extended guest request returns
 * (GHCB specification 2.01, section 4.1.8.1; evidence-snp section 2.5). */
#include "evidence/snp/snp.h"

#include "base/cur.h"

#define WHAT "SEV-SNP certificate table"

enum { ENTRY_SIZE = 24, MAX_ENTRIES = 64, GUID_SIZE = 16 };

/* In the order of the text form (RFC 4122): so they stand in real tables. */
static const struct {
    uint8_t guid[GUID_SIZE];
    size_t at; /* member of struct snp_certtable */
} kinds[] = {
    { { 0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64, 0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac, 0xcd },
      offsetof(struct snp_certtable, vcek) },
    { { 0xa8, 0x07, 0x4b, 0xc2, 0xa2, 0x5a, 0x48, 0x3e, 0xaa, 0xe6, 0x39, 0xc0, 0x45, 0xa0, 0xb8, 0xa1 },
      offsetof(struct snp_certtable, vlek) },
    { { 0x4a, 0xb7, 0xb3, 0x79, 0xbb, 0xac, 0x4f, 0xe4, 0xa0, 0x2f, 0x05, 0xae, 0xf3, 0x27, 0xc7, 0x82 },
      offsetof(struct snp_certtable, ask) },
    { { 0xc0, 0xb4, 0x06, 0xa4, 0xa8, 0x03, 0x49, 0x52, 0x97, 0x43, 0x3f, 0xb6, 0x01, 0x4c, 0xd0, 0xae },
      offsetof(struct snp_certtable, ark) },
    { { 0xec, 0xae, 0x0c, 0x0f, 0x95, 0x02, 0x43, 0xb1, 0xaf, 0xa2, 0x0a, 0xe2, 0xe0, 0xd5, 0x65, 0xb6 },
      offsetof(struct snp_certtable, host_cpuid) },
};

static void keep(struct snp_certtable *t, struct bytes guid, struct bytes blob)
{
    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct bytes *to = (struct bytes *)(void *)((char *)t + kinds[i].at);

        if (bytes_equal(guid, BYTES(kinds[i].guid)) && to->p == NULL) /* the first of a kind wins */
            *to = blob;
    }
}

/* Length of the entries with the zero entry behind them; 0: there is no end. */
static size_t table_size(struct bytes in)
{
    for (size_t i = 0; i <= MAX_ENTRIES; i++) {
        struct bytes entry = bytes_part(in, i * ENTRY_SIZE, ENTRY_SIZE);

        if (entry.n < ENTRY_SIZE)
            return 0;
        if (bytes_all_zero(entry))
            return (i + 1) * ENTRY_SIZE;
    }
    return 0;
}

bool snp_certtable_parse(struct bytes in, struct snp_certtable *ret, struct err *e)
{
    struct snp_certtable t = { .entries = 0 };
    size_t size = table_size(in);
    struct cur c = cur_open(bytes_part(in, 0, size));

    if (size == 0)
        return err_set(e, ERR_CERT_PARSE, WHAT, "%zu bytes have no end of the table within %d entries", in.n,
                       MAX_ENTRIES);
    for (size_t left = size / ENTRY_SIZE - 1; left > 0; left--) {
        struct bytes guid = cur_take(&c, GUID_SIZE, "GUID"), blob;
        size_t offset = cur_u32le(&c, "offset"), length = cur_u32le(&c, "length");

        blob = bytes_part(in, offset, length);
        if (offset < size || blob.n != length)
            return err_set(e, ERR_CERT_PARSE, WHAT,
                           "entry %zu has offset %zu and length %zu; blobs lie between %zu and %zu", t.entries,
                           offset, length, size, in.n);
        keep(&t, guid, blob);
        t.entries++;
    }
    *ret = t;
    return true;
}

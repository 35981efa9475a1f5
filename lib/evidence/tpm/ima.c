/* ima.c: see ima.h. */
#include "evidence/tpm/ima.h"

#include "base/cur.h"
#include "codec/b64.h"
#include "codec/der.h"
#include "codec/hex.h"
#include "codec/json.h"
#include "crypto/cert.h"

enum {
    NAME_MAX_OLD = 256,
    TEMPLATE_NAME_MAX = 32,
    RDNS_MAX = 32,
};

struct ima_log ima_open(struct arena *a)
{
    return (struct ima_log){ .a = a };
}

/* What the template digest is made of: the data, but for "ima" the name is padded to 256 bytes. */
static struct digest template_hash(const struct ima_entry *en, enum hash_alg h)
{
    static const uint8_t zeros[NAME_MAX_OLD];
    struct cur c = cur_open(en->data);
    struct bytes parts[3];

    if (!en->old)
        return hash(h, en->data);
    parts[0] = cur_take(&c, 20, "digest");
    cur_skip(&c, 4, "length");
    parts[1] = cur_rest(&c);
    parts[2] = bytes_of(zeros, parts[1].n > NAME_MAX_OLD ? 0 : NAME_MAX_OLD - parts[1].n);
    return hash_parts(h, parts, 3);
}

static void read_entry(struct cur *c, struct ima_entry *en)
{
    uint32_t pcr = cur_u32le(c, "pcr"), n;
    size_t from;

    if (cur_ok(c) && pcr != IMA_PCR)
        cur_wrong(c, "pcr", "10");
    en->digest = cur_take(c, 20, "template digest");
    n = cur_u32le(c, "template name length");
    if (cur_ok(c) && n > TEMPLATE_NAME_MAX)
        cur_wrong(c, "template name length", "at most 32");
    en->template = cur_take(c, n, "template name");
    en->old = bytes_is(en->template, "ima");
    if (!en->old) {
        en->data = cur_take(c, cur_u32le(c, "template data length"), "template data");
        return;
    }
    from = c->at;
    cur_skip(c, 20, "file digest");
    n = cur_u32le(c, "file name length");
    if (cur_ok(c) && n > NAME_MAX_OLD)
        cur_wrong(c, "file name length", "at most 256");
    cur_skip(c, n, "file name");
    if (cur_ok(c))
        en->data = bytes_part(c->all, from, c->at - from);
}

static struct ima_entry *entry_new(struct ima_log *log)
{
    if (log->count == log->room) {
        size_t room = log->room == 0 ? 64 : log->room * 2;
        struct ima_entry *list = arena_many(log->a, room, struct ima_entry);

        if (list == NULL)
            return NULL;
        if (log->count > 0)
            memcpy(list, log->list, log->count * sizeof(*list));
        log->list = list;
        log->room = room;
    }
    return &log->list[log->count++];
}

bool ima_add(struct ima_log *log, struct bytes in, uint32_t *seq, const char *what, struct err *e)
{
    struct cur c = cur_open(in);
    struct err inner = { .code = ERR_NONE };

    while (cur_left(&c) > 0) {
        size_t start = c.at;
        struct ima_entry *en;
        struct digest d;

        if (log->count == IMA_MAX_ENTRIES)
            return err_set(e, ERR_LIMIT, what, "more than %d IMA entries", IMA_MAX_ENTRIES);
        en = entry_new(log);
        if (en == NULL)
            return err_memory(e, what);
        *en = (struct ima_entry){ .seq = (*seq)++ };
        read_entry(&c, en);
        if (!cur_check(&c, ERR_IMA_FORMAT, what, &inner))
            return err_set(e, ERR_IMA_FORMAT, what, "entry %zu at offset %zu is truncated or malformed: %s",
                           log->count - 1, start, inner.why);
        en->violation = bytes_all_zero(en->digest);
        d = template_hash(en, HASH_SHA1);
        en->covered = !en->violation && bytes_equal(digest_bytes(&d), en->digest);
    }
    return true;
}

static void extend(struct digest *pcr, const struct ima_entry *en, const struct tpm_bank *bank,
                   enum ima_mode mode)
{
    struct digest d = { .n = bank->size };
    struct bytes two[2];

    if (en->violation)
        memset(d.p, 0xff, d.n);
    else if (mode == IMA_OWN_HASH)
        d = template_hash(en, bank->hash);
    else
        memcpy(d.p, en->digest.p, en->digest.n);
    two[0] = digest_bytes(pcr);
    two[1] = digest_bytes(&d);
    *pcr = hash_parts(bank->hash, two, 2);
}

struct digest ima_replay(const struct ima_log *log, const struct tpm_bank *bank, enum ima_mode mode)
{
    struct digest pcr = { .n = bank->size };

    for (size_t i = 0; i < log->count; i++)
        extend(&pcr, &log->list[i], bank, mode);
    return pcr;
}

size_t ima_prefix(const struct ima_log *log, const struct tpm_bank *bank, enum ima_mode mode,
                  struct bytes want)
{
    struct digest pcr = { .n = bank->size };

    for (size_t i = 0; i < log->count; i++) {
        extend(&pcr, &log->list[i], bank, mode);
        if (bytes_equal(digest_bytes(&pcr), want))
            return i + 1;
    }
    return 0;
}

static bool bank_matches(const struct ima_log *log, const struct pcr_bank *b)
{
    static const enum ima_mode modes[] = { IMA_OWN_HASH, IMA_PADDED_SHA1 };

    for (size_t i = 0; i < COUNT(modes); i++) {
        struct digest d = ima_replay(log, b->bank, modes[i]);

        if (bytes_equal(digest_bytes(&d), pcr_value(b, IMA_PCR)))
            return true;
    }
    return false;
}

bool ima_check(const struct ima_log *log, const struct pcr_set *verified, bool allow_sha1, const char *what,
               struct err *e)
{
    bool bound = false;

    for (size_t i = 0; i < verified->count; i++) {
        const struct pcr_bank *b = &verified->bank[i];

        if (!b->bank->known || pcr_value(b, IMA_PCR).n == 0)
            continue;
        if (!bank_matches(log, b))
            return err_set(e, ERR_IMA_MISMATCH, what,
                           "the %zu entries do not replay to the quoted PCR 10 of bank %s", log->count,
                           b->bank->name);
        bound |= b->bank->alg != TPM_SHA1 || allow_sha1;
    }
    if (!bound)
        return err_set(e, ERR_IMA_PCR10, what,
                       "an IMA log is sent but PCR 10 is not quoted in a bank of SHA-256 or stronger");
    return true;
}

void text_json(struct out *o, struct bytes text)
{
    struct out clean;

    if (utf8_valid(text)) {
        json_print_string(o, text);
        return;
    }
    clean = out_open(o->a);
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < 0x80)
            out_u8(&clean, text.p[i]);
        else
            out_text(&clean, "\xef\xbf\xbd");
    }
    json_print_string(o, out_view(&clean));
}

/* The fields of a template; the third is a signature or the buffer of a measurement. */
struct fields {
    struct bytes digest, name, more;
};

static bool split(const struct ima_entry *en, struct fields *ret)
{
    struct cur c = cur_open(en->data);

    if (en->old) {
        ret->digest = cur_take(&c, 20, "digest");
        ret->name = cur_take(&c, cur_u32le(&c, "name length"), "name");
        return cur_ok(&c);
    }
    ret->digest = cur_take(&c, cur_u32le(&c, "d length"), "d-ng");
    ret->name = cur_take(&c, cur_u32le(&c, "n length"), "n-ng");
    if (cur_left(&c) > 0)
        ret->more = cur_take(&c, cur_u32le(&c, "length"), "third field");
    return cur_ok(&c);
}

static struct bytes without_nul(struct bytes b)
{
    while (b.n > 0 && b.p[b.n - 1] == 0)
        b.n--;
    return b;
}

bool ima_file(const struct ima_entry *en, struct arena *a, struct bytes *ret_name, struct bytes *ret_hash)
{
    struct fields f = { .more = { NULL, 0 } };
    struct out o = out_open(a);
    size_t nul = 0;

    if (!split(en, &f))
        return false;
    if (en->old) {
        hex_print(&o, f.digest);
    } else {
        while (nul < f.digest.n && f.digest.p[nul] != 0)
            nul++;
        if (nul == f.digest.n || nul > TEMPLATE_NAME_MAX)
            return false;
        out_bytes(&o, bytes_part(f.digest, 0, nul)); /* "sha256:", or "ima:sha256:" */
        hex_print(&o, bytes_part(f.digest, nul + 1, f.digest.n));
    }
    *ret_name = without_nul(f.name);
    *ret_hash = out_view(&o);
    return true;
}

static void print_escaped(struct out *o, struct bytes value)
{
    for (size_t i = 0; i < value.n; i++) {
        if (memchr(",+\"\\<>;", value.p[i], 7) != NULL)
            out_char(o, '\\');
        out_u8(o, value.p[i]);
    }
}

static const char *label_of(struct bytes oid)
{
    static const struct {
        const char *oid;
        size_t n;
        const char *label;
    } labels[] = {
        { "\x55\x04\x03", 3, "CN" }, { "\x55\x04\x06", 3, "C" }, { "\x55\x04\x07", 3, "L" },
        { "\x55\x04\x08", 3, "ST" }, { "\x55\x04\x0a", 3, "O" }, { "\x55\x04\x0b", 3, "OU" },
        { "\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19", 10, "DC" },
        { "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01", 9, "emailAddress" },
    };

    for (size_t i = 0; i < COUNT(labels); i++)
        if (bytes_equal(oid, bytes_of(labels[i].oid, labels[i].n)))
            return labels[i].label;
    return "OID";
}

/* RFC 2253: last RDN first. */
static void print_name(struct out *o, struct bytes name)
{
    struct cur c = cur_open(name), rdns = der_enter(&c, DER_SEQUENCE, "Name");
    struct bytes list[RDNS_MAX];
    size_t n = 0;

    while (cur_left(&rdns) > 0 && n < RDNS_MAX)
        list[n++] = der_take(&rdns, DER_SET, "RelativeDistinguishedName");
    for (size_t i = n; i-- > 0;) {
        struct cur set = cur_open(list[i]);

        for (bool first = true; cur_left(&set) > 0; first = false) {
            struct cur pair = der_enter(&set, DER_SEQUENCE, "AttributeTypeAndValue");
            struct bytes type = der_take(&pair, DER_OID, "type"), value = { NULL, 0 };
            unsigned tag;

            (void)der_any(&pair, &tag, &value, "value");
            out_printf(o, "%s%s=", first ? "" : "+", label_of(type));
            print_escaped(o, value);
        }
        if (i > 0)
            out_char(o, ',');
    }
}

static void print_buffer(const struct fields *f, struct bytes name, struct out *o)
{
    struct cert cert;

    if (bytes_is(name, "kernel_version")) {
        out_text(o, ",\"KernelVersion\":");
        text_json(o, without_nul(f->more));
    } else if (cert_parse(f->more, "keyring certificate", &cert, NULL)) {
        struct out subject = out_open(o->a);

        print_name(&subject, cert.subject);
        out_text(o, ",\"Keyring\":");
        text_json(o, name);
        out_text(o, ",\"CertificateSubject\":");
        text_json(o, out_view(&subject));
    }
}

void ima_json(const struct ima_entry *en, struct out *o)
{
    struct fields f = { .more = { NULL, 0 } };
    struct bytes name, digest;

    out_text(o, "\"Template\":");
    text_json(o, en->template);
    if (en->violation)
        out_text(o, ",\"Violation\":true");
    if (!en->covered || !ima_file(en, o->a, &name, &digest) || !split(en, &f))
        return;
    out_text(o, ",\"FileName\":");
    text_json(o, name);
    out_text(o, ",\"FileHash\":");
    text_json(o, digest);
    if (bytes_is(en->template, "ima-buf"))
        print_buffer(&f, name, o);
}

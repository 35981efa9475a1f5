/* efi.c: see efi.h. */
#include "evidence/tpm/efi.h"

#include "base/cur.h"
#include "codec/b64.h"
#include "codec/hex.h"
#include "crypto/hash.h"

#include <inttypes.h>

enum { PATH_NODES = 64, SIGNATURES = 65536, PARTITIONS = 1024 };

bool efi_variable_parse(struct bytes in, struct efi_variable *ret)
{
    struct cur c = cur_open(in);
    struct efi_variable r;
    uint64_t name_n, data_n;

    r.guid = cur_take(&c, 16, "VariableName");
    name_n = cur_u64le(&c, "UnicodeNameLength");
    data_n = cur_u64le(&c, "VariableDataLength");
    if (!cur_ok(&c) || name_n > cur_left(&c) / 2 || data_n > cur_left(&c))
        return false;
    r.name = cur_take(&c, (size_t)name_n * 2, "UnicodeName");
    r.data = cur_take(&c, (size_t)data_n, "VariableData");
    if (!cur_ok(&c))
        return false;
    if (r.name.n >= 2 && r.name.p[r.name.n - 1] == 0 && r.name.p[r.name.n - 2] == 0)
        r.name.n -= 2;
    r.rest = cur_left(&c);
    *ret = r;
    return true;
}

bool efi_image_parse(struct bytes in, struct efi_image *ret)
{
    struct cur c = cur_open(in);
    struct efi_image r;
    uint64_t n;

    r.location = cur_u64le(&c, "ImageLocationInMemory");
    r.length = cur_u64le(&c, "ImageLengthInMemory");
    r.link_time = cur_u64le(&c, "ImageLinkTimeAddress");
    n = cur_u64le(&c, "LengthOfDevicePath");
    if (!cur_ok(&c) || n > cur_left(&c))
        return false;
    r.path = cur_take(&c, (size_t)n, "DevicePath");
    *ret = r;
    return true;
}

void efi_guid_print(struct out *o, struct bytes g, bool upper)
{
    static const uint8_t order[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    char text[36];
    size_t n = 0;

    if (g.n < sizeof(order))
        return;
    for (size_t i = 0; i < sizeof(order); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            text[n++] = '-';
        text[n++] = digits[g.p[order[i]] >> 4];
        text[n++] = digits[g.p[order[i]] & 15];
    }
    out_bytes(o, bytes_of(text, n));
}

static void put_utf8(struct out *o, uint32_t c)
{
    if (c < 0x80) {
        out_char(o, (char)c);
    } else if (c < 0x800) {
        out_u8(o, (uint8_t)(0xc0 | c >> 6));
        out_u8(o, (uint8_t)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        out_u8(o, (uint8_t)(0xe0 | c >> 12));
        out_u8(o, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
        out_u8(o, (uint8_t)(0x80 | (c & 0x3f)));
    } else {
        out_u8(o, (uint8_t)(0xf0 | c >> 18));
        out_u8(o, (uint8_t)(0x80 | (c >> 12 & 0x3f)));
        out_u8(o, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
        out_u8(o, (uint8_t)(0x80 | (c & 0x3f)));
    }
}

void utf16_print(struct out *o, struct bytes b)
{
    struct cur c = cur_open(bytes_part(b, 0, b.n & ~(size_t)1));

    while (cur_left(&c) >= 2) {
        uint32_t u = cur_u16le(&c, "character");

        if (u == 0)
            return;
        if (u >= 0xd800 && u < 0xdc00 && cur_left(&c) >= 2) {
            struct cur look = c;
            uint32_t low = cur_u16le(&look, "character");

            if (low >= 0xdc00 && low < 0xe000) {
                c = look;
                put_utf8(o, 0x10000 + ((u - 0xd800) << 10) + (low - 0xdc00));
                continue;
            }
        }
        put_utf8(o, u >= 0xd800 && u < 0xe000 ? 0xfffd : u);
    }
}

struct bytes utf16_text(struct arena *a, struct bytes utf16)
{
    struct out o = out_open(a);

    utf16_print(&o, utf16);
    return out_view(&o);
}

bool utf16_is(struct bytes utf16, const char *ascii)
{
    size_t n = strlen(ascii);

    if (utf16.n != 2 * n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (utf16.p[2 * i] != (uint8_t)ascii[i] || utf16.p[2 * i + 1] != 0)
            return false;
    return true;
}

static void print_drive(struct out *o, struct cur *c)
{
    uint32_t partition = cur_u32le(c, "PartitionNumber");
    uint64_t start = cur_u64le(c, "PartitionStart"), size = cur_u64le(c, "PartitionSize");
    struct bytes guid = cur_take(c, 16, "PartitionSignature");

    out_printf(o, "HD(%" PRIu32 ",GPT,", partition);
    efi_guid_print(o, guid, false);
    out_printf(o, ",0x%" PRIx64 ",0x%" PRIx64 ")", start, size);
}

static void print_guid_node(struct out *o, const char *name, struct cur *c)
{
    out_text(o, name);
    out_char(o, '(');
    efi_guid_print(o, cur_take(c, 16, "guid"), false);
    out_char(o, ')');
}

/* Nodes that name a place below the firmware; the others say how the platform reaches it. */
static bool is_short_node(uint8_t type, uint8_t sub)
{
    return (type == 4 && (sub == 4 || sub == 6 || sub == 7 || sub == 8)) || (type == 1 && sub == 1);
}

static void print_node(struct out *o, uint8_t type, uint8_t sub, struct bytes body)
{
    struct cur c = cur_open(body);
    uint64_t a, b;

    switch (type << 8 | sub) {
    case 0x0404:
        utf16_print(o, body);
        break;
    case 0x0406:
        print_guid_node(o, "FvFile", &c);
        break;
    case 0x0407:
        print_guid_node(o, "Fv", &c);
        break;
    case 0x0408:
        cur_skip(&c, 4, "reserved");
        a = cur_u64le(&c, "start");
        b = cur_u64le(&c, "end");
        out_printf(o, "Offset(0x%" PRIx64 ",0x%" PRIx64 ")", a, b);
        break;
    case 0x0401:
        print_drive(o, &c);
        break;
    case 0x0101:
        b = cur_u8(&c, "function");
        a = cur_u8(&c, "device");
        out_printf(o, "Pci(0x%" PRIx64 ",0x%" PRIx64 ")", a, b);
        break;
    case 0x0103:
        out_text(o, "MemoryMapped");
        break;
    case 0x0201:
        cur_skip(&c, 4, "HID");
        out_printf(o, "PciRoot(%" PRIu32 ")", cur_u32le(&c, "UID"));
        break;
    default:
        out_printf(o, "Path(%u,%u,", type, sub);
        hex_print(o, body);
        out_char(o, ')');
    }
}

void efi_path_print(struct out *o, struct bytes path, bool full)
{
    struct cur c = cur_open(path);
    size_t start = o->n;

    for (int i = 0; i < PATH_NODES && cur_left(&c) >= 4; i++) {
        uint8_t type = cur_u8(&c, "type"), sub = cur_u8(&c, "subtype");
        uint16_t n = cur_u16le(&c, "length");
        struct bytes body;

        if (type == 0x7f || n < 4 || (size_t)n - 4 > cur_left(&c))
            return;
        body = cur_take(&c, (size_t)n - 4, "body");
        if (!full && !is_short_node(type, sub))
            continue;
        if (o->n > start)
            out_char(o, '/');
        print_node(o, type, sub, body);
    }
}

struct efi_siglist efi_siglist_open(struct bytes in)
{
    return (struct efi_siglist){ .left = in };
}

static bool next_list(struct efi_siglist *l)
{
    struct cur c = cur_open(l->left);
    uint32_t list_size, header_size, size;

    l->type = cur_take(&c, 16, "SignatureType");
    list_size = cur_u32le(&c, "SignatureListSize");
    header_size = cur_u32le(&c, "SignatureHeaderSize");
    size = cur_u32le(&c, "SignatureSize");
    if (!cur_ok(&c) || list_size < 28 || list_size > l->left.n || header_size > list_size - 28 || size < 16
        || (list_size - 28 - header_size) % size != 0) {
        l->failed = true;
        return false;
    }
    l->entries = bytes_part(l->left, 28 + header_size, list_size - 28 - header_size);
    l->left = bytes_part(l->left, list_size, l->left.n);
    l->size = size;
    return true;
}

bool efi_siglist_next(struct efi_siglist *l, struct efi_signature *ret)
{
    while (!l->failed && l->entries.n == 0) {
        if (l->left.n == 0 || !next_list(l))
            return false;
    }
    if (l->failed)
        return false;
    if (l->count++ == SIGNATURES) {
        l->failed = true;
        return false;
    }
    ret->type = l->type;
    ret->owner = bytes_part(l->entries, 0, 16);
    ret->data = bytes_part(l->entries, 16, l->size - 16);
    l->entries = bytes_part(l->entries, l->size, l->entries.n);
    return true;
}

static const struct {
    const char *guid, *name;
} kinds[] = {
    [EFI_SIG_X509] = { "\xa1\x59\xc0\xa5\xe4\x94\xa7\x4a\x87\xb5\xab\x15\x5c\x2b\xf0\x72", "X509" },
    [EFI_SIG_SHA256] = { "\x26\x16\xc4\xc1\x4c\x50\x92\x40\xac\xa9\x41\xf9\x36\x93\x43\x28", "SHA256" },
    [EFI_SIG_X509_SHA256] = { "\x92\xa4\xd2\x3b\xc0\x96\x79\x40\xb4\x20\xfc\xf9\x8e\xf1\x03\xed",
                              "X509_SHA256" },
    [EFI_SIG_X509_SHA384] = { "\x6e\x87\x76\x70\xc2\x80\xe6\x4e\xaa\xd2\x28\xb3\x49\xa6\x86\x5b",
                              "X509_SHA384" },
    [EFI_SIG_RSA2048] = { "\xe8\x66\x57\x3c\x9c\x26\x34\x4e\xaa\x14\xed\x77\x6e\x85\xb3\xb6", "RSA2048" },
};

enum efi_sig_kind efi_sig_kind(struct bytes type)
{
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (bytes_equal(type, bytes_of(kinds[i].guid, 16)))
            return (enum efi_sig_kind)i;
    return EFI_SIG_OTHER;
}

const char *efi_sig_kind_name(enum efi_sig_kind k)
{
    return k == EFI_SIG_OTHER ? "Other" : kinds[k].name;
}

static void print_guid_member(struct out *o, struct bytes guid)
{
    out_char(o, '"');
    efi_guid_print(o, guid, true);
    out_char(o, '"');
}

bool efi_siglist_json(struct bytes in, struct out *o)
{
    struct efi_siglist l = efi_siglist_open(in);
    struct efi_signature s;
    bool any = false;

    out_char(o, '[');
    while (efi_siglist_next(&l, &s)) {
        enum efi_sig_kind kind = efi_sig_kind(s.type);

        if (any)
            out_char(o, ',');
        any = true;
        out_printf(o, "{\"Type\":\"%s\",\"Owner\":", efi_sig_kind_name(kind));
        print_guid_member(o, s.owner);
        if (kind == EFI_SIG_SHA256) {
            out_text(o, ",\"Sha256\":\"");
            hex_print(o, s.data);
        } else {
            out_text(o, ",\"Data\":\"");
            b64url_print(o, s.data);
        }
        out_text(o, "\"}");
    }
    out_char(o, ']');
    return !l.failed;
}

static void print_partition(struct out *o, struct bytes entry)
{
    struct cur c = cur_open(entry);
    struct bytes type = cur_take(&c, 16, "type"), unique = cur_take(&c, 16, "unique");
    uint64_t first = cur_u64le(&c, "first LBA"), last = cur_u64le(&c, "last LBA");

    cur_skip(&c, 8, "attributes");
    out_text(o, "{\"Type\":");
    print_guid_member(o, type);
    out_text(o, ",\"Guid\":");
    print_guid_member(o, unique);
    out_printf(o, ",\"FirstLba\":%" PRIu64 ",\"LastLba\":%" PRIu64 ",\"Name\":", first, last);
    json_print_string(o, utf16_text(o->a, cur_take(&c, 72, "name")));
    out_char(o, '}');
}

/* UEFI_GPT_DATA (PFP 10.4.6.2). */
bool efi_gpt_json(struct bytes in, struct out *o)
{
    struct cur c = cur_open(in);
    struct bytes header = cur_take(&c, 92, "UEFIPartitionHeader");
    struct cur h = cur_open(bytes_part(header, 84, 4));
    uint64_t count = cur_u64le(&c, "NumberOfPartitions");
    uint32_t size = cur_u32le(&h, "SizeOfPartitionEntry");

    if (!cur_ok(&c) || !cur_ok(&h) || !bytes_is(bytes_part(header, 0, 8), "EFI PART") || size < 128
        || count > PARTITIONS || count > cur_left(&c) / size)
        return false;
    out_text(o, "\"DiskGuid\":");
    print_guid_member(o, bytes_part(header, 56, 16));
    out_text(o, ",\"Partitions\":[");
    for (uint64_t i = 0; i < count; i++) {
        if (i > 0)
            out_char(o, ',');
        print_partition(o, cur_take(&c, size, "partition"));
    }
    out_char(o, ']');
    return cur_ok(&c);
}

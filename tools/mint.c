/* mint.c: avouch-mint FOLDER [N]: a development platform: its root, its collateral and a quote with bound data;
 * with N also the quotes of so many further platforms, as request bodies. avouchd --dev trusts what it finds
 * there; nobody else does. */
#include "os/io.h"
#include "pki/intel_pki.h"

#include "codec/b64.h"
#include "crypto/hash.h"

#include <stdio.h>
#include <stdlib.h>

static bool write_at(const char *folder, const char *name, struct bytes b, struct arena *a, struct err *e)
{
    return file_write(arena_printf(a, "%s/%s", folder, name), b, 0644, e);
}

/* Bodies for POST /attest/SgxEnclave, a line each. */
static bool write_requests(struct intel_pki *p, struct pki_options o, const char *folder, unsigned n, struct arena *a, struct err *e)
{
    struct out lines = out_open(a);

    for (unsigned i = 0; i < n; i++) {
        o.serial = 1000 + i;
        out_text(&lines, "{\"quote\":\"");
        b64url_print(&lines, pki_quote(p, &o, a));
        out_text(&lines, "\"}\n");
    }
    return write_at(folder, "sample/requests.jsonl", out_view(&lines), a, e);
}

int main(int argc, char **argv)
{
    static const char data[] = "{\"greeting\":\"hello from a development enclave\"}";
    struct pki_options o = pki_options(clock_now());
    struct intel_pki *p = intel_pki_new();
    struct digest d = sha256(LIT(data));
    struct err e = { .code = ERR_NONE };
    struct arena a;
    bool ok;

    if (argc < 2 || argc > 3 || p == NULL) {
        fputs("usage: avouch-mint FOLDER [N]\n", stderr);
        return 2;
    }
    arena_init(&a, (size_t)512 << 20);
    memcpy(o.report_data, d.p, 32);
    ok = folder_make(arena_printf(&a, "%s/trust", argv[1]), 0755, &e) && folder_make(arena_printf(&a, "%s/collateral", argv[1]), 0755, &e)
        && folder_make(arena_printf(&a, "%s/sample", argv[1]), 0755, &e)
        && write_at(argv[1], "trust/root.pem", pki_root_pem(p, &o, &a), &a, &e)
        && write_at(argv[1], "collateral/root.crl", pki_root_crl(p, &o, &a), &a, &e)
        && write_at(argv[1], "collateral/pck.crl", pki_pck_crl(p, &o, &a), &a, &e)
        && write_at(argv[1], "collateral/tcb-signing.pem", pki_tcb_chain(p, &o, &a), &a, &e)
        && write_at(argv[1], "collateral/tcb-info.json", pki_tcb_info(p, &o, &a), &a, &e)
        && write_at(argv[1], "collateral/qe-identity.json", pki_qe_identity(p, &o, &a), &a, &e)
        && write_at(argv[1], "sample/quote.bin", pki_quote(p, &o, &a), &a, &e)
        && write_at(argv[1], "sample/runtime-data.json", LIT(data), &a, &e)
        && (argc == 2 || write_requests(p, o, argv[1], (unsigned)atoi(argv[2]), &a, &e));
    if (!ok)
        fprintf(stderr, "avouch-mint: %s: %s\n", e.what, e.why);
    intel_pki_free(p);
    arena_done(&a);
    return ok ? 0 : 1;
}

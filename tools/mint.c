/* mint.c: avouch-mint FOLDER: a development platform: its root, its collateral and a quote with bound data.
 * avouchd --dev trusts what it finds there; nobody else does. */
#include "os/io.h"
#include "pki/intel_pki.h"

#include "crypto/hash.h"

#include <stdio.h>

static bool write_at(const char *folder, const char *name, struct bytes b, struct arena *a, struct err *e)
{
    return file_write(arena_printf(a, "%s/%s", folder, name), b, 0644, e);
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

    if (argc != 2 || p == NULL) {
        fputs("usage: avouch-mint FOLDER\n", stderr);
        return 2;
    }
    arena_init(&a, 16 << 20);
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
        && write_at(argv[1], "sample/runtime-data.json", LIT(data), &a, &e);
    if (!ok)
        fprintf(stderr, "avouch-mint: %s: %s\n", e.what, e.why);
    intel_pki_free(p);
    arena_done(&a);
    return ok ? 0 : 1;
}

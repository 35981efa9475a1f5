/* selfevidence.c: back ends "none" and configfs-tsm (Linux 6.7, Documentation/ABI/testing/configfs-tsm). */
#include "core/selfevidence.h"

#include "codec/json.h"
#include "os/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define REPORTS "/sys/kernel/config/tsm/report"
#define ENTRY REPORTS "/avouch-core"

static bool write_attribute(const char *path, struct bytes b)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, b.p, b.n) == (ssize_t)b.n;

    if (fd >= 0)
        close(fd);
    return ok;
}

/* Attributes tell a size of one page whatever they hold: read until the end. */
static struct bytes read_attribute(const char *path, struct arena *a)
{
    enum { MAX = 64 << 10 };
    uint8_t *p = arena_alloc(a, MAX);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t n = 0;
    ssize_t got = 1;

    while (p != NULL && fd >= 0 && n < MAX && (got = read(fd, p + n, MAX - n)) > 0)
        n += (size_t)got;
    if (fd >= 0)
        close(fd);
    return p == NULL || fd < 0 || got < 0 ? (struct bytes){ NULL, 0 } : bytes_of(p, n);
}

static bool read_report(const uint8_t binding[32], struct arena *a, struct self_evidence *ret, struct err *e)
{
    uint8_t report_data[64] = { 0 };
    struct bytes provider, report, certs, before, after;
    struct jobj o = jobj_open(a);

    memcpy(report_data, binding, 32);
    if (!write_attribute(ENTRY "/inblob", BYTES(report_data)))
        return err_set(e, ERR_INTERNAL, "evidence of the core", "%s: %s", ENTRY "/inblob", strerror(errno));
    before = read_attribute(ENTRY "/generation", a);
    provider = read_attribute(ENTRY "/provider", a);
    report = read_attribute(ENTRY "/outblob", a);
    certs = read_attribute(ENTRY "/auxblob", a);
    after = read_attribute(ENTRY "/generation", a);
    if (report.n == 0)
        return err_set(e, ERR_INTERNAL, "evidence of the core", "%s: %s", ENTRY "/outblob", strerror(errno));
    if (!bytes_equal(before, after)) /* somebody else wrote in between */
        return err_set(e, ERR_INTERNAL, "evidence of the core", "generation moved while the report was read");
    if (bytes_contain(provider, LIT("sev_guest"))) {
        ret->kind = "acisevsnp";
        jobj_b64url(&o, "SnpReport", report);
        jobj_b64url(&o, "CertificateTable", certs);
    } else if (bytes_contain(provider, LIT("tdx_guest"))) {
        ret->kind = "tdx";
        jobj_b64url(&o, "TdQuote", report);
    } else {
        return err_set(e, ERR_INTERNAL, "evidence of the core", "provider '%.*s' is not known", (int)provider.n,
                       (const char *)provider.p);
    }
    ret->statement = jobj_print(&o, false);
    return ret->statement.p != NULL || err_memory(e, "evidence of the core");
}

bool self_evidence(const uint8_t binding[32], struct arena *a, struct self_evidence *ret, struct err *e)
{
    bool ok;

    *ret = (struct self_evidence){ .kind = "none" };
    if (access(REPORTS, F_OK) != 0)
        return true;
    if (mkdir(ENTRY, 0700) != 0 && errno != EEXIST)
        return err_set(e, ERR_INTERNAL, "evidence of the core", "%s: %s", ENTRY, strerror(errno));
    ok = read_report(binding, a, ret, e);
    (void)rmdir(ENTRY);
    return ok;
}

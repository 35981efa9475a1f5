/* hardware.c: reports of the processor below: /dev/sev-guest, /dev/tdx_guest, configfs-tsm (Linux
 * Documentation/virt/coco/sev-guest.rst, Documentation/ABI/testing/configfs-tsm). */
#include "attester/evidence.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sev-guest.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define TSM "/sys/kernel/config/tsm/report"

/* TDX_CMD_GET_REPORT0 (linux/tdx-guest.h, not in every distribution's headers): 64 bytes of data, then
 * the 1024 bytes of the TDREPORT. */
struct tdx_report_request {
    uint8_t data[64];
    uint8_t report[1024];
};
#define TDX_GET_REPORT _IOWR('T', 1, struct tdx_report_request)

static void why_not(struct hardware *h, const char *step)
{
    snprintf(h->why, sizeof(h->why), "%s %s: %s%s", step, h->path, strerror(errno),
             errno == ENOENT ? " (this machine or kernel does not offer it)" : "");
}

static void pad64(uint8_t to[64], struct bytes data)
{
    memset(to, 0, 64);
    if (data.n > 0)
        memcpy(to, data.p, data.n > 64 ? 64 : data.n);
}

/* MSG_REPORT_RSP (SEV-SNP ABI table 25): status, size, 24 reserved bytes, report. */
static void read_sev(struct hardware *h, struct bytes data, struct arena *a)
{
    uint8_t response[4000] = { 0 };
    struct snp_report_req req = { .vmpl = 0 };
    struct snp_guest_request_ioctl io = { .msg_version = 1,
                                          .req_data = (uintptr_t)&req,
                                          .resp_data = (uintptr_t)response };
    int fd = open(h->path, O_RDWR | O_CLOEXEC);

    if (fd < 0) {
        why_not(h, "cannot open");
        return;
    }
    h->present = true;
    pad64(req.user_data, data);
    if (ioctl(fd, SNP_GET_REPORT, &io) != 0)
        why_not(h, "no report from");
    else
        h->report = arena_copy(a, bytes_of(response + 32, 1184));
    close(fd);
}

/* A TDREPORT is for this machine's quoting enclave; a quote for others comes by configfs-tsm. */
static void read_tdx(struct hardware *h, struct bytes data, struct arena *a)
{
    struct tdx_report_request io = { .report = { 0 } };
    int fd = open(h->path, O_RDWR | O_CLOEXEC);

    if (fd < 0) {
        why_not(h, "cannot open");
        return;
    }
    h->present = true;
    pad64(io.data, data);
    if (ioctl(fd, TDX_GET_REPORT, &io) != 0)
        why_not(h, "no report from");
    else
        h->report = arena_copy(a, BYTES(io.report));
    close(fd);
}

static bool attribute(const char *folder, const char *name, struct arena *a, struct bytes *ret)
{
    const char *path = arena_printf(a, "%s/%s", folder, name);

    return path != NULL && file_read(path, a, ret, NULL) && ret->p != NULL;
}

static void read_entry(struct hardware *h, const char *folder, struct bytes data, struct arena *a)
{
    const char *in = arena_printf(a, "%s/inblob", folder);
    struct err e = { .code = ERR_NONE };
    struct bytes provider;
    uint8_t padded[64];

    pad64(padded, data);
    if (in == NULL || !file_write(in, BYTES(padded), &e)) {
        snprintf(h->why, sizeof(h->why), "%.150s", e.why);
        return;
    }
    if (!attribute(folder, "outblob", a, &h->report)) {
        why_not(h, "no report from");
        return;
    }
    (void)attribute(folder, "auxblob", a, &h->auxiliary);
    if (attribute(folder, "provider", a, &provider)) {
        while (provider.n > 0 && provider.p[provider.n - 1] == '\n')
            provider.n--;
        h->provider = arena_str(a, provider);
    }
}

static void read_tsm(struct hardware *h, struct bytes data, struct arena *a)
{
    const char *folder = arena_printf(a, TSM "/avouch-%ld", (long)getpid());

    if (access(TSM, X_OK) != 0 || folder == NULL) {
        why_not(h, "cannot enter");
        return;
    }
    h->present = true;
    if (mkdir(folder, 0700) != 0) {
        why_not(h, "cannot make an entry in");
        return;
    }
    read_entry(h, folder, data, a);
    (void)rmdir(folder);
}

void hardware_read(struct bytes data, struct arena *a, struct hardware ret[HARDWARE_SOURCES])
{
    ret[0] = (struct hardware){ .name = "sev-guest", .path = "/dev/sev-guest" };
    ret[1] = (struct hardware){ .name = "tdx-guest", .path = "/dev/tdx_guest" };
    ret[2] = (struct hardware){ .name = "configfs-tsm", .path = TSM };
    read_sev(&ret[0], data, a);
    read_tdx(&ret[1], data, a);
    read_tsm(&ret[2], data, a);
}

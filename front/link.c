/* link.c: see link.h. */
#include "front/link.h"

#include "os/io.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

bool link_open(struct link *l, const struct front *f, const char *what, struct err *e)
{
    struct link r = { .c = { .fd = -1 } };

    if (snprintf(r.path, sizeof(r.path), "%s/run/collateral.sock", f->config.value[CONFIG_service_state]) >= (int)sizeof(r.path))
        return err_set(e, ERR_USAGE, what, "path of the state folder is too long for a socket");
    if (!config_number(&f->config, CONFIG_collateral_wait, 0, 60, &r.wait_s, e))
        return false;
    *l = r;
    return true;
}

void link_lost(struct link *l)
{
    channel_close(&l->c);
    l->retry_us = clock_monotonic_us() + LINK_SECOND_US / 5;
}

bool link_connected(struct link *l)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    int fd;

    if (l->c.fd >= 0)
        return true;
    if (clock_monotonic_us() < l->retry_us)
        return false;
    l->retry_us = clock_monotonic_us() + LINK_SECOND_US / 5;
    memcpy(to.sun_path, l->path, sizeof(l->path));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0) {
        close(fd);
        return false;
    }
    l->c = channel_open(fd);
    return true;
}

struct pollfd link_poll(const struct link *l)
{
    return (struct pollfd){ .fd = l->c.fd, .events = (short)(POLLIN | (channel_wants_write(&l->c) ? POLLOUT : 0)) };
}

bool link_serve(struct front *f, struct link *l, const struct pollfd *p,
                void (*on_frame)(struct front *f, const struct wire_header *h, struct bytes payload))
{
    struct wire_header h;
    struct bytes payload;

    if (p->revents == 0 || l->c.fd != p->fd || l->c.fd < 0)
        return true;
    if (((p->revents & POLLOUT) != 0 && !channel_flush(&l->c)) || ((p->revents & (POLLIN | POLLHUP | POLLERR)) != 0 && !channel_fill(&l->c))) {
        link_lost(l);
        return false;
    }
    while (channel_next(&l->c, &h, &payload))
        on_frame(f, &h, payload);
    return true;
}

int link_timeout_ms(const struct link *l, uint64_t deadline_us, uint64_t now_us)
{
    if (deadline_us == UINT64_MAX)
        return -1;
    if (l->c.fd < 0)
        return 200;
    return deadline_us <= now_us ? 0 : (int)((deadline_us - now_us) / 1000 + 1);
}

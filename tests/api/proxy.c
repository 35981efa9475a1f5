/* proxy.c: see proxy.h. One thread accepts, one a connection relays until either side ends. */
#include "proxy.h"

#include "testing.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_LINKS = 256, HEAD = 16384 };

struct link {
    struct proxy *proxy;
    int fd;
    pthread_t thread;
};

struct proxy {
    pthread_mutex_t lock;
    pthread_t thread;
    int listener, port;
    enum proxy_mode mode;
    struct link links[MAX_LINKS];
    size_t link_count;
    char *log[MAX_LINKS];
    size_t log_count;
};

static bool send_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t k = send(fd, p, n, MSG_NOSIGNAL);

        if (k <= 0)
            return false;
        p += k;
        n -= (size_t)k;
    }
    return true;
}

/* The head of a request, with a NUL behind it. */
static bool read_head(int fd, char *to)
{
    size_t n = 0;

    while (n < HEAD - 1) {
        ssize_t k = recv(fd, to + n, HEAD - 1 - n, 0);

        if (k <= 0)
            return false;
        n += (size_t)k;
        to[n] = 0;
        if (strstr(to, "\r\n\r\n") != NULL)
            return true;
    }
    return false;
}

/* All hosts are this machine. */
static int connect_to(const char *authority)
{
    const char *colon = strchr(authority, ':');
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_port = htons((uint16_t)(colon == NULL ? 0 : atoi(colon + 1)));
    if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Both ways until one side ends; with a limit only so much of the answer. */
static void relay(int client, int server, bool cut)
{
    struct pollfd p[2] = { { .fd = client, .events = POLLIN }, { .fd = server, .events = POLLIN } };
    char part[4096];

    for (;;) {
        (void)poll(p, 2, -1);
        for (int i = 0; i < 2; i++) {
            ssize_t k;

            if (p[i].revents == 0)
                continue;
            k = recv(p[i].fd, part, cut && i == 1 ? 20 : sizeof(part), 0);
            if (k <= 0 || !send_all(p[1 - i].fd, part, (size_t)k) || (cut && i == 1))
                return;
        }
    }
}

/* "GET http://host:port/path HTTP/1.1": on with the path alone, and without keeping the connection. */
static bool forward(int server, char *head)
{
    char *url = strchr(head, ' ') + 1, *path = strchr(url + 7, '/'), *rest = strstr(head, "\r\n");

    return path != NULL && rest != NULL && send_all(server, head, (size_t)(url - head)) && send_all(server, path, (size_t)(rest - path))
        && send_all(server, "\r\nConnection: close", 19) && send_all(server, rest, strlen(rest));
}

static void refuse(int fd, enum proxy_mode mode)
{
    static const char no[] = "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno",
                      login[] = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n"
                                "Connection: close\r\n\r\n";
    const char *text = mode == PROXY_REFUSES ? no : login;

    (void)send_all(fd, text, strlen(text));
}

static void serve(struct link *l, char *head, enum proxy_mode mode)
{
    static const char established[] = "HTTP/1.1 200 Connection established\r\n\r\n";
    bool tunnel = strncmp(head, "CONNECT ", 8) == 0;
    char *url = strchr(head, ' ');
    int server;

    if (mode == PROXY_REFUSES || mode == PROXY_WANTS_LOGIN) {
        refuse(l->fd, mode);
        return;
    }
    if (mode == PROXY_DIES || url == NULL || (!tunnel && strncmp(url, " http://", 8) != 0))
        return;
    server = connect_to(tunnel ? url + 1 : url + 8);
    if (server < 0)
        return;
    if (tunnel ? send_all(l->fd, established, sizeof(established) - 1) : forward(server, head))
        relay(l->fd, server, mode == PROXY_DIES_LATER);
    close(server);
}

static void *run_link(void *arg)
{
    struct link *l = arg;
    struct proxy *p = l->proxy;
    char *head = calloc(1, HEAD);
    enum proxy_mode mode;

    if (head != NULL && read_head(l->fd, head)) {
        pthread_mutex_lock(&p->lock);
        mode = p->mode;
        if (p->log_count < MAX_LINKS)
            p->log[p->log_count++] = strdup(head);
        pthread_mutex_unlock(&p->lock);
        serve(l, head, mode);
    }
    free(head);
    (void)shutdown(l->fd, SHUT_RDWR); /* closed by proxy_stop(), so that its number is not another's meanwhile */
    return NULL;
}

static void *run(void *arg)
{
    struct proxy *p = arg;
    int fd;

    while ((fd = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        struct link *l = &p->links[p->link_count];

        if (p->link_count == MAX_LINKS) {
            close(fd);
            continue;
        }
        *l = (struct link){ .proxy = p, .fd = fd };
        if (pthread_create(&l->thread, NULL, run_link, l) == 0)
            p->link_count++;
        else
            close(fd);
    }
    return NULL;
}

struct proxy *proxy_start(void)
{
    struct proxy *p = calloc(1, sizeof(*p));
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t n = sizeof(at);

    pthread_mutex_init(&p->lock, NULL);
    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(p->listener, (const struct sockaddr *)&at, sizeof(at)) != 0 || listen(p->listener, 64) != 0
        || getsockname(p->listener, (struct sockaddr *)&at, &n) != 0 || pthread_create(&p->thread, NULL, run, p) != 0)
        fail_msg("the proxy does not start");
    p->port = ntohs(at.sin_port);
    return p;
}

void proxy_stop(struct proxy *p)
{
    (void)shutdown(p->listener, SHUT_RDWR);
    (void)pthread_join(p->thread, NULL);
    close(p->listener);
    for (size_t i = 0; i < p->link_count; i++) {
        (void)shutdown(p->links[i].fd, SHUT_RDWR);
        (void)pthread_join(p->links[i].thread, NULL);
        close(p->links[i].fd);
    }
    for (size_t i = 0; i < p->log_count; i++)
        free(p->log[i]);
    free(p);
}

int proxy_port(const struct proxy *p)
{
    return p->port;
}

void proxy_mode(struct proxy *p, enum proxy_mode mode)
{
    pthread_mutex_lock(&p->lock);
    p->mode = mode;
    pthread_mutex_unlock(&p->lock);
}

unsigned proxy_count(struct proxy *p, const char *start)
{
    unsigned n = 0;

    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < p->log_count; i++)
        n += strncmp(p->log[i], start, strlen(start)) == 0;
    pthread_mutex_unlock(&p->lock);
    return n;
}

bool proxy_saw(struct proxy *p, const char *text)
{
    bool seen = false;

    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < p->log_count; i++)
        seen = seen || strstr(p->log[i], text) != NULL;
    pthread_mutex_unlock(&p->lock);
    return seen;
}

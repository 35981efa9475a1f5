/* service.c: see service.h. */
#include "service.h"

#include "codec/b64.h"

#include <curl/curl.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

const char *program_path(struct arena *a, const char *name)
{
    const char *build = getenv("AVOUCH_BUILD");

    return arena_printf(a, "%s/%s", build == NULL ? "build" : build, name);
}

/* A datagram socket for the service's READY=1: the test waits for it, no clock involved. */
static int ready_socket(struct service *s, char *path, size_t size)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    snprintf(path, size, "%s/ready", s->state);
    snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&at, sizeof(at)) != 0)
        fail_msg("cannot bind %s: %s", path, strerror(errno));
    return fd;
}

static void write_config(struct service *s, const char *path, const char *config)
{
    FILE *f = fopen(path, "w");

    if (f == NULL)
        fail_msg("cannot write %s", path);
    fprintf(f, "[service]\nlisten = 127.0.0.1:0\nstate = %s/state\n%s%s", s->state, config,
            strstr(config, "[metrics]") != NULL ? "" : "\n[metrics]\nlisten =\n");
    fclose(f);
}

static void child(struct service *s, const char *config_path, const char *ready, const char *const *arguments)
{
    const char *argv[16] = { program_path(&s->a, "avouchd"), "--config", config_path };
    size_t n = 3;

    for (; arguments != NULL && *arguments != NULL && n < 15; arguments++)
        argv[n++] = *arguments;
    setenv("NOTIFY_SOCKET", ready, 1);
    execv(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

static void await_ready(struct service *s, int fd)
{
    const struct timeval step = { .tv_usec = 200000 };
    char text[64];

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &step, sizeof(step));
    for (;;) {
        ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

        if (n > 0 && strncmp(text, "READY=1", 7) == 0)
            return;
        if (waitpid(s->pid, NULL, WNOHANG) == s->pid)
            fail_msg("the service ended before it was ready");
    }
}

static void launch(struct service *s)
{
    char config_path[96], ready[96], address[96];
    struct bytes b;
    int fd;

    snprintf(config_path, sizeof(config_path), "%s/avouchd.conf", s->state);
    fd = ready_socket(s, ready, sizeof(ready));
    s->pid = fork();
    if (s->pid == 0)
        child(s, config_path, ready, s->arguments);
    await_ready(s, fd);
    close(fd);
    (void)unlink(ready);
    snprintf(address, sizeof(address), "%s/state/run/address", s->state);
    b = test_read(&s->a, address);
    assert_non_null(b.p);
    s->port = atoi(strrchr(arena_str(&s->a, b), ':') + 1);
    snprintf(s->url, sizeof(s->url), "https://localhost:%d", s->port);
    snprintf(s->ca, sizeof(s->ca), "%s/state/tls/cert.pem", s->state);
}

static void run_service(struct service *s, const char *config, const char *const *arguments)
{
    char config_path[96];

    s->arguments = arguments;
    snprintf(config_path, sizeof(config_path), "%s/avouchd.conf", s->state);
    write_config(s, config_path, config);
    launch(s);
}

void service_start(struct service *s, const char *config, const char *const *arguments)
{
    memset(s, 0, sizeof(*s));
    arena_init(&s->a, (size_t)1 << 30);
    snprintf(s->state, sizeof(s->state), "/tmp/avouch-test-XXXXXX");
    if (mkdtemp(s->state) == NULL)
        fail_msg("mkdtemp: %s", strerror(errno));
    run_service(s, config, arguments);
}

void service_start_again(struct service *s)
{
    launch(s);
}

static int end_service(struct service *s)
{
    int status = -1;

    (void)kill(s->pid, SIGTERM);
    while (waitpid(s->pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void service_restart(struct service *s, const char *config, const char *const *arguments)
{
    assert_int_equal(end_service(s), 0);
    run_service(s, config, arguments);
}

pid_t service_child(struct service *s, const char *name)
{
    DIR *d = opendir("/proc");
    struct dirent *f;
    pid_t found = 0;

    while (d != NULL && (f = readdir(d)) != NULL) {
        FILE *stat = fopen(arena_printf(&s->a, "/proc/%s/stat", f->d_name), "r");
        char text[512], comm[64] = "";
        int parent = 0;

        if (stat == NULL)
            continue;
        if (fgets(text, sizeof(text), stat) != NULL && sscanf(text, "%*d (%63[^)]) %*c %d", comm, &parent) == 2 && parent == s->pid
            && strcmp(comm, name) == 0)
            found = atoi(f->d_name);
        fclose(stat);
    }
    closedir(d);
    return found;
}

size_t process_children(pid_t parent, pid_t *ret, size_t max)
{
    char path[64], text[1024];
    size_t n = 0;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)parent, (int)parent);
    f = fopen(path, "r");
    if (f != NULL && fgets(text, sizeof(text), f) != NULL)
        for (char *p = strtok(text, " "); p != NULL && n < max; p = strtok(NULL, " "))
            ret[n++] = (pid_t)atoi(p);
    if (f != NULL)
        fclose(f);
    return n;
}

int service_stop(struct service *s)
{
    char command[128];
    int status = end_service(s);

    snprintf(command, sizeof(command), "rm -rf '%s'", s->state);
    (void)!system(command);
    arena_done(&s->a);
    return status;
}

static size_t collect(char *data, size_t size, size_t n, void *user)
{
    out_bytes(user, bytes_of(data, size * n));
    return size * n;
}

bool service_shows_certificate(struct service *s)
{
    CURL *c = curl_easy_init();
    CURLcode rc;

    curl_easy_setopt(c, CURLOPT_URL, s->url);
    curl_easy_setopt(c, CURLOPT_CAINFO, s->ca);
    curl_easy_setopt(c, CURLOPT_CONNECT_ONLY, 1L);
    rc = curl_easy_perform(c);
    curl_easy_cleanup(c);
    if (rc != CURLE_OK && rc != CURLE_PEER_FAILED_VERIFICATION)
        fail_msg("connecting: %s", curl_easy_strerror(rc));
    return rc == CURLE_OK;
}

struct answer service_call(struct service *s, const char *method, const char *path, const char *const *headers, struct bytes body)
{
    return service_call_host(s, "localhost", method, path, headers, body);
}

struct answer service_call_host(struct service *s, const char *host, const char *method, const char *path, const char *const *headers,
                                struct bytes body)
{
    struct curl_slist *resolve = curl_slist_append(NULL, arena_printf(&s->a, "%s:%d:127.0.0.1", host, s->port));
    CURL *c = curl_easy_init();
    struct out content = out_open(&s->a), head = out_open(&s->a);
    struct curl_slist *list = NULL;
    struct answer r = { 0 };
    struct err e = { 0 };
    CURLcode rc;

    for (; headers != NULL && *headers != NULL; headers++)
        list = curl_slist_append(list, *headers);
    curl_easy_setopt(c, CURLOPT_URL, arena_printf(&s->a, "https://%s:%d%s", host, s->port, path));
    curl_easy_setopt(c, CURLOPT_RESOLVE, resolve);
    curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(c, CURLOPT_CAINFO, s->ca);
    curl_easy_setopt(c, CURLOPT_SSLCERT, s->client_cert);
    curl_easy_setopt(c, CURLOPT_SSLKEY, s->client_key);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, &content);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, collect);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, &head);
    if (body.p != NULL) {
        curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, (const char *)body.p);
    }
    rc = curl_easy_perform(c);
    if (rc != CURLE_OK)
        fail_msg("%s %s: %s", method, path, curl_easy_strerror(rc));
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &r.status);
    curl_slist_free_all(list);
    curl_slist_free_all(resolve);
    curl_easy_cleanup(c);
    r.body = out_view(&content);
    r.headers = out_view(&head);
    if (r.body.n > 0 && !json_parse(r.body, 64, "answer", &s->a, &r.json, &e))
        r.json = NULL;
    return r;
}

const char *answer_header(struct service *s, const struct answer *a, const char *name)
{
    char *p = arena_str(&s->a, a->headers), *line;
    size_t n = strlen(name);

    while ((line = strsep(&p, "\n")) != NULL)
        if (strncasecmp(line, name, n) == 0 && line[n] == ':') {
            char *value = line + n + 1;

            while (*value == ' ')
                value++;
            value[strcspn(value, "\r")] = 0;
            return value;
        }
    return NULL;
}

static const char *error_member(struct service *s, const struct answer *a, const char *name)
{
    struct bytes b;

    return json_string(json_member(json_member(a->json, "error"), name), &b) ? arena_str(&s->a, b) : "";
}

const char *answer_code(struct service *s, const struct answer *a)
{
    return error_member(s, a, "code");
}

const char *answer_message(struct service *s, const struct answer *a)
{
    return error_member(s, a, "message");
}

const struct json *token_part(struct arena *a, struct bytes token, int part)
{
    struct err e = { 0 };
    const struct json *j;
    struct bytes decoded;
    size_t from = 0, to;

    for (int i = 0; i < part; i++)
        while (from < token.n && token.p[from++] != '.')
            ;
    for (to = from; to < token.n && token.p[to] != '.'; to++)
        ;
    assert_ok(b64_decode(bytes_part(token, from, to - from), B64_URL_STRICT, "token", a, &decoded, &e), &e);
    assert_ok(json_parse(decoded, 64, "token", a, &j, &e), &e);
    return j;
}

struct bytes run_program(struct arena *a, const char *const *argv, int *ret_status)
{
    struct out o = out_open(a);
    int fds[2], status;
    ssize_t n;
    char buffer[4096];
    pid_t pid;

    if (pipe(fds) != 0)
        fail_msg("pipe: %s", strerror(errno));
    pid = fork();
    if (pid == 0) {
        (void)dup2(fds[1], STDOUT_FILENO);
        close(fds[0]);
        close(fds[1]);
        execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    close(fds[1]);
    while ((n = read(fds[0], buffer, sizeof(buffer))) > 0)
        out_bytes(&o, bytes_of(buffer, (size_t)n));
    close(fds[0]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    *ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return out_view(&o);
}

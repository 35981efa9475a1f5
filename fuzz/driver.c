/* driver.c: runs a fuzz target's corpus as an ordinary test: every seed whole, cut and damaged in a way
 * that is the same each time. Arguments are files or folders; missing ones are reported as skipped. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DAMAGES = 400, MAX_SEED = 1 << 18 };

static unsigned tests;

static uint64_t next_random(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s;
}

/* Fresh heap memory of exactly this size: a read behind the end is seen by the sanitizer. */
static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size == 0 ? 1 : size);

    if (copy == NULL)
        abort();
    memcpy(copy, data, size);
    (void)LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void damage(uint8_t *p, size_t n, uint64_t *seed)
{
    for (uint64_t k = 1 + next_random(seed) % 4; k > 0; k--) {
        size_t at = next_random(seed) % n;

        switch (next_random(seed) % 4) {
        case 0:
            p[at] ^= (uint8_t)(1u << next_random(seed) % 8);
            break;
        case 1:
            p[at] = (uint8_t)next_random(seed);
            break;
        case 2:
            p[at] = next_random(seed) % 2 == 0 ? 0xff : 0;
            break;
        default:
            p[at] = p[next_random(seed) % n];
            break;
        }
    }
}

static void run_seed(const char *name, const uint8_t *data, size_t n)
{
    uint64_t seed = 0x9e3779b97f4a7c15u ^ n;
    uint8_t *work = malloc(n == 0 ? 1 : n);
    size_t step = n / 200 + 1;

    if (work == NULL)
        abort();
    run(data, n);
    for (size_t cut = 0; cut < n; cut += step)
        run(data, cut);
    for (int i = 0; n > 0 && i < DAMAGES; i++) {
        memcpy(work, data, n);
        damage(work, n, &seed);
        run(work, n);
    }
    free(work);
    printf("ok %u - %s\n", ++tests, name);
    fflush(stdout);
}

static void run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = malloc(MAX_SEED);
    size_t n;

    if (data == NULL || f == NULL) {
        printf("ok %u # SKIP %s cannot be read\n", ++tests, path);
    } else {
        n = fread(data, 1, MAX_SEED, f);
        run_seed(path, data, n);
    }
    if (f != NULL)
        fclose(f);
    free(data);
}

static void run_path(const char *path)
{
    struct dirent **list;
    struct stat st;
    int n;

    if (stat(path, &st) != 0) {
        printf("ok %u # SKIP %s is missing\n", ++tests, path);
        return;
    }
    if (!S_ISDIR(st.st_mode)) {
        run_file(path);
        return;
    }
    n = scandir(path, &list, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        char inner[4096 + 256];

        if (list[i]->d_name[0] != '.') {
            snprintf(inner, sizeof(inner), "%s/%s", path, list[i]->d_name);
            if (stat(inner, &st) == 0 && S_ISREG(st.st_mode))
                run_file(inner);
        }
        free(list[i]);
    }
    if (n >= 0)
        free(list);
}

int main(int argc, char **argv)
{
    const char *vectors = getenv("AVOUCH_VECTORS"), *source = getenv("AVOUCH_SOURCE");

    for (int i = 1; i < argc; i++) {
        char path[4096];

        if (strncmp(argv[i], "vectors/", 8) != 0)
            snprintf(path, sizeof(path), "%s", argv[i]);
        else if (vectors != NULL)
            snprintf(path, sizeof(path), "%s/%s", vectors, argv[i] + 8);
        else
            snprintf(path, sizeof(path), "%s/../shared/%s", source == NULL ? "." : source, argv[i]);
        run_path(path);
    }
    run_seed("nothing", (const uint8_t *)"", 0);
    printf("1..%u\n", tests);
    return 0;
}

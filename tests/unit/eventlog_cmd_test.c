/* eventlog_cmd_test.c: avouch eventlog, as its caller sees it: exit status and output. */
#include "testing.h"

#include "cli/cli.h"
#include "codec/json.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BUDGET = 64 << 20 };

/* Runs the command with standard output in a file of its own. */
static int run(struct arena *a, struct bytes *ret_out, int argc, char **argv)
{
    char path[] = "/tmp/avouch-eventlog-XXXXXX";
    int fd = mkstemp(path), saved, r;

    assert_true(fd >= 0);
    fflush(stdout);
    saved = dup(1);
    dup2(fd, 1);
    r = cmd_eventlog(argc, argv);
    fflush(stdout);
    dup2(saved, 1);
    close(saved);
    close(fd);
    *ret_out = test_read(a, path);
    unlink(path);
    return r;
}

static char *vector_path(struct arena *a, const char *name)
{
    return arena_printf(a, "%s/tpm/%s", test_vectors(), name);
}

static const struct row {
    const char *name, *log, *options[4]; /* an option with a slash is a path below the vectors */
    int status;
    const char *part; /* of the output */
} rows[] = {
    { "people", "qemu/uki-sb/binary_bios_measurements", { NULL }, 0, "Secure Boot: enabled" },
    { "people see texts", "eventlogs/gtt-rhel8-uefi.bin", { NULL }, 0, "grub_cmd set pager=1" },
    { "PCRs", "qemu/uki-sb/binary_bios_measurements", { "--pcrs", "--bank", "sha1" }, 0,
      "   0: bd0110293e46250b04f5fbd2c43efbced8496c81" },
    { "PCRs as JSON", "qemu/uki-sb/binary_bios_measurements", { "--pcrs", "--json", "--bank", "sha1" }, 0,
      "{\"pcrs\":{\"sha1\":{\"0\":\"bd0110293e46250b04f5fbd2c43efbced8496c81\"" },
    { "JSON", "eventlogs/tss-hcrtm.bin", { "--json" }, 0, "\"banks\":[\"sha1\",\"sha256\",\"sm3_256\"]" },
    { "old format", "eventlogs/gtt-debian-10.bin", { "--json" }, 0, "\"format\":\"tcg12\"" },
    { "same PCRs", "qemu/uki-sb/binary_bios_measurements", { "--compare", "/qemu/uki-sb/pcrs.json" }, 1,
      "PCR 10 (sha1): has no event in this log" },
    { "same log", "qemu/uki-sb/binary_bios_measurements", { "--compare", "/qemu/uki-sb/binary_bios_measurements" }, 0,
      "no difference" },
    { "another command line", "qemu/shim-grub-sb/binary_bios_measurements",
      { "--compare", "/qemu/shim-grub-sb-cmdline/binary_bios_measurements" }, 1, "PCR 8 (sha384): the first event that differs" },
    { "another boot's PCRs", "qemu/uki-sb/binary_bios_measurements", { "--compare", "/qemu/uki-nosb/pcrs.json", "--bank",
      "sha256" }, 1, "PCR 7 (sha256): no single event explains" },
    { "malformed", "eventlogs/keylime-bogus.bin", { NULL }, 1, NULL },
    { "bank that is not there", "eventlogs/gtt-debian-10.bin", { "--bank", "sha256" }, 1, NULL },
    { "unknown bank", "eventlogs/gtt-debian-10.bin", { "--bank", "md5" }, 2, NULL },
    { "unknown option", "eventlogs/gtt-debian-10.bin", { "--bunk" }, 2, NULL },
};

static void test_row(void **state)
{
    const struct row *row = *state;
    char *argv[8] = { (char *)(uintptr_t)"eventlog" };
    struct bytes out;
    struct arena a;
    int argc = 1;

    arena_init(&a, BUDGET);
    argv[argc++] = vector_path(&a, row->log);
    for (size_t i = 0; i < COUNT(row->options) && row->options[i] != NULL; i++)
        argv[argc++] = row->options[i][0] == '/' ? vector_path(&a, row->options[i] + 1) : (char *)(uintptr_t)row->options[i];
    assert_int_equal(run(&a, &out, argc, argv), row->status);
    if (row->part != NULL && !bytes_contain(out, bytes_str(row->part)))
        fail_msg("'%s' is not in the output: %.400s", row->part, (const char *)out.p);
    arena_done(&a);
}

/* A log from which the last events of a PCR are missing in the values, and one that lacks an event. */
static void test_explained(void **state)
{
    struct bytes out, all;
    const struct json *j;
    struct arena a;
    char path[] = "/tmp/avouch-pcrs-XXXXXX", *argv[] = { (char *)(uintptr_t)"eventlog", NULL, (char *)(uintptr_t)"--compare",
                                                         path, NULL };
    FILE *f;
    int fd = mkstemp(path);

    (void)state;
    arena_init(&a, BUDGET);
    argv[1] = vector_path(&a, "qemu/uki-sb/binary_bios_measurements");
    f = fdopen(fd, "w");
    assert_non_null(f);
    /* PCR 2 has one event, the separator: all zeros is the state before it. */
    fprintf(f, "{\"pcrs\":{\"sha256\":{\"2\":\"%064d\"}}}", 0);
    fclose(f);
    assert_int_equal(run(&a, &out, 4, argv), 1);
    assert_true(bytes_contain(out, LIT("PCR 2 (sha256): the given value is the state before this event")));
    assert_true(bytes_contain(out, LIT("EV_SEPARATOR")));
    argv[1] = vector_path(&a, "qemu/uki-sb/binary_bios_measurements"); /* getopt sorts its arguments */
    argv[2] = (char *)(uintptr_t)"--json";
    assert_int_equal(run(&a, &all, 3, argv), 0);
    assert_true(json_parse(all, JSON_DEPTH, "output", &a, &j, NULL));
    assert_int_equal(json_member(j, "Events")->count, 35); /* 36 with the Spec ID, which extends nothing */
    unlink(path);
    arena_done(&a);
}

int main(void)
{
    struct suite s = { 0 };

    if (test_vectors() == NULL) {
        suite_add_skipped(&s, "event log vectors");
        return suite_run("eventlog_cmd", &s);
    }
    for (size_t i = 0; i < COUNT(rows); i++)
        suite_add(&s, rows[i].name, test_row, (void *)(uintptr_t)&rows[i]);
    suite_add(&s, "explained", test_explained, NULL);
    return suite_run("eventlog_cmd", &s);
}

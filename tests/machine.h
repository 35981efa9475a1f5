/* machine.h: a machine with a software TPM (swtpm) for a test: its own folder, unprivileged, no port. */
#ifndef AVOUCH_TESTS_MACHINE_H
#define AVOUCH_TESTS_MACHINE_H

#include "testing.h"

#include "attester/evidence.h"

#include <sys/types.h>

struct machine {
    struct arena a;
    char folder[64];     /* below /tmp; removed at the end */
    pid_t pid;           /* of swtpm */
    struct tpmdev *tpm;  /* NULL while it is off, or another program has it */
};

/* Whether swtpm is installed; the reason for a skipped test otherwise. */
bool machine_possible(const char **ret_why);
/* A machine that is on. */
void machine_init(struct machine *m);
void machine_done(struct machine *m);
/* PCRs start anew, keys and counters stay. */
void machine_off(struct machine *m);
void machine_on(struct machine *m);
/* The TPM takes one client: another program may have it between the two. */
void machine_release(struct machine *m);
void machine_take(struct machine *m);
/* How that program reaches it. */
const char *machine_tcti(struct machine *m);
/* The boot of another machine, made true here: every event of its log extends the same PCR. */
void machine_boot(struct machine *m, struct bytes log);
/* Writes a file into the folder; its path. */
const char *machine_file(struct machine *m, const char *name, struct bytes content);

#endif

/* eventlog_cmd.h: avouch eventlog FILE [--json] [--bank B] [--pcrs] [--compare F]
 *
 * Shows a firmware and OS event log, replays it, and says which event makes a PCR differ from another
 * machine's. F is a file of PCR values ({"sha256":{"0":"<hex>"}}, also below a member "pcrs") or another log. */
#ifndef AVOUCH_CLI_EVENTLOG_CMD_H
#define AVOUCH_CLI_EVENTLOG_CMD_H

/* argv[0] is the command's name. Exit status: 0, 1 (malformed log, or a difference), 2 (usage). */
int cmd_eventlog(int argc, char **argv);

#endif

/* main.c: avouch, the operator's tool: a table of commands. */
#include "cli/cli.h"

#include <stdio.h>

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} commands[] = {
    { "verify", cmd_verify, "verify evidence and show every check that was made" },
    { "explain", cmd_explain, "print any evidence field by field" },
    { "eventlog", cmd_eventlog, "read a boot log: events, PCRs, what differs" },
    { "attest", cmd_attest, "send evidence to a service and print the token" },
    { "token", cmd_token, "decode or verify a token" },
    { "policy", cmd_policy, "check, evaluate, format, hash, wrap, sign, compare policies" },
    { "admin", cmd_admin, "operators' tokens of the embedded default" },
    { "collateral", cmd_collateral, "fetch, carry, list and check vendors' collateral; forecast" },
    { "jmespath", cmd_jmespath, "evaluate a JMESPath expression" },
};

static int help(FILE *to)
{
    fputs("usage: avouch COMMAND ...\n", to);
    for (size_t i = 0; i < COUNT(commands); i++)
        fprintf(to, "  %-12s %s\n", commands[i].name, commands[i].summary);
    fputs("exit status: 0 valid or permitted, 1 refused or denied, 2 wrong usage, 3 cannot decide; see avouch(1)\n", to);
    return to == stderr ? EXIT_USAGE : 0;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return help(stderr);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)
        return help(stdout);
    if (strcmp(argv[1], "--version") == 0) {
        puts("avouch " AVOUCH_VERSION);
        return 0;
    }
    for (size_t i = 0; i < COUNT(commands); i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    fprintf(stderr, "avouch: command '%s' is not known\n", argv[1]);
    return help(stderr);
}

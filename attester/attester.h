/* attester.h: the commands of avouch-attester and what they share. */
#ifndef AVOUCH_ATTESTER_ATTESTER_H
#define AVOUCH_ATTESTER_ATTESTER_H

#include "attester/evidence.h"

/* Exit status (trusted-launch D): of all commands. */
enum outcome {
    OUTCOME_OK = 0,
    OUTCOME_REFUSED = 1,  /* the service, or the verification, says no */
    OUTCOME_PLATFORM = 2, /* no TPM, no log, wrong usage */
    OUTCOME_NETWORK = 3,
};

struct options {
    const char *url, *ca, *bearer_file;
    const char *issuer;   /* of reports; NULL: the URL */
    const char *tcti;
    const char *out;      /* dump: folder */
    const char *machine;  /* enroll */
    const char *trust;    /* verify: PEM file of roots */
    const char *aik_cert_path, *ek_cert_path;
    long interval;        /* daemon: seconds */
    struct gather gather;
    const char *const *args; /* behind the command's options */
    int arg_count;
};

/* -- http.c -- */
struct http_answer {
    long status;
    long retry_after; /* seconds, 0: not said */
    struct bytes body;
};
/* POSTs JSON, or GETs where `body` has no bytes. false: the network; *ret only on success. */
bool http_call(const struct options *o, const char *path, struct bytes body, struct arena *a,
               struct http_answer *ret, struct err *e) CHECKED;
/* What it means that a call did not come about. */
enum outcome http_failure(const struct err *e);
void http_open(void);
void http_close(void);

/* -- exchange.c -- */
/* Both steps of /attest/Tpm; *ret_token is the checked report. *ret_retry: seconds to wait before a new
 * try is sensible, 0: it is not. */
enum outcome exchange_attest(const struct options *o, struct arena *a, struct bytes *ret_token,
                             long *ret_retry, struct err *e);
/* What a report must say: who issued it, for which key, with which data of the relying party. */
struct report_wish {
    const char *issuer;
    struct bytes request_public;
    struct bytes rp_data; /* empty: none was sent */
    int64_t now;
};
/* That the report is signed by a key of the service's JWKS and says that. */
bool report_check(struct bytes token, struct bytes jwks, const struct report_wish *w, struct arena *a,
                  struct err *e) CHECKED;

/* -- enroll.c, offline.c -- */
enum outcome command_enroll(const struct options *o, struct arena *a, struct err *e);
enum outcome command_dump(const struct options *o, struct arena *a, struct err *e);
enum outcome command_verify(const struct options *o, struct arena *a, struct err *e);

#endif

/* tpm_client.h: both messages of /attest/Tpm to the service of a test, and its providers. */
#ifndef AVOUCH_TESTS_API_TPM_CLIENT_H
#define AVOUCH_TESTS_API_TPM_CLIENT_H

#include "service.h"

#define NONE ((struct bytes){ NULL, 0 })

extern struct service the; /* the test starts and stops it */
extern const char *const as_owner[], *const as_nobody[];

void expect_status(const struct answer *got, long status);
/* HTTP 400 with this code and part of the message. */
void expect_refused(const struct answer *got, const char *code, const char *part);
/* A call to a provider. */
struct answer provider_call(const char *tenant, const char *method, const char *path, const char *const *who, struct bytes body);
/* `policy` NULL: none is set. */
void make_provider(const char *name, const char *properties, const char *policy);

struct asked {
    struct bytes challenge, context;
};
struct asked ask(const char *tenant, const char *const *who);
struct answer send_doc(const char *tenant, const char *const *who, struct bytes doc);
struct answer send_jws(const char *tenant, const char *const *who, struct bytes jws);
/* The report in an answer with HTTP 200. */
struct bytes report_of(const struct answer *got);

/* Reading what came: the test fails where it is not there. */
const struct json *parsed(struct bytes text);
struct bytes text_of(const struct json *j, const char *name);
struct bytes decoded(const struct json *j, const char *name); /* base64url */
const struct json *payload_of(const struct json *body);

#endif

/* azureguest.h: POST /attest/AzureGuest: Trusted Launch machines and confidential VMs with a vTPM
 * (trusted-launch B). Nothing in a request is fresh by a nonce of ours: the answer is sealed to the
 * attested PCRs of this TPM, and only there can it be opened. */
#ifndef AVOUCH_EVIDENCE_AZUREGUEST_AZUREGUEST_H
#define AVOUCH_EVIDENCE_AZUREGUEST_AZUREGUEST_H

#include "evidence/evidence.h"
#include "evidence/tpm/boot.h"

enum {
    GUEST_MAX_SIZE = 4 << 20,
    GUEST_SEAL_RANDOM = 32 + 12, /* key and IV of the sealed token */
    GUEST_CLOCK_MS = 60000,      /* the certification may be this much later than the quote */
};

/* SHA-256 of certificates (their DER) and hash entries of Secure Boot variables; for the claims
 * dbvalidated, dbxvalidated and default-securebootkeysvalidated. settings.guest NULL: the built-in lists. */
struct guest_settings {
    const uint8_t (*db)[32]; /* db may hold nothing else */
    size_t db_count;
    const uint8_t (*dbx)[32]; /* dbx must hold all of these; none listed: never validated */
    size_t dbx_count;
    const uint8_t (*keys)[32]; /* PK and KEK may hold nothing else */
    size_t keys_count;
};

/* What stands below a vTPM. A kind of isolation is a row in isolation.c. */
struct guest_isolation {
    const char *type; /* IsolationInfo.Type: "SevSnp" */
    bool (*parse)(struct bytes proof, struct arena *a, void **ret, struct err *e);
    bool (*needs)(const void *ev, const struct settings *s, struct needs *ret, struct err *e);
    bool (*verify)(void *ev, const struct verify_env *env, struct err *e);
    struct bytes (*report_data)(const void *ev); /* 64 bytes; of the verified report */
    /* NULL: the verified report is that of a paravisor whose launch is recognised, so what it binds (`runtime`) is
     * the paravisor's own word. Else why it may be anybody's. */
    const char *(*doubt)(const void *ev, const struct verify_env *env, struct bytes runtime);
    /* The object x-ms-isolation-tee. */
    struct bytes (*json)(const void *ev, const struct verify_env *env, struct bytes runtime, struct arena *a);
};
/* NULL: this build verifies no such isolation. TrustedLaunch is none: nothing stands below. */
const struct guest_isolation *guest_isolation_find(struct bytes type);

struct guest_request {
    struct bytes protocol, os_type, os_distro, os_build; /* texts; nothing verifies what they say */
    int64_t os_major, os_minor;
    struct bytes payload; /* client-payload as JSON text */
    struct bytes log;
    struct bytes aik_cert, aik_pub, quote, quote_sig, enc_pub, enc_cert, enc_sig;
    uint32_t pcr_set;
    struct pcr_set claimed;
    const struct guest_isolation *isolation; /* NULL: Trusted Launch */
    void *isolation_ev;
    struct bytes runtime; /* runtime JSON of the paravisor, as hashed */
    /* Results: */
    bool verified;
    struct tpm_state state;
    struct tpm_public enc; /* the key that the answer is sealed to */
    struct bytes vm_id; /* where the isolation vouches for it */
};

extern const struct evidence_kind evidence_azureguest;

/* in->sealed must be set: whoever takes the claims seals the token with one of the functions below.
 *
 * The text of the answer's member token: the JWT under a fresh AES-256-GCM key, and that key under the
 * ephemeral key of the request. `random` is fresh. Only for a verified request. */
bool azureguest_seal(const struct guest_request *rq, struct bytes jwt,
                     const uint8_t random[GUEST_SEAL_RANDOM], struct arena *a, struct bytes *ret,
                     struct err *e) CHECKED;
/* The same for any key: for tests against recorded answers. */
bool azureguest_seal_to(struct key *enc, struct bytes jwt, const uint8_t random[GUEST_SEAL_RANDOM],
                        struct arena *a, struct bytes *ret, struct err *e) CHECKED;

/* request.c, claims.c: used by azureguest.c. */
bool guest_request_parse(struct bytes in, struct arena *a, struct guest_request **ret, struct err *e) CHECKED;
bool guest_request_claims(const struct guest_request *rq, const struct verify_env *env, struct claims *ret,
                          struct err *e) CHECKED;

#endif

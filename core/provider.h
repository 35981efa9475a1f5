/* provider.h: heads of providers inside the core: checked, changed, vouched for. */
#ifndef AVOUCH_CORE_PROVIDER_H
#define AVOUCH_CORE_PROVIDER_H

#include "core/core.h"
#include "wire/head.h"

/* The provider of a request. Without a head it is the shared one: no policies, no signers, no writes. */
struct provider {
    bool shared;
    struct head head;      /* of own providers */
    struct bytes issuer;
    bool has_policy;       /* the tenant set one for the type that was asked about */
    struct bytes policy_jws;
};

/* Reads TAG_HEAD and TAG_MAC (or TAG_ISSUER alone) and, for `type`, TAG_POLICY_JWS; checks the MAC, the
 * digest of the policy and that the head is not older than one that was seen. ERR_STORE_TAMPERED else. */
bool provider_read(struct core *c, const struct wire_fields *f, struct bytes type, struct arena *a, struct provider *ret,
                   struct err *e) CHECKED;

#endif

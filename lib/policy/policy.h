/* policy.h: the tenant's policy: text to a compiled object, claims to a decision and more claims.
 *
 * A policy is compiled once, when it is set, and evaluated for each attestation. Both are pure and
 * bounded (policy-language section 2.3): a hostile text or a hostile claim costs its budget and no more.
 *
 *     text -> policy_compile -> policy_eval(claims) -> policy_token_members -> the token's body */
#ifndef AVOUCH_POLICY_POLICY_H
#define AVOUCH_POLICY_POLICY_H

#include "base/arena.h"
#include "base/err.h"
#include "claims/claims.h"
#include "codec/json.h"

struct policy;

/* -- problems of a text -- */

/* One error or warning. Texts live in the arena of the diagnostics. */
struct policy_problem {
    bool warning;
    const char *code;       /* "mismatched-input": stable, for programs */
    unsigned line, column;  /* from 1; a column is a code point */
    struct bytes line_text; /* the excerpt: that line without its end */
    unsigned width;         /* code points under the caret, at least 1 */
    const char *message;    /* "mismatched input 'c' expecting ';'": section 12 */
    const char *expected;   /* what may stand there, or NULL */
    const char *suggestion; /* the way out where one is near, or NULL */
    const char *symbol;     /* offending token, "<EOF>" at the end */
    const char *rule;       /* "policy > issuanceRules > claimRule" */
};

#define POLICY_MAX_PROBLEMS 64

struct policy_diagnostics {
    struct arena *a;
    struct policy_problem *list; /* errors and warnings in the order of their places */
    size_t count;
    size_t errors;
};

struct policy_diagnostics policy_diagnostics_open(struct arena *a);
/* The recorded form of the service's message, for the first error (section 12). Empty without errors. */
const char *policy_rest_message(const struct policy_diagnostics *d, struct arena *a);
/* For people: place, message, excerpt with a caret, suggestion; all problems. */
void policy_diagnostics_print(const struct policy_diagnostics *d, const char *file, struct out *o);
/* [{"severity","code","line","column","message","expected","suggestion","excerpt","rule"}] */
struct bytes policy_diagnostics_json(const struct policy_diagnostics *d, struct arena *a);

/* -- compiling -- */

/* `attestation_type` is a name of the REST path ("SgxEnclave") or empty; it decides warnings and where
 * issued claims go. The text is copied. ret_diag (NULL: not wanted) is opened by the caller and is filled
 * on success too: warnings. e is ERR_POLICY_SYNTAX with the first error. */
bool policy_compile(struct bytes text, struct bytes attestation_type, struct policy **ret,
                    struct policy_diagnostics *ret_diag, struct err *e) CHECKED;
void policy_free(struct policy *p); /* NULL is fine */
size_t policy_size(const struct policy *p); /* bytes of memory that it holds */

struct bytes policy_text(const struct policy *p); /* byte for byte as given */
struct bytes policy_type(const struct policy *p); /* attestation type as given */
const char *policy_version(const struct policy *p);

/* A property set in configurationrules, last one wins, or NULL. Known names are type-checked already:
 * required_pcr_mask (Integer, 0..0xFFFFFF), require_valid_aik_cert (Boolean),
 * x-ms-sgx-tcbidentifier (String, "azuredefault" or decimal digits), x-avouch-collateral-max-age (Integer, seconds,
 * from an hour to ten years), x-avouch-tcb-sets (String, "one" or "both"). */
const struct claim *policy_property(const struct policy *p, const char *name);

/* Whether the evaluation may look at an incoming claim of this name. Where it says false the claim can be left
 * out and nothing changes: every condition asks for claims of another name. */
bool policy_reads(const struct policy *p, struct bytes name);

/* The policy as text again, in one style. A comment stays on the line of the rule that it follows, else it gets a line
 * of its own before what it stood in or before. */
bool policy_print(const struct policy *p, struct out *o) CHECKED;
/* Whether both mean the same: equal syntax trees. */
bool policy_same(const struct policy *a, const struct policy *b);

/* -- evaluating -- */

enum policy_decision {
    POLICY_PERMITTED,
    POLICY_DENIED,
    POLICY_NOT_PERMITTED,
    POLICY_FAILED, /* an evaluation error */
};

struct policy_result {
    struct claims issued;     /* the outgoing set, in order */
    struct claims added;      /* everything that the policy put into the incoming set, in order */
    struct claims properties; /* configuration and token properties; each name once, last value wins */
    int64_t report_validity_in_minutes; /* Tpm, VbsEnclave: 1 to 525600; 1440 unless set. Others: 0 */
    bool omit_x5c;                      /* Tpm, VbsEnclave */
};

struct policy_trace; /* below */

/* Only claims with CLAIM_TO_POLICY take part. true: permitted. false: ERR_POLICY_DENIED (deny fired, or
 * nothing permitted), ERR_POLICY_EVALUATION (a rule could not be evaluated), ERR_NO_MEMORY. e->why is the
 * text of section 12 and names the rule, never values of claims. Everything lives in the arena. */
bool policy_eval(const struct policy *p, const struct claims *incoming, struct arena *a,
                 struct policy_result *ret, struct policy_trace *trace_or_null, struct err *e) CHECKED;

/* -- explaining -- */

struct policy_trace {
    struct arena *a;
    enum policy_decision decision;
    struct trace_rule *first, *last;
    /* Not permitted or failed: the rule that decided it (first deny, nearest permit, failed rule), or NULL. */
    const struct trace_rule *decisive;
    size_t used; /* claims recorded so far: a trace is cut at a limit, `cut` tells */
    bool cut;
};

struct policy_trace policy_trace_open(struct arena *a);
/* {"decision","rules":[{"section","line","rule","fired","conditions":[...],"made":[...]}],"decisive":n}.
 * Values of claims are cut to 256 characters (section 12). */
struct bytes policy_trace_json(const struct policy_trace *t, struct arena *a);
struct bytes policy_trace_rules_json(const struct policy_trace *t, struct arena *a); /* only the array */
void policy_trace_print(const struct policy_trace *t, struct out *o);
/* A few lines: which rule decided and, with `values`, which claims stopped it. */
const char *policy_trace_summary(const struct policy_trace *t, bool values, struct arena *a);

/* -- the token -- */

/* Writes the service's claims (CLAIM_TO_TOKEN) and the issued ones as members: section 10, with x-ms-policy
 * for SgxEnclave and OpenEnclave. Members that are in ret already (iss, iat, ...) count as the service's.
 * ERR_POLICY_EVALUATION where a policy issued a reserved name with another value (section 10.3). */
bool policy_token_members(const struct policy *p, const struct claims *service, const struct policy_result *r,
                          struct jobj *ret, struct err *e) CHECKED;

/* -- defaults -- */

/* Exact bytes of the policy of a type where none is set; their hash is in tokens. Empty for Tpm and
 * VbsEnclave, which have none. Names as in the REST path, any case. false: no such type. */
bool policy_default(struct bytes attestation_type, struct bytes *ret);
/* What SgxEnclave and OpenEnclave had until mid 2022 (version 1.0). */
struct bytes policy_default_sgx_v10(void);

#endif

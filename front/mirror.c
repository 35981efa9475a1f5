/* mirror.c: the paths of Intel's PCCS and AMD's KDS, answered from the cache: other verifiers and hosts may use the
 * service as their mirror. Vendors' signed statements, public by nature; nothing here is ours. */
#include "front/front.h"

#include "codec/hex.h"
#include "codec/pem.h"
#include "evidence/needkey.h"
#include "evidence/sgx/sgx.h"

#include <stdio.h>
#include <strings.h>

enum encoding {
    AS_STORED,
    AS_DER,
    AS_PEM,
    AS_HEX,
};

struct mirror_call {
    struct needs needs;
    const char *key;
    enum need_form form;
    int version;          /* of Intel's paths */
    enum encoding encoding;
    const char *chain;    /* header of the issuer chain, or NULL */
    struct needs errand;  /* the same with an encrypted PPID, for those who must be told the platform; empty: none */
    bool fetch;
};

static void not_found(struct request *rq, const char *why)
{
    struct err e = { .code = ERR_NONE };

    (void)err_set(&e, ERR_RESOURCE_NOT_FOUND, "collateral", "%s", why);
    reply_error(rq, &e);
}

/* -- the answer -- */

/* Leaf first, then its root, URL-encoded PEM as Intel's services have it (evidence-sgx 4.4). */
static const char *issuer_chain(struct request *rq, const struct bytes *bodies, size_t count, struct bytes issuer)
{
    struct out pem = out_open(&rq->a), o = out_open(&rq->a);
    struct bytes text;

    for (int root = 0; root < 2; root++) {
        bool found = false;

        for (size_t i = 1; i < count && !found; i++) {
            struct cert *list;
            size_t n;

            if (!certs_read(bodies[i], 16, "issuer chain", &rq->a, &list, &n, NULL))
                continue;
            for (size_t m = 0; m < n && !found; m++)
                if (cert_self_issued(&list[m]) == (root == 1) && (root == 1 || bytes_contain(list[m].subject_cn, issuer))) {
                    pem_print(&pem, "CERTIFICATE", list[m].der);
                    found = true;
                }
        }
    }
    text = out_view(&pem);
    for (size_t i = 0; i < text.n; i++)
        if (strchr("\n +/=", text.p[i]) != NULL)
            out_printf(&o, "%%%02X", text.p[i]);
        else
            out_u8(&o, text.p[i]);
    return out_ok(&o) && o.n > 0 ? (const char *)out_view(&o).p : NULL;
}

static struct bytes encode(struct request *rq, const struct mirror_call *call, struct bytes body)
{
    struct bytes der = body;
    struct out o = out_open(&rq->a);
    struct crl crl;
    struct cert *list;
    size_t n;
    bool is_crl = call->form == NEED_PCK_CRL || call->form == NEED_ROOT_CRL || call->form == NEED_AMD_CRL;

    if (call->encoding == AS_STORED)
        return body;
    if (is_crl && crl_read(body, "CRL", &rq->a, &crl, NULL))
        der = crl.der;
    else if (!is_crl && certs_read(body, 16, "certificate", &rq->a, &list, &n, NULL))
        der = list[0].der;
    if (call->encoding == AS_HEX)
        return hex_encode(&rq->a, der);
    if (call->encoding == AS_DER)
        return der;
    pem_print(&o, is_crl ? "X509 CRL" : "CERTIFICATE", der);
    return out_view(&o);
}

static bool has_version(struct request *rq, const struct mirror_call *call, struct bytes body)
{
    struct collateral c = collateral_open(&rq->a);

    return call->form != NEED_TCB_INFO
        || (collateral_add(&c, body, "TCB info", NULL) && c.count == 1 && c.list[0].version == (call->version == 3 ? 2 : 3));
}

static const char *type_of(const struct mirror_call *call)
{
    if (call->encoding == AS_DER)
        return call->form == NEED_VCEK ? "application/pkix-cert" : "application/pkix-crl";
    if (call->encoding == AS_HEX)
        return "text/plain";
    return call->encoding == AS_PEM || call->form == NEED_AMD_CHAIN ? "application/x-pem-file" : "application/json";
}

/* As a PCCS tells it (evidence-sgx 4.5): what there is not is 404, or of a PCK certificate 461 or 462; trouble with the
 * sources is 502: not 503, whose Retry-After a cache below would take for all items. */
static void missing(struct request *rq, const struct mirror_call *call)
{
    bool pck = call->form == NEED_PCK;
    struct err e = { .code = ERR_NONE };

    if (!call->fetch)
        (void)err_set(&e, pck ? ERR_PLATFORM_UNKNOWN : ERR_RESOURCE_NOT_FOUND, pck ? "PCK certificate" : "collateral",
                      pck ? "is not in the cache for this QE and TCB" : "is not in the cache");
    else
        collateral_said(rq, call->errand.count > 0 ? &call->errand : &call->needs, &e);
    if (err_is_undecided(e.code))
        e.code = ERR_SOURCES_FAILED;
    if (!pck && (e.code == ERR_PLATFORM_UNKNOWN || e.code == ERR_CERTS_UNAVAILABLE))
        e.code = ERR_RESOURCE_NOT_FOUND;
    reply_error(rq, &e);
}

static void answer(struct request *rq)
{
    const struct mirror_call *call = rq->call;
    const struct bytes *bodies;
    struct bytes body;
    size_t count;

    if (!collateral_bodies(rq->front, call->key, &bodies, &count)) {
        missing(rq, call);
        return;
    }
    if (!has_version(rq, call, bodies[0])) {
        not_found(rq, "the TCB info in the cache has the form of the other API version");
        return;
    }
    body = encode(rq, call, bodies[0]);
    if (call->chain != NULL) {
        rq->extra[0].name = call->chain;
        rq->extra[0].value = issuer_chain(rq, bodies, count, call->form == NEED_PCK_CRL ? LIT("SGX PCK P") : LIT("SGX TCB Signing"));
    }
    rq->content_type = type_of(call);
    rq->public_answer = true;
    reply_json(rq, 200, arena_copy(&rq->a, body));
}

/* Reads the key and makes the call of it; false: replied. */
static bool prepare(struct request *rq, struct mirror_call *call, const char *key)
{
    const char *mode = rq->front->config.value[CONFIG_collateral_mirror];
    struct need_key k, name;
    struct err e = { .code = ERR_NONE };

    if (strcmp(mode, "off") == 0) {
        not_found(rq, "this service is no mirror (collateral.mirror)");
        return false;
    }
    if (key == NULL || !need_key_parse(bytes_str(key), &k, &e)) {
        (void)err_memory(&e, "collateral");
        reply_error(rq, &e);
        return false;
    }
    name = need_key_name(&k);
    call->form = k.form;
    call->fetch = strcmp(mode, "fetch") == 0;
    call->key = need_key_print(&name, &rq->a);
    call->needs = needs_open(&rq->a);
    call->errand = needs_open(&rq->a);
    rq->call = call;
    if (needs_add(&call->needs, need_key_kind(&k), call->key, false)
        && (k.ppid_size == 0 || needs_add(&call->errand, need_key_kind(&k), need_key_print(&k, &rq->a), false)))
        return true;
    (void)err_memory(&e, "collateral");
    reply_error(rq, &e);
    return false;
}

static void ask(struct request *rq, struct mirror_call *call, const char *key)
{
    if (prepare(rq, call, key))
        collateral_await(rq, &call->needs, call->fetch ? COLLATERAL_MIRROR_FETCH : COLLATERAL_MIRROR, answer);
}

/* -- PCK certificates -- */

/* The headers are said by the certificate itself: its TCB, its platform family, its issuer. */
static bool pck_headers(struct request *rq, const struct bytes *bodies, size_t count)
{
    struct pck_extension x;
    struct cert *list;
    size_t n;
    const char *ca;

    if (!certs_read(bodies[0], 16, "PCK certificate", &rq->a, &list, &n, NULL) || !pck_extension_parse(&list[0], &x, NULL))
        return false;
    ca = bytes_contain(list[0].issuer_cn, LIT("Platform")) ? "platform" : "processor";
    rq->extra[0].name = "SGX-PCK-Certificate-Issuer-Chain";
    rq->extra[0].value = issuer_chain(rq, bodies, count, LIT("SGX PCK P"));
    rq->extra[1].name = "SGX-TCBm";
    rq->extra[1].value = arena_printf(&rq->a, "%s%02x%02x", (const char *)hex_encode(&rq->a, BYTES(x.cpu_svn)).p, x.pce_svn & 0xff, x.pce_svn >> 8);
    rq->extra[2].name = "SGX-FMSPC";
    rq->extra[2].value = (const char *)hex_encode(&rq->a, BYTES(x.fmspc)).p;
    rq->extra[3].name = "SGX-PCK-Certificate-CA-Type";
    rq->extra[3].value = ca;
    return rq->extra[0].value != NULL && rq->extra[1].value != NULL && rq->extra[2].value != NULL;
}

static void pck_answer(struct request *rq)
{
    const struct mirror_call *call = rq->call;
    const struct bytes *bodies;
    size_t count;

    if (!collateral_bodies(rq->front, call->key, &bodies, &count)) {
        missing(rq, call);
        return;
    }
    if (!pck_headers(rq, bodies, count)) {
        memset(rq->extra, 0, sizeof(rq->extra));
        not_found(rq, "the PCK certificate in the cache cannot be read");
        return;
    }
    rq->content_type = type_of(call); /* it names a platform: not for caches of strangers, so no public_answer */
    reply_json(rq, 200, arena_copy(&rq->a, encode(rq, call, bodies[0])));
}

static void pck_fetched(struct request *rq)
{
    struct mirror_call *call = rq->call;

    collateral_await(rq, &call->needs, COLLATERAL_MIRROR, pck_answer);
}

static void pck_looked_up(struct request *rq)
{
    struct mirror_call *call = rq->call;
    const struct bytes *bodies;
    size_t count;

    if (collateral_bodies(rq->front, call->key, &bodies, &count))
        pck_answer(rq);
    else
        collateral_await(rq, &call->errand, COLLATERAL_MIRROR_FETCH, pck_fetched);
}

/* Numbers little-endian as they stand in memory, as Intel's service and its cache have them. */
static void ask_pck(struct request *rq, struct mirror_call *call)
{
    static const char *const names[] = { "qeid", "cpusvn", "pcesvn", "pceid", "encrypted_ppid" };
    struct out o = out_open(&rq->a);
    char mark = '?';

    out_text(&o, "sgx/pckcert");
    for (size_t i = 0; i < COUNT(names); i++)
        if (request_query(rq, names[i]) != NULL) {
            out_printf(&o, "%c%s=%.800s", mark, names[i], request_query(rq, names[i]));
            mark = '&';
        }
    call->encoding = AS_PEM;
    if (!prepare(rq, call, out_ok(&o) ? (const char *)out_view(&o).p : NULL))
        return;
    if (call->fetch && call->errand.count > 0)
        collateral_await(rq, &call->needs, COLLATERAL_MIRROR, pck_looked_up);
    else
        collateral_await(rq, &call->needs, call->fetch ? COLLATERAL_MIRROR_FETCH : COLLATERAL_MIRROR, pck_answer);
}

/* -- Intel -- */

static const struct intel_path {
    const char *step; /* behind the version */
    const char *key, *query; /* of the need; the query is that of the request */
    enum encoding encoding;
    const char *chain3, *chain4;
} intel_paths[] = {
    { "tcb", "tcb", "fmspc", AS_STORED, "SGX-TCB-Info-Issuer-Chain", "TCB-Info-Issuer-Chain" },
    { "qe/identity", "qe/identity", NULL, AS_STORED, "SGX-Enclave-Identity-Issuer-Chain", "SGX-Enclave-Identity-Issuer-Chain" },
    { "qve/identity", "qve/identity", NULL, AS_STORED, "SGX-Enclave-Identity-Issuer-Chain", "SGX-Enclave-Identity-Issuer-Chain" },
    { "pckcrl", "pckcrl", "ca", AS_PEM, "SGX-PCK-CRL-Issuer-Chain", "SGX-PCK-CRL-Issuer-Chain" },
    { "rootcacrl", "rootcacrl", NULL, AS_HEX, NULL, NULL },
    { "crl", NULL, NULL, AS_DER, NULL, NULL },
    { "tcbevaluationdatanumbers", "tcbevaluationdatanumbers", NULL, AS_STORED, NULL, "TCB-Evaluation-Data-Numbers-Issuer-Chain" },
};

/* /crl?uri=: the addresses that stand in Intel's certificates and in its documents; the list comes from the cache all
 * the same. An unknown one is returned as it is, and is no key. */
static const char *crl_key(const char *uri)
{
    static const struct {
        const char *uri, *key;
    } known[] = {
        { "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der", "sgx/rootcacrl" },
        { "https://certificates.trustedservices.intel.com/IntelSGXRootCA.crl", "sgx/rootcacrl" },
        { "https://api.trustedservices.intel.com/sgx/certification/v3/pckcrl?ca=platform", "sgx/pckcrl?ca=platform" },
        { "https://api.trustedservices.intel.com/sgx/certification/v3/pckcrl?ca=processor", "sgx/pckcrl?ca=processor" },
        { "https://api.trustedservices.intel.com/sgx/certification/v4/pckcrl?ca=platform", "sgx/pckcrl?ca=platform" },
        { "https://api.trustedservices.intel.com/sgx/certification/v4/pckcrl?ca=processor", "sgx/pckcrl?ca=processor" },
    };

    for (size_t i = 0; uri != NULL && i < COUNT(known); i++) {
        size_t n = strlen(known[i].uri);

        if (strncmp(uri, known[i].uri, n) == 0 && (uri[n] == 0 || strncmp(uri + n, "&encoding=", 10) == 0))
            return known[i].key;
    }
    return uri == NULL ? "" : uri;
}

static const char *intel_key(struct request *rq, const struct intel_path *p, const char *tee)
{
    const char *value = p->query == NULL ? NULL : request_query(rq, p->query), *number = request_query(rq, "tcbEvaluationDataNumber"),
               *update = request_query(rq, "update"), *eval = "";
    bool statement = p->encoding == AS_STORED && strcmp(p->step, "tcbevaluationdatanumbers") != 0;
    char mark = '?';
    struct out o = out_open(&rq->a);

    if (p->key == NULL)
        return crl_key(request_query(rq, "uri"));
    out_printf(&o, "%s/%s", strcmp(p->step, "pckcrl") == 0 || strcmp(p->step, "rootcacrl") == 0 ? "sgx" : tee, p->key);
    if (p->query != NULL) {
        out_printf(&o, "?%s=%.100s", p->query, value == NULL ? "" : value);
        mark = '&';
    }
    if (statement && number != NULL)
        eval = number;
    else if (statement && update != NULL && strcasecmp(update, "early") == 0)
        eval = "early";
    if (eval[0] != 0)
        out_printf(&o, "%ceval=%.20s", mark, eval);
    return out_ok(&o) ? (const char *)out_view(&o).p : NULL;
}

/* 0: no such version of this TEE's paths. */
static int version_of(const char *tee, const char *version)
{
    return strcmp(version, "v4") == 0 ? 4 : strcmp(version, "v3") == 0 && strcmp(tee, "tdx") != 0 ? 3 : 0;
}

static void intel(struct request *rq, const char *step)
{
    struct mirror_call *call = arena_new(&rq->a, struct mirror_call);
    const char *tee = rq->steps[0], *encoding = request_query(rq, "encoding");
    bool tdx = strcmp(tee, "tdx") == 0;

    if (call != NULL && strcmp(step, "pckcert") == 0 && strcmp(tee, "sgx") == 0 && version_of(tee, rq->steps[1]) != 0) {
        ask_pck(rq, call);
        return;
    }

    for (size_t i = 0; call != NULL && i < COUNT(intel_paths); i++) {
        const struct intel_path *p = &intel_paths[i];

        if (strcmp(step, p->step) != 0 || (!tdx && strcmp(tee, "sgx") != 0))
            continue;
        call->version = version_of(tee, rq->steps[1]);
        if (call->version == 0)
            break;
        call->encoding = p->encoding == AS_PEM && encoding != NULL && strcasecmp(encoding, "der") == 0 ? AS_DER : p->encoding;
        call->chain = call->version == 3 ? p->chain3 : p->chain4;
        ask(rq, call, intel_key(rq, p, tee));
        return;
    }
    not_found(rq, "the mirror has no such path");
}

void handle_mirror_intel(struct request *rq)
{
    intel(rq, rq->steps[2] == NULL ? "qe/identity" : rq->steps[2]);
}

void handle_mirror_qve(struct request *rq)
{
    intel(rq, "qve/identity");
}

/* -- AMD -- */

void handle_mirror_amd(struct request *rq)
{
    static const char *const spl[] = { "fmcSPL", "blSPL", "teeSPL", "snpSPL", "ucodeSPL" };
    struct mirror_call *call = arena_new(&rq->a, struct mirror_call);
    struct out o = out_open(&rq->a);
    char mark = '?';

    if (call == NULL || (strcmp(rq->steps[0], "vcek") != 0 && strcmp(rq->steps[0], "vlek") != 0)) {
        not_found(rq, "the mirror has no such path");
        return;
    }
    out_printf(&o, "kds/%s/v1/%s/%s", rq->steps[0], rq->steps[1], rq->steps[2]);
    for (size_t i = 0; i < COUNT(spl); i++)
        if (request_query(rq, spl[i]) != NULL) {
            out_printf(&o, "%c%s=%.10s", mark, spl[i], request_query(rq, spl[i]));
            mark = '&';
        }
    call->encoding = strcmp(rq->steps[2], "cert_chain") == 0 ? AS_STORED : AS_DER;
    ask(rq, call, out_ok(&o) ? (const char *)out_view(&o).p : NULL);
}

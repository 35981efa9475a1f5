/* answer.c: see answer.h. */
#include "collateral/answer.h"

#include "codec/hex.h"
#include "evidence/sgx/sgx.h"

/* A text member, whatever the case of its name: Azure's cache and its clients do not agree about it. */
static bool text_member(const struct json *j, const char *name, struct bytes *ret, struct err *e)
{
    return json_string(json_member_nocase(j, name), ret)
        || err_set(e, ERR_COLLATERAL_FORMAT, "answer", "has no text '%s'", name);
}

/* Seconds, as text or number; anything else says nothing. */
static uint32_t life(const struct json *j, const char *name)
{
    const struct json *m = json_member_nocase(j, name);
    struct bytes text;
    uint64_t v = 0;

    if (m != NULL && json_is(m, JSON_NUMBER))
        text = m->text;
    else if (!json_string(m, &text))
        return 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9' || v > UINT32_MAX / 10)
            return 0;
        v = v * 10 + (uint64_t)(text.p[i] - '0');
    }
    return v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

static bool object(struct bytes body, struct arena *a, const struct json **ret, struct err *e)
{
    if (!json_parse(body, JSON_DEPTH, "answer", a, ret, e)) {
        if (e != NULL && e->code == ERR_JSON_SYNTAX)
            e->code = ERR_COLLATERAL_FORMAT;
        return false;
    }
    return json_is(*ret, JSON_OBJECT) || err_set(e, ERR_COLLATERAL_FORMAT, "answer", "is no JSON object");
}

/* -- PCK certificates -- */

/* What the source calls the TCB of its certificate is what the certificate says: hosts put it into their quotes. */
static bool check_tcbm(struct bytes tcbm, bool big_endian, struct bytes leaf, struct arena *a, struct err *e)
{
    struct pck_extension x;
    struct cert *list;
    uint8_t told[18];
    uint16_t pce;
    size_t n;

    if (!hex_decode_exact(tcbm, told, sizeof(told)))
        return err_set(e, ERR_COLLATERAL_FORMAT, "answer", "has no SGX-TCBm of 36 hexadecimal digits");
    if (!certs_read(leaf, 16, "PCK certificate", a, &list, &n, e) || !pck_extension_parse(&list[0], &x, e))
        return false;
    pce = (uint16_t)(big_endian ? told[16] << 8 | told[17] : told[17] << 8 | told[16]);
    if (memcmp(told, x.cpu_svn, sizeof(x.cpu_svn)) != 0 || pce != x.pce_svn)
        return err_set(e, ERR_TCB_MISMATCH, "answer", "SGX-TCBm is %.*s, its certificate is of CPUSVN %s and PCESVN %u", (int)tcbm.n,
                       (const char *)tcbm.p, (const char *)hex_encode(a, BYTES(x.cpu_svn)).p, x.pce_svn);
    return true;
}

static bool read_pck(const struct net_answer *n, struct arena *a, struct record *ret, struct err *e)
{
    if (n->chain.n == 0)
        return err_set(e, ERR_COLLATERAL_FORMAT, "PCK certificate", "came without its issuer chain");
    ret->bodies[0] = n->body;
    ret->bodies[1] = n->chain;
    ret->count = 2;
    return check_tcbm(n->tcbm, false, n->body, a, e);
}

static bool read_thim_pck(const struct net_answer *n, struct arena *a, struct record *ret, struct err *e)
{
    const struct json *j;
    struct bytes chain, tcbm;

    if (!object(n->body, a, &j, e) || !text_member(j, "pckCert", &ret->bodies[0], e)
        || !text_member(j, "sgx-Pck-Certificate-Issuer-Chain", &chain, e) || !text_member(j, "sgx-Tcbm", &tcbm, e))
        return false;
    ret->bodies[1] = net_unescape(chain, a);
    ret->count = 2;
    ret->max_age = life(j, "cacheMaxAge");
    if (ret->bodies[1].n == 0)
        return a->failed ? err_memory(e, "answer") : err_set(e, ERR_COLLATERAL_FORMAT, "PCK certificate", "came without its issuer chain");
    return check_tcbm(tcbm, true, ret->bodies[0], a, e);
}

/* -- VCEKs from inside an Azure VM (evidence-snp 2.4) -- */

/* Components of a TCB number as Milan and Genoa have it. */
static bool check_vcek_tcb(struct bytes tcbm, const struct need_key *k, struct err *e)
{
    uint8_t t[8];

    if (!hex_decode_exact(tcbm, t, sizeof(t)))
        return err_set(e, ERR_COLLATERAL_FORMAT, "answer", "has no tcbm of 16 hexadecimal digits");
    if (t[0] != k->spl[4] || t[1] != k->spl[3] || t[6] != k->spl[2] || t[7] != k->spl[1])
        return err_set(e, ERR_TCB_MISMATCH, "answer", "tcbm is %.*s; boot loader %u, TEE %u, SNP %u, microcode %u were asked for", (int)tcbm.n,
                       (const char *)tcbm.p, k->spl[1], k->spl[2], k->spl[3], k->spl[4]);
    return true;
}

static bool read_thim_vcek(const struct need_key *k, const struct net_answer *n, struct arena *a, struct record *ret, struct err *e)
{
    const struct json *j;
    struct bytes tcbm;

    if (!object(n->body, a, &j, e) || !text_member(j, "vcekCert", &ret->bodies[0], e)
        || !text_member(j, "certificateChain", &ret->bodies[1], e) || !text_member(j, "tcbm", &tcbm, e))
        return false;
    ret->count = 2;
    ret->max_age = life(j, "cacheControl");
    return check_vcek_tcb(tcbm, k, e);
}

bool answer_read(enum source_kind from, const struct need_key *k, const struct net_answer *n, struct arena *a, struct record *ret, struct err *e)
{
    struct record r = *ret;
    bool ok = true;

    r.max_age = n->max_age;
    r.bodies[0] = n->body;
    r.bodies[1] = n->chain;
    r.count = n->chain.n > 0 ? 2 : 1;
    if (k->form == NEED_PCK)
        ok = from == SOURCE_THIM ? read_thim_pck(n, a, &r, e) : read_pck(n, a, &r, e);
    else if (k->form == NEED_VCEK && n->body.n > 0 && n->body.p[0] == '{')
        ok = read_thim_vcek(k, n, a, &r, e);
    if (ok)
        *ret = r;
    return ok;
}

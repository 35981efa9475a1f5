/* itemkey.c: from an item to its keys (needkey.h), for items that come as files of any name. */
#include "evidence/needkey.h"
#include "evidence/snp/snp.h"

#include <stdio.h>

static bool unnamed(const struct collateral_item *i, struct err *e)
{
    return err_set(e, ERR_COLLATERAL_FORMAT, collateral_kind_name(i->kind), "is of '%.*s', which nothing asks for", (int)i->id.n,
                   i->id.n == 0 ? "" : (const char *)i->id.p);
}

/* By its number, and as the set of the day: which of several is that, the caller decides. */
static bool statement_keys(const struct collateral_item *i, struct need_key *ret, size_t *ret_count, struct err *e)
{
    struct need_key k = { .form = i->kind == COLL_TCB_INFO ? NEED_TCB_INFO : NEED_IDENTITY };

    if (i->kind == COLL_TCB_INFO) {
        k.tdx = bytes_is(i->id, "TDX");
        if (!k.tdx && !bytes_is(i->id, "SGX"))
            return unnamed(i, e);
        memcpy(k.fmspc, i->fmspc, sizeof(k.fmspc));
    } else {
        k.tdx = bytes_is(i->id, "TD_QE");
        k.qve = bytes_is(i->id, "QVE");
        if (!k.tdx && !k.qve && !bytes_is(i->id, "QE"))
            return unnamed(i, e);
    }
    ret[0] = k;
    *ret_count = 1;
    if (i->eval_number > 0 && i->eval_number <= UINT32_MAX) {
        k.eval = i->eval_number;
        ret[1] = k;
        *ret_count = 2;
    }
    return true;
}

static bool numbers_key(const struct collateral_item *i, struct need_key *ret, size_t *ret_count, struct err *e)
{
    *ret = (struct need_key){ .form = NEED_EVAL_NUMBERS, .tdx = bytes_is(i->id, "TDX") };
    *ret_count = 1;
    return ret->tdx || bytes_is(i->id, "SGX") || unnamed(i, e);
}

static void set_line(struct need_key *k, enum snp_line line)
{
    snprintf(k->line, sizeof(k->line), "%s", snp_line_name(line));
}

static bool crl_keys(const struct collateral_item *i, struct need_key *ret, size_t *ret_count, struct err *e)
{
    static const char ark[] = "ARK-";
    enum snp_line line;

    *ret_count = 1;
    *ret = (struct need_key){ .form = NEED_PCK_CRL, .platform_ca = bytes_contain(i->issuer_cn, LIT("PCK Platform CA")) };
    if (ret->platform_ca || bytes_contain(i->issuer_cn, LIT("PCK Processor CA")))
        return true;
    ret->form = NEED_ROOT_CRL;
    if (bytes_contain(i->issuer_cn, LIT("SGX Root CA")))
        return true;
    if (bytes_equal(bytes_part(i->issuer_cn, 0, 4), LIT(ark)) && snp_line_find(bytes_part(i->issuer_cn, 4, i->issuer_cn.n), &line)) {
        ret->form = NEED_AMD_CRL;
        set_line(ret, line);
        ret[1] = ret[0];
        ret[1].vlek = true;
        *ret_count = 2;
        return true;
    }
    return err_set(e, ERR_COLLATERAL_FORMAT, "CRL", "is of '%.*s', of which no list is asked for", (int)i->issuer_cn.n,
                   i->issuer_cn.n == 0 ? "" : (const char *)i->issuer_cn.p);
}

static bool vcek_key(const struct cert *cert, struct need_key *ret, struct err *e)
{
    struct snp_leaf_facts f;

    if (!snp_leaf_read(cert, &f, e))
        return false;
    *ret = (struct need_key){ .form = NEED_VCEK, .hw_id_size = f.hwid.n, .has_fmc = f.line == SNP_TURIN,
                              .spl = { f.tcb.fmc, f.tcb.bl, f.tcb.tee, f.tcb.snp, f.tcb.ucode } };
    memcpy(ret->hw_id, f.hwid.p, f.hwid.n);
    set_line(ret, f.line);
    return true;
}

static bool cert_key(const struct cert *cert, struct need_key *ret, size_t *ret_count, struct err *e)
{
    enum snp_line line;
    struct bytes cn = cert->subject_cn;

    *ret_count = 1;
    if (bytes_is(cn, "SEV-VCEK"))
        return vcek_key(cert, ret, e);
    if (bytes_is(cn, "SEV-VLEK"))
        return err_set(e, ERR_COLLATERAL_FORMAT, "VLEK", "comes with the evidence: its provider gives it to its hosts alone");
    if (bytes_contain(cn, LIT("SGX PCK Certificate")))
        return err_set(e, ERR_COLLATERAL_FORMAT, "PCK certificate", "does not say for which QE it is: fetch it, or import a bundle that has it");
    if (bytes_equal(bytes_part(cn, 0, 9), LIT("SEV-VLEK-")) && snp_line_find(bytes_part(cn, 9, cn.n), &line))
        *ret = (struct need_key){ .form = NEED_AMD_CHAIN, .vlek = true };
    else if (bytes_equal(bytes_part(cn, 0, 4), LIT("SEV-")) && snp_line_find(bytes_part(cn, 4, cn.n), &line))
        *ret = (struct need_key){ .form = NEED_AMD_CHAIN };
    else
        *ret_count = 0;
    if (*ret_count == 1)
        set_line(ret, line);
    return true;
}

bool need_keys_of(const struct collateral_item *i, const struct cert *cert, struct need_key *ret, size_t *ret_count, struct err *e)
{
    switch (i->kind) {
    case COLL_TCB_INFO:
    case COLL_QE_IDENTITY:
        return statement_keys(i, ret, ret_count, e);
    case COLL_EVAL_NUMBERS:
        return numbers_key(i, ret, ret_count, e);
    case COLL_CRL:
        return crl_keys(i, ret, ret_count, e);
    case COLL_CERTS:
        return cert_key(cert, ret, ret_count, e);
    }
    return false;
}

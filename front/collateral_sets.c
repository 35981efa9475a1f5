/* collateral_sets.c: items of Intel's that belong together by their evaluation number. */
#include "front/collateral_priv.h"

/* The evaluation number of what is on hand for a need; 0: nothing. */
static int64_t number_on_hand(const struct front *f, const struct need *n, const struct need_key *k)
{
    const struct entry *x = entry_find(f->collateral_link, n->key);
    int64_t best = x != NULL && x->count > 0 ? x->eval_number : 0;

    for (size_t i = 0; i < f->collateral.count; i++)
        if (need_key_serves(k, &f->collateral.list[i]) && f->collateral.list[i].eval_number > best)
            best = f->collateral.list[i].eval_number;
    return best;
}

/* The identity that belongs to a TCB info of this number, unless there is one. NULL: nothing to ask for. */
static const char *identity_of_set(struct request *rq, const struct needs *needs, bool tdx, int64_t number)
{
    const struct front *f = rq->front;

    for (size_t i = 0; i < needs->count; i++) {
        struct need_key k;

        if (!need_key_parse(bytes_str(needs->list[i].key), &k, NULL) || k.form != NEED_IDENTITY || k.tdx != tdx)
            continue;
        if (k.eval != 0 || number_on_hand(f, &needs->list[i], &k) == number || number_on_hand(f, &needs->list[i], &k) == 0)
            return NULL;
        k.eval = number;
        return folder_has(f, &k, front_now(f)) ? NULL : need_key_print(&k, &rq->a);
    }
    return NULL;
}

/* While a vendor goes over to the next set, TCB info and identity come of different numbers for a while: the core
 * would not mix them. The identity is then asked for by the number of the TCB info. true: there is more to wait for. */
bool collateral_pair_up(struct front *f, struct collateral_wait *w)
{
    size_t known = w->needs->count;

    if (w->paired || w->use != COLLATERAL_VERIFY || f->settings.mix_eval_numbers || f->settings.tcb_eval_number != 0)
        return false;
    w->paired = true;
    for (size_t i = 0; i < known && w->needs->count < MAX_NEEDS; i++) {
        struct need_key k;
        const char *key;
        int64_t number;

        if (!need_key_parse(bytes_str(w->needs->list[i].key), &k, NULL) || k.form != NEED_TCB_INFO)
            continue;
        number = number_on_hand(f, &w->needs->list[i], &k);
        key = number == 0 ? NULL : identity_of_set(w->rq, w->needs, k.tdx, number);
        if (key != NULL && !needs_add(w->needs, COLL_QE_IDENTITY, key, false))
            return false;
    }
    return collateral_wait_for(f, w, known);
}

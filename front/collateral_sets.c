/* collateral_sets.c: items of Intel's that belong together by their evaluation number.
 *
 * What is read here of items is not verified: it only says what to ask for next. */
#include "front/collateral_priv.h"

#include "evidence/sgx/sgx.h"

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
        return folder_has(f, &k, ANY_DATE) ? NULL : need_key_print(&k, &rq->a);
    }
    return NULL;
}

/* While a vendor goes over to the next set, TCB info and identity come of different numbers for a while: the core
 * would not mix them. The identity is then asked for by the number of the TCB info. */
static void pair_up(struct front *f, struct collateral_wait *w)
{
    size_t known = w->needs->count;

    if (w->settings->mix_eval_numbers || w->settings->tcb_eval_number != 0)
        return;
    for (size_t i = 0; i < known && w->needs->count < MAX_NEEDS; i++) {
        struct need_key k;
        const char *key;
        int64_t number;

        if (!need_key_parse(bytes_str(w->needs->list[i].key), &k, NULL) || k.form != NEED_TCB_INFO)
            continue;
        number = number_on_hand(f, &w->needs->list[i], &k);
        key = number == 0 ? NULL : identity_of_set(w->rq, w->needs, k.tdx, number);
        if (key != NULL)
            (void)!needs_add(w->needs, COLL_QE_IDENTITY, key, false);
    }
}

/* -- both sets -- */

/* The list of evaluation numbers that is on hand; empty: none. */
static struct bytes list_on_hand(const struct front *f, const struct need *n, const struct need_key *k)
{
    const struct entry *x = entry_find(f->collateral_link, n->key);
    int64_t now = front_now(f);

    if (x != NULL && entry_valid(f, x))
        return x->bodies[0];
    for (size_t i = 0; i < f->collateral.count; i++) {
        const struct collateral_item *c = &f->collateral.list[i];

        if (need_key_serves(k, c) && c->from <= now && now <= c->to)
            return c->body;
    }
    return (struct bytes){ NULL, 0 };
}

/* TCB info and identity of this number, unless the items of the day are of it. */
static void add_set(struct front *f, struct collateral_wait *w, bool tdx, int64_t number, size_t known)
{
    for (size_t i = 0; number != 0 && i < known && w->needs->count < MAX_NEEDS; i++) {
        const struct need *n = &w->needs->list[i];
        struct need_key k;

        if (!need_key_parse(bytes_str(n->key), &k, NULL) || (k.form != NEED_TCB_INFO && k.form != NEED_IDENTITY) || k.tdx != tdx
            || k.eval == number || (k.eval == 0 && number_on_hand(f, n, &k) == number))
            continue;
        k.eval = number;
        if (needs_add(w->needs, need_key_kind(&k), need_key_print(&k, &w->rq->a), true))
            w->needs->list[w->needs->count - 1].aside = true;
    }
}

/* The vendor's list says which numbers are standard and early: they are got by number, for what the day's items are of
 * depends on configuration and source. */
static void add_sets(struct front *f, struct collateral_wait *w)
{
    size_t known = w->needs->count;

    for (size_t i = 0; w->settings->tcb_sets && i < known; i++) {
        int64_t standard, early;
        struct need_key k;
        struct bytes list;

        if (!need_key_parse(bytes_str(w->needs->list[i].key), &k, NULL) || k.form != NEED_EVAL_NUMBERS)
            continue;
        list = list_on_hand(f, &w->needs->list[i], &k);
        if (list.n == 0 || !eval_numbers_peek(list, front_now(f), &w->rq->a, &standard, &early))
            continue;
        add_set(f, w, k.tdx, standard, known);
        if (early != standard)
            add_set(f, w, k.tdx, early, known);
    }
}

bool collateral_complete(struct front *f, struct collateral_wait *w)
{
    size_t known = w->needs->count;

    if (w->completed || w->use != COLLATERAL_VERIFY)
        return false;
    w->completed = true;
    pair_up(f, w);
    add_sets(f, w);
    return collateral_wait_for(f, w, known);
}

/* base_test.c: bytes, cursor, arena, writer, memo, errors. */
#include "testing.h"

#include "base/cur.h"
#include "base/memo.h"
#include "base/out.h"

static const uint8_t sample[] = { 1, 0, 2, 0, 0, 0, 0xaa, 0xbb, 0xcc };

static void cursor_reads(void **state)
{
    struct cur c = cur_open(BYTES(sample));
    struct err e = { 0 };

    (void)state;
    assert_int_equal(cur_u16le(&c, "a"), 1);
    assert_int_equal(cur_u32le(&c, "b"), 2);
    assert_int_equal(cur_u8(&c, "c"), 0xaa);
    assert_int_equal(cur_u16be(&c, "d"), 0xbbcc);
    assert_ok(cur_close(&c, ERR_FORMAT, "sample", &e), &e);
}

static void cursor_remembers_first_failure(void **state)
{
    struct cur c = cur_open(BYTES(sample));
    struct err e = { 0 };

    (void)state;
    (void)cur_take(&c, 4, "first");
    assert_null(cur_take(&c, 6, "second").p);
    assert_int_equal(cur_u8(&c, "third"), 0); /* would fit, but the cursor has failed */
    assert_false(cur_close(&c, ERR_FORMAT, "sample", &e));
    assert_refused(&e, ERR_FORMAT, "sample: 'second' at offset 4 needs 6 bytes, 5 are left");
}

static void cursor_sub_is_a_wall(void **state)
{
    struct cur c = cur_open(BYTES(sample)), inner;
    struct err e = { 0 };

    (void)state;
    (void)cur_u16le(&c, "head");
    inner = cur_sub(&c, 4, "inner");
    (void)cur_take(&inner, 5, "too much");
    assert_false(cur_check(&inner, ERR_FORMAT, "inner", &e));
    assert_refused(&e, ERR_FORMAT, "'too much' at offset 2 needs 5 bytes, 4 are left");
    assert_int_equal(cur_left(&c), 3);
}

static void cursor_huge_length(void **state)
{
    struct cur c = cur_open(BYTES(sample));

    (void)state;
    (void)cur_take(&c, SIZE_MAX, "huge");
    assert_false(cur_ok(&c));
    assert_int_equal(cur_left(&c), 0);
}

static void cursor_trailing(void **state)
{
    struct cur c = cur_open(BYTES(sample));
    struct err e = { 0 };

    (void)state;
    cur_skip(&c, 8, "all but one");
    assert_false(cur_close(&c, ERR_FORMAT, "sample", &e));
    assert_refused(&e, ERR_FORMAT, "1 bytes follow the end at offset 8");
}

static void arena_has_a_budget(void **state)
{
    (void)state;
    for (size_t budget = 0; budget < 3000; budget += 7) {
        struct arena a;
        size_t got = 0;

        arena_init(&a, budget);
        while (arena_alloc(&a, 16) != NULL)
            got += 16;
        assert_true(got <= budget);
        assert_true(a.failed);
        assert_null(arena_alloc(&a, 1)); /* sticky */
        arena_done(&a);
    }
}

static void arena_reset_gives_zeroed_memory(void **state)
{
    struct arena a;
    uint8_t *p;

    (void)state;
    arena_init(&a, 1 << 20);
    p = arena_alloc(&a, 100);
    assert_non_null(p);
    memset(p, 0xff, 100);
    arena_reset(&a, 1 << 20);
    p = arena_alloc(&a, 100);
    assert_non_null(p);
    assert_true(bytes_all_zero(bytes_of(p, 100)));
    arena_done(&a);
}

static void arena_refuses_overflow(void **state)
{
    struct arena a;

    (void)state;
    arena_init(&a, SIZE_MAX);
    assert_null(arena_array(&a, SIZE_MAX / 2, 3));
    arena_done(&a);
    arena_init(&a, SIZE_MAX);
    assert_null(arena_alloc(&a, SIZE_MAX - 3));
    arena_done(&a);
}

static void out_writes(void **state)
{
    struct arena a;
    struct out o;

    (void)state;
    arena_init(&a, 1 << 20);
    o = out_open(&a);
    for (int i = 0; i < 1000; i++)
        out_printf(&o, "%d,", i % 10);
    out_u32le(&o, 0x04030201);
    assert_int_equal(out_view(&o).n, 2004);
    assert_memory_equal(out_view(&o).p + 2000, "\1\2\3\4", 4);
    arena_done(&a);
    arena_init(&a, 100);
    o = out_open(&a);
    for (int i = 0; i < 1000; i++)
        out_text(&o, "0123456789");
    assert_false(out_ok(&o));
    assert_null(out_view(&o).p);
    arena_done(&a);
}

static int freed;

static void count_free(void *p)
{
    (void)p;
    freed++;
}

static void memo_forgets_the_oldest(void **state)
{
    struct memo *m = memo_new(3);
    static const int tag, other;
    static int values[5];
    uint8_t key[5][32] = { { 0 } };

    (void)state;
    freed = 0;
    for (int i = 0; i < 5; i++)
        key[i][0] = (uint8_t)(16 * i);
    for (int i = 0; i < 3; i++)
        assert_true(memo_put(m, &tag, key[i], &values[i], count_free));
    assert_ptr_equal(memo_find(m, &tag, key[0]), &values[0]); /* now the newest */
    assert_null(memo_find(m, &other, key[0]));
    assert_true(memo_put(m, &tag, key[3], &values[3], count_free));
    assert_null(memo_find(m, &tag, key[1]));
    assert_ptr_equal(memo_find(m, &tag, key[0]), &values[0]);
    assert_int_equal(freed, 1);
    assert_true(memo_put(m, &tag, key[0], &values[4], count_free)); /* replaces */
    assert_ptr_equal(memo_find(m, &tag, key[0]), &values[4]);
    assert_int_equal(memo_count(m), 3);
    memo_free(m);
    assert_int_equal(freed, 5);
    memo_free(NULL);
}

/* Large values push out as many of the oldest as their size asks for; small ones are only counted. */
static void memo_keeps_to_its_bytes(void **state)
{
    struct memo *m = memo_new(100);
    static const int tag;
    static int values[8];
    uint8_t key[8][32] = { { 0 } };

    (void)state;
    freed = 0;
    memo_limit(m, 100);
    for (int i = 0; i < 8; i++)
        key[i][0] = (uint8_t)(16 * i);
    for (int i = 0; i < 4; i++)
        assert_true(memo_put_sized(m, &tag, key[i], &values[i], 25, count_free));
    assert_int_equal(freed, 0);
    assert_true(memo_put(m, &tag, key[4], &values[4], count_free));
    assert_int_equal(freed, 0);
    assert_ptr_equal(memo_find(m, &tag, key[0]), &values[0]); /* now the newest */
    assert_true(memo_put_sized(m, &tag, key[5], &values[5], 26, count_free));
    assert_int_equal(freed, 2);
    assert_null(memo_find(m, &tag, key[1]));
    assert_null(memo_find(m, &tag, key[2]));
    assert_ptr_equal(memo_find(m, &tag, key[0]), &values[0]);
    assert_true(memo_put_sized(m, &tag, key[0], &values[0], 74, count_free)); /* replaces its own smaller one */
    assert_ptr_equal(memo_find(m, &tag, key[5]), &values[5]);
    assert_int_equal(memo_count(m), 3);
    assert_true(memo_put_sized(m, &tag, key[6], &values[6], 1000, count_free)); /* alone, and kept for whoever put it */
    assert_ptr_equal(memo_find(m, &tag, key[6]), &values[6]);
    assert_int_equal(memo_count(m), 1);
    memo_free(m);
}

static void errors_keep_the_first(void **state)
{
    struct err e = { 0 };

    (void)state;
    assert_false(err_set(&e, ERR_FORMAT, "a", "one %d", 1));
    assert_false(err_set(&e, ERR_INTERNAL, "b", "two"));
    assert_refused(&e, ERR_FORMAT, "a: one 1");
    assert_string_equal(err_rest_code(ERR_FORMAT), "InvalidParameter");
    assert_string_equal(err_name(ERR_QUOTE_SIGNATURE), "QUOTE_SIGNATURE");
    assert_int_equal(err_http(ERR_COLLATERAL_EXPIRED), 503);
    assert_true(err_is_undecided(ERR_COLLATERAL_EXPIRED));
    assert_false(err_is_undecided(ERR_QUOTE_SIGNATURE));
}

static void bytes_helpers(void **state)
{
    (void)state;
    assert_true(bytes_equal_nocase(LIT("SevSnpVm"), LIT("sevsnpVM")));
    assert_false(bytes_equal_nocase(LIT("a"), LIT("ab")));
    assert_true(bytes_contain(LIT("Intel SGX Root CA"), LIT("SGX Root CA")));
    assert_int_equal(bytes_part(LIT("abc"), 5, 2).n, 0);
    assert_int_equal(bytes_part(LIT("abc"), 1, 9).n, 2);
    assert_true(bytes_compare(LIT("ab"), LIT("abc")) < 0);
    assert_true(bytes_compare(LIT("b"), LIT("abc")) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cursor_reads),
        cmocka_unit_test(cursor_remembers_first_failure),
        cmocka_unit_test(cursor_sub_is_a_wall),
        cmocka_unit_test(cursor_huge_length),
        cmocka_unit_test(cursor_trailing),
        cmocka_unit_test(arena_has_a_budget),
        cmocka_unit_test(arena_reset_gives_zeroed_memory),
        cmocka_unit_test(arena_refuses_overflow),
        cmocka_unit_test(out_writes),
        cmocka_unit_test(memo_forgets_the_oldest),
        cmocka_unit_test(memo_keeps_to_its_bytes),
        cmocka_unit_test(errors_keep_the_first),
        cmocka_unit_test(bytes_helpers),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}

/* common/rate.h by a clock of the test's own. */
#include "support/test.h"

#include "common/rate.h"

enum { SECOND_US = 1000000 };

static struct weir_rate_state asked;

static bool take(struct weir_rate *rate, const char *caller, int64_t now_us)
{
    return weir_rate_take(rate, weir_bytes_str(caller), now_us, &asked);
}

static void a_burst_and_then_the_rate(void **state)
{
    (void)state;
    struct weir_rate *rate = weir_rate_new(10, 5);
    int64_t now_us = 1000 * SECOND_US;

    assert_string_equal(weir_rate_policy(rate), "\"requests\";q=5;w=1");
    for (int64_t left = 4; left >= 0; left--) {
        assert_true(take(rate, "a", now_us));
        assert_true(asked.counted);
        assert_int_equal(asked.remaining, left);
        assert_int_equal(asked.retry_s, 0);
    }
    assert_false(take(rate, "a", now_us));
    assert_int_equal(asked.remaining, 0);
    assert_int_equal(asked.reset_s, 1);
    assert_int_equal(asked.retry_s, 1);
    assert_false(take(rate, "a", now_us + SECOND_US / 10 - 1));
    assert_true(take(rate, "a", now_us + SECOND_US / 10));
    assert_false(take(rate, "a", now_us + SECOND_US / 10));
    for (int i = 0; i < 5; i++)
        assert_true(take(rate, "a", now_us + 3600LL * SECOND_US));
    assert_false(take(rate, "a", now_us + 3600LL * SECOND_US));
    weir_rate_free(rate);
}

static void in_the_long_run_it_is_the_rate(void **state)
{
    (void)state;
    struct weir_rate *rate = weir_rate_new(100, 20);
    int taken = 0;

    for (int64_t now_us = SECOND_US; now_us < 11LL * SECOND_US; now_us += 777)
        taken += take(rate, "a", now_us);
    assert_in_range(taken, 1000, 1020);
    weir_rate_free(rate);
}

static void a_slow_rate_tells_how_long(void **state)
{
    (void)state;
    struct weir_rate *rate = weir_rate_new(1, 30);

    assert_string_equal(weir_rate_policy(rate), "\"requests\";q=30;w=30");
    for (int i = 0; i < 30; i++)
        assert_true(take(rate, "a", SECOND_US));
    assert_int_equal(asked.reset_s, 30);
    assert_false(take(rate, "a", SECOND_US));
    assert_int_equal(asked.retry_s, 1);
    weir_rate_free(rate);
}

static void callers_are_apart(void **state)
{
    (void)state;
    enum { CALLERS = 5000 };
    struct weir_rate *rate = weir_rate_new(1, 1);
    char caller[16];

    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < CALLERS; i++) {
            snprintf(caller, sizeof(caller), "c-%d", i);
            assert_int_equal(take(rate, caller, SECOND_US), round == 0);
        }
    }
    weir_rate_free(rate);
}

/* More callers than buckets: still everyone has some, and the old ones make room. */
static void a_full_table_still_counts(void **state)
{
    (void)state;
    enum { CALLERS = 300000 };
    struct weir_rate *rate = weir_rate_new(1, 2);
    char caller[16];
    int taken = 0;

    for (int i = 0; i < CALLERS; i++) {
        snprintf(caller, sizeof(caller), "c-%d", i);
        taken += take(rate, caller, SECOND_US);
    }
    assert_in_range(taken, 65536, 2 * 65536);
    for (int i = 0; i < 1000; i++) {
        snprintf(caller, sizeof(caller), "d-%d", i);
        assert_true(take(rate, caller, 100LL * SECOND_US));
    }
    weir_rate_free(rate);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_burst_and_then_the_rate),
    cmocka_unit_test(in_the_long_run_it_is_the_rate),
    cmocka_unit_test(a_slow_rate_tells_how_long),
    cmocka_unit_test(callers_are_apart),
    cmocka_unit_test(a_full_table_still_counts),
};

WEIR_TEST_MAIN(tests)

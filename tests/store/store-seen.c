/* The filter: never a wrong "no", few wrong "yes", and forgetting by generations. */
#include "consumers/plugins/store/seen.h"
#include "support/test.h"

#include <stdio.h>

static bool has(const struct weir_seen *seen, int number)
{
    char key[24];
    int len = snprintf(key, sizeof(key), "request-%d", number);
    return weir_seen_has(seen, weir_bytes(key, (size_t)len));
}

static void add(struct weir_seen *seen, int number)
{
    char key[24];
    int len = snprintf(key, sizeof(key), "request-%d", number);
    weir_seen_add(seen, weir_bytes(key, (size_t)len));
}

static int count(const struct weir_seen *seen, int from, int to)
{
    int found = 0;
    for (int i = from; i < to; i++)
        found += has(seen, i);
    return found;
}

enum { KEYS = 20000 };

static void what_was_added_is_seen(void **state)
{
    struct weir_seen seen;

    (void)state;
    assert_true(weir_seen_init(&seen, 2 * KEYS * 10 / 8));
    for (int i = 0; i < KEYS; i++)
        add(&seen, i);
    assert_int_equal(count(&seen, 0, KEYS), KEYS);
    int wrong = count(&seen, KEYS, 2 * KEYS);
    if (wrong == 0 || wrong > KEYS / 30)
        fail_msg("%d of %d are taken for seen", wrong, KEYS);
    weir_seen_done(&seen);
}

static void second_turn_forgets(void **state)
{
    struct weir_seen seen;

    (void)state;
    assert_true(weir_seen_init(&seen, 1 << 16));
    add(&seen, 1);
    weir_seen_turn(&seen);
    add(&seen, 2);
    assert_true(has(&seen, 1) && has(&seen, 2));
    weir_seen_turn(&seen);
    assert_true(!has(&seen, 1) && has(&seen, 2));
    weir_seen_turn(&seen);
    assert_false(has(&seen, 2));
    weir_seen_done(&seen);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(what_was_added_is_seen),
    cmocka_unit_test(second_turn_forgets),
};
WEIR_TEST_MAIN(tests)

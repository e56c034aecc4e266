/* The overlay against the simplest thing that does the same. */
#include "consumers/plugins/store/overlay.h"
#include "support/test.h"

#include <stdlib.h>

enum { KEYS = 3000, STEPS = 60000 };

static void newest_value_is_found(void **state)
{
    static int newest[KEYS]; /* -2 unknown, -1 deleted */
    struct weir_overlay overlay = {0};
    unsigned seed = 5;
    char key[16], value[16];
    struct weir_bytes found;

    (void)state;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < KEYS; i++)
            newest[i] = -2;
        for (int step = 0; step < (round == 1 ? 10 : STEPS); step++) {
            seed = seed * 1103515245u + 12345u;
            int k = (int)(seed >> 16) % KEYS;
            struct weir_bytes name = weir_bytes(key, (size_t)snprintf(key, sizeof(key), "key-%d", k));
            assert_int_equal(weir_overlay_find(&overlay, name, &found), newest[k] != -2);
            if (newest[k] >= 0) {
                snprintf(value, sizeof(value), "%d", newest[k]);
                assert_true(weir_bytes_is(found, value));
            } else if (newest[k] == -1) {
                assert_null(found.data);
            }
            newest[k] = step % 4 == 3 ? -1 : step;
            snprintf(value, sizeof(value), "%d", step);
            weir_overlay_put(&overlay, name, newest[k] < 0 ? WEIR_BYTES_NULL : weir_bytes_str(value));
        }
        for (size_t i = 0; i < overlay.count; i++) {
            struct weir_bytes name = weir_overlay_key(&overlay, i);
            snprintf(key, sizeof(key), "%.*s", (int)name.len, name.data);
            int k = (int)strtol(key + 4, NULL, 10);
            assert_int_equal(weir_overlay_value(&overlay, i).data == NULL, newest[k] == -1);
            newest[k] = -3;
        }
        for (int i = 0; i < KEYS; i++)
            assert_true(newest[i] == -2 || newest[i] == -3);
        weir_overlay_clear(&overlay);
        assert_false(weir_overlay_find(&overlay, weir_bytes_str("key-1"), &found));
    }
    weir_overlay_done(&overlay);
}

static void order_is_that_of_the_keys(void **state)
{
    static const char *const keys[] = {"b", "ba", "a", "", "\xff", "b\x01"};
    static const char *const sorted[] = {"", "a", "b", "b\x01", "ba", "\xff"};
    struct weir_overlay overlay = {0};

    (void)state;
    assert_null(weir_overlay_sort(&overlay));
    for (size_t i = 0; i < 6; i++)
        weir_overlay_put(&overlay, weir_bytes_str(keys[i]), weir_bytes_str("v"));
    weir_overlay_put(&overlay, weir_bytes_str("a"), WEIR_BYTES_NULL);
    const uint32_t *order = weir_overlay_sort(&overlay);
    assert_int_equal(overlay.count, 6);
    for (size_t i = 0; i < 6; i++)
        assert_true(weir_bytes_is(weir_overlay_key(&overlay, order[i]), sorted[i]));
    weir_overlay_done(&overlay);
}

static void empty_values_are_no_deletions(void **state)
{
    struct weir_overlay overlay = {0};
    struct weir_bytes found;

    (void)state;
    weir_overlay_clear(&overlay);
    weir_overlay_put(&overlay, weir_bytes_str("k"), weir_bytes("", 0));
    assert_true(weir_overlay_find(&overlay, weir_bytes_str("k"), &found));
    assert_non_null(found.data);
    assert_int_equal(found.len, 0);
    assert_false(weir_overlay_find(&overlay, weir_bytes_str("kk"), &found));
    weir_overlay_done(&overlay);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(newest_value_is_found),
    cmocka_unit_test(order_is_that_of_the_keys),
    cmocka_unit_test(empty_values_are_no_deletions),
};
WEIR_TEST_MAIN(tests)

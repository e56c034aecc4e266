/* common/number_map.h against a plain array. */
#include "support/test.h"

#include "common/cleanup.h"
#include "common/number_map.h"

static void keeps_every_pair_apart(void **state)
{
    (void)state;
    enum { SIDE = 200 };
    WEIR_CLEANUP(number_map) struct weir_number_map map = {0};

    assert_null(weir_number_map_get(&map, 0, 0));
    for (uint64_t a = 0; a < SIDE; a++)
        for (uint64_t b = 0; b < SIDE; b++)
            weir_number_map_put(&map, a, b << 32)[1] = (int64_t)(a * SIDE + b);
    assert_int_equal(map.count, SIDE * SIDE);
    for (uint64_t a = 0; a < SIDE; a++)
        for (uint64_t b = 0; b < SIDE; b++)
            assert_int_equal(weir_number_map_get(&map, a, b << 32)[1], a * SIDE + b);
    assert_null(weir_number_map_get(&map, 0, 1));
    assert_null(weir_number_map_get(&map, UINT64_MAX, 0));
}

static void a_new_entry_is_zeros_and_an_old_one_stays(void **state)
{
    (void)state;
    WEIR_CLEANUP(number_map) struct weir_number_map map = {0};
    int64_t *numbers = weir_number_map_put(&map, 1, 2);

    for (size_t i = 0; i < WEIR_NUMBER_MAP_VALUES; i++)
        assert_int_equal(numbers[i], 0);
    numbers[2] = 7;
    assert_int_equal(weir_number_map_put(&map, 1, 2)[2], 7);
    assert_int_equal(map.count, 1);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(keeps_every_pair_apart),
    cmocka_unit_test(a_new_entry_is_zeros_and_an_old_one_stays),
};
WEIR_TEST_MAIN(tests)

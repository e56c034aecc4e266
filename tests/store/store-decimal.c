/* Exact sums of decimal numbers. */
#include "common/cleanup.h"
#include "consumers/plugins/store/decimal.h"
#include "support/test.h"

static bool read_text(const char *text, struct weir_decimal *ret_decimal)
{
    return weir_decimal_read(weir_bytes_str(text), ret_decimal);
}

static void sums_are_exact(void **state)
{
    static const struct {
        const char *a, *b, *sum; /* NULL: too many digits */
    } rows[] = {
        {"19.99", "0.01", "20.00"},
        {"0.1", "0.2", "0.3"},
        {"5", "-7", "-2"},
        {"0.05", "-0.10", "-0.05"},
        {"-0.5", "0.5", "0.0"},
        {"-0", "-0", "0"},
        {"1e2", "1", "101"},
        {"1.50e1", "0", "15.0"},
        {"12E-3", "0", "0.012"},
        {"0e9999", "1", "1"},
        {"9999999999999999999999999999999999", "-1", "9999999999999999999999999999999998"},
        {"9999999999999999999999999999999999", "1", NULL},
        {"1e33", "0.1", NULL},
        {"0.0000000000000000000000000000000001", "0", "0.0000000000000000000000000000000001"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        WEIR_CLEANUP(buffer) struct weir_buffer text = {0};
        struct weir_decimal a, b, sum;
        assert_true(read_text(rows[i].a, &a));
        assert_true(read_text(rows[i].b, &b));
        bool fits = weir_decimal_add(a, b, &sum);
        assert_int_equal(fits, rows[i].sum != NULL);
        if (!fits)
            continue;
        weir_decimal_write(sum, &text);
        assert_string_equal(text.data, rows[i].sum);
    }
}

static void what_is_no_number_is_refused(void **state)
{
    static const char *const rows[] = {"", "-", "1.", ".5", "1e", "1x", "e5", "+1", "--1", "1e99999",
        "10000000000000000000000000000000000", "1e-35", "0.00000000000000000000000000000000001"};
    struct weir_decimal decimal;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (read_text(rows[i], &decimal))
            fail_msg("%s was read", rows[i]);
}

static void order_is_that_of_the_numbers(void **state)
{
    static const char *const rising[] = {
        "-1e33", "-2", "-1.5", "-0.001", "0", "1e-34", "0.001", "1", "1.01", "1e33"};
    enum { COUNT = sizeof(rising) / sizeof(rising[0]) };

    (void)state;
    for (int i = 0; i < COUNT; i++)
        for (int k = 0; k < COUNT; k++) {
            struct weir_decimal a, b;
            assert_true(read_text(rising[i], &a) && read_text(rising[k], &b));
            int order = weir_decimal_compare(a, b);
            if ((order > 0) - (order < 0) != (i > k) - (i < k))
                fail_msg("%s against %s: %d", rising[i], rising[k], order);
        }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(sums_are_exact),
    cmocka_unit_test(what_is_no_number_is_refused),
    cmocka_unit_test(order_is_that_of_the_numbers),
};
WEIR_TEST_MAIN(tests)

/* common/clock.h */
#include "support/test.h"

#include "common/clock.h"

#include <stdlib.h>
#include <time.h>

static void rfc3339_is_utc_with_milliseconds(void **state)
{
    static const struct {
        int64_t wall_ms;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {1, "1970-01-01T00:00:00.001Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {1709164799999, "2024-02-28T23:59:59.999Z"},
        {1709164800000, "2024-02-29T00:00:00.000Z"},
        {253402300799999, "9999-12-31T23:59:59.999Z"},
        {INT64_MAX, "9999-12-31T23:59:59.999Z"},
        {INT64_MIN, "0000-01-01T00:00:00.000Z"},
    };
    char out[WEIR_CLOCK_RFC3339_BYTES];

    (void)state;
    setenv("TZ", "America/New_York", 1);
    tzset();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_ptr_equal(weir_clock_rfc3339(rows[i].wall_ms, out), out);
        assert_string_equal(out, rows[i].text);
    }
}

static void clocks_tell_the_time(void **state)
{
    time_t seconds = time(NULL);

    (void)state;
    assert_in_range(weir_clock_wall_ms(), (int64_t)seconds * 1000 - 1000, (int64_t)seconds * 1000 + 10000);
    int64_t before_us = weir_clock_us(), ms = weir_clock_ms(), after_us = weir_clock_us();
    assert_in_range(ms, before_us / 1000, after_us / 1000);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(rfc3339_is_utc_with_milliseconds),
    cmocka_unit_test(clocks_tell_the_time),
};

WEIR_TEST_MAIN(tests)

/* common/marks.h: what moves, and what does not. */
#include "support/test.h"

#include "common/marks.h"

#include <stdio.h>

static struct weir_bytes key_of(int number, char out[static 16])
{
    snprintf(out, 16, "key-%d", number);
    return weir_bytes_str(out);
}

static void moves_for_its_key_and_those_of_its_place(void **state)
{
    (void)state;
    struct weir_marks marks;
    struct weir_bytes own = weir_bytes_str("own");
    uint32_t before[1000];
    char text[16];

    assert_true(weir_marks_init(&marks));
    for (int i = 0; i < 1000; i++)
        before[i] = weir_marks_read(&marks, key_of(i, text));
    uint32_t mark = weir_marks_read(&marks, own), place = weir_marks_place(&marks, own);
    weir_marks_move(&marks, place);
    assert_int_not_equal(weir_marks_read(&marks, own), mark);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(weir_marks_read(&marks, key_of(i, text)) != before[i],
            weir_marks_place(&marks, key_of(i, text)) == place);
    weir_marks_done(&marks);
}

/* A thousand keys in 65,536 places: were half of them to share theirs, every change would be news for all. */
static void places_are_spread(void **state)
{
    (void)state;
    struct weir_marks marks;
    char text[16];
    int shared = 0;

    assert_true(weir_marks_init(&marks));
    for (int i = 0; i < 1000; i++) {
        shared += weir_marks_read(&marks, key_of(i, text)) > 0;
        weir_marks_move(&marks, weir_marks_place(&marks, key_of(i, text)));
    }
    assert_true(shared < 500);
    weir_marks_done(&marks);
}

static void tables_are_told_apart(void **state)
{
    (void)state;
    struct weir_marks one, other;

    assert_true(weir_marks_init(&one) && weir_marks_init(&other));
    assert_true(one.life != other.life);
    weir_marks_done(&one);
    weir_marks_done(&other);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(moves_for_its_key_and_those_of_its_place),
    cmocka_unit_test(places_are_spread),
    cmocka_unit_test(tables_are_told_apart),
};
WEIR_TEST_MAIN(tests)

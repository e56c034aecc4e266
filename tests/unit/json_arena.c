/* Memory for short-lived values: used while it is open and there is room, else the heap. */
#include "common/json_arena.h"
#include "common/json.h"
#include "support/test.h"

#include <pthread.h>
#include <stdlib.h>

static const char order[] =
    "{\"orderID\":\"o-1\",\"total\":19.99,\"items\":[{\"sku\":\"a\\n\",\"quantity\":2},true]}";

static json_t *parse(void)
{
    json_t *value = NULL;
    assert_int_equal(weir_json_parse(weir_bytes_str(order), &value, NULL), 0);
    return value;
}

static bool is_within(const void *block, const char *memory, size_t size)
{
    return (const char *)block >= memory && (const char *)block < memory + size;
}

static void values_lie_in_the_open_arena(void **state)
{
    char memory[8192];
    json_t *before = parse();

    (void)state;
    weir_json_arena_open(memory, sizeof(memory));
    json_t *within = parse();
    assert_true(is_within(within, memory, sizeof(memory)));
    assert_true(json_equal(before, within));
    assert_int_equal(json_object_set_new(within, "more", json_integer(1)), 0);
    json_decref(before); /* the heap's */
    json_decref(within);
    weir_json_arena_close();
    json_t *after = parse();
    assert_false(is_within(after, memory, sizeof(memory)));
    json_decref(after);
}

/* Whatever its size and place: nothing reaches beyond it, which the sanitizers see, and nothing is lost. */
static void what_does_not_fit_comes_from_the_heap(void **state)
{
    (void)state;
    for (size_t size = 0; size < 1200; size += 7) {
        char *memory = malloc(size + 1);
        assert_non_null(memory);
        weir_json_arena_open(memory + 1, size);
        json_t *value = parse();
        assert_string_equal(json_string_value(json_object_get(value, "orderID")), "o-1");
        json_decref(value);
        weir_json_arena_close();
        free(memory);
    }
}

static void *parse_beside(void *memory)
{
    json_t *value = parse();
    bool is_own = !is_within(value, memory, 8192);
    json_decref(value);
    return is_own ? memory : NULL;
}

static void it_is_its_threads_own(void **state)
{
    char memory[8192];
    pthread_t thread;
    void *result = NULL;

    (void)state;
    weir_json_arena_open(memory, sizeof(memory));
    assert_int_equal(pthread_create(&thread, NULL, parse_beside, memory), 0);
    pthread_join(thread, &result);
    weir_json_arena_close();
    assert_ptr_equal(result, memory);
}

static int init(void **state)
{
    (void)state;
    weir_json_init();
    return 0;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(values_lie_in_the_open_arena, init),
    cmocka_unit_test_setup(what_does_not_fit_comes_from_the_heap, init),
    cmocka_unit_test_setup(it_is_its_threads_own, init),
};
WEIR_TEST_MAIN(tests)

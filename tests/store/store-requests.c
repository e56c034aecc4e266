/* Requests that come more than once, and how long they are known. */
#include "common/envelope.h"
#include "consumers/plugins/store/requests.h"
#include "store/fake_host.h"
#include "support/test.h"

static int start(void **state)
{
    struct fake *fake = fake_new();
    *state = fake;
    fake_start(fake);
    return 0;
}

static int stop(void **state)
{
    fake_free(*state);
    return 0;
}

static struct weir_ending find(struct fake *fake, const char *key, const char *request)
{
    struct weir_store *store = fake->instance;
    struct weir_ending ending = {0};
    struct weir_error err = {0};

    int r = weir_requests_find(store, &store->sources[FAKE_ORDERS],
        weir_topic_partition(weir_bytes_str(key), FAKE_PARTITIONS), weir_bytes_str(request), &store->found,
        &ending, &err);
    if (r < 0)
        fail_msg("%s: %d %s", request, r, err.text);
    return ending;
}

static const char *outcome_of(struct fake *fake, const char *key)
{
    const struct weir_record *record = fake_last(fake, "orders.store.outcomes", key);
    assert_non_null(record);
    return record->value.data;
}

static void put_repeat(struct fake *fake, const char *request)
{
    fake_put(fake, FAKE_ORDERS, "replace", request, "o-1", "{\"n\":2}", NULL);
}

static void check_repeat_left(struct fake *fake)
{
    assert_non_null(strstr(outcome_of(fake, "o-1"), "\"outcome\":\"unchanged\""));
    assert_non_null(strstr(outcome_of(fake, "o-1"), "\"first\":\"orders/"));
    assert_string_equal(
        fake_get(fake, "GET", "/documents/orders/o-1", NULL).body, "{\"orderID\":\"o-1\",\"n\":3}");
    struct weir_ending ending = find(fake, "o-1", "r1");
    assert_int_equal(ending.kind, WEIR_EFFECT_CREATED);
    assert_int_equal(ending.version, 1);
    assert_int_equal(ending.offset, 0);
    assert_text(ending.key, "o-1");
}

static void put_first_and_another(struct fake *fake)
{
    fake_put(fake, FAKE_ORDERS, "create", "r1", "o-1", "{\"n\":1}", NULL);
    fake_put(fake, FAKE_ORDERS, "replace", "r2", "o-1", "{\"n\":3}", NULL);
}

static void repeat_in_the_same_batch_is_unchanged(void **state)
{
    put_first_and_another(*state);
    put_repeat(*state, "r1");
    fake_run(*state);
    check_repeat_left(*state);
}

static void repeat_in_a_later_batch_is_unchanged(void **state)
{
    put_first_and_another(*state);
    fake_run(*state);
    put_repeat(*state, "r1");
    fake_run(*state);
    check_repeat_left(*state);
    put_repeat(*state, "r1");
    fake_run(*state);
    check_repeat_left(*state);
}

static void repeat_after_a_crash_is_unchanged(void **state)
{
    put_first_and_another(*state);
    fake_run(*state);
    fake_crash(*state);
    put_repeat(*state, "r1");
    fake_run(*state);
    check_repeat_left(*state);
}

static void use_another_folder(struct fake *fake)
{
    fake_close(fake);
    snprintf(fake->settings.path, 128, "%.100s/other", fake->folder);
    fake_start(fake);
}

static void repeat_after_a_move_is_unchanged(void **state)
{
    struct fake *fake = *state;

    put_first_and_another(fake);
    fake_put(fake, FAKE_ORDERS, "create", "r3", "o-1", "{}", NULL);
    fake_put(fake, FAKE_ORDERS, "create", "r1", "o-1", "{}", NULL);
    fake_run(fake);
    use_another_folder(fake);
    put_repeat(fake, "r3");
    put_repeat(fake, "r1");
    fake_run(fake);
    check_repeat_left(fake);
    assert_text(find(fake, "o-1", "r3").error, "already-exists");
}

static void other_fingerprint_is_reuse(void **state)
{
    static const char *const forms[] = {"f00d", "beef", ""};
    struct fake *fake = *state;

    fake_put(fake, FAKE_ORDERS, "create", "r1", "o-1", "{}", WEIR_HEADER_FINGERPRINT, "f00d", NULL);
    fake_put(fake, FAKE_ORDERS, "create", "r2", "o-1", "{}", WEIR_HEADER_FINGERPRINT, "f00d", NULL);
    fake_run(fake);
    for (int moved = 0; moved < 2; moved++) {
        for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
            for (int request = 1; request <= 2; request++) {
                fake_put(fake, FAKE_ORDERS, "create", request == 1 ? "r1" : "r2", "o-1", "{}",
                    WEIR_HEADER_FINGERPRINT, forms[i], NULL);
                fake_run(fake);
                const char *expected =
                    i == 0 ? "\"unchanged\"" : "\"rejected\",\"error\":\"idempotency-key-reused\"";
                assert_non_null(strstr(outcome_of(fake, "o-1"), expected));
            }
        use_another_folder(fake);
    }
    assert_int_equal(fake_count(fake, "orders.changes"), 1);
    assert_text(find(fake, "o-1", "r2").error, "already-exists");
}

/* As redrive writes it. */
static void redrive(struct fake *fake, const char *body, const char *count)
{
    struct fake_entry *entry = fake_put(fake, FAKE_ORDERS, "create", "r1", "o-1", body, WEIR_HEADER_ORIGIN,
        "orders/0/0", WEIR_HEADER_REDRIVE_COUNT, count, NULL);
    char at[WEIR_POSITION_BYTES];

    weir_position_write("orders", entry->record.partition, 0, at);
    entry->headers[2].value = weir_bytes_str(at);
    entry->record.topic = "orders.store.retry";
    fake_run(fake);
    entry->headers[2].value = WEIR_BYTES_NULL;
}

static void check_ended_as_created(struct fake *fake)
{
    struct weir_ending ending = find(fake, "o-1", "r1");
    assert_int_equal(ending.kind, WEIR_EFFECT_CREATED);
    assert_int_equal(ending.offset, 0);
    assert_non_null(strstr(outcome_of(fake, "o-1"), "\"outcome\":\"dead-lettered\""));
    assert_null(strstr(outcome_of(fake, "o-1"), "\"request\":\"r1\""));
}

static void no_command_overwrites_the_ending_of_its_request(void **state)
{
    fake_put(*state, FAKE_ORDERS, "create", "r1", "o-1", "{\"n\":1}", NULL);
    fake_put(*state, FAKE_ORDERS, "explode", "r1", "o-1", "{\"n\":2}", NULL);
    fake_run(*state);
    check_ended_as_created(*state);
    fake_put(*state, FAKE_ORDERS, "explode", "r1", "o-1", "{\"n\":2}", NULL);
    fake_run(*state);
    check_ended_as_created(*state);
    use_another_folder(*state);
    check_ended_as_created(*state);
}

static void dead_letter_is_executed_again_when_driven_again(void **state)
{
    struct fake *fake = *state;

    fake_put(fake, FAKE_ORDERS, "create", "r1", "o-1", "{", NULL);
    fake_put(fake, FAKE_ORDERS, "create", "r1", "o-1", "{}", NULL);
    fake_run(fake);
    assert_non_null(strstr(outcome_of(fake, "o-1"), "\"dead-lettered\""));
    assert_int_equal(fake_count(fake, "orders.changes"), 0);
    redrive(fake, "{", "1");
    assert_int_equal(find(fake, "o-1", "r1").redrive_count, 1);
    redrive(fake, "{}", "1");
    assert_int_equal(fake_count(fake, "orders.changes"), 0);
    use_another_folder(fake);
    redrive(fake, "{}", "1");
    assert_int_equal(fake_count(fake, "orders.changes"), 0);
    redrive(fake, "{}", "2");
    assert_int_equal(fake_count(fake, "orders.changes"), 1);
    redrive(fake, "{}", "3");
    assert_int_equal(fake_count(fake, "orders.changes"), 1);
    use_another_folder(fake);
    struct weir_ending ending = find(fake, "o-1", "r1");
    assert_int_equal(ending.kind, WEIR_EFFECT_CREATED);
    assert_int_equal(ending.redrive_count, 2);
}

static void redrive_count_on_the_source_topic_is_not_believed(void **state)
{
    struct fake *fake = *state;

    fake_put(fake, FAKE_ORDERS, "create", "r1", "o-1", "{", NULL);
    fake_run(fake);
    fake_put(fake, FAKE_ORDERS, "create", "r1", "o-1", "{}", WEIR_HEADER_REDRIVE_COUNT, "9", NULL);
    fake_run(fake);
    assert_int_equal(fake_count(fake, "orders.changes"), 0);
}

static void requests_are_forgotten_after_a_day(void **state)
{
    struct fake *fake = *state;

    put_first_and_another(fake);
    fake_run(fake);
    fake->now_ms += 24 * 3600 * 1000;
    weir_store_tick(fake->instance, NULL);
    put_repeat(fake, "r1");
    fake_run(fake);
    check_repeat_left(fake);
    fake->now_ms += 3600 * 1000;
    weir_store_tick(fake->instance, NULL);
    put_repeat(fake, "r1");
    fake_run(fake);
    assert_string_equal(
        fake_get(fake, "GET", "/documents/orders/o-1", NULL).body, "{\"orderID\":\"o-1\",\"n\":2}");
}

/* What is on disk at a start is known at once, before the filter is filled, and afterwards. */
static void filter_is_filled_after_a_start(void **state)
{
    struct fake *fake = *state;
    struct weir_store *store;
    char request[16];

    for (int i = 0; i < 12000; i++) {
        snprintf(request, sizeof(request), "r-%d", i);
        fake_put(fake, FAKE_ORDERS, "replace", request, "o-1", "{}", NULL);
        if (i == 5000)
            fake->now_ms += 2 * 3600 * 1000;
        if (i % 1000 == 999)
            fake_run(fake);
    }
    fake_crash(fake);
    store = fake->instance;
    assert_false(atomic_load(&store->seen_filled));
    find(fake, "o-1", "r-17");
    for (int ticks = 0; !atomic_load(&store->seen_filled); ticks++) {
        assert_true(ticks < 10);
        weir_store_tick(store, NULL);
    }
    for (int i = 0; i < 12000; i++) {
        snprintf(request, sizeof(request), "r-%d", i);
        find(fake, "o-1", request);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(repeat_in_the_same_batch_is_unchanged, start, stop),
    cmocka_unit_test_setup_teardown(repeat_in_a_later_batch_is_unchanged, start, stop),
    cmocka_unit_test_setup_teardown(repeat_after_a_crash_is_unchanged, start, stop),
    cmocka_unit_test_setup_teardown(repeat_after_a_move_is_unchanged, start, stop),
    cmocka_unit_test_setup_teardown(other_fingerprint_is_reuse, start, stop),
    cmocka_unit_test_setup_teardown(no_command_overwrites_the_ending_of_its_request, start, stop),
    cmocka_unit_test_setup_teardown(dead_letter_is_executed_again_when_driven_again, start, stop),
    cmocka_unit_test_setup_teardown(redrive_count_on_the_source_topic_is_not_believed, start, stop),
    cmocka_unit_test_setup_teardown(requests_are_forgotten_after_a_day, start, stop),
    cmocka_unit_test_setup_teardown(filter_is_filled_after_a_start, start, stop),
};
WEIR_TEST_MAIN(tests)

/* Parked records: what a state says, who waits for whom, what is committed for the retry partition. Random
 * histories are the business of parking_model.c. */
#include "support/test.h"

#include "common/envelope.h"
#include "consumers/runtime/retry.h"

#include <stdlib.h>

enum { ATTEMPTS = 3, LIMIT_BYTES = 600, DELAY_MS = 50, NOW_MS = 1000 };

struct stage {
    struct weir_batch batch;
    struct weir_partition partition;
    struct weir_target retry, out;
    int64_t next_offset, retry_end;
};

static int decode(void *context, struct weir_slot *slot, struct weir_arena *arena)
{
    (void)context, (void)slot, (void)arena;
    return 0;
}

static void release(void *context, void *message)
{
    (void)context, (void)message;
}

static struct weir_target *target(void *context, const char *topic)
{
    struct stage *stage = context;
    return strcmp(topic, "in.s.retry") == 0 ? &stage->retry : &stage->out;
}

static int64_t delay_ms(void *context, int32_t executions)
{
    (void)context;
    return DELAY_MS << executions;
}

static int set_up(void **state)
{
    struct stage *stage = calloc(1, sizeof(*stage));
    struct weir_batch_port port = {
        .context = stage, .decode = decode, .release = release, .target = target, .delay_ms = delay_ms};
    assert_int_equal(weir_batch_init(&stage->batch, 16, 1 << 20, ATTEMPTS, &port), 0);
    stage->retry = (struct weir_target){.name = strdup("in.s.retry"), .limit_bytes = LIMIT_BYTES};
    stage->out = (struct weir_target){.name = strdup("out"), .limit_bytes = LIMIT_BYTES};
    stage->partition = (struct weir_partition){.topic = "in", .partition = 2, .retry_topic = "in.s.retry"};
    stage->partition.parking = (struct weir_parking){.by_key = true, .topic = "in", .partition = 2};
    *state = stage;
    return 0;
}

static int tear_down(void **state)
{
    struct stage *stage = *state;
    weir_batch_done(&stage->batch);
    weir_parking_clear(&stage->partition.parking);
    weir_held_done(&stage->partition.held);
    free(stage->retry.name);
    free(stage->out.name);
    free(stage);
    return 0;
}

static struct weir_slot *add(struct stage *stage, const char *key)
{
    int64_t offset = stage->next_offset++;
    struct weir_slot *slot =
        weir_batch_add(&stage->batch, &stage->partition, (void *)(uintptr_t)(offset + 1));
    slot->record = (struct weir_record){.topic = "in",
        .partition = 2,
        .offset = offset,
        .timestamp_ms = 7000 + offset,
        .key = weir_bytes_str(key),
        .value = weir_bytes_str("v")};
    return slot;
}

static const struct weir_record *next(struct stage *stage, const char *key)
{
    const struct weir_record *record = weir_batch_next(&stage->batch);
    assert_non_null(record);
    assert_true(weir_bytes_is(record->key, key));
    return record;
}

static void done(struct stage *stage, const char *key)
{
    weir_batch_record_done(&stage->batch, next(stage, key));
}

static void refuse(struct stage *stage, const char *key, enum weir_verdict verdict)
{
    weir_batch_record_fail(&stage->batch, next(stage, key), verdict,
        &(struct weir_reason){.error_type = "class", .text = "why"});
}

static void settle(struct stage *stage)
{
    assert_null(weir_batch_next(&stage->batch));
    weir_batch_settle(&stage->batch);
    assert_int_equal(weir_retry_check(&stage->batch), 0);
    stage->batch.plugin_count = stage->batch.emitted_count;
    assert_int_equal(weir_retry_write(&stage->batch, NOW_MS), 0);
}

static void commit(struct stage *stage)
{
    settle(stage);
    for (size_t i = 0; i < stage->batch.emitted_count; i++)
        stage->batch.outputs[i].offset = stage->retry_end++;
    assert_int_equal(weir_retry_apply(&stage->batch), 0);
    weir_batch_end(&stage->batch, true);
}

/* The parked records that are due at that time, then a new batch is under way. */
static void begin_parked(struct stage *stage, int64_t now_ms, size_t wanted)
{
    assert_int_equal(weir_batch_add_parked(&stage->batch, &stage->partition, now_ms, SIZE_MAX), wanted);
    weir_batch_begin(&stage->batch);
}

static void park(struct stage *stage, const char *key)
{
    add(stage, key);
    weir_batch_begin(&stage->batch);
    refuse(stage, key, WEIR_RETRY);
    commit(stage);
}

static const struct weir_emitted *emitted(const struct stage *stage, size_t i)
{
    assert_true(i < stage->batch.emitted_count);
    return &stage->batch.emitted[i];
}

static bool says(const struct weir_emitted *state, const char *name, const char *text)
{
    struct weir_bytes value = weir_header_find(state->headers, state->header_count, name);
    return text != NULL ? weir_bytes_is(value, text) : value.data == NULL;
}

static void followers_wait_in_order(void **state)
{
    struct stage *stage = *state;
    const char *keys[] = {"a", "b", "a", "b", "a"};
    for (size_t i = 0; i < 5; i++)
        add(stage, keys[i]);
    weir_batch_begin(&stage->batch);
    refuse(stage, "a", WEIR_RETRY);
    done(stage, "b");
    done(stage, "b");
    settle(stage);
    assert_int_equal(stage->partition.next, 5);
    assert_int_equal(stage->batch.emitted_count, 3);
    assert_true(says(emitted(stage, 0), WEIR_HEADER_ATTEMPT, "1"));
    assert_true(says(emitted(stage, 1), WEIR_HEADER_ATTEMPT, "0"));
    assert_true(says(emitted(stage, 2), WEIR_HEADER_ORIGIN, "in/2/4"));
    weir_batch_end(&stage->batch, false);
}

static void a_state_says_where_from_why_and_when(void **state)
{
    struct stage *stage = *state;
    struct weir_header headers[] = {{"ce_id", weir_bytes_str("r-1")},
        {WEIR_HEADER_ATTEMPT, weir_bytes_str("2")}, {WEIR_HEADER_ORIGIN, weir_bytes_str("in/0/0")}};
    struct weir_slot *slot = add(stage, "a");
    slot->record.headers = headers;
    slot->record.header_count = 3;
    weir_batch_begin(&stage->batch);
    refuse(stage, "a", WEIR_RETRY);
    settle(stage);
    const struct weir_emitted *written = emitted(stage, 0);
    assert_int_equal(written->header_count, 6);
    assert_true(says(written, "ce_id", "r-1"));
    assert_true(says(written, WEIR_HEADER_ORIGIN, "in/2/0"));
    assert_true(says(written, WEIR_HEADER_ATTEMPT, "1"));
    assert_true(says(written, WEIR_HEADER_NOT_BEFORE, "1050"));
    assert_true(says(written, WEIR_HEADER_ERROR, "class: why"));
    assert_true(says(written, WEIR_HEADER_ORIGINAL_TIMESTAMP, "7000"));
    assert_true(weir_bytes_is(written->value, "v"));
}

static void executions_are_counted_to_the_end(void **state)
{
    struct stage *stage = *state;
    park(stage, "a");
    begin_parked(stage, NOW_MS, 0);
    begin_parked(stage, NOW_MS + DELAY_MS, 1);
    const struct weir_record *record = next(stage, "a");
    assert_int_equal(record->executions, 1);
    assert_string_equal(record->topic, "in");
    assert_int_equal(record->offset, 0);
    assert_int_equal(record->timestamp_ms, 7000);
    weir_batch_record_fail(&stage->batch, record, WEIR_RETRY, NULL);
    commit(stage);
    begin_parked(stage, NOW_MS + 2 * DELAY_MS, 1);
    refuse(stage, "a", WEIR_RETRY);
    settle(stage);
    assert_int_equal(stage->batch.slots[0].state, WEIR_SLOT_DEAD);
    assert_string_equal(stage->batch.slots[0].why.disposition, WEIR_DISPOSITION_MAX_ATTEMPTS);
    assert_true(says(emitted(stage, 0), WEIR_HEADER_DONE, WEIR_DISPOSITION_MAX_ATTEMPTS));
    assert_null(emitted(stage, 0)->value.data);
}

static void a_key_waits_until_its_chain_is_through(void **state)
{
    struct stage *stage = *state;
    park(stage, "a");
    add(stage, "a");
    add(stage, "b");
    weir_batch_begin(&stage->batch);
    done(stage, "b");
    commit(stage);
    assert_int_equal(stage->partition.parking.count, 2);
    begin_parked(stage, NOW_MS + DELAY_MS, 2);
    add(stage, "a");
    weir_batch_begin(&stage->batch);
    done(stage, "a");
    done(stage, "a");
    done(stage, "a"); /* of the source, in the same batch */
    commit(stage);
    assert_int_equal(stage->partition.parking.count, 0);
}

static void a_wait_writes_nothing(void **state)
{
    struct stage *stage = *state;
    park(stage, "a");
    begin_parked(stage, NOW_MS + DELAY_MS, 1);
    add(stage, "b");
    weir_batch_begin(&stage->batch);
    refuse(stage, "a", WEIR_WAIT);
    settle(stage);
    assert_int_equal(stage->batch.emitted_count, 0);
    assert_false(stage->partition.moves);
    weir_batch_end(&stage->batch, false);
    assert_int_equal(stage->partition.held.count, 1);
    begin_parked(stage, NOW_MS + DELAY_MS, 1);
    assert_int_equal(next(stage, "a")->executions, 1);
}

static void without_order_followers_overtake(void **state)
{
    struct stage *stage = *state;
    stage->partition.parking.by_key = false;
    park(stage, "a");
    add(stage, "a");
    weir_batch_begin(&stage->batch);
    done(stage, "a");
    commit(stage);
    assert_int_equal(stage->partition.parking.count, 1);
}

static void the_committed_offset_is_the_lowest_that_lives(void **state)
{
    struct stage *stage = *state;
    struct weir_parking *parking = &stage->partition.parking;
    park(stage, "a");
    park(stage, "b");
    assert_int_equal(weir_parking_low(parking), 0); /* nothing is read back */
    weir_parking_read_to(parking, 3);
    begin_parked(stage, NOW_MS + DELAY_MS, 2);
    done(stage, "a");
    refuse(stage, "b", WEIR_RETRY);
    settle(stage);
    assert_int_equal(weir_parking_low(parking), 3); /* both leave with this transaction */
    weir_batch_end(&stage->batch, false);
    assert_int_equal(weir_parking_low(parking), 0); /* which was aborted */
}

static void an_older_state_does_not_resurrect(void **state)
{
    struct stage *stage = *state;
    struct weir_parking *parking = &stage->partition.parking;
    struct weir_header headers[] = {{WEIR_HEADER_ORIGIN, weir_bytes_str("in/2/0")}};
    struct weir_record read = {.topic = "in.s.retry",
        .partition = 2,
        .offset = 0,
        .key = weir_bytes_str("a"),
        .value = weir_bytes_str("v"),
        .headers = headers,
        .header_count = 1};
    park(stage, "a");
    begin_parked(stage, NOW_MS + DELAY_MS, 1);
    done(stage, "a");
    commit(stage);
    assert_int_equal(weir_retry_take_in(parking, &read, INT64_MAX), 0);
    assert_int_equal(parking->count, 0);
    read.offset = 7; /* but a redriven letter is a new life */
    assert_int_equal(weir_retry_take_in(parking, &read, INT64_MAX), 0);
    assert_int_equal(parking->count, 1);
}

static void strangers_are_their_own_origin(void **state)
{
    struct stage *stage = *state;
    struct weir_header headers[] = {{WEIR_HEADER_ORIGIN, weir_bytes_str("in/2/")},
        {WEIR_HEADER_ATTEMPT, weir_bytes_str("-1")},
        {WEIR_HEADER_NOT_BEFORE, weir_bytes_str("99999999999999999999999")}};
    struct weir_record read = {.topic = "in.s.retry",
        .partition = 2,
        .offset = 9,
        .key = weir_bytes_str("a"),
        .value = weir_bytes_str("v"),
        .headers = headers,
        .header_count = 3};
    assert_int_equal(weir_retry_take_in(&stage->partition.parking, &read, NOW_MS), 0);
    begin_parked(stage, NOW_MS, 1); /* it may not wait for ever */
    const struct weir_record *record = next(stage, "a");
    assert_int_equal(record->executions, 0);
    assert_string_equal(record->topic, "in.s.retry");
    assert_int_equal(record->offset, 9);
    weir_batch_record_fail(&stage->batch, record, WEIR_RETRY, NULL);
    settle(stage);
    assert_true(says(emitted(stage, 0), WEIR_HEADER_ORIGIN, "in.s.retry/2/9"));
}

static void a_record_from_another_partition_keeps_its_origin(void **state)
{
    struct stage *stage = *state;
    struct weir_header headers[] = {{WEIR_HEADER_ORIGIN, weir_bytes_str("in/1/5")}};
    struct weir_record read = {.topic = "in.s.retry",
        .partition = 2,
        .offset = 3,
        .key = weir_bytes_str("a"),
        .value = weir_bytes_str("v"),
        .headers = headers,
        .header_count = 1};
    assert_int_equal(weir_retry_take_in(&stage->partition.parking, &read, NOW_MS), 0);
    begin_parked(stage, NOW_MS, 1);
    const struct weir_record *record = next(stage, "a");
    assert_int_equal(record->partition, 2); /* outputs go to the partition that owns the key */
    assert_string_equal(record->topic, "in.s.retry");
    weir_batch_record_fail(&stage->batch, record, WEIR_RETRY, NULL);
    settle(stage);
    assert_true(says(emitted(stage, 0), WEIR_HEADER_ORIGIN, "in/1/5"));
}

static void what_does_not_fit_loses_its_text_or_dies(void **state)
{
    struct stage *stage = *state;
    static char value[LIMIT_BYTES], text[400];
    memset(text, 'x', sizeof(text) - 1);
    add(stage, "a");
    add(stage, "b")->record.value = weir_bytes(value, sizeof(value));
    weir_batch_begin(&stage->batch);
    weir_batch_record_fail(&stage->batch, next(stage, "a"), WEIR_RETRY, &(struct weir_reason){.text = text});
    refuse(stage, "b", WEIR_RETRY);
    settle(stage);
    assert_true(says(emitted(stage, 0), WEIR_HEADER_ATTEMPT, "1"));
    assert_true(says(emitted(stage, 0), WEIR_HEADER_ERROR, NULL));
    assert_int_equal(stage->batch.emitted_count, 1);
    assert_int_equal(stage->batch.slots[1].state, WEIR_SLOT_DEAD);
    assert_string_equal(stage->batch.slots[1].why.disposition, WEIR_DISPOSITION_TOO_LARGE);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(followers_wait_in_order, set_up, tear_down),
    cmocka_unit_test_setup_teardown(a_state_says_where_from_why_and_when, set_up, tear_down),
    cmocka_unit_test_setup_teardown(executions_are_counted_to_the_end, set_up, tear_down),
    cmocka_unit_test_setup_teardown(a_key_waits_until_its_chain_is_through, set_up, tear_down),
    cmocka_unit_test_setup_teardown(a_wait_writes_nothing, set_up, tear_down),
    cmocka_unit_test_setup_teardown(without_order_followers_overtake, set_up, tear_down),
    cmocka_unit_test_setup_teardown(the_committed_offset_is_the_lowest_that_lives, set_up, tear_down),
    cmocka_unit_test_setup_teardown(an_older_state_does_not_resurrect, set_up, tear_down),
    cmocka_unit_test_setup_teardown(strangers_are_their_own_origin, set_up, tear_down),
    cmocka_unit_test_setup_teardown(a_record_from_another_partition_keeps_its_origin, set_up, tear_down),
    cmocka_unit_test_setup_teardown(what_does_not_fit_loses_its_text_or_dies, set_up, tear_down),
};
WEIR_TEST_MAIN(tests)

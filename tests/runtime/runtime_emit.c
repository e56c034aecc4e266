/* What goes with an emitted record: the trace of its cause; and emitting without a cause, in tick. Without
 * Kafka. */
#include "support/test.h"

#include "consumers/runtime/batch.h"

#include <stdlib.h>

enum { LIMIT_BYTES = 1000 };

struct stage {
    struct weir_batch batch;
    struct weir_partition partitions[2];
    struct weir_target target;
};

static int decode(void *context, struct weir_slot *slot, struct weir_arena *arena)
{
    (void)context;
    (void)slot;
    (void)arena;
    return 0;
}

static void release(void *context, void *message)
{
    (void)context;
    (void)message;
}

static struct weir_target *target(void *context, const char *topic)
{
    (void)topic;
    return &((struct stage *)context)->target;
}

static struct weir_partition *owned(void *context, uint32_t source, int32_t partition)
{
    struct stage *stage = context;
    return source == 0 && partition >= 0 && partition < 2 ? &stage->partitions[partition] : NULL;
}

static int set_up(void **state)
{
    struct stage *stage = calloc(1, sizeof(*stage));
    struct weir_batch_port port = {
        .context = stage, .decode = decode, .release = release, .target = target, .partition = owned};
    assert_int_equal(weir_batch_init(&stage->batch, 8, 1 << 20, 3, &port), 0);
    stage->target = (struct weir_target){.name = "out", .limit_bytes = LIMIT_BYTES};
    for (int i = 0; i < 2; i++)
        stage->partitions[i] =
            (struct weir_partition){.topic = "in", .partition = i, .position = 40 + i, .next = -1};
    *state = stage;
    return 0;
}

static int tear_down(void **state)
{
    struct stage *stage = *state;
    weir_batch_done(&stage->batch);
    for (int i = 0; i < 2; i++)
        weir_held_done(&stage->partitions[i].held);
    free(stage);
    return 0;
}

static const struct weir_record *begin(struct stage *stage, const struct weir_header *headers, size_t count)
{
    struct weir_slot *slot = weir_batch_add(&stage->batch, &stage->partitions[0], NULL);
    slot->record = (struct weir_record){
        .topic = "in", .offset = 1, .key = weir_bytes_str("k"), .headers = headers, .header_count = count};
    weir_batch_begin(&stage->batch);
    return weir_batch_next(&stage->batch);
}

static int emit(struct stage *stage, const struct weir_record *cause, const struct weir_header *headers,
    size_t count, struct weir_error *err)
{
    return weir_batch_emit(&stage->batch, cause, "out", cause->key, weir_bytes_str("v"), headers, count, err);
}

static int emit_at(struct stage *stage, uint32_t source, int32_t partition, struct weir_error *err)
{
    return weir_batch_emit_at(
        &stage->batch, source, partition, "out", weir_bytes_str("k"), weir_bytes_str("v"), NULL, 0, err);
}

static const struct weir_header cause_headers[] = {
    {"ce_id", {"1", 1}}, {"traceparent", {"00-cause", 8}}, {"other", {NULL, 0}}};

static void the_trace_of_the_cause_goes_along(void **state)
{
    struct stage *stage = *state;
    const struct weir_header own = {"own", {"x", 1}};
    assert_int_equal(emit(stage, begin(stage, cause_headers, 3), &own, 1, NULL), 0);
    const struct weir_emitted *emitted = &stage->batch.emitted[0];
    assert_int_equal(emitted->header_count, 2);
    assert_string_equal(emitted->headers[0].name, "own");
    assert_string_equal(emitted->headers[1].name, "traceparent");
    assert_true(weir_bytes_is(emitted->headers[1].value, "00-cause"));
}

static void a_trace_of_the_plugins_own_stays(void **state)
{
    struct stage *stage = *state;
    const struct weir_header own = {"traceparent", {"00-own", 6}};
    assert_int_equal(emit(stage, begin(stage, cause_headers, 3), &own, 1, NULL), 0);
    const struct weir_emitted *emitted = &stage->batch.emitted[0];
    assert_int_equal(emitted->header_count, 1);
    assert_true(weir_bytes_is(emitted->headers[0].value, "00-own"));
}

static void without_a_trace_there_is_none(void **state)
{
    struct stage *stage = *state;
    assert_int_equal(emit(stage, begin(stage, cause_headers, 1), NULL, 0, NULL), 0);
    assert_int_equal(stage->batch.emitted[0].header_count, 0);
}

static void nothing_is_emitted_for_a_failed_record(void **state)
{
    struct stage *stage = *state;
    struct weir_error err;
    const struct weir_record *record = begin(stage, NULL, 0);
    weir_batch_record_fail(&stage->batch, record, WEIR_REJECT, NULL);
    assert_int_equal(emit(stage, record, NULL, 0, &err), WEIR_E_USAGE);
    assert_non_null(strstr(err.text, "has failed"));
}

static void a_topic_of_other_partitions_is_reached_by_number(void **state)
{
    struct stage *stage = *state;
    const struct weir_record *record = begin(stage, cause_headers, 3);
    assert_int_equal(weir_batch_emit_across(
                         &stage->batch, record, "out", 17, record->key, weir_bytes_str("v"), NULL, 0, NULL),
        0);
    assert_int_equal(emit(stage, record, NULL, 0, NULL), 1);
    assert_true(stage->batch.emitted[0].placed && stage->batch.emitted[0].to == 17);
    assert_int_equal(stage->batch.outputs[0].partition, 17);
    assert_int_equal(stage->batch.outputs[0].cause, record->index);
    assert_false(stage->batch.emitted[1].placed);
    assert_int_equal(stage->batch.outputs[1].partition, record->partition);
    weir_batch_record_fail(&stage->batch, record, WEIR_REJECT, NULL);
    assert_int_equal(weir_batch_emit_across(
                         &stage->batch, record, "out", 17, record->key, weir_bytes_str("v"), NULL, 0, NULL),
        WEIR_E_USAGE);
}

static void a_tick_emits_for_its_partitions(void **state)
{
    struct stage *stage = *state;
    weir_batch_begin_tick(&stage->batch);
    assert_int_equal(emit_at(stage, 0, 1, NULL), 0);
    assert_int_equal(emit_at(stage, 0, 1, NULL), 1);
    assert_int_equal(emit_at(stage, 0, 0, NULL), 2);
    assert_int_equal(weir_batch_end_tick(&stage->batch), 3);
    for (int i = 0; i < 2; i++) { /* their positions are committed with it, and do not move */
        assert_true(stage->partitions[i].in_batch);
        assert_int_equal(stage->partitions[i].next, 40 + i);
    }
    assert_int_equal(stage->batch.outputs[0].partition, 1);
    assert_int_equal(stage->batch.outputs[2].partition, 0);
    assert_true(stage->batch.outputs[0].cause == WEIR_NO_RECORD);
    weir_batch_end(&stage->batch, true);
    weir_batch_begin_tick(&stage->batch);
    assert_int_equal(weir_batch_end_tick(&stage->batch), 0);
}

static void a_tick_emits_for_no_others(void **state)
{
    struct stage *stage = *state;
    struct weir_error err;
    weir_batch_begin_tick(&stage->batch);
    assert_int_equal(emit_at(stage, 0, 2, &err), WEIR_E_NOT_FOUND);
    assert_int_equal(emit_at(stage, 1, 0, &err), WEIR_E_NOT_FOUND);
    assert_int_equal(emit_at(stage, 0, -1, &err), WEIR_E_NOT_FOUND);
    assert_int_equal(weir_batch_end_tick(&stage->batch), 0);
}

static void each_way_of_emitting_has_its_time(void **state)
{
    struct stage *stage = *state;
    struct weir_error err;
    const struct weir_record *record = begin(stage, NULL, 0);
    assert_int_equal(emit_at(stage, 0, 0, &err), WEIR_E_USAGE);
    assert_int_equal(emit(stage, record, NULL, 0, &err), 0);
    weir_batch_settle(&stage->batch);
    weir_batch_end(&stage->batch, true);
    weir_batch_begin_tick(&stage->batch);
    assert_int_equal(emit(stage, record, NULL, 0, &err), WEIR_E_USAGE);
    assert_int_equal(weir_batch_end_tick(&stage->batch), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(the_trace_of_the_cause_goes_along, set_up, tear_down),
    cmocka_unit_test_setup_teardown(a_trace_of_the_plugins_own_stays, set_up, tear_down),
    cmocka_unit_test_setup_teardown(without_a_trace_there_is_none, set_up, tear_down),
    cmocka_unit_test_setup_teardown(nothing_is_emitted_for_a_failed_record, set_up, tear_down),
    cmocka_unit_test_setup_teardown(a_topic_of_other_partitions_is_reached_by_number, set_up, tear_down),
    cmocka_unit_test_setup_teardown(a_tick_emits_for_its_partitions, set_up, tear_down),
    cmocka_unit_test_setup_teardown(a_tick_emits_for_no_others, set_up, tear_down),
    cmocka_unit_test_setup_teardown(each_way_of_emitting_has_its_time, set_up, tear_down),
};
WEIR_TEST_MAIN(tests)

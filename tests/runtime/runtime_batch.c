/* Batches: verdicts, order per partition, what is emitted and what is dropped. Without Kafka. */
#include "support/test.h"

#include "consumers/runtime/batch.h"
#include "consumers/runtime/dead_letter.h"

#include <stdlib.h>

enum { ATTEMPTS = 3, LIMIT_BYTES = 1000 };

struct stage {
    struct weir_batch batch;
    struct weir_partition partitions[2];
    struct weir_target target;
    int released;
    int64_t next_offset[2];
};

/* A message of these tests is its offset; the queue of a partition holds such. */
static int decode(void *context, struct weir_slot *slot, struct weir_arena *arena)
{
    (void)context;
    (void)arena;
    return slot->record.key.data != NULL && slot->record.key.data[0] == '!' ? WEIR_E_INVALID : 0;
}

static void release(void *context, void *message)
{
    (void)message;
    ((struct stage *)context)->released++;
}

static struct weir_target *target(void *context, const char *topic)
{
    struct stage *stage = context;
    assert_string_equal(topic, "out");
    return &stage->target;
}

static int set_up(void **state)
{
    struct stage *stage = calloc(1, sizeof(*stage));
    struct weir_batch_port port = {.context = stage, .decode = decode, .release = release, .target = target};
    assert_int_equal(weir_batch_init(&stage->batch, 8, 1 << 20, ATTEMPTS, &port), 0);
    stage->target = (struct weir_target){.name = "out", .limit_bytes = LIMIT_BYTES};
    for (int i = 0; i < 2; i++)
        stage->partitions[i] = (struct weir_partition){.topic = "in", .partition = i, .next = -1};
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

static void add(struct stage *stage, int partition, const char *key)
{
    int64_t offset = stage->next_offset[partition]++;
    struct weir_slot *slot =
        weir_batch_add(&stage->batch, &stage->partitions[partition], (void *)(uintptr_t)(offset + 1));
    slot->record = (struct weir_record){
        .topic = "in", .partition = partition, .offset = offset, .key = weir_bytes_str(key)};
}

static const struct weir_record *next(struct stage *stage, const char *key)
{
    const struct weir_record *record = weir_batch_next(&stage->batch);
    assert_non_null(record);
    assert_true(weir_bytes_is(record->key, key));
    return record;
}

static int emit(struct stage *stage, const struct weir_record *cause, const char *value)
{
    struct weir_header header = {"name", weir_bytes_str("text")};
    return weir_batch_emit(&stage->batch, cause, "out", cause->key, weir_bytes_str(value), &header, 1, NULL);
}

static void done(struct stage *stage, const char *key)
{
    const struct weir_record *record = next(stage, key);
    assert_true(emit(stage, record, key) >= 0);
    weir_batch_record_done(&stage->batch, record);
}

static void refuse(struct stage *stage, const char *key, enum weir_verdict verdict)
{
    const struct weir_record *record = next(stage, key);
    assert_true(emit(stage, record, key) >= 0);
    weir_batch_record_fail(&stage->batch, record, verdict, &(struct weir_reason){.text = "why"});
}

static size_t kept(const struct stage *stage)
{
    return stage->batch.emitted_count;
}

static void done_records_move_their_partition(void **state)
{
    struct stage *stage = *state;
    add(stage, 0, "a");
    add(stage, 1, "b");
    add(stage, 0, "c");
    weir_batch_begin(&stage->batch);
    done(stage, "a");
    done(stage, "b");
    done(stage, "c");
    assert_null(weir_batch_next(&stage->batch));
    assert_int_equal(weir_batch_settle(&stage->batch), 3);
    assert_int_equal(stage->partitions[0].next, 2);
    assert_int_equal(stage->partitions[1].next, 1);
    assert_int_equal(kept(stage), 3);
    weir_batch_end(&stage->batch, true);
    assert_int_equal(stage->released, 3);
}

static void nothing_is_handed_out_behind_a_wait(void **state)
{
    struct stage *stage = *state;
    add(stage, 0, "a");
    add(stage, 0, "b");
    add(stage, 1, "c");
    add(stage, 0, "d");
    weir_batch_begin(&stage->batch);
    done(stage, "a");
    refuse(stage, "b", WEIR_WAIT);
    done(stage, "c");
    assert_null(weir_batch_next(&stage->batch));
    assert_int_equal(weir_batch_settle(&stage->batch), 2);
    assert_int_equal(stage->partitions[0].next, 1);
    assert_int_equal(kept(stage), 2);
    weir_batch_end(&stage->batch, true);
    assert_int_equal(stage->released, 2);
    assert_int_equal(stage->partitions[0].held.count, 2);
    assert_ptr_equal(weir_held_pop_front(&stage->partitions[0].held), (void *)2);
    assert_ptr_equal(weir_held_pop_front(&stage->partitions[0].held), (void *)3);
}

static void a_record_without_verdict_stops_its_partition(void **state)
{
    struct stage *stage = *state;
    add(stage, 0, "a");
    add(stage, 0, "b");
    add(stage, 1, "c");
    weir_batch_begin(&stage->batch);
    next(stage, "a");
    done(stage, "b");
    done(stage, "c");
    assert_int_equal(weir_batch_settle(&stage->batch), 1);
    assert_int_equal(stage->partitions[0].next, -1);
    assert_int_equal(stage->partitions[1].next, 1);
    assert_int_equal(kept(stage), 1);
}

static void what_a_failed_record_emitted_is_dropped(void **state)
{
    struct stage *stage = *state;
    add(stage, 0, "a");
    add(stage, 1, "b");
    weir_batch_begin(&stage->batch);
    const struct weir_record *a = next(stage, "a"), *b = next(stage, "b");
    assert_int_equal(emit(stage, a, "1"), 0);
    assert_int_equal(emit(stage, b, "2"), 1);
    assert_int_equal(emit(stage, a, "3"), 2);
    weir_batch_record_fail(&stage->batch, a, WEIR_REJECT, NULL);
    weir_batch_record_done(&stage->batch, b);
    assert_int_equal(weir_batch_settle(&stage->batch), 2);
    assert_int_equal(kept(stage), 1);
    assert_true(weir_bytes_is(stage->batch.emitted[0].value, "2"));
    assert_int_equal(stage->batch.outputs[0].cause, b->index);
    assert_true(emit(stage, b, "4") < 0);
    assert_true(emit(stage, a, "outcome") >= 0);
}

static void too_large_queues_nothing(void **state)
{
    struct stage *stage = *state;
    struct weir_error err;
    static const char text[LIMIT_BYTES];
    add(stage, 0, "a");
    weir_batch_begin(&stage->batch);
    const struct weir_record *record = next(stage, "a");
    assert_int_equal(weir_batch_emit(&stage->batch, record, "out", record->key, weir_bytes(text, LIMIT_BYTES),
                         NULL, 0, &err),
        WEIR_E_TOO_LARGE);
    assert_non_null(strstr(err.text, "1000"));
    assert_int_equal(stage->batch.emitted_count, 0);
}

static void tombstones_and_empty_values_differ(void **state)
{
    struct stage *stage = *state;
    add(stage, 0, "a");
    weir_batch_begin(&stage->batch);
    const struct weir_record *record = next(stage, "a");
    assert_int_equal(
        weir_batch_emit(&stage->batch, record, "out", record->key, WEIR_BYTES_NULL, NULL, 0, NULL), 0);
    assert_int_equal(
        weir_batch_emit(&stage->batch, record, "out", record->key, weir_bytes_str(""), NULL, 0, NULL), 1);
    assert_null(stage->batch.emitted[0].value.data);
    assert_non_null(stage->batch.emitted[1].value.data);
}

static void emitted_bytes_are_copies(void **state)
{
    struct stage *stage = *state;
    char name[] = "name", text[] = "text", value[] = "value";
    struct weir_header header = {name, weir_bytes_str(text)};
    add(stage, 0, "a");
    weir_batch_begin(&stage->batch);
    const struct weir_record *record = next(stage, "a");
    weir_batch_emit(&stage->batch, record, "out", record->key, weir_bytes_str(value), &header, 1, NULL);
    name[0] = text[0] = value[0] = '?';
    assert_true(weir_bytes_is(stage->batch.emitted[0].value, "value"));
    assert_string_equal(stage->batch.emitted[0].headers[0].name, "name");
    assert_true(weir_bytes_is(stage->batch.emitted[0].headers[0].value, "text"));
}

static void undecodable_headers_are_dead_lettered(void **state)
{
    struct stage *stage = *state;
    add(stage, 0, "!");
    add(stage, 0, "b");
    weir_batch_begin(&stage->batch);
    done(stage, "b");
    assert_int_equal(weir_batch_settle(&stage->batch), 2);
    assert_int_equal(stage->batch.slots[0].state, WEIR_SLOT_DEAD);
    assert_string_equal(stage->batch.slots[0].why.error_type, "headers");
}

static void a_revoked_partition_leaves_the_batch(void **state)
{
    struct stage *stage = *state;
    add(stage, 0, "a");
    add(stage, 1, "b");
    add(stage, 0, "c");
    weir_batch_drop_partition(&stage->batch, &stage->partitions[0]);
    assert_int_equal(stage->released, 2);
    weir_batch_begin(&stage->batch);
    done(stage, "b");
    assert_null(weir_batch_next(&stage->batch));
}

static void an_aborted_batch_is_handed_out_again_in_order(void **state)
{
    struct stage *stage = *state;
    add(stage, 0, "a");
    add(stage, 0, "b");
    weir_batch_begin(&stage->batch);
    done(stage, "a");
    done(stage, "b");
    weir_batch_settle(&stage->batch);
    weir_batch_end(&stage->batch, false);
    assert_int_equal(stage->released, 0);
    assert_ptr_equal(weir_held_pop_front(&stage->partitions[0].held), (void *)1);
    assert_ptr_equal(weir_held_pop_front(&stage->partitions[0].held), (void *)2);
}

static const struct weir_header *header_of(const struct weir_emitted *letter, const char *name)
{
    const struct weir_header *found = NULL;
    for (size_t i = 0; i < letter->header_count; i++) {
        if (strcmp(letter->headers[i].name, name) != 0)
            continue;
        assert_null(found); /* each name once */
        found = &letter->headers[i];
    }
    return found;
}

static void assert_header(const struct weir_emitted *letter, const char *name, const char *text)
{
    const struct weir_header *header = header_of(letter, name);
    assert_non_null(header);
    assert_true(weir_bytes_is(header->value, text));
}

/* The letter of a record that is refused for `text`. */
static const struct weir_emitted *bury_record(
    struct stage *stage, const struct weir_record *record, const char *text)
{
    add(stage, record->partition, "a");
    stage->batch.slots[0].record = *record;
    weir_batch_begin(&stage->batch);
    weir_batch_record_fail(&stage->batch, weir_batch_next(&stage->batch), WEIR_REJECT,
        &(struct weir_reason){.disposition = "invalid", .error_type = "json", .text = text});
    weir_batch_settle(&stage->batch);
    assert_int_equal(
        weir_dead_letter_queue(&stage->batch, &stage->batch.slots[0], &stage->target, "in", "group"), 0);
    assert_int_equal(stage->batch.emitted_count, 1);
    return &stage->batch.emitted[0];
}

static const struct weir_emitted *bury(
    struct stage *stage, struct weir_bytes value, const struct weir_header *headers, size_t header_count)
{
    return bury_record(stage,
        &(struct weir_record){.topic = "in",
            .partition = 1,
            .key = weir_bytes_str("a"),
            .value = value,
            .headers = headers,
            .header_count = header_count,
            .timestamp_ms = 1700000000123},
        "no object");
}

static void assert_fits(const struct weir_emitted *letter)
{
    assert_true(weir_batch_record_bytes(letter->key, letter->value, letter->headers, letter->header_count) <=
                letter->target->limit_bytes);
}

static void a_letter_says_where_from_and_why(void **state)
{
    struct weir_header headers[] = {
        {"ce_id", weir_bytes_str("r-1")}, {"weir-disposition", weir_bytes_str("of an earlier letter")}};
    const struct weir_emitted *letter = bury(*state, weir_bytes_str("{"), headers, 2);
    assert_header(letter, "ce_id", "r-1");
    assert_header(letter, "__dlq.errors.topic", "in");
    assert_header(letter, "__dlq.errors.partition", "1");
    assert_header(letter, "__dlq.errors.offset", "0");
    assert_header(letter, "__dlq.errors.group", "group");
    assert_header(letter, "__dlq.errors.delivery.count", "1");
    assert_header(letter, "__dlq.errors.message", "no object");
    assert_header(letter, "weir-disposition", "invalid");
    assert_header(letter, "weir-error-type", "json");
    assert_header(letter, "weir-original-timestamp", "1700000000123");
    assert_header(letter, "weir-redrive-count", "0");
    assert_null(header_of(letter, "weir-cut"));
    assert_true(weir_bytes_is(letter->value, "{"));
}

static void a_letter_of_a_retried_record_tells_where_it_began(void **state)
{
    const struct weir_header headers[] = {{"ce_id", weir_bytes_str("r-1")},
        {"weir-origin", weir_bytes_str("in/4/77")}, {"weir-attempt", weir_bytes_str("2")},
        {"weir-not-before", weir_bytes_str("5")}, {"weir-error", weir_bytes_str("json: bad")},
        {"weir-redrive-count", weir_bytes_str("1")}, {"weir-original-timestamp", weir_bytes_str("1600")}};
    const struct weir_emitted *letter = bury_record(*state,
        &(struct weir_record){.topic = "in.group.retry",
            .partition = 1,
            .offset = 9,
            .key = weir_bytes_str("a"),
            .headers = headers,
            .header_count = 7,
            .timestamp_ms = 1700000000123},
        "no object");
    assert_header(letter, "__dlq.errors.topic", "in");
    assert_header(letter, "__dlq.errors.partition", "4");
    assert_header(letter, "__dlq.errors.offset", "77");
    assert_header(letter, "weir-original-timestamp", "1600");
    assert_header(letter, "weir-redrive-count", "1");
    for (int i = 1; i <= 4; i++)
        assert_null(header_of(letter, headers[i].name));
}

/* On the source topic a client may have written anything. */
static void a_letter_believes_no_header_of_a_client(void **state)
{
    const struct weir_header headers[] = {{"weir-origin", weir_bytes_str("other/0/1")},
        {"weir-original-timestamp", weir_bytes_str("1600")}, {"weir-cut", weir_bytes_str("all of it")},
        {"__dlq.errors.topic", weir_bytes_str("other")}, {"weir-disposition", weir_bytes_str("of another")}};
    const struct weir_emitted *letter = bury(*state, weir_bytes_str("{"), headers, 5);
    assert_header(letter, "__dlq.errors.topic", "in");
    assert_header(letter, "weir-original-timestamp", "1700000000123");
    assert_header(letter, "weir-disposition", "invalid");
    assert_null(header_of(letter, "weir-cut"));
    assert_null(header_of(letter, "weir-origin"));
}

static void the_reason_is_one_line_of_text(void **state)
{
    const struct weir_emitted *letter =
        bury_record(*state, &(struct weir_record){.topic = "in", .key = weir_bytes_str("a")},
            "bad \x1b[2J\r\n\xff byte \xc3\xa4");
    assert_header(letter, "__dlq.errors.message", "bad ?[2J??? byte \xc3\xa4");
}

static void a_large_letter_keeps_headers_and_digest(void **state)
{
    static const char value[2 * LIMIT_BYTES];
    struct weir_header headers[] = {{"ce_id", weir_bytes_str("r-1")}};
    const struct weir_emitted *letter = bury(*state, weir_bytes(value, sizeof(value)), headers, 1);
    assert_null(letter->value.data);
    assert_header(letter, "ce_id", "r-1");
    assert_header(letter, "weir-disposition", "invalid");
    const struct weir_header *cut = header_of(letter, "weir-cut");
    assert_non_null(cut);
    assert_memory_equal(cut->value.data, "value of 2000 bytes left out, sha256=", 37);
    assert_int_equal(cut->value.len, 37 + 64);
}

static void headers_that_are_too_large_are_left_out(void **state)
{
    static const char text[2 * LIMIT_BYTES];
    struct weir_header headers[] = {{"huge", weir_bytes(text, sizeof(text))},
        {"ce_id", weir_bytes_str("r-1")}, {"x-tenant", weir_bytes_str("t")}};
    const struct weir_emitted *letter = bury(*state, weir_bytes_str("{"), headers, 3);
    assert_fits(letter);
    assert_null(header_of(letter, "huge"));
    assert_header(letter, "ce_id", "r-1");
    assert_header(letter, "x-tenant", "t");
    assert_header(letter, "__dlq.errors.message", "no object");
    assert_header(letter, "weir-cut", "1 headers left out");
    assert_true(weir_bytes_is(letter->value, "{"));
}

/* The last of many says whose record it was, and that is what is kept. */
static void of_many_headers_the_identity_is_kept(void **state)
{
    enum { MANY = 100000 };
    struct weir_header *headers = calloc(MANY, sizeof(*headers));
    for (size_t i = 0; i + 1 < MANY; i++)
        headers[i] = (struct weir_header){"x", weir_bytes_str("some text")};
    headers[MANY - 1] = (struct weir_header){"ce_id", weir_bytes_str("r-1")};
    const struct weir_emitted *letter = bury(*state, weir_bytes_str("{"), headers, MANY);
    assert_fits(letter);
    assert_header(letter, "ce_id", "r-1");
    assert_non_null(header_of(letter, "weir-cut"));
    free(headers);
}

static void a_key_that_is_too_large_is_left_out(void **state)
{
    static const char text[3 * LIMIT_BYTES];
    const struct weir_header headers[] = {{"ce_id", weir_bytes(text, sizeof(text))}};
    const struct weir_emitted *letter = bury_record(*state,
        &(struct weir_record){.topic = "in",
            .key = weir_bytes(text, sizeof(text)),
            .value = weir_bytes(text, sizeof(text)),
            .headers = headers,
            .header_count = 1},
        "no object");
    assert_fits(letter);
    assert_null(letter->key.data);
    assert_null(letter->value.data);
    struct weir_bytes cut = header_of(letter, "weir-cut")->value;
    assert_memory_equal(cut.data, "key of 3000 bytes left out, sha256=", 35);
    assert_non_null(memmem(cut.data, cut.len, "; value of 3000 bytes left out, sha256=", 39));
    assert_non_null(memmem(cut.data, cut.len, "; 1 headers left out", 20));
}

static void the_longest_reason_never_makes_a_letter_too_large(void **state)
{
    static char text[1200];
    memset(text, 'a', sizeof(text) - 1);
    const struct weir_emitted *letter =
        bury_record(*state, &(struct weir_record){.topic = "in", .key = weir_bytes_str("a")}, text);
    assert_fits(letter);
    assert_header(letter, "__dlq.errors.message", "");
    assert_header(letter, "weir-disposition", "invalid");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(done_records_move_their_partition, set_up, tear_down),
    cmocka_unit_test_setup_teardown(nothing_is_handed_out_behind_a_wait, set_up, tear_down),
    cmocka_unit_test_setup_teardown(a_record_without_verdict_stops_its_partition, set_up, tear_down),
    cmocka_unit_test_setup_teardown(what_a_failed_record_emitted_is_dropped, set_up, tear_down),
    cmocka_unit_test_setup_teardown(too_large_queues_nothing, set_up, tear_down),
    cmocka_unit_test_setup_teardown(tombstones_and_empty_values_differ, set_up, tear_down),
    cmocka_unit_test_setup_teardown(emitted_bytes_are_copies, set_up, tear_down),
    cmocka_unit_test_setup_teardown(undecodable_headers_are_dead_lettered, set_up, tear_down),
    cmocka_unit_test_setup_teardown(a_revoked_partition_leaves_the_batch, set_up, tear_down),
    cmocka_unit_test_setup_teardown(an_aborted_batch_is_handed_out_again_in_order, set_up, tear_down),
    cmocka_unit_test_setup_teardown(a_letter_says_where_from_and_why, set_up, tear_down),
    cmocka_unit_test_setup_teardown(a_large_letter_keeps_headers_and_digest, set_up, tear_down),
    cmocka_unit_test_setup_teardown(headers_that_are_too_large_are_left_out, set_up, tear_down),
    cmocka_unit_test_setup_teardown(a_letter_of_a_retried_record_tells_where_it_began, set_up, tear_down),
    cmocka_unit_test_setup_teardown(a_letter_believes_no_header_of_a_client, set_up, tear_down),
    cmocka_unit_test_setup_teardown(the_reason_is_one_line_of_text, set_up, tear_down),
    cmocka_unit_test_setup_teardown(of_many_headers_the_identity_is_kept, set_up, tear_down),
    cmocka_unit_test_setup_teardown(a_key_that_is_too_large_is_left_out, set_up, tear_down),
    cmocka_unit_test_setup_teardown(the_longest_reason_never_makes_a_letter_too_large, set_up, tear_down),
};
WEIR_TEST_MAIN(tests)

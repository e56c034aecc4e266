/* A change log that is another one than the documents are a view of is found by what it holds, without a
 * topic id; whatever compaction leaves of the right one is taken. */
#include "common/envelope.h"
#include "consumers/plugins/store/continuity.h"
#include "store/fake_host.h"
#include "support/test.h"

enum { DOCUMENTS = 60 };

static struct weir_header strange_headers[] = {{WEIR_HEADER_ID, {"strange", 7}}};

static int start(void **state)
{
    struct fake *fake = fake_new();
    *state = fake;
    fake->topic_id = ""; /* as librdkafka 2.0 leaves it */
    fake_start(fake);
    return 0;
}

static int stop(void **state)
{
    fake_free(*state);
    return 0;
}

static void put_all(struct fake *fake, const char *type)
{
    char key[16], request[32];

    for (int i = 0; i < DOCUMENTS; i++) {
        snprintf(key, sizeof(key), "o-%d", i);
        snprintf(request, sizeof(request), "%s-%d", type, i);
        fake_put(fake, FAKE_ORDERS, type, request, key, "{\"n\":1}", NULL);
    }
    fake_run(fake);
}

/* The change log of one partition, applied up to its end: each document of it twice. */
static struct fake_log *write_log(struct fake *fake)
{
    put_all(fake, "create");
    put_all(fake, "replace");
    struct fake_log *log = fake_log(fake, "orders.changes", 0);
    assert_true(log->count >= 8);
    assert_int_equal(fake_take(fake, FAKE_ORDERS, 0, NULL), 0); /* behind the marker, too */
    return log;
}

static void make_strange(struct weir_record *record)
{
    record->headers = strange_headers;
    record->header_count = 1;
}

static void append(struct fake_log *log, int64_t offset)
{
    log->records[log->count] = log->records[log->count - 1];
    log->records[log->count].offset = offset;
    make_strange(&log->records[log->count++]);
}

/* ---- what became of the log ---- */

static void nothing(struct fake_log *log)
{
    (void)log;
}

static void more_came(struct fake_log *log)
{
    append(log, log->next_offset++);
}

static void refilled(struct fake_log *log)
{
    for (size_t i = 0; i < log->count; i++)
        make_strange(&log->records[i]);
}

static void refilled_with_a_marker_where_the_last_change_was(struct fake_log *log)
{
    refilled(log);
    log->count--;
}

static void refilled_with_a_record_where_the_marker_was(struct fake_log *log)
{
    append(log, log->next_offset - 1);
}

/* The documents written by another instance: the same ones, somewhere else. */
static void refilled_in_another_order(struct fake_log *log)
{
    struct weir_record *a = &log->records[log->count - 1], *b = a - 1, was = *a;

    *a = *b;
    *b = was;
    a->offset = was.offset;
    b->offset = was.offset - 1;
}

static void lost_its_end_and_was_written_on(struct fake_log *log)
{
    for (size_t i = log->count - 2; i < log->count; i++)
        make_strange(&log->records[i]);
    more_came(log);
}

static void compacted(struct fake_log *log)
{
    size_t kept = log->count / 2; /* the first change of each document */

    memmove(log->records, log->records + kept, (log->count - kept) * sizeof(*log->records));
    log->count -= kept;
}

static void compacted_with_the_last_change(struct fake_log *log)
{
    compacted(log);
    log->count--;
}

static void compacted_away(struct fake_log *log)
{
    log->count = 0;
}

static const struct {
    void (*happens)(struct fake_log *log);
    bool refused,
        refused_when_old; /* old: a store that did not keep the last change has written the folder */
} cases[] = {
    {nothing, false, false}, {refilled, true, true},
    {refilled_with_a_marker_where_the_last_change_was, true, true},
    {refilled_with_a_record_where_the_marker_was, true, true}, {refilled_in_another_order, true, false},
    {lost_its_end_and_was_written_on, true, true}, {compacted, false, false},
    {compacted_with_the_last_change, false, false}, {compacted_away, false, false},
    {more_came, false, false}, /* the last one, since it is applied */
};

static void forget_last(struct fake *fake)
{
    struct weir_store *store = fake->instance;

    weir_continuity_forget(store, &store->sources[FAKE_ORDERS], 0);
    assert_int_equal(weir_db_batch_write(store->db, NULL), 0);
}

static void check_case(struct fake *fake, struct fake_log *log, size_t number, bool old)
{
    struct weir_record records[2 * DOCUMENTS];
    struct fake_log was = *log;
    struct weir_error err = {0};

    memcpy(records, log->records, log->count * sizeof(*records));
    cases[number].happens(log);
    if (old)
        forget_last(fake);
    bool refused = old ? cases[number].refused_when_old : cases[number].refused;
    int r = fake_take(fake, FAKE_ORDERS, 0, &err);
    if (r != (refused ? WEIR_E_CONFIG : 0))
        fail_msg("case %zu%s: %d %s", number, old ? ", old" : "", r, err.text);
    for (size_t i = 0; refused && i < 4; i++)
        assert_non_null(
            strstr(err.text, ((const char *[]){"partition 0 of orders.changes", "made anew or lost",
                                 "weirctl store republish", "weirctl store reset"})[i]));
    *log = was;
    memcpy(log->records, records, log->count * sizeof(*records));
}

static void another_log_is_refused_and_the_right_one_is_not(void **state)
{
    for (int old = 0; old < 2; old++) {
        struct fake_log *log = write_log(*state);
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
            check_case(*state, log, i, old == 1);
        stop(state);
        start(state);
    }
}

/* The last change is a deletion: known while it is there, and no reason once it is forgotten. */
static void check_deletion(struct fake *fake, int32_t partition)
{
    struct fake_log *log = fake_log(fake, "orders.changes", partition);
    struct weir_record *last = &log->records[log->count - 1], was = *last;

    assert_null(last->value.data);
    assert_int_equal(fake_take(fake, FAKE_ORDERS, partition, NULL), 0);
    make_strange(last);
    assert_int_equal(fake_take(fake, FAKE_ORDERS, partition, NULL), WEIR_E_CONFIG);
    *last = was;
    fake_crash(fake);
    while (log->count > 0 && weir_bytes_equal(log->records[log->count - 1].key, was.key))
        log->count--;
    assert_int_equal(fake_take(fake, FAKE_ORDERS, partition, NULL), 0);
}

static void a_forgotten_deletion_is_no_reason(void **state)
{
    struct fake *fake = *state;

    write_log(fake);
    int32_t partition = fake_put(fake, FAKE_ORDERS, "delete", "gone", "o-0", NULL, NULL)->record.partition;
    fake_run(fake);
    check_deletion(fake, partition);
}

static void neither_is_one_by_age(void **state)
{
    struct fake *fake = *state;

    fake->collections[0].ttl_ms = 1000;
    fake_close(fake);
    fake_start(fake);
    write_log(fake);
    fake->now_ms += 60000;
    assert_true(fake_tick(fake) > 0);
    assert_int_equal(fake_commit(fake, NULL), 0);
    check_deletion(fake, 0);
}

static void a_standby_of_another_log_answers_nobody(void **state)
{
    struct fake *fake = *state;
    struct fake_log *log = write_log(fake);
    char path[300];
    int64_t offset;

    snprintf(path, sizeof(path), "/documents/orders/%.*s?standby=1", (int)log->records[0].key.len,
        log->records[0].key.data);
    for (int strange = 0; strange < 2; strange++) {
        if (strange)
            refilled(log);
        weir_store_revoked(fake->instance, FAKE_ORDERS, 0);
        assert_int_equal(
            weir_store_table_position(fake->instance, WEIR_STORE_CHANGES, FAKE_ORDERS, 0, &offset, NULL), 0);
        assert_int_equal(
            weir_store_table_apply(fake->instance, WEIR_STORE_CHANGES, log->records, log->count, NULL), 0);
        weir_store_table_followed(fake->instance, WEIR_STORE_CHANGES, FAKE_ORDERS, 0, log->next_offset);
        assert_int_equal(fake_get(fake, "GET", path, NULL).status, strange ? 503 : 200);
    }
    assert_non_null(strstr(fake->log_text, "store.standby.refused"));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(another_log_is_refused_and_the_right_one_is_not, start, stop),
    cmocka_unit_test_setup_teardown(a_forgotten_deletion_is_no_reason, start, stop),
    cmocka_unit_test_setup_teardown(neither_is_one_by_age, start, stop),
    cmocka_unit_test_setup_teardown(a_standby_of_another_log_answers_nobody, start, stop),
};
WEIR_TEST_MAIN(tests)

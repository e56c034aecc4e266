/* The ledger by itself, under a clock of the test's own. */
#include "support/test.h"

#include "consumers/plugins/notifier/ledger.h"

#include <ftw.h>
#include <stdlib.h>

enum { KEEP_MS = 3600000 };

static int64_t clock_ms = 1800000000000;
static char folder[40];
static char emitted[4096]; /* keys, a space behind each */

static int64_t now_ms(void)
{
    return clock_ms;
}

static const char *cluster_id(void *context)
{
    (void)context;
    return "cluster";
}

static int emit_at(struct weir_batch *batch, uint32_t source, int32_t partition, const char *topic,
    struct weir_bytes key, struct weir_bytes value, const struct weir_header *headers, size_t header_count,
    struct weir_error *err)
{
    (void)batch, (void)headers, (void)header_count, (void)err;
    assert_int_equal(source, 0);
    assert_int_equal(partition, 3);
    assert_string_equal(topic, "orders.changes.notifier.notifications");
    assert_non_null(value.data);
    size_t len = strlen(emitted);
    snprintf(emitted + len, sizeof(emitted) - len, "%.*s ", (int)key.len, key.data);
    return 0;
}

static const char *const topics[] = {"orders.changes", NULL};
static const struct weir_host host = {
    .service = "notifier", .topics = topics, .now_ms = now_ms, .cluster_id = cluster_id, .emit_at = emit_at};

static struct weir_ledger *open_ledger(void)
{
    struct weir_ledger *ledger = NULL;
    struct weir_error err;
    const struct weir_ledger_options options = {.host = &host, .path = folder, .keep_ms = KEEP_MS};

    if (weir_ledger_open(&options, &ledger, &err) < 0)
        fail_msg("%s", err.text);
    return ledger;
}

static const char event_id[] = "b7016fdf-1939-59d1-9493-ff3e6e932829";

static void note(struct weir_ledger *ledger, const char *subscription, const char *request)
{
    struct weir_event event = {
        .collection = "orders", .key = "o-1", .request = request, .time_ms = 5, .partition = 3};
    struct weir_delivery delivery;

    memcpy(event.id, event_id, sizeof(event_id));
    assert_int_equal(weir_delivery_make(&delivery, WEIR_DELIVERY_SUBSCRIBER, &event, subscription,
                         "a@example.org", "id@host", NULL),
        0);
    weir_ledger_note(ledger, &delivery, WEIR_DELIVERY_SENT, 250, "2.0.0 fine", NULL);
    weir_delivery_done(&delivery);
}

static bool has(struct weir_ledger *ledger, const char *subscription)
{
    char key[100];
    struct weir_delivery_record record;

    snprintf(key, sizeof(key), "%s/%s", event_id, subscription);
    return weir_ledger_find(ledger, key, 5, &record);
}

static bool count(void *context, struct weir_bytes key, struct weir_bytes value)
{
    assert_true(key.len > strlen(event_id) && value.len > 0);
    ++*(size_t *)context;
    return true;
}

static size_t count_of_request(struct weir_ledger *ledger, const char *request)
{
    size_t found = 0;
    assert_int_equal(weir_ledger_of_request(ledger, request, count, &found, NULL), 0);
    return found;
}

static void answers_by_event_and_request(void **state)
{
    struct weir_ledger *ledger = open_ledger();
    size_t found = 0;
    (void)state;
    note(ledger, "s-1", "r-1");
    note(ledger, "s-2", "r-1");
    note(ledger, "s-3", "r-11");
    assert_int_equal(weir_ledger_of_event(ledger, event_id, count, &found, NULL), 0);
    assert_int_equal(found, 3);
    assert_int_equal(count_of_request(ledger, "r-1"), 2);
    assert_int_equal(count_of_request(ledger, "r-11"), 1);
    assert_int_equal(count_of_request(ledger, "r"), 0);
    weir_ledger_close(ledger);
}

/* Who waits for news of a request learns by its mark that there is some, or by the ledger's. */
static void marks_tell_of_news(void **state)
{
    struct weir_ledger *ledger = open_ledger();
    struct weir_bytes request = weir_bytes_str("r-1");
    char before[WEIR_LEDGER_MARK_BYTES], after[WEIR_LEDGER_MARK_BYTES];
    (void)state;
    uint32_t mark = weir_ledger_mark(ledger, request);
    assert_int_equal(weir_ledger_mark(ledger, request), mark);
    note(ledger, "s-1", "r-1");
    assert_int_not_equal(weir_ledger_mark(ledger, request), mark);
    weir_ledger_write_mark(ledger, before);
    assert_int_equal(weir_ledger_caught_up(ledger, 0, 3, 7, NULL), 0);
    weir_ledger_write_mark(ledger, after);
    assert_string_not_equal(before, after);
    weir_ledger_close(ledger);
    ledger = open_ledger();
    assert_int_equal(weir_ledger_caught_up(ledger, 0, 3, 7, NULL), 0);
    weir_ledger_write_mark(ledger, before);
    assert_string_not_equal(before, after);
    weir_ledger_close(ledger);
}

/* What a killed process had not brought into the log, the next one does, once it owns the partition. */
static void outbox_outlives_the_process(void **state)
{
    struct weir_ledger *ledger = open_ledger();
    const struct weir_output output = {WEIR_NO_RECORD, "orders.changes.notifier.notifications", 3, 41};
    const struct weir_result result = {.outputs = &output, .output_count = 1};
    int64_t offset = 0;
    (void)state;
    note(ledger, "s-4", "r-4");
    weir_ledger_close(ledger);
    ledger = open_ledger();
    weir_ledger_tick(ledger, NULL);
    assert_string_equal(emitted, "");
    assert_int_equal(weir_ledger_caught_up(ledger, 0, 3, 7, NULL), 0);
    weir_ledger_tick(ledger, NULL);
    assert_string_equal(emitted, "b7016fdf-1939-59d1-9493-ff3e6e932829/s-4 ");
    weir_ledger_aborted(ledger);
    emitted[0] = '\0';
    weir_ledger_tick(ledger, NULL);
    assert_string_equal(emitted, "b7016fdf-1939-59d1-9493-ff3e6e932829/s-4 ");
    assert_int_equal(weir_ledger_committed(ledger, &result, NULL), 0);
    emitted[0] = '\0';
    weir_ledger_tick(ledger, NULL);
    assert_string_equal(emitted, "");
    weir_ledger_close(ledger);
    ledger = open_ledger();
    assert_int_equal(weir_ledger_position(ledger, 0, 3, &offset, NULL), 0);
    assert_int_equal(offset, 42);
    weir_ledger_close(ledger);
}

static void forgets_what_is_old(void **state)
{
    struct weir_ledger *ledger = open_ledger();
    int64_t offset = 0;
    (void)state;
    note(ledger, "s-1", "r-1");
    note(ledger, "s-2", "r-1");
    assert_int_equal(weir_ledger_caught_up(ledger, 0, 3, 7, NULL), 0);
    clock_ms += KEEP_MS / 2;
    note(ledger, "s-2", "r-1"); /* again: it is young */
    clock_ms += KEEP_MS / 2 + 1;
    weir_ledger_tick(ledger, NULL);
    assert_false(has(ledger, "s-1"));
    assert_true(has(ledger, "s-2"));
    assert_int_equal(count_of_request(ledger, "r-1"), 1);
    clock_ms += KEEP_MS;
    assert_int_equal(weir_ledger_position(ledger, 0, 3, &offset, NULL), 0);
    assert_int_equal(offset, 0); /* the log has forgotten, too: from its beginning */
    weir_ledger_close(ledger);
}

static int remove_one(const char *path, const struct stat *entry, int type, struct FTW *walk)
{
    (void)entry, (void)type, (void)walk;
    return remove(path);
}

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/weir-ledger-XXXXXX");
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(answers_by_event_and_request, make_folder, remove_folder),
    cmocka_unit_test_setup_teardown(marks_tell_of_news, make_folder, remove_folder),
    cmocka_unit_test_setup_teardown(outbox_outlives_the_process, make_folder, remove_folder),
    cmocka_unit_test_setup_teardown(forgets_what_is_old, make_folder, remove_folder),
};

WEIR_TEST_MAIN(tests)

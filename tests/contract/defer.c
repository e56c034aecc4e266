/* Records that a plugin completes later, with the host without Kafka and the test plugin pending. */
#include "support/test.h"

#include <stdlib.h>
#include <unistd.h>
#include <weir/testhost.h>

struct stage {
    struct weir_testhost *host;
    char gate[64];
};

static int set_up(void **state)
{
    struct stage *stage = calloc(1, sizeof(*stage));
    struct weir_error err = {0};
    char plugin[4096], options[128];
    snprintf(stage->gate, sizeof(stage->gate), "/tmp/weir-defer.XXXXXX");
    close(mkstemp(stage->gate));
    snprintf(plugin, sizeof(plugin), "%s/pending.so", getenv("WEIR_CONTRACT_PLUGINS"));
    snprintf(options, sizeof(options), "pending.gate = %s\n", stage->gate);
    if (weir_testhost_open(plugin, options, &stage->host, &err) < 0)
        fail_msg("%s", err.text);
    *state = stage;
    return 0;
}

static int tear_down(void **state)
{
    struct stage *stage = *state;
    weir_testhost_close(stage->host);
    unlink(stage->gate);
    free(stage);
    return 0;
}

static void feed(struct stage *stage, const char *key, const char *value)
{
    const struct weir_record record = {.key = weir_bytes_str(key), .value = weir_bytes_str(value)};
    assert_int_equal(weir_testhost_feed(stage->host, &record, NULL), 0);
}

static void handle(struct stage *stage)
{
    struct weir_error err = {0};
    if (weir_testhost_handle(stage->host, &err) < 0)
        fail_msg("%s", err.text);
}

static void commit(struct stage *stage)
{
    assert_int_equal(weir_testhost_commit(stage->host, NULL), 0);
}

/* Batches until one has records: the plugin's thread wakes them. */
static void handle_woken(struct stage *stage)
{
    for (handle(stage); weir_testhost_record_count(stage->host) == 0; handle(stage))
        commit(stage);
}

static void assert_output(const struct stage *stage, size_t i, const char *value, const char *ticket)
{
    struct weir_testhost_output output = weir_testhost_output(stage->host, i);
    assert_true(weir_bytes_is(output.value, value));
    assert_true(weir_bytes_is(output.headers[0].value, ticket));
}

static void it_is_handed_out_again_when_it_is_woken(void **state)
{
    struct stage *stage = *state;
    feed(stage, "slow-1", "a");
    handle(stage);
    assert_int_equal(weir_testhost_verdict(stage->host, 0), WEIR_TESTHOST_DEFERRED);
    assert_int_equal(weir_testhost_output_count(stage->host), 0);
    commit(stage);
    for (int i = 0; i < 3; i++) {
        handle(stage);
        assert_int_equal(weir_testhost_record_count(stage->host), 0);
        commit(stage);
    }
    unlink(stage->gate);
    handle_woken(stage);
    assert_int_equal(weir_testhost_record(stage->host, 0)->executions, 0);
    assert_int_equal(weir_testhost_record(stage->host, 0)->offset, 0);
    assert_int_equal(weir_testhost_verdict(stage->host, 0), WEIR_DONE);
    assert_output(stage, 0, "a", "yes");
    commit(stage);
}

static void its_key_waits_others_do_not(void **state)
{
    struct stage *stage = *state;
    feed(stage, "slow-1", "a");
    feed(stage, "quick", "b");
    feed(stage, "slow-1", "c");
    handle(stage);
    assert_int_equal(weir_testhost_output_count(stage->host), 1);
    assert_output(stage, 0, "b", "no");
    assert_int_equal(weir_testhost_verdict(stage->host, 2), WEIR_TESTHOST_NOT_HANDED);
    commit(stage);
    feed(stage, "slow-1", "d");
    handle(stage);
    assert_int_equal(weir_testhost_output_count(stage->host), 0);
    commit(stage);
    unlink(stage->gate);
    handle_woken(stage);
    assert_output(stage, 0, "a", "yes");
    commit(stage);
    for (const char *value = "cd"; *value != '\0';) { /* deferred in their turn, behind the one before */
        handle(stage);
        if (weir_testhost_output_count(stage->host) > 0) {
            assert_int_equal(weir_testhost_output_count(stage->host), 1);
            assert_output(stage, 0, (char[]){*value, '\0'}, "yes");
            value++;
        }
        commit(stage);
    }
}

static void an_aborted_one_is_new_again(void **state)
{
    struct stage *stage = *state;
    feed(stage, "slow-1", "a");
    handle(stage);
    weir_testhost_abort(stage->host);
    handle(stage);
    assert_int_equal(weir_testhost_verdict(stage->host, 0), WEIR_TESTHOST_DEFERRED);
    assert_true(weir_testhost_record(stage->host, 0)->ticket == 0);
    commit(stage);
    unlink(stage->gate);
    handle_woken(stage);
    assert_output(stage, 0, "a", "yes");
    commit(stage);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(it_is_handed_out_again_when_it_is_woken, set_up, tear_down),
    cmocka_unit_test_setup_teardown(its_key_waits_others_do_not, set_up, tear_down),
    cmocka_unit_test_setup_teardown(an_aborted_one_is_new_again, set_up, tear_down),
};
WEIR_TEST_MAIN(tests)

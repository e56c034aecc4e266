/* What every plugin has to keep, whatever it does: run against each plugin's .so by the host without Kafka
 * (<weir/testhost.h>). $WEIR_CONTRACT_PLUGIN is the .so, $WEIR_CONTRACT_CONF a configuration whose last
 * service runs it; in it @DIR@ stands for a folder of the test's own and @PLUGIN@ for the .so. */
#include "support/test.h"

#include "common/json.h"
#include "common/metrics.h"
#include "common/topic.h"
#include "consumers/runtime/loader.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/testhost.h>

enum { CONF_BYTES = 16384, VALUE_BYTES = 900 * 1024, LITTLE_BYTES = 4096 };

struct stage {
    char folder[64], conf[96];
    struct weir_deployment *deployment;
    const struct weir_service *service;
    struct weir_testhost *host;
    const struct weir_plugin *plugin;
};

/* --- stage --- */

static size_t read_file(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t len = read(fd, text, size - 1);
    close(fd);
    assert_true(len > 0);
    text[len] = '\0';
    return (size_t)len;
}

static void fill_in(struct weir_buffer *out, const char *template, const char *folder, const char *plugin)
{
    const struct {
        const char *word, *text;
    } words[] = {{"@DIR@", folder}, {"@PLUGIN@", plugin}};
    while (*template != '\0') {
        size_t i = 0;
        while (i < 2 && strncmp(template, words[i].word, strlen(words[i].word)) != 0)
            i++;
        if (i < 2)
            weir_buffer_append_str(out, words[i].text);
        else
            weir_buffer_append(out, template, 1);
        template += i < 2 ? strlen(words[i].word) : 1;
    }
}

static void load_deployment(struct stage *stage)
{
    char template[CONF_BYTES];
    struct weir_error err = {0};
    WEIR_CLEANUP(buffer) struct weir_buffer text = {0};
    read_file(getenv("WEIR_CONTRACT_CONF"), template, sizeof(template));
    fill_in(&text, template, stage->folder, getenv("WEIR_CONTRACT_PLUGIN"));
    snprintf(stage->conf, sizeof(stage->conf), "%s/weir.conf", stage->folder);
    int fd = open(stage->conf, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, text.data, text.len), (ssize_t)text.len);
    close(fd);
    if (weir_deployment_load(stage->conf, &stage->deployment, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(stage->deployment->service_count > 0);
    stage->service = &stage->deployment->services[stage->deployment->service_count - 1];
}

static void open_host(struct stage *stage)
{
    struct weir_error err = {0};
    if (weir_testhost_open_service(stage->conf, stage->service->name, &stage->host, &err) < 0)
        fail_msg("%s", err.text);
    stage->plugin = weir_testhost_plugin(stage->host);
}

static int set_up(void **state)
{
    struct stage *stage = calloc(1, sizeof(*stage));
    snprintf(stage->folder, sizeof(stage->folder), "/tmp/weir-contract.XXXXXX");
    assert_non_null(mkdtemp(stage->folder));
    load_deployment(stage);
    open_host(stage);
    *state = stage;
    return 0;
}

static int remove_one(const char *path, const struct stat *what, int kind, struct FTW *where)
{
    (void)what;
    (void)kind;
    (void)where;
    return remove(path);
}

static int tear_down(void **state)
{
    struct stage *stage = *state;
    weir_testhost_close(stage->host);
    weir_deployment_free(stage->deployment);
    nftw(stage->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(stage);
    return 0;
}

/* --- records --- */

static void add(struct stage *stage, struct weir_bytes key, struct weir_bytes value,
    const struct weir_header *headers, size_t header_count)
{
    static int32_t turn;
    struct weir_error err = {0};
    const struct weir_record record = {.partition = turn++ % WEIR_TESTHOST_PARTITIONS,
        .timestamp_ms = 1700000000000,
        .key = key,
        .value = value,
        .headers = headers,
        .header_count = header_count};
    if (weir_testhost_feed(stage->host, &record, &err) < 0)
        fail_msg("%s", err.text);
}

static void add_hostile(struct stage *stage)
{
    static char huge[VALUE_BYTES], many[200][8];
    static struct weir_header headers[200];
    static const struct weir_header strange[] = {{"", {"", 0}}, {"ce_type", {NULL, 0}},
        {"ce_id", {"\xff\0\n", 3}}, {"ce_type", {"weir.other.create", 17}}, {"weir-redrive-count", {"-1", 2}},
        {"content-type", {"\r\n", 2}}, {"traceparent", {NULL, 0}}};
    memset(huge, '[', sizeof(huge));
    for (size_t i = 0; i < 200; i++) {
        snprintf(many[i], sizeof(many[i]), "h%zu", i);
        headers[i] = (struct weir_header){many[i], weir_bytes_str("x")};
    }
    const struct weir_bytes values[] = {WEIR_BYTES_NULL, weir_bytes_str(""), weir_bytes_str("{"),
        weir_bytes_str("null"), weir_bytes_str("{\"a\":1}"), weir_bytes("{\"a\":\"\0\"}", 9),
        weir_bytes("\xff\xfe", 2), weir_bytes_str("{\"op\":\"c\"}"), weir_bytes(huge, sizeof(huge)),
        weir_bytes_str("[1e999]")};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        add(stage, weir_bytes_str("k"), values[i], NULL, 0);
    add(stage, WEIR_BYTES_NULL, weir_bytes_str("{}"), NULL, 0);
    add(stage, weir_bytes_str(""), weir_bytes_str("{}"), NULL, 0);
    add(stage, weir_bytes("a\0b\r\n", 5), weir_bytes_str("{}"), NULL, 0);
    add(stage, weir_bytes(huge, 5000), weir_bytes_str("{}"), NULL, 0);
    add(stage, weir_bytes_str("k"), weir_bytes_str("{}"), strange, sizeof(strange) / sizeof(strange[0]));
    add(stage, weir_bytes_str("k"), weir_bytes_str("{}"), headers, 200);
}

static void handle(struct stage *stage)
{
    struct weir_error err = {0};
    if (weir_testhost_handle(stage->host, &err) < 0)
        fail_msg("handle: %s", err.text);
}

static void commit(struct stage *stage)
{
    struct weir_error err = {0};
    if (weir_testhost_commit(stage->host, &err) < 0)
        fail_msg("committed: %s", err.text);
}

static bool is_planned(const struct weir_deployment *deployment, const char *topic)
{
    struct weir_topic_plan *plan;
    size_t count;
    bool found = false;
    assert_int_equal(weir_topic_plan(deployment, &plan, &count, NULL), 0);
    for (size_t i = 0; i < count; i++)
        found |= strcmp(plan[i].name, topic) == 0;
    weir_topic_plan_free(plan, count);
    return found;
}

/* --- cases --- */

static void it_says_what_it_is(void **state)
{
    const struct stage *stage = *state;
    assert_true(stage->plugin->version != NULL && stage->plugin->version[0] != '\0');
    assert_true(stage->plugin->summary != NULL && stage->plugin->summary[0] != '\0');
}

static void it_is_named_as_its_file(void **state)
{
    const struct stage *stage = *state;
    char file[128];
    const char *path = strrchr(getenv("WEIR_CONTRACT_PLUGIN"), '/') + 1;
    snprintf(file, sizeof(file), "%s.so", stage->plugin->name);
    assert_string_equal(path, file);
}

static void its_options_are_told(void **state)
{
    const struct stage *stage = *state;
    const struct weir_option_table table = {
        .rows = stage->plugin->options, .count = stage->plugin->option_count};
    for (size_t i = 0; i < table.count; i++) {
        const struct weir_option *row = &table.rows[i];
        assert_true(row->key != NULL && row->key[0] != '\0');
        assert_true(row->help != NULL && row->help[0] != '\0');
        assert_true(row->offset < stage->plugin->settings_size);
        assert_ptr_equal(weir_option_find(&table, row->key), row); /* no key twice */
        assert_true(row->reserved[0] == NULL && row->reserved[1] == NULL);
    }
}

/* Where every plugin's process ends that refuses something: in a place and a reason, never in a crash. */
static void it_is_tried_in_a_process_of_its_own(void **state)
{
    const struct stage *stage = *state;
    struct weir_error err = {0};
    if (weir_plugin_try(stage->deployment, stage->service, &err) < 0)
        fail_msg("%s", err.text);
}

static void its_metrics_carry_its_name(void **state)
{
    struct stage *stage = *state;
    char prefix[96], twice[128];
    WEIR_CLEANUP(buffer) struct weir_buffer page = {0};
    snprintf(prefix, sizeof(prefix), "weir_%s_", stage->plugin->name);
    for (char *at = prefix; *at != '\0'; at++)
        *at = *at == '-' ? '_' : *at;
    snprintf(twice, sizeof(twice), "%sweir_", prefix);
    weir_metrics_write(&page);
    for (char *line = strtok(page.data, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        if (line[0] == '#' || strncmp(line, "process_", 8) == 0 || strncmp(line, "weir_build_info", 15) == 0)
            continue;
        if (strncmp(line, prefix, strlen(prefix)) != 0 || strncmp(line, twice, strlen(twice)) == 0)
            fail_msg("%s: the name has to begin with %s, once", line, prefix);
    }
}

static void it_opens_again_after_close(void **state)
{
    struct stage *stage = *state;
    for (int round = 0; round < 2; round++) {
        weir_testhost_close(stage->host);
        stage->host = NULL;
        open_host(stage);
    }
}

static void it_handles_an_empty_batch(void **state)
{
    struct stage *stage = *state;
    handle(stage);
    commit(stage);
}

static void it_takes_an_empty_run_of_a_table(void **state)
{
    struct stage *stage = *state;
    struct weir_error err = {0};
    for (uint32_t table = 0; table < stage->plugin->table_count; table++)
        if (weir_testhost_apply(stage->host, table, NULL, 0, &err) < 0)
            fail_msg("table_apply of nothing: %s", err.text);
}

static void it_survives_hostile_records(void **state)
{
    struct stage *stage = *state;
    add_hostile(stage);
    handle(stage);
    for (size_t i = 0; i < weir_testhost_record_count(stage->host); i++) {
        int verdict = weir_testhost_verdict(stage->host, i);
        const struct weir_reason *why = weir_testhost_reason(stage->host, i);
        assert_int_not_equal(verdict, WEIR_TESTHOST_NO_VERDICT); /* nothing is left lying */
        if (verdict == WEIR_REJECT)
            assert_true(why->disposition != NULL && why->error_type != NULL && why->text != NULL);
    }
    commit(stage);
}

/* Every topic that a plugin emits to has to be one that `weirctl topics apply` makes. */
static void it_emits_to_planned_topics(void **state)
{
    struct stage *stage = *state;
    add_hostile(stage);
    handle(stage);
    for (size_t i = 0; i < weir_testhost_output_count(stage->host); i++)
        assert_true(is_planned(stage->deployment, weir_testhost_output(stage->host, i).topic));
    commit(stage);
}

/* One record can never make every transaction fail: it is refused before it is queued. */
static void it_survives_topics_that_take_little(void **state)
{
    struct stage *stage = *state;
    struct weir_topic_plan *plan;
    size_t count;
    assert_int_equal(weir_topic_plan(stage->deployment, &plan, &count, NULL), 0);
    for (size_t i = 0; i < count; i++)
        weir_testhost_limit(stage->host, plan[i].name, LITTLE_BYTES);
    weir_topic_plan_free(plan, count);
    add_hostile(stage);
    handle(stage);
    commit(stage);
}

static void an_aborted_batch_leaves_nothing(void **state)
{
    struct stage *stage = *state;
    add_hostile(stage);
    handle(stage);
    size_t records = weir_testhost_record_count(stage->host),
           outputs = weir_testhost_output_count(stage->host);
    weir_testhost_abort(stage->host);
    handle(stage);
    assert_int_equal(weir_testhost_record_count(stage->host), records);
    assert_int_equal(weir_testhost_output_count(stage->host), outputs);
    commit(stage);
}

static void it_closes_with_a_batch_in_hand(void **state)
{
    struct stage *stage = *state;
    add_hostile(stage);
    handle(stage);
    weir_testhost_close(stage->host);
    stage->host = NULL;
    open_host(stage);
}

static void its_health_is_json(void **state)
{
    struct stage *stage = *state;
    char detail[4096];
    WEIR_CLEANUP(json) json_t *parsed = NULL;
    struct weir_error err = {0};
    weir_testhost_health(stage->host, detail, sizeof(detail));
    if (weir_json_parse_object(weir_bytes_str(detail), &parsed, &err) < 0)
        fail_msg("%s: %s", detail, err.text);
}

static void it_ticks(void **state)
{
    struct stage *stage = *state;
    for (int round = 0; round < 3; round++) { /* before, between and after batches; committed and aborted */
        weir_testhost_tick(stage->host);
        if (round % 2 == 0)
            commit(stage);
        else
            weir_testhost_abort(stage->host);
        add_hostile(stage);
        handle(stage);
        commit(stage);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(it_says_what_it_is, set_up, tear_down),
    cmocka_unit_test_setup_teardown(it_is_named_as_its_file, set_up, tear_down),
    cmocka_unit_test_setup_teardown(its_options_are_told, set_up, tear_down),
    cmocka_unit_test_setup_teardown(it_is_tried_in_a_process_of_its_own, set_up, tear_down),
    cmocka_unit_test_setup_teardown(its_metrics_carry_its_name, set_up, tear_down),
    cmocka_unit_test_setup_teardown(it_opens_again_after_close, set_up, tear_down),
    cmocka_unit_test_setup_teardown(it_handles_an_empty_batch, set_up, tear_down),
    cmocka_unit_test_setup_teardown(it_takes_an_empty_run_of_a_table, set_up, tear_down),
    cmocka_unit_test_setup_teardown(it_survives_hostile_records, set_up, tear_down),
    cmocka_unit_test_setup_teardown(it_emits_to_planned_topics, set_up, tear_down),
    cmocka_unit_test_setup_teardown(it_survives_topics_that_take_little, set_up, tear_down),
    cmocka_unit_test_setup_teardown(an_aborted_batch_leaves_nothing, set_up, tear_down),
    cmocka_unit_test_setup_teardown(it_closes_with_a_batch_in_hand, set_up, tear_down),
    cmocka_unit_test_setup_teardown(its_health_is_json, set_up, tear_down),
    cmocka_unit_test_setup_teardown(it_ticks, set_up, tear_down),
};
WEIR_TEST_MAIN(tests)

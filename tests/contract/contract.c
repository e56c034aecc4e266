/* What every plugin has to keep, whatever it does: run against each plugin's .so with the host's own table
 * and batches, but without Kafka. $WEIR_CONTRACT_PLUGIN is the .so, $WEIR_CONTRACT_CONF a configuration whose
 * only service runs it; in it
 * @DIR@ stands for a folder of the test's own and @PLUGIN@ for the .so. */
#include "support/test.h"

#include "common/json.h"
#include "common/log.h"
#include "common/topic.h"
#include "consumers/runtime/dead_letter.h"
#include "consumers/runtime/host.h"
#include "consumers/runtime/loader.h"
#include "consumers/runtime/runtime.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BATCH_MAX = 64, PARTITIONS = 2, CONF_BYTES = 16384, TARGETS_MAX = 16, VALUE_BYTES = 900 * 1024 };

struct stage {
    char folder[64];
    struct weir_deployment *deployment;
    struct weir_runtime runtime;
    struct weir_partition partitions[PARTITIONS];
    struct weir_target targets[TARGETS_MAX];
    size_t target_count;
    int64_t next_offset[PARTITIONS], next_output;
    bool opened;
};

/* --- a host without Kafka --- */

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

/* Every topic that a plugin emits to has to be one that `weirctl topics apply` makes. */
static struct weir_target *target(void *context, const char *topic)
{
    struct stage *stage = context;
    for (size_t i = 0; i < stage->target_count; i++)
        if (strcmp(stage->targets[i].name, topic) == 0)
            return &stage->targets[i];
    assert_true(stage->target_count < TARGETS_MAX);
    assert_true(is_planned(stage->deployment, topic));
    stage->targets[stage->target_count] = (struct weir_target){.name = strdup(topic), .limit_bytes = 1000000};
    return &stage->targets[stage->target_count++];
}

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
    char template[CONF_BYTES], path[96];
    struct weir_error err = {0};
    WEIR_CLEANUP(buffer) struct weir_buffer text = {0};
    read_file(getenv("WEIR_CONTRACT_CONF"), template, sizeof(template));
    fill_in(&text, template, stage->folder, getenv("WEIR_CONTRACT_PLUGIN"));
    snprintf(path, sizeof(path), "%s/weir.conf", stage->folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, text.data, text.len), (ssize_t)text.len);
    close(fd);
    if (weir_deployment_load(path, &stage->deployment, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(stage->deployment->service_count > 0);
}

static void load_plugin(struct stage *stage)
{
    struct weir_error err = {0};
    struct weir_runtime *runtime = &stage->runtime;
    runtime->deployment = stage->deployment;
    runtime->service = &stage->deployment->services[stage->deployment->service_count - 1];
    runtime->instance = "contract";
    if (weir_plugin_load(stage->deployment, runtime->service, &runtime->loaded, &err) < 0)
        fail_msg("%s", err.text);
    runtime->plugin = &runtime->loaded->plugin;
}

static int set_up(void **state)
{
    struct stage *stage = calloc(1, sizeof(*stage));
    snprintf(stage->folder, sizeof(stage->folder), "/tmp/weir-contract.XXXXXX");
    assert_non_null(mkdtemp(stage->folder));
    load_deployment(stage);
    load_plugin(stage);
    struct weir_batch_port port = {.context = stage, .decode = decode, .release = release, .target = target};
    assert_int_equal(weir_batch_init(&stage->runtime.batch, BATCH_MAX, 64 << 20, 3, &port), 0);
    for (int i = 0; i < PARTITIONS; i++)
        stage->partitions[i] = (struct weir_partition){.topic = stage->runtime.service->source_topics[0],
            .partition = i,
            .failed_offset = -1,
            .next = -1};
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
    if (stage->opened)
        stage->runtime.plugin->close(stage->runtime.plugin_instance);
    weir_batch_done(&stage->runtime.batch);
    for (int i = 0; i < PARTITIONS; i++)
        weir_held_done(&stage->partitions[i].held);
    for (size_t i = 0; i < stage->target_count; i++)
        free(stage->targets[i].name);
    weir_plugin_unload(stage->runtime.loaded);
    free(stage->runtime.advertised);
    weir_deployment_free(stage->deployment);
    nftw(stage->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(stage);
    return 0;
}

static void open_instance(struct stage *stage)
{
    struct weir_error err = {0};
    struct weir_runtime *runtime = &stage->runtime;
    weir_host_init(runtime);
    if (runtime->plugin->open(&runtime->host, runtime->loaded->settings, &runtime->plugin_instance, &err) < 0)
        fail_msg("open: %s", err.text);
    assert_non_null(runtime->plugin_instance);
    stage->opened = true;
}

static void restore_table(struct stage *stage, uint32_t table, int32_t partition)
{
    struct weir_error err = {0};
    const struct weir_plugin *plugin = stage->runtime.plugin;
    void *instance = stage->runtime.plugin_instance;
    int64_t position = 0;
    if (plugin->table_position != NULL &&
        plugin->table_position(instance, table, 0, partition, &position, &err) < 0)
        fail_msg("table_position: %s", err.text);
    assert_true(position >= 0);
    if (plugin->table_apply(instance, table, NULL, 0, &err) < 0)
        fail_msg("table_apply of nothing: %s", err.text);
    if (plugin->table_caught_up != NULL &&
        plugin->table_caught_up(instance, table, 0, partition, position, &err) < 0)
        fail_msg("table_caught_up: %s", err.text);
}

static void take_partitions(struct stage *stage)
{
    struct weir_error err = {0};
    const struct weir_plugin *plugin = stage->runtime.plugin;
    for (int32_t p = 0; p < PARTITIONS; p++) {
        if (plugin->assigned != NULL && plugin->assigned(stage->runtime.plugin_instance, 0, p, &err) < 0)
            fail_msg("assigned: %s", err.text);
        for (uint32_t table = 0; table < plugin->table_count; table++)
            restore_table(stage, table, p);
    }
}

static void add(struct stage *stage, struct weir_bytes key, struct weir_bytes value,
    const struct weir_header *headers, size_t header_count)
{
    struct weir_batch *batch = &stage->runtime.batch;
    int p = (int)(batch->count % PARTITIONS);
    int64_t offset = stage->next_offset[p]++;
    struct weir_slot *slot = weir_batch_add(batch, &stage->partitions[p], (void *)(uintptr_t)(offset + 1));
    slot->record = (struct weir_record){.topic = stage->partitions[p].topic,
        .partition = p,
        .offset = offset,
        .timestamp_ms = 1700000000000,
        .key = key,
        .value = value,
        .headers = headers,
        .header_count = header_count};
}

static void add_hostile(struct stage *stage)
{
    static char huge[VALUE_BYTES], many[200][8];
    static struct weir_header headers[200];
    static const struct weir_header strange[] = {{"", {"", 0}}, {"ce_type", {NULL, 0}},
        {"ce_id", {"\xff\0\n", 3}}, {"ce_type", {"weir.other.create", 17}}, {"weir-redrive-count", {"-1", 2}},
        {"content-type", {"\r\n", 2}}};
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
    add(stage, weir_bytes_str("k"), weir_bytes_str("{}"), strange, 6);
    add(stage, weir_bytes_str("k"), weir_bytes_str("{}"), headers, 200);
}

static void handle(struct stage *stage)
{
    struct weir_error err = {0};
    struct weir_runtime *runtime = &stage->runtime;
    weir_batch_begin(&runtime->batch);
    if (runtime->plugin->handle(runtime->plugin_instance, &runtime->batch, &err) < 0)
        fail_msg("handle: %s", err.text);
    weir_batch_settle(&runtime->batch);
}

static void bury(struct stage *stage)
{
    struct weir_batch *batch = &stage->runtime.batch;
    for (size_t i = 0; i < batch->count; i++) {
        struct weir_slot *slot = &batch->slots[i];
        if (slot->finished && slot->state == WEIR_SLOT_DEAD && stage->runtime.plugin->dead_letter != NULL)
            stage->runtime.plugin->dead_letter(
                stage->runtime.plugin_instance, batch, &slot->record, slot->why.disposition, &slot->why);
    }
    batch->plugin_count = batch->emitted_count;
}

static void commit(struct stage *stage)
{
    struct weir_error err = {0};
    struct weir_runtime *runtime = &stage->runtime;
    struct weir_batch *batch = &runtime->batch;
    struct weir_position positions[PARTITIONS];
    struct weir_result result = {
        .outputs = batch->outputs, .output_count = batch->plugin_count, .positions = positions};
    for (size_t i = 0; i < batch->emitted_count; i++)
        batch->outputs[i].offset = stage->next_output++;
    for (int i = 0; i < PARTITIONS; i++)
        if (stage->partitions[i].next >= 0)
            positions[result.position_count++] = (struct weir_position){0, i, stage->partitions[i].next};
    if (runtime->plugin->committed != NULL &&
        runtime->plugin->committed(runtime->plugin_instance, batch, &result, &err) < 0)
        fail_msg("committed: %s", err.text);
    weir_batch_end(batch, true);
}

/* --- cases --- */

static void it_loads(void **state)
{
    const struct stage *stage = *state;
    assert_true(stage->runtime.plugin->version != NULL && stage->runtime.plugin->version[0] != '\0');
    assert_true(stage->runtime.plugin->summary != NULL && stage->runtime.plugin->summary[0] != '\0');
}

static void it_is_named_as_its_file(void **state)
{
    const struct stage *stage = *state;
    char file[128];
    const char *path = strrchr(stage->runtime.loaded->path, '/') + 1;
    snprintf(file, sizeof(file), "%s.so", stage->runtime.plugin->name);
    assert_string_equal(path, file);
}

static void its_options_are_told(void **state)
{
    const struct stage *stage = *state;
    const struct weir_option_table *table = &stage->runtime.loaded->table;
    for (size_t i = 0; i < table->count; i++) {
        const struct weir_option *row = &table->rows[i];
        assert_true(row->key != NULL && row->key[0] != '\0');
        assert_true(row->help != NULL && row->help[0] != '\0');
        assert_true(row->offset < table->settings_size);
        assert_ptr_equal(weir_option_find(table, row->key), row); /* no key twice */
    }
}

static void it_checks_its_settings_without_a_network(void **state)
{
    struct stage *stage = *state;
    struct weir_error err = {0};
    const struct weir_plugin *plugin = stage->runtime.plugin;
    if (plugin->check != NULL && plugin->check(stage->runtime.loaded->settings, stage->deployment,
                                     stage->runtime.service->name, &err) < 0)
        fail_msg("check: %s", err.text);
}

static void it_opens_and_closes(void **state)
{
    struct stage *stage = *state;
    open_instance(stage);
    stage->opened = false;
    stage->runtime.plugin->close(stage->runtime.plugin_instance);
    open_instance(stage);
}

static void it_takes_and_gives_up_partitions(void **state)
{
    struct stage *stage = *state;
    open_instance(stage);
    for (int round = 0; round < 2; round++) {
        take_partitions(stage);
        for (int32_t p = 0; p < PARTITIONS && stage->runtime.plugin->revoked != NULL; p++)
            stage->runtime.plugin->revoked(stage->runtime.plugin_instance, 0, p);
    }
}

static void it_handles_an_empty_batch(void **state)
{
    struct stage *stage = *state;
    open_instance(stage);
    take_partitions(stage);
    handle(stage);
    commit(stage);
}

static void it_survives_hostile_records(void **state)
{
    struct stage *stage = *state;
    open_instance(stage);
    take_partitions(stage);
    add_hostile(stage);
    handle(stage);
    for (size_t i = 0; i < stage->runtime.batch.count; i++) {
        const struct weir_slot *slot = &stage->runtime.batch.slots[i];
        if (slot->partition->blocked)
            continue;
        assert_true(slot->state >= WEIR_SLOT_DONE); /* nothing is left lying */
        if (slot->state == WEIR_SLOT_DEAD)
            assert_true(slot->why.error_type != NULL && slot->why.text != NULL);
    }
    bury(stage);
    commit(stage);
}

static void an_aborted_batch_leaves_nothing(void **state)
{
    struct stage *stage = *state;
    open_instance(stage);
    take_partitions(stage);
    add_hostile(stage);
    handle(stage);
    size_t first = stage->runtime.batch.emitted_count;
    if (stage->runtime.plugin->aborted != NULL)
        stage->runtime.plugin->aborted(stage->runtime.plugin_instance, &stage->runtime.batch);
    handle(stage);
    assert_int_equal(stage->runtime.batch.emitted_count, first);
    bury(stage);
    commit(stage);
}

static void its_health_is_json(void **state)
{
    struct stage *stage = *state;
    WEIR_CLEANUP(buffer) struct weir_buffer detail = {0}, object = {0};
    WEIR_CLEANUP(json) json_t *parsed = NULL;
    struct weir_error err = {0};
    open_instance(stage);
    if (stage->runtime.plugin->health == NULL)
        return;
    stage->runtime.plugin->health(stage->runtime.plugin_instance, &detail);
    weir_buffer_append_str(&object, "{");
    weir_buffer_append_bytes(&object, weir_buffer_bytes(&detail));
    weir_buffer_append_str(&object, "}");
    if (weir_json_parse_object(weir_buffer_bytes(&object), &parsed, &err) < 0)
        fail_msg("%s: %s", object.data, err.text);
}

static void it_ticks(void **state)
{
    struct stage *stage = *state;
    open_instance(stage);
    take_partitions(stage);
    if (stage->runtime.plugin->tick != NULL)
        stage->runtime.plugin->tick(stage->runtime.plugin_instance, &stage->runtime.batch);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(it_loads, set_up, tear_down),
    cmocka_unit_test_setup_teardown(it_is_named_as_its_file, set_up, tear_down),
    cmocka_unit_test_setup_teardown(its_options_are_told, set_up, tear_down),
    cmocka_unit_test_setup_teardown(it_checks_its_settings_without_a_network, set_up, tear_down),
    cmocka_unit_test_setup_teardown(it_opens_and_closes, set_up, tear_down),
    cmocka_unit_test_setup_teardown(it_takes_and_gives_up_partitions, set_up, tear_down),
    cmocka_unit_test_setup_teardown(it_handles_an_empty_batch, set_up, tear_down),
    cmocka_unit_test_setup_teardown(it_survives_hostile_records, set_up, tear_down),
    cmocka_unit_test_setup_teardown(an_aborted_batch_leaves_nothing, set_up, tear_down),
    cmocka_unit_test_setup_teardown(its_health_is_json, set_up, tear_down),
    cmocka_unit_test_setup_teardown(it_ticks, set_up, tear_down),
};
WEIR_TEST_MAIN(tests)

#include <weir/testhost.h>

#include "common/json.h"
#include "common/topic.h"
#include "consumers/runtime/bridge.h"
#include "consumers/runtime/host.h"
#include "consumers/runtime/retry.h"
#include "consumers/runtime/runtime.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RECORDS_MAX = 10000, BATCH_BYTES = 256 * 1024 * 1024, TARGET_BYTES = 1024 * 1024, NOW_MS = 0 };

/* A record that was fed: what a Kafka message is to the real host. */
struct message {
    struct weir_record record; /* its bytes lie in the arena */
    struct weir_partition *partition;
    struct weir_arena arena;
};

struct targets {
    struct weir_target **items;
    size_t count;
};

struct weir_testhost {
    struct weir_runtime runtime;
    struct weir_deployment *deployment;
    struct weir_plugin_loaded *loaded;
    struct weir_partition *partitions; /* by source and number */
    size_t partition_count;
    int64_t *next_offsets;
    struct targets targets;
    int64_t next_output;
    bool opened, handled; /* handled: the batch waits for commit or abort */
};

/* --- below the batch, where the real host has Kafka --- */

static int decode(void *context, struct weir_slot *slot, struct weir_arena *arena)
{
    (void)context;
    (void)slot;
    (void)arena;
    return 0;
}

static void release(void *context, void *item)
{
    struct message *message = item;
    (void)context;
    weir_arena_done(&message->arena);
    free(message);
}

static struct weir_target *add_target(struct targets *targets, const char *topic)
{
    struct weir_target **items =
        reallocarray(targets->items, targets->count + 1, sizeof(struct weir_target *));
    if (items == NULL)
        return NULL;
    targets->items = items;
    struct weir_target *target = calloc(1, sizeof(*target));
    if (target == NULL || (target->name = strdup(topic)) == NULL) {
        free(target);
        return NULL;
    }
    target->limit_bytes = TARGET_BYTES;
    return items[targets->count++] = target;
}

static struct weir_target *find_target(void *context, const char *topic)
{
    struct targets *targets = &((struct weir_testhost *)context)->targets;
    for (size_t i = 0; i < targets->count; i++)
        if (strcmp(targets->items[i]->name, topic) == 0)
            return targets->items[i];
    return add_target(targets, topic);
}

static struct weir_partition *find_partition(void *context, uint32_t source, int32_t partition)
{
    struct weir_testhost *host = context;
    for (size_t i = 0; i < host->partition_count; i++)
        if (host->partitions[i].source == source && host->partitions[i].partition == partition)
            return &host->partitions[i];
    return NULL;
}

/* A record that had RETRY is due with the next batch, a deferred one when it is woken: time stands still. */
static int64_t no_delay(void *context, int32_t executions)
{
    (void)context;
    (void)executions;
    return 0;
}

/* --- open and close --- */

static int open_batch(struct weir_testhost *host, struct weir_error *err)
{
    struct weir_batch_port port = {.context = host,
        .decode = decode,
        .release = release,
        .target = find_target,
        .partition = find_partition,
        .delay_ms = no_delay};
    int32_t attempts = (int32_t)host->runtime.service->attempts;
    if (weir_batch_init(&host->runtime.batch, RECORDS_MAX, BATCH_BYTES, attempts, &port) < 0)
        return weir_error_set(err, WEIR_E_INTERNAL, "memory is out");
    return 0;
}

static int32_t planned_partitions(const struct weir_topic_plan *plan, size_t count, const char *topic)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(plan[i].name, topic) == 0)
            return plan[i].partitions;
    return 0;
}

static int add_partition(struct weir_testhost *host, uint32_t source, int32_t number, struct weir_error *err)
{
    const struct weir_service *service = host->runtime.service;
    struct weir_partition *partitions =
        reallocarray(host->partitions, host->partition_count + 1, sizeof(*partitions));
    if (partitions == NULL)
        return WEIR_E_INTERNAL;
    host->partitions = partitions;
    struct weir_partition *partition = &partitions[host->partition_count++];
    *partition = (struct weir_partition){
        .topic = service->source_topics[source], .source = source, .partition = number, .next = -1};
    partition->parking = (struct weir_parking){.by_key = service->retry_order == WEIR_RETRY_ORDER_KEY,
        .topic = partition->topic,
        .partition = number};
    return weir_topic_of_service(partition->topic, service->name, "retry", partition->retry_topic, err);
}

static int make_partitions(struct weir_testhost *host, struct weir_error *err)
{
    struct weir_topic_plan *plan;
    size_t count;
    int rc = weir_topic_plan(host->deployment, &plan, &count, err);
    if (rc < 0)
        return rc;
    char **topics = host->runtime.service->source_topics;
    for (uint32_t source = 0; rc == 0 && topics[source] != NULL; source++) {
        int32_t partitions = planned_partitions(plan, count, topics[source]);
        for (int32_t number = 0; rc == 0 && number < partitions; number++)
            rc = add_partition(host, source, number, err);
    }
    weir_topic_plan_free(plan, count);
    host->next_offsets = calloc(host->partition_count + 1, sizeof(*host->next_offsets));
    if (rc < 0 || host->next_offsets == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "memory is out");
    return 0;
}

/* Beside a service that runs, its port is taken. */
static int listen_anywhere(const char *address, weir_http_answer *answer, void *context,
    struct weir_http_service **ret_service, struct weir_error *err)
{
    (void)address;
    return weir_bridge_listen("127.0.0.1:0", answer, context, ret_service, err);
}

static int open_instance(struct weir_testhost *host, struct weir_error *err)
{
    struct weir_runtime *runtime = &host->runtime;
    weir_host_init(runtime);
    runtime->host.http_listen = listen_anywhere;
    int rc = runtime->plugin->open(&runtime->host, runtime->loaded->settings, &runtime->plugin_instance, err);
    host->opened = rc == 0;
    if (rc < 0)
        return rc;
    return runtime->plugin_instance != NULL
               ? 0
               : weir_error_set(err, WEIR_E_INTERNAL, "open() answers 0 without an instance");
}

/* An empty table of the partition is read. */
static int restore(struct weir_testhost *host, uint32_t table, const struct weir_partition *partition,
    struct weir_error *err)
{
    const struct weir_plugin *plugin = host->runtime.plugin;
    void *instance = host->runtime.plugin_instance;
    int64_t position = 0;
    int rc = 0;
    if (plugin->table_position != NULL)
        rc = plugin->table_position(instance, table, partition->source, partition->partition, &position, err);
    if (rc == 0 && position < 0)
        return weir_error_set(err, WEIR_E_INTERNAL, "table_position() answers %" PRId64, position);
    if (rc == 0 && plugin->table_caught_up != NULL)
        rc = plugin->table_caught_up(instance, table, partition->source, partition->partition, position, err);
    return rc;
}

static int assign(struct weir_testhost *host, struct weir_partition *partition, struct weir_error *err)
{
    const struct weir_plugin *plugin = host->runtime.plugin;
    int rc = 0;
    partition->announced = true;
    if (plugin->assigned != NULL)
        rc = plugin->assigned(host->runtime.plugin_instance, partition->source, partition->partition, err);
    for (uint32_t table = 0; rc == 0 && table < plugin->table_count; table++)
        rc = restore(host, table, partition, err);
    return rc;
}

static int start(struct weir_testhost *host, const char *config, const char *service, struct weir_error *err)
{
    struct weir_runtime *runtime = &host->runtime;
    weir_json_init();
    int rc = weir_deployment_load(config, &host->deployment, err);
    if (rc < 0)
        return rc;
    host->deployment->kafka.dev = true; /* what plugins keep is temporary, as on the dev broker */
    runtime->deployment = host->deployment;
    runtime->service = weir_deployment_service(host->deployment, service);
    if (runtime->service == NULL)
        return weir_error_set(err, WEIR_E_CONFIG, "%s: there is no [service %s]", config, service);
    rc = weir_plugin_load(host->deployment, runtime->service, &host->loaded, err);
    if (rc < 0)
        return rc;
    runtime->loaded = host->loaded;
    runtime->plugin = &host->loaded->plugin;
    runtime->instance = "testhost";
    if (runtime->plugin->check != NULL)
        rc = runtime->plugin->check(host->loaded->settings, host->deployment, service, err);
    if (rc == 0)
        rc = open_batch(host, err);
    if (rc == 0)
        rc = make_partitions(host, err);
    if (rc == 0)
        rc = open_instance(host, err);
    for (size_t i = 0; rc == 0 && i < host->partition_count; i++)
        rc = assign(host, &host->partitions[i], err);
    return rc;
}

int weir_testhost_open_service(
    const char *config, const char *service, struct weir_testhost **ret_host, struct weir_error *err)
{
    struct weir_testhost *host = calloc(1, sizeof(*host));
    if (host == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "memory is out");
    int rc = start(host, config, service, err);
    if (rc < 0) {
        weir_testhost_close(host);
        return rc;
    }
    *ret_host = host;
    return 0;
}

static int write_config(int fd, const char *plugin, const char *options, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer text = {0};
    weir_buffer_printf(&text,
        "[kafka]\nbootstrap.servers = 127.0.0.1:9\ndev = true\n"
        "[collection orders]\nkey = orderID\npartitions = %d\n"
        "[service test]\nplugin = %s\ntopics = orders\n%s\n",
        WEIR_TESTHOST_PARTITIONS, plugin, options != NULL ? options : "");
    if (text.failed || write(fd, text.data, text.len) != (ssize_t)text.len)
        return weir_error_set(err, WEIR_E_DISK, "the configuration of the test can't be written");
    return 0;
}

int weir_testhost_open(
    const char *plugin, const char *options, struct weir_testhost **ret_host, struct weir_error *err)
{
    char path[] = "/tmp/weir-testhost.XXXXXX", file[PATH_MAX];
    if (realpath(plugin, file) == NULL)
        return weir_error_set(err, WEIR_E_CONFIG, "plugin %s: %s", plugin, strerror(errno));
    int fd = mkstemp(path);
    if (fd < 0)
        return weir_error_set(err, WEIR_E_DISK, "%s: %s", path, strerror(errno));
    int rc = write_config(fd, file, options, err);
    close(fd);
    if (rc == 0)
        rc = weir_testhost_open_service(path, "test", ret_host, err);
    unlink(path);
    return rc;
}

static void revoke_all(struct weir_testhost *host)
{
    const struct weir_plugin *plugin = host->runtime.plugin;
    for (size_t i = 0; i < host->partition_count; i++)
        if (host->partitions[i].announced && plugin->revoked != NULL)
            plugin->revoked(
                host->runtime.plugin_instance, host->partitions[i].source, host->partitions[i].partition);
}

static void free_partitions(struct weir_testhost *host)
{
    for (size_t i = 0; i < host->partition_count; i++) {
        for (void *item; (item = weir_held_pop_front(&host->partitions[i].held)) != NULL;)
            release(host, item);
        weir_held_done(&host->partitions[i].held);
        weir_parking_clear(&host->partitions[i].parking);
    }
    free(host->partitions);
    free(host->next_offsets);
}

void weir_testhost_close(struct weir_testhost *host)
{
    if (host == NULL)
        return;
    if (host->opened) {
        revoke_all(host);
        host->runtime.plugin->close(host->runtime.plugin_instance);
    }
    if (host->runtime.host.abi != 0)
        weir_wakes_done(&host->runtime.wakes);
    weir_batch_done(&host->runtime.batch);
    free_partitions(host);
    for (size_t i = 0; i < host->targets.count; i++) {
        free(host->targets.items[i]->name);
        free(host->targets.items[i]);
    }
    free(host->targets.items);
    if (host->loaded != NULL)
        weir_plugin_unload(host->loaded);
    free(host->runtime.advertised);
    weir_deployment_free(host->deployment);
    free(host);
}

const struct weir_plugin *weir_testhost_plugin(const struct weir_testhost *host)
{
    return host->runtime.plugin;
}

void *weir_testhost_instance(const struct weir_testhost *host)
{
    return host->runtime.plugin_instance;
}

/* --- records in --- */

static struct weir_bytes copy_bytes(struct weir_arena *arena, struct weir_bytes bytes)
{
    return bytes.data != NULL ? weir_bytes(weir_arena_copy(arena, bytes.data, bytes.len), bytes.len) : bytes;
}

static bool copy_record(struct message *message, const struct weir_record *record)
{
    struct weir_record *copy = &message->record;
    struct weir_header *headers =
        weir_arena_take(&message->arena, (record->header_count + 1) * sizeof(*headers));
    if (headers == NULL)
        return false;
    for (size_t i = 0; i < record->header_count; i++) {
        headers[i].name =
            weir_arena_copy(&message->arena, record->headers[i].name, strlen(record->headers[i].name) + 1);
        headers[i].value = copy_bytes(&message->arena, record->headers[i].value);
        if (headers[i].name == NULL)
            return false;
    }
    *copy = *record;
    copy->headers = record->header_count > 0 ? headers : NULL;
    copy->key = copy_bytes(&message->arena, record->key);
    copy->value = copy_bytes(&message->arena, record->value);
    return (copy->key.data != NULL) == (record->key.data != NULL) &&
           (copy->value.data != NULL) == (record->value.data != NULL);
}

static struct message *message_new(struct weir_partition *partition, const struct weir_record *record)
{
    struct message *message = calloc(1, sizeof(*message));
    if (message == NULL)
        return NULL;
    message->partition = partition;
    if (copy_record(message, record))
        return message;
    release(NULL, message);
    return NULL;
}

static size_t count_held(const struct weir_testhost *host)
{
    size_t count = 0;
    for (size_t i = 0; i < host->partition_count; i++)
        count += host->partitions[i].held.count + host->partitions[i].parking.count;
    return count;
}

static void place(struct weir_testhost *host, struct message *message)
{
    const struct weir_partition *partition = message->partition;
    int64_t *next = &host->next_offsets[partition - host->partitions];
    if (message->record.offset > *next)
        *next = message->record.offset;
    message->record.offset = (*next)++;
    message->record.topic = partition->topic;
}

/* A record that was executed before is parked. */
static int park(struct weir_testhost *host, struct message *message)
{
    const struct weir_record *record = &message->record;
    struct weir_state state = {
        .origin = {weir_bytes_str(record->topic), record->partition, record->offset},
        .offset = host->next_output++,
        .attempt = record->executions,
        .timestamp_ms = record->timestamp_ms,
        .key = record->key,
        .value = record->value,
        .headers = record->headers,
        .header_count = record->header_count,
    };
    int rc = weir_parking_apply(&message->partition->parking, &state);
    if (rc == 0)
        release(host, message);
    return rc;
}

static int take_in(struct weir_testhost *host, struct message *message)
{
    place(host, message);
    if (message->record.executions > 0)
        return park(host, message);
    return weir_held_push_back(&message->partition->held, message);
}

int weir_testhost_feed(struct weir_testhost *host, const struct weir_record *record, struct weir_error *err)
{
    struct weir_partition *partition = find_partition(host, record->source, record->partition);
    if (partition == NULL)
        return weir_error_set(err, WEIR_E_NOT_FOUND,
            "there is no partition %" PRId32 " of source topic %" PRIu32, record->partition, record->source);
    if (count_held(host) >= RECORDS_MAX)
        return weir_error_set(err, WEIR_E_BUSY, "%d records are waiting", RECORDS_MAX);
    struct message *message = message_new(partition, record);
    if (message == NULL || take_in(host, message) < 0) {
        if (message != NULL)
            release(host, message);
        return weir_error_set(err, WEIR_E_INTERNAL, "memory is out");
    }
    return 0;
}

int weir_testhost_apply(struct weir_testhost *host, uint32_t table, const struct weir_record *records,
    size_t count, struct weir_error *err)
{
    if (table >= host->runtime.plugin->table_count)
        return weir_error_set(err, WEIR_E_NOT_FOUND, "the plugin has no table %" PRIu32, table);
    return host->runtime.plugin->table_apply(host->runtime.plugin_instance, table, records, count, err);
}

void weir_testhost_limit(struct weir_testhost *host, const char *topic, size_t bytes)
{
    struct weir_target *target = find_target(host, topic);
    if (target == NULL)
        abort();
    target->limit_bytes = bytes;
}

/* --- a batch --- */

static void collect(struct weir_testhost *host)
{
    uint64_t *tickets;
    size_t count = weir_wakes_take(&host->runtime.wakes, &tickets);
    struct weir_batch *batch = &host->runtime.batch;
    for (size_t i = 0; i < host->partition_count; i++) {
        struct weir_partition *partition = &host->partitions[i];
        partition->in_batch = false;
        partition->next = -1;
        weir_parking_wake(&partition->parking, tickets, count);
        weir_batch_add_parked(batch, partition, NOW_MS, SIZE_MAX);
        for (struct message *message;
             !weir_batch_full(batch) && (message = weir_held_pop_front(&partition->held)) != NULL;)
            weir_batch_add(batch, partition, message)->record = message->record;
    }
    free(tickets);
}

static void bury(struct weir_testhost *host)
{
    struct weir_batch *batch = &host->runtime.batch;
    const struct weir_plugin *plugin = host->runtime.plugin;
    for (size_t i = 0; i < batch->count && plugin->dead_letter != NULL; i++) {
        struct weir_slot *slot = &batch->slots[i];
        if (slot->finished && slot->state == WEIR_SLOT_DEAD)
            plugin->dead_letter(
                host->runtime.plugin_instance, batch, &slot->record, slot->why.disposition, &slot->why);
    }
    batch->plugin_count = batch->emitted_count;
}

int weir_testhost_handle(struct weir_testhost *host, struct weir_error *err)
{
    struct weir_batch *batch = &host->runtime.batch;
    if (host->handled)
        abort();
    collect(host);
    weir_batch_begin(batch);
    host->handled = true;
    int rc = host->runtime.plugin->handle(host->runtime.plugin_instance, batch, err);
    if (rc < 0) {
        weir_batch_settle_none(batch);
        return rc;
    }
    weir_batch_settle(batch);
    rc = weir_retry_check(batch);
    bury(host);
    if (rc == 0)
        rc = weir_retry_write(batch, NOW_MS);
    return rc < 0 ? weir_error_set(err, rc, "memory is out") : 0;
}

void weir_testhost_tick(struct weir_testhost *host)
{
    struct weir_batch *batch = &host->runtime.batch;
    if (host->handled)
        abort();
    for (size_t i = 0; i < host->partition_count; i++)
        host->partitions[i].in_batch = false;
    weir_batch_begin_tick(batch);
    host->handled = true;
    if (host->runtime.plugin->tick != NULL)
        host->runtime.plugin->tick(host->runtime.plugin_instance, batch);
    weir_batch_end_tick(batch);
}

static size_t move_positions(struct weir_testhost *host, struct weir_position *positions)
{
    size_t count = 0;
    for (size_t i = 0; i < host->partition_count; i++) {
        struct weir_partition *partition = &host->partitions[i];
        if (!partition->in_batch || !partition->moves)
            continue;
        if (partition->next >= 0)
            partition->position = partition->next;
        positions[count++] =
            (struct weir_position){partition->source, partition->partition, partition->position};
    }
    return count;
}

int weir_testhost_commit(struct weir_testhost *host, struct weir_error *err)
{
    struct weir_batch *batch = &host->runtime.batch;
    struct weir_position *positions = calloc(host->partition_count + 1, sizeof(*positions));
    if (!host->handled || positions == NULL)
        abort();
    for (size_t i = 0; i < batch->emitted_count; i++)
        batch->outputs[i].offset = host->next_output++;
    struct weir_result result = {.outputs = batch->outputs,
        .output_count = batch->plugin_count,
        .positions = positions,
        .position_count = move_positions(host, positions)};
    int rc = host->runtime.plugin->committed != NULL
                 ? host->runtime.plugin->committed(host->runtime.plugin_instance, batch, &result, err)
                 : 0;
    if (rc == 0 && weir_retry_apply(batch) < 0)
        rc = weir_error_set(err, WEIR_E_INTERNAL, "memory is out");
    weir_batch_end(batch, true);
    free(positions);
    host->handled = false;
    return rc;
}

void weir_testhost_abort(struct weir_testhost *host)
{
    if (!host->handled)
        abort();
    if (host->runtime.plugin->aborted != NULL)
        host->runtime.plugin->aborted(host->runtime.plugin_instance, &host->runtime.batch);
    weir_batch_end(&host->runtime.batch, false);
    host->handled = false;
}

/* --- what became of it --- */

static const struct weir_slot *slot_at(const struct weir_testhost *host, size_t i)
{
    if (i >= host->runtime.batch.count)
        abort();
    return &host->runtime.batch.slots[i];
}

size_t weir_testhost_record_count(const struct weir_testhost *host)
{
    return host->runtime.batch.count;
}

const struct weir_record *weir_testhost_record(const struct weir_testhost *host, size_t i)
{
    return &slot_at(host, i)->record;
}

int weir_testhost_verdict(const struct weir_testhost *host, size_t i)
{
    static const int verdicts[] = {
        [WEIR_SLOT_PENDING] = WEIR_TESTHOST_NOT_HANDED,
        [WEIR_SLOT_HANDED] = WEIR_TESTHOST_NO_VERDICT,
        [WEIR_SLOT_DONE] = WEIR_DONE,
        [WEIR_SLOT_DEAD] = WEIR_REJECT,
        [WEIR_SLOT_RETRY] = WEIR_RETRY,
        [WEIR_SLOT_WAIT] = WEIR_WAIT,
        [WEIR_SLOT_FOLLOWER] = WEIR_TESTHOST_NOT_HANDED,
    };
    return slot_at(host, i)->deferred ? WEIR_TESTHOST_DEFERRED : verdicts[slot_at(host, i)->state];
}

const struct weir_reason *weir_testhost_reason(const struct weir_testhost *host, size_t i)
{
    return &slot_at(host, i)->why;
}

size_t weir_testhost_output_count(const struct weir_testhost *host)
{
    return host->runtime.batch.plugin_count;
}

struct weir_testhost_output weir_testhost_output(const struct weir_testhost *host, size_t i)
{
    if (i >= host->runtime.batch.plugin_count)
        abort();
    const struct weir_emitted *emitted = &host->runtime.batch.emitted[i];
    return (struct weir_testhost_output){.cause = emitted->cause->record.index,
        .topic = emitted->target->name,
        .partition = weir_emitted_partition(emitted),
        .key = emitted->key,
        .value = emitted->value,
        .headers = emitted->headers,
        .header_count = emitted->header_count};
}

bool weir_testhost_health(const struct weir_testhost *host, char *detail, size_t size)
{
    WEIR_CLEANUP(buffer) struct weir_buffer members = {0};
    const struct weir_plugin *plugin = host->runtime.plugin;
    bool healthy = plugin->health == NULL || plugin->health(host->runtime.plugin_instance, &members);
    snprintf(detail, size, "{%s}", members.data != NULL ? members.data : "");
    return healthy;
}

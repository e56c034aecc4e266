#include "store/fake_host.h"

#include "common/clock.h"
#include "common/envelope.h"
#include "common/topic.h"
#include "consumers/plugins/store/db_handle.h"
#include "consumers/plugins/store/store.h"
#include "support/test.h"

#include <ftw.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { BATCH_MAX = 20000, EMITTED_MAX = 40000, LOG_MAX = 40000, CHUNK = 3 };

#ifdef __SANITIZE_THREAD__
/* Debian's RocksDB is not built for the thread sanitizer, which then takes its atomics for races. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "race:librocksdb.so\ncalled_from_lib:librocksdb.so\n";
}
#endif

/* The plugin's host table has no context in most calls, as the real one; so there is one fake at a time. */
static struct fake *the;

struct weir_http_service {
    weir_http_answer *answer;
    void *context;
};
struct weir_http_request {
    const char *method, *path, *query, *peer;
};
static struct weir_http_service service;

static void *keep(struct fake *fake, void *block)
{
    assert_non_null(block);
    /* Doubled when it is full, since the address sanitizer's realloc copies. */
    if ((fake->block_count & (fake->block_count - 1)) == 0) {
        fake->blocks = realloc(fake->blocks, (fake->block_count * 2 + 1) * sizeof(void *));
        assert_non_null(fake->blocks);
    }
    return fake->blocks[fake->block_count++] = block;
}

static struct weir_bytes keep_bytes(struct fake *fake, struct weir_bytes bytes)
{
    return bytes.data == NULL ? bytes : weir_bytes(keep(fake, weir_bytes_dup(bytes)), bytes.len);
}

/* --- the host table --- */

static bool is_stopped(const struct fake_entry *entry)
{
    for (const struct fake_entry *before = the->batch; before < entry; before++)
        if (before->judged && before->verdict == WEIR_WAIT && before->record.source == entry->record.source &&
            before->record.partition == entry->record.partition)
            return true;
    return false;
}

static const struct weir_record *host_next(struct weir_batch *batch)
{
    (void)batch;
    while (the->batch_next < the->batch_count) {
        struct fake_entry *entry = &the->batch[the->batch_next++];
        if (!is_stopped(entry))
            return &entry->record;
    }
    return NULL;
}

static void host_done(struct weir_batch *batch, const struct weir_record *record)
{
    (void)batch;
    the->batch[record->index].judged = true;
    the->batch[record->index].verdict = WEIR_DONE;
}

static void host_fail(struct weir_batch *batch, const struct weir_record *record, enum weir_verdict verdict,
    const struct weir_reason *why)
{
    struct fake_entry *entry = &the->batch[record->index];
    size_t kept = 0;

    (void)batch;
    entry->judged = true;
    entry->verdict = verdict;
    snprintf(entry->disposition, sizeof(entry->disposition), "%s",
        why->disposition != NULL ? why->disposition : "");
    snprintf(entry->text, sizeof(entry->text), "%s", why->text);
    for (size_t i = 0; i < the->emitted_count; i++)
        if (the->emitted[i].cause != record->index)
            the->emitted[kept++] = the->emitted[i];
    the->emitted_count = kept;
}

static int queue(uint32_t source, int32_t partition, uint32_t cause, const char *topic, struct weir_bytes key,
    struct weir_bytes value, const struct weir_header *headers, size_t header_count, struct weir_error *err)
{
    if (value.len > the->event_bytes_max)
        return weir_error_set(
            err, WEIR_E_TOO_LARGE, "%zu bytes, %zu are allowed", value.len, the->event_bytes_max);
    assert_true(the->emitted_count < EMITTED_MAX && header_count <= FAKE_HEADERS);
    struct weir_header *copies = keep(the, calloc(FAKE_HEADERS, sizeof(*copies)));
    for (size_t i = 0; i < header_count; i++)
        copies[i] = (struct weir_header){headers[i].name, keep_bytes(the, headers[i].value)};
    the->emitted[the->emitted_count++] = (struct fake_emitted){
        .record = {.topic = keep(the, strdup(topic)),
            .source = source,
            .partition = partition,
            .key = keep_bytes(the, key),
            .value = keep_bytes(the, value),
            .headers = copies,
            .header_count = header_count},
        .cause = cause,
    };
    return 0;
}

static int host_emit(struct weir_batch *batch, const struct weir_record *cause, const char *topic,
    struct weir_bytes key, struct weir_bytes value, const struct weir_header *headers, size_t header_count,
    struct weir_error *err)
{
    (void)batch;
    return queue(
        cause->source, cause->partition, cause->index, topic, key, value, headers, header_count, err);
}

static int host_emit_at(struct weir_batch *batch, uint32_t source, int32_t partition, const char *topic,
    struct weir_bytes key, struct weir_bytes value, const struct weir_header *headers, size_t header_count,
    struct weir_error *err)
{
    (void)batch;
    return queue(source, partition, WEIR_NO_RECORD, topic, key, value, headers, header_count, err);
}

static void host_log(
    enum weir_log_severity severity, const char *event, const char *format, va_list arguments)
{
    size_t len = strlen(the->log_text);

    (void)severity;
    len += (size_t)snprintf(the->log_text + len, sizeof(the->log_text) - len, "%s ", event);
    if (len < sizeof(the->log_text))
        vsnprintf(the->log_text + len, sizeof(the->log_text) - len, format, arguments);
    if (strlen(the->log_text) > sizeof(the->log_text) - 700)
        the->log_text[0] = '\0';
}

static int64_t host_now_ms(void)
{
    return the->now_ms;
}

static bool host_stopping(void)
{
    return false;
}

static bool host_wait_ms(int64_t duration_ms)
{
    (void)duration_ms;
    return !the->ending;
}

static struct weir_metric *host_metric(const char *name, const char *labels, const char *help)
{
    (void)name;
    (void)labels;
    (void)help;
    return NULL;
}

static void host_metric_set(struct weir_metric *metric, int64_t n)
{
    (void)metric;
    (void)n;
}

static int host_http_listen(const char *address, weir_http_answer *answer, void *context,
    struct weir_http_service **ret_service, struct weir_error *err)
{
    (void)address;
    (void)err;
    service = (struct weir_http_service){answer, context};
    *ret_service = &service;
    return 0;
}

static const char *host_http_address(const struct weir_http_service *http)
{
    (void)http;
    return the->settings.listen;
}

static void host_http_close(struct weir_http_service *http)
{
    http->answer = NULL;
}

static void host_advertise(void *context, const char *url)
{
    (void)context;
    (void)url;
}

static const char *host_request_method(const struct weir_http_request *request)
{
    return request->method;
}

static const char *host_request_path(const struct weir_http_request *request)
{
    return request->path;
}

/* A value of "a=1&b=2", which must not be escaped; good until four calls later on this thread. */
static const char *host_request_query(const struct weir_http_request *request, const char *name)
{
    static _Thread_local char values[4][1200];
    static _Thread_local unsigned calls;
    char *value = values[calls++ % 4];
    size_t len = strlen(name);

    for (const char *at = request->query; *at != '\0'; at += strcspn(at, "&"), at += *at == '&') {
        if (strncmp(at, name, len) != 0 || at[len] != '=')
            continue;
        snprintf(value, sizeof(values[0]), "%.*s", (int)strcspn(at + len + 1, "&"), at + len + 1);
        return value;
    }
    return NULL;
}

static void host_reply_later(struct weir_http_reply *reply)
{
    reply->later = true;
}

static int64_t host_request_waited_ms(const struct weir_http_request *request)
{
    (void)request;
    return the->waited_ms;
}

static void host_http_wake(struct weir_http_service *http)
{
    (void)http;
    the->wakes++;
}

static const char *host_request_header(const struct weir_http_request *request, const char *name)
{
    return strcmp(name, "Weir-Peer") == 0 ? request->peer : NULL;
}

static void host_reply_body(
    struct weir_http_reply *reply, unsigned status, const char *content_type, struct weir_bytes body)
{
    (void)content_type;
    reply->status = status;
    snprintf(reply->body, sizeof(reply->body), "%.*s", (int)body.len, body.data);
}

static void host_reply_header(struct weir_http_reply *reply, const char *name, const char *value)
{
    snprintf(reply->names[reply->header_count], sizeof(reply->names[0]), "%s", name);
    snprintf(reply->values[reply->header_count++], sizeof(reply->values[0]), "%s", value);
}

static void host_reply_problem(struct weir_http_reply *reply, unsigned status, const char *detail)
{
    host_reply_body(reply, status, "application/problem+json", weir_bytes_str(detail));
}

static const char *host_cluster_id(void *context)
{
    (void)context;
    return the->cluster;
}

static int host_topic_id(void *context, const char *topic, char *id, struct weir_error *err)
{
    (void)context, (void)err;
    snprintf(id, WEIR_TOPIC_ID_BYTES, "%s", strcmp(topic, "orders.changes") == 0 ? the->topic_id : "");
    return 0;
}

static const char *const source_topics[] = {"orders", "products", NULL};

static const struct weir_host host_table = {
    .abi = WEIR_PLUGIN_ABI,
    .struct_size = sizeof(struct weir_host),
    .service = "store",
    .instance = "test",
    .topics = source_topics,
    .next = host_next,
    .done = host_done,
    .fail = host_fail,
    .emit = host_emit,
    .emit_at = host_emit_at,
    .log = host_log,
    .now_ms = host_now_ms,
    .stopping = host_stopping,
    .wait_ms = host_wait_ms,
    .counter = host_metric,
    .gauge = host_metric,
    .histogram = host_metric,
    .metric_add = host_metric_set,
    .metric_set = host_metric_set,
    .metric_observe_us = host_metric_set,
    .http_listen = host_http_listen,
    .http_address = host_http_address,
    .http_close = host_http_close,
    .advertise = host_advertise,
    .request_method = host_request_method,
    .request_path = host_request_path,
    .request_query = host_request_query,
    .request_header = host_request_header,
    .reply_body = host_reply_body,
    .reply_header = host_reply_header,
    .reply_problem = host_reply_problem,
    .cluster_id = host_cluster_id,
    .reply_later = host_reply_later,
    .request_waited_ms = host_request_waited_ms,
    .http_wake = host_http_wake,
    .topic_id = host_topic_id,
};

/* --- life --- */

static int remove_entry(const char *path, const struct stat *entry, int type, struct FTW *place)
{
    (void)entry;
    (void)type;
    (void)place;
    return remove(path);
}

static void make_folder(struct fake *fake)
{
    const char *parent = getenv("TMPDIR");
    size_t len = parent != NULL ? strlen(parent) : 0;

    assert_true(len < 30);
    snprintf(fake->folder, sizeof(fake->folder), "%s/weir-store-test-XXXXXX", len > 0 ? parent : "/tmp");
    assert_non_null(mkdtemp(fake->folder));
}

struct fake *fake_new(void)
{
    struct fake *fake = calloc(1, sizeof(*fake));

    assert_non_null(fake);
    the = fake;
    make_folder(fake);
    fake->collections[0] = (struct weir_collection){.name = "orders",
        .key_field = "orderID",
        .partitions = 6,
        .changes_view = WEIR_VIEW_NEW_IMAGE,
        .command_topic = "orders",
        .changes_topic = "orders.changes",
        .store_service = "store"};
    fake->collections[1] = (struct weir_collection){.name = "products",
        .key_field = "sku",
        .partitions = 2,
        .changes_view = WEIR_VIEW_NEW_AND_OLD_IMAGES,
        .command_topic = "products",
        .changes_topic = "products.changes",
        .store_service = "store"};
    fake->service = (struct weir_service){.name = "store", .source_topics = (char **)source_topics};
    fake->deployment = (struct weir_deployment){.kafka = {.window_ms = 604800000},
        .collections = fake->collections,
        .collection_count = 2,
        .services = &fake->service,
        .service_count = 1};
    fake->settings =
        (struct weir_store_settings){keep(fake, malloc(128)), 16 << 20, "127.0.0.1:8090", NULL, 0, NULL};
    snprintf(fake->settings.path, 128, "%s/db", fake->folder);
    fake->cluster = "cluster-a";
    fake->topic_id = "id-a";
    fake->now_ms = 1795243240123;
    fake->event_bytes_max = 1 << 20;
    fake->batch = keep(fake, calloc(BATCH_MAX, sizeof(*fake->batch)));
    fake->emitted = keep(fake, calloc(EMITTED_MAX, sizeof(*fake->emitted)));
    return fake;
}

void fake_free(struct fake *fake)
{
    fake_close(fake);
    nftw(fake->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    for (size_t i = 0; i < fake->log_count; i++)
        free(fake->logs[i].records);
    for (size_t i = 0; i < fake->block_count; i++)
        free(fake->blocks[i]);
    free(fake->blocks);
    free(fake);
}

int fake_open(struct fake *fake, struct weir_error *err)
{
    the = fake;
    fake->host = host_table;
    fake->host.deployment = &fake->deployment;
    int r = weir_store_open(&fake->host, &fake->settings, &fake->instance, err);
    fake->opened = r == 0;
    return r;
}

void fake_close(struct fake *fake)
{
    if (fake->opened)
        weir_store_close(fake->instance);
    fake->opened = false;
}

static void must(int r, const struct weir_error *err)
{
    if (r < 0)
        fail_msg("%d: %s", r, err->text);
}

void fake_start(struct fake *fake)
{
    struct weir_error err = {0};

    must(fake_open(fake, &err), &err);
    for (uint32_t source = 0; source < 2; source++)
        for (int32_t p = 0; p < fake->collections[source].partitions; p++)
            must(fake_take(fake, (enum fake_source)source, p, &err), &err);
}

static void copy_file(const char *from, const char *to)
{
    char data[1 << 16];
    size_t len;
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");

    assert_non_null(in);
    assert_non_null(out);
    while ((len = fread(data, 1, sizeof(data), in)) > 0)
        assert_int_equal(fwrite(data, 1, len, out), len);
    fclose(in);
    fclose(out);
}

static char copy_to[128];

static int copy_entry(const char *path, const struct stat *entry, int type, struct FTW *place)
{
    char to[512];

    (void)entry;
    if (type == FTW_F) {
        snprintf(to, sizeof(to), "%s/%s", copy_to, path + place->base);
        copy_file(path, to);
    }
    return 0;
}

void fake_crash(struct fake *fake)
{
    struct weir_store *store = fake->instance;

    /* No file may come or go while they are copied. */
    rocksdb_cancel_all_background_work(store->db->rocks, 1);
    snprintf(copy_to, sizeof(copy_to), "%s/copy%zu", fake->folder, fake->block_count);
    assert_int_equal(mkdir(copy_to, 0700), 0);
    assert_int_equal(nftw(fake->settings.path, copy_entry, 16, FTW_PHYS), 0);
    fake_close(fake);
    snprintf(fake->settings.path, 128, "%s", copy_to);
    keep(fake, malloc(1)); /* so that the next copy has another name */
    fake->batch_count = fake->emitted_count = 0;
    fake_start(fake);
}

/* --- topics --- */

struct fake_log *fake_log(struct fake *fake, const char *topic, int32_t partition)
{
    for (size_t i = 0; i < fake->log_count; i++)
        if (strcmp(fake->logs[i].topic, topic) == 0 && fake->logs[i].partition == partition)
            return &fake->logs[i];
    assert_true(fake->log_count < sizeof(fake->logs) / sizeof(fake->logs[0]));
    struct fake_log *made = &fake->logs[fake->log_count++];
    *made = (struct fake_log){.topic = keep(fake, strdup(topic)),
        .partition = partition,
        .records = calloc(LOG_MAX, sizeof(*made->records))};
    assert_non_null(made->records);
    return made;
}

void fake_forget_topics(struct fake *fake)
{
    for (size_t i = 0; i < fake->log_count; i++)
        fake->logs[i].count = (size_t)(fake->logs[i].next_offset = 0);
}

static const char *table_topic(const struct fake *fake, enum fake_source source, uint32_t table)
{
    static const char *const outcomes[] = {"orders.store.outcomes", "products.store.outcomes"};
    return table == WEIR_STORE_CHANGES ? fake->collections[source].changes_topic : outcomes[source];
}

static int read_table(
    struct fake *fake, uint32_t table, enum fake_source source, int32_t partition, struct weir_error *err)
{
    struct fake_log *log = fake_log(fake, table_topic(fake, source, table), partition);
    int64_t position = -1;

    int r = weir_store_table_position(fake->instance, table, source, partition, &position, err);
    size_t from = 0;
    while (from < log->count && log->records[from].offset < position)
        from++;
    for (; r == 0 && from < log->count; from += CHUNK) {
        size_t count = log->count - from < CHUNK ? log->count - from : CHUNK;
        r = weir_store_table_apply(fake->instance, table, log->records + from, count, err);
    }
    if (r == 0)
        r = weir_store_table_caught_up(fake->instance, table, source, partition, log->next_offset, err);
    return r;
}

int fake_take(struct fake *fake, enum fake_source source, int32_t partition, struct weir_error *err)
{
    int r = weir_store_assigned(fake->instance, source, partition, err);

    for (uint32_t table = 0; r == 0 && table < WEIR_STORE_TABLE_COUNT; table++)
        r = read_table(fake, table, source, partition, err);
    return r;
}

const struct weir_record *fake_last(struct fake *fake, const char *topic, const char *key)
{
    const struct weir_record *last = NULL;

    for (size_t i = 0; i < fake->log_count; i++)
        for (size_t k = 0; strcmp(fake->logs[i].topic, topic) == 0 && k < fake->logs[i].count; k++)
            if (weir_bytes_is(fake->logs[i].records[k].key, key))
                last = &fake->logs[i].records[k];
    return last;
}

size_t fake_count(struct fake *fake, const char *topic)
{
    size_t count = 0;

    for (size_t i = 0; i < fake->log_count; i++)
        if (strcmp(fake->logs[i].topic, topic) == 0)
            count += fake->logs[i].count;
    return count;
}

/* --- batches --- */

static void add_header(struct fake *fake, struct fake_entry *entry, const char *name, const char *value)
{
    assert_true(entry->record.header_count < FAKE_HEADERS);
    entry->headers[entry->record.header_count++] =
        (struct weir_header){keep(fake, strdup(name)), keep_bytes(fake, weir_bytes_str(value))};
}

struct fake_entry *fake_put(struct fake *fake, enum fake_source source, const char *type, const char *request,
    const char *key, const char *value, ...)
{
    char ce_type[64];
    va_list more;

    assert_true(fake->batch_count < BATCH_MAX);
    struct fake_entry *entry = &fake->batch[fake->batch_count];
    struct weir_bytes key_bytes = weir_bytes_str(key);
    int32_t partition = key_bytes.len > 0
                            ? weir_topic_partition(key_bytes, (int32_t)fake->collections[source].partitions)
                            : 0;
    memset(entry, 0, sizeof(*entry));
    entry->record = (struct weir_record){.topic = source_topics[source],
        .source = source,
        .partition = partition,
        .offset = fake->command_offsets[source][partition]++,
        .timestamp_ms = fake->now_ms,
        .key = keep_bytes(fake, key_bytes),
        .value = keep_bytes(fake, weir_bytes_str(value)),
        .headers = entry->headers,
        .index = (uint32_t)fake->batch_count++};
    snprintf(
        ce_type, sizeof(ce_type), "weir.%s.%s", fake->collections[source].name, type != NULL ? type : "");
    if (type != NULL)
        add_header(fake, entry, WEIR_HEADER_TYPE, ce_type);
    if (request != NULL)
        add_header(fake, entry, WEIR_HEADER_ID, request);
    va_start(more, value);
    for (const char *name; (name = va_arg(more, const char *)) != NULL;)
        add_header(fake, entry, name, va_arg(more, const char *));
    va_end(more);
    return entry;
}

int fake_handle(struct fake *fake, struct weir_error *err)
{
    fake->batch_next = 0;
    fake->emitted_count = 0;
    for (size_t i = 0; i < fake->batch_count; i++)
        fake->batch[i].judged = false;
    int r = weir_store_handle(fake->instance, NULL, err);
    for (size_t i = 0; r == 0 && i < fake->batch_count; i++) {
        const struct fake_entry *entry = &fake->batch[i];
        if (entry->judged && entry->verdict == WEIR_REJECT)
            weir_store_dead_letter(fake->instance, NULL, &entry->record, entry->disposition,
                &(struct weir_reason){.disposition = entry->disposition, .text = entry->text});
    }
    return r;
}

/* Puts what was emitted into the topics; a transaction's marker takes one more offset of each partition. */
static struct weir_output *append_outputs(struct fake *fake)
{
    struct weir_output *outputs = keep(fake, calloc(fake->emitted_count + 1, sizeof(*outputs)));
    bool touched[sizeof(fake->logs) / sizeof(fake->logs[0])] = {false};

    for (size_t i = 0; i < fake->emitted_count; i++) {
        struct weir_record *record = &fake->emitted[i].record;
        struct fake_log *log = fake_log(fake, record->topic, record->partition);
        assert_true(log->count < LOG_MAX);
        touched[log - fake->logs] = true;
        record->offset = log->next_offset++;
        record->timestamp_ms = fake->now_ms;
        log->records[log->count++] = *record;
        outputs[i] =
            (struct weir_output){fake->emitted[i].cause, record->topic, record->partition, record->offset};
    }
    for (size_t i = 0; i < fake->log_count; i++)
        fake->logs[i].next_offset += touched[i] ? 1 : 0;
    return outputs;
}

/* Behind the last record of each partition that has a verdict which ends it. */
static struct weir_position *positions_of(struct fake *fake, size_t *ret_count)
{
    struct weir_position *positions = keep(fake, calloc(fake->batch_count + 1, sizeof(*positions)));

    *ret_count = 0;
    for (size_t i = 0; i < fake->batch_count; i++) {
        const struct fake_entry *entry = &fake->batch[i];
        if (entry->judged && (entry->verdict == WEIR_DONE || entry->verdict == WEIR_REJECT))
            positions[(*ret_count)++] = (struct weir_position){
                entry->record.source, entry->record.partition, entry->record.offset + 1};
    }
    return positions;
}

int fake_commit(struct fake *fake, struct weir_error *err)
{
    struct weir_result result = {.outputs = append_outputs(fake), .output_count = fake->emitted_count};

    result.positions = positions_of(fake, &result.position_count);
    int r = weir_store_committed(fake->instance, NULL, &result, err);
    fake->batch_count = fake->emitted_count = 0;
    return r;
}

void fake_commit_untold(struct fake *fake)
{
    append_outputs(fake);
    fake->batch_count = fake->emitted_count = 0;
}

void fake_abort(struct fake *fake)
{
    weir_store_aborted(fake->instance, NULL);
    fake->emitted_count = 0;
}

size_t fake_tick(struct fake *fake)
{
    fake->emitted_count = 0;
    weir_store_tick(fake->instance, NULL);
    return fake->emitted_count;
}

void fake_run(struct fake *fake)
{
    struct weir_error err = {0};

    must(fake_handle(fake, &err), &err);
    must(fake_commit(fake, &err), &err);
}

/* --- reads --- */

struct weir_http_reply fake_get(struct fake *fake, const char *method, const char *path, const char *peer)
{
    struct weir_http_reply reply = {.status = 0};
    char whole[2000];

    (void)fake;
    snprintf(whole, sizeof(whole), "%s", path);
    char *query = strchrnul(whole, '?');
    bool asked = *query == '?';
    *query = '\0';
    struct weir_http_request request = {method, whole, asked ? query + 1 : "", peer};
    assert_non_null(service.answer);
    service.answer(service.context, &request, &reply);
    return reply;
}

const char *fake_reply_header(const struct weir_http_reply *reply, const char *name)
{
    for (size_t i = 0; i < reply->header_count; i++)
        if (strcmp(reply->names[i], name) == 0)
            return reply->values[i];
    return NULL;
}

static bool dump_entry(void *context, struct weir_bytes key, struct weir_bytes value)
{
    struct weir_buffer *out = context;

    for (size_t i = 0; i < key.len; i++)
        weir_buffer_printf(out, "%02x", (unsigned char)key.data[i]);
    weir_buffer_append_str(out, " = ");
    for (size_t i = 0; i < value.len; i++)
        weir_buffer_printf(out, "%02x", (unsigned char)value.data[i]);
    weir_buffer_append_str(out, "\n");
    return true;
}

static void dump_documents(struct fake *fake, struct weir_buffer *out)
{
    struct weir_store *store = fake->instance;
    struct weir_error err = {0};

    must(weir_db_each(store->db, weir_bytes_str("d"), dump_entry, out, &err), &err);
}

static void dump_endings(struct fake *fake, struct weir_buffer *out)
{
    struct weir_store *store = fake->instance;
    struct weir_error err = {0};

    for (int64_t hour = 0; weir_db_hours_next(store->db, hour, &hour); hour++) {
        weir_buffer_printf(out, "hour %" PRId64 "\n", hour);
        must(weir_db_hour_each(store->db, hour, weir_bytes("", 0), dump_entry, out, &err), &err);
    }
}

char *fake_dump_documents(struct fake *fake)
{
    struct weir_buffer out = {0};

    dump_documents(fake, &out);
    return out.data != NULL ? out.data : strdup("");
}

char *fake_dump(struct fake *fake)
{
    struct weir_buffer out = {0};

    dump_documents(fake, &out);
    dump_endings(fake, &out);
    return out.data != NULL ? out.data : strdup("");
}

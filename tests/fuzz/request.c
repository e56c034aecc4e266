/* The bytes of one request, through everything that the gateway does with it but libmicrohttpd, Kafka and the
 * stores, which are played here: nothing may crash; each request is answered once, by well-formed JSON and
 * fields of one line; and what is sent to Kafka or asked of a store has to be what it may be. */
#include "gateway/request.h"
#include "common/json.h"
#include "common/token.h"
#include "gateway/command.h"
#include "gateway/pending.h"
#include "gateway/read_job.h"
#include "gateway/worker.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FIELDS_MAX = 64, ANSWER_HEADERS_MAX = 32 };

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* One request as libmicrohttpd 0.9 lays it out: the text where it came in, cut into strings in place. */
struct MHD_Connection {
    char *text;
    char *method, *target, *version, *body;
    size_t body_len;
    struct {
        char *name, *value;
    } fields[FIELDS_MAX];
    size_t field_count;
    bool suspended, resumed, answered;
    void *unreported; /* a record whose report comes after the answer */
    unsigned variant; /* how Kafka and the store behave */
};

struct MHD_Response {
    struct weir_buffer body;
    bool json, has_id;
};

/* ---- libmicrohttpd ---- */

int MHD_get_connection_values_n(
    struct MHD_Connection *connection, enum MHD_ValueKind kind, MHD_KeyValueIteratorN iterator, void *context)
{
    for (size_t i = 0; i < connection->field_count; i++) {
        const char *name = connection->fields[i].name, *value = connection->fields[i].value;
        if (iterator(context, kind, name, strlen(name), value, strlen(value)) == MHD_NO)
            break;
    }
    return (int)connection->field_count;
}

enum MHD_Result MHD_lookup_connection_value_n(struct MHD_Connection *connection, enum MHD_ValueKind kind,
    const char *name, size_t name_len, const char **ret_value, size_t *ret_len)
{
    (void)kind;
    for (size_t i = 0; i < connection->field_count; i++) {
        if (strlen(connection->fields[i].name) != name_len ||
            strncasecmp(connection->fields[i].name, name, name_len) != 0)
            continue;
        *ret_value = connection->fields[i].value;
        *ret_len = strlen(*ret_value);
        return MHD_YES;
    }
    return MHD_NO;
}

const char *MHD_lookup_connection_value(
    struct MHD_Connection *connection, enum MHD_ValueKind kind, const char *name)
{
    const char *value = NULL;
    size_t len;
    MHD_lookup_connection_value_n(connection, kind, name, strlen(name), &value, &len);
    return value;
}

const union MHD_ConnectionInfo *MHD_get_connection_info(
    struct MHD_Connection *connection, enum MHD_ConnectionInfoType type, ...)
{
    static union MHD_ConnectionInfo info;
    if (type != MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)
        return NULL;
    info.header_size = (size_t)(connection->body - connection->method);
    return &info;
}

const char *MHD_get_version(void)
{
    return "0.9.75";
}

void weir_worker_suspend(struct weir_request *request)
{
    struct MHD_Connection *connection = request->connection;
    check(!connection->suspended && !connection->answered);
    connection->suspended = true;
}

void weir_worker_resume(struct weir_request *request)
{
    struct MHD_Connection *connection = request->connection;
    check(connection->suspended && !connection->resumed);
    connection->resumed = true;
}

void weir_worker_defer(struct weir_request *request, void act(struct weir_request *request))
{
    act(request);
}

struct MHD_Response *MHD_create_response_from_buffer(
    size_t size, void *data, enum MHD_ResponseMemoryMode mode)
{
    struct MHD_Response *response = calloc(1, sizeof(*response));
    check(response != NULL);
    weir_buffer_append(&response->body, data, size);
    if (mode == MHD_RESPMEM_MUST_FREE)
        free(data);
    return response;
}

enum MHD_Result MHD_add_response_header(struct MHD_Response *response, const char *name, const char *value)
{
    check(name[0] != '\0' && name[strcspn(name, " :\r\n")] == '\0' && value[strcspn(value, "\r\n")] == '\0');
    if (strcmp(name, "Content-Type") == 0)
        response->json = strstr(value, "json") != NULL;
    response->has_id |= strcmp(name, "X-Request-Id") == 0;
    return MHD_YES;
}

enum MHD_Result MHD_queue_response(
    struct MHD_Connection *connection, unsigned status, struct MHD_Response *response)
{
    WEIR_CLEANUP(json) json_t *value = NULL;
    check(!connection->answered && status >= 200 && status < 600 && response->has_id);
    check(!response->json || weir_json_parse(weir_buffer_bytes(&response->body), &value, NULL) == 0);
    connection->answered = true;
    return MHD_YES;
}

void MHD_destroy_response(struct MHD_Response *response)
{
    weir_buffer_done(&response->body);
    free(response);
}

/* ---- Kafka ---- */

static bool is_line(struct weir_bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f)
            return false;
    return true;
}

static void check_record(const struct weir_request *request, const struct weir_produce_record *record)
{
    check(weir_key_check(record->key, NULL) == 0);
    check(record->partition >= 0 && record->partition < record->collection->config->partitions);
    check(record->header_count <= WEIR_PRODUCE_HEADERS_MAX);
    for (size_t i = 0; i < record->header_count; i++)
        check(is_line(record->headers[i].value) && weir_utf8_valid(record->headers[i].value));
    check(record->value.len <= (size_t)request->gateway->settings.body_max_bytes + 256);
}

int weir_produce_send(
    struct weir_produce *produce, const struct weir_produce_record *record, struct weir_error *err)
{
    static const struct weir_delivery deliveries[] = {{WEIR_DELIVERY_WRITTEN, 0, 5, NULL},
        {WEIR_DELIVERY_WRITTEN, 0, -1, NULL}, {WEIR_DELIVERY_NOT_WRITTEN, 0, -1, "no"},
        {WEIR_DELIVERY_UNKNOWN, 0, -1, "lost"}};
    struct weir_request *request = record->opaque;
    (void)produce;
    check_record(request, record);
    if (request->connection->variant % 8 == 7)
        return weir_error_set(err, WEIR_E_BUSY, "full");
    if (request->connection->variant % 8 == 6) {
        request->connection->unreported = request;
        return 0;
    }
    struct weir_delivery delivery = deliveries[request->connection->variant % 4];
    delivery.partition = record->partition;
    weir_command_reported(request, &delivery);
    return 0;
}

/* ---- the stores ---- */

static const struct {
    long status;
    const char *body, *etag;
} store_answers[] = {
    {200, "{\"request\":\"r\",\"outcome\":\"stored\",\"op\":\"c\",\"key\":\"o-1\",\"version\":1}", "\"e-1\""},
    {404, "", ""},
    {503, "", ""},
    {200, "{\"request\":\"r\",\"outcome\":\"rejected\",\"error\":\"minimum\"}", "\"e-2\""},
    {200, "[]", ""},
};

static unsigned variant_of(const struct weir_read_job *job)
{
    return job->request->connection->variant % (sizeof(store_answers) / sizeof(store_answers[0]));
}

void weir_read_copy_header(const struct weir_read_job *job, const char *name, char *out, size_t size)
{
    if (strcmp(name, "ETag") == 0)
        snprintf(out, size, "%s", store_answers[variant_of(job)].etag);
    else if (strcmp(name, "Weir-Version") == 0)
        snprintf(out, size, "%d", store_answers[variant_of(job)].status == 200);
    else if (strcmp(name, "Weir-Mark") == 0)
        snprintf(out, size, "m-1");
}

/* Nobody is kept waiting here: memory is out for it. */
struct weir_read_job *weir_read_add(
    struct weir_read_job *job, const struct weir_read_kind *kind, int64_t give_up_ms, int64_t deadline_ms)
{
    check(job->kind != kind && give_up_ms <= deadline_ms);
    return NULL;
}

void weir_read_drop_twin(struct weir_read_job *job)
{
    check(job->twin == NULL);
}

void weir_read_end_problem(struct weir_read_job *job, unsigned status, const char *detail)
{
    if (!weir_pending_take(job->request->gateway->pending, job->request))
        return;
    weir_request_refuse(job->request, status, "%s", detail);
    weir_pending_resume(job->request);
}

void weir_read_late(struct weir_read_job *job)
{
    weir_read_end_problem(job, MHD_HTTP_GATEWAY_TIMEOUT, WEIR_READ_LATE);
}

void weir_read_give_up(struct weir_read_job *job)
{
    weir_read_end_problem(job, MHD_HTTP_SERVICE_UNAVAILABLE, job->problem);
}

static void check_url(const struct weir_buffer *url)
{
    check(!url->failed && url->len > 0);
    for (size_t i = 0; i < url->len; i++)
        check(
            (unsigned char)url->data[i] > 0x20 && (unsigned char)url->data[i] < 0x7f && url->data[i] != '#');
}

static void ask_store(struct weir_read_job *job)
{
    WEIR_CLEANUP(buffer) struct weir_buffer url = {0};
    unsigned variant = variant_of(job);
    job->kind->write_url(job, "http://store:8090", &url);
    check_url(&url);
    weir_buffer_append_str(&job->body, store_answers[variant].body);
    if (!job->kind->judge(job, store_answers[variant].status))
        job->request->connection->variant % 2 == 0 ? job->kind->give_up(job) : job->kind->late(job);
}

bool weir_read_begin(struct weir_request *request, const struct weir_read_kind *kind, int32_t partition,
    int64_t wait_ms, const char *late)
{
    struct weir_read_job job = {.request = weir_request_ref(request),
        .kind = kind,
        .partition = partition,
        .give_up_ms = wait_ms,
        .problem = "no store"};
    check(partition >= 0 && partition < request->collection->config->partitions && wait_ms >= 0);
    if (late != NULL)
        weir_pending_add(request->gateway->pending, request, late);
    ask_store(&job);
    weir_buffer_done(&job.body);
    weir_buffer_done(&job.gathered);
    weir_request_unref(request);
    return true;
}

/* ---- the gateway ---- */

static struct weir_gateway gateway;
static struct weir_keys *keys;

static void make_collections(const struct weir_deployment *deployment)
{
    gateway.collection_count = deployment->collection_count;
    gateway.collections = calloc(deployment->collection_count, sizeof(*gateway.collections));
    for (size_t i = 0; i < gateway.collection_count; i++) {
        struct weir_gateway_collection *collection = &gateway.collections[i];
        collection->config = &deployment->collections[i];
        collection->index = i;
        for (int operation = 0; operation < WEIR_GATEWAY_OPERATIONS; operation++)
            snprintf(collection->types[operation], WEIR_GATEWAY_TYPE_BYTES, "weir.%s.%s",
                collection->config->name, weir_operation_name((enum weir_operation)operation));
        if (collection->config->schema != NULL)
            check(weir_schema_load(collection->config->schema, false, &collection->schema, NULL) == 0);
    }
}

static void make_gateway(void)
{
    struct weir_deployment *deployment = NULL;
    struct weir_error err = {0};
    weir_json_init();
    setenv("WEIR_SUBSCRIPTIONS_KEY", "of-the-links-in-mails-that-nobody-gets", 1);
    if (weir_deployment_load(FUZZ_FOLDER "/request.conf", &deployment, &err) < 0 ||
        weir_gateway_settings_load(deployment, &gateway.settings, &err) < 0 ||
        weir_keys_open(FUZZ_FOLDER "/request.keys", true, &keys, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
    gateway.deployment = deployment;
    gateway.pending = weir_pending_new(gateway.settings.timeout_ms);
    make_collections(deployment);
}

/* ---- the request ---- */

/* Cuts text at mark and answers what is behind it; NULL when there is none. */
static char *cut(char *text, const char *mark, const char *end)
{
    char *at = memmem(text, (size_t)(end - text), mark, strlen(mark));
    if (at == NULL)
        return NULL;
    *at = '\0';
    return at + strlen(mark);
}

static bool cut_fields(struct MHD_Connection *connection, char *at, char *end)
{
    while (at < end) {
        char *next = cut(at, "\r\n", end + 2);
        char *value = cut(at, ":", next - 2);
        if (value == NULL || connection->field_count == FIELDS_MAX)
            return false; /* libmicrohttpd refuses the one, and memory bounds the other */
        value += strspn(value, " \t");
        connection->fields[connection->field_count].name = at;
        connection->fields[connection->field_count++].value = value;
        at = next;
    }
    return true;
}

static bool cut_request(struct MHD_Connection *connection, size_t size)
{
    char *end = connection->text + size;
    char *body = memmem(connection->text, size, "\r\n\r\n", 4);
    if (body == NULL)
        return false;
    connection->body = body + 4;
    connection->body_len = (size_t)(end - connection->body);
    char *line_end = memmem(connection->text, size, "\r\n", 2);
    connection->method = connection->text;
    connection->target = cut(connection->method, " ", line_end);
    connection->version = connection->target != NULL ? cut(connection->target, " ", line_end) : NULL;
    if (connection->version == NULL)
        return false;
    *line_end = '\0';
    return line_end == body || cut_fields(connection, line_end + 2, body);
}

static enum MHD_Result step(struct weir_request *request, char *data, size_t len)
{
    struct MHD_Connection *connection = request->connection;
    check(!connection->answered);
    size_t left = len;
    enum MHD_Result result = weir_request_step(request, connection->method, connection->version, data, &left);
    check(left == 0);
    return result;
}

static void send_body(struct weir_request *request)
{
    struct MHD_Connection *connection = request->connection;
    size_t announced = (size_t)request->head.body_bytes, len = connection->body_len;
    if (request->head.body_bytes >= 0 && announced < len)
        len = announced;
    if (request->head.body_bytes > 0 && len < announced)
        return; /* the rest never comes */
    if (len > 1)
        step(request, connection->body, len / 2);
    if (len > 0)
        step(request, connection->body + len / 2, len - len / 2);
    step(request, NULL, 0);
    if (!connection->suspended)
        return;
    weir_pending_expire(gateway.pending, INT64_MAX);
    check(connection->resumed);
    connection->suspended = connection->resumed = false;
    step(request, NULL, 0);
    check(connection->answered);
}

static void serve(struct MHD_Connection *connection)
{
    struct weir_request *request = weir_request_new(&gateway, connection, connection->target);
    check(request != NULL);
    connection->target[strcspn(connection->target, "?")] = '\0';
    step(request, NULL, 0);
    if (!connection->answered)
        send_body(request);
    if (connection->unreported != NULL)
        weir_command_reported(
            connection->unreported, &(struct weir_delivery){WEIR_DELIVERY_WRITTEN, 0, 5, NULL});
    check(weir_pending_count(gateway.pending) == 0);
    weir_request_unref(request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct MHD_Connection connection = {.text = malloc(size + 1), .variant = (unsigned)size};
    if (gateway.deployment == NULL)
        make_gateway();
    check(connection.text != NULL);
    memcpy(connection.text, data, size);
    connection.text[size] = '\0';
    gateway.keys = size % 3 == 0 ? keys : NULL;
    if (cut_request(&connection, size))
        serve(&connection);
    free(connection.text);
    return 0;
}

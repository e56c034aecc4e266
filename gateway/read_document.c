/* GET and HEAD of a document. With Weir-Position it is read as it is after that command, if need be after a
 * wait (Prefer: wait=N). */
#include "common/clock.h"
#include "common/envelope.h"
#include "common/topic.h"
#include "gateway/etag.h"
#include "gateway/pending.h"
#include "gateway/read_job.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool is_unreserved(unsigned char byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
           byte == '-' || byte == '.' || byte == '_' || byte == '~';
}

/* Dots too are escaped: a key "." or ".." must not become a dot segment. */
void weir_read_append_escaped(struct weir_buffer *out, struct weir_bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        if (is_unreserved(byte) && byte != '.')
            weir_buffer_append(out, &text.data[i], 1);
        else
            weir_buffer_printf(out, "%%%02X", byte);
    }
}

static int64_t left_ms(const struct weir_read_job *job)
{
    int64_t left = job->give_up_ms - weir_clock_ms();
    return left > 0 ? left : 0;
}

void weir_read_write_document_url(const struct weir_read_job *job, const char *owner, struct weir_buffer *out)
{
    const struct weir_request *request = job->request;
    weir_buffer_printf(out, "%s/documents/%s/", owner, request->collection->config->name);
    weir_read_append_escaped(out, request->key);
    if (job->standby)
        weir_buffer_append_str(out, "?standby=1");
    if (request->position.offset < 0)
        return;
    weir_buffer_printf(out, "%coffset=%" PRId64, job->standby ? '&' : '?', request->position.offset);
    if (request->wait_ms > 0 && !job->standby)
        weir_buffer_printf(out, "&wait=%" PRId64, left_ms(job));
}

static void fill_document(struct weir_read_job *job, struct weir_outcome *outcome)
{
    outcome->kind = WEIR_OUTCOME_DOCUMENT;
    weir_read_copy_header(job, "ETag", outcome->etag, sizeof(outcome->etag));
    weir_read_copy_header(job, "Last-Modified", outcome->last_modified, sizeof(outcome->last_modified));
    weir_read_copy_header(job, "Weir-Version", outcome->version, sizeof(outcome->version));
    bool same = weir_etag_matches(job->request->head.if_none_match, outcome->etag);
    outcome->status = same ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK;
    outcome->document = job->body;
    job->body = (struct weir_buffer){0};
}

/* A standby says up to which command its answer is the truth; without that it is none. */
static bool read_standby(
    const struct weir_read_job *job, struct weir_outcome *outcome, struct weir_request_position *position)
{
    char text[WEIR_POSITION_BYTES] = "", topic[WEIR_TOPIC_NAME_BYTES];
    weir_read_copy_header(job, "Weir-Standby", outcome->standby, sizeof(outcome->standby));
    weir_read_copy_header(job, "Weir-Position", text, sizeof(text));
    return outcome->standby[0] != '\0' && weir_position_read(weir_bytes_str(text), topic, sizeof(topic),
                                              &position->partition, &position->offset, NULL) == 0;
}

static bool end_found(struct weir_read_job *job)
{
    struct weir_request *request = job->request;
    struct weir_outcome outcome = {0};
    struct weir_request_position position = request->position;
    if (job->standby && !read_standby(job, &outcome, &position))
        return false;
    if (weir_pending_take(request->gateway->pending, request)) {
        fill_document(job, &outcome);
        request->outcome = outcome;
        request->position = position;
        weir_pending_resume(request);
    }
    return true;
}

void weir_read_end_body(struct weir_read_job *job)
{
    struct weir_outcome *outcome = &job->request->outcome;
    if (!weir_pending_take(job->request->gateway->pending, job->request))
        return;
    outcome->kind = WEIR_OUTCOME_DOCUMENT;
    outcome->status = MHD_HTTP_OK;
    outcome->document = job->body;
    job->body = (struct weir_buffer){0};
    weir_pending_resume(job->request);
}

/* A store says Weir-Version: 0 of a document that it would keep and does not have. Any other 404 comes from
 * somebody else, and says nothing about the document. */
bool weir_read_is_missing(const struct weir_read_job *job, long status)
{
    char version[WEIR_REQUEST_TAG_BYTES] = "";
    weir_read_copy_header(job, "Weir-Version", version, sizeof(version));
    return status == MHD_HTTP_NOT_FOUND && strcmp(version, "0") == 0;
}

/* An older "there is none" is not passed on: it may have been made meanwhile. */
static bool judge(struct weir_read_job *job, long status)
{
    if (status == MHD_HTTP_OK)
        return end_found(job);
    if (job->standby || !weir_read_is_missing(job, status))
        return false;
    weir_read_end_problem(job, MHD_HTTP_NOT_FOUND, "there is no such document");
    return true;
}

static const struct weir_read_kind kind = {
    weir_read_write_document_url, judge, weir_read_give_up, weir_read_late, .from_standby = true};

/* Takes over the position of the header Weir-Position. WEIR_STEP_SUSPENDED: go on. */
static enum weir_step take_position(struct weir_request *request, int32_t own_partition)
{
    char topic[WEIR_TOPIC_NAME_BYTES];
    int32_t partition = -1;
    struct weir_error err;
    request->position.offset = -1;
    if (request->head.position.data == NULL)
        return WEIR_STEP_SUSPENDED;
    if (weir_position_read(
            request->head.position, topic, sizeof(topic), &partition, &request->position.offset, &err) < 0)
        return weir_request_refuse(request, MHD_HTTP_BAD_REQUEST, "Weir-Position: %s", err.text);
    if (strcmp(topic, request->collection->config->command_topic) != 0 || partition != own_partition)
        return weir_request_refuse(request, MHD_HTTP_PRECONDITION_FAILED,
            "Weir-Position is not of a command on this document's key");
    return WEIR_STEP_SUSPENDED;
}

enum weir_step weir_read_run(struct weir_request *request)
{
    const struct weir_collection *config = request->collection->config;
    int32_t partition = weir_topic_partition(request->key, (int32_t)config->partitions);
    int64_t wait_ms = request->gateway->settings.read_wait_ms;
    if (config->store_service == NULL)
        return weir_request_refuse(
            request, MHD_HTTP_NOT_FOUND, "no store keeps the collection %s", config->name);
    if (take_position(request, partition) == WEIR_STEP_ANSWER)
        return WEIR_STEP_ANSWER;
    if (request->position.offset >= 0 && request->wait_ms > 0)
        wait_ms = weir_read_wait_ms(request);
    if (!weir_read_begin(request, &kind, partition, wait_ms, WEIR_READ_LATE))
        return weir_request_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
    return WEIR_STEP_SUSPENDED;
}

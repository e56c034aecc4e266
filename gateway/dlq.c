#include "gateway/dlq.h"

#include "common/clock.h"
#include "gateway/dlq_parts.h"
#include "gateway/read_job.h"

#include <stdlib.h>
#include <string.h>

#define LATE_READ "the dead letters were not read in time: narrow it down, or ask again"
#define LATE_REDRIVE "not all of it was done in time: ask again, what has gone back does not go a second time"

/* ---- the path ---- */

/* Decodes what is before one of `ends`; what is behind it, NULL when there is nothing or too much. */
static const char *read_piece(const char *path, const char *ends, char *out, size_t size)
{
    size_t len = strcspn(path, ends);
    return len > 0 && weir_target_decode(weir_bytes(path, len), out, size) ? path + len : NULL;
}

static bool is_end(const char *rest)
{
    return *rest == '\0' || *rest == '?';
}

/* The action of a path's last piece; NULL: there is none such. */
static const char *find_action(const char *rest, const char *plain, const char *redrive)
{
    static const char word[] = ":redrive";
    size_t len = sizeof(word) - 1;
    if (is_end(rest))
        return plain;
    return strncmp(rest, word, len) == 0 && is_end(rest + len) ? redrive : NULL;
}

/* Behind /v1/dlq/{service}/letters. */
static const char *read_letters(const char *rest, struct weir_target *target)
{
    if (*rest != '/')
        return find_action(rest, WEIR_ROUTE_DLQ_LETTERS, WEIR_ROUTE_DLQ_REDRIVE);
    rest = read_piece(rest + 1, "/?:", target->key, sizeof(target->key));
    if (rest == NULL)
        return NULL;
    target->item = true;
    target->key_len = strlen(target->key);
    return find_action(rest, WEIR_ROUTE_DLQ_LETTER, WEIR_ROUTE_DLQ_REDRIVE_LETTER);
}

bool weir_dlq_target(const struct weir_gateway *gateway, const char *path, struct weir_target *ret_target)
{
    static const char prefix[] = "/v1/" WEIR_ROUTE_DLQ, letters[] = "/letters";
    const char *rest = path + sizeof(prefix) - 1;

    if (!gateway->settings.dlq || strncmp(path, prefix, sizeof(prefix) - 1) != 0 ||
        (*rest != '/' && !is_end(rest)))
        return false;
    *ret_target = (struct weir_target){.apart = true, .scope = WEIR_ROUTE_DLQ};
    if (is_end(rest)) {
        ret_target->action = WEIR_ROUTE_DLQ;
        return true;
    }
    rest = read_piece(rest + 1, "/?", ret_target->service, sizeof(ret_target->service));
    if (rest != NULL && strncmp(rest, letters, sizeof(letters) - 1) == 0)
        ret_target->action = read_letters(rest + sizeof(letters) - 1, ret_target);
    return true;
}

/* ---- from a request to a job ---- */

static enum weir_step refuse(
    struct weir_dlq_job *job, unsigned status, const char *member, const struct weir_error *err)
{
    struct weir_request *request = job->request;
    if (member == NULL)
        return weir_request_refuse(request, status, "%s", err->text);
    if (member[0] == '\0')
        return weir_request_refuse_json(request, err->text);
    return weir_request_refuse_member(request, status, member, "%s", err->text);
}

static struct weir_dlq_job *job_new(
    struct weir_request *request, int (*work)(struct weir_dlq_job *, struct weir_error *))
{
    struct weir_dlq_job *job = calloc(1, sizeof(*job));
    int64_t most_ms = request->gateway->settings.timeout_ms, margin_ms = most_ms / 4;
    if (job == NULL)
        return NULL;
    job->gateway = request->gateway;
    job->request = weir_request_ref(request);
    job->work = work;
    job->deadline_ms =
        weir_clock_ms() + most_ms - (margin_ms < WEIR_READ_MARGIN_MS ? margin_ms : WEIR_READ_MARGIN_MS);
    return job;
}

/* WEIR_STEP_SUSPENDED here and below: goes on. */
static enum weir_step find_service(struct weir_dlq_job *job)
{
    struct weir_request *request = job->request;
    const char *name = request->path.service;
    if (name[0] == '\0')
        return WEIR_STEP_SUSPENDED;
    job->service = weir_deployment_service(request->gateway->deployment, name);
    return job->service != NULL
               ? WEIR_STEP_SUSPENDED
               : weir_request_refuse(request, MHD_HTTP_NOT_FOUND, "there is no service %s", name);
}

static enum weir_step take_letter(struct weir_dlq_job *job)
{
    struct weir_error err;
    if (!job->request->path.item || weir_dlq_place_read(job->request->path.key, &job->place, &err) == 0)
        return WEIR_STEP_SUSPENDED;
    return refuse(job, MHD_HTTP_BAD_REQUEST, NULL, &err);
}

static enum weir_step take_query(struct weir_dlq_job *job, bool paged)
{
    struct weir_error err;
    if (weir_dlq_query_read(job, paged, &err) == 0)
        return WEIR_STEP_SUSPENDED;
    return refuse(job, MHD_HTTP_BAD_REQUEST, NULL, &err);
}

static enum weir_step take_body(struct weir_dlq_job *job)
{
    char member[WEIR_DLQ_MEMBER_BYTES] = "";
    struct weir_error err;
    if (strchr(job->request->target, '?') != NULL) /* dry_run=true, passed over, would be no dry run */
        return weir_request_refuse(job->request, MHD_HTTP_BAD_REQUEST,
            "what a redrive is to do is told in its body, not in the query");
    if (weir_dlq_body_read(job, member, &err) == 0)
        return WEIR_STEP_SUSPENDED;
    return refuse(job, MHD_HTTP_UNPROCESSABLE_CONTENT, member, &err);
}

static enum weir_step run(
    struct weir_request *request, int (*work)(struct weir_dlq_job *, struct weir_error *))
{
    bool redrives = work == weir_dlq_redrive_work;
    struct weir_dlq_job *job = job_new(request, work);
    if (job == NULL)
        return weir_request_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
    if (find_service(job) == WEIR_STEP_ANSWER || take_letter(job) == WEIR_STEP_ANSWER ||
        (redrives ? take_body(job) : take_query(job, work == weir_dlq_list_work)) == WEIR_STEP_ANSWER) {
        weir_dlq_job_free(job);
        return WEIR_STEP_ANSWER;
    }
    return weir_dlq_queue_take(request->gateway->dlq, job, redrives ? LATE_REDRIVE : LATE_READ);
}

enum weir_step weir_dlq_stats_run(struct weir_request *request)
{
    return run(request, weir_dlq_stats_work);
}

enum weir_step weir_dlq_list_run(struct weir_request *request)
{
    return run(request, weir_dlq_list_work);
}

enum weir_step weir_dlq_show_run(struct weir_request *request)
{
    return run(request, weir_dlq_show_work);
}

enum weir_step weir_dlq_redrive_run(struct weir_request *request)
{
    return run(request, weir_dlq_redrive_work);
}

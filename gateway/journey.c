#include "gateway/journey.h"

#include "common/topic.h"
#include "gateway/read_job.h"

static void write_url(const struct weir_read_job *job, const char *owner, struct weir_buffer *out)
{
    weir_buffer_printf(out, "%s/journeys/%s/", owner, job->request->collection->config->name);
    weir_read_append_escaped(out, job->request->key);
}

static bool judge(struct weir_read_job *job, long status)
{
    if (status == MHD_HTTP_OK)
        weir_read_end_body(job);
    else if (weir_read_is_missing(job, status))
        weir_read_end_problem(
            job, MHD_HTTP_NOT_FOUND, "there is no such document, and no request for it within the last day");
    else
        return false;
    return true;
}

static const struct weir_read_kind kind = {write_url, judge, weir_read_give_up, weir_read_late};

enum weir_step weir_journey_run(struct weir_request *request)
{
    const struct weir_collection *config = request->collection->config;
    if (config->store_service == NULL)
        return weir_request_refuse(
            request, MHD_HTTP_NOT_FOUND, "no store keeps the collection %s", config->name);
    if (!weir_read_begin(request, &kind, weir_topic_partition(request->key, (int32_t)config->partitions),
            request->gateway->settings.read_wait_ms, WEIR_READ_LATE))
        return weir_request_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
    return WEIR_STEP_SUSPENDED;
}

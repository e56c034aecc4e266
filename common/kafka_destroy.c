#include "common/kafka.h"

#include "common/clock.h"
#include "common/drain.h"
#include "common/log.h"
#include "common/metrics.h"

#include <pthread.h>
#include <time.h>

static void *destroy(void *handle)
{
    rd_kafka_destroy(handle);
    return NULL;
}

static void leave_behind(int limit_ms)
{
    weir_drain_leave_thread();
    weir_metric_add(weir_metric(WEIR_METRIC_COUNTER, "weir_kafka_abandoned_handles_total", "",
                        "Handles of librdkafka that did not close in time and were left behind"),
        1);
    weir_log(
        WEIR_LOG_WARNING, "kafka.abandoned", "reason=\"a handle does not close within %d ms\"", limit_ms);
}

bool weir_kafka_destroy(rd_kafka_t *handle, int limit_ms)
{
    pthread_t thread;
    int64_t until_ms = weir_clock_wall_ms() + limit_ms;

    if (handle == NULL)
        return true;
    if (pthread_create(&thread, NULL, destroy, handle) != 0) {
        leave_behind(0);
        return false;
    }
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    /* By the wall clock: the thread sanitizer of gcc 12 does not know pthread_clockjoin_np(). */
    if (pthread_timedjoin_np(thread, NULL, &until) == 0)
        return true;
    pthread_detach(thread);
    leave_behind(limit_ms);
    return false;
}

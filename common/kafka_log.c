/* librdkafka's own log lines, as lines of ours. */
#include "common/kafka_log.h"

#include "common/clock.h"
#include "common/log.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

enum { PAUSE_MS = 10000 };

/* While a broker is away librdkafka tells of each attempt to reach it: one line each 10 s is enough. */
static struct {
    const char *facility;
    _Atomic int64_t next_ms;
    _Atomic int64_t dropped;
} log_limits[] = {{"FAIL"}, {"ERROR"}, {"REQTMOUT"}, {"BROKER"}, {"GETPID"}, {"COORD"}, {"CONNECT"}};

/* Whether to tell; if so, how many of its kind were not told before. */
static bool log_allowed(const char *facility, int64_t *ret_dropped)
{
    for (size_t i = 0; i < sizeof(log_limits) / sizeof(log_limits[0]); i++) {
        if (strcmp(log_limits[i].facility, facility) != 0)
            continue;
        int64_t now_ms = weir_clock_ms(), next_ms = atomic_load(&log_limits[i].next_ms);
        if (now_ms < next_ms ||
            !atomic_compare_exchange_strong(&log_limits[i].next_ms, &next_ms, now_ms + PAUSE_MS)) {
            atomic_fetch_add(&log_limits[i].dropped, 1);
            return false;
        }
        *ret_dropped = atomic_exchange(&log_limits[i].dropped, 0);
        return true;
    }
    return true;
}

/* Runs on librdkafka's threads. Its "error" is our warning: whether a lost connection is an error is not its
 * call. */
void weir_kafka_log(const rd_kafka_t *handle, int syslog_level, const char *facility, const char *text)
{
    static const enum weir_log_level levels[] = {WEIR_LOG_WARNING, WEIR_LOG_WARNING, WEIR_LOG_WARNING,
        WEIR_LOG_WARNING, WEIR_LOG_WARNING, WEIR_LOG_NOTICE, WEIR_LOG_INFO, WEIR_LOG_DEBUG};
    enum weir_log_level level = levels[syslog_level & 7];
    int64_t dropped = 0;

    if (weir_log_enabled(level) && log_allowed(facility, &dropped))
        weir_log(level, "kafka.client", "client=%s facility=%s dropped=%" PRId64 " text=%s",
            handle != NULL ? rd_kafka_name(handle) : "-", facility, dropped, text);
}

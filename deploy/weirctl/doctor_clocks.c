/* Clocks, by the newest records: each says when the gateway or the store had it (ce_time) and when the broker
 * took it (LogAppendTime). The smallest difference of some records is that of their clocks, give or take the
 * way. What comes while the doctor reads tells of this machine's clock, too: it was taken after he had asked.
 */
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/envelope.h"
#include "common/kafka_scan.h"
#include "deploy/weirctl/doctor.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define AREA "clocks"
#define FIX "keep the machines' clocks in step: chrony, systemd-timesyncd"

enum { NEWEST = 50, AHEAD_MS = 1000, BEHIND_MS = 30000 };

struct clocks {
    struct doctor *doctor;
    struct weir_kafka_scan *scan;
    int64_t least_ms;  /* smallest broker minus sender */
    int64_t newest_ms; /* the broker's time */
    size_t records;
    int64_t asked_ms; /* by this machine's clock */
    int64_t came_ms;  /* the broker's time of the first record that came later; INT64_MAX: none did */
};

/* "2026-11-21T06:40:20.123Z"; -1: it is none. */
static int64_t read_time(struct weir_bytes text)
{
    char copy[WEIR_CLOCK_RFC3339_BYTES];
    struct tm utc = {0};

    if (text.data == NULL || text.len >= sizeof(copy))
        return -1;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    const char *rest = strptime(copy, "%Y-%m-%dT%H:%M:%S", &utc);
    if (rest == NULL)
        return -1;
    return (int64_t)timegm(&utc) * 1000 + (*rest == '.' ? strtol(rest + 1, NULL, 10) : 0);
}

static int take_record(void *context, const struct weir_kafka_record *record, struct weir_error *err)
{
    struct clocks *clocks = context;
    int64_t sent_ms = read_time(weir_header_find(record->headers, record->header_count, WEIR_HEADER_TIME));

    (void)err;
    if (record->timestamp_ms > clocks->newest_ms)
        clocks->newest_ms = record->timestamp_ms;
    if (sent_ms < 0)
        return 0;
    int64_t difference_ms = record->timestamp_ms - sent_ms;
    if (clocks->records++ == 0 || difference_ms < clocks->least_ms)
        clocks->least_ms = difference_ms;
    return 0;
}

static int take_later(void *context, const struct weir_kafka_record *record, struct weir_error *err)
{
    struct clocks *clocks = context;

    (void)err;
    if (record->timestamp_ms < clocks->came_ms)
        clocks->came_ms = record->timestamp_ms;
    return 0;
}

static int read_tail(
    struct clocks *clocks, const char *topic, int32_t partition, int64_t *ret_end, struct weir_error *err)
{
    struct weir_kafka_range range = {.topic = topic, .partition = partition};
    int64_t begin = 0;

    int code = weir_kafka_scan_ends(clocks->scan, topic, partition, &begin, ret_end, err);
    if (code < 0 || begin == *ret_end)
        return code;
    range.from_offset = *ret_end - NEWEST > begin ? *ret_end - NEWEST : begin;
    return weir_kafka_scan_read(clocks->scan, &range, take_record, clocks, err);
}

static int read_later(
    struct clocks *clocks, const char *topic, int32_t partition, int64_t from, struct weir_error *err)
{
    const struct weir_kafka_range range = {.topic = topic, .partition = partition, .from_offset = from};
    int64_t begin = 0, end = 0;

    int code = weir_kafka_scan_ends(clocks->scan, topic, partition, &begin, &end, err);
    if (code < 0 || from == end)
        return code;
    return weir_kafka_scan_read(clocks->scan, &range, take_later, clocks, err);
}

static int read_topic(struct clocks *clocks, const char *topic, int64_t partitions, struct weir_error *err)
{
    WEIR_CLEANUP(free) int64_t *ends = calloc((size_t)partitions, sizeof(*ends));
    int code = ends != NULL ? 0 : weir_error_set(err, WEIR_E_INTERNAL, "out of memory");

    for (int32_t partition = 0; partition < partitions && code == 0; partition++)
        code = read_tail(clocks, topic, partition, &ends[partition], err);
    for (int32_t partition = 0; partition < partitions && code == 0; partition++)
        code = read_later(clocks, topic, partition, ends[partition], err);
    return code;
}

static void judge(struct clocks *clocks, const char *topic, const char *sender)
{
    struct doctor *doctor = clocks->doctor;
    int64_t now_ms = weir_clock_wall_ms();

    if (clocks->records > 0 && clocks->least_ms < -AHEAD_MS)
        doctor_find(doctor, AREA, DOCTOR_ILL, FIX,
            "%s: the clock of %s is %" PRId64 " ms ahead of the brokers'", topic, sender, -clocks->least_ms);
    else if (clocks->records > 0 && clocks->least_ms > BEHIND_MS)
        doctor_find(doctor, AREA, DOCTOR_ILL, FIX,
            "%s: the clock of %s is up to %" PRId64 " ms behind the brokers'", topic, sender,
            clocks->least_ms);
    if (clocks->newest_ms > now_ms + AHEAD_MS)
        doctor_find(doctor, AREA, DOCTOR_ILL, FIX,
            "%s: this machine's clock is at least %" PRId64 " ms behind the brokers'", topic,
            clocks->newest_ms - now_ms);
    if (clocks->came_ms < clocks->asked_ms - AHEAD_MS)
        doctor_find(doctor, AREA, DOCTOR_ILL, FIX,
            "%s: this machine's clock is at least %" PRId64 " ms ahead of the brokers'", topic,
            clocks->asked_ms - clocks->came_ms);
}

static void look_at(struct doctor *doctor, struct weir_kafka_scan *scan, const char *topic,
    int64_t partitions, const char *sender, size_t *records)
{
    struct clocks clocks = {
        .doctor = doctor, .scan = scan, .asked_ms = weir_clock_wall_ms(), .came_ms = INT64_MAX};
    struct weir_error why;

    if (read_topic(&clocks, topic, partitions, &why) < 0) {
        doctor_find(doctor, AREA, DOCTOR_NOTE, "", "%s was not read: %s", topic, why.text);
        return;
    }
    judge(&clocks, topic, sender);
    *records += clocks.records;
}

int doctor_clocks(struct doctor *doctor, struct weir_error *err)
{
    const struct weir_deployment *deployment = doctor->ctl->deployment;
    struct weir_kafka_scan *scan = NULL;
    size_t records = 0, before = doctor->ill;

    int code = weir_kafka_scan_open(deployment, "weirctl", doctor_patience_ms(doctor), &scan, err);
    for (size_t i = 0; i < deployment->collection_count && code == 0; i++) {
        const struct weir_collection *collection = &deployment->collections[i];
        look_at(doctor, scan, collection->command_topic, collection->partitions, "a gateway", &records);
        if (collection->store_service != NULL)
            look_at(doctor, scan, collection->changes_topic, collection->partitions,
                collection->store_service, &records);
    }
    weir_kafka_scan_close(scan);
    if (code == 0 && records == 0)
        doctor_find(doctor, AREA, DOCTOR_NOTE, "", "there are no records yet by which to tell");
    else if (code == 0 && doctor->ill == before)
        doctor_find(
            doctor, AREA, DOCTOR_WELL, "", "%zu newest records agree with the brokers' clocks", records);
    return code;
}

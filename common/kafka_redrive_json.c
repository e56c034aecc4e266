/* What is told of a redrive, for common/kafka_redrive.h. */
#include "common/clock.h"
#include "common/kafka_redrive.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const char *weir_redrive_verdict_name(enum weir_redrive_verdict verdict)
{
    static const char *const names[] = {
        [WEIR_REDRIVE_SENT] = "sent",
        [WEIR_REDRIVE_ALREADY] = "already",
        [WEIR_REDRIVE_LOOP] = "loop",
        [WEIR_REDRIVE_IMPOSSIBLE] = "impossible",
        [WEIR_REDRIVE_CHANGED] = "changed",
        [WEIR_REDRIVE_UNPATCHABLE] = "unpatchable",
    };
    return names[verdict];
}

/* -1: it is not planned, or its plan says nothing of it. */
static int64_t retention_of(const struct weir_topic_plan *topic)
{
    for (size_t i = 0; i < topic->setting_count; i++)
        if (strcmp(topic->settings[i].name, "retention.ms") == 0)
            return strtoll(topic->settings[i].value, NULL, 10);
    return -1;
}

int weir_redrive_oldest(const struct weir_deployment *deployment, const struct weir_letters_topic *topic,
    int64_t *ret_ms, struct weir_error *err)
{
    struct weir_topic_plan *plan = NULL;
    size_t count = 0;

    int code = weir_topic_plan(deployment, &plan, &count, err);
    for (size_t i = 0; i < count; i++)
        if (strcmp(plan[i].name, topic->retry) == 0 && retention_of(&plan[i]) >= 0)
            *ret_ms = weir_clock_wall_ms() - retention_of(&plan[i]);
    weir_topic_plan_free(plan, count);
    return code;
}

void weir_redrive_counts_add(struct weir_redrive_counts *total, const struct weir_redrive_counts *counts)
{
    for (size_t i = 0; i < WEIR_REDRIVE_VERDICTS; i++)
        total->letters[i] += counts->letters[i];
    total->stopped |= counts->stopped;
}

int64_t weir_redrive_left(const struct weir_redrive_counts *counts)
{
    return counts->letters[WEIR_REDRIVE_LOOP] + counts->letters[WEIR_REDRIVE_IMPOSSIBLE] +
           counts->letters[WEIR_REDRIVE_CHANGED] + counts->letters[WEIR_REDRIVE_UNPATCHABLE];
}

void weir_redrive_write_verdict(const struct weir_letter *letter, enum weir_redrive_verdict verdict,
    const char *why, struct weir_buffer *out)
{
    weir_letter_write(letter, out);
    weir_buffer_printf(out, ",\"verdict\":\"%s\"", weir_redrive_verdict_name(verdict));
    if (why != NULL) {
        weir_buffer_append_str(out, ",\"why\":");
        weir_buffer_append_json_string(out, weir_bytes_str(why));
    }
    weir_buffer_append_str(out, "}");
}

void weir_redrive_write_counts(
    const struct weir_redrive_counts *counts, bool dry_run, struct weir_buffer *out)
{
    weir_buffer_printf(out, "\"dry_run\":%s,\"interrupted\":%s", dry_run ? "true" : "false",
        counts->stopped ? "true" : "false");
    for (int i = 0; i < WEIR_REDRIVE_VERDICTS; i++)
        weir_buffer_printf(out, ",\"%s\":%" PRId64, weir_redrive_verdict_name((enum weir_redrive_verdict)i),
            counts->letters[i]);
}

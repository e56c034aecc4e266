#include "deploy/weirctl/topic_difference.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE_BYTES = 64, FIX_BYTES = 640 };

struct difference {
    const char *topic, *setting;
    char has[VALUE_BYTES], wants[VALUE_BYTES];
    char fix[FIX_BYTES];
};

struct writer {
    const struct weirctl *ctl;
    struct weir_buffer *out;
    size_t count;
};

/* More of these does no harm. A longer retention than planned does only on the command topics: a window is
 * one number. */
static const char *const at_least[] = {"min.compaction.lag.ms", "delete.retention.ms", "max.message.bytes",
    "min.insync.replicas", "retention.ms"};

static bool may_be_more(const struct weir_topic_plan *plan, const char *setting)
{
    if (plan->role == WEIR_TOPIC_COMMANDS && strcmp(setting, "retention.ms") == 0)
        return false;
    for (size_t i = 0; i < sizeof(at_least) / sizeof(at_least[0]); i++)
        if (strcmp(at_least[i], setting) == 0)
            return true;
    return false;
}

/* -1 is "for ever" in Kafka's words. */
static int64_t amount(const char *value)
{
    int64_t number = strtoll(value, NULL, 10);
    return number < 0 ? INT64_MAX : number;
}

static bool value_fits(
    const struct weir_topic_plan *plan, const struct weir_property *wanted, const char *value)
{
    if (strcmp(wanted->value, value) == 0)
        return true;
    return may_be_more(plan, wanted->name) && amount(value) >= amount(wanted->value);
}

static void write_json(const struct difference *difference, struct weir_buffer *out)
{
    const struct {
        const char *opening, *text;
    } members[] = {{"{\"topic\":", difference->topic}, {",\"setting\":", difference->setting},
        {",\"has\":", difference->has}, {",\"wants\":", difference->wants}, {",\"fix\":", difference->fix}};

    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        weir_buffer_append_str(out, members[i].opening);
        weir_buffer_append_json_string(out, weir_bytes_str(members[i].text));
    }
    weir_buffer_append_str(out, "}");
}

static void write_difference(struct writer *writer, const struct difference *difference)
{
    struct weir_buffer *out = writer->out;

    writer->count++;
    if (writer->ctl->arguments->json) {
        weir_buffer_append_str(out, writer->count > 1 ? "," : "");
        write_json(difference, out);
    } else {
        weir_buffer_printf(out, "%s: %s is %s, should be %s; %s\n", difference->topic, difference->setting,
            difference->has, difference->wants, difference->fix);
    }
}

static void compare_number(struct writer *writer, const char *topic, const char *setting, int32_t has,
    int32_t wants, const char *fix)
{
    struct difference difference = {.topic = topic, .setting = setting};

    snprintf(difference.has, VALUE_BYTES, "%" PRId32, has);
    snprintf(difference.wants, VALUE_BYTES, "%" PRId32, wants);
    snprintf(difference.fix, FIX_BYTES, "%s", fix);
    write_difference(writer, &difference);
}

static void compare_setting(struct writer *writer, const struct topic_state *topic, size_t index)
{
    const struct weir_property *wanted = &topic->plan->settings[index];
    const char *value = topic->values[index] != NULL ? topic->values[index] : "unknown";
    struct difference difference = {.topic = topic->plan->name, .setting = wanted->name};

    if (value_fits(topic->plan, wanted, value))
        return;
    snprintf(difference.has, VALUE_BYTES, "%s", value);
    snprintf(difference.wants, VALUE_BYTES, "%s%s", may_be_more(topic->plan, wanted->name) ? "at least " : "",
        wanted->value);
    snprintf(difference.fix, FIX_BYTES,
        "kafka-configs.sh --bootstrap-server %s --alter --entity-type topics --entity-name %s --add-config "
        "%s=%s",
        writer->ctl->deployment->kafka.bootstrap_servers, topic->plan->name, wanted->name, wanted->value);
    write_difference(writer, &difference);
}

static void compare_topic(struct writer *writer, const struct topic_state *topic)
{
    const struct weir_topic_plan *plan = topic->plan;
    bool dev = writer->ctl->deployment->kafka.dev;

    if (!topic->exists) {
        struct difference missing = {plan->name, "topic", "missing", "there", "weirctl topics apply"};
        if (dev)
            snprintf(missing.fix, FIX_BYTES, "start weir-devbroker with this configuration");
        write_difference(writer, &missing);
        return;
    }
    if (topic->partitions != plan->partitions)
        compare_number(writer, plan->name, "partitions", topic->partitions, plan->partitions,
            "the count is part of the data and never changed: set partitions of the collection to what the "
            "topic has, or begin "
            "with a new topic");
    if (dev) /* one broker, and no settings to ask for */
        return;
    if (topic->replication_factor < plan->replication_factor)
        compare_number(writer, plan->name, "replication.factor", topic->replication_factor,
            plan->replication_factor, "kafka-reassign-partitions.sh, or lower replication.factor of [kafka]");
    for (size_t i = 0; i < plan->setting_count; i++)
        compare_setting(writer, topic, i);
}

size_t topic_differences_write(
    const struct weirctl *ctl, const struct topic_states *states, struct weir_buffer *out)
{
    struct writer writer = {.ctl = ctl, .out = out};

    for (size_t i = 0; i < states->count; i++)
        compare_topic(&writer, &states->topics[i]);
    return writer.count;
}

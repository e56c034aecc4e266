#include "deploy/weirctl/dlq.h"

#include "common/clock.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define FILTERING "list stats redrive"
#define ALL "list show stats redrive purge"

static const struct weir_option rows[] = {
    {.key = "--service",
        .type = WEIR_OPTION_STRING,
        .offset = offsetof(struct dlq_settings, service),
        .help = "NAME: the service whose dead letters are meant"},
    {.key = "--topic",
        .type = WEIR_OPTION_STRING,
        .offset = offsetof(struct dlq_settings, topic),
        .help = "NAME: instead, any topic that holds letters of Weir, Spring Kafka, Connect or Streams"},
    WEIR_LETTER_ROWS("--", "-", struct dlq_settings, letters),
    {.key = "--limit",
        .type = WEIR_OPTION_INTEGER,
        .offset = offsetof(struct dlq_settings, limit),
        .fallback = "100",
        .min = 1,
        .max = 100000,
        .help = "NUMBER: no more letters than this"},
    WEIR_REDRIVE_ROWS("--", "-", struct dlq_settings, redrive),
    {.key = "--set",
        .type = WEIR_OPTION_LIST,
        .offset = offsetof(struct dlq_settings, sets),
        .help = "POINTER=VALUE: mend the body first, e.g. /customer/email=a@b.c; may be repeated"},
    {.key = "--yes",
        .type = WEIR_OPTION_BOOL,
        .offset = offsetof(struct dlq_settings, yes),
        .help = "delete them; without it, only say what would be deleted (64)"},
};

static const char *const verbs[] = {ALL, "list show stats purge", /* --collection: */ ALL, FILTERING,
    FILTERING, FILTERING, FILTERING, FILTERING, FILTERING, FILTERING, "list stats", /* --limit: */ "list",
    /* --rate: */ "redrive", "redrive", "redrive", "redrive", "redrive", "purge"};

_Static_assert(sizeof(rows) / sizeof(rows[0]) == sizeof(verbs) / sizeof(verbs[0]), "a row has its verbs");

const struct flag_table dlq_flags = {
    rows, verbs, sizeof(rows) / sizeof(rows[0]), sizeof(struct dlq_settings)};

static struct weir_letters_topic *add_topic(struct dlq *dlq)
{
    struct weir_letters_topic *topics = reallocarray(dlq->topics, dlq->topic_count + 1, sizeof(*dlq->topics));

    if (topics == NULL)
        return NULL;
    dlq->topics = topics;
    return memset(&topics[dlq->topic_count++], 0, sizeof(*topics));
}

static int add_foreign(struct dlq *dlq, const char *name, struct weir_error *err)
{
    struct weir_letters_topic *topic = add_topic(dlq);

    if (topic == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    int len = snprintf(topic->letters, sizeof(topic->letters), "%s", name);
    return len < (int)sizeof(topic->letters)
               ? 0
               : weir_error_set(err, WEIR_E_USAGE, "--topic: the name is too long");
}

static bool is_meant(const struct weirctl *ctl, const struct dlq_settings *settings, const char *source)
{
    const struct weir_collection *collection = weir_deployment_collection_of_topic(ctl->deployment, source);

    return settings->letters.collection == NULL ||
           (collection != NULL && strcmp(collection->name, settings->letters.collection) == 0);
}

static int add_service(struct dlq *dlq, struct weir_error *err)
{
    const struct dlq_settings *settings = dlq->settings;
    const struct weir_service *service = weir_deployment_service(dlq->ctl->deployment, settings->service);
    int code = 0;

    if (service == NULL)
        return weir_error_set(err, WEIR_E_USAGE, "--service %s: the configuration has no [service %s]",
            settings->service, settings->service);
    for (char **source = service->source_topics; *source != NULL && code == 0; source++) {
        if (!is_meant(dlq->ctl, settings, *source))
            continue;
        struct weir_letters_topic *topic = add_topic(dlq);
        code = topic == NULL ? weir_error_set(err, WEIR_E_INTERNAL, "out of memory")
                             : weir_letters_topic_of(dlq->ctl->deployment, service, *source, topic, err);
    }
    if (code == 0 && dlq->topic_count == 0)
        return weir_error_set(err, WEIR_E_USAGE, "--collection %s: service %s reads no topic of it",
            settings->letters.collection, settings->service);
    return code;
}

static int add_topics(struct dlq *dlq, struct weir_error *err)
{
    const struct dlq_settings *settings = dlq->settings;

    if ((settings->service == NULL) == (settings->topic == NULL))
        return weir_error_set(err, WEIR_E_USAGE, "say whose letters: either --service NAME or --topic NAME");
    return settings->topic != NULL ? add_foreign(dlq, settings->topic, err) : add_service(dlq, err);
}

static int make_filter(struct dlq *dlq, struct weir_error *err)
{
    const struct weir_letter_settings *letters = &dlq->settings->letters;

    if (weir_letter_filter_make(letters, weir_clock_wall_ms(), dlq->source, &dlq->filter) == 0)
        return 0;
    return weir_error_set(err, WEIR_E_USAGE,
        "--source %s: it is written TOPIC, TOPIC/PARTITION or TOPIC/PARTITION/FROM-TO", letters->source);
}

/* A service's topics may be made later, a name on the command line is meant. */
static int check_foreign(struct dlq *dlq, struct weir_error *err)
{
    int32_t partitions = 0;

    if (dlq->settings->topic == NULL)
        return 0;
    int code = weir_kafka_scan_partitions(dlq->scan, dlq->settings->topic, &partitions, err);
    if (code != WEIR_E_NOT_FOUND)
        return code;
    weir_error_prefix(err, "--topic");
    return WEIR_E_USAGE;
}

int dlq_open(struct weirctl *ctl, struct dlq *ret_dlq, struct weir_error *err)
{
    struct dlq *dlq = ret_dlq;

    *dlq = (struct dlq){.ctl = ctl, .settings = ctl->arguments->settings};
    progress_begin(&dlq->progress);
    int code = add_topics(dlq, err);
    if (code == 0)
        code = make_filter(dlq, err);
    if (code == 0)
        code = weirctl_connect(ctl, err);
    if (code == 0)
        code = weir_kafka_scan_open(
            ctl->deployment, "weirctl", (int)ctl->arguments->timeout_ms, &dlq->scan, err);
    if (code < 0)
        return code;
    weir_kafka_scan_on_tick(dlq->scan, progress_tick, &dlq->progress);
    return check_foreign(dlq, err);
}

void dlq_close(struct dlq *dlq)
{
    progress_end(&dlq->progress);
    weir_kafka_scan_close(dlq->scan);
    free(dlq->topics);
}

static const struct weir_letters_topic *find_topic(const struct dlq *dlq, const char *name)
{
    for (size_t i = 0; i < dlq->topic_count; i++)
        if (strcmp(dlq->topics[i].letters, name) == 0)
            return &dlq->topics[i];
    return NULL;
}

int dlq_letter(const struct dlq *dlq, const char *operand, const struct weir_letters_topic **ret_topic,
    struct weir_letters_range *ret_range, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer full = {0};
    const char *slash = strchr(operand, '/');
    char topic[WEIR_TOPIC_NAME_BYTES];

    if (slash != NULL && strchr(slash + 1, '/') == NULL && dlq->topic_count == 1)
        weir_buffer_printf(&full, "%s/", dlq->topics[0].letters);
    weir_buffer_append_str(&full, operand);
    if (weir_position_read(weir_buffer_bytes(&full), topic, sizeof(topic), &ret_range->partition,
            &ret_range->from, NULL) < 0)
        return weir_error_set(
            err, WEIR_E_USAGE, "%s: a letter is named as list prints it, TOPIC/PARTITION/OFFSET", operand);
    ret_range->to = ret_range->from;
    *ret_topic = find_topic(dlq, topic);
    return *ret_topic != NULL
               ? 0
               : weir_error_set(err, WEIR_E_USAGE,
                     "%s: %s is not among the dead-letter topics that are meant", operand, topic);
}

int dlq_redriven(struct dlq *dlq, const struct weir_letters_topic *topic, struct weir_redriven *redriven,
    struct weir_error *err)
{
    int code = weir_redriven_read(redriven, dlq->scan, topic, err);
    return code == WEIR_E_NOT_FOUND ? 0 : code;
}

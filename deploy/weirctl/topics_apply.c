#include "deploy/weirctl/topic_difference.h"

#include "common/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

enum { LOOK_AGAIN_MS = 100 };

struct apply {
    struct weirctl *ctl;
    struct weir_topic_states states;
    struct weir_buffer created; /* a line, or a JSON string, for each */
    struct weir_error *err;
};

static rd_kafka_NewTopic_t *make_topic(const struct weir_topic_plan *plan, struct weir_error *err)
{
    char text[256];
    rd_kafka_NewTopic_t *topic =
        rd_kafka_NewTopic_new(plan->name, plan->partitions, plan->replication_factor, text, sizeof(text));

    if (topic == NULL) {
        weir_error_set(err, WEIR_E_CONFIG, "topic %s: %s", plan->name, text);
        return NULL;
    }
    for (size_t i = 0; i < plan->setting_count; i++)
        rd_kafka_NewTopic_set_config(topic, plan->settings[i].name, plan->settings[i].value);
    return topic;
}

static void note_created(struct apply *apply, const char *name)
{
    if (apply->ctl->arguments->json)
        weir_buffer_printf(&apply->created, "%s\"%s\"", apply->created.len > 0 ? "," : "", name);
    else
        weir_buffer_printf(&apply->created, "created %s\n", name);
}

/* Another weirctl may have been faster, and a controller may be moving: both are looked at again. */
static int take_result(struct apply *apply, const rd_kafka_topic_result_t *result)
{
    int code = weir_kafka_code(rd_kafka_topic_result_error(result));

    if (code == 0)
        note_created(apply, rd_kafka_topic_result_name(result));
    if (code == 0 || code == WEIR_E_EXISTS || code == WEIR_E_UNAVAILABLE || code == WEIR_E_TIMEOUT)
        return 0;
    return weir_error_set(apply->err, code, "topic %s cannot be created: %s",
        rd_kafka_topic_result_name(result),
        rd_kafka_topic_result_error_string(result) != NULL
            ? rd_kafka_topic_result_error_string(result)
            : rd_kafka_err2str(rd_kafka_topic_result_error(result)));
}

static int take_answer(struct apply *apply, rd_kafka_event_t *event)
{
    size_t count = 0;
    int code = 0;

    /* No answer in time: what became of it is seen in the next look at the cluster. */
    if (event == NULL || rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    for (size_t i = 0; i < count && code == 0; i++)
        code = take_result(apply, results[i]);
    return code;
}

static int ask(struct apply *apply, rd_kafka_NewTopic_t **topics, size_t count)
{
    rd_kafka_t *kafka = apply->ctl->kafka;
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(kafka, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka);
    int left_ms = weirctl_left_ms(apply->ctl);

    rd_kafka_AdminOptions_set_request_timeout(options, left_ms, NULL, 0);
    rd_kafka_AdminOptions_set_operation_timeout(options, left_ms, NULL, 0);
    rd_kafka_CreateTopics(kafka, topics, count, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, left_ms + 1000);
    int code = take_answer(apply, event);
    if (event != NULL)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    return code;
}

static int create_missing(struct apply *apply)
{
    rd_kafka_NewTopic_t **topics = calloc(apply->states.count + 1, sizeof(rd_kafka_NewTopic_t *));
    size_t count = 0;
    int code = topics != NULL ? 0 : weir_error_set(apply->err, WEIR_E_INTERNAL, "out of memory");

    for (size_t i = 0; i < apply->states.count && code == 0; i++) {
        if (apply->states.topics[i].exists)
            continue;
        topics[count] = make_topic(apply->states.topics[i].plan, apply->err);
        code = topics[count] != NULL ? 0 : WEIR_E_CONFIG;
        count += topics[count] != NULL;
    }
    if (code == 0)
        code = ask(apply, topics, count);
    rd_kafka_NewTopic_destroy_array(topics, count);
    free(topics);
    return code;
}

static const char *first_absent(const struct weir_topic_states *states, bool need_leaders)
{
    for (size_t i = 0; i < states->count; i++)
        if (!states->topics[i].exists || (need_leaders && !states->topics[i].has_leaders))
            return states->topics[i].plan->name;
    return NULL;
}

/* Creates and looks until every topic is there; those made here also until they can be written. */
static int make_complete(struct apply *apply)
{
    const struct timespec pause = {.tv_nsec = LOOK_AGAIN_MS * 1000000L};

    for (;;) {
        int code = topic_states_read(apply->ctl, &apply->states, apply->err);
        if (code < 0)
            return code;
        const char *absent = first_absent(&apply->states, apply->created.len > 0);
        if (absent == NULL)
            return 0;
        if (weir_clock_ms() >= apply->ctl->deadline_ms)
            return weir_error_set(apply->err, WEIR_E_UNAVAILABLE,
                "topic %s is not there or not writable within --timeout, or this principal may not see it",
                absent);
        if (first_absent(&apply->states, false) != NULL && (code = create_missing(apply)) < 0)
            return code;
        nanosleep(&pause, NULL);
    }
}

static int print(const struct apply *apply)
{
    WEIR_CLEANUP(buffer) struct weir_buffer lines = {0};
    size_t count = topic_differences_write(apply->ctl, &apply->states, &lines);

    if (lines.failed || apply->created.failed)
        return weir_error_set(apply->err, WEIR_E_INTERNAL, "out of memory");
    if (apply->ctl->arguments->json) {
        printf("{\"ok\":%s,\"created\":[%.*s],\"differences\":[%.*s]}\n", count == 0 ? "true" : "false",
            (int)apply->created.len, apply->created.len > 0 ? apply->created.data : "", (int)lines.len,
            lines.len > 0 ? lines.data : "");
    } else {
        if (apply->created.len > 0)
            fwrite(apply->created.data, 1, apply->created.len, stdout);
        if (lines.len > 0)
            fwrite(lines.data, 1, lines.len, stdout);
        if (count == 0)
            printf("%zu topics are as they should be\n", apply->states.count);
    }
    return count == 0 ? 0 : EX_DATAERR;
}

int topics_apply_run(struct weirctl *ctl, struct weir_error *err)
{
    struct apply apply = {.ctl = ctl, .err = err};

    if (ctl->deployment->kafka.dev) {
        fputs("weirctl: [kafka] dev = true: weir-devbroker makes the topics of its configuration by itself; "
              "checking only\n",
            stderr);
        return topics_check_run(ctl, err);
    }
    int code = weir_topic_states_plan(ctl->deployment, NULL, NULL, &apply.states, err);
    if (code == 0)
        code = weirctl_connect(ctl, err);
    if (code == 0)
        code = make_complete(&apply);
    code = code < 0 ? code : print(&apply);
    weir_buffer_done(&apply.created);
    weir_topic_states_done(&apply.states);
    return code;
}

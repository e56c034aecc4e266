/* What the dlq subcommands share: their flags and the dead-letter topics that are meant. */
#ifndef WEIR_DEPLOY_WEIRCTL_DLQ_H
#define WEIR_DEPLOY_WEIRCTL_DLQ_H

#include "common/dead_letter_settings.h"
#include "common/kafka_dead_letter.h"
#include "deploy/weirctl/progress.h"
#include "deploy/weirctl/weirctl.h"

struct dlq_settings {
    char *service, *topic;
    struct weir_letter_settings letters;
    struct weir_redrive_settings redrive;
    int64_t limit;
    bool yes;
    char **sets;
};

struct dlq {
    struct weirctl *ctl;
    const struct dlq_settings *settings;
    struct weir_kafka_scan *scan;
    struct weir_letters_topic *topics;
    size_t topic_count;
    struct weir_letter_filter filter;
    char source[WEIR_TOPIC_NAME_BYTES]; /* of the filter */
    struct progress progress;
};

/* Finds the topics, makes the filter of the flags and connects. The caller ends it with dlq_close() in any
 * case. */
int dlq_open(struct weirctl *ctl, struct dlq *ret_dlq, struct weir_error *err);
void dlq_close(struct dlq *dlq);

/* The letter that an operand names: "topic/partition/offset" as list prints it, or "partition/offset" where
 * one topic is meant. WEIR_E_USAGE. */
int dlq_letter(const struct dlq *dlq, const char *operand, const struct weir_letters_topic **ret_topic,
    struct weir_letters_range *ret_range, struct weir_error *err);

/* What was redriven of a topic. A retry topic that is not there holds nothing. */
int dlq_redriven(struct dlq *dlq, const struct weir_letters_topic *topic, struct weir_redriven *redriven,
    struct weir_error *err);

#endif

#include "deploy/weirctl/dlq.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

struct purge {
    struct dlq *dlq;
    rd_kafka_topic_partition_list_t *ends; /* offsets behind the last letter to be deleted */
    struct weir_buffer out;
    bool json;
};

struct count {
    int64_t open, redriven;
};

static int take(void *context, const struct weir_letter *letter, bool redriven, struct weir_error *err)
{
    struct count *count = context;

    (void)letter;
    (void)err;
    *(redriven ? &count->redriven : &count->open) += 1;
    return 0;
}

static void tell(
    struct purge *purge, const struct weir_letters_range *range, const char *topic, const struct count *count)
{
    struct weir_buffer *out = &purge->out;

    if (purge->json)
        weir_buffer_printf(out,
            "%s{\"topic\":\"%s\",\"partition\":%" PRId32 ",\"to_offset\":%" PRId64 ",\"open\":%" PRId64
            ",\"redriven\":%" PRId64 "}",
            out->len > 0 ? "," : "", topic, range->partition, range->to, count->open, count->redriven);
    else
        weir_buffer_printf(out,
            "%s%s/%" PRId32 ": letters to offset %" PRId64 ", %" PRId64 " of them open, %" PRId64 " redriven",
            out->len > 0 ? "\n" : "", topic, range->partition, range->to, count->open, count->redriven);
}

static int add_letter(struct purge *purge, const char *operand, struct weir_error *err)
{
    WEIR_CLEANUP(redriven) struct weir_redriven redriven = {0};
    struct weir_letters_range range;
    struct weir_letters_query query = {.filter = WEIR_LETTER_ANY, .ranges = &range, .range_count = 1};
    struct count count = {0};

    int code = dlq_letter(purge->dlq, operand, &query.topic, &range, err);
    if (code < 0)
        return code;
    range.from = 0;
    code = dlq_redriven(purge->dlq, query.topic, &redriven, err);
    if (code == 0)
        code = weir_letters_each(purge->dlq->scan, &query, &redriven, take, &count, err);
    if (code < 0)
        return code;
    if (rd_kafka_topic_partition_list_find(purge->ends, query.topic->letters, range.partition) != NULL)
        return weir_error_set(err, WEIR_E_USAGE, "%s: its partition was named before", operand);
    rd_kafka_topic_partition_list_add(purge->ends, query.topic->letters, range.partition)->offset =
        range.to + 1;
    tell(purge, &range, query.topic->letters, &count);
    return 0;
}

static int take_answer(rd_kafka_event_t *event, struct weir_error *err)
{
    if (event == NULL)
        return weir_error_set(err, WEIR_E_TIMEOUT, "no answer about the deletion in time");
    rd_kafka_resp_err_t failed = rd_kafka_event_error(event);
    if (failed != RD_KAFKA_RESP_ERR_NO_ERROR)
        return weir_kafka_error_set(err, failed, "delete");
    const rd_kafka_topic_partition_list_t *ends =
        rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event));
    int code = 0;
    for (int i = 0; i < ends->cnt; i++)
        if (ends->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR)
            code = weir_kafka_error_set(err, ends->elems[i].err, ends->elems[i].topic);
    return code;
}

static int delete_letters(struct purge *purge, struct weir_error *err)
{
    rd_kafka_t *kafka = purge->dlq->ctl->kafka;
    int left_ms = weirctl_left_ms(purge->dlq->ctl);
    rd_kafka_DeleteRecords_t *records = rd_kafka_DeleteRecords_new(purge->ends);
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(kafka, RD_KAFKA_ADMIN_OP_DELETERECORDS);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka);

    rd_kafka_AdminOptions_set_request_timeout(options, left_ms, NULL, 0);
    rd_kafka_DeleteRecords(kafka, &records, 1, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, left_ms + 1000);
    int code = take_answer(event, err);
    if (event != NULL)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_DeleteRecords_destroy(records);
    return code;
}

static int run(struct purge *purge, struct weir_error *err)
{
    const struct arguments *arguments = purge->dlq->ctl->arguments;
    bool yes = purge->dlq->settings->yes;
    int code = 0;

    for (int i = 0; i < arguments->operand_count && code == 0; i++)
        code = add_letter(purge, arguments->operands[i], err);
    if (code == 0 && yes)
        code = delete_letters(purge, err);
    progress_end(&purge->dlq->progress);
    if (code < 0)
        return code;
    if (purge->json)
        printf("{\"deleted\":%s,\"partitions\":[%s]}\n", yes ? "true" : "false", purge->out.data);
    else
        printf(
            "%s\n%s\n", purge->out.data, yes ? "deleted" : "nothing was deleted: say --yes to delete them");
    return yes ? 0 : EX_USAGE;
}

int dlq_purge_run(struct weirctl *ctl, struct weir_error *err)
{
    struct dlq dlq;
    struct purge purge = {.dlq = &dlq, .json = ctl->arguments->json};

    if (ctl->arguments->operand_count == 0)
        return weir_error_set(err, WEIR_E_USAGE,
            "dlq purge takes the last letter of each partition that is to be deleted, as dlq list prints it");
    if (ctl->deployment->kafka.dev)
        return weir_error_set(err, WEIR_E_UNSUPPORTED,
            "dlq purge: the dev broker can't delete records; it forgets all of them when it ends");
    purge.ends = rd_kafka_topic_partition_list_new(ctl->arguments->operand_count);
    int code = dlq_open(ctl, &dlq, err);
    if (code == 0)
        code = run(&purge, err);
    rd_kafka_topic_partition_list_destroy(purge.ends);
    weir_buffer_done(&purge.out);
    dlq_close(&dlq);
    return code;
}

/* The transactions of a redrive, for common/kafka_redrive.c only. */
#ifndef WEIR_COMMON_KAFKA_REDRIVE_WRITER_H
#define WEIR_COMMON_KAFKA_REDRIVE_WRITER_H

#include "common/dead_letter.h"
#include "common/deployment.h"
#include "common/kafka_dead_letter.h"

struct weir_redrive_writer;

/* Fences every earlier writer of the topic and ends what it left open. The caller closes. */
int weir_redrive_writer_open(const struct weir_deployment *deployment, const struct weir_letters_topic *topic,
    int timeout_ms, struct weir_redrive_writer **ret_writer, struct weir_error *err);
/* What is not committed is aborted. */
void weir_redrive_writer_close(struct weir_redrive_writer *writer);

/* Hands one record over and commits when the transaction is large or old enough. *ret_committed: how many
 * records that made safe. */
int weir_redrive_writer_send(struct weir_redrive_writer *writer, const struct weir_letter *letter,
    struct weir_bytes value, const struct weir_letter_return *back, int64_t *ret_committed,
    struct weir_error *err);
/* The rest. */
int weir_redrive_writer_commit(
    struct weir_redrive_writer *writer, int64_t *ret_committed, struct weir_error *err);

#endif

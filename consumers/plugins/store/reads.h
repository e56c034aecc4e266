/* What the files of the reads share. They run on the listener's threads, beside the loop: of the store they
 * look only at what is marked so. */
#ifndef WEIR_STORE_READS_H
#define WEIR_STORE_READS_H

#include "consumers/plugins/store/ending.h"
#include "consumers/plugins/store/store.h"

/* One read on its way. */
struct weir_read {
    struct weir_store *store;
    const struct weir_http_request *request;
    struct weir_http_reply *reply;
};

/* 404 about the path, and 503 with Retry-After. */
void weir_read_reply_no_page(const struct weir_read *read);
void weir_read_reply_unavailable(const struct weir_read *read, const char *why);

/* The collection of the first `len` bytes of name; NULL when this store keeps none of that name. */
const struct weir_source *weir_read_find_collection(
    const struct weir_store *store, const char *name, size_t len);

/* Whether the partition may be read; else 503 is the reply. */
bool weir_read_is_served(const struct weir_read *read, const struct weir_partition *own);

/* The query parameters offset (-1: none is asked for) and wait, in ms. 400 is the reply and false the answer
 * when one of them is no number. */
struct weir_read_wait {
    int64_t offset, wait_ms;
};
bool weir_read_take_wait(const struct weir_read *read, struct weir_read_wait *ret_wait);
/* Whether the read is to wait on: the reply is "later". */
bool weir_read_waits(const struct weir_read *read, const struct weir_read_wait *wait);

/* Finds collection and key of "orders/KEY"; else the reply is 404. */
bool weir_read_find_document(const struct weir_read *read, const char *rest,
    const struct weir_source **ret_source, struct weir_bytes *ret_key);

/* reads_request.c: rest is "orders/3/REQUEST". */
void weir_read_answer_request(const struct weir_read *read, const char *rest);
/* Append members, each with a comma before it: one (none when text.data is NULL); the outcome of a request
 * and what was wrong; the change that it made, if it made one. */
void weir_read_append_member(struct weir_buffer *out, const char *name, struct weir_bytes text);
void weir_read_append_outcome(const struct weir_ending *ending, struct weir_buffer *out);
void weir_read_append_change(const struct weir_source *source, int32_t partition,
    const struct weir_ending *ending, struct weir_buffer *out);

/* reads_journey.c: rest is "orders/KEY". */
void weir_read_answer_journey(const struct weir_read *read, const char *rest);

/* reads_list.c: rest is "orders/3". */
void weir_read_answer_list(const struct weir_read *read, const char *rest);

#endif

/* What the files of the reads share. They run on the listener's threads, beside the loop: of the store they
 * look only at what is marked so. */
#ifndef WEIR_STORE_READS_H
#define WEIR_STORE_READS_H

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

/* reads_request.c: rest is "orders/3/REQUEST". */
void weir_read_answer_request(const struct weir_read *read, const char *rest);

/* reads_list.c: rest is "orders/3". */
void weir_read_answer_list(const struct weir_read *read, const char *rest);

#endif

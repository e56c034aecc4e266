/* The keys of the ledger's entries on disk. Each function writes into out and answers what it wrote. */
#ifndef WEIR_NOTIFIER_LEDGER_KEYS_H
#define WEIR_NOTIFIER_LEDGER_KEYS_H

#include "common/bytes.h"

#include <stdint.h>

/* The first byte of a key. */
enum weir_ledger_kind {
    WEIR_LEDGER_ROW = 'd',     /* d KEY: the delivery record */
    WEIR_LEDGER_REQUEST = 'r', /* r REQUEST 0 KEY */
    WEIR_LEDGER_TIME = 't',    /* t MS KEY: the request; MS in 8 bytes, big endian */
    WEIR_LEDGER_OUTBOX =
        'o', /* o LOG 0 PARTITION KEY: not in the log yet; PARTITION in 4 bytes, big endian */
    WEIR_LEDGER_REFUSALS = 's', /* s SUBSCRIPTION */
    WEIR_LEDGER_POSITION = 'p'  /* p CLUSTER 0 LOG 0 PARTITION: next offset and when it was, 8 bytes each */
};

enum { WEIR_LEDGER_DELIVERY_MAX = 480 /* bytes of a delivery's key */, WEIR_LEDGER_KEY_BYTES = 1024 };

struct weir_bytes weir_ledger_row_key(char out[static WEIR_LEDGER_KEY_BYTES], const char *key);
/* key "": the prefix of all of the request. */
struct weir_bytes weir_ledger_request_key(
    char out[static WEIR_LEDGER_KEY_BYTES], const char *request, const char *key);
struct weir_bytes weir_ledger_time_key(
    char out[static WEIR_LEDGER_KEY_BYTES], int64_t time_ms, const char *key);
/* key "": the prefix of all of the partition. */
struct weir_bytes weir_ledger_outbox_key(
    char out[static WEIR_LEDGER_KEY_BYTES], const char *log, int32_t partition, const char *key);
struct weir_bytes weir_ledger_refusals_key(char out[static WEIR_LEDGER_KEY_BYTES], const char *subscription);
struct weir_bytes weir_ledger_position_key(
    char out[static WEIR_LEDGER_KEY_BYTES], const char *cluster, const char *log, int32_t partition);

/* Where the delivery's key begins in a key of these kinds; it ends in no NUL. */
struct weir_bytes weir_ledger_key_of_request(struct weir_bytes entry);
struct weir_bytes weir_ledger_key_of_time(struct weir_bytes entry, int64_t *ret_time_ms);
struct weir_bytes weir_ledger_key_of_outbox(struct weir_bytes entry);
int32_t weir_ledger_partition_of_outbox(struct weir_bytes entry);

#endif

/* A host without Kafka for the store: topics in memory, batches whose transaction the test commits, aborts or
 * leaves hanging as a crash would. One collection "orders" (key orderID, 6 partitions) and one "products"
 * (sku, 2).
 *
 * Failing calls end the test. All memory is freed by fake_free. One thread, but fake_get may be called from
 * others.
 */
#ifndef WEIR_TESTS_STORE_FAKE_HOST_H
#define WEIR_TESTS_STORE_FAKE_HOST_H

#include "common/deployment.h"
#include "consumers/plugins/store/settings.h"

#include <weir/plugin.h>

enum fake_source { FAKE_ORDERS, FAKE_PRODUCTS };
enum { FAKE_PARTITIONS = 6, FAKE_HEADERS = 10 };

struct fake_entry {
    struct weir_record record;
    struct weir_header headers[FAKE_HEADERS];
    bool judged; /* it has a verdict */
    enum weir_verdict verdict;
    char disposition[32], text[512];
};

/* One partition of one topic. */
struct fake_log {
    const char *topic;
    int32_t partition;
    struct weir_record *records;
    size_t count;
    int64_t next_offset;
};

struct weir_http_reply {
    unsigned status;
    bool later; /* it waits */
    char body[16384];
    char names[8][32], values[8][320];
    size_t header_count;
};

struct fake {
    char folder[64];
    struct weir_deployment deployment;
    struct weir_collection collections[2];
    struct weir_service service;
    struct weir_store_settings settings;
    const char *cluster, *topic_id; /* of orders.changes */
    int64_t now_ms, waited_ms;
    size_t wakes;
    size_t event_bytes_max;
    struct weir_host host;
    void *instance;
    bool opened, ending; /* ending: nothing waits any more */

    struct fake_entry *batch; /* commands put, then handled */
    size_t batch_count, batch_next;
    struct fake_emitted {
        struct weir_record record;
        uint32_t cause;
    } * emitted;
    size_t emitted_count;
    struct fake_log logs[64];
    size_t log_count;
    int64_t command_offsets[2][FAKE_PARTITIONS];
    char log_text[4096]; /* what the plugin logged */
    void **blocks;
    size_t block_count;
};

/* A host with an empty folder of its own; not yet opened. */
struct fake *fake_new(void);
void fake_free(struct fake *fake);

int fake_open(struct fake *fake, struct weir_error *err);
void fake_close(struct fake *fake);
/* Opens, and takes every partition of both topics. */
void fake_start(struct fake *fake);
/* As kill -9 would: nothing is told to the plugin, its folder is copied as it lies and opened from there. */
void fake_crash(struct fake *fake);

/* Assigns the partition, feeds its change and outcome topics from the positions that the plugin names, and
 * says that they are caught up. */
int fake_take(struct fake *fake, enum fake_source source, int32_t partition, struct weir_error *err);

/* Puts a command on the topic. type: "create", …, or NULL for a record without headers. value NULL: null.
 * headers: more of them, pairs of name and value, ended by NULL. Answers its entry, which fake_handle judges.
 */
struct fake_entry *fake_put(struct fake *fake, enum fake_source source, const char *type, const char *request,
    const char *key, const char *value, ...) __attribute__((sentinel));

int fake_handle(struct fake *fake, struct weir_error *err);
int fake_commit(struct fake *fake, struct weir_error *err);
void fake_commit_untold(struct fake *fake); /* the transaction is there, the plugin never hears of it */
void fake_abort(struct fake *fake);
/* A tick; answers how many records it emitted, which are to be committed or aborted if there are any. */
size_t fake_tick(struct fake *fake);
/* handle and commit of all that was put; both have to succeed. */
void fake_run(struct fake *fake);

struct fake_log *fake_log(struct fake *fake, const char *topic, int32_t partition);
/* The last record of the key on any partition of the topic, or NULL. */
const struct weir_record *fake_last(struct fake *fake, const char *topic, const char *key);
void fake_forget_topics(struct fake *fake);
size_t fake_count(struct fake *fake, const char *topic);

struct weir_http_reply fake_get(struct fake *fake, const char *method, const char *path, const char *peer);
const char *fake_reply_header(const struct weir_http_reply *reply, const char *name);

/* A text of all documents and endings on disk, key by key with all their bytes; the caller frees. */
char *fake_dump(struct fake *fake);
char *fake_dump_documents(struct fake *fake);

#define assert_text(bytes, text) assert_true(weir_bytes_is(bytes, text))

#endif

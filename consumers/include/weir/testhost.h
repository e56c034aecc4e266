/* A host without Kafka, for tests of plugins: feed records, have them handled, read verdicts and outputs, commit or abort.
 * It is the real host's own code from the batch up; only what lies below is left out. Link -lweir-testhost (pkg-config
 * weir-testhost, CMake target Weir::testhost).
 *
 *     struct weir_testhost *host;
 *     struct weir_error err;
 *     if (weir_testhost_open("./mine.so", "mine.limit = 10\n", &host, &err) < 0)
 *         return fail(err.text);
 *     weir_testhost_feed(host, &(struct weir_record){.key = weir_bytes_str("k"), .value = weir_bytes_str("{}")});
 *     assert(weir_testhost_handle(host, &err) == 0 && weir_testhost_verdict(host, 0) == WEIR_DONE);
 *     assert(weir_testhost_output_count(host) == 1 && weir_testhost_commit(host, &err) == 0);
 *     weir_testhost_close(host);
 *
 * Not thread-safe. One host a process at a time. What it answers belongs to it and lives until the next commit, abort or
 * close. A wrong use of it (an index beyond the count) ends the process with abort(3). */
#ifndef WEIR_TESTHOST_H
#define WEIR_TESTHOST_H

#include <weir/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WEIR_TESTHOST_API __attribute__((visibility("default")))

enum { WEIR_TESTHOST_PARTITIONS = 2 };

struct weir_testhost;

/* Loads the plugin file, reads `options` (lines of its [service] section, e.g. "mine.limit = 10\n"; NULL: none), opens
 * an instance and assigns it partitions 0 and 1 of its source topic `orders`; tables are empty. 0, or WEIR_E_CONFIG and
 * what open and assigned answer. */
WEIR_TESTHOST_API int weir_testhost_open(
    const char *plugin, const char *options, struct weir_testhost **ret_host, struct weir_error *err);
/* The same for a [service] of a configuration file, with all partitions of its topics. What a plugin keeps on disk is
 * temporary where it can be, as on the dev broker; its listeners are on free ports of 127.0.0.1. */
WEIR_TESTHOST_API int weir_testhost_open_service(
    const char *config, const char *service, struct weir_testhost **ret_host, struct weir_error *err);
/* Revokes the partitions, closes the instance. NULL is allowed. */
WEIR_TESTHOST_API void weir_testhost_close(struct weir_testhost *host);

/* The plugin as it was loaded, with what its struct lacks zeroed, and its instance: for calls that are not below. */
WEIR_TESTHOST_API const struct weir_plugin *weir_testhost_plugin(const struct weir_testhost *host);
WEIR_TESTHOST_API void *weir_testhost_instance(const struct weir_testhost *host);

/* Puts a record, copied, into the next batch: key, value, headers, source, partition, timestamp_ms and executions
 * are taken from it; its offset is the partition's next, or the given one when that is higher. 0; WEIR_E_NOT_FOUND when
 * there is no such source or partition, WEIR_E_BUSY when 10,000 are waiting. */
WEIR_TESTHOST_API int weir_testhost_feed(
    struct weir_testhost *host, const struct weir_record *record, struct weir_error *err);
/* Records of one partition of one of the plugin's tables. What table_apply answers. */
WEIR_TESTHOST_API int weir_testhost_apply(struct weir_testhost *host, uint32_t table,
    const struct weir_record *records, size_t count, struct weir_error *err);
/* The largest record that `topic` takes, in bytes; 1 MiB unless it was said. */
WEIR_TESTHOST_API void weir_testhost_limit(struct weir_testhost *host, const char *topic, size_t bytes);

/* Has what was fed handled: handle, then dead_letter for each record that ends there. 0, or what handle answers: then
 * nothing counts, and abort is to follow. Without records it handles an empty batch. */
WEIR_TESTHOST_API int weir_testhost_handle(struct weir_testhost *host, struct weir_error *err);
/* One tick; outputs as after handle. */
WEIR_TESTHOST_API void weir_testhost_tick(struct weir_testhost *host);
/* Ends what handle or tick began: committed with the outputs' offsets, what it answers; or aborted. Records that are not
 * finished (RETRY, WAIT, not reached; after abort all) wait for the next batch, deferred ones until they are woken. */
WEIR_TESTHOST_API int weir_testhost_commit(struct weir_testhost *host, struct weir_error *err);
WEIR_TESTHOST_API void weir_testhost_abort(struct weir_testhost *host);

/* Verdicts beside enum weir_verdict. */
enum {
    WEIR_TESTHOST_NOT_HANDED = -1, /* behind a RETRY of its key or a WAIT, or never asked for by next() */
    WEIR_TESTHOST_NO_VERDICT = -2, /* handed out, and handle() returned without a verdict: handed out again */
    WEIR_TESTHOST_DEFERRED = -3    /* defer() */
};

/* Of the batch that was handled: its records by source and partition, each in the order of feeding, what became of each, and why. A record whose last
 * execution had RETRY is WEIR_REJECT, "max-attempts". */
WEIR_TESTHOST_API size_t weir_testhost_record_count(const struct weir_testhost *host);
WEIR_TESTHOST_API const struct weir_record *weir_testhost_record(const struct weir_testhost *host, size_t i);
WEIR_TESTHOST_API int weir_testhost_verdict(const struct weir_testhost *host, size_t i);
WEIR_TESTHOST_API const struct weir_reason *weir_testhost_reason(const struct weir_testhost *host, size_t i);

/* A record that would be committed, in the order of emitting. */
struct weir_testhost_output {
    uint32_t cause; /* index of its record among those handed out; WEIR_NO_RECORD from tick */
    const char *topic;
    int32_t partition;
    struct weir_bytes key, value;
    const struct weir_header *headers;
    size_t header_count;
};

WEIR_TESTHOST_API size_t weir_testhost_output_count(const struct weir_testhost *host);
WEIR_TESTHOST_API struct weir_testhost_output weir_testhost_output(const struct weir_testhost *host, size_t i);

/* health() of the plugin, true where it has none; its detail as a JSON object into detail (size bytes with the NUL, cut). */
WEIR_TESTHOST_API bool weir_testhost_health(const struct weir_testhost *host, char *detail, size_t size);

#ifdef __cplusplus
}
#endif

#endif

/* The folder of a store without its service, or a backup of one: what an operator's tool reads of it and may
 * change. Knows nothing of Kafka. Not thread-safe. */
#ifndef WEIR_STORE_FOLDER_H
#define WEIR_STORE_FOLDER_H

#include "common/bytes.h"
#include "common/cleanup.h"
#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>

struct weir_folder;

/* A partition that the folder holds documents of. */
struct weir_folder_part {
    const char *changes_topic; /* lives as long as the folder is open */
    uint16_t number;           /* of the collection in the folder */
    int32_t partition;
    int64_t checkpoint; /* offset of the change log up to which it is a view of it */
    int64_t known_ms;   /* when that was last known to be so, ms since 1970 */
};

/* Writable takes the folder's lock: WEIR_E_CONFIG while a service has it. WEIR_E_NOT_FOUND: it holds no
 * store. */
int weir_folder_open(
    const char *path, bool writable, struct weir_folder **ret_folder, struct weir_error *err);
void weir_folder_close(struct weir_folder *folder); /* accepts NULL */
WEIR_CLEANUP_DEFINE(folder, struct weir_folder *, weir_folder_close)

const struct weir_folder_part *weir_folder_parts(const struct weir_folder *folder, size_t *ret_count);
/* Documents in it, as RocksDB estimates. */
uint64_t weir_folder_estimate(struct weir_folder *folder);

/* Calls visit for each document of a part, in order of the keys, until it answers false. `stored` is as
 * document.h has it. */
typedef bool weir_folder_visitor(void *context, struct weir_bytes key, struct weir_bytes stored);
int weir_folder_each(struct weir_folder *folder, const struct weir_folder_part *part,
    weir_folder_visitor *visit, void *context, struct weir_error *err);

/* What the folder keeps about itself: "cluster", "topic/NAME". Replaces the content of out. WEIR_E_NOT_FOUND.
 */
int weir_folder_get(
    struct weir_folder *folder, const char *name, struct weir_buffer *out, struct weir_error *err);
/* Changes, all of them with the next weir_folder_write. value NULL deletes. */
void weir_folder_put(struct weir_folder *folder, const char *name, const char *value);
void weir_folder_put_checkpoint(
    struct weir_folder *folder, const struct weir_folder_part *part, int64_t offset, int64_t known_ms);
/* How far the outcome topic was read; it is read again. And how far the command topic, when it is another one. */
void weir_folder_forget_outcomes(struct weir_folder *folder, const struct weir_folder_part *part);
void weir_folder_forget_commands(struct weir_folder *folder, const struct weir_folder_part *part);
int weir_folder_write(struct weir_folder *folder, struct weir_error *err);

/* The name of what stands there while a republish is not through: the store does not take such a folder. */
#define WEIR_FOLDER_REPUBLISHING "republishing"

/* Everything as it is now under hard links at `to`, a folder that does not exist yet, on the same file
 * system. */
int weir_folder_checkpoint(struct weir_folder *folder, const char *to, struct weir_error *err);
/* Removes what a store keeps at path; fine when there is nothing. No service may run on it. */
int weir_folder_remove(const char *path, struct weir_error *err);

#endif

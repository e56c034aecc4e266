#include "common/rocks.h"

#include <stddef.h>
#include <string.h>

enum { LOG_BYTES = 1 << 20, LOG_FILES = 2, LOG_ERRORS = 3, SENTENCE_BYTES = 200 };

/* Sentences of RocksDB 7.8. The first that is found counts: a "block checksum mismatch" is no lock. */
static const struct {
    const char *mark;
    int code;
    size_t advice;
} failures[] = {
    {"No space left", WEIR_E_DISK, offsetof(struct weir_rocks_advice, full)},
    {"Corruption", WEIR_E_CORRUPT, offsetof(struct weir_rocks_advice, corrupt)},
    {"lock ", WEIR_E_CONFIG, offsetof(struct weir_rocks_advice, locked)},
};

static const char *advice_at(const struct weir_rocks_advice *advice, size_t offset)
{
    return *(const char *const *)((const char *)advice + offset);
}

static int find(const char *sentence, const struct weir_rocks_advice *advice, const char **ret_text)
{
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++)
        if (strstr(sentence, failures[i].mark) != NULL) {
            *ret_text = advice_at(advice, failures[i].advice);
            return failures[i].code;
        }
    bool is_disk = strstr(sentence, "IO error") != NULL;
    *ret_text =
        is_disk ? "the disk or the permissions of the folder are at fault" : "RocksDB gave no known reason";
    return is_disk ? WEIR_E_DISK : WEIR_E_INTERNAL;
}

int weir_rocks_fail(
    char *rocks_error, const struct weir_rocks_advice *advice, const char *doing, struct weir_error *err)
{
    const char *text;
    int code = find(rocks_error, advice, &text);

    weir_error_set(err, code, "%s: %s (%.*s)", doing, text, SENTENCE_BYTES, rocks_error);
    rocksdb_free(rocks_error);
    return code;
}

void weir_rocks_set_log(rocksdb_options_t *options, const char *path)
{
    rocksdb_options_set_db_log_dir(options, path);
    rocksdb_options_set_info_log_level(options, LOG_ERRORS);
    rocksdb_options_set_max_log_file_size(options, LOG_BYTES);
    rocksdb_options_set_keep_log_file_num(options, LOG_FILES);
}

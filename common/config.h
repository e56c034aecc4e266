/* The configuration file: INI read by inih behind a strict reader of our own that counts lines, plus the
 * environment. Sections and keys stay text here; weir_config_bind() turns a section into a typed struct.
 *
 * Errors always say `file:line: …`. Refused: NUL, BOM, control characters, invalid UTF-8, a key outside a section,
 * an indented line, a section or key given twice, a name over 128 bytes, a value over 4 KiB, a file over 1 MiB.
 * A comment starts with # or ; at the beginning of a line only, so that a password may hold either.
 *
 * Environment: WEIR_ + section + key in upper case, other characters as _ (WEIR_GATEWAY_LISTEN,
 * WEIR_COLLECTION_ORDERS_PARTITIONS); with _FILE behind it the value is read from that file.
 * Two keys that map to one variable are refused.
 */
#ifndef WEIR_COMMON_CONFIG_H
#define WEIR_COMMON_CONFIG_H

#include "common/cleanup.h"
#include "common/error.h"
#include "common/option.h"

#include <stddef.h>

struct weir_config;

/* Reads path. The caller frees *ret_config. Errors: WEIR_E_CONFIG, WEIR_E_NOT_FOUND. Not thread-safe. */
int weir_config_load(const char *path, struct weir_config **ret_config, struct weir_error *err);

/* The same from memory; `name` stands for the file in errors. */
int weir_config_parse(const char *name, const char *text, size_t len, struct weir_config **ret_config,
    struct weir_error *err);

void weir_config_free(struct weir_config *config);
WEIR_CLEANUP_DEFINE(config, struct weir_config *, weir_config_free)

/* Called for a key that the table does not hold (librdkafka's properties, a plugin's own keys). Answers 0 when it
 * takes the key, 1 when it is unknown to it too (then the nearest name of the table is suggested), or an error,
 * before whose text the caller puts file:line. */
typedef int weir_config_rest_fn(void *context, const char *key, const char *value, struct weir_error *err);

/* Fills settings from fallbacks, then the file's section, then the environment. `section` is the whole name as
 * written: "gateway", "collection orders". An absent section is not an error here (required keys are).
 * `prefix` (may be NULL) takes only keys that begin with it, and cuts it off: a plugin's own ("store.").
 * Settings are zeroed or bound before; after an error, too, weir_option_free() is due.
 * Without `rest`, an unknown key is an error `file:line: unknown key "x", did you mean "y"?`. */
int weir_config_bind(const struct weir_config *config, const char *section, const char *prefix,
    const struct weir_option_table *table, weir_config_rest_fn *rest, void *context, void *settings,
    struct weir_error *err);

/* Whether the section stands in the file. */
bool weir_config_has(const struct weir_config *config, const char *section);

/* The i-th section whose first word is `kind` ("collection"); its second word, or NULL beyond the last. */
const char *weir_config_named(const struct weir_config *config, const char *kind, size_t i);

/* "weir.conf:12" of a key, of the section when key is NULL, or the environment variable's name. Static per thread; the
 * last four answers stay. */
const char *weir_config_where(const struct weir_config *config, const char *section, const char *key);

/* Refuses sections that are none of `kinds` (NULL-terminated: "kafka", "gateway", "collection *" for named ones, …). */
int weir_config_check_sections(const struct weir_config *config, const char *const *kinds, struct weir_error *err);

#endif

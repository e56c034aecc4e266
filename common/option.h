/* Option tables at work: parsing, errors and pages from the rows of <weir/option.h>. A program or plugin declares its
 * rows as const data and gets a filled struct. */
#ifndef WEIR_COMMON_OPTION_H
#define WEIR_COMMON_OPTION_H

#include "common/error.h"

#include <weir/option.h>

struct weir_buffer;

struct weir_option_table {
    const char *section; /* "gateway"; "collection *" and "service *" for named sections */
    const struct weir_option *rows;
    size_t count;
    size_t settings_size;
};

/* Fills every member of settings with its fallback. Settings were zeroed or filled before: what they own is freed. 0, or WEIR_E_CONFIG for a broken table. */
int weir_option_defaults(const struct weir_option_table *table, void *settings, struct weir_error *err);

/* Parses text into the member of one row, freeing what was there. Errors name key, value and what is allowed,
 * e.g. `body.max = 5: sizes are written with a unit, e.g. 64KiB`. */
int weir_option_set(const struct weir_option *row, void *settings, const char *text, struct weir_error *err);

/* The value of a secret as it was given: what stands in the file of @file:PATH or @credential:NAME (systemd's
 * $CREDENTIALS_DIRECTORY), else `text` itself. `key` is for errors, which never hold the value. The caller frees *ret_value.
 * WEIR_E_CONFIG. Threads: any. */
int weir_option_secret(const char *key, const char *text, char **ret_value, struct weir_error *err);
/* Whether text is the secret itself and not the place of one. */
bool weir_option_secret_is_literal(const char *text);

const struct weir_option *weir_option_find(const struct weir_option_table *table, const char *key);

/* The key of `table` nearest to `key` by edit distance, NULL if none is near. */
const char *weir_option_nearest(const struct weir_option_table *table, const char *key);

/* The key of the first row whose value differs between two filled settings of the table, NULL if none; with `fixed`
 * only rows that SIGHUP does not reload are looked at. Threads: any. */
const char *weir_option_changed(
    const struct weir_option_table *table, const void *before, const void *after, bool fixed);

/* Frees what the members own; settings itself stays the caller's. Accepts NULL. */
void weir_option_free(const struct weir_option_table *table, void *settings);

/* Appends the rows as a Markdown table (CONFIGURATION.md) or as aligned text (--help). */
void weir_option_markdown(const struct weir_option_table *table, struct weir_buffer *out);
void weir_option_help(const struct weir_option_table *table, struct weir_buffer *out);

#endif

/* The option table: one row a setting drives parsing, errors, --check-config, --help, the man page and
 * CONFIGURATION.md. A program or plugin declares its rows as const data and gets a filled struct.
 *
 *     struct smtp { char *server; int64_t timeout_ms; };
 *     static const struct weir_option rows[] = {
 *         {.key = "smtp", .type = WEIR_OPTION_ADDRESS, .fallback = "127.0.0.1:25",
 *          .offset = offsetof(struct smtp, server), .help = "SMTP server, host:port"},
 *     };
 */
#ifndef WEIR_COMMON_OPTION_H
#define WEIR_COMMON_OPTION_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct weir_buffer;

enum weir_option_type {
    WEIR_OPTION_STRING,   /* char *: any text without control characters; min/max bound its bytes */
    WEIR_OPTION_BOOL,     /* bool: true|false|yes|no|on|off */
    WEIR_OPTION_INTEGER,  /* int64_t, min..max */
    WEIR_OPTION_DURATION, /* int64_t milliseconds: 500ms, 30s, 5m, 2h, 7d; a bare number is refused */
    WEIR_OPTION_SIZE,     /* int64_t bytes: 64B, 64KiB, 256MiB, 2GiB; a bare number is refused */
    WEIR_OPTION_CHOICE,   /* int64_t: index into `choices`, words separated by '|' */
    WEIR_OPTION_ADDRESS,  /* char *: host:port, [v6]:port, or unix:/path */
    WEIR_OPTION_URL,      /* char *: http://host:port[/path] or https://… */
    WEIR_OPTION_PATH,     /* char *: a file or folder; not checked for existence */
    WEIR_OPTION_LIST,     /* char **: comma-separated, trimmed, no empty entry; ends with NULL */
    WEIR_OPTION_SECRET,   /* char *: the value; given as @file:PATH, @credential:NAME or literally (0600 file) */
};

struct weir_option {
    const char *key;      /* "smtp.sessions": lower case, dots */
    enum weir_option_type type;
    const char *fallback; /* as it would be written; NULL: unset (NULL, 0, false), or an error if required */
    size_t offset;        /* of the member in the settings struct; its C type is given by `type` */
    int64_t min, max;     /* both 0: unbounded. Inclusive; bytes, ms or the number itself */
    const char *choices;  /* CHOICE only: "key|none" */
    bool required;
    bool reload;          /* takes effect at SIGHUP */
    const char *help;     /* one sentence without a full stop */
};

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

/* Frees what the members own; settings itself stays the caller's. Accepts NULL. */
void weir_option_free(const struct weir_option_table *table, void *settings);

/* Appends the rows as a Markdown table (CONFIGURATION.md) or as aligned text (--help). */
void weir_option_markdown(const struct weir_option_table *table, struct weir_buffer *out);
void weir_option_help(const struct weir_option_table *table, struct weir_buffer *out);

#endif

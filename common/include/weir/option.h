/* The option table: one row a setting drives parsing, errors, --check-config, --help and CONFIGURATION.md. A plugin
 * declares its rows as const data and gets a filled struct of its own.
 *
 *     struct settings { char *server; int64_t timeout_ms; };
 *     static const struct weir_option options[] = {
 *         {.key = "timeout", .type = WEIR_OPTION_DURATION, .fallback = "5s", .min = 1, .max = 60000,
 *          .offset = offsetof(struct settings, timeout_ms), .help = "Time that a call may take"},
 *     };
 *
 * Part of the plugin ABI: rows stand in arrays, so that struct weir_option never grows within one WEIR_PLUGIN_ABI.
 * C17 and C++ (designated initialisers: C++20). */
#ifndef WEIR_OPTION_H
#define WEIR_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What is written in the file, and the C type of the member that it fills. */
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
    WEIR_OPTION_SECRET    /* char *: the value; given as @file:PATH, @credential:NAME or literally (0600 file) */
};

struct weir_option {
    const char *key;           /* "smtp.sessions": lower case, dots; the plugin's name goes before it in the file */
    enum weir_option_type type;
    const char *fallback;      /* as it would be written; NULL: unset (NULL, 0, false), or an error if required */
    size_t offset;             /* bytes, of the member in the settings struct */
    int64_t min, max;          /* inclusive; bytes, ms or the number itself; both 0: unbounded */
    const char *choices;       /* CHOICE only: "key|none" */
    bool required;
    bool reload;               /* takes effect at SIGHUP */
    const char *help;          /* one sentence without a full stop */
    const void *reserved[2];   /* NULL */
};

#ifdef __cplusplus
}
#endif

#endif

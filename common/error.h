/* What went wrong, said once: a code that programs act on and a sentence that people read.
 *
 * Functions answer 0 or a negative WEIR_E_* code. A function that can say more takes a last
 * `struct weir_error *err` on the caller's stack; NULL is allowed everywhere. Whoever handles the error
 * logs it, once.
 *
 *     struct weir_error err;
 *     if (weir_config_load(path, &config, &err) < 0)
 *         weir_log(WEIR_LOG_ERROR, "config.refused", "reason=%s", err.text);
 */
#ifndef WEIR_COMMON_ERROR_H
#define WEIR_COMMON_ERROR_H

#include <stdbool.h>
#include <stdint.h>

enum weir_code {
    WEIR_OK = 0,
    WEIR_E_USAGE = -1,       /* the command line is wrong */
    WEIR_E_CONFIG = -2,      /* a setting is wrong or missing */
    WEIR_E_INVALID = -3,     /* input data breaks a rule */
    WEIR_E_TOO_LARGE = -4,   /* input data breaks a size limit */
    WEIR_E_NOT_FOUND = -5,   /* the named thing does not exist */
    WEIR_E_EXISTS = -6,      /* the named thing exists already */
    WEIR_E_UNAVAILABLE = -7, /* the other side is down; nothing was done */
    WEIR_E_TIMEOUT = -8,     /* no answer in time; whether it was done is unknown */
    WEIR_E_BUSY = -9,        /* a local limit is reached; nothing was done */
    WEIR_E_FENCED = -10,     /* another instance has taken over */
    WEIR_E_FATAL = -11,      /* a handle is beyond repair and has to be renewed */
    WEIR_E_CORRUPT = -12,    /* stored data is damaged */
    WEIR_E_DISK = -13,       /* the disk is full or fails */
    WEIR_E_UNSUPPORTED = -14,/* the installed library or the other side can't do it */
    WEIR_E_INTERNAL = -15,   /* a rule of Weir's own was broken, or memory is out */
};

enum { WEIR_ERROR_TEXT_BYTES = 512 };

struct weir_error {
    int code;                         /* enum weir_code */
    bool retriable;                   /* the same call may succeed later */
    char text[WEIR_ERROR_TEXT_BYTES]; /* one line, no newline, cut at the limit */
};

/* Fills err (if not NULL) and answers code, so that `return weir_error_set(err, …)` reads well.
 * The code decides `retriable` by the table in error.c. Threads: any. */
int weir_error_set(struct weir_error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " before the text that is there already. Answers err's code. */
int weir_error_prefix(struct weir_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "invalid", "unavailable", …: stable names for logs and metrics. */
const char *weir_code_name(int code);

/* The HTTP status (RFC 9110) that tells a client of this code: 400, 404, 503, … */
int weir_code_http_status(int code);

/* The exit status (sysexits.h) of a program that ends with this code: 64, 65, 69, 70, 74, 78. */
int weir_code_exit_status(int code);

#endif

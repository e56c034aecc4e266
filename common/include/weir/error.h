/* What went wrong, said once: a code that programs act on and a sentence that people read.
 *
 * Functions answer 0 or a negative WEIR_E_* code. A function that can say more takes a last `struct weir_error *err`
 * on the caller's stack. Whoever handles the error logs it, once.
 *
 *     if (settings->port == 0)
 *         return weir_fail(err, WEIR_E_CONFIG, "mine.port = %d: a port is 1 to 65535", settings->port);
 *
 * Threads: any. Part of the plugin ABI: within one WEIR_PLUGIN_ABI codes are only added. C17 and C++. */
#ifndef WEIR_ERROR_H
#define WEIR_ERROR_H

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

enum weir_code {
    WEIR_OK = 0,
    WEIR_E_USAGE = -1,        /* the command line, or a call, is wrong */
    WEIR_E_CONFIG = -2,       /* a setting is wrong or missing */
    WEIR_E_INVALID = -3,      /* input data breaks a rule */
    WEIR_E_TOO_LARGE = -4,    /* input data breaks a size limit */
    WEIR_E_NOT_FOUND = -5,    /* the named thing does not exist */
    WEIR_E_EXISTS = -6,       /* the named thing exists already */
    WEIR_E_UNAVAILABLE = -7,  /* the other side is down; nothing was done */
    WEIR_E_TIMEOUT = -8,      /* no answer in time; whether it was done is unknown */
    WEIR_E_BUSY = -9,         /* a local limit is reached; nothing was done */
    WEIR_E_FENCED = -10,      /* another instance has taken over */
    WEIR_E_FATAL = -11,       /* a handle is beyond repair and has to be renewed */
    WEIR_E_CORRUPT = -12,     /* stored data is damaged */
    WEIR_E_DISK = -13,        /* the disk is full or fails */
    WEIR_E_UNSUPPORTED = -14, /* the installed library or the other side can't do it */
    WEIR_E_INTERNAL = -15     /* a rule of the program's own was broken, or memory is out */
};

enum { WEIR_ERROR_TEXT_BYTES = 512 };

struct weir_error {
    int code;                         /* enum weir_code */
    char text[WEIR_ERROR_TEXT_BYTES]; /* one line, no newline, cut at the limit */
};

/* Fills err (if not NULL) and answers code, so that `return weir_fail(err, …)` reads well. format as printf(3). */
#ifdef __GNUC__
__attribute__((format(printf, 3, 4)))
#endif
static inline int weir_fail(struct weir_error *err, int code, const char *format, ...)
{
    va_list arguments;
    if (err == NULL)
        return code;
    err->code = code;
    va_start(arguments, format);
    vsnprintf(err->text, sizeof(err->text), format, arguments);
    va_end(arguments);
    return code;
}

#ifdef __cplusplus
}
#endif

#endif

#include "common/error.h"

#include "common/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

/* What each code means to a client and to a supervisor. */
static const struct code {
    const char *name;
    int http_status;
    int exit_status;
} codes[] = {
    [-WEIR_OK] = {"ok", 200, EX_OK},
    [-WEIR_E_USAGE] = {"usage", 400, EX_USAGE},
    [-WEIR_E_CONFIG] = {"config", 500, EX_CONFIG},
    [-WEIR_E_INVALID] = {"invalid", 400, EX_DATAERR},
    [-WEIR_E_TOO_LARGE] = {"too-large", 413, EX_DATAERR},
    /* A program that ends because something is not there was told to look in the wrong place. */
    [-WEIR_E_NOT_FOUND] = {"not-found", 404, EX_CONFIG},
    [-WEIR_E_EXISTS] = {"exists", 409, EX_UNAVAILABLE},
    [-WEIR_E_UNAVAILABLE] = {"unavailable", 503, EX_UNAVAILABLE},
    [-WEIR_E_TIMEOUT] = {"timeout", 504, EX_UNAVAILABLE},
    [-WEIR_E_BUSY] = {"busy", 503, EX_UNAVAILABLE},
    [-WEIR_E_FENCED] = {"fenced", 503, EX_CONFIG},
    [-WEIR_E_FATAL] = {"fatal", 503, EX_SOFTWARE},
    /* Supervisors start again what had no room, and leave alone what no start mends. */
    [-WEIR_E_CORRUPT] = {"corrupt", 500, EX_IOERR},
    [-WEIR_E_DISK] = {"disk", 503, EX_TEMPFAIL},
    [-WEIR_E_UNSUPPORTED] = {"unsupported", 501, EX_CONFIG},
    [-WEIR_E_INTERNAL] = {"internal", 500, EX_SOFTWARE},
};

static const struct code *find_code(int code)
{
    const int count = (int)(sizeof(codes) / sizeof(codes[0]));
    return code > 0 || code <= -count ? &codes[-WEIR_E_INTERNAL] : &codes[-code];
}

/* One line, whatever the arguments held; cut where a character begins. */
static void store_text(struct weir_error *err, const char *text)
{
    size_t len = 0;

    while (text[len] != '\0') {
        size_t step = weir_utf8_next(weir_bytes(text + len, strnlen(text + len, 4)));
        if (len + (step > 0 ? step : 1) >= sizeof(err->text))
            break;
        if (step == 0 || (unsigned char)text[len] < ' ' || text[len] == 0x7f) {
            err->text[len] = step == 0 ? '?' : ' ';
            len++;
            continue;
        }
        memcpy(err->text + len, text + len, step);
        len += step;
    }
    err->text[len] = '\0';
}

int weir_error_set(struct weir_error *err, int code, const char *format, ...)
{
    char text[2 * WEIR_ERROR_TEXT_BYTES]; /* not err->text: it may be among the arguments */
    va_list arguments;

    if (err == NULL)
        return code;
    va_start(arguments, format);
    if (vsnprintf(text, sizeof(text), format, arguments) < 0)
        text[0] = '\0';
    va_end(arguments);
    err->code = code;
    store_text(err, text);
    return code;
}

int weir_error_prefix(struct weir_error *err, const char *format, ...)
{
    char text[3 * WEIR_ERROR_TEXT_BYTES];
    va_list arguments;

    if (err == NULL)
        return WEIR_E_INTERNAL;
    va_start(arguments, format);
    int len = vsnprintf(text, WEIR_ERROR_TEXT_BYTES, format, arguments);
    va_end(arguments);
    if (len < 0)
        return err->code;
    size_t used = strnlen(text, WEIR_ERROR_TEXT_BYTES);
    snprintf(text + used, sizeof(text) - used, ": %s", err->text);
    store_text(err, text);
    return err->code;
}

const char *weir_code_name(int code)
{
    return find_code(code)->name;
}

int weir_code_http_status(int code)
{
    return find_code(code)->http_status;
}

int weir_code_exit_status(int code)
{
    return find_code(code)->exit_status;
}

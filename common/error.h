/* What is said and done with struct weir_error of <weir/error.h>; NULL is allowed for it everywhere.
 *
 *     struct weir_error err;
 *     if (weir_config_load(path, &config, &err) < 0)
 *         weir_log(WEIR_LOG_ERROR, "config.refused", "reason=%s", err.text);
 */
#ifndef WEIR_COMMON_ERROR_H
#define WEIR_COMMON_ERROR_H

#include <weir/error.h>

#include <stdbool.h>
#include <stdint.h>

/* Fills err (if not NULL) and answers code, so that `return weir_error_set(err, …)` reads well.
 * One line, well-formed UTF-8, whatever the arguments held. Threads: any. */
int weir_error_set(struct weir_error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " before the text that is there already. Answers err's code. */
int weir_error_prefix(struct weir_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "invalid", "unavailable", …: stable names for logs and metrics. */
const char *weir_code_name(int code);

/* The HTTP status (RFC 9110) that tells a client of this code: 400, 404, 503, … */
int weir_code_http_status(int code);

/* The exit status (sysexits.h) of a program that ends with this code: 64, 65, 69, 70, 74, 75, 78. */
int weir_code_exit_status(int code);

#endif

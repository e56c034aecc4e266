/* A line of the log in the making: text that anybody may have written becomes words and strings that every
 * reader of logfmt or JSON takes apart again. Strings are quoted as JSON's are, in logfmt too; a byte that is
 * no UTF-8 is shown as the four characters \xNN. Memory is fixed: what is too long is cut, with "…", and the
 * line is still a whole one. */
#ifndef WEIR_COMMON_LOG_LINE_H
#define WEIR_COMMON_LOG_LINE_H

#include "common/bytes.h"

#include <stdbool.h>
#include <stddef.h>

/* PIPE_BUF: up to here a write to a pipe is not mixed with those of others. */
enum { WEIR_LOG_LINE_BYTES = 4096 };

enum weir_log_cut { WEIR_LOG_WHOLE, WEIR_LOG_CUT, WEIR_LOG_CUT_IN_QUOTES };

struct weir_log_line {
    char data[WEIR_LOG_LINE_BYTES];
    size_t len;
    enum weir_log_cut cut; /* from here on nothing is put any more */
};

/* As it is, whole or not at all. */
void weir_log_line_put(struct weir_log_line *line, struct weir_bytes text);
void weir_log_line_put_str(struct weir_log_line *line, const char *text);

/* A value of logfmt: bare where it is one word, else quoted. */
void weir_log_line_put_word(struct weir_log_line *line, struct weir_bytes text);

/* A member of a JSON object, with the comma before it; a number as it is, all else as a string. */
void weir_log_line_put_member(
    struct weir_log_line *line, const char *name, struct weir_bytes value, bool number);

/* Closes what is open, and the line. */
void weir_log_line_end(struct weir_log_line *line, bool json);

#endif

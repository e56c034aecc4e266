/* How the values of options are written: numbers with their units, addresses, URLs, secrets, and the sentences that
 * refuse them. For common/option*.c only. Threads: any. */
#ifndef WEIR_COMMON_OPTION_TEXT_H
#define WEIR_COMMON_OPTION_TEXT_H

#include "common/bytes.h"
#include "common/error.h"
#include "common/option.h"

#include <stdbool.h>
#include <stdint.h>

enum weir_measure { WEIR_MEASURE_OK, WEIR_MEASURE_NO_NUMBER, WEIR_MEASURE_OVERFLOW };

/* Reads INTEGER, DURATION (to ms) or SIZE (to bytes). */
enum weir_measure weir_option_text_measure(enum weir_option_type type, const char *text, int64_t *ret_value);
/* "sizes are written with a unit, e.g. 64KiB" */
const char *weir_option_text_hint(enum weir_option_type type);
/* Appends value in the largest unit that expresses it exactly: 90000 → "90s". */
void weir_option_text_value(enum weir_option_type type, int64_t value, struct weir_buffer *out);
/* Appends "1s to 1h", "1 to 255 bytes", "any number" …, "" where a type has no range. */
void weir_option_text_range(const struct weir_option *row, struct weir_buffer *out);
/* "duration", "a|b": what stands in the type column. */
const char *weir_option_text_type(const struct weir_option *row);

bool weir_option_text_has_control(const char *text);
bool weir_option_text_is_address(const char *text);
bool weir_option_text_is_url(const char *text);

/* Fills err with `key = text: …`; a secret is printed as ***. Answers WEIR_E_CONFIG. */
int weir_option_text_refuse(const struct weir_option *row, const char *text, struct weir_error *err,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif

/* Exact arithmetic on numbers as JSON writes them: 19.99 + 0.01 is 20.00, which no double can promise.
 *
 * A sum has as many decimals as the operand that has more. An exponent is worked out: 1e2 + 1 is 101. Numbers
 * and sums have at most WEIR_DECIMAL_DIGITS digits, those before the point and the decimals together (as
 * decimal128 of IEEE 754). Pure. Threads: any.
 */
#ifndef WEIR_STORE_DECIMAL_H
#define WEIR_STORE_DECIMAL_H

#include "common/bytes.h"

#include <stdbool.h>

enum { WEIR_DECIMAL_DIGITS = 34 };

/* units / 10^decimals */
struct weir_decimal {
    __int128 units;
    int decimals; /* 0 to WEIR_DECIMAL_DIGITS */
};

/* text: a JSON number. False when it is none, or has too many digits. */
bool weir_decimal_read(struct weir_bytes text, struct weir_decimal *ret_decimal);
/* False when the sum has too many digits. */
bool weir_decimal_add(struct weir_decimal a, struct weir_decimal b, struct weir_decimal *ret_sum);
/* Below, at or above 0, as a is below, equal to or above b. */
int weir_decimal_compare(struct weir_decimal a, struct weir_decimal b);
/* Appends the number without an exponent; never -0. */
void weir_decimal_write(struct weir_decimal decimal, struct weir_buffer *out);

#endif

#include "consumers/plugins/store/decimal.h"

enum { EXPONENT_MAX = 9999, SPARE_DIGITS = 38 };

static const __int128 limit = (__int128)100000000000000000 * 100000000000000000; /* 10^34 */

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static bool fits(struct weir_decimal decimal)
{
    return decimal.units < limit && decimal.units > -limit;
}

/* Makes decimals grow to `decimals` without changing the number; false when it gets too many digits. */
static bool widen(struct weir_decimal *decimal, int decimals)
{
    if (decimal->units == 0)
        decimal->decimals = decimals;
    for (; decimal->decimals < decimals && fits(*decimal); decimal->decimals++)
        decimal->units *= 10;
    return fits(*decimal);
}

/* Takes digits off text; each one behind the point is a decimal more. */
static bool take_digits(struct weir_bytes *text, int decimals, struct weir_decimal *decimal)
{
    size_t count = 0;

    for (; count < text->len && is_digit(text->data[count]); count++) {
        decimal->units = decimal->units * 10 + (text->data[count] - '0');
        decimal->decimals += decimals;
        if (!fits(*decimal) || decimal->decimals > WEIR_DECIMAL_DIGITS)
            return false;
    }
    *text = weir_bytes(text->data + count, text->len - count);
    return count > 0;
}

static bool take_sign(struct weir_bytes *text, bool plus)
{
    bool negative = text->len > 0 && text->data[0] == '-';

    if (negative || (plus && text->len > 0 && text->data[0] == '+'))
        *text = weir_bytes(text->data + 1, text->len - 1);
    return negative;
}

/* "e-2" or nothing. */
static bool take_exponent(struct weir_bytes *text, int *ret_exponent)
{
    int exponent = 0;
    size_t count = 0;

    *ret_exponent = 0;
    if (text->len == 0 || (text->data[0] != 'e' && text->data[0] != 'E'))
        return true;
    *text = weir_bytes(text->data + 1, text->len - 1);
    bool negative = take_sign(text, true);
    for (; count < text->len && is_digit(text->data[count]); count++) {
        exponent = exponent * 10 + (text->data[count] - '0');
        if (exponent > EXPONENT_MAX)
            return false;
    }
    *text = weir_bytes(text->data + count, text->len - count);
    *ret_exponent = negative ? -exponent : exponent;
    return count > 0;
}

bool weir_decimal_read(struct weir_bytes text, struct weir_decimal *ret_decimal)
{
    struct weir_decimal decimal = {0};
    int exponent = 0;

    bool negative = take_sign(&text, false);
    if (!take_digits(&text, 0, &decimal))
        return false;
    if (text.len > 0 && text.data[0] == '.') {
        text = weir_bytes(text.data + 1, text.len - 1);
        if (!take_digits(&text, 1, &decimal))
            return false;
    }
    if (!take_exponent(&text, &exponent) || text.len > 0)
        return false;
    decimal.decimals -= exponent;
    if (decimal.decimals > WEIR_DECIMAL_DIGITS || (decimal.decimals < 0 && !widen(&decimal, 0)))
        return false;
    if (negative)
        decimal.units = -decimal.units;
    *ret_decimal = decimal;
    return true;
}

static int max_decimals(struct weir_decimal a, struct weir_decimal b)
{
    return a.decimals > b.decimals ? a.decimals : b.decimals;
}

bool weir_decimal_add(struct weir_decimal a, struct weir_decimal b, struct weir_decimal *ret_sum)
{
    int decimals = max_decimals(a, b);

    if (!widen(&a, decimals) || !widen(&b, decimals))
        return false;
    *ret_sum = (struct weir_decimal){a.units + b.units, decimals};
    return fits(*ret_sum);
}

int weir_decimal_compare(struct weir_decimal a, struct weir_decimal b)
{
    int decimals = max_decimals(a, b);

    /* One that can't be widened is larger than any that can, whatever its sign says. */
    if (!widen(&a, decimals))
        return a.units < 0 ? -1 : 1;
    if (!widen(&b, decimals))
        return b.units < 0 ? 1 : -1;
    return (a.units > b.units) - (a.units < b.units);
}

void weir_decimal_write(struct weir_decimal decimal, struct weir_buffer *out)
{
    char digits[SPARE_DIGITS];
    size_t at = sizeof(digits);
    __int128 units = decimal.units < 0 ? -decimal.units : decimal.units;

    for (int written = 0; units > 0 || written <= decimal.decimals; written++, units /= 10) {
        if (written > 0 && written == decimal.decimals)
            digits[--at] = '.';
        digits[--at] = (char)('0' + (int)(units % 10));
    }
    if (decimal.units < 0)
        digits[--at] = '-';
    weir_buffer_append(out, digits + at, sizeof(digits) - at);
}

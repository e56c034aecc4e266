/* Numbers: limits and multiples, without rounding. */
#include "common/schema_compile.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum { EXACT_POWER_MAX = 22, SIGNIFICANT_MAX = 17 };  /* of ten in a double; digits that tell a double */
static const double exact_count = 1125899906842624.0; /* 2^50: room for the error of one multiplication */

/* ---- exact values ---- */

static int compare_with_real(json_int_t a, double b)
{
    if (b >= 9223372036854775808.0)
        return -1;
    if (b < -9223372036854775808.0)
        return 1;
    json_int_t whole = (json_int_t)b;
    if (a != whole)
        return a < whole ? -1 : 1;
    double fraction = b - (double)whole;
    return fraction > 0 ? -1 : fraction < 0;
}

int weir_schema_compare(const json_t *a, const json_t *b)
{
    if (json_is_integer(a) && json_is_integer(b)) {
        json_int_t left = json_integer_value(a), right = json_integer_value(b);
        return left < right ? -1 : left > right;
    }
    if (json_is_integer(a))
        return compare_with_real(json_integer_value(a), json_real_value(b));
    if (json_is_integer(b))
        return -compare_with_real(json_integer_value(b), json_real_value(a));
    double left = json_real_value(a), right = json_real_value(b);
    return left < right ? -1 : left > right;
}

/* The shortest text that reads as value: what its author most likely wrote. */
static void write_shortest(double value, char out[static 32])
{
    for (int digits = 15; digits <= SIGNIFICANT_MAX; digits++) {
        snprintf(out, 32, "%.*e", digits - 1, value);
        if (strtod(out, NULL) == value)
            return;
    }
}

static struct weir_decimal decimal_of_real(double value)
{
    struct weir_decimal decimal = {0};
    char text[32];
    int places = 0;

    write_shortest(fabs(value), text);
    char *at = text;
    for (bool behind_point = false; *at != 'e'; at++) {
        if (*at < '0' || *at > '9') {
            behind_point = true;
            continue;
        }
        decimal.digits = decimal.digits * 10 + (uint64_t)(*at - '0');
        places += behind_point;
    }
    decimal.exponent = atoi(at + 1) - places;
    while (decimal.digits > 0 && decimal.digits % 10 == 0) {
        decimal.digits /= 10;
        decimal.exponent++;
    }
    return decimal;
}

static struct weir_decimal decimal_of(const json_t *value)
{
    if (json_is_real(value))
        return decimal_of_real(json_real_value(value));
    json_int_t integer = json_integer_value(value);
    return (struct weir_decimal){integer < 0 ? 0 - (uint64_t)integer : (uint64_t)integer, 0};
}

static uint64_t multiply_modulo(uint64_t a, uint64_t b, uint64_t modulus)
{
    return (uint64_t)((unsigned __int128)a * b % modulus);
}

static uint64_t power_of_ten_modulo(int exponent, uint64_t modulus)
{
    uint64_t result = 1 % modulus, square = 10 % modulus;
    for (; exponent > 0; exponent /= 2) {
        if (exponent % 2 != 0)
            result = multiply_modulo(result, square, modulus);
        square = multiply_modulo(square, square, modulus);
    }
    return result;
}

static bool divides(struct weir_decimal divisor, struct weir_decimal value)
{
    int shift = value.exponent - divisor.exponent;
    for (; shift < 0 && value.digits % 10 == 0 && value.digits > 0; shift++)
        value.digits /= 10;
    if (value.digits == 0)
        return true;
    if (shift < 0)
        return false; /* value has decimals that no multiple has */
    return multiply_modulo(value.digits % divisor.digits, power_of_ten_modulo(shift, divisor.digits),
               divisor.digits) == 0;
}

/* value is a multiple of digits / scale when it is the double next to n / scale and digits divide n. Below
 * 2^50 the product finds the only n that can be, and the division, being correctly rounded, tells whether it
 * is. */
static bool is_multiple(const struct weir_schema_number_rule *rule, const json_t *value)
{
    double number = json_number_value(value);
    double count = rule->scale > 0 ? nearbyint(fabs(number) * rule->scale) : exact_count;
    if (count >= exact_count)
        return divides(rule->divisor, decimal_of(value));
    return count / rule->scale == fabs(number) && (uint64_t)count % rule->divisor.digits == 0;
}

/* ---- keywords ---- */

static struct weir_schema_number_rule *rule_of(
    struct weir_schema_compiler *compiler, struct weir_schema_node *node)
{
    if (node->number == NULL)
        node->number = weir_schema_alloc(compiler->schema, sizeof(*node->number));
    return node->number;
}

static int compile_limit(struct weir_schema_compiler *compiler, const struct weir_schema_keyword *keyword,
    struct weir_schema_node *node, json_t *value, const struct weir_schema_place *place)
{
    struct weir_schema_number_rule *rule = rule_of(compiler, node);
    if (rule == NULL)
        return weir_schema_no_memory(compiler);
    if (!json_is_number(value))
        return weir_schema_refuse(compiler, place, "has to be a number");
    *(const json_t **)(void *)((char *)rule + keyword->offset) = value;
    return 0;
}

static int compile_multiple_of(struct weir_schema_compiler *compiler,
    const struct weir_schema_keyword *keyword, struct weir_schema_node *node, json_t *value,
    const struct weir_schema_place *place)
{
    if (!json_is_number(value) || json_number_value(value) <= 0)
        return weir_schema_refuse(compiler, place, "has to be a number above 0");
    int code = compile_limit(compiler, keyword, node, value, place);
    if (code < 0)
        return code;
    struct weir_schema_number_rule *rule = node->number;
    rule->divisor = decimal_of(value);
    bool exact = rule->divisor.exponent <= 0 && rule->divisor.exponent >= -EXACT_POWER_MAX;
    rule->scale = exact ? 1 : 0;
    for (int i = rule->divisor.exponent; exact && i < 0; i++)
        rule->scale *= 10;
    return 0;
}

#define LIMIT(text, member)                                                                                  \
    {                                                                                                        \
        text, WEIR_DRAFT_ANY, compile_limit, offsetof(struct weir_schema_number_rule, member)                \
    }

const struct weir_schema_keyword weir_schema_number_keywords[] = {
    LIMIT("minimum", minimum),
    LIMIT("maximum", maximum),
    LIMIT("exclusiveMinimum", above),
    LIMIT("exclusiveMaximum", below),
    {"multipleOf", WEIR_DRAFT_ANY, compile_multiple_of,
        offsetof(struct weir_schema_number_rule, multiple_of)},
    {0},
};

/* ---- the check ---- */

static bool violated(
    struct weir_schema_run *run, const struct weir_schema_place *place, const char *what, const json_t *limit)
{
    char text[32];

    if (json_is_integer(limit))
        snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(limit));
    for (int digits = 1; json_is_real(limit) && digits <= SIGNIFICANT_MAX; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, json_real_value(limit));
        if (strtod(text, NULL) == json_real_value(limit))
            break;
    }
    return weir_schema_violated(run, place, "has to be %s %s", what, text);
}

bool weir_schema_check_number(const struct weir_schema_number_rule *rule, const json_t *value,
    const struct weir_schema_place *place, struct weir_schema_run *run)
{
    bool valid = true;

    if (rule->minimum != NULL && weir_schema_compare(value, rule->minimum) < 0)
        valid = violated(run, place, "at least", rule->minimum);
    if (rule->maximum != NULL && weir_schema_compare(value, rule->maximum) > 0)
        valid = violated(run, place, "at most", rule->maximum);
    if (rule->above != NULL && weir_schema_compare(value, rule->above) <= 0)
        valid = violated(run, place, "above", rule->above);
    if (rule->below != NULL && weir_schema_compare(value, rule->below) >= 0)
        valid = violated(run, place, "below", rule->below);
    if (rule->multiple_of != NULL && !is_multiple(rule, value))
        valid = violated(run, place, "a multiple of", rule->multiple_of);
    return valid;
}

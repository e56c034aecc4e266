/* Money is added in whole millionths: 3 × 0.1 is 0.3. */
#include "common/json.h"
#include "common/json_span.h"
#include "gateway/checkout.h"

#include <inttypes.h>
#include <stdio.h>

enum { DIGITS = 12, DECIMALS = 6, QUANTITY_MAX = 1000000 };

static const uint64_t ONE = 1000000, TOTAL_MAX = 1000000000000;

struct sum {
    uint64_t whole, millionths; /* of the total */
    int decimals;
};

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* In millionths; false when it is not written as a price. */
static bool read_price(struct weir_bytes text, uint64_t *ret_price, int *ret_decimals)
{
    uint64_t price = 0;
    size_t at = 0;
    int decimals = 0;

    for (; at < text.len && is_digit(text.data[at]); at++)
        price = at < DIGITS ? price * 10 + (uint64_t)(text.data[at] - '0') : price;
    bool valid = at > 0 && at <= DIGITS;
    bool has_point = at < text.len && text.data[at] == '.';
    for (at += has_point; at < text.len && has_point && is_digit(text.data[at]) && decimals < DECIMALS;
         at++) {
        price = price * 10 + (uint64_t)(text.data[at] - '0');
        decimals++;
    }
    *ret_decimals = decimals;
    for (int i = decimals; i < DECIMALS; i++)
        price *= 10;
    *ret_price = price;
    return valid && at == text.len;
}

/* Whole and millionths apart: no product or sum comes near 64 bits. */
static bool add(struct sum *sum, uint64_t price, uint64_t quantity)
{
    sum->whole += price / ONE * quantity;
    sum->millionths += price % ONE * quantity;
    sum->whole += sum->millionths / ONE;
    sum->millionths %= ONE;
    return sum->whole <= TOTAL_MAX;
}

static int refuse(struct weir_error *err, size_t item, const char *member, const char *why)
{
    return weir_error_set(err, WEIR_E_INVALID, "no order (pointer \"/items/%zu%s\"): %s", item, member, why);
}

static int add_item(struct sum *sum, struct weir_bytes item, size_t number, struct weir_error *err)
{
    WEIR_CLEANUP(json) json_t *value = NULL;
    uint64_t price;
    int decimals;

    if (weir_json_parse_object(item, &value, NULL) < 0)
        return refuse(err, number, "", "an item is an object");
    json_int_t quantity = json_integer_value(json_object_get(value, "quantity"));
    if (!json_is_string(json_object_get(value, "sku")))
        return refuse(err, number, "/sku", "it has to name a product");
    if (quantity < 1 || quantity > QUANTITY_MAX)
        return refuse(err, number, "/quantity", "a whole number from 1 to 1000000");
    if (!read_price(weir_json_member(item, "unitPrice"), &price, &decimals))
        return refuse(err, number, "/unitPrice", "a price, as 19.99, with up to 12 digits and 6 decimals");
    sum->decimals = decimals > sum->decimals ? decimals : sum->decimals;
    return add(sum, price, (uint64_t)quantity) ? 0
                                               : refuse(err, number, "", "the total is beyond 1000000000000");
}

int weir_checkout_total(struct weir_bytes items, struct weir_buffer *out, struct weir_error *err)
{
    const char *end = items.data + items.len, *at = weir_json_skip_space(items.data + 1, end);
    struct sum sum = {0};
    char text[64];
    int code = 0;

    for (size_t number = 0; code == 0 && at < end && *at != ']'; number++) {
        const char *behind = weir_json_skip_value(at, end);
        code = add_item(&sum, weir_json_span(at, behind), number, err);
        at = weir_json_skip_space(behind, end);
        at = at < end && *at == ',' ? weir_json_skip_space(at + 1, end) : at;
    }
    int len = snprintf(text, sizeof(text), "%" PRIu64 ".%06" PRIu64, sum.whole, sum.millionths);
    len -= sum.decimals > 0 ? DECIMALS - sum.decimals : DECIMALS + 1;
    weir_buffer_append(out, text, (size_t)len);
    return code;
}

#include "consumers/plugins/store/adjust.h"

#include "common/json.h"
#include "common/json_span.h"

struct turn {
    const struct weir_minimum *minimums;
    size_t minimum_count;
    struct weir_buffer pointer; /* of the member at hand */
    struct weir_buffer *out;
    struct weir_error *err;
};

static void weir_cleanup_turn(struct turn *turn)
{
    weir_buffer_done(&turn->pointer);
}

static int refuse(const struct turn *turn, const char *why)
{
    return weir_error_set(
        turn->err, WEIR_E_INVALID, "adjust (pointer \"%.400s\"): %s", turn->pointer.data, why);
}

static void append_name(struct weir_buffer *pointer, struct weir_bytes name)
{
    weir_buffer_append_str(pointer, "/");
    for (size_t i = 0; i < name.len; i++) {
        if (name.data[i] == '~')
            weir_buffer_append_str(pointer, "~0");
        else if (name.data[i] == '/')
            weir_buffer_append_str(pointer, "~1");
        else
            weir_buffer_append(pointer, &name.data[i], 1);
    }
}

static bool is_object(struct weir_bytes text)
{
    return text.len > 0 && text.data[0] == '{';
}

static bool is_number(struct weir_bytes text)
{
    return text.len > 0 && (text.data[0] == '-' || (text.data[0] >= '0' && text.data[0] <= '9'));
}

/* An integer of a document has 64 bits, so that every reader gets the same one. */
static bool is_kept_whole(struct weir_decimal sum)
{
    return sum.decimals > 0 || (sum.units >= INT64_MIN && sum.units <= INT64_MAX);
}

static int tell_minimum(const struct turn *turn, struct weir_decimal sum, const struct weir_minimum *minimum)
{
    WEIR_CLEANUP(buffer) struct weir_buffer numbers = {0};

    weir_decimal_write(sum, &numbers);
    weir_buffer_append_str(
        &numbers, minimum->exclusive ? ", and it has to be above " : ", and it has to be at least ");
    weir_decimal_write(minimum->least, &numbers);
    if (numbers.failed)
        return WEIR_E_INTERNAL;
    weir_error_set(turn->err, WEIR_E_INVALID, "adjust (pointer \"%.300s\"): it would be %s",
        turn->pointer.data, numbers.data);
    return WEIR_ADJUST_BELOW_MINIMUM;
}

static int check_minimum(const struct turn *turn, struct weir_decimal sum)
{
    for (size_t i = 0; i < turn->minimum_count; i++) {
        const struct weir_minimum *minimum = &turn->minimums[i];
        if (!weir_bytes_is(weir_buffer_bytes(&turn->pointer), minimum->pointer))
            continue;
        int order = weir_decimal_compare(sum, minimum->least);
        if (order < 0 || (order == 0 && minimum->exclusive))
            return tell_minimum(turn, sum, minimum);
    }
    return 0;
}

static int add(struct turn *turn, struct weir_bytes now, struct weir_bytes change)
{
    struct weir_decimal old, added, sum;

    if (!is_number(change))
        return refuse(turn, "only numbers can be added, and objects of them");
    if (!is_number(now))
        return refuse(turn, now.data != NULL ? "the document has something else than a number there"
                                             : "the document has nothing there to add to");
    if (!weir_decimal_read(now, &old) || !weir_decimal_read(change, &added) ||
        !weir_decimal_add(old, added, &sum))
        return refuse(turn, "a number has more than 34 digits");
    if (!is_kept_whole(sum))
        return refuse(turn, "the sum is an integer beyond 64 bits");
    weir_decimal_write(sum, turn->out);
    return check_minimum(turn, sum);
}

static int write_object(struct turn *turn, struct weir_bytes document, struct weir_bytes changes);

static int write_value(struct turn *turn, struct weir_bytes now, struct weir_bytes change)
{
    if (!is_object(change))
        return add(turn, now, change);
    if (!is_object(now))
        return refuse(turn, now.data != NULL ? "the document has something else than an object there"
                                             : "the document has nothing there to add to");
    return write_object(turn, now, change);
}

static int write_member(struct turn *turn, struct weir_bytes document, const struct weir_json_member *member)
{
    WEIR_CLEANUP(free) char *owned = NULL;
    WEIR_CLEANUP(free) char *copy = NULL;
    struct weir_bytes name;
    size_t behind = turn->pointer.len;

    if (!weir_json_decode_string(member->name, &name, &owned) || (copy = weir_bytes_dup(name)) == NULL)
        return WEIR_E_INTERNAL;
    append_name(&turn->pointer, name);
    weir_buffer_append_bytes(turn->out, member->name);
    weir_buffer_append_str(turn->out, ":");
    if (turn->pointer.failed)
        return WEIR_E_INTERNAL;
    int r = write_value(turn, weir_json_member(document, copy), member->value);
    turn->pointer.len = behind;
    return r;
}

static int write_object(struct turn *turn, struct weir_bytes document, struct weir_bytes changes)
{
    struct weir_json_cursor cursor = weir_json_cursor_begin(changes);
    struct weir_json_member member;
    int r = 0;

    weir_buffer_append_str(turn->out, "{");
    for (bool first = true; r == 0 && weir_json_cursor_next(&cursor, &member); first = false) {
        if (!first)
            weir_buffer_append_str(turn->out, ",");
        r = write_member(turn, document, &member);
    }
    weir_buffer_append_str(turn->out, "}");
    return r;
}

int weir_adjust_write(struct weir_bytes document, struct weir_bytes changes,
    const struct weir_minimum *minimums, size_t minimum_count, struct weir_buffer *out,
    struct weir_error *err)
{
    WEIR_CLEANUP(turn)
    struct turn turn = {.minimums = minimums, .minimum_count = minimum_count, .out = out, .err = err};

    int r = write_object(&turn, document, changes);
    return out->failed ? WEIR_E_INTERNAL : r;
}

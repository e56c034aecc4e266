#include "common/envelope.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct weir_bytes weir_header_find(const struct weir_header *headers, size_t count, const char *name)
{
    for (size_t i = count; i > 0; i--)
        if (strcmp(headers[i - 1].name, name) == 0)
            return headers[i - 1].value;
    return WEIR_BYTES_NULL;
}

static const char *const operation_names[] = {
    [WEIR_OPERATION_CREATE] = "create",
    [WEIR_OPERATION_REPLACE] = "replace",
    [WEIR_OPERATION_MERGE] = "merge",
    [WEIR_OPERATION_DELETE] = "delete",
    [WEIR_OPERATION_ADJUST] = "adjust",
};

const char *weir_operation_name(enum weir_operation operation)
{
    return operation_names[operation];
}

/* Bytes of the character at the front by RFC 3629 (no overlong form, no surrogate, nothing above U+10FFFF)
 * and its code point; 0 for none. */
static size_t decode_utf8(const unsigned char *at, size_t left, uint32_t *ret_point)
{
    static const struct {
        unsigned char mask, lead;
        uint32_t least;
    } forms[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};

    for (size_t more = 0; more < 4 && more < left; more++) {
        if ((at[0] & forms[more].mask) != forms[more].lead)
            continue;
        uint32_t point = at[0] & (unsigned char)~forms[more].mask;
        for (size_t i = 1; i <= more; i++) {
            if ((at[i] & 0xc0) != 0x80)
                return 0;
            point = point << 6 | (at[i] & 0x3f);
        }
        *ret_point = point;
        return point >= forms[more].least && point <= 0x10ffff && (point < 0xd800 || point > 0xdfff)
                   ? more + 1
                   : 0;
    }
    return 0;
}

/* What is wrong with text, or NULL. Control characters are U+0000–1F and U+007F–9F. */
static const char *text_fault(struct weir_bytes text)
{
    const unsigned char *at = (const unsigned char *)text.data;

    for (size_t left = text.len; left > 0;) {
        uint32_t point = 0;
        size_t taken = decode_utf8(at, left, &point);
        if (taken == 0)
            return "is not UTF-8";
        if (point < 0x20 || (point >= 0x7f && point <= 0x9f))
            return "holds a control character";
        at += taken;
        left -= taken;
    }
    return NULL;
}

int weir_key_check(struct weir_bytes key, struct weir_error *err)
{
    if (key.data == NULL || key.len == 0)
        return weir_error_set(err, WEIR_E_INVALID, "the key is missing");
    if (key.len > WEIR_KEY_BYTES)
        return weir_error_set(
            err, WEIR_E_INVALID, "the key has %zu bytes, more than %d", key.len, WEIR_KEY_BYTES);
    const char *fault = text_fault(key);
    return fault == NULL ? 0 : weir_error_set(err, WEIR_E_INVALID, "the key %s", fault);
}

/* The headers of a command that are copied as spans. */
static const struct {
    const char *name;
    size_t offset;
} command_headers[] = {
    {WEIR_HEADER_ID, offsetof(struct weir_command, request)},
    {WEIR_HEADER_CONTENT_TYPE, offsetof(struct weir_command, content_type)},
    {WEIR_HEADER_TRACEPARENT, offsetof(struct weir_command, traceparent)},
    {WEIR_HEADER_PRINCIPAL, offsetof(struct weir_command, principal)},
    {WEIR_HEADER_IF_MATCH, offsetof(struct weir_command, if_match)},
    {WEIR_HEADER_IF_NONE_MATCH, offsetof(struct weir_command, if_none_match)},
    {WEIR_HEADER_FINGERPRINT, offsetof(struct weir_command, fingerprint)},
};

static struct weir_bytes *command_span(struct weir_command *command, const char *name)
{
    for (size_t i = 0; i < sizeof(command_headers) / sizeof(command_headers[0]); i++)
        if (strcmp(command_headers[i].name, name) == 0)
            return (struct weir_bytes *)((char *)command + command_headers[i].offset);
    return NULL;
}

static int check_header(const struct weir_header *header, struct weir_error *err)
{
    if (header->value.len > WEIR_HEADER_VALUE_BYTES)
        return weir_error_set(err, WEIR_E_INVALID, "header %s has %zu bytes, more than %d", header->name,
            header->value.len, WEIR_HEADER_VALUE_BYTES);
    const char *fault = text_fault(header->value);
    return fault == NULL ? 0 : weir_error_set(err, WEIR_E_INVALID, "header %s %s", header->name, fault);
}

/* "weir.orders.merge" */
static int read_type(const char *collection, struct weir_bytes type, enum weir_operation *ret_operation,
    struct weir_error *err)
{
    char wanted[128];

    for (size_t i = 0; i < sizeof(operation_names) / sizeof(operation_names[0]); i++) {
        snprintf(wanted, sizeof(wanted), "weir.%s.%s", collection, operation_names[i]);
        if (weir_bytes_is(type, wanted)) {
            *ret_operation = (enum weir_operation)i;
            return 0;
        }
    }
    return weir_error_set(err, WEIR_E_INVALID, "ce_type \"%.*s\" is no command of %s",
        (int)(type.len < 100 ? type.len : 100), type.data != NULL ? type.data : "", collection);
}

int64_t weir_header_number(struct weir_bytes text, int64_t most)
{
    int64_t value = 0;

    if (text.len == 0 || text.len > 19 || (text.len > 1 && text.data[0] == '0'))
        return -1;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return -1;
        int digit = text.data[i] - '0';
        if (value > (most - digit) / 10)
            return -1;
        value = value * 10 + digit;
    }
    return value;
}

static int take_header(const char *collection, const struct weir_header *header, struct weir_command *command,
    struct weir_error *err)
{
    struct weir_bytes *span = command_span(command, header->name);
    bool is_type = strcmp(header->name, WEIR_HEADER_TYPE) == 0;
    bool is_count = strcmp(header->name, WEIR_HEADER_REDRIVE_COUNT) == 0;
    bool is_version = strcmp(header->name, WEIR_HEADER_SPECVERSION) == 0;

    if (span == NULL && !is_type && !is_count && !is_version)
        return 0;
    if (check_header(header, err) < 0)
        return WEIR_E_INVALID;
    if (is_type)
        return read_type(collection, header->value, &command->operation, err);
    if (is_version && !weir_bytes_is(header->value, "1.0"))
        return weir_error_set(err, WEIR_E_INVALID, "ce_specversion is not 1.0");
    if (is_count && (command->redrive_count = weir_header_number(header->value, INT32_MAX)) < 0)
        return weir_error_set(err, WEIR_E_INVALID, "weir-redrive-count is no number");
    if (span != NULL)
        *span = header->value.len > 0 ? header->value : WEIR_BYTES_NULL;
    return 0;
}

int weir_command_read(const char *collection, const struct weir_header *headers, size_t count, bool has_value,
    struct weir_command *ret_command, struct weir_error *err)
{
    *ret_command =
        (struct weir_command){.operation = has_value ? WEIR_OPERATION_REPLACE : WEIR_OPERATION_DELETE};
    for (size_t i = 0; i < count; i++) {
        int code = take_header(collection, &headers[i], ret_command, err);
        if (code < 0)
            return code;
    }
    if (!has_value && ret_command->operation != WEIR_OPERATION_DELETE)
        return weir_error_set(
            err, WEIR_E_INVALID, "%s without a value", weir_operation_name(ret_command->operation));
    return 0;
}

void weir_position_write(
    const char *topic, int32_t partition, int64_t offset, char out[static WEIR_POSITION_BYTES])
{
    size_t len = strnlen(topic, WEIR_POSITION_BYTES - 2 * (WEIR_NUMBER_BYTES + 2));

    memcpy(out, topic, len);
    out[len++] = '/';
    len += weir_number_write(partition, out + len);
    out[len++] = '/';
    len += weir_number_write(offset, out + len);
    out[len] = '\0';
}

/* The part behind the last '/', which is cut off *text; data NULL when there is none. */
static struct weir_bytes cut_last(struct weir_bytes *text)
{
    const char *slash = text->data != NULL ? memrchr(text->data, '/', text->len) : NULL;
    if (slash == NULL)
        return WEIR_BYTES_NULL;
    struct weir_bytes part = weir_bytes(slash + 1, text->len - (size_t)(slash + 1 - text->data));
    text->len = (size_t)(slash - text->data);
    return part;
}

static bool is_topic_name(struct weir_bytes name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

    for (size_t i = 0; i < name.len; i++)
        if (memchr(allowed, name.data[i], sizeof(allowed) - 1) == NULL)
            return false;
    return name.len > 0;
}

int weir_position_read(struct weir_bytes text, char *topic, size_t topic_size, int32_t *ret_partition,
    int64_t *ret_offset, struct weir_error *err)
{
    struct weir_bytes name = text;
    int64_t offset = weir_header_number(cut_last(&name), INT64_MAX);
    int64_t partition = weir_header_number(cut_last(&name), INT32_MAX);

    if (offset < 0 || partition < 0 || !is_topic_name(name))
        return weir_error_set(err, WEIR_E_INVALID, "a position is written topic/partition/offset");
    if (name.len >= topic_size)
        return weir_error_set(err, WEIR_E_INVALID, "the topic of the position is too long");
    memcpy(topic, name.data, name.len);
    topic[name.len] = '\0';
    *ret_partition = (int32_t)partition;
    *ret_offset = offset;
    return 0;
}

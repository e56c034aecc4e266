#include "gateway/head.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

enum repetition {
    ONCE, /* given twice it is an attack or a mistake */
    LAST, /* the last one counts */
    LIST, /* one list, whatever lines it comes in (RFC 9110 §5.3) */
};

struct field {
    const char *name;
    size_t len;
    size_t offset;
    enum repetition repetition;
    size_t list; /* LIST: where the values of several lines are put together */
};

#define FIELD(text, member, repetition)                                                                      \
    {                                                                                                        \
        text, sizeof(text) - 1, offsetof(struct weir_head, member), repetition, 0                            \
    }
#define LIST_FIELD(text, member)                                                                             \
    {                                                                                                        \
        text, sizeof(text) - 1, offsetof(struct weir_head, member), LIST,                                    \
            offsetof(struct weir_head_lists, member)                                                         \
    }

static const struct field fields[] = {
    FIELD("Host", host, ONCE),
    FIELD("Content-Length", content_length, ONCE),
    FIELD("Transfer-Encoding", transfer_encoding, ONCE),
    FIELD("Content-Type", content_type, ONCE),
    FIELD("Authorization", authorization, ONCE),
    FIELD("Idempotency-Key", idempotency_key, ONCE),
    FIELD("If-Match", if_match, ONCE),
    FIELD("If-None-Match", if_none_match, ONCE),
    FIELD("traceparent", traceparent, LAST),
    FIELD("Expect", expect, ONCE),
    FIELD("Content-Encoding", content_encoding, ONCE),
    LIST_FIELD("Prefer", prefer),
    FIELD("Weir-Position", position, ONCE),
    FIELD("Origin", origin, ONCE),
    LIST_FIELD("Accept", accept),
    FIELD("Access-Control-Request-Method", request_method, ONCE),
};

struct walk {
    struct weir_head *head;
    struct weir_head_lists *lists;
    struct weir_error *err;
    const char *next; /* where the next field has to begin; NULL: not looked at */
    int rc;
};

/* token of RFC 9110 §5.6.2 */
static bool is_token_byte(unsigned char byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
           (byte != 0 && strchr("!#$%&'*+-.^_`|~", byte) != NULL);
}

static bool is_token(const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!is_token_byte((unsigned char)name[i]))
            return false;
    }
    return len > 0;
}

static bool has_control_byte(const char *value, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)value[i];
        if ((byte < 0x20 && byte != '\t') || byte == 0x7f)
            return true;
    }
    return false;
}

static const struct field *find_field(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (fields[i].len == len && strncasecmp(fields[i].name, name, len) == 0)
            return &fields[i];
    }
    return NULL;
}

/* libmicrohttpd 0.9 takes a bare LF for a line's end and shows a value only up to a NUL. It leaves all text
 * where it came in, so that what it does not show is seen as a gap: after each value come CR and LF and then
 * the next name, and nothing else. (1.x refuses such requests itself, and may lay text out in other ways.) */
static bool is_whole(struct walk *walk, const char *name, const char *value, size_t value_len)
{
    bool whole = walk->next == NULL || walk->next == name;
    if (walk->next != NULL)
        walk->next = value + value_len + 2;
    return whole;
}

/* One more line of a list. When memory is out, those before it have to do. */
static void extend(struct weir_buffer *list, struct weir_bytes *slot, struct weir_bytes value)
{
    if (list->len == 0)
        weir_buffer_append_bytes(list, *slot);
    weir_buffer_append_str(list, ", ");
    weir_buffer_append_bytes(list, value);
    if (!list->failed)
        *slot = weir_buffer_bytes(list);
}

static int take_field(
    struct walk *walk, const char *name, size_t name_len, const char *value, size_t value_len)
{
    if (!is_whole(walk, name, value, value_len))
        return weir_error_set(walk->err, WEIR_E_INVALID, "a header line holds a NUL or ends in a bare LF");
    if (!is_token(name, name_len))
        return weir_error_set(walk->err, WEIR_E_INVALID, "a header name holds a byte that is not allowed");
    if (has_control_byte(value, value_len))
        return weir_error_set(
            walk->err, WEIR_E_INVALID, "the header %.*s holds a control byte", (int)name_len, name);
    const struct field *field = find_field(name, name_len);
    if (field == NULL)
        return 0;
    struct weir_bytes *slot = (struct weir_bytes *)(void *)((char *)walk->head + field->offset);
    struct weir_bytes text = weir_bytes(value != NULL ? value : "", value_len);
    if (slot->data == NULL || field->repetition == LAST)
        *slot = text;
    else if (field->repetition == LIST)
        extend((struct weir_buffer *)(void *)((char *)walk->lists + field->list), slot, text);
    else
        return weir_error_set(walk->err, WEIR_E_INVALID, "the header %s is given twice", field->name);
    return 0;
}

static enum MHD_Result on_field(void *context, enum MHD_ValueKind kind, const char *name, size_t name_len,
    const char *value, size_t value_len)
{
    (void)kind;
    struct walk *walk = context;
    walk->rc = take_field(walk, name, name_len, value, value_len);
    return walk->rc == 0 ? MHD_YES : MHD_NO;
}

static bool equal_ignoring_case(struct weir_bytes bytes, const char *text)
{
    return bytes.len == strlen(text) && strncasecmp(bytes.data, text, bytes.len) == 0;
}

static int read_content_length(struct weir_bytes text, int64_t *ret_bytes, struct weir_error *err)
{
    int64_t bytes = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return weir_error_set(err, WEIR_E_INVALID, "Content-Length is not a number");
        if (bytes > INT64_MAX / 10 - 1)
            return weir_error_set(err, WEIR_E_INVALID, "Content-Length is beyond any limit");
        bytes = bytes * 10 + (text.data[i] - '0');
    }
    *ret_bytes = bytes;
    return text.len > 0 ? 0 : weir_error_set(err, WEIR_E_INVALID, "Content-Length is empty");
}

static int check_framing(struct weir_head *head, const char *version, struct weir_error *err)
{
    if (head->transfer_encoding.data == NULL)
        return head->content_length.data == NULL
                   ? 0
                   : read_content_length(head->content_length, &head->body_bytes, err);
    if (head->content_length.data != NULL)
        return weir_error_set(err, WEIR_E_INVALID, "Transfer-Encoding together with Content-Length");
    if (strcmp(version, MHD_HTTP_VERSION_1_1) != 0)
        return weir_error_set(err, WEIR_E_INVALID, "Transfer-Encoding needs HTTP/1.1");
    if (!equal_ignoring_case(head->transfer_encoding, "chunked"))
        return weir_error_set(err, WEIR_E_INVALID, "Transfer-Encoding can only be chunked");
    head->body_bytes = -1;
    return 0;
}

/* Where the first field has to begin, NULL when the library looks after this itself. Between method, target
 * and version stands one space each, which the library has made a NUL. */
static int check_line(const struct weir_request_line *line, const char **ret_next, struct weir_error *err)
{
    *ret_next = NULL;
    if (MHD_get_version()[0] != '0')
        return 0;
    if (line->target != line->method + strlen(line->method) + 1 ||
        line->version != line->target + line->target_len + 1)
        return weir_error_set(err, WEIR_E_INVALID, "the request line holds a NUL or a space too many");
    *ret_next = line->version + strlen(line->version) + 2;
    return 0;
}

/* After the last field comes an empty line, and there ends what the library counts as header. */
static int check_end(
    struct MHD_Connection *connection, const char *begin, const char *next, struct weir_error *err)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    if (next == NULL || (info != NULL && begin + info->header_size == next + 2))
        return 0;
    return weir_error_set(err, WEIR_E_INVALID, "a header line holds a NUL or ends in a bare LF");
}

int weir_head_read(struct MHD_Connection *connection, const struct weir_request_line *line,
    struct weir_head_lists *lists, struct weir_head *ret_head, struct weir_error *err)
{
    *ret_head = (struct weir_head){0};
    struct walk walk = {.head = ret_head, .lists = lists, .err = err};
    int rc = check_line(line, &walk.next, err);
    if (rc < 0)
        return rc;
    MHD_get_connection_values_n(connection, MHD_HEADER_KIND, on_field, &walk);
    if (walk.rc < 0)
        return walk.rc;
    rc = check_end(connection, line->method, walk.next, err);
    if (rc < 0)
        return rc;
    if (strcmp(line->version, MHD_HTTP_VERSION_1_1) != 0 && strcmp(line->version, MHD_HTTP_VERSION_1_0) != 0)
        return weir_error_set(err, WEIR_E_INVALID, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    if (ret_head->host.data == NULL || ret_head->host.len == 0)
        return weir_error_set(err, WEIR_E_INVALID, "the header Host is missing");
    return check_framing(ret_head, line->version, err);
}

void weir_head_lists_done(struct weir_head_lists *lists)
{
    weir_buffer_done(&lists->prefer);
    weir_buffer_done(&lists->accept);
}

bool weir_head_is_media_type(struct weir_bytes content_type, const char *media_type)
{
    size_t len = strlen(media_type);
    if (content_type.len < len || strncasecmp(content_type.data, media_type, len) != 0)
        return false;
    for (size_t i = len; i < content_type.len; i++) {
        if (content_type.data[i] != ' ' && content_type.data[i] != '\t')
            return content_type.data[i] == ';';
    }
    return true;
}

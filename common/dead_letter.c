#include "common/dead_letter.h"

#include <stdlib.h>
#include <string.h>

const char *weir_letter_dialect_name(enum weir_letter_dialect dialect)
{
    static const char *const names[] = {
        [WEIR_LETTER_UNKNOWN] = "unknown",
        [WEIR_LETTER_WEIR] = "weir",
        [WEIR_LETTER_SPRING] = "spring",
        [WEIR_LETTER_CONNECT] = "connect",
        [WEIR_LETTER_STREAMS] = "streams",
    };
    return names[dialect];
}

enum form {
    TEXT,
    DECIMAL,
    BINARY, /* four or eight bytes, as Java's ByteBuffer writes an int and a long */
};

#define SPAN(member) TEXT, offsetof(struct weir_letter, member)
#define NUMBER(form, member) form, offsetof(struct weir_letter, member)

/* Whose header says what. The first that a dialect always writes makes a letter one of it. */
static const struct meaning {
    enum weir_letter_dialect dialect;
    const char *header;
    enum form form;
    size_t offset;
} meanings[] = {
    {WEIR_LETTER_WEIR, WEIR_HEADER_DLQ_TOPIC, SPAN(source_topic)},
    {WEIR_LETTER_WEIR, WEIR_HEADER_DLQ_PARTITION, NUMBER(DECIMAL, source_partition)},
    {WEIR_LETTER_WEIR, WEIR_HEADER_DLQ_OFFSET, NUMBER(DECIMAL, source_offset)},
    {WEIR_LETTER_WEIR, WEIR_HEADER_DLQ_GROUP, SPAN(group)},
    {WEIR_LETTER_WEIR, WEIR_HEADER_DLQ_DELIVERY_COUNT, NUMBER(DECIMAL, executions)},
    {WEIR_LETTER_WEIR, WEIR_HEADER_DLQ_MESSAGE, SPAN(reason)},
    {WEIR_LETTER_WEIR, WEIR_HEADER_DISPOSITION, SPAN(disposition)},
    {WEIR_LETTER_WEIR, WEIR_HEADER_ERROR_TYPE, SPAN(error_type)},
    {WEIR_LETTER_WEIR, WEIR_HEADER_ORIGINAL_TIMESTAMP, NUMBER(DECIMAL, original_ms)},
    {WEIR_LETTER_WEIR, WEIR_HEADER_REDRIVE_COUNT, NUMBER(DECIMAL, redrive_count)},
    {WEIR_LETTER_WEIR, WEIR_HEADER_CUT, SPAN(cut)},
    {WEIR_LETTER_SPRING, "kafka_dlt-original-topic", SPAN(source_topic)},
    {WEIR_LETTER_SPRING, "kafka_dlt-original-partition", NUMBER(BINARY, source_partition)},
    {WEIR_LETTER_SPRING, "kafka_dlt-original-offset", NUMBER(BINARY, source_offset)},
    {WEIR_LETTER_SPRING, "kafka_dlt-original-timestamp", NUMBER(BINARY, original_ms)},
    {WEIR_LETTER_SPRING, "kafka_dlt-original-consumer-group", SPAN(group)},
    {WEIR_LETTER_SPRING, "kafka_dlt-exception-fqcn", SPAN(error_type)},
    {WEIR_LETTER_SPRING, "kafka_dlt-exception-cause-fqcn", SPAN(error_type)},
    {WEIR_LETTER_SPRING, "kafka_dlt-exception-message", SPAN(reason)},
    {WEIR_LETTER_CONNECT, "__connect.errors.topic", SPAN(source_topic)},
    {WEIR_LETTER_CONNECT, "__connect.errors.partition", NUMBER(DECIMAL, source_partition)},
    {WEIR_LETTER_CONNECT, "__connect.errors.offset", NUMBER(DECIMAL, source_offset)},
    {WEIR_LETTER_CONNECT, "__connect.errors.connector.name", SPAN(group)},
    {WEIR_LETTER_CONNECT, "__connect.errors.exception.class.name", SPAN(error_type)},
    {WEIR_LETTER_CONNECT, "__connect.errors.exception.message", SPAN(reason)},
    {WEIR_LETTER_STREAMS, "__streams.errors.topic", SPAN(source_topic)},
    {WEIR_LETTER_STREAMS, "__streams.errors.partition", NUMBER(DECIMAL, source_partition)},
    {WEIR_LETTER_STREAMS, "__streams.errors.offset", NUMBER(DECIMAL, source_offset)},
    {WEIR_LETTER_STREAMS, "__streams.errors.exception", SPAN(error_type)},
    {WEIR_LETTER_STREAMS, "__streams.errors.message", SPAN(reason)},
};

enum { MEANINGS = sizeof(meanings) / sizeof(meanings[0]) };

static int64_t big_endian(struct weir_bytes bytes)
{
    uint64_t number = 0;

    if (bytes.len != 4 && bytes.len != 8)
        return -1;
    for (size_t i = 0; i < bytes.len; i++)
        number = number << 8 | (unsigned char)bytes.data[i];
    return number <= (bytes.len == 4 ? INT32_MAX : INT64_MAX) ? (int64_t)number : -1;
}

static void take(struct weir_letter *letter, const struct meaning *meaning, struct weir_bytes value)
{
    char *member = (char *)letter + meaning->offset;

    if (meaning->form == TEXT)
        *(struct weir_bytes *)(void *)member = value;
    else
        *(int64_t *)(void *)member =
            meaning->form == DECIMAL ? weir_header_number(value, INT64_MAX) : big_endian(value);
}

static bool has(const struct weir_letter *letter, const char *header)
{
    return weir_header_find(letter->headers, letter->header_count, header).data != NULL;
}

/* A record may have been through several systems: the order of the table decides. */
static enum weir_letter_dialect dialect_of(const struct weir_letter *letter)
{
    for (size_t i = 0; i < MEANINGS; i++)
        if ((i == 0 || meanings[i].dialect != meanings[i - 1].dialect) && has(letter, meanings[i].header))
            return meanings[i].dialect;
    return WEIR_LETTER_UNKNOWN;
}

void weir_letter_read(struct weir_letter *letter)
{
    letter->source_topic = letter->group = letter->disposition = letter->error_type = letter->reason =
        letter->cut = WEIR_BYTES_NULL;
    letter->source_partition = letter->source_offset = letter->executions = letter->original_ms = -1;
    letter->redrive_count = 0;
    letter->dialect = dialect_of(letter);
    for (size_t i = 0; i < MEANINGS; i++) {
        if (meanings[i].dialect != letter->dialect)
            continue;
        struct weir_bytes value = weir_header_find(letter->headers, letter->header_count, meanings[i].header);
        if (value.data != NULL)
            take(letter, &meanings[i], value);
    }
}

static bool is_wanted(const char *wanted, struct weir_bytes text)
{
    return wanted == NULL || (text.data != NULL && weir_bytes_is(text, wanted));
}

static bool is_within(const char *wanted, struct weir_bytes text)
{
    return wanted == NULL ||
           memmem(text.data != NULL ? text.data : "", text.len, wanted, strlen(wanted)) != NULL;
}

static bool is_between(int64_t number, int64_t from, int64_t to)
{
    return (from == 0 && to == INT64_MAX) || (number >= from && number <= to);
}

bool weir_letter_matches(const struct weir_letter_filter *filter, const struct weir_letter *letter)
{
    return is_wanted(filter->disposition, letter->disposition) &&
           is_wanted(filter->error_type, letter->error_type) && is_wanted(filter->key, letter->key) &&
           is_within(filter->reason, letter->reason) &&
           is_wanted(filter->source_topic, letter->source_topic) &&
           (filter->source_partition < 0 || filter->source_partition == letter->source_partition) &&
           is_between(letter->source_offset, filter->source_from, filter->source_to) &&
           is_between(letter->timestamp_ms, filter->from_ms, filter->to_ms);
}

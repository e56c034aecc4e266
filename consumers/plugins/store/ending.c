#include "consumers/plugins/store/ending.h"

#include <endian.h>
#include <stddef.h>

enum { FORMAT = 3, SPAN_BYTES = 255 };

struct __attribute__((packed)) fixed {
    uint8_t format, kind;
    uint32_t redrive_count;
    uint64_t version, ts_ms;
    uint32_t partition;
    uint64_t offset, accepted_ms, change;
};
_Static_assert(offsetof(struct fixed, change) == WEIR_ENDING_CHANGE_AT, "where it is set later");

static struct weir_bytes cut(struct weir_bytes span)
{
    return weir_bytes(span.data, span.len < SPAN_BYTES ? span.len : SPAN_BYTES);
}

static void append_span(struct weir_buffer *out, struct weir_bytes span)
{
    uint8_t len = (uint8_t)span.len;

    weir_buffer_append(out, &len, 1);
    weir_buffer_append_bytes(out, span);
}

void weir_ending_write_change(int64_t change, char out[static WEIR_ENDING_CHANGE_BYTES])
{
    uint64_t word = htole64((uint64_t)change);
    memcpy(out, &word, sizeof(word));
}

void weir_ending_write(const struct weir_ending *ending, struct weir_buffer *out)
{
    const struct fixed fixed = {
        .format = FORMAT,
        .kind = (uint8_t)ending->kind,
        .redrive_count = htole32(ending->redrive_count),
        .version = htole64(ending->version),
        .ts_ms = htole64((uint64_t)ending->ts_ms),
        .partition = htole32((uint32_t)ending->partition),
        .offset = htole64((uint64_t)ending->offset),
        .accepted_ms = htole64((uint64_t)ending->accepted_ms),
        .change = htole64((uint64_t)ending->change),
    };

    weir_buffer_clear(out);
    weir_buffer_append(out, &fixed, sizeof(fixed));
    append_span(out, cut(ending->error));
    append_span(out, cut(ending->fingerprint));
    append_span(out, cut(ending->key));
    weir_buffer_append_bytes(out, ending->problem);
}

/* Takes a span off stored; an empty one has data NULL. */
static bool take_span(struct weir_bytes *stored, struct weir_bytes *ret_span)
{
    size_t len = stored->len > 0 ? (unsigned char)stored->data[0] : 0;

    if (stored->len < 1 + len)
        return false;
    *ret_span = len > 0 ? weir_bytes(stored->data + 1, len) : WEIR_BYTES_NULL;
    *stored = weir_bytes(stored->data + 1 + len, stored->len - 1 - len);
    return true;
}

int weir_ending_read(struct weir_bytes stored, struct weir_ending *ret_ending, struct weir_error *err)
{
    struct fixed fixed;

    if (stored.len < sizeof(fixed) || stored.data[0] != FORMAT || stored.data[1] >= WEIR_EFFECT_COUNT)
        return weir_error_set(err, WEIR_E_CORRUPT, "the ending of a request has an unknown format");
    memcpy(&fixed, stored.data, sizeof(fixed));
    *ret_ending = (struct weir_ending){
        .kind = (enum weir_effect_kind)fixed.kind,
        .redrive_count = le32toh(fixed.redrive_count),
        .version = le64toh(fixed.version),
        .ts_ms = (int64_t)le64toh(fixed.ts_ms),
        .partition = (int32_t)le32toh(fixed.partition),
        .offset = (int64_t)le64toh(fixed.offset),
        .accepted_ms = (int64_t)le64toh(fixed.accepted_ms),
        .change = (int64_t)le64toh(fixed.change),
    };
    stored = weir_bytes(stored.data + sizeof(fixed), stored.len - sizeof(fixed));
    if (!take_span(&stored, &ret_ending->error) || !take_span(&stored, &ret_ending->fingerprint) ||
        !take_span(&stored, &ret_ending->key))
        return weir_error_set(err, WEIR_E_CORRUPT, "the ending of a request is cut short");
    ret_ending->problem = stored;
    return 0;
}

bool weir_ending_is_of(const struct weir_ending *ending, struct weir_bytes fingerprint)
{
    return fingerprint.len == 0 ? ending->fingerprint.len == 0
                                : weir_bytes_equal(ending->fingerprint, cut(fingerprint));
}

const char *weir_ending_name(enum weir_effect_kind kind)
{
    static const char *const names[WEIR_EFFECT_COUNT] = {
        [WEIR_EFFECT_CREATED] = "stored",
        [WEIR_EFFECT_UPDATED] = "stored",
        [WEIR_EFFECT_DELETED] = "stored",
        [WEIR_EFFECT_UNCHANGED] = "unchanged",
        [WEIR_EFFECT_REJECTED] = "rejected",
        [WEIR_EFFECT_REFUSED] = "dead-lettered",
    };
    return names[kind];
}

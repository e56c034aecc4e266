/* The identifiers of envelope.h: UUIDs of RFC 9562 and W3C trace contexts. */
#include "common/envelope.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* 5f6cf1d4-0d2e-4c8a-9a55-7e0d4b7a1c93: names of requests live in a space of their own. It never changes, or
 * a repeat would no longer meet its first request. */
static const unsigned char namespace[16] = {
    0x5f, 0x6c, 0xf1, 0xd4, 0x0d, 0x2e, 0x4c, 0x8a, 0x9a, 0x55, 0x7e, 0x0d, 0x4b, 0x7a, 0x1c, 0x93};

/* getentropy() gives at most 256 bytes a call; a request needs 10 to 26 of them and not a system call each.
 */
enum { POOL_BYTES = 256 };

static void random_bytes(unsigned char *out, size_t len)
{
    static _Thread_local unsigned char pool[POOL_BYTES];
    static _Thread_local size_t left;

    if (left < len) {
        if (getentropy(pool, sizeof(pool)) != 0)
            abort(); /* only a kernel without getrandom(2): no id made here could be trusted */
        left = sizeof(pool);
    }
    left -= len;
    memcpy(out, pool + left, len);
    memset(pool + left, 0, len);
}

static void hex_write(const unsigned char *bytes, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
}

static void id_write(unsigned char bytes[static 16], unsigned version, char out[static WEIR_ID_BYTES])
{
    static const unsigned char group_bytes[] = {4, 2, 2, 2, 6};
    size_t from = 0;

    bytes[6] = (unsigned char)((bytes[6] & 0x0f) | version << 4);
    bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80);
    for (size_t i = 0; i < sizeof(group_bytes); i++) {
        hex_write(bytes + from, group_bytes[i], out);
        from += group_bytes[i];
        out += 2 * group_bytes[i];
        *out++ = '-';
    }
    out[-1] = '\0';
}

/* 48 bits of milliseconds, then 12 bits of their fraction (RFC 9562 §6.2, method 3), so that ids of one
 * machine mostly sort by time. */
void weir_id_v7(char out[static WEIR_ID_BYTES])
{
    unsigned char bytes[16];
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    uint64_t fraction = (uint64_t)now.tv_nsec % 1000000 * 4096 / 1000000;
    for (int i = 0; i < 6; i++)
        bytes[i] = (unsigned char)(ms >> (40 - 8 * i));
    bytes[6] = (unsigned char)(fraction >> 8);
    bytes[7] = (unsigned char)fraction;
    random_bytes(bytes + 8, 8);
    id_write(bytes, 7, out);
}

static bool digest_part(EVP_MD_CTX *digest, struct weir_bytes part)
{
    unsigned char len[4] = {(unsigned char)(part.len >> 24), (unsigned char)(part.len >> 16),
        (unsigned char)(part.len >> 8), (unsigned char)part.len};

    return EVP_DigestUpdate(digest, len, sizeof(len)) == 1 &&
           (part.len == 0 || EVP_DigestUpdate(digest, part.data, part.len) == 1);
}

/* Fetched once: EVP_sha1() is looked up again for each digest. */
static EVP_MD *sha1;

static void fetch_sha1(void)
{
    sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
}

static bool digest_parts(EVP_MD_CTX *digest, const struct weir_bytes *parts, size_t count, unsigned char *out)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, fetch_sha1);
    bool fine = sha1 != NULL && EVP_DigestInit_ex2(digest, sha1, NULL) == 1 &&
                EVP_DigestUpdate(digest, namespace, sizeof(namespace)) == 1;

    for (size_t i = 0; i < count && fine; i++)
        fine = digest_part(digest, parts[i]);
    return fine && EVP_DigestFinal_ex(digest, out, NULL) == 1;
}

void weir_id_v5(const struct weir_bytes *parts, size_t count, char out[static WEIR_ID_BYTES])
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *digest = EVP_MD_CTX_new();

    if (digest == NULL || !digest_parts(digest, parts, count, bytes))
        abort(); /* memory is out, or OpenSSL has no SHA-1: two requests must never get the same id */
    EVP_MD_CTX_free(digest);
    id_write(bytes, 5, out);
}

void weir_id_of_record(
    const char *cluster, const char *topic, int32_t partition, int64_t offset, char out[static WEIR_ID_BYTES])
{
    char partition_text[12], offset_text[24];

    snprintf(partition_text, sizeof(partition_text), "%" PRId32, partition);
    snprintf(offset_text, sizeof(offset_text), "%" PRId64, offset);
    const struct weir_bytes parts[] = {weir_bytes_str(cluster), weir_bytes_str(topic),
        weir_bytes_str(partition_text), weir_bytes_str(offset_text)};
    weir_id_v5(parts, sizeof(parts) / sizeof(parts[0]), out);
}

static bool is_hex(const char *at, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!((at[i] >= '0' && at[i] <= '9') || (at[i] >= 'a' && at[i] <= 'f')))
            return false;
    return true;
}

static bool is_zero(const char *at, size_t len)
{
    return strspn(at, "0") >= len;
}

/* https://www.w3.org/TR/trace-context/ §3.2: 00-<32 hex>-<16 hex>-<2 hex>, later versions may be longer, ff
 * is none, neither id is all zeros. text ends in NUL. */
static bool is_valid(const char *text, size_t len)
{
    if (len < 55 || text[2] != '-' || text[35] != '-' || text[52] != '-')
        return false;
    if (!is_hex(text, 2) || !is_hex(text + 3, 32) || !is_hex(text + 36, 16) || !is_hex(text + 53, 2))
        return false;
    if (strncmp(text, "ff", 2) == 0 || is_zero(text + 3, 32) || is_zero(text + 36, 16))
        return false;
    return len == 55 || (strncmp(text, "00", 2) != 0 && text[55] == '-');
}

static void traceparent_begin(char out[static WEIR_TRACEPARENT_BYTES])
{
    unsigned char ids[24];

    random_bytes(ids, sizeof(ids));
    ids[0] |= 1; /* never all zeros */
    ids[16] |= 1;
    memcpy(out, "00-", 3);
    hex_write(ids, 16, out + 3);
    out[35] = '-';
    hex_write(ids + 16, 8, out + 36);
    memcpy(out + 52, "-00", 4);
}

static bool is_traceparent(struct weir_bytes given)
{
    char text[WEIR_HEADER_VALUE_BYTES + 1] = "";

    if (given.data == NULL || given.len > WEIR_HEADER_VALUE_BYTES)
        return false;
    memcpy(text, given.data, given.len);
    return is_valid(text, given.len);
}

struct weir_bytes weir_trace_id(struct weir_bytes traceparent)
{
    return is_traceparent(traceparent) ? weir_bytes(traceparent.data + 3, 32) : WEIR_BYTES_NULL;
}

void weir_traceparent(struct weir_bytes given, char out[static WEIR_TRACEPARENT_BYTES])
{
    if (!is_traceparent(given)) {
        traceparent_begin(out);
        return;
    }
    memcpy(out, given.data, WEIR_TRACEPARENT_BYTES - 1);
    out[WEIR_TRACEPARENT_BYTES - 1] = '\0';
    if (given.len > WEIR_TRACEPARENT_BYTES - 1)
        memcpy(out, "00", 2); /* cut to what version 00 knows (§4.3) */
}

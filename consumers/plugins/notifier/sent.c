#include "consumers/plugins/notifier/sent.h"

#include <openssl/evp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Memory is touched as it fills: 16 bytes a mail. All mails of one event have to fit. */
enum { SLOTS = 1048576 /* a power of two */, FILLED_MAX = SLOTS / 2 };

/* Of SHA-256: two mails never meet. All zero: an empty slot. */
struct digest {
    uint64_t high, low;
};

/* When the current generation is full, it becomes the previous one and the one before is forgotten. */
struct generation {
    struct digest *slots;
    size_t filled;
};

struct weir_sent {
    struct generation current, previous;
};

struct weir_sent *weir_sent_new(void)
{
    struct weir_sent *sent = calloc(1, sizeof(*sent));
    if (sent == NULL)
        return NULL;
    sent->current.slots = calloc(SLOTS, sizeof(struct digest));
    sent->previous.slots = calloc(SLOTS, sizeof(struct digest));
    if (sent->current.slots != NULL && sent->previous.slots != NULL)
        return sent;
    weir_sent_free(sent);
    return NULL;
}

void weir_sent_free(struct weir_sent *sent)
{
    if (sent == NULL)
        return;
    free(sent->current.slots);
    free(sent->previous.slots);
    free(sent);
}

static struct digest digest_of(const char *message_id)
{
    unsigned char bytes[EVP_MAX_MD_SIZE] = {1};
    struct digest digest;

    EVP_Digest(message_id, strlen(message_id), bytes, NULL, EVP_sha256(), NULL);
    memcpy(&digest, bytes, sizeof(digest));
    return digest;
}

/* The slot that holds the digest, or the empty one where it belongs. */
static struct digest *find(const struct generation *generation, struct digest digest)
{
    size_t at = (size_t)(digest.low & (SLOTS - 1));

    while ((generation->slots[at].high | generation->slots[at].low) != 0 &&
           (generation->slots[at].high != digest.high || generation->slots[at].low != digest.low))
        at = (at + 1) & (SLOTS - 1);
    return &generation->slots[at];
}

static bool holds(const struct generation *generation, struct digest digest)
{
    const struct digest *slot = find(generation, digest);
    return (slot->high | slot->low) != 0;
}

bool weir_sent_has(const struct weir_sent *sent, const char *message_id)
{
    struct digest digest = digest_of(message_id);
    return holds(&sent->current, digest) || holds(&sent->previous, digest);
}

static void turn(struct weir_sent *sent)
{
    struct generation oldest = sent->previous;

    sent->previous = sent->current;
    memset(oldest.slots, 0, SLOTS * sizeof(struct digest));
    sent->current = (struct generation){.slots = oldest.slots};
}

void weir_sent_add(struct weir_sent *sent, const char *message_id)
{
    struct digest digest = digest_of(message_id);

    if (holds(&sent->current, digest))
        return;
    if (sent->current.filled == FILLED_MAX)
        turn(sent);
    *find(&sent->current, digest) = digest;
    sent->current.filled++;
}

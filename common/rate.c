#include "common/rate.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

enum { SHARDS = 64, SLOTS = 1024, PROBES = 16, SECOND_US = 1000000 };

struct bucket {
    uint64_t caller;
    int64_t full_us; /* when all tokens will be there again; in the past: the bucket is nobody's */
};

struct shard {
    pthread_mutex_t lock;
    struct bucket buckets[SLOTS];
};

struct weir_rate {
    int64_t token_us; /* in which one comes back */
    int64_t burst;
    uint64_t seed;
    char policy[64];
    struct shard shards[SHARDS];
};

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

struct weir_rate *weir_rate_new(int64_t per_second, int64_t burst)
{
    struct weir_rate *rate = calloc(1, sizeof(*rate));
    if (rate == NULL)
        return NULL;
    rate->token_us = per_second < SECOND_US ? SECOND_US / per_second : 1;
    rate->burst = burst;
    if (getrandom(&rate->seed, sizeof(rate->seed), 0) != sizeof(rate->seed))
        rate->seed = (uintptr_t)rate; /* some bucket is shared at worst */
    snprintf(rate->policy, sizeof(rate->policy), "\"requests\";q=%" PRId64 ";w=%" PRId64, burst,
        divide_up(burst, per_second));
    for (size_t i = 0; i < SHARDS; i++)
        pthread_mutex_init(&rate->shards[i].lock, NULL);
    return rate;
}

void weir_rate_free(struct weir_rate *rate)
{
    if (rate == NULL)
        return;
    for (size_t i = 0; i < SHARDS; i++)
        pthread_mutex_destroy(&rate->shards[i].lock);
    free(rate);
}

const char *weir_rate_policy(const struct weir_rate *rate)
{
    return rate->policy;
}

/* FNV-1a from a secret beginning, mixed as MurmurHash3 does at its end. */
static uint64_t hash(uint64_t seed, struct weir_bytes bytes)
{
    uint64_t h = seed;
    for (size_t i = 0; i < bytes.len; i++)
        h = (h ^ (unsigned char)bytes.data[i]) * 0x100000001b3;
    h = (h ^ h >> 33) * 0xff51afd7ed558ccd;
    h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53;
    return h ^ h >> 33;
}

/* The caller's bucket, else one that nobody uses now, else somebody's. */
static struct bucket *find(struct shard *shard, uint64_t caller, int64_t now_us)
{
    size_t home = (size_t)(caller / SHARDS);
    struct bucket *idle = NULL;
    for (size_t i = 0; i < PROBES; i++) {
        struct bucket *bucket = &shard->buckets[(home + i) % SLOTS];
        if (bucket->full_us > now_us && bucket->caller == caller)
            return bucket;
        if (idle == NULL && bucket->full_us <= now_us)
            idle = bucket;
    }
    if (idle == NULL)
        return &shard->buckets[home % SLOTS];
    *idle = (struct bucket){caller, now_us};
    return idle;
}

static void tell(const struct weir_rate *rate, int64_t missing_us, bool taken, struct weir_rate_state *state)
{
    int64_t room_us = rate->burst * rate->token_us - missing_us;
    *state = (struct weir_rate_state){
        .counted = true,
        .remaining = room_us > 0 ? room_us / rate->token_us : 0,
        .reset_s = divide_up(missing_us, SECOND_US),
        .retry_s = taken ? 0 : divide_up(rate->token_us - room_us, SECOND_US),
    };
}

bool weir_rate_take(
    struct weir_rate *rate, struct weir_bytes caller, int64_t now_us, struct weir_rate_state *ret_state)
{
    uint64_t key = hash(rate->seed, caller);
    struct shard *shard = &rate->shards[key % SHARDS];
    pthread_mutex_lock(&shard->lock);
    struct bucket *bucket = find(shard, key, now_us);
    int64_t missing_us = bucket->full_us - now_us;
    bool taken = missing_us + rate->token_us <= rate->burst * rate->token_us;
    if (taken)
        bucket->full_us += rate->token_us;
    tell(rate, bucket->full_us - now_us, taken, ret_state);
    pthread_mutex_unlock(&shard->lock);
    return taken;
}

#include "gateway/keys.h"

#include "common/cleanup.h"
#include "gateway/route.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { KEY_BYTES_MAX = 512 };

struct weir_keys {
    char *path;
    bool certificates;
    EVP_MD *sha256;        /* fetched once: each fetch searches OpenSSL's providers under a lock */
    pthread_rwlock_t lock; /* table */
    struct weir_key_file table;
};

int weir_keys_reload(struct weir_keys *keys, struct weir_error *err)
{
    struct weir_key_file fresh = {0};
    int code = weir_key_file_read(keys->path, keys->certificates, &fresh, err);
    if (code == 0) {
        pthread_rwlock_wrlock(&keys->lock);
        struct weir_key_file old = keys->table;
        keys->table = fresh;
        pthread_rwlock_unlock(&keys->lock);
        fresh = old;
    }
    weir_key_file_done(&fresh);
    return code;
}

int weir_keys_open(const char *path, bool certificates, struct weir_keys **ret_keys, struct weir_error *err)
{
    struct weir_keys *keys = calloc(1, sizeof(*keys));
    if (keys == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    pthread_rwlock_init(&keys->lock, NULL);
    keys->certificates = certificates;
    keys->path = strdup(path);
    keys->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    int code = keys->path != NULL && keys->sha256 != NULL
                   ? weir_keys_reload(keys, err)
                   : weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    if (code == 0)
        *ret_keys = weir_steal(keys);
    weir_keys_close(keys);
    return code;
}

void weir_keys_close(struct weir_keys *keys)
{
    if (keys == NULL)
        return;
    weir_key_file_done(&keys->table);
    pthread_rwlock_destroy(&keys->lock);
    EVP_MD_free(keys->sha256);
    free(keys->path);
    free(keys);
}

/* ---- asking ---- */

/* RFC 6750 §2.1; data NULL for anything else. */
static struct weir_bytes bearer_of(struct weir_bytes authorization)
{
    static const char scheme[] = "Bearer ";
    size_t len = sizeof(scheme) - 1;
    if (authorization.len <= len || strncasecmp(authorization.data, scheme, len) != 0)
        return WEIR_BYTES_NULL;
    struct weir_bytes key = weir_bytes(authorization.data + len, authorization.len - len);
    for (; key.len > 0 && key.data[0] == ' '; key.len--)
        key.data++;
    return key.len > 0 && key.len <= KEY_BYTES_MAX ? key : WEIR_BYTES_NULL;
}

/* Looks at every key, whichever it is. */
static const struct weir_key *find_key(const struct weir_keys *keys, struct weir_bytes authorization)
{
    const struct weir_key_file *table = &keys->table;
    unsigned char digest[EVP_MAX_MD_SIZE];
    struct weir_bytes shown = bearer_of(authorization);
    const struct weir_key *found = NULL;
    if (shown.data == NULL || EVP_Digest(shown.data, shown.len, digest, NULL, keys->sha256, NULL) != 1)
        return NULL;
    for (size_t i = 0; i < table->count; i++)
        if (table->list[i].certificate == NULL &&
            CRYPTO_memcmp(table->list[i].digest, digest, WEIR_KEY_DIGEST_BYTES) == 0)
            found = &table->list[i];
    return found;
}

static bool is_among(const char *certificate, struct weir_bytes names)
{
    while (names.len > 0) {
        size_t len = (size_t)((const char *)memchr(names.data, '\n', names.len) - names.data);
        if (weir_key_is_name(certificate, weir_bytes(names.data, len)))
            return true;
        names = weir_bytes(names.data + len + 1, names.len - len - 1);
    }
    return false;
}

static const struct weir_key *find_certificate(const struct weir_key_file *table, struct weir_bytes names)
{
    for (size_t i = 0; i < table->count; i++)
        if (table->list[i].certificate != NULL && is_among(table->list[i].certificate, names))
            return &table->list[i];
    return NULL;
}

static bool may(const struct weir_key *key, struct weir_bytes collection, const char *verb)
{
    for (size_t i = 0; i < key->scope_count; i++) {
        const struct weir_key_scope *scope = &key->scopes[i];
        bool here = weir_bytes_is(collection, scope->collection) ||
                    (strcmp(scope->collection, "*") == 0 && !weir_bytes_is(collection, WEIR_ROUTE_DLQ));
        if (here && (verb == NULL || strcmp(scope->verb, "*") == 0 || strcmp(scope->verb, verb) == 0))
            return true;
    }
    return false;
}

enum weir_access_verdict weir_keys_ask(struct weir_keys *keys, const struct weir_proof *proof,
    struct weir_bytes collection, const char *verb, char ret_name[static WEIR_KEYS_NAME_BYTES])
{
    enum weir_access_verdict verdict = WEIR_ACCESS_UNKNOWN;

    pthread_rwlock_rdlock(&keys->lock);
    const struct weir_key *found = proof->authorization.data != NULL
                                       ? find_key(keys, proof->authorization)
                                       : find_certificate(&keys->table, proof->names);
    if (found != NULL) {
        memcpy(ret_name, found->name, WEIR_KEYS_NAME_BYTES);
        verdict = may(found, collection, verb) ? WEIR_ACCESS_GRANTED : WEIR_ACCESS_DENIED;
    }
    pthread_rwlock_unlock(&keys->lock);
    return verdict;
}

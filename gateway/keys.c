#include "gateway/keys.h"

#include "common/cleanup.h"
#include "common/deployment.h"
#include "common/file.h"
#include "gateway/route.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    FILE_BYTES_MAX = 1024 * 1024,
    KEYS_MAX = 4096,
    SCOPES_MAX = 64,
    DIGEST_BYTES = 32,
    KEY_BYTES_MAX = 512
};

static const char *const verbs[] = {
    "create", "replace", "merge", "delete", "adjust", "checkout", "read", "redrive", "*"};

struct scope {
    char *collection; /* or "*" */
    const char *verb; /* one of verbs */
};

struct key {
    char name[WEIR_KEYS_NAME_BYTES];
    unsigned char digest[DIGEST_BYTES];
    char *certificate; /* "dns=shop.example.org"; NULL: it is a key with that digest */
    struct scope *scopes;
    size_t scope_count;
};

struct table {
    struct key *list;
    size_t count;
};

struct weir_keys {
    char *path;
    bool certificates;
    pthread_rwlock_t lock; /* table */
    struct table table;
};

/* ---- the file ---- */

static void table_done(struct table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        for (size_t scope = 0; scope < table->list[i].scope_count; scope++)
            free(table->list[i].scopes[scope].collection);
        free(table->list[i].scopes);
        free(table->list[i].certificate);
    }
    free(table->list);
    *table = (struct table){0};
}

/* Where a line is being read. */
struct line {
    const char *path;
    bool certificates;
    size_t number;
    struct weir_error *err;
};

static int refuse(const struct line *line, const char *what)
{
    return weir_error_set(line->err, WEIR_E_CONFIG, "%s:%zu: %s", line->path, line->number, what);
}

static int no_memory(const struct line *line)
{
    return weir_error_set(line->err, WEIR_E_INTERNAL, "%s: out of memory", line->path);
}

static int read_name(const char *text, struct key *key, const struct line *line)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t len = strlen(text);
    if (len == 0 || len >= sizeof(key->name) || text[strspn(text, allowed)] != '\0')
        return refuse(line, "a name is 1 to 63 letters, digits, dots, _ or -");
    memcpy(key->name, text, len + 1);
    return 0;
}

static int read_digest(const char *text, struct key *key, const struct line *line)
{
    size_t len = 0;
    unsigned char *bytes = OPENSSL_hexstr2buf(text, NULL);
    bool whole = bytes != NULL && strlen(text) == 2 * (size_t)DIGEST_BYTES;
    for (; whole && len < DIGEST_BYTES; len++)
        key->digest[len] = bytes[len];
    OPENSSL_free(bytes);
    return whole ? 0
                 : refuse(line, "the second word is the SHA-256 of the key: 64 hexadecimal digits; or a name "
                                "in a client certificate: cn=, dns=, uri= or email= and the name");
}

static bool is_certificate(const char *text)
{
    static const char *const kinds[] = {"cn=", "dns=", "uri=", "email="};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t len = strlen(kinds[i]);
        if (strncmp(text, kinds[i], len) == 0 && text[len] != '\0')
            return true;
    }
    return false;
}

static int read_proof(const char *text, struct key *key, const struct line *line)
{
    if (!is_certificate(text))
        return read_digest(text, key, line);
    if (!line->certificates)
        return refuse(line, "a client certificate's name needs tls.client.ca in [gateway]");
    key->certificate = strdup(text);
    return key->certificate != NULL ? 0 : no_memory(line);
}

static const char *find_verb(const char *text)
{
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strcmp(verbs[i], text) == 0)
            return verbs[i];
    return NULL;
}

static bool is_collection(const char *text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    return strcmp(text, "*") == 0 || (text[0] != '\0' && text[strspn(text, allowed)] == '\0');
}

/* text is taken apart in place. */
static int read_scope(char *text, struct key *key, const struct line *line)
{
    char *colon = strchr(text, ':');
    if (colon != NULL)
        *colon = '\0';
    const char *verb = colon != NULL ? find_verb(colon + 1) : NULL;
    if (verb == NULL || !is_collection(text))
        return refuse(line,
            "a scope is COLLECTION:VERB; the verbs are create, replace, merge, delete, adjust, checkout, "
            "read and *, and a collection may be *; dead letters are dlq:read, dlq:redrive and dlq:*");
    struct scope *scope = &key->scopes[key->scope_count];
    scope->verb = verb;
    scope->collection = strdup(text);
    if (scope->collection == NULL)
        return no_memory(line);
    key->scope_count++;
    return 0;
}

static int read_scopes(char *text, struct key *key, const struct line *line)
{
    char *rest = text, *word;
    int code = 0;

    key->scopes = calloc(SCOPES_MAX, sizeof(*key->scopes));
    if (key->scopes == NULL)
        return no_memory(line);
    while ((word = strsep(&rest, ",")) != NULL && code == 0)
        code = key->scope_count < SCOPES_MAX ? read_scope(word, key, line)
                                             : refuse(line, "a key has at most 64 scopes");
    return code;
}

/* Case does not matter in names of hosts. */
static bool is_name(const char *certificate, struct weir_bytes name)
{
    if (strlen(certificate) != name.len)
        return false;
    return strncmp(certificate, "dns=", 4) == 0 ? strncasecmp(certificate, name.data, name.len) == 0
                                                : memcmp(certificate, name.data, name.len) == 0;
}

static bool is_same_proof(const struct key *a, const struct key *b)
{
    if (a->certificate != NULL && b->certificate != NULL)
        return is_name(a->certificate, weir_bytes_str(b->certificate));
    return a->certificate == b->certificate && memcmp(a->digest, b->digest, DIGEST_BYTES) == 0;
}

static int check_new(const struct table *table, const struct key *key, const struct line *line)
{
    for (size_t i = 0; &table->list[i] != key; i++) {
        if (strcmp(table->list[i].name, key->name) == 0)
            return refuse(line, "the name is given twice");
        if (is_same_proof(&table->list[i], key))
            return refuse(line, "two names have one key or certificate");
    }
    return 0;
}

/* text is taken apart in place. */
static int read_line(char *text, struct table *table, const struct line *line)
{
    char *words[4] = {0}, *rest = NULL;
    size_t count = 0;

    for (char *word = strtok_r(text, " \t\r", &rest); word != NULL && count < 4;
         word = strtok_r(NULL, " \t\r", &rest))
        words[count++] = word;
    if (count == 0 || words[0][0] == '#')
        return 0;
    if (count != 3)
        return refuse(line,
            "a line holds a name, the SHA-256 of its key or a certificate's name, and scopes with "
            "commas between them");
    if (table->count == KEYS_MAX)
        return refuse(line, "there are more than 4096 keys");
    struct key *key = &table->list[table->count++];
    int code = read_name(words[0], key, line);
    if (code == 0)
        code = read_proof(words[1], key, line);
    if (code == 0)
        code = read_scopes(words[2], key, line);
    return code < 0 ? code : check_new(table, key, line);
}

static int read_table(const struct weir_keys *keys, struct table *table, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer text = {0};
    const char *path = keys->path;
    struct line line = {.path = path, .certificates = keys->certificates, .err = err};
    int code = weir_file_read(path, FILE_BYTES_MAX, &text, NULL, err);

    if (code < 0)
        return code == WEIR_E_TOO_LARGE ? WEIR_E_CONFIG : code;
    if (text.len > 0 && memchr(text.data, '\0', text.len) != NULL)
        return weir_error_set(err, WEIR_E_CONFIG, "%s: holds a NUL byte", path);
    table->list = calloc(KEYS_MAX, sizeof(*table->list));
    if (table->list == NULL)
        return no_memory(&line);
    char *rest = text.data, *next;
    while (code == 0 && (next = strsep(&rest, "\n")) != NULL) {
        line.number++;
        code = read_line(next, table, &line);
    }
    return code == 0 && table->count == 0 ? weir_error_set(err, WEIR_E_CONFIG, "%s: holds no key", path)
                                          : code;
}

int weir_keys_reload(struct weir_keys *keys, struct weir_error *err)
{
    struct table fresh = {0};
    int code = read_table(keys, &fresh, err);
    if (code == 0) {
        pthread_rwlock_wrlock(&keys->lock);
        struct table old = keys->table;
        keys->table = fresh;
        pthread_rwlock_unlock(&keys->lock);
        fresh = old;
    }
    table_done(&fresh);
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
    int code = keys->path != NULL ? weir_keys_reload(keys, err)
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
    table_done(&keys->table);
    pthread_rwlock_destroy(&keys->lock);
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
static const struct key *find_key(const struct table *table, struct weir_bytes authorization)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    struct weir_bytes shown = bearer_of(authorization);
    const struct key *found = NULL;
    if (shown.data == NULL || EVP_Digest(shown.data, shown.len, digest, NULL, EVP_sha256(), NULL) != 1)
        return NULL;
    for (size_t i = 0; i < table->count; i++)
        if (table->list[i].certificate == NULL &&
            CRYPTO_memcmp(table->list[i].digest, digest, DIGEST_BYTES) == 0)
            found = &table->list[i];
    return found;
}

static bool is_among(const char *certificate, struct weir_bytes names)
{
    while (names.len > 0) {
        size_t len = (size_t)((const char *)memchr(names.data, '\n', names.len) - names.data);
        if (is_name(certificate, weir_bytes(names.data, len)))
            return true;
        names = weir_bytes(names.data + len + 1, names.len - len - 1);
    }
    return false;
}

static const struct key *find_certificate(const struct table *table, struct weir_bytes names)
{
    for (size_t i = 0; i < table->count; i++)
        if (table->list[i].certificate != NULL && is_among(table->list[i].certificate, names))
            return &table->list[i];
    return NULL;
}

static bool may(const struct key *key, struct weir_bytes collection, const char *verb)
{
    for (size_t i = 0; i < key->scope_count; i++) {
        const struct scope *scope = &key->scopes[i];
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
    const struct key *found = proof->authorization.data != NULL
                                  ? find_key(&keys->table, proof->authorization)
                                  : find_certificate(&keys->table, proof->names);
    if (found != NULL) {
        memcpy(ret_name, found->name, WEIR_KEYS_NAME_BYTES);
        verdict = may(found, collection, verb) ? WEIR_ACCESS_GRANTED : WEIR_ACCESS_DENIED;
    }
    pthread_rwlock_unlock(&keys->lock);
    return verdict;
}

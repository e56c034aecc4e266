#include "common/key_file.h"

#include "common/cleanup.h"
#include "common/file.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { KEYS_MAX = 4096, SCOPES_MAX = 64 };

static const char *const verbs[] = {
    "create", "replace", "merge", "delete", "adjust", "checkout", "read", "redrive", "*"};

void weir_key_file_done(struct weir_key_file *file)
{
    for (size_t i = 0; i < file->count; i++) {
        for (size_t scope = 0; scope < file->list[i].scope_count; scope++)
            free(file->list[i].scopes[scope].collection);
        free(file->list[i].scopes);
        free(file->list[i].certificate);
    }
    free(file->list);
    *file = (struct weir_key_file){0};
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

bool weir_key_sound_name(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t len = strlen(name);
    return len > 0 && len < WEIR_KEYS_NAME_BYTES && name[strspn(name, allowed)] == '\0';
}

static int read_name(const char *text, struct weir_key *key, const struct line *line)
{
    if (!weir_key_sound_name(text))
        return refuse(line, "a name is 1 to 63 letters, digits, dots, _ or -");
    memcpy(key->name, text, strlen(text) + 1);
    return 0;
}

static int read_digest(const char *text, struct weir_key *key, const struct line *line)
{
    size_t len = 0;
    unsigned char *bytes = OPENSSL_hexstr2buf(text, NULL);
    bool whole = bytes != NULL && strlen(text) == 2 * (size_t)WEIR_KEY_DIGEST_BYTES;
    for (; whole && len < WEIR_KEY_DIGEST_BYTES; len++)
        key->digest[len] = bytes[len];
    OPENSSL_free(bytes);
    return whole ? 0
                 : refuse(line, "the second word is the SHA-256 of the key: 64 hexadecimal digits; or a name "
                                "in a client certificate: cn=, dns=, uri= or email= and the name");
}

bool weir_key_sound_certificate(const char *text)
{
    static const char *const kinds[] = {"cn=", "dns=", "uri=", "email="};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t len = strlen(kinds[i]);
        if (strncmp(text, kinds[i], len) == 0 && text[len] != '\0')
            return true;
    }
    return false;
}

static int read_proof(const char *text, struct weir_key *key, const struct line *line)
{
    if (!weir_key_sound_certificate(text))
        return read_digest(text, key, line);
    if (!line->certificates)
        return refuse(line, "a client certificate's name needs tls.client.ca in [gateway]");
    key->certificate = strdup(text);
    return key->certificate != NULL ? 0 : no_memory(line);
}

static const char *find_verb(struct weir_bytes text)
{
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (weir_bytes_is(text, verbs[i]))
            return verbs[i];
    return NULL;
}

static bool is_collection(struct weir_bytes text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

    for (size_t i = 0; i < text.len; i++)
        if (memchr(allowed, text.data[i], sizeof(allowed) - 1) == NULL)
            return weir_bytes_is(text, "*");
    return text.len > 0;
}

bool weir_key_sound_scope(struct weir_bytes scope)
{
    const char *colon = scope.len > 0 ? memchr(scope.data, ':', scope.len) : NULL;

    if (colon == NULL)
        return false;
    size_t len = (size_t)(colon - scope.data);
    return is_collection(weir_bytes(scope.data, len)) &&
           find_verb(weir_bytes(colon + 1, scope.len - len - 1)) != NULL;
}

/* text is taken apart in place. */
static int read_scope(char *text, struct weir_key *key, const struct line *line)
{
    if (!weir_key_sound_scope(weir_bytes_str(text)))
        return refuse(line,
            "a scope is COLLECTION:VERB; the verbs are create, replace, merge, delete, adjust, checkout, "
            "read and *, and a collection may be *; dead letters are dlq:read, dlq:redrive and dlq:*");
    struct weir_key_scope *scope = &key->scopes[key->scope_count];
    char *colon = strchr(text, ':');
    *colon = '\0';
    scope->verb = find_verb(weir_bytes_str(colon + 1));
    scope->collection = strdup(text);
    if (scope->collection == NULL)
        return no_memory(line);
    key->scope_count++;
    return 0;
}

static int read_scopes(char *text, struct weir_key *key, const struct line *line)
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

bool weir_key_is_name(const char *certificate, struct weir_bytes name)
{
    if (strlen(certificate) != name.len)
        return false;
    return strncmp(certificate, "dns=", 4) == 0 ? strncasecmp(certificate, name.data, name.len) == 0
                                                : memcmp(certificate, name.data, name.len) == 0;
}

static bool is_same_proof(const struct weir_key *a, const struct weir_key *b)
{
    if (a->certificate != NULL && b->certificate != NULL)
        return weir_key_is_name(a->certificate, weir_bytes_str(b->certificate));
    return a->certificate == b->certificate && memcmp(a->digest, b->digest, WEIR_KEY_DIGEST_BYTES) == 0;
}

static int check_new(const struct weir_key_file *file, const struct weir_key *key, const struct line *line)
{
    for (size_t i = 0; &file->list[i] != key; i++) {
        if (strcmp(file->list[i].name, key->name) == 0)
            return refuse(line, "the name is given twice");
        if (is_same_proof(&file->list[i], key))
            return refuse(line, "two names have one key or certificate");
    }
    return 0;
}

/* text is taken apart in place. */
static int read_line(char *text, struct weir_key_file *file, const struct line *line)
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
    if (file->count == KEYS_MAX)
        return refuse(line, "there are more than 4096 keys");
    struct weir_key *key = &file->list[file->count++];
    key->line = line->number;
    int code = read_name(words[0], key, line);
    if (code == 0)
        code = read_proof(words[1], key, line);
    if (code == 0)
        code = read_scopes(words[2], key, line);
    return code < 0 ? code : check_new(file, key, line);
}

int weir_key_file_parse(const char *path, struct weir_buffer *text, bool certificates,
    struct weir_key_file *ret_file, struct weir_error *err)
{
    struct line line = {.path = path, .certificates = certificates, .err = err};
    int code = 0;

    *ret_file = (struct weir_key_file){0};
    if (text->len > 0 && memchr(text->data, '\0', text->len) != NULL)
        return weir_error_set(err, WEIR_E_CONFIG, "%s: holds a NUL byte", path);
    ret_file->list = calloc(KEYS_MAX, sizeof(*ret_file->list));
    if (ret_file->list == NULL)
        return no_memory(&line);
    char *rest = text->data, *next;
    while (code == 0 && (next = strsep(&rest, "\n")) != NULL) {
        line.number++;
        code = read_line(next, ret_file, &line);
    }
    return code == 0 && ret_file->count == 0 ? weir_error_set(err, WEIR_E_CONFIG, "%s: holds no key", path)
                                             : code;
}

int weir_key_file_read(
    const char *path, bool certificates, struct weir_key_file *ret_file, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer text = {0};

    *ret_file = (struct weir_key_file){0};
    int code = weir_file_read(path, WEIR_KEY_FILE_BYTES_MAX, &text, NULL, err);
    if (code < 0)
        return code == WEIR_E_TOO_LARGE ? WEIR_E_CONFIG : code;
    return weir_key_file_parse(path, &text, certificates, ret_file, err);
}

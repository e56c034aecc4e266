/* A new access key: the caller sees it once, the file gets its SHA-256. */
#include "deploy/weirctl/key.h"

#include "common/clock.h"
#include "deploy/weirctl/who.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum { SECRET_BYTES = 32, HEX_BYTES = 2 * SECRET_BYTES + 1 };

static void write_hex(const unsigned char *bytes, char out[static HEX_BYTES])
{
    for (size_t i = 0; i < SECRET_BYTES; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

/* secret: what the caller shows; proof: what the file holds. */
static int make_secret(char secret[static HEX_BYTES], char proof[static HEX_BYTES], struct weir_error *err)
{
    unsigned char bytes[SECRET_BYTES], digest[EVP_MAX_MD_SIZE];

    if (getentropy(bytes, sizeof(bytes)) != 0)
        return weir_error_set(err, WEIR_E_INTERNAL, "the kernel gives no random bytes");
    write_hex(bytes, secret);
    OPENSSL_cleanse(bytes, sizeof(bytes));
    if (EVP_Digest(secret, strlen(secret), digest, NULL, EVP_sha256(), NULL) != 1)
        return weir_error_set(err, WEIR_E_INTERNAL, "no SHA-256");
    write_hex(digest, proof);
    return 0;
}

static void append_scopes(struct weir_buffer *out, char *const *scopes)
{
    for (char *const *scope = scopes; *scope != NULL; scope++)
        weir_buffer_printf(out, "%s%s", scope != scopes ? "," : "", *scope);
}

/* As in the file, several may stand in one word: orders:create,orders:read. */
static bool are_sound(const char *scopes)
{
    for (const char *at = scopes;; at++) {
        size_t len = strcspn(at, ",");
        if (!weir_key_sound_scope(weir_bytes(at, len)))
            return false;
        at += len;
        if (*at == '\0')
            return true;
    }
}

/* The words of the line come from the command line: none may end it or begin another word. */
static int check_words(const char *name, const struct key_flags *flags, struct weir_error *err)
{
    if (flags->scopes == NULL)
        return weir_error_set(err, WEIR_E_USAGE, "say what it may do, e.g. --scope orders:create");
    for (char *const *scope = flags->scopes; *scope != NULL; scope++)
        if (!are_sound(*scope))
            return weir_error_set(err, WEIR_E_USAGE,
                "--scope %s: it is written COLLECTION:VERB, e.g. orders:create, *:read or dlq:redrive",
                *scope);
    if (!weir_key_sound_name(name))
        return weir_error_set(err, WEIR_E_USAGE, "%s: a name is 1 to 63 letters, digits, dots, _ or -", name);
    if (flags->certificate != NULL &&
        (strpbrk(flags->certificate, " \t\r\n") != NULL || !weir_key_sound_certificate(flags->certificate)))
        return weir_error_set(err, WEIR_E_USAGE,
            "--certificate %s: it is written cn=NAME, dns=NAME, uri=NAME or email=NAME", flags->certificate);
    return 0;
}

static bool is_known(const struct weir_deployment *deployment, struct weir_bytes collection)
{
    bool known = weir_bytes_is(collection, "*") || weir_bytes_is(collection, "dlq");

    for (size_t i = 0; i < deployment->collection_count && !known; i++)
        known = weir_bytes_is(collection, deployment->collections[i].name);
    return known;
}

/* The collection may come later, but more often it is mistyped. */
static void tell_unknown_collections(const struct weir_deployment *deployment, const char *scopes)
{
    for (const char *at = scopes; *at != '\0'; at += *at == ',') {
        size_t len = strcspn(at, ","), name = strcspn(at, ":");
        if (!is_known(deployment, weir_bytes(at, name)))
            fprintf(stderr, "weirctl: --scope %.*s: the configuration has no [collection %.*s]\n", (int)len,
                at, (int)name, at);
        at += len;
    }
}

static int write_line(struct keys *keys, const char *name, const char *proof, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer text = {0};
    char time[WEIR_CLOCK_RFC3339_BYTES], who[WHO_BYTES];
    struct weir_bytes now = weir_buffer_bytes(&keys->text);

    who_write(who);
    weir_buffer_append_bytes(&text, now);
    weir_buffer_append_str(&text, now.len > 0 && now.data[now.len - 1] != '\n' ? "\n" : "");
    weir_buffer_printf(&text, "# %s " KEY_CREATED " %s by %s\n%s %s ", name,
        weir_clock_rfc3339(weir_clock_wall_ms(), time), who, name, proof);
    append_scopes(&text, keys->flags->scopes);
    weir_buffer_append_str(&text, "\n");
    if (text.failed)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    return keys_replace(keys, weir_buffer_bytes(&text), err);
}

static int print(const struct keys *keys, const char *name, const char *secret, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer scopes = {0};

    append_scopes(&scopes, keys->flags->scopes);
    if (keys->ctl->arguments->json && secret != NULL)
        printf("{\"name\":\"%s\",\"key\":\"%s\",\"scopes\":\"%s\"}\n", name, secret, scopes.data);
    else if (keys->ctl->arguments->json)
        printf("{\"name\":\"%s\",\"scopes\":\"%s\"}\n", name, scopes.data);
    else if (secret != NULL)
        printf("%s\n", secret);
    if (fflush(stdout) != 0)
        return weir_error_set(err, WEIR_E_INTERNAL,
            "the key could not be printed and is lost: weirctl key revoke %s, and add it again", name);
    return 0;
}

static int add(struct keys *keys, const char *name, struct weir_error *err)
{
    const char *certificate = keys->flags->certificate;
    char secret[HEX_BYTES], proof[HEX_BYTES];

    int code = certificate == NULL ? make_secret(secret, proof, err) : 0;
    if (code == 0)
        code = write_line(keys, name, certificate != NULL ? certificate : proof, err);
    if (code == 0)
        code = print(keys, name, certificate == NULL ? secret : NULL, err);
    OPENSSL_cleanse(secret, sizeof(secret));
    if (code < 0)
        return code;
    for (char *const *scopes = keys->flags->scopes; *scopes != NULL; scopes++)
        tell_unknown_collections(keys->ctl->deployment, *scopes);
    keys_tell_reload(keys);
    return 0;
}

int key_add_run(struct weirctl *ctl, struct weir_error *err)
{
    struct keys keys;
    const char *name = NULL;

    int code = key_operand(ctl, &name, err);
    if (code == 0)
        code = check_words(name, ctl->arguments->settings, err);
    if (code < 0)
        return code;
    code = keys_open(ctl, true, true, &keys, err);
    if (code == 0 && key_find(&keys, name) != NULL)
        code = weir_error_set(err, WEIR_E_USAGE,
            "%s has a key %s already: revoke it first, or give the new one another name and revoke the old "
            "one when nobody uses it any more",
            keys.path, name);
    if (code == 0)
        code = add(&keys, name, err);
    keys_close(&keys);
    return code;
}

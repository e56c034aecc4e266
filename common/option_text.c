#include "common/option_text.h"

#include "common/cleanup.h"
#include "common/file.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit durations[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}, {NULL, 0}};
static const struct unit sizes[] = {
    {"TiB", 1LL << 40}, {"GiB", 1LL << 30}, {"MiB", 1LL << 20}, {"KiB", 1LL << 10}, {"B", 1}, {NULL, 0}};
static const struct unit numbers[] = {{"", 1}, {NULL, 0}};

static const struct type {
    const char *name, *hint;
    const struct unit *units; /* largest first */
    const char *counted;      /* what min and max count where they are no value */
} types[] = {
    [WEIR_OPTION_STRING] = {"text", .counted = "bytes"},
    [WEIR_OPTION_BOOL] = {"true or false"},
    [WEIR_OPTION_INTEGER] = {"number", "expected a whole number", numbers},
    [WEIR_OPTION_DURATION] = {"duration", "durations are written with a unit: 500ms, 30s, 5m, 2h, 7d",
        durations},
    [WEIR_OPTION_SIZE] = {"size", "sizes are written with a unit: 64B, 64KiB, 256MiB, 2GiB", sizes},
    [WEIR_OPTION_CHOICE] = {"choice"},
    [WEIR_OPTION_ADDRESS] = {"address", .counted = "bytes"},
    [WEIR_OPTION_URL] = {"URL", .counted = "bytes"},
    [WEIR_OPTION_PATH] = {"path", .counted = "bytes"},
    [WEIR_OPTION_LIST] = {"list", .counted = "entries"},
    [WEIR_OPTION_SECRET] = {"secret", .counted = "bytes"},
};

const char *weir_option_text_hint(enum weir_option_type type)
{
    return types[type].hint;
}

const char *weir_option_text_type(const struct weir_option *row)
{
    return row->type == WEIR_OPTION_CHOICE ? row->choices : types[row->type].name;
}

/* The digits at the beginning, with a sign where the type has no unit. */
static enum weir_measure read_number(
    const char *text, bool signed_number, int64_t *ret_value, const char **ret_rest)
{
    bool negative = signed_number && text[0] == '-';
    size_t digits = strspn(text + negative, "0123456789");
    int64_t value = 0;
    bool overflow = false;

    if (digits == 0)
        return WEIR_MEASURE_NO_NUMBER;
    for (size_t i = 0; i < digits; i++) {
        int digit = text[(size_t)negative + i] - '0';
        overflow |= __builtin_mul_overflow(value, 10, &value);
        overflow |= __builtin_sub_overflow(value, digit, &value); /* downwards: INT64_MIN has no positive */
    }
    if (!negative)
        overflow |= __builtin_sub_overflow((int64_t)0, value, &value);
    *ret_value = value;
    *ret_rest = text + negative + digits;
    return overflow ? WEIR_MEASURE_OVERFLOW : WEIR_MEASURE_OK;
}

enum weir_measure weir_option_text_measure(enum weir_option_type type, const char *text, int64_t *ret_value)
{
    const char *rest = "";
    int64_t number = 0;

    enum weir_measure result = read_number(text, type == WEIR_OPTION_INTEGER, &number, &rest);
    if (result == WEIR_MEASURE_NO_NUMBER)
        return result;
    for (const struct unit *unit = types[type].units; unit->name != NULL; unit++) {
        if (strcmp(unit->name, rest) != 0)
            continue;
        return __builtin_mul_overflow(number, unit->factor, ret_value) ? WEIR_MEASURE_OVERFLOW : result;
    }
    return WEIR_MEASURE_NO_NUMBER;
}

void weir_option_text_value(enum weir_option_type type, int64_t value, struct weir_buffer *out)
{
    const struct unit *unit = types[type].units;

    while (unit[1].name != NULL && (value == 0 || value % unit->factor != 0))
        unit++;
    weir_buffer_printf(out, "%" PRId64 "%s", value / unit->factor, unit->name);
}

void weir_option_text_range(const struct weir_option *row, struct weir_buffer *out)
{
    bool measured = types[row->type].units != NULL;

    if (!measured && types[row->type].counted == NULL)
        return;
    if (row->min == 0 && row->max == 0) {
        weir_buffer_append_str(out, measured ? "any" : "");
        return;
    }
    enum weir_option_type written = measured ? row->type : WEIR_OPTION_INTEGER;
    weir_option_text_value(written, row->min, out);
    if (row->max == INT64_MAX) {
        weir_buffer_append_str(out, " or more");
    } else {
        weir_buffer_append_str(out, " to ");
        weir_option_text_value(written, row->max, out);
    }
    if (!measured)
        weir_buffer_printf(out, " %s", types[row->type].counted);
}

bool weir_option_text_has_control(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return true;
    return false;
}

static bool is_port(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    return digits > 0 && digits <= 5 && text[digits] == '\0' && strtol(text, NULL, 10) <= 65535;
}

static bool is_host_name(struct weir_bytes host)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";

    if (host.len == 0 || host.len > 253)
        return false;
    for (size_t i = 0; i < host.len; i++)
        if (strchr(allowed, host.data[i]) == NULL)
            return false;
    return true;
}

static bool is_v6(struct weir_bytes host)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr parsed;

    if (host.len >= sizeof(text))
        return false;
    memcpy(text, host.data, host.len);
    text[host.len] = '\0';
    return inet_pton(AF_INET6, text, &parsed) == 1;
}

/* host[:port], where `host` may be [v6]. */
static bool is_authority(const char *text, bool needs_port)
{
    const char *end = text + strcspn(text, ":");
    bool sound;

    if (text[0] == '[') {
        size_t span = strcspn(text, "]");
        sound = text[span] == ']' && is_v6(weir_bytes(text + 1, span - 1));
        end = text + span + (text[span] == ']');
    } else {
        sound = is_host_name(weir_bytes(text, (size_t)(end - text)));
    }
    if (*end == '\0')
        return sound && !needs_port;
    return sound && *end == ':' && is_port(end + 1);
}

bool weir_option_text_is_address(const char *text)
{
    static const char unix_prefix[] = "unix:/";

    if (strncmp(text, unix_prefix, sizeof(unix_prefix) - 1) == 0)
        return text[sizeof(unix_prefix) - 1] != '\0';
    return is_authority(text, true);
}

bool weir_option_text_is_url(const char *text)
{
    static const char *const schemes[] = {"http://", "https://"};
    char authority[300];

    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        size_t len = strlen(schemes[i]);
        if (strncmp(text, schemes[i], len) != 0)
            continue;
        size_t span = strcspn(text + len, "/");
        if (span >= sizeof(authority) || strpbrk(text, "?#@ \\\"<>") != NULL)
            return false;
        memcpy(authority, text + len, span);
        authority[span] = '\0';
        return is_authority(authority, false);
    }
    return false;
}

enum { SHOWN_BYTES = 80 };

int weir_option_text_refuse(
    const struct weir_option *row, const char *text, struct weir_error *err, const char *format, ...)
{
    /* user:password@ */
    bool may_hold_password =
        (row->type == WEIR_OPTION_URL || row->type == WEIR_OPTION_ADDRESS) && strchr(text, '@') != NULL;
    bool hidden = row->type == WEIR_OPTION_SECRET || may_hold_password;
    char reason[WEIR_ERROR_TEXT_BYTES];
    va_list arguments;

    va_start(arguments, format);
    int len = vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    if (hidden)
        text = "***";
    return weir_error_set(err, WEIR_E_CONFIG, "%s = %.*s%s: %s", row->key, SHOWN_BYTES, text,
        strlen(text) > SHOWN_BYTES ? "…" : "", len < 0 ? "is not allowed" : reason);
}

static const char file_prefix[] = "@file:", credential_prefix[] = "@credential:";

static const char *behind(const char *text, const char *prefix)
{
    size_t len = strlen(prefix);
    return strncmp(text, prefix, len) == 0 ? text + len : NULL;
}

bool weir_option_secret_is_literal(const char *text)
{
    return behind(text, file_prefix) == NULL && behind(text, credential_prefix) == NULL;
}

static int find_credential(const char *key, const char *name, char **ret_path, struct weir_error *err)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");

    if (name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL)
        return weir_error_set(
            err, WEIR_E_CONFIG, "%s = @credential:%.80s: is no name of a credential", key, name);
    if (folder == NULL || folder[0] != '/')
        return weir_error_set(err, WEIR_E_CONFIG,
            "%s = @credential:%.80s: $CREDENTIALS_DIRECTORY is not set; systemd sets it for LoadCredential=",
            key, name);
    if (asprintf(ret_path, "%s/%s", folder, name) < 0)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    return 0;
}

static int read_secret(const char *key, const char *path, char **ret_value, struct weir_error *err)
{
    WEIR_CLEANUP(free) char *value = NULL;

    if (weir_file_read_value(path, &value, err) < 0) {
        weir_error_prefix(err, "%s", key);
        if (err != NULL)
            err->code = WEIR_E_CONFIG;
        return WEIR_E_CONFIG;
    }
    if (value[0] == '\0')
        return weir_error_set(err, WEIR_E_CONFIG, "%s: %s: is empty", key, path);
    *ret_value = weir_steal(value);
    return 0;
}

int weir_option_secret(const char *key, const char *text, char **ret_value, struct weir_error *err)
{
    const char *path = behind(text, file_prefix), *name = behind(text, credential_prefix);
    WEIR_CLEANUP(free) char *found = NULL;

    if (path != NULL)
        return read_secret(key, path, ret_value, err);
    if (name != NULL) {
        int code = find_credential(key, name, &found, err);
        return code < 0 ? code : read_secret(key, found, ret_value, err);
    }
    char *copy = strdup(text);
    if (copy == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    *ret_value = copy;
    return 0;
}

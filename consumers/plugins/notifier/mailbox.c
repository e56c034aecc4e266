#include "consumers/plugins/notifier/mailbox.h"

#include "common/cleanup.h"

#include <idn2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_alnum(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* RFC 5322's atext, and the dot between atoms. */
static bool is_local(unsigned char c)
{
    return is_alnum(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~.", c) != NULL);
}

static bool is_domain(unsigned char c)
{
    return is_alnum(c) || c == '-' || c == '.';
}

/* Names the first byte that is not allowed; printable ones by themselves. */
static int check_bytes(
    const char *text, size_t len, bool (*allowed)(unsigned char), const char *what, struct weir_error *err)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (allowed(c))
            continue;
        if (c > ' ' && c < 0x7f)
            return weir_error_set(
                err, WEIR_E_CONFIG, "'%c' at byte %zu of the %s is not allowed", c, i + 1, what);
        return weir_error_set(
            err, WEIR_E_CONFIG, "byte 0x%02x at byte %zu of the %s is not allowed", c, i + 1, what);
    }
    return 0;
}

static bool has_empty_part(const char *text, size_t len)
{
    return text[0] == '.' || text[len - 1] == '.' || memmem(text, len, "..", 2) != NULL;
}

static int check_local(const char *local, size_t len, struct weir_error *err)
{
    if (len == 0)
        return weir_error_set(err, WEIR_E_CONFIG, "there is nothing before the @");
    if (len > WEIR_MAILBOX_LOCAL_BYTES)
        return weir_error_set(err, WEIR_E_CONFIG, "the part before the @ has %zu bytes, more than %d", len,
            WEIR_MAILBOX_LOCAL_BYTES);
    int code = check_bytes(local, len, is_local, "part before the @", err);
    if (code < 0)
        return code;
    if (has_empty_part(local, len))
        return weir_error_set(err, WEIR_E_CONFIG, "a dot in the part before the @ has nothing beside it");
    return 0;
}

static int check_label(const char *label, size_t len, struct weir_error *err)
{
    if (len > 63)
        return weir_error_set(err, WEIR_E_CONFIG, "a part of the host name has %zu bytes, more than 63", len);
    if (label[0] == '-' || label[len - 1] == '-')
        return weir_error_set(err, WEIR_E_CONFIG, "a part of the host name begins or ends with a hyphen");
    return 0;
}

int weir_hostname_check(const char *hostname, struct weir_error *err)
{
    size_t len = strlen(hostname);
    if (len == 0)
        return weir_error_set(err, WEIR_E_CONFIG, "the host name is empty");
    if (len > WEIR_HOSTNAME_BYTES)
        return weir_error_set(
            err, WEIR_E_CONFIG, "the host name has %zu bytes, more than %d", len, WEIR_HOSTNAME_BYTES);
    int code = check_bytes(hostname, len, is_domain, "host name", err);
    if (code < 0)
        return code;
    if (has_empty_part(hostname, len))
        return weir_error_set(err, WEIR_E_CONFIG, "a dot in the host name has nothing beside it");
    for (const char *label = hostname; label != NULL && code == 0;) {
        const char *dot = strchr(label, '.');
        code = check_label(label, dot != NULL ? (size_t)(dot - label) : strlen(label), err);
        label = dot != NULL ? dot + 1 : NULL;
    }
    return code;
}

int weir_mailbox_check(const char *address, struct weir_error *err)
{
    size_t len = strlen(address);
    if (len > WEIR_MAILBOX_BYTES)
        return weir_error_set(
            err, WEIR_E_CONFIG, "the address has %zu bytes, more than %d", len, WEIR_MAILBOX_BYTES);
    const char *at = strrchr(address, '@');
    if (at == NULL)
        return weir_error_set(err, WEIR_E_CONFIG, "the address has no @");
    int code = check_local(address, (size_t)(at - address), err);
    return code < 0 ? code : weir_hostname_check(at + 1, err);
}

static bool is_ascii(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text >= 0x80)
            return false;
    return true;
}

/* RFC 5891, 5: as it is looked up, without the deviations of IDNA 2003. */
static int convert_domain(const char *domain, char **ret_ascii, struct weir_error *err)
{
    int result = idn2_to_ascii_8z(
        domain, ret_ascii, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT | IDN2_USE_STD3_ASCII_RULES);
    if (result == IDN2_OK)
        return 0;
    return weir_error_set(
        err, WEIR_E_CONFIG, "the domain is no internationalised one: %s", idn2_strerror(result));
}

static int check_into(const char *address, char out[static WEIR_MAILBOX_BYTES + 1], struct weir_error *err)
{
    int code = weir_mailbox_check(address, err);
    if (code == 0)
        memcpy(out, address, strlen(address) + 1);
    return code;
}

int weir_mailbox_ascii(
    struct weir_bytes address, char out[static WEIR_MAILBOX_BYTES + 1], struct weir_error *err)
{
    char text[WEIR_MAILBOX_BYTES + 1];
    WEIR_CLEANUP(free) char *ascii = NULL;
    char *domain = NULL;

    if (address.len > WEIR_MAILBOX_BYTES || memchr(address.data, '\0', address.len) != NULL)
        return weir_error_set(err, WEIR_E_CONFIG, "the address has %zu bytes, more than %d, or a NUL",
            address.len, WEIR_MAILBOX_BYTES);
    memcpy(text, address.data, address.len);
    text[address.len] = '\0';
    char *at = strrchr(text, '@');
    if (at == NULL || is_ascii(at))
        return check_into(text, out, err);
    int code = convert_domain(at + 1, &domain, err);
    if (code < 0)
        return code;
    int len = asprintf(&ascii, "%.*s@%s", (int)(at - text), text, domain);
    idn2_free(domain);
    if (len >= 0)
        return check_into(ascii, out, err);
    ascii = NULL;
    return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
}

/* `format`, where it is a rule. */
#include "common/schema_node.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* Reading goes forward only. */
struct text {
    const char *at, *end;
};

static struct text text_of(struct weir_bytes bytes)
{
    return (struct text){bytes.data, bytes.data + bytes.len};
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool take(struct text *text, const char *one_of)
{
    if (text->at == text->end || *text->at == '\0' || strchr(one_of, *text->at) == NULL)
        return false;
    text->at++;
    return true;
}

static bool take_number(struct text *text, int digits, int *ret_number)
{
    *ret_number = 0;
    for (int i = 0; i < digits; i++, text->at++) {
        if (text->at == text->end || !is_digit(*text->at))
            return false;
        *ret_number = *ret_number * 10 + (*text->at - '0');
    }
    return true;
}

static size_t skip_digits(struct text *text)
{
    const char *from = text->at;
    while (text->at < text->end && is_digit(*text->at))
        text->at++;
    return (size_t)(text->at - from);
}

/* ---- RFC 3339 ---- */

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

static bool take_date(struct text *text)
{
    int year, month, day;
    return take_number(text, 4, &year) && take(text, "-") && take_number(text, 2, &month) &&
           take(text, "-") && take_number(text, 2, &day) && month >= 1 && month <= 12 && day >= 1 &&
           day <= days_in_month(year, month);
}

static bool take_offset(struct text *text, int *ret_minutes)
{
    int hours, minutes;

    *ret_minutes = 0;
    if (take(text, "Zz"))
        return true;
    int sign = take(text, "+") ? 1 : take(text, "-") ? -1 : 0;
    if (sign == 0 || !take_number(text, 2, &hours) || !take(text, ":") || !take_number(text, 2, &minutes) ||
        hours > 23 || minutes > 59)
        return false;
    *ret_minutes = sign * (hours * 60 + minutes);
    return true;
}

static bool take_time(struct text *text)
{
    enum { DAY_MINUTES = 24 * 60 };
    int hours, minutes, seconds, offset;

    if (!take_number(text, 2, &hours) || !take(text, ":") || !take_number(text, 2, &minutes) ||
        !take(text, ":") || !take_number(text, 2, &seconds))
        return false;
    if ((take(text, ".") && skip_digits(text) == 0) || !take_offset(text, &offset))
        return false;
    if (hours > 23 || minutes > 59 || seconds > 60)
        return false;
    /* A leap second is the last one of a day of UTC. */
    return seconds < 60 || (hours * 60 + minutes - offset + DAY_MINUTES) % DAY_MINUTES == DAY_MINUTES - 1;
}

static bool is_date(struct weir_bytes bytes)
{
    struct text text = text_of(bytes);
    return take_date(&text) && text.at == text.end;
}

static bool is_time(struct weir_bytes bytes)
{
    struct text text = text_of(bytes);
    return take_time(&text) && text.at == text.end;
}

static bool is_date_time(struct weir_bytes bytes)
{
    struct text text = text_of(bytes);
    return take_date(&text) && take(&text, "Tt") && take_time(&text) && text.at == text.end;
}

/* The units follow one another without a gap: RFC 3339 appendix A. */
static bool take_units(struct text *text, const char *units)
{
    const char *next = NULL;

    while (text->at < text->end && is_digit(*text->at)) {
        skip_digits(text);
        const char *unit = text->at < text->end && *text->at != '\0' ? strchr(units, *text->at) : NULL;
        if (unit == NULL || (next != NULL && unit != next))
            return false;
        next = unit + 1;
        text->at++;
        if (*next == '\0')
            break;
    }
    return next != NULL;
}

static bool is_duration(struct weir_bytes bytes)
{
    struct text text = text_of(bytes);
    if (!take(&text, "P"))
        return false;
    struct text weeks = text;
    if (skip_digits(&weeks) > 0 && take(&weeks, "W"))
        return weeks.at == weeks.end;
    if (text.at < text.end && *text.at != 'T' && !take_units(&text, "YMD"))
        return false;
    if (text.at == text.end)
        return bytes.len > 1;
    return take(&text, "T") && take_units(&text, "HMS") && text.at == text.end;
}

/* ---- names of hosts ---- */

static bool is_label(const char *label, size_t len)
{
    if (len == 0 || len > 63 || label[0] == '-' || label[len - 1] == '-')
        return false;
    for (size_t i = 0; i < len; i++)
        if (!is_letter(label[i]) && !is_digit(label[i]) && label[i] != '-')
            return false;
    return true;
}

/* RFC 1123 */
static bool is_hostname(struct weir_bytes bytes)
{
    if (bytes.len == 0 || bytes.len > 253)
        return false;
    for (size_t from = 0; from <= bytes.len;) {
        const char *dot = memchr(bytes.data + from, '.', bytes.len - from);
        size_t end = dot != NULL ? (size_t)(dot - bytes.data) : bytes.len;
        if (!is_label(bytes.data + from, end - from))
            return false;
        from = end + 1;
    }
    return true;
}

static bool is_address(struct weir_bytes bytes, int family)
{
    char text[INET6_ADDRSTRLEN];
    unsigned char address[16];

    if (bytes.len >= sizeof(text) || memchr(bytes.data, '\0', bytes.len) != NULL)
        return false;
    memcpy(text, bytes.data, bytes.len);
    text[bytes.len] = '\0';
    return inet_pton(family, text, address) == 1;
}

static bool is_ipv4(struct weir_bytes bytes)
{
    return is_address(bytes, AF_INET);
}

static bool is_ipv6(struct weir_bytes bytes)
{
    return is_address(bytes, AF_INET6);
}

/* ---- RFC 5321 ---- */

static bool is_quoted_local(const char *text, size_t len)
{
    if (len < 2 || text[0] != '"' || text[len - 1] != '"')
        return false;
    for (size_t i = 1; i + 1 < len; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (byte < 0x20 || byte >= 0x7f || byte == '"' || (byte == '\\' && ++i + 1 >= len))
            return false;
    }
    return true;
}

static bool is_dot_local(const char *text, size_t len)
{
    bool after_dot = true;
    for (size_t i = 0; i < len; i++) {
        char byte = text[i];
        if (byte == '.' ? after_dot
                        : !is_letter(byte) && !is_digit(byte) &&
                              (byte == '\0' || strchr("!#$%&'*+-/=?^_`{|}~", byte) == NULL))
            return false;
        after_dot = byte == '.';
    }
    return !after_dot;
}

static bool is_mail_domain(struct weir_bytes domain)
{
    if (domain.len < 2 || domain.data[0] != '[' || domain.data[domain.len - 1] != ']')
        return is_hostname(domain);
    struct weir_bytes literal = weir_bytes(domain.data + 1, domain.len - 2);
    if (literal.len > 5 && memcmp(literal.data, "IPv6:", 5) == 0)
        return is_ipv6(weir_bytes(literal.data + 5, literal.len - 5));
    return is_ipv4(literal);
}

static bool is_email(struct weir_bytes bytes)
{
    const char *at = bytes.len <= 254 ? memrchr(bytes.data, '@', bytes.len) : NULL;
    size_t len = at != NULL ? (size_t)(at - bytes.data) : 0;

    return len > 0 && len <= 64 && (is_dot_local(bytes.data, len) || is_quoted_local(bytes.data, len)) &&
           is_mail_domain(weir_bytes(at + 1, bytes.len - len - 1));
}

/* ---- RFC 3986 ---- */

/* All bytes are unreserved, sub-delims, escapes or among `more`. */
static bool is_made_of(const char *text, size_t len, const char *more)
{
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == '%') {
            if (len - i < 3 || !is_hex(text[i + 1]) || !is_hex(text[i + 2]))
                return false;
            i += 2;
        } else if (c == '\0' || (!is_letter(c) && !is_digit(c) && strchr("-._~!$&'()*+,;=", c) == NULL &&
                                    strchr(more, c) == NULL)) {
            return false;
        }
    }
    return true;
}

static bool is_authority(const char *text, size_t len)
{
    const char *user_end = memchr(text, '@', len);
    if (user_end != NULL) {
        size_t user_len = (size_t)(user_end - text);
        if (!is_made_of(text, user_len, ":"))
            return false;
        text += user_len + 1;
        len -= user_len + 1;
    }
    const char *close = len > 0 && text[0] == '[' ? memchr(text, ']', len) : NULL;
    size_t host_len = close != NULL ? (size_t)(close - text) + 1 : 0;
    if (close == NULL)
        while (host_len < len && text[host_len] != ':')
            host_len++;
    for (size_t i = host_len + 1; i < len; i++)
        if (!is_digit(text[i]))
            return false;
    if (host_len < len && text[host_len] != ':')
        return false;
    return close != NULL ? is_ipv6(weir_bytes(text + 1, host_len - 2)) : is_made_of(text, host_len, "");
}

static size_t span_until(const char *text, size_t len, const char *marks)
{
    size_t at = 0;
    while (at < len && (text[at] == '\0' || strchr(marks, text[at]) == NULL))
        at++;
    return at;
}

static size_t scheme_len(const char *text, size_t len)
{
    size_t at = 0;
    if (len == 0 || !is_letter(text[0]))
        return 0;
    while (at < len && (is_letter(text[at]) || is_digit(text[at]) ||
                           (text[at] != '\0' && strchr("+-.", text[at]) != NULL)))
        at++;
    return at < len && text[at] == ':' ? at + 1 : 0;
}

/* Behind the scheme. */
static bool is_rest_of_uri(const char *text, size_t len)
{
    if (len >= 2 && memcmp(text, "//", 2) == 0) {
        size_t authority = span_until(text + 2, len - 2, "/?#");
        if (!is_authority(text + 2, authority))
            return false;
        text += authority + 2;
        len -= authority + 2;
    }
    size_t path = span_until(text, len, "?#");
    if (!is_made_of(text, path, ":@/"))
        return false;
    size_t query = span_until(text + path, len - path, "#");
    if (query > 0 && !is_made_of(text + path + 1, query - 1, ":@/?"))
        return false;
    size_t fragment = path + query;
    return fragment == len || is_made_of(text + fragment + 1, len - fragment - 1, ":@/?");
}

static bool is_uri(struct weir_bytes bytes)
{
    size_t scheme = scheme_len(bytes.data, bytes.len);
    return scheme > 0 && is_rest_of_uri(bytes.data + scheme, bytes.len - scheme);
}

static bool is_uri_reference(struct weir_bytes bytes)
{
    /* Without a scheme no colon may stand in the first segment: it would be one. */
    size_t segment = span_until(bytes.data, bytes.len, "/?#");
    bool relative = memchr(bytes.data, ':', segment) == NULL;
    return is_uri(bytes) || (relative && is_rest_of_uri(bytes.data, bytes.len));
}

/* ---- the others ---- */

static bool is_uuid(struct weir_bytes bytes)
{
    if (bytes.len != 36)
        return false;
    for (size_t i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? bytes.data[i] != '-' : !is_hex(bytes.data[i]))
            return false;
    }
    return true;
}

/* RFC 6901 */
static bool is_json_pointer(struct weir_bytes bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        if (bytes.data[i] == '~' &&
            (i + 1 == bytes.len || (bytes.data[i + 1] != '0' && bytes.data[i + 1] != '1')))
            return false;
    return bytes.len == 0 || bytes.data[0] == '/';
}

static bool is_relative_json_pointer(struct weir_bytes bytes)
{
    struct text text = text_of(bytes);
    bool zero = bytes.len > 0 && bytes.data[0] == '0';
    size_t digits = skip_digits(&text);
    if (digits == 0 || (zero && digits > 1))
        return false;
    size_t left = bytes.len - digits;
    return (left == 1 && *text.at == '#') || is_json_pointer(weir_bytes(text.at, left));
}

static const struct weir_schema_format formats[] = {
    {"date-time", "a date and time of RFC 3339", is_date_time},
    {"date", "a date of RFC 3339", is_date},
    {"time", "a time of RFC 3339", is_time},
    {"duration", "a duration of RFC 3339", is_duration},
    {"email", "a mail address", is_email},
    {"hostname", "the name of a host", is_hostname},
    {"ipv4", "an IPv4 address", is_ipv4},
    {"ipv6", "an IPv6 address", is_ipv6},
    {"uri", "a URI", is_uri},
    {"uri-reference", "a URI reference", is_uri_reference},
    {"uuid", "a UUID", is_uuid},
    {"json-pointer", "a JSON Pointer", is_json_pointer},
    {"relative-json-pointer", "a relative JSON Pointer", is_relative_json_pointer},
};

const struct weir_schema_format *weir_schema_format_find(const char *name)
{
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    return NULL;
}

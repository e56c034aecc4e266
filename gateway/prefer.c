#include "gateway/prefer.h"

#include <string.h>
#include <strings.h>

enum { WAIT_S_MAX = 24 * 3600 };

static bool is_space(char byte)
{
    return byte == ' ' || byte == '\t';
}

/* One preference without the spaces around it. */
static struct weir_bytes trim(struct weir_bytes text)
{
    while (text.len > 0 && is_space(text.data[0]))
        text = weir_bytes(text.data + 1, text.len - 1);
    while (text.len > 0 && is_space(text.data[text.len - 1]))
        text.len--;
    return text;
}

/* "wait=10", also with the number in quotes; -1 for anything else. */
static int64_t read_wait_s(struct weir_bytes preference)
{
    static const char name[] = "wait=";
    const size_t len = sizeof(name) - 1;
    int64_t seconds = 0;

    if (preference.len <= len || strncasecmp(preference.data, name, len) != 0)
        return -1;
    struct weir_bytes text = weir_bytes(preference.data + len, preference.len - len);
    if (text.len > 2 && text.data[0] == '"' && text.data[text.len - 1] == '"')
        text = weir_bytes(text.data + 1, text.len - 2);
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return -1;
        seconds = seconds * 10 + (text.data[i] - '0');
        if (seconds > WAIT_S_MAX)
            seconds = WAIT_S_MAX;
    }
    return seconds;
}

static bool is_word(struct weir_bytes preference, const char *word)
{
    return preference.len == strlen(word) && strncasecmp(preference.data, word, preference.len) == 0;
}

/* Takes the next preference off *prefer. */
static struct weir_bytes next(struct weir_bytes *prefer)
{
    const char *comma = memchr(prefer->data, ',', prefer->len);
    size_t len = comma != NULL ? (size_t)(comma - prefer->data) : prefer->len;
    struct weir_bytes preference = trim(weir_bytes(prefer->data, len));
    len += comma != NULL;
    *prefer = weir_bytes(prefer->data + len, prefer->len - len);
    return preference;
}

int64_t weir_prefer_wait_ms(struct weir_bytes prefer, int64_t fallback_ms)
{
    while (prefer.len > 0) {
        struct weir_bytes preference = next(&prefer);
        int64_t seconds = read_wait_s(preference);
        if (seconds >= 0)
            return seconds * 1000;
        if (is_word(preference, "respond-async"))
            fallback_ms = 0;
    }
    return fallback_ms;
}

static bool holds_word(struct weir_bytes prefer, const char *word)
{
    while (prefer.len > 0) {
        if (is_word(next(&prefer), word))
            return true;
    }
    return false;
}

bool weir_prefer_minimal(struct weir_bytes prefer)
{
    return holds_word(prefer, "return=minimal");
}

bool weir_prefer_standby(struct weir_bytes prefer)
{
    return holds_word(prefer, "standby");
}

#include "common/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t read_us(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t weir_clock_wall_ms(void)
{
    return read_us(CLOCK_REALTIME) / 1000;
}

int64_t weir_clock_ms(void)
{
    return read_us(CLOCK_MONOTONIC) / 1000;
}

int64_t weir_clock_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

/* RFC 3339 has four digits for the year. */
static const int64_t FIRST_MS = -62167219200000; /* 0000-01-01T00:00:00.000Z */
static const int64_t LAST_MS = 253402300799999;  /* 9999-12-31T23:59:59.999Z */

/* "2026-11-21T06:40:20": kept for the next call in the same second, because every record and every line of a
 * log asks, and gmtime_r() takes a lock that all threads share. */
static const char *text_of_second(time_t second)
{
    static _Thread_local char text[WEIR_CLOCK_RFC3339_BYTES];
    static _Thread_local time_t kept;
    struct tm parts;

    if (text[0] != '\0' && kept == second)
        return text;
    gmtime_r(&second, &parts);
    /* The remainders change nothing; they tell the compiler that each part fits. */
    snprintf(text, sizeof(text), "%04u-%02u-%02uT%02u:%02u:%02u", (unsigned)(parts.tm_year + 1900) % 10000u,
        (unsigned)(parts.tm_mon + 1) % 100u, (unsigned)parts.tm_mday % 100u, (unsigned)parts.tm_hour % 100u,
        (unsigned)parts.tm_min % 100u, (unsigned)parts.tm_sec % 100u);
    kept = second;
    return text;
}

char *weir_clock_rfc3339(int64_t wall_ms, char out[static WEIR_CLOCK_RFC3339_BYTES])
{
    if (wall_ms < FIRST_MS)
        wall_ms = FIRST_MS;
    if (wall_ms > LAST_MS)
        wall_ms = LAST_MS;
    int ms = (int)((wall_ms % 1000 + 1000) % 1000);
    const char *second = text_of_second((time_t)((wall_ms - ms) / 1000));
    size_t len = strlen(second);
    const char end[] = {
        '.', (char)('0' + ms / 100), (char)('0' + ms / 10 % 10), (char)('0' + ms % 10), 'Z', '\0'};
    memcpy(out, second, len);
    memcpy(out + len, end, sizeof(end));
    return out;
}

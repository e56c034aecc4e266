#include "consumers/plugins/notifier/transcript.h"

#include "consumers/plugins/notifier/clean.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char chunking[] = "CHUNKING";

enum { CODE_BYTES = 4 /* three digits and a hyphen or space */ };

static bool starts_with(const char *bytes, size_t len, const char *word)
{
    return len >= strlen(word) && strncasecmp(bytes, word, strlen(word)) == 0;
}

void weir_transcript_give(struct weir_transcript *transcript, const char *bytes, size_t len)
{
    static const struct {
        const char *verb;
        enum weir_transcript_step step;
    } steps[] = {{"EHLO ", WEIR_STEP_HELLO}, {"HELO ", WEIR_STEP_HELLO}, {"STARTTLS\r", WEIR_STEP_STARTTLS},
        {"AUTH ", WEIR_STEP_AUTH}, {"MAIL FROM:", WEIR_STEP_MAIL}, {"XUSR\r", WEIR_STEP_MAIL}};

    for (size_t i = 0; transcript->step != WEIR_STEP_MAIL && i < sizeof(steps) / sizeof(steps[0]); i++)
        if (starts_with(bytes, len, steps[i].verb))
            transcript->step = steps[i].step;
}

static bool is_final(const struct weir_transcript *transcript)
{
    return transcript->line_len < CODE_BYTES || transcript->line[CODE_BYTES - 1] != '-';
}

/* The last line of a reply is whole. */
static void take_reply(struct weir_transcript *transcript)
{
    int code = (int)strtol(transcript->line, NULL, 10);

    /* A refusal is not overwritten by the goodbye behind it. */
    if (code >= 400 || transcript->refused == 0)
        weir_clean_line(transcript->line, transcript->reply, sizeof(transcript->reply));
    if (code >= 400)
        transcript->refused = code;
    if (transcript->step == WEIR_STEP_AUTH && code == 235) {
        transcript->authenticated = true;
        transcript->refused = 0;
    }
}

/* The keyword stands behind "250-" or "250 " and is hidden as its last letter comes by. */
static bool ends_chunking(const struct weir_transcript *transcript)
{
    return transcript->step == WEIR_STEP_HELLO && transcript->line_len == CODE_BYTES + strlen(chunking) &&
           strncasecmp(transcript->line + CODE_BYTES, chunking, strlen(chunking)) == 0;
}

static void take_byte(struct weir_transcript *transcript, char *byte)
{
    if (transcript->line_len + 1 < sizeof(transcript->line)) {
        transcript->line[transcript->line_len++] = *byte;
        if (ends_chunking(transcript))
            *byte = 'X';
    }
    if (*byte != '\n')
        return;
    transcript->line[transcript->line_len] = '\0';
    if (is_final(transcript))
        take_reply(transcript);
}

bool weir_transcript_take(struct weir_transcript *transcript, char *bytes, size_t len)
{
    for (size_t i = 0; i < len && transcript->step != WEIR_STEP_MAIL; i++) {
        take_byte(transcript, &bytes[i]);
        if (bytes[i] != '\n')
            continue;
        bool ended = is_final(transcript);
        transcript->line_len = 0;
        if (ended && transcript->step == WEIR_STEP_STARTTLS && transcript->line[0] == '2' && i + 1 < len) {
            transcript->injected = true;
            return false;
        }
    }
    return true;
}

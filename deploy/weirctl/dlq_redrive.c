#include "deploy/weirctl/dlq.h"
#include "deploy/weirctl/text.h"
#include "deploy/weirctl/who.h"

#include "common/json.h"
#include "common/kafka_redrive.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

enum { EXIT_INTERRUPTED = 130 };

struct redrive {
    struct dlq *dlq;
    bool json;
    struct weir_redrive_set *sets;
    struct weir_buffer values; /* JSON text of each set; NUL-terminated */
    struct weir_redrive_counts total;
    struct weir_buffer lines; /* JSON: what became of each letter that is named */
    char by[WHO_BYTES];
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

/* What was handed to Kafka is acknowledged first; a second signal ends at once. */
static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static bool stopping(void *context)
{
    (void)context;
    return interrupted != 0;
}

/* What is JSON is taken for it, all else for a string. */
static int write_value(const char *text, struct weir_buffer *out)
{
    WEIR_CLEANUP(json) json_t *parsed = NULL;

    if (weir_json_parse(weir_bytes_str(text), &parsed, NULL) == 0)
        weir_buffer_append_str(out, text);
    else if (weir_utf8_valid(weir_bytes_str(text)))
        weir_buffer_append_json_string(out, weir_bytes_str(text));
    else
        return WEIR_E_USAGE;
    return 0;
}

static int read_set(struct redrive *redrive, char *text, struct weir_redrive_set *set, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer value = {0};
    char *equals = strchr(text, '=');

    if (equals == NULL || (text[0] != '/' && text[0] != '='))
        return weir_error_set(
            err, WEIR_E_USAGE, "--set %s: it is written /POINTER=VALUE, or =VALUE for the whole body", text);
    if (write_value(equals + 1, &value) < 0)
        return weir_error_set(err, WEIR_E_USAGE, "--set: the value is not UTF-8");
    *equals = '\0';
    set->pointer = text;
    set->value.len = value.len;
    weir_buffer_append_bytes(&redrive->values, weir_buffer_bytes(&value));
    return 0;
}

static int read_sets(struct redrive *redrive, size_t *ret_count, struct weir_error *err)
{
    char **texts = redrive->dlq->settings->sets;
    size_t count = 0, at = 0;
    int code = 0;

    while (texts != NULL && texts[count] != NULL)
        count++;
    redrive->sets = calloc(count + 1, sizeof(*redrive->sets));
    if (redrive->sets == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    for (size_t i = 0; i < count && code == 0; i++)
        code = read_set(redrive, texts[i], &redrive->sets[i], err);
    for (size_t i = 0; i < count && code == 0; at += redrive->sets[i++].value.len)
        redrive->sets[i].value.data = redrive->values.data + at;
    *ret_count = count;
    return code < 0 || !redrive->values.failed ? code : weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
}

static void tell_json(struct redrive *redrive, const struct weir_letter *letter,
    enum weir_redrive_verdict verdict, const char *why)
{
    weir_buffer_append_str(&redrive->lines, redrive->lines.len > 0 ? ",\n" : "");
    weir_redrive_write_verdict(letter, verdict, why, &redrive->lines);
}

static void tell_text(struct redrive *redrive, const struct weir_letter *letter, const char *why)
{
    WEIR_CLEANUP(buffer) struct weir_buffer line = {0};

    progress_end(&redrive->dlq->progress);
    weir_buffer_printf(
        &line, "%s/%" PRId32 "/%" PRId64 " key ", letter->topic, letter->partition, letter->offset);
    text_append_safe(&line, letter->key, false);
    weir_buffer_append_str(&line, why != NULL ? " left: " : " would go back");
    text_append_safe(&line, weir_bytes_str(why), false);
    puts(line.data);
}

/* Named are the letters that are left and why, and in a dry run those that would go. */
static void tell(
    void *context, const struct weir_letter *letter, enum weir_redrive_verdict verdict, const char *why)
{
    struct redrive *redrive = context;
    bool named = why != NULL || (verdict == WEIR_REDRIVE_SENT && redrive->dlq->settings->redrive.dry_run);

    if (named && redrive->json)
        tell_json(redrive, letter, verdict, why);
    else if (named)
        tell_text(redrive, letter, why);
}

static int redrive_topic(
    struct redrive *redrive, const struct weir_letters_query *query, size_t set_count, struct weir_error *err)
{
    const struct weir_redrive_settings *settings = &redrive->dlq->settings->redrive;
    const struct weirctl *ctl = redrive->dlq->ctl;
    struct weir_redrive_counts counts;
    struct weir_redrive_options options = {.per_second = settings->rate,
        .redrives_max = settings->redrives_max,
        .dry_run = settings->dry_run,
        .unless_changed = (enum weir_redrive_unless_changed)settings->unless_changed,
        .sets = redrive->sets,
        .set_count = set_count,
        .by = redrive->by,
        .timeout_ms = (int)ctl->arguments->timeout_ms,
        .stopping = stopping,
        .visit = tell,
        .context = redrive};

    int code = weir_redrive_oldest(ctl->deployment, query->topic, &options.oldest_ms, err);
    if (code < 0)
        return code;
    code = weir_redrive(ctl->deployment, redrive->dlq->scan, query, &options, &counts, err);
    weir_redrive_counts_add(&redrive->total, &counts);
    return code;
}

/* Letters that were named, those of one topic at a time. */
static int redrive_named(struct redrive *redrive, const struct weir_letters_topic *topic,
    struct weir_letters_query *query, size_t set_count, struct weir_error *err)
{
    const struct arguments *arguments = redrive->dlq->ctl->arguments;
    WEIR_CLEANUP(free)
    struct weir_letters_range *ranges = calloc((size_t)arguments->operand_count, sizeof(*ranges));
    int code = ranges != NULL ? 0 : weir_error_set(err, WEIR_E_INTERNAL, "out of memory");

    query->ranges = ranges;
    query->range_count = 0;
    for (int i = 0; i < arguments->operand_count && code == 0; i++) {
        const struct weir_letters_topic *of = NULL;
        code = dlq_letter(redrive->dlq, arguments->operands[i], &of, &ranges[query->range_count], err);
        query->range_count += of == topic;
    }
    return code < 0 || query->range_count == 0 ? code : redrive_topic(redrive, query, set_count, err);
}

static int redrive_all(struct redrive *redrive, size_t set_count, struct weir_error *err)
{
    struct dlq *dlq = redrive->dlq;
    int code = 0;

    for (size_t i = 0; i < dlq->topic_count && code == 0 && !redrive->total.stopped; i++) {
        struct weir_letters_query query = {.topic = &dlq->topics[i], .filter = dlq->filter};
        code = dlq->ctl->arguments->operand_count > 0
                   ? redrive_named(redrive, &dlq->topics[i], &query, set_count, err)
                   : redrive_topic(redrive, &query, set_count, err);
    }
    return code;
}

static void print(const struct redrive *redrive)
{
    const struct weir_redrive_counts *total = &redrive->total;
    bool dry = redrive->dlq->settings->redrive.dry_run;

    if (!redrive->json) {
        printf("%s %" PRId64 " letters; %" PRId64 " were redriven before, %" PRId64 " are left%s\n",
            dry ? "would redrive" : "redrove", total->letters[WEIR_REDRIVE_SENT],
            total->letters[WEIR_REDRIVE_ALREADY], weir_redrive_left(total),
            total->stopped ? "; interrupted: run it again for the rest" : "");
        return;
    }
    WEIR_CLEANUP(buffer) struct weir_buffer out = {0};
    weir_redrive_write_counts(total, dry, &out);
    printf("{%s,\"letters\":[%s]}\n", out.data != NULL ? out.data : "",
        redrive->lines.data != NULL ? redrive->lines.data : "");
}

int dlq_redrive_run(struct weirctl *ctl, struct weir_error *err)
{
    struct dlq dlq;
    struct redrive redrive = {.dlq = &dlq, .json = ctl->arguments->json};
    size_t set_count = 0;

    who_write(redrive.by);
    int code = dlq_open(ctl, &dlq, err);
    if (code == 0)
        code = read_sets(&redrive, &set_count, err);
    if (code == 0) {
        catch_signals();
        code = redrive_all(&redrive, set_count, err);
        progress_end(&dlq.progress);
        print(&redrive); /* also when it failed: what was acknowledged stays */
    }
    free(redrive.sets);
    weir_buffer_done(&redrive.values);
    weir_buffer_done(&redrive.lines);
    dlq_close(&dlq);
    if (code == 0 && redrive.total.stopped)
        return EXIT_INTERRUPTED;
    return code < 0 || weir_redrive_left(&redrive.total) == 0 ? code : EX_DATAERR;
}

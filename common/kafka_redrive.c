#include "common/kafka_redrive.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/kafka_redrive_writer.h"
#include "common/kafka_unchanged.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

enum { BY_BYTES = 512 }; /* room for at= and by= */

/* A rate is kept by waiting before a letter, never by catching up with a pause. */
struct pace {
    int64_t per_second, due_us;
};

struct redrive {
    const struct weir_letters_query *query;
    const struct weir_redrive_options *options;
    struct weir_redrive_counts *counts;
    struct weir_redriven redriven;
    struct weir_unchanged unchanged;
    struct weir_redrive_writer *writer; /* NULL in a dry run */
    struct pace pace;
    struct weir_buffer body;
};

static bool ends_with(struct weir_bytes text, const char *end)
{
    size_t len = strlen(end);
    return text.len >= len && memcmp(text.data + text.len - len, end, len) == 0;
}

/* A record without ce_type replaces its key, or with a null value deletes it. */
static bool overwrites(const struct weir_letter *letter)
{
    struct weir_bytes type = weir_header_find(letter->headers, letter->header_count, WEIR_HEADER_TYPE);

    if (type.data == NULL)
        return letter->value.data != NULL;
    return ends_with(type, ".replace") || ends_with(type, ".merge");
}

static bool is_guarded(const struct redrive *redrive, const struct weir_letter *letter)
{
    switch (redrive->options->unless_changed) {
    case WEIR_REDRIVE_ALL:
        return true;
    case WEIR_REDRIVE_OVERWRITES:
        return overwrites(letter);
    case WEIR_REDRIVE_NONE:
        break;
    }
    return false;
}

/* The verdict that the letter's headers alone give. */
static enum weir_redrive_verdict judge(
    const struct redrive *redrive, const struct weir_letter *letter, const char **ret_why)
{
    *ret_why = weir_letter_obstacle(letter, redrive->query->topic->source);
    if (*ret_why != NULL)
        return WEIR_REDRIVE_IMPOSSIBLE;
    if (weir_redriven_has(&redrive->redriven, letter))
        return WEIR_REDRIVE_ALREADY;
    if (letter->timestamp_ms < redrive->options->oldest_ms) {
        *ret_why = "it is older than what the retry topic remembers: whether it was redriven is not known";
        return WEIR_REDRIVE_IMPOSSIBLE;
    }
    if (letter->redrive_count >= redrive->options->redrives_max) {
        *ret_why = "it was redriven as often as is allowed";
        return WEIR_REDRIVE_LOOP;
    }
    return WEIR_REDRIVE_SENT;
}

static bool is_stopping(struct redrive *redrive)
{
    const struct weir_redrive_options *options = redrive->options;

    if (options->stopping != NULL && options->stopping(options->context))
        redrive->counts->stopped = true;
    return redrive->counts->stopped;
}

static int ask_unchanged(
    void *context, const struct weir_letter *letter, bool redriven, struct weir_error *err)
{
    struct redrive *redrive = context;
    const char *why;

    (void)redriven;
    if (is_stopping(redrive))
        return 1;
    if (judge(redrive, letter, &why) != WEIR_REDRIVE_SENT || !is_guarded(redrive, letter))
        return 0;
    if (weir_unchanged_ask(&redrive->unchanged, letter) < 0)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    return 0;
}

static int look_for_changes(struct redrive *redrive, struct weir_kafka_scan *scan, struct weir_error *err)
{
    const struct weir_collection *collection = redrive->query->topic->collection;

    if (collection == NULL || redrive->options->unless_changed == WEIR_REDRIVE_NONE)
        return 0;
    if (weir_unchanged_init(&redrive->unchanged, collection) < 0)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    int code = weir_letters_each(scan, redrive->query, &redrive->redriven, ask_unchanged, redrive, err);
    return code < 0 ? code : weir_unchanged_read(&redrive->unchanged, scan, err);
}

static int apply_sets(struct redrive *redrive, struct weir_bytes *body, struct weir_error *err)
{
    WEIR_CLEANUP(json) json_t *parsed = NULL;

    for (size_t i = 0; i < redrive->options->set_count; i++) {
        const struct weir_redrive_set *set = &redrive->options->sets[i];
        WEIR_CLEANUP(buffer) struct weir_buffer out = {0};
        int code = weir_json_set(*body, set->pointer, set->value, &out, err);
        if (code < 0)
            return code;
        weir_buffer_clear(&redrive->body);
        weir_buffer_append_bytes(&redrive->body, weir_buffer_bytes(&out));
        if (redrive->body.failed)
            return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
        *body = weir_buffer_bytes(&redrive->body);
    }
    return weir_json_parse(*body, &parsed, err);
}

/* "pointer=/customer/email at=… by=ada@host": who mended what, and when. Long lists of pointers are cut,
 * never who it was. */
static void write_audit(const struct weir_redrive_options *options, struct weir_buffer *out)
{
    char now[WEIR_CLOCK_RFC3339_BYTES];
    size_t most = WEIR_HEADER_VALUE_BYTES - BY_BYTES;

    for (size_t i = 0; i < options->set_count; i++) {
        if (out->len + strlen(options->sets[i].pointer) > most) {
            weir_buffer_append_str(out, "more ");
            break;
        }
        weir_buffer_printf(out, "pointer=%s ", options->sets[i].pointer);
    }
    weir_buffer_printf(out, "at=%s by=%.400s", weir_clock_rfc3339(weir_clock_wall_ms(), now),
        options->by != NULL ? options->by : "unknown");
}

static void wait_turn(struct pace *pace)
{
    if (pace->per_second == 0)
        return;
    int64_t left_us = pace->due_us - weir_clock_us();
    if (left_us > 0)
        nanosleep(&(struct timespec){left_us / 1000000, left_us % 1000000 * 1000}, NULL);
    else
        pace->due_us -= left_us;
    pace->due_us += 1000000 / pace->per_second;
}

static void note(struct redrive *redrive, const struct weir_letter *letter, enum weir_redrive_verdict verdict,
    const char *why)
{
    if (verdict != WEIR_REDRIVE_SENT || redrive->writer == NULL)
        redrive->counts->letters[verdict]++;
    redrive->options->visit(redrive->options->context, letter, verdict, why);
}

static int send(
    struct redrive *redrive, const struct weir_letter *letter, struct weir_bytes body, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer audit = {0};
    struct weir_letter_return back;
    int64_t committed = 0;

    if (redrive->writer == NULL)
        return 0;
    if (redrive->options->set_count > 0)
        write_audit(redrive->options, &audit);
    if (weir_letter_return_init(&back, letter, audit.data) < 0)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    wait_turn(&redrive->pace);
    int code = weir_redrive_writer_send(redrive->writer, letter, body, &back, &committed, err);
    weir_letter_return_done(&back);
    redrive->counts->letters[WEIR_REDRIVE_SENT] += committed;
    return code;
}

static int take_letter(void *context, const struct weir_letter *letter, bool redriven, struct weir_error *err)
{
    struct redrive *redrive = context;
    struct weir_bytes body = letter->value;
    struct weir_error unset = {0};
    const char *why = NULL;

    (void)redriven;
    if (is_stopping(redrive))
        return 1;
    enum weir_redrive_verdict verdict = judge(redrive, letter, &why);
    if (verdict == WEIR_REDRIVE_SENT && !weir_unchanged_holds(&redrive->unchanged, letter)) {
        verdict = WEIR_REDRIVE_CHANGED;
        why = "its document was changed by a later command";
    } else if (verdict == WEIR_REDRIVE_SENT && redrive->options->set_count > 0 &&
               apply_sets(redrive, &body, &unset) < 0) {
        verdict = WEIR_REDRIVE_UNPATCHABLE;
        why = unset.text;
    }
    if (verdict == WEIR_REDRIVE_SENT && weir_redriven_add(&redrive->redriven, letter) < 0)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    int code = verdict == WEIR_REDRIVE_SENT ? send(redrive, letter, body, err) : 0;
    if (code == 0)
        note(redrive, letter, verdict, why);
    return code;
}

/* First the writer, which fences others; only then is what they did whole and can be read. */
static int run(const struct weir_deployment *deployment, struct redrive *redrive,
    struct weir_kafka_scan *scan, struct weir_error *err)
{
    const struct weir_letters_query *query = redrive->query;
    int64_t committed = 0;
    int code = 0;

    if (!redrive->options->dry_run)
        code = weir_redrive_writer_open(
            deployment, query->topic, redrive->options->timeout_ms, &redrive->writer, err);
    if (code == 0)
        code = weir_redriven_read(&redrive->redriven, scan, query->topic, err);
    if (code == 0)
        code = look_for_changes(redrive, scan, err);
    if (code == 0)
        code = weir_letters_each(scan, query, &redrive->redriven, take_letter, redrive, err);
    if (code == 0 && redrive->writer != NULL)
        code = weir_redrive_writer_commit(redrive->writer, &committed, err);
    redrive->counts->letters[WEIR_REDRIVE_SENT] += committed;
    return code;
}

int weir_redrive(const struct weir_deployment *deployment, struct weir_kafka_scan *scan,
    const struct weir_letters_query *query, const struct weir_redrive_options *options,
    struct weir_redrive_counts *ret_counts, struct weir_error *err)
{
    struct weir_letters_query all = *query;
    struct redrive redrive = {
        .query = &all, .options = options, .counts = ret_counts, .pace = {.per_second = options->per_second}};

    all.open_only = false;
    *ret_counts = (struct weir_redrive_counts){0};
    if (query->topic->retry[0] == '\0')
        return weir_error_set(
            err, WEIR_E_USAGE, "%s is not a dead-letter topic of a service of Weir", query->topic->letters);
    int code = run(deployment, &redrive, scan, err);
    weir_redrive_writer_close(redrive.writer);
    weir_redriven_done(&redrive.redriven);
    weir_unchanged_done(&redrive.unchanged);
    weir_buffer_done(&redrive.body);
    return code;
}

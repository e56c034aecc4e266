/* A microservice on Weir: greets whoever an order is about, one function for each kind of change. Its work
 * begins at handlers[]; all below is what any service has. */
#include <weir/plugin.h>

#include <stdio.h>
#include <stdlib.h>

enum { GREETING_BYTES = 512 };

struct settings {
    char *topic, *greeting;
};

static const struct weir_option options[] = {
    {.key = "topic",
        .type = WEIR_OPTION_STRING,
        .fallback = "template-greetings",
        .offset = offsetof(struct settings, topic),
        .help = "topic of the greetings, with topic.prefix"},
    {.key = "greeting",
        .type = WEIR_OPTION_STRING,
        .fallback = "hello",
        .max = 100,
        .offset = offsetof(struct settings, greeting),
        .help = "word that a greeting begins with"},
};

struct service {
    const struct weir_host *host;
    const struct settings *settings;
    struct weir_metric *greetings;
};

/* A change that is being handled. record->key is the document's key, record->value the event as JSON:
 * {"op":"u","version":2,"before":{…},"after":{…},…}, for the JSON library of your choice. */
struct event {
    const struct service *service;
    struct weir_batch *batch;
    const struct weir_record *record;
};

/* Answers the verdict: WEIR_DONE; with err WEIR_REJECT, for what can never succeed and becomes a dead letter,
 * WEIR_RETRY, for what may succeed later, or WEIR_WAIT while something that it needs is down. */
typedef enum weir_verdict event_handler(const struct event *event, struct weir_error *err);

static enum weir_verdict emit_greeting(const struct event *event, const char *words, struct weir_error *err)
{
    const struct service *service = event->service;
    const struct weir_record *record = event->record;
    char text[GREETING_BYTES];

    snprintf(text, sizeof(text), "%s, %.*s", words, (int)record->key.len, record->key.data);
    int code = service->host->emit(
        event->batch, record, service->settings->topic, record->key, weir_bytes_str(text), NULL, 0, err);
    if (code < 0)
        return WEIR_REJECT;
    service->host->metric_add(service->greetings, 1);
    return WEIR_DONE;
}

static enum weir_verdict on_created(const struct event *event, struct weir_error *err)
{
    return emit_greeting(event, event->service->settings->greeting, err);
}

static enum weir_verdict on_updated(const struct event *event, struct weir_error *err)
{
    return emit_greeting(event, "nice to see you again", err);
}

static enum weir_verdict on_deleted(const struct event *event, struct weir_error *err)
{
    return emit_greeting(event, "goodbye", err);
}

/* By the last word of the event's type, the header ce_type: weir.orders.created. */
static const struct {
    const char *word;
    event_handler *run;
} handlers[] = {
    {"created", on_created},
    {"updated", on_updated},
    {"deleted", on_deleted},
};

static struct weir_bytes last_word_of_type(const struct weir_record *record)
{
    struct weir_bytes type = WEIR_BYTES_NULL;
    size_t begin;

    for (size_t i = 0; i < record->header_count; i++)
        if (strcmp(record->headers[i].name, "ce_type") == 0)
            type = record->headers[i].value;
    for (begin = type.len; begin > 0 && type.data[begin - 1] != '.';)
        begin--;
    return weir_bytes(type.data != NULL ? type.data + begin : NULL, type.len - begin);
}

static enum weir_verdict handle_event(const struct event *event, struct weir_error *err)
{
    struct weir_bytes word = last_word_of_type(event->record);

    if (event->record->key.len == 0) {
        weir_fail(err, WEIR_E_INVALID, "there is no key");
        return WEIR_REJECT;
    }
    if (event->record->value.data == NULL) /* the tombstone behind the event of a deletion */
        return WEIR_DONE;
    for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++)
        if (weir_bytes_is(word, handlers[i].word))
            return handlers[i].run(event, err);
    weir_fail(err, WEIR_E_INVALID, "ce_type is that of no change of a document");
    return WEIR_REJECT;
}

static void handle_record(
    const struct service *service, struct weir_batch *batch, const struct weir_record *record)
{
    const struct event event = {.service = service, .batch = batch, .record = record};
    struct weir_error err = {0};

    enum weir_verdict verdict = handle_event(&event, &err);
    const struct weir_reason why = {.disposition = err.code == WEIR_E_TOO_LARGE ? "too-large" : "invalid",
        .error_type = "event",
        .text = err.text};
    if (verdict == WEIR_DONE)
        service->host->done(batch, record);
    else
        service->host->fail(batch, record, verdict, &why);
}

static int handle(void *instance, struct weir_batch *batch, struct weir_error *err)
{
    const struct service *service = instance;

    (void)err;
    for (const struct weir_record *record; (record = service->host->next(batch)) != NULL;)
        handle_record(service, batch, record);
    return 0;
}

static int open_service(
    const struct weir_host *host, const void *settings, void **ret_instance, struct weir_error *err)
{
    struct service *service = calloc(1, sizeof(*service));

    if (service == NULL)
        return weir_fail(err, WEIR_E_INTERNAL, "memory is out");
    service->host = host;
    service->settings = settings;
    service->greetings = host->counter("greetings_total", "", "Greetings emitted");
    *ret_instance = service;
    return 0;
}

WEIR_PLUGIN = {
    .abi = WEIR_PLUGIN_ABI,
    .struct_size = sizeof(struct weir_plugin),
    .name = "template",
    .version = "1.0",
    .summary = "Greets whoever an order is about",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .settings_size = sizeof(struct settings),
    .open = open_service,
    .close = free,
    .handle = handle,
};

/* A microservice on Weir to begin with: copy the folder, give it a name, change greet().
 * For each record it emits a greeting to a topic of its own. */
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
        .fallback = "greetings",
        .offset = offsetof(struct settings, topic),
        .help = "topic of the greetings, with topic.prefix"},
    {.key = "greeting",
        .type = WEIR_OPTION_STRING,
        .fallback = "hello",
        .max = 100,
        .offset = offsetof(struct settings, greeting),
        .help = "word that a greeting begins with"},
};

struct template
{
    const struct weir_host *host;
    const struct settings *settings;
    struct weir_metric *greetings;
};

static int open_template(
    const struct weir_host *host, const void *settings, void **ret_instance, struct weir_error *err)
{
    struct template *template = calloc(1, sizeof(*template));
    if (template == NULL)
        return weir_fail(err, WEIR_E_INTERNAL, "memory is out");
    template->host = host;
    template->settings = settings;
    template->greetings = host->counter("greetings_total", "", "Greetings emitted");
    *ret_instance = template;
    return 0;
}

static void reject(const struct template *template, struct weir_batch *batch,
    const struct weir_record *record, const char *disposition, const char *text)
{
    const struct weir_reason why = {.disposition = disposition, .error_type = disposition, .text = text};
    template->host->fail(batch, record, WEIR_REJECT, &why);
}

/* What can never succeed is rejected and becomes a dead letter; for what may succeed later there is
 * WEIR_RETRY, and WEIR_WAIT while a service that it needs is down. */
static void greet(struct template *template, struct weir_batch *batch, const struct weir_record *record)
{
    char text[GREETING_BYTES];
    struct weir_error err = {0};
    int len = snprintf(text, sizeof(text), "%s, %.*s", template->settings->greeting, (int)record->key.len,
        record->key.data != NULL ? record->key.data : "");
    if (record->key.len == 0 || len >= (int)sizeof(text)) {
        reject(template, batch, record, "invalid", "a key of 1 to 400 bytes is needed");
        return;
    }
    if (template->host->emit(
            batch, record, template->settings->topic, record->key, weir_bytes_str(text), NULL, 0, &err) < 0) {
        reject(template, batch, record, "too-large", err.text);
        return;
    }
    template->host->metric_add(template->greetings, 1);
    template->host->done(batch, record);
}

static int handle(void *instance, struct weir_batch *batch, struct weir_error *err)
{
    struct template *template = instance;
    (void)err;
    for (const struct weir_record *record; (record = template->host->next(batch)) != NULL;)
        greet(template, batch, record);
    return 0;
}

WEIR_PLUGIN = {
    .abi = WEIR_PLUGIN_ABI,
    .struct_size = sizeof(struct weir_plugin),
    .name = "template",
    .version = "1.0",
    .summary = "Greets whoever a record is about",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .settings_size = sizeof(struct settings),
    .open = open_template,
    .close = free,
    .handle = handle,
};

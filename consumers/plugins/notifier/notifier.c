/* The notifier: a mail for each change event to the recipients of its configuration. */
#include "consumers/plugins/notifier/handle.h"
#include "consumers/plugins/notifier/reads.h"

#include "common/deployment.h"
#include "common/rate.h"

#include <weir/plugin.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum { TABLE_SUBSCRIPTIONS, TABLE_LEDGER };

static int check(const void *settings, const struct weir_deployment *deployment, const char *service,
    struct weir_error *err)
{
    return weir_notifier_settings_check(settings, deployment, service, err);
}

static void open_metrics(struct weir_notifier *notifier)
{
    const struct weir_host *host = notifier->host;
    static const char mails[] = "mails_total", mails_help[] = "Mails that the SMTP server has taken";
    static const char events[] = "events_failed_total", events_help[] = "Events not mailed, by verdict";

    notifier->metrics = (struct weir_notifier_metrics){
        .sent = host->counter(mails, "", mails_help),
        .unknown = host->counter("mails_unknown_total", "",
            "Mails whose text was sent and got no reply: they are sent again and may arrive twice"),
        .suppressed = host->counter("mails_suppressed_total", "",
            "Mails that were not sent because whom they were for had left since the event"),
        .retried = host->counter(events, "verdict=\"retry\"", events_help),
        .rejected = host->counter(events, "verdict=\"reject\"", events_help),
        .sessions = host->counter("sessions_total", "", "SMTP sessions, whatever their end"),
        .subscriptions = host->gauge("subscriptions", "", "Confirmed subscriptions"),
        .session_time = host->histogram("session_seconds", "", "Duration of an SMTP session"),
    };
}

static void close_notifier(void *instance)
{
    struct weir_notifier *notifier = instance;

    weir_plan_done(&notifier->plan);
    weir_subscriptions_free(notifier->subscriptions);
    weir_relays_done(&notifier->relays);
    weir_reads_close(notifier);
    weir_suspensions_done(&notifier->suspensions);
    weir_rate_free(notifier->rate);
    weir_rate_free(notifier->domain_rate);
    weir_ledger_close(notifier->ledger);
    pthread_mutex_destroy(&notifier->health_lock);
    free(notifier);
}

static int open_subscriptions(struct weir_notifier *notifier, struct weir_error *err)
{
    const struct weir_deployment *deployment = notifier->host->deployment;

    if (deployment == NULL || deployment->subscriptions == NULL)
        return 0;
    notifier->subscriptions = weir_subscriptions_new();
    return notifier->subscriptions != NULL ? 0 : weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
}

static int open_rate(int64_t per_second, struct weir_rate **ret_rate, struct weir_error *err)
{
    if (per_second == 0)
        return 0;
    *ret_rate = weir_rate_new(per_second, per_second);
    return *ret_rate != NULL ? 0 : weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
}

static int open_ledger(struct weir_notifier *notifier, struct weir_error *err)
{
    const struct weir_host *host = notifier->host;
    char path[PATH_MAX];
    struct weir_ledger_options options = {.host = host,
        .path = path,
        .temporary = host->deployment != NULL && host->deployment->kafka.dev,
        .keep_ms = notifier->settings->ledger_keep_ms};

    int code = weir_notifier_ledger_path(notifier->settings, host->deployment, host->service, path, err);
    return code < 0 ? code : weir_ledger_open(&options, &notifier->ledger, err);
}

static int open_notifier(
    const struct weir_host *host, const void *settings, void **ret_instance, struct weir_error *err)
{
    struct weir_notifier *notifier = calloc(1, sizeof(*notifier));
    if (notifier == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    pthread_mutex_init(&notifier->health_lock, NULL);
    notifier->host = host;
    notifier->settings = settings;
    int code = weir_relays_open(
        settings, weir_notifier_drain_ms(host->deployment, host->service), &notifier->relays, err);
    if (code == 0)
        code = weir_plan_open(host, settings, &notifier->plan, err);
    if (code == 0)
        code = open_subscriptions(notifier, err);
    if (code == 0)
        code = open_ledger(notifier, err);
    if (code == 0)
        code = open_rate(notifier->settings->rate, &notifier->rate, err);
    if (code == 0)
        code = open_rate(notifier->settings->domain_rate, &notifier->domain_rate, err);
    if (code == 0)
        code = weir_reads_open(notifier, err);
    if (code < 0) {
        close_notifier(notifier);
        return code;
    }
    open_metrics(notifier);
    *ret_instance = notifier;
    return 0;
}

static int handle(void *instance, struct weir_batch *batch, struct weir_error *err)
{
    return weir_notifier_handle(instance, batch, err);
}

/* What was refused counts for one version of the document: another one begins anew. */
static void keep_refusals(struct weir_notifier *notifier, struct weir_bytes key, bool was_refused)
{
    const struct weir_refusals none = {0};
    struct weir_refusals refusals;
    char id[WEIR_KEY_BYTES + 1];
    const struct weir_subscription *now = weir_subscriptions_find(notifier->subscriptions, key);

    snprintf(id, sizeof(id), "%.*s", (int)key.len, key.data);
    if (now != NULL && weir_ledger_find_refusals(notifier->ledger, id, now->version, &refusals))
        weir_subscriptions_recall(notifier->subscriptions, key, &refusals);
    else if (was_refused)
        weir_ledger_put_refusals(notifier->ledger, id, "", &none);
}

static int apply_subscription(
    struct weir_notifier *notifier, const struct weir_record *record, struct weir_error *err)
{
    const struct weir_subscription *former = weir_subscriptions_find(notifier->subscriptions, record->key);
    bool was_refused = former != NULL && former->refusals.count > 0;

    int code = weir_subscriptions_apply(notifier->subscriptions, record->key, record->value, err);
    if (code == 0)
        keep_refusals(notifier, record->key, was_refused);
    return code;
}

/* Every instance knows every subscription: whose event a mail is about does not tell whom it goes to. */
static int apply_subscriptions(
    struct weir_notifier *notifier, const struct weir_record *records, size_t count, struct weir_error *err)
{
    int code = 0;

    if (notifier->subscriptions == NULL)
        return 0;
    for (size_t i = 0; i < count && code == 0; i++)
        code = apply_subscription(notifier, &records[i], err);
    weir_subscriptions_forget(
        notifier->subscriptions, notifier->host->now_ms() - notifier->host->deployment->kafka.window_ms);
    notifier->host->metric_set(
        notifier->metrics.subscriptions, (int64_t)weir_subscriptions_count(notifier->subscriptions));
    return code;
}

static int apply(
    void *instance, uint32_t table, const struct weir_record *records, size_t count, struct weir_error *err)
{
    struct weir_notifier *notifier = instance;

    return table == TABLE_SUBSCRIPTIONS ? apply_subscriptions(notifier, records, count, err)
                                        : weir_ledger_apply(notifier->ledger, records, count, err);
}

static int position(void *instance, uint32_t table, uint32_t source, int32_t partition, int64_t *ret_offset,
    struct weir_error *err)
{
    struct weir_notifier *notifier = instance;

    *ret_offset = 0;
    return table == TABLE_SUBSCRIPTIONS
               ? 0
               : weir_ledger_position(notifier->ledger, source, partition, ret_offset, err);
}

static int caught_up(void *instance, uint32_t table, uint32_t source, int32_t partition, int64_t offset,
    struct weir_error *err)
{
    struct weir_notifier *notifier = instance;

    return table == TABLE_SUBSCRIPTIONS
               ? 0
               : weir_ledger_caught_up(notifier->ledger, source, partition, offset, err);
}

static void revoked(void *instance, uint32_t source, int32_t partition)
{
    weir_ledger_revoked(((struct weir_notifier *)instance)->ledger, source, partition);
}

static void dead_letter(void *instance, struct weir_batch *batch, const struct weir_record *record,
    const char *disposition, const struct weir_reason *why)
{
    (void)disposition, (void)why;
    weir_notifier_bury(instance, batch, record);
}

static void tick(void *instance, struct weir_batch *batch)
{
    struct weir_notifier *notifier = instance;
    uint32_t source;
    int32_t partition;

    weir_ledger_tick(notifier->ledger, batch);
    if (notifier->suspensions.count > 0 && weir_ledger_owned(notifier->ledger, &source, &partition))
        weir_suspensions_emit(&notifier->suspensions, notifier->host, batch, source, partition);
    weir_reads_wake(notifier);
}

static int committed(
    void *instance, struct weir_batch *batch, const struct weir_result *result, struct weir_error *err)
{
    struct weir_notifier *notifier = instance;

    (void)batch;
    weir_suspensions_end(&notifier->suspensions, true);
    return weir_ledger_committed(notifier->ledger, result, err);
}

static void aborted(void *instance, struct weir_batch *batch)
{
    struct weir_notifier *notifier = instance;

    (void)batch;
    weir_suspensions_end(&notifier->suspensions, false);
    weir_ledger_aborted(notifier->ledger);
}

static int reload(void *instance, const void *settings, struct weir_error *err)
{
    struct weir_notifier *notifier = instance;
    struct weir_plan plan;

    int code = weir_plan_open(notifier->host, settings, &plan, err);
    if (code < 0) {
        weir_plan_done(&plan);
        return code;
    }
    weir_plan_done(&notifier->plan);
    notifier->plan = plan;
    notifier->settings = settings;
    return 0;
}

static bool health(void *instance, struct weir_buffer *detail)
{
    struct weir_notifier *notifier = instance;

    pthread_mutex_lock(&notifier->health_lock);
    bool healthy = notifier->trouble[0] == '\0';
    weir_buffer_append_str(detail, "\"smtp\":");
    weir_buffer_append_json_string(detail, weir_bytes_str(healthy ? "ok" : notifier->trouble));
    pthread_mutex_unlock(&notifier->health_lock);
    return healthy;
}

static const struct weir_table tables[] = {
    [TABLE_SUBSCRIPTIONS] = {.topic = WEIR_SUBSCRIPTIONS ".changes",
        .mode = WEIR_TABLE_ALL,
        .optional = true,
        .fresh = true},
    [TABLE_LEDGER] = {.topic = "{source}.{service}.notifications", .mode = WEIR_TABLE_OWNED},
};

WEIR_PLUGIN = {
    .abi = WEIR_PLUGIN_ABI,
    .struct_size = sizeof(struct weir_plugin),
    .name = "notifier",
    .version = WEIR_VERSION,
    .summary = "Sends a mail by SMTP for each change event",
    .options = weir_notifier_options,
    .option_count = WEIR_NOTIFIER_OPTION_COUNT,
    .settings_size = sizeof(struct weir_notifier_settings),
    .tables = tables,
    .table_count = sizeof(tables) / sizeof(tables[0]),
    .check = check,
    .open = open_notifier,
    .handle = handle,
    .health = health,
    .close = close_notifier,
    .revoked = revoked,
    .dead_letter = dead_letter,
    .committed = committed,
    .aborted = aborted,
    .tick = tick,
    .table_position = position,
    .table_apply = apply,
    .table_caught_up = caught_up,
    .reload = reload,
};

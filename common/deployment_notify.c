/* [notify NAME]: mails of the company's own about changes of a collection, or about records of any topic. */
#include "common/deployment_parts.h"

#include "common/filter.h"
#include "common/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct weir_option rows[] = {
    {.key = "collection",
        .type = WEIR_OPTION_STRING,
        .min = 1,
        .max = 63,
        .offset = offsetof(struct weir_notify, collection),
        .help = "the collection whose changes are mailed"},
    {.key = "topic",
        .type = WEIR_OPTION_STRING,
        .min = 1,
        .max = 249,
        .offset = offsetof(struct weir_notify, topic),
        .help = "instead of a collection: any topic of JSON objects that the service reads; filter, paths "
                "and template are over "
                "the record's value"},
    {.key = "to",
        .type = WEIR_OPTION_LIST,
        .min = 1,
        .max = 100,
        .required = true,
        .offset = offsetof(struct weir_notify, to),
        .help = "who gets the mail: addresses, or paths into the change event to where they stand "
                "(after.customer.email)"},
    {.key = "filter",
        .type = WEIR_OPTION_STRING,
        .min = 2,
        .max = 4095,
        .offset = offsetof(struct weir_notify, filter),
        .help = "filter policy (JSON) over the change event; inserts only, unless it names op or before"},
    {.key = "template",
        .type = WEIR_OPTION_STRING,
        .fallback = "change",
        .min = 1,
        .max = 63,
        .offset = offsetof(struct weir_notify, template),
        .help = "name of the mail's template"},
};

const struct weir_option_table weir_notify_options = {.section = "notify *",
    .rows = rows,
    .count = sizeof(rows) / sizeof(rows[0]),
    .settings_size = sizeof(struct weir_notify)};

static int refuse_memory(struct weir_error *err)
{
    return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
}

static int check_collection(const struct weir_deployment *deployment, const char *section,
    const struct weir_notify *notify, struct weir_error *err)
{
    if ((notify->collection == NULL) == (notify->topic == NULL))
        return weir_error_set(err, WEIR_E_CONFIG, "%s: [%s] has to name either a collection or a topic",
            weir_config_where(deployment->config, section, NULL), section);
    if (notify->topic != NULL || weir_deployment_collection(deployment, notify->collection) != NULL)
        return 0;
    return weir_error_set(err, WEIR_E_CONFIG, "%s: there is no [collection %s]",
        weir_config_where(deployment->config, section, "collection"), notify->collection);
}

static int parse_filter(struct weir_notify *notify, struct weir_error *err)
{
    WEIR_CLEANUP(json) json_t *policy = NULL;

    int code = weir_json_parse(weir_bytes_str(notify->filter), &policy, err);
    if (code == 0)
        code = weir_filter_parse(policy, &notify->policy, NULL, err);
    return code;
}

static int check_view(
    const struct weir_deployment *deployment, const struct weir_notify *notify, struct weir_error *err)
{
    if (notify->topic != NULL)
        return 0;
    const struct weir_collection *collection = weir_deployment_collection(deployment, notify->collection);

    if (collection->changes_view == WEIR_VIEW_NEW_AND_OLD_IMAGES ||
        !weir_filter_names(notify->policy, "before"))
        return 0;
    return weir_error_set(err, WEIR_E_CONFIG,
        "it names \"before\", which changes of %s do not hold: set changes.view = NEW_AND_OLD_IMAGES in "
        "[collection %s]",
        collection->name, collection->name);
}

static int compile_filter(const struct weir_deployment *deployment, const char *section,
    struct weir_notify *notify, struct weir_error *err)
{
    if (notify->filter == NULL)
        return 0;
    int code = parse_filter(notify, err);
    if (code == 0)
        code = check_view(deployment, notify, err);
    if (code == 0 || code == WEIR_E_INTERNAL)
        return code;
    return weir_error_set(err, WEIR_E_CONFIG, "%s: filter: %s",
        weir_config_where(deployment->config, section, "filter"), err != NULL ? err->text : "");
}

static int check_name(const struct weir_deployment *deployment, const char *section,
    const struct weir_notify *notify, struct weir_error *err)
{
    if (weir_deployment_is_name(notify->name))
        return 0;
    return weir_error_set(err, WEIR_E_CONFIG,
        "%s: [%s]: a name is a-z, then a-z 0-9 -, at most 63 characters",
        weir_config_where(deployment->config, section, NULL), section);
}

static int load_notify(const struct weir_deployment *deployment, const char *name, struct weir_notify *notify,
    struct weir_error *err)
{
    WEIR_CLEANUP(free) char *section = NULL;

    notify->name = strdup(name);
    if (notify->name == NULL || asprintf(&section, "notify %s", name) < 0)
        return refuse_memory(err);
    int code = check_name(deployment, section, notify, err);
    if (code == 0)
        code = weir_config_bind(
            deployment->config, section, NULL, &weir_notify_options, NULL, NULL, notify, err);
    if (code == 0)
        code = check_collection(deployment, section, notify, err);
    return code < 0 ? code : compile_filter(deployment, section, notify, err);
}

int weir_deployment_load_notifies(struct weir_deployment *deployment, struct weir_error *err)
{
    size_t count = 0;
    int code = 0;

    while (weir_config_named(deployment->config, "notify", count) != NULL)
        count++;
    deployment->notifies = calloc(count + 1, sizeof(*deployment->notifies));
    if (deployment->notifies == NULL)
        return refuse_memory(err);
    while (deployment->notify_count < count && code == 0) {
        size_t i = deployment->notify_count++;
        code = load_notify(
            deployment, weir_config_named(deployment->config, "notify", i), &deployment->notifies[i], err);
    }
    return code;
}

void weir_deployment_free_notifies(struct weir_deployment *deployment)
{
    for (size_t i = 0; i < deployment->notify_count; i++) {
        free(deployment->notifies[i].name);
        weir_filter_free(deployment->notifies[i].policy);
        weir_option_free(&weir_notify_options, &deployment->notifies[i]);
    }
    free(deployment->notifies);
}

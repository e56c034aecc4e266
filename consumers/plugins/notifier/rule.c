#include "consumers/plugins/notifier/rule.h"

#include "common/json.h"

#include <string.h>

bool weir_rule_is_address(const char *entry)
{
    return strchr(entry, '@') != NULL;
}

/* The first name is asked for so that an address without its @ is not taken for a path. */
static int check_path(const char *path, bool of_changes, struct weir_error *err)
{
    size_t len = strlen(path);
    bool begins = !of_changes || strncmp(path, "after.", 6) == 0 || strncmp(path, "before.", 7) == 0;

    if (!begins || path[0] == '.' || path[len - 1] == '.' || strstr(path, "..") != NULL)
        return weir_error_set(err, WEIR_E_CONFIG,
            of_changes ? "neither an address (name@domain) nor a path (after.customer.email, before.…)"
                       : "neither an address (name@domain) nor a path (customer.email)");
    return 0;
}

int weir_rule_check_to(char *const *to, bool of_changes, struct weir_error *err)
{
    char ascii[WEIR_MAILBOX_BYTES + 1];
    size_t count = 0;

    for (; to != NULL && to[count] != NULL; count++) {
        int code = weir_rule_is_address(to[count]) ? weir_mailbox_ascii(weir_bytes_str(to[count]), ascii, err)
                                                   : check_path(to[count], of_changes, err);
        if (code < 0)
            return weir_error_prefix(err, "address %zu", count + 1);
    }
    if (count == 0)
        return weir_error_set(err, WEIR_E_CONFIG, "there is no address");
    if (count > WEIR_RULE_RECIPIENTS_MAX)
        return weir_error_set(
            err, WEIR_E_CONFIG, "%zu addresses are more than %d", count, WEIR_RULE_RECIPIENTS_MAX);
    return 0;
}

bool weir_rule_wants(const struct weir_rule *rule, const struct weir_event *event)
{
    if (rule->collection != NULL && (event->foreign || strcmp(rule->collection, event->collection) != 0))
        return false;
    if (rule->topic != NULL && (!event->foreign || strcmp(rule->topic, event->collection) != 0))
        return false;
    if (rule->every)
        return true;
    bool inserts = rule->filter == NULL ||
                   (!weir_filter_names(rule->filter, "op") && !weir_filter_names(rule->filter, "before"));
    if (inserts && event->operation != WEIR_EVENT_CREATED)
        return false;
    return rule->filter == NULL || weir_filter_matches(rule->filter, event->root);
}

/* The recipients of one event so far, and the first thing that was wrong. */
struct walk {
    weir_rule_take_fn *take;
    void *context;
    size_t count;
    int code;
    struct weir_error fault;
};

static void note_fault(struct walk *walk, const char *entry, const struct weir_error *fault)
{
    if (walk->code < 0)
        return;
    walk->code = weir_error_set(&walk->fault, fault->code == WEIR_E_CONFIG ? WEIR_E_INVALID : fault->code,
        "%.80s: %s", entry, fault->text);
}

static void take_address(struct walk *walk, const char *entry, struct weir_bytes address)
{
    char ascii[WEIR_MAILBOX_BYTES + 1];
    struct weir_error fault;
    int code = 0;

    if (walk->code == WEIR_E_INTERNAL)
        return;
    if (++walk->count > WEIR_RULE_RECIPIENTS_MAX)
        code = weir_error_set(&fault, WEIR_E_TOO_LARGE, "more than %d recipients", WEIR_RULE_RECIPIENTS_MAX);
    if (code == 0)
        code = weir_mailbox_ascii(address, ascii, &fault);
    if (code == 0)
        code = walk->take(walk->context, ascii, &fault);
    if (code < 0)
        note_fault(walk, entry, &fault);
}

static void take_value(struct walk *walk, const char *path, const json_t *value)
{
    struct weir_error fault;

    if (json_is_string(value)) {
        take_address(walk, path, weir_bytes(json_string_value(value), json_string_length(value)));
        return;
    }
    weir_error_set(&fault, WEIR_E_INVALID, "there is no text, so no address");
    note_fault(walk, path, &fault);
}

static void take_path(struct walk *walk, const char *path, json_t *root)
{
    const json_t *value = weir_json_path(root, path);

    if (value == NULL || json_is_null(value))
        return;
    if (!json_is_array(value))
        take_value(walk, path, value);
    for (size_t i = 0; i < json_array_size(value); i++)
        take_value(walk, path, json_array_get(value, i));
}

int weir_rule_recipients(const struct weir_rule *rule, const struct weir_event *event,
    weir_rule_take_fn *take, void *context, struct weir_error *err)
{
    struct walk walk = {.take = take, .context = context};

    for (char *const *entry = rule->to; *entry != NULL; entry++) {
        if (weir_rule_is_address(*entry))
            take_address(&walk, *entry, weir_bytes_str(*entry));
        else
            take_path(&walk, *entry, event->root);
    }
    if (walk.code < 0 && err != NULL)
        *err = walk.fault;
    return walk.code;
}

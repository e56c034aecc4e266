/* weir-reference PLUGIN.so…: prints CONFIGURATION.md from the very tables that parse the settings. It is not
 * installed; the test docs.configuration compares its output with the file in the tree. */
#include "common/bytes.h"
#include "common/cleanup.h"
#include "common/deployment.h"
#include "gateway/settings.h"

#include <weir/plugin.h>

#include <dlfcn.h>
#include <stdio.h>

static const char intro[] =
    "# Configuration\n\n"
    "One INI file, `/etc/weir/weir.conf` unless `--config` or `$WEIR_CONFIG` says otherwise; "
    "`deploy/conf/weir.conf` is an\n"
    "example. This page is made from the tables that parse the settings: `weir-reference` prints it.\n\n"
    "- Durations are written `500ms`, `30s`, `5m`, `2h`, `7d`, sizes `512B`, `64KiB`, `256MiB`; bare numbers "
    "are refused there.\n"
    "- The environment overrides each key: `WEIR_` + section + key in upper case, other characters `_` "
    "(`WEIR_GATEWAY_LISTEN`,\n"
    "  `WEIR_COLLECTION_ORDERS_PARTITIONS`); with `_FILE` behind it the value is read from that file.\n"
    "- A secret is `@file:PATH` or `@credential:NAME` (systemd's LoadCredential=); a literal one needs a "
    "file that only its owner reads.\n"
    "- `--check-config` says what is wrong with file and line, and does nothing else.\n";

static const struct {
    const char *title, *text;
    const struct weir_option_table *table;
} sections[] = {
    {"[log]", "", &weir_log_options},
    {"[kafka]",
        "Any other key is a property of librdkafka for every client; `[kafka.producer]` and "
        "`[kafka.consumer]` hold properties for\n"
        "one kind. Properties that would void the promise (acks, isolation.level, …) are refused with the "
        "reason.\n\n",
        &weir_kafka_options},
    {"[gateway]", "", &weir_gateway_options},
    {"[collection NAME]",
        "NAME is lower case letters, digits and hyphens, up to 63, beginning with a letter.\n\n",
        &weir_collection_options},
    {"[service NAME]",
        "NAME is lower case letters, digits and hyphens, up to 63, beginning with a letter, but not gateway "
        "or weirctl: these\n"
        "programs have rights of their own on Kafka. Keys that every service has; the keys of its plugin "
        "carry the plugin's name and "
        "follow below.\n\n",
        &weir_service_options},
    {"[notify NAME]",
        "Mails of the company's own, sent by each service with plugin = notifier that reads the collection's "
        "changes.\n\n",
        &weir_notify_options},
    {"[subscriptions]",
        "Links in mails by which people confirm and end their subscriptions, documents of the collection "
        "`subscriptions`.\n\n",
        &weir_subscriptions_options},
};

static int append_plugin(struct weir_buffer *page, const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const struct weir_plugin *plugin = library != NULL ? dlsym(library, "weir_plugin") : NULL;
    if (plugin == NULL) {
        fprintf(stderr, "weir-reference: %s: %s\n", path, dlerror());
        return -1;
    }
    const struct weir_option_table table = {
        .section = "service *", .rows = plugin->options, .count = plugin->option_count};
    weir_buffer_printf(page,
        "\n## [service NAME] with plugin = %s\n\n%s. Each key is written `%s.` + the name below.\n\n",
        plugin->name, plugin->summary, plugin->name);
    weir_option_markdown(&table, page);
    return 0;
}

int main(int argc, char **argv)
{
    WEIR_CLEANUP(buffer) struct weir_buffer page = {0};
    weir_buffer_append_str(&page, intro);
    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
        weir_buffer_printf(&page, "\n## %s\n\n%s", sections[i].title, sections[i].text);
        weir_option_markdown(sections[i].table, &page);
    }
    for (int i = 1; i < argc; i++) {
        if (append_plugin(&page, argv[i]) < 0)
            return 1;
    }
    if (page.failed || fwrite(page.data, 1, page.len, stdout) != page.len)
        return 1;
    return 0;
}

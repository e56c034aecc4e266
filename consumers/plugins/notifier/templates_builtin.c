#include "consumers/plugins/notifier/templates_builtin.h"

#define HTML_HEAD "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"></head><body>\n"

const struct weir_template_builtin weir_templates_builtin[WEIR_TEMPLATES_BUILTIN_COUNT] = {
    {"change.subject.mustache", "{{collection}} {{key}} {{verb}}"},
    {"change.txt.mustache", "{{collection}} {{key}} was {{verb}}.\n"
                            "\n"
                            "Collection  {{collection}}\n"
                            "Key         {{key}}\n"
                            "Version     {{version}}\n"
                            "Time        {{time}}\n"
                            "{{#request}}\n"
                            "Request     {{request}}\n"
                            "{{/request}}\n"
                            "{{#document}}\n"
                            "\n"
                            "{{document}}\n"
                            "{{/document}}\n"
                            "\n"
                            "-- \n"
                            "Sent by Weir, service {{service}}.\n"
                            "{{#unsubscribe}}\n"
                            "To get no more of these mails: {{unsubscribe}}\n"
                            "{{/unsubscribe}}\n"},
    {"change.html.mustache", HTML_HEAD
        "<p><b>{{collection}} {{key}}</b> was {{verb}}.</p>\n"
        "<table>\n"
        "<tr><td>Collection</td><td>{{collection}}</td></tr>\n"
        "<tr><td>Key</td><td>{{key}}</td></tr>\n"
        "<tr><td>Version</td><td>{{version}}</td></tr>\n"
        "<tr><td>Time</td><td>{{time}}</td></tr>\n"
        "{{#request}}\n"
        "<tr><td>Request</td><td>{{request}}</td></tr>\n"
        "{{/request}}\n"
        "</table>\n"
        "{{#document}}\n"
        "<pre>{{document}}</pre>\n"
        "{{/document}}\n"
        "<p><small>Sent by Weir, service {{service}}."
        "{{#unsubscribe}} <a href=\"{{unsubscribe}}\">Get no more of these mails</a>.{{/unsubscribe}}"
        "</small></p>\n"
        "</body></html>\n"},
    {"confirm.subject.mustache", "Please confirm: mails about {{after.collection}}"},
    {"confirm.txt.mustache",
        "Somebody, hopefully you, asked that {{recipient}} gets mails about {{after.collection}}.\n"
        "\n"
        "To get them, open this page and confirm within {{hours}} hours:\n"
        "\n"
        "{{confirm}}\n"
        "\n"
        "If you did not ask for it, do nothing: you will get no mails.\n"
        "\n"
        "-- \n"
        "Sent by Weir, service {{service}}.\n"},
    {"confirm.html.mustache",
        HTML_HEAD "<p>Somebody, hopefully you, asked that {{recipient}} gets mails about "
                  "<b>{{after.collection}}</b>.</p>\n"
                  "<p><a href=\"{{confirm}}\">Confirm within {{hours}} hours to get them</a></p>\n"
                  "<p>If you did not ask for it, do nothing: you will get no mails.</p>\n"
                  "<p><small>Sent by Weir, service {{service}}.</small></p>\n"
                  "</body></html>\n"},
};

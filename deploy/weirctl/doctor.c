/* Looks a deployment over: Kafka with each program's own eyes, clocks, disks, mail servers, certificates. */
#include "deploy/weirctl/doctor.h"

#include "deploy/weirctl/text.h"
#include "deploy/weirctl/unit.h"

#include <stdarg.h>
#include <stdio.h>

enum { EXIT_ILL = 1, PATIENCE_MS = 10000, DAY_MS = 24 * 3600 * 1000 };

static const struct weir_option rows[] = {
    {.key = "--principal",
        .type = WEIR_OPTION_LIST,
        .offset = offsetof(struct doctor_flags, principals),
        .help = "NAME=FILE: the configuration with which gateway, a service or weirctl connects; may be "
                "repeated"},
    {.key = "--environment",
        .type = WEIR_OPTION_PATH,
        .offset = offsetof(struct doctor_flags, environment),
        .fallback = UNIT_ENVIRONMENT,
        .help = "DIR: where the variables of the units lie"},
    {.key = "--credentials",
        .type = WEIR_OPTION_PATH,
        .offset = offsetof(struct doctor_flags, credentials),
        .fallback = UNIT_CREDENTIALS,
        .help = "DIR: where the credentials of the units lie"},
    {.key = "--expiry",
        .type = WEIR_OPTION_DURATION,
        .offset = offsetof(struct doctor_flags, expiry_ms),
        .fallback = "14d",
        .min = 0,
        .max = 3650LL * DAY_MS,
        .help = "TIME: certificates that expire within it are told of"},
};

static const char *const verbs[] = {"doctor", "doctor", "doctor", "doctor"};

const struct flag_table doctor_flags = {
    rows, verbs, sizeof(rows) / sizeof(rows[0]), sizeof(struct doctor_flags)};

static const struct {
    const char *name;
    doctor_examination *examine;
    bool asks_kafka;
} examinations[] = {
    {"topics", doctor_topics, true},
    {"rights", doctor_rights, true},
    {"clocks", doctor_clocks, true},
    {"disks", doctor_disks, false},
    {"relays", doctor_relays, false},
    {"certificates", doctor_certificates, false},
};

static const struct {
    const char *word, *heading;
} levels[] = {
    [DOCTOR_WELL] = {"well", "well "},
    [DOCTOR_NOTE] = {"note", "note "},
    [DOCTOR_ILL] = {"ill", "ILL  "},
};

static void write_json(struct doctor *doctor, const char *area, enum doctor_level level, const char *fix,
    const struct weir_buffer *what)
{
    struct weir_buffer *out = &doctor->json;

    weir_buffer_printf(out, "%s{\"area\":\"%s\",\"level\":\"%s\",\"what\":", out->len > 0 ? ",\n " : "", area,
        levels[level].word);
    weir_buffer_append_json_string(out, weir_buffer_bytes(what));
    weir_buffer_append_str(out, ",\"fix\":");
    if (fix[0] != '\0')
        weir_buffer_append_json_string(out, weir_bytes_str(fix));
    else
        weir_buffer_append_str(out, "null");
    weir_buffer_append_str(out, "}");
}

static void write_text(struct doctor *doctor, const char *area, enum doctor_level level, const char *fix,
    const struct weir_buffer *what)
{
    weir_buffer_printf(&doctor->text, "%s %-12s ", levels[level].heading, area);
    text_append_safe(&doctor->text, weir_buffer_bytes(what), false);
    weir_buffer_append_str(&doctor->text, "\n");
    if (fix[0] == '\0')
        return;
    weir_buffer_append_str(&doctor->text, "                   fix: ");
    text_append_safe(&doctor->text, weir_bytes_str(fix), false);
    weir_buffer_append_str(&doctor->text, "\n");
}

void doctor_find(struct doctor *doctor, const char *area, enum doctor_level level, const char *fix,
    const char *format, ...)
{
    WEIR_CLEANUP(buffer) struct weir_buffer what = {0};
    char line[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    weir_buffer_append_str(&what, line);
    doctor->findings++;
    doctor->ill += level == DOCTOR_ILL;
    write_json(doctor, area, level, fix, &what);
    write_text(doctor, area, level, fix, &what);
}

int doctor_patience_ms(const struct doctor *doctor)
{
    int64_t timeout_ms = doctor->ctl->arguments->timeout_ms;
    return timeout_ms < PATIENCE_MS ? (int)timeout_ms : PATIENCE_MS;
}

static void reach_cluster(struct doctor *doctor)
{
    struct weir_error why;
    int code = weirctl_connect(doctor->ctl, &why);

    doctor->connected = code == 0;
    if (!doctor->connected)
        doctor_find(doctor, "topics", DOCTOR_ILL,
            code == WEIR_E_CONFIG ? "see [kafka] of the configuration"
                                  : "see that bootstrap.servers, certificates and the firewall are right",
            "Kafka: %s", why.text);
}

static int examine(struct doctor *doctor, struct weir_error *err)
{
    int code = 0;

    reach_cluster(doctor);
    for (size_t i = 0; i < sizeof(examinations) / sizeof(examinations[0]) && code == 0; i++) {
        if (examinations[i].asks_kafka && (!doctor->connected || doctor->ctl->deployment->kafka.dev))
            continue;
        progress_show(&doctor->progress, "looking at %s", examinations[i].name);
        code = examinations[i].examine(doctor, err);
    }
    if (doctor->ctl->deployment->kafka.dev)
        doctor_find(
            doctor, "topics", DOCTOR_NOTE, "", "the dev broker has neither settings nor rights to look at");
    progress_end(&doctor->progress);
    return code;
}

static int print(struct doctor *doctor, struct weir_error *err)
{
    if (doctor->json.failed || doctor->text.failed)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    if (doctor->ctl->arguments->json)
        printf("{\"ok\":%s,\"findings\":[%s]}\n", doctor->ill == 0 ? "true" : "false",
            doctor->json.data != NULL ? doctor->json.data : "");
    else
        printf("%s%zu found, %zu of them ill\n", doctor->text.data != NULL ? doctor->text.data : "",
            doctor->findings, doctor->ill);
    return doctor->ill == 0 ? 0 : EXIT_ILL;
}

int doctor_run(struct weirctl *ctl, struct weir_error *err)
{
    struct doctor doctor = {.ctl = ctl, .flags = ctl->arguments->settings};

    int code = doctor_principals_check(&doctor, err);
    if (code < 0)
        return code;
    progress_begin(&doctor.progress);
    code = examine(&doctor, err);
    if (code == 0)
        code = print(&doctor, err);
    weir_buffer_done(&doctor.json);
    weir_buffer_done(&doctor.text);
    return code;
}

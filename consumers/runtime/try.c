#include "consumers/runtime/try.h"

#include "common/bytes.h"
#include "common/cleanup.h"
#include "consumers/runtime/sample.h"

#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>
#include <weir/testhost.h>

static const struct word {
    int verdict, exit_status;
    const char *text;
} words[] = {
    {WEIR_DONE, EX_OK, "DONE"},
    {WEIR_RETRY, EX_TEMPFAIL, "RETRY"},
    {WEIR_REJECT, EX_DATAERR, "REJECT"},
    {WEIR_WAIT, EX_UNAVAILABLE, "WAIT"},
    {WEIR_TESTHOST_DEFERRED, EX_TEMPFAIL, "DEFERRED"},
    {WEIR_TESTHOST_NOT_HANDED, EX_SOFTWARE, "none: the plugin never asked for the record"},
    {WEIR_TESTHOST_NO_VERDICT, EX_SOFTWARE, "none: the plugin gave no verdict"},
};

static const struct word *find_word(int verdict)
{
    size_t i = 0;
    while (words[i].verdict != verdict)
        i++;
    return &words[i];
}

/* As people read it: what is no text, or would move the cursor, is escaped. */
static void print_bytes(struct weir_bytes bytes)
{
    if (bytes.data == NULL)
        fputs("null", stdout);
    for (size_t step; bytes.len > 0; bytes = weir_bytes(bytes.data + step, bytes.len - step)) {
        step = weir_utf8_next(bytes);
        unsigned char first = (unsigned char)bytes.data[0];
        if (step == 0 || first < ' ' || first == 0x7f ||
            (first == 0xc2 && (unsigned char)bytes.data[1] < 0xa0)) {
            printf("\\x%02x", first);
            step = 1;
        } else {
            fwrite(bytes.data, 1, step, stdout);
        }
    }
}

static void print_output(const struct weir_testhost_output *output, size_t number)
{
    printf(
        "output %zu  topic %s partition %" PRId32 "\n  key      ", number, output->topic, output->partition);
    print_bytes(output->key);
    for (size_t i = 0; i < output->header_count; i++) {
        fputs("\n  header   ", stdout);
        print_bytes(weir_bytes_str(output->headers[i].name));
        fputs(": ", stdout);
        print_bytes(output->headers[i].value);
    }
    fputs("\n  value    ", stdout);
    print_bytes(output->value);
    fputs("\n", stdout);
}

static void print_reason_line(const char *name, const char *text)
{
    if (text == NULL)
        return;
    printf("%-9s", name);
    print_bytes(weir_bytes_str(text));
    fputs("\n", stdout);
}

static void print_text(const struct weir_testhost *host, int verdict)
{
    const struct weir_reason *why = weir_testhost_reason(host, 0);
    printf("verdict  %s\n", find_word(verdict)->text);
    if (verdict == WEIR_REJECT)
        print_reason_line("letter", why->disposition);
    print_reason_line("error", why->error_type);
    print_reason_line("reason", why->text);
    for (size_t i = 0; i < weir_testhost_output_count(host); i++) {
        struct weir_testhost_output output = weir_testhost_output(host, i);
        print_output(&output, i + 1);
    }
}

/* Text, null, or for what is no text {"hex":"…"}. */
static void put_bytes(struct weir_buffer *out, struct weir_bytes bytes)
{
    if (bytes.data == NULL) {
        weir_buffer_append_str(out, "null");
    } else if (weir_utf8_valid(bytes)) {
        weir_buffer_append_json_string(out, bytes);
    } else {
        weir_buffer_append_str(out, "{\"hex\":\"");
        for (size_t i = 0; i < bytes.len; i++)
            weir_buffer_printf(out, "%02x", (unsigned char)bytes.data[i]);
        weir_buffer_append_str(out, "\"}");
    }
}

static void put_text(struct weir_buffer *out, const char *name, const char *text)
{
    weir_buffer_printf(out, ",\"%s\":", name);
    put_bytes(out, weir_bytes_str(text));
}

/* Headers are pairs: their names may repeat. */
static void put_output(struct weir_buffer *out, const struct weir_testhost_output *output)
{
    weir_buffer_printf(out, "{\"partition\":%" PRId32, output->partition);
    put_text(out, "topic", output->topic);
    weir_buffer_append_str(out, ",\"key\":");
    put_bytes(out, output->key);
    weir_buffer_append_str(out, ",\"headers\":[");
    for (size_t i = 0; i < output->header_count; i++) {
        weir_buffer_append_str(out, i > 0 ? ",[" : "[");
        put_bytes(out, weir_bytes_str(output->headers[i].name));
        weir_buffer_append_str(out, ",");
        put_bytes(out, output->headers[i].value);
        weir_buffer_append_str(out, "]");
    }
    weir_buffer_append_str(out, "],\"value\":");
    put_bytes(out, output->value);
    weir_buffer_append_str(out, "}");
}

static int print_json(const struct weir_testhost *host, int verdict, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer out = {0};
    const struct weir_reason *why = weir_testhost_reason(host, 0);
    bool given = verdict >= 0 || verdict == WEIR_TESTHOST_DEFERRED;
    weir_buffer_printf(&out, "{\"verdict\":%s%s%s", given ? "\"" : "",
        given ? find_word(verdict)->text : "null", given ? "\"" : "");
    put_text(&out, "disposition", verdict == WEIR_REJECT ? why->disposition : NULL);
    put_text(&out, "error", why->error_type);
    put_text(&out, "reason", why->text);
    weir_buffer_append_str(&out, ",\"outputs\":[");
    for (size_t i = 0; i < weir_testhost_output_count(host); i++) {
        struct weir_testhost_output output = weir_testhost_output(host, i);
        weir_buffer_append_str(&out, i > 0 ? "," : "");
        put_output(&out, &output);
    }
    weir_buffer_append_str(&out, "]}");
    if (out.failed)
        return weir_error_set(err, WEIR_E_INTERNAL, "memory is out");
    puts(out.data);
    return 0;
}

static int handle(struct weir_testhost *host, const struct weir_record *record, bool json, int *ret_status,
    struct weir_error *err)
{
    int rc = weir_testhost_feed(host, record, err);
    if (rc == 0)
        rc = weir_testhost_handle(host, err);
    if (rc < 0)
        return err->code != 0 ? rc : weir_error_set(err, WEIR_E_INTERNAL, "handle() answers %d", rc);
    int verdict = weir_testhost_verdict(host, 0);
    *ret_status = find_word(verdict)->exit_status;
    if (json)
        rc = print_json(host, verdict, err);
    else
        print_text(host, verdict);
    return rc == 0 ? weir_testhost_commit(host, err) : rc;
}

int weir_try_run(const char *config, const struct weir_deployment *deployment,
    const struct weir_service *service, const char *sample, bool json, int *ret_status,
    struct weir_error *err)
{
    struct weir_sample read;
    struct weir_testhost *host = NULL;
    int rc = weir_sample_read(sample, deployment, service, &read, err);
    if (rc < 0)
        *ret_status = EX_NOINPUT;
    if (rc == 0)
        rc = weir_testhost_open_service(config, service->name, &host, err);
    if (rc == 0)
        rc = handle(host, &read.record, json, ret_status, err);
    weir_testhost_close(host);
    weir_sample_done(&read);
    return rc;
}

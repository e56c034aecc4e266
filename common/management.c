/* The management pages of http.h. */
#include "common/http.h"

#include "common/metrics.h"

#include <string.h>

/* A scraper, a prober and an operator; the pages are short. */
enum { MANAGEMENT_THREADS = 2, MANAGEMENT_CONNECTIONS = 64, MANAGEMENT_TIMEOUT_S = 15 };

static void answer_live(const struct weir_management *management, struct weir_http_reply *reply)
{
    (void)management;
    weir_buffer_append_str(&reply->body, "{\"live\":true}\n");
}

static void answer_ready(const struct weir_management *management, struct weir_http_reply *reply)
{
    struct weir_buffer detail = {0};
    bool ready = management->ready(management->context, &detail);

    reply->status = ready ? 200 : 503;
    weir_buffer_printf(&reply->body, "{\"ready\":%s%s", ready ? "true" : "false", detail.len > 0 ? "," : "");
    weir_buffer_append_bytes(&reply->body, weir_buffer_bytes(&detail));
    weir_buffer_append_str(&reply->body, "}\n");
    reply->body.failed |= detail.failed;
    weir_buffer_done(&detail);
}

static void answer_metrics(const struct weir_management *management, struct weir_http_reply *reply)
{
    (void)management;
    reply->content_type = "text/plain; version=0.0.4; charset=utf-8";
    weir_metrics_write(&reply->body);
}

static const struct {
    const char *path;
    void (*answer)(const struct weir_management *management, struct weir_http_reply *reply);
} pages[] = {{"/livez", answer_live}, {"/readyz", answer_ready}, {"/metrics", answer_metrics}};

static void answer_page(void *context, const struct weir_http_request *request, struct weir_http_reply *reply)
{
    const char *method = weir_http_method(request);

    weir_http_reply_header(reply, "Cache-Control", "no-store");
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        if (strcmp(pages[i].path, weir_http_path(request)) != 0)
            continue;
        if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0) {
            pages[i].answer(context, reply);
            return;
        }
        weir_http_reply_header(reply, "Allow", "GET, HEAD");
        weir_http_reply_problem(reply, 405, "this page can only be read");
        return;
    }
    weir_http_reply_problem(reply, 404, "there are /livez, /readyz and /metrics");
}

int weir_management_listen(const char *address, const struct weir_management *management,
    struct weir_http **ret_http, struct weir_error *err)
{
    const struct weir_http_settings settings = {.listen = address,
        .threads = MANAGEMENT_THREADS,
        .connections = MANAGEMENT_CONNECTIONS,
        .timeout_s = MANAGEMENT_TIMEOUT_S};

    return weir_http_listen(&settings, answer_page, (void *)(uintptr_t)management, ret_http, err);
}

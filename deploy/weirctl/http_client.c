#include "deploy/weirctl/http_client.h"

#include "common/clock.h"
#include "common/file.h"
#include "common/http.h"
#include "common/json.h"
#include "deploy/weirctl/gateway.h"
#include "deploy/weirctl/text.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ANSWER_BYTES_MAX = 32 << 20 };

void http_client_listener(CURL *easy, const char *listen, bool tls, struct weir_buffer *url)
{
    const char *scheme = tls ? "https" : "http", *port = strrchr(listen, ':');

    if (strncmp(listen, "unix:", strlen("unix:")) == 0) {
        curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, listen + strlen("unix:"));
        weir_buffer_printf(url, "%s://localhost", scheme);
    } else if (port != NULL &&
               (strncmp(listen, "0.0.0.0:", 8) == 0 || strncmp(listen, "[::]:", 5) == 0 || port == listen))
        weir_buffer_printf(url, "%s://127.0.0.1%s", scheme, port);
    else
        weir_buffer_printf(url, "%s://%s", scheme, listen);
}

static int find_base(struct http_client *client, const struct http_flags *flags, struct weir_error *err)
{
    WEIR_CLEANUP(gateway_settings) struct gateway_settings gateway = {0};

    if (flags->url != NULL) {
        weir_buffer_append_str(&client->base, flags->url);
        while (client->base.len > 0 && client->base.data[client->base.len - 1] == '/')
            client->base.data[--client->base.len] = '\0';
        return 0;
    }
    int code = gateway_settings_read(client->ctl->deployment, &gateway, err);
    if (code < 0)
        return code;
    http_client_listener(client->easy, gateway.listen, gateway.tls_certificate != NULL, &client->base);
    if (gateway.tls_certificate != NULL && flags->ca == NULL) {
        /* It is at hand: just that one is believed, whatever name the address has in it. */
        curl_easy_setopt(client->easy, CURLOPT_CAINFO, gateway.tls_certificate);
        curl_easy_setopt(client->easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    weir_buffer_append_str(&client->base, gateway.base_path);
    return 0;
}

static int take_key(struct http_client *client, const char *from, const char *key, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer header = {0};

    for (const char *at = key; *at != '\0'; at++)
        if (*at <= ' ' || *at > '~')
            return weir_error_set(
                err, WEIR_E_CONFIG, "%s: the access key holds a byte that no key has", from);
    weir_buffer_printf(&header, "Authorization: Bearer %s", key);
    client->authorization = curl_slist_append(NULL, header.data);
    OPENSSL_cleanse(header.data, header.capacity);
    return client->authorization != NULL ? 0 : weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
}

static int read_key(struct http_client *client, const struct http_flags *flags, struct weir_error *err)
{
    char *held = NULL;

    if (flags->key_file == NULL) {
        const char *key = getenv("WEIR_KEY");
        return key == NULL || *key == '\0' ? 0 : take_key(client, "$WEIR_KEY", key, err);
    }
    int code = weir_file_read_value(flags->key_file, &held, err);
    if (code == 0 && *held == '\0')
        code = weir_error_set(err, WEIR_E_CONFIG, "%s holds no access key: it is empty", flags->key_file);
    if (code == 0)
        code = take_key(client, flags->key_file, held, err);
    if (held != NULL)
        OPENSSL_cleanse(held, strlen(held));
    free(held);
    return code == WEIR_E_NOT_FOUND ? WEIR_E_CONFIG : code;
}

int http_client_open(struct weirctl *ctl, const struct http_flags *flags, struct http_client *ret_client,
    struct weir_error *err)
{
    struct http_client *client = ret_client;

    *client = (struct http_client){.ctl = ctl, .easy = curl_easy_init()};
    if (client->easy == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    curl_easy_setopt(client->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(client->easy, CURLOPT_PROXY, "");
    curl_easy_setopt(client->easy, CURLOPT_PATH_AS_IS, 1L);
    if (flags->ca != NULL)
        curl_easy_setopt(client->easy, CURLOPT_CAINFO, flags->ca);
    if (flags->certificate != NULL)
        curl_easy_setopt(client->easy, CURLOPT_SSLCERT, flags->certificate);
    if (flags->certificate_key != NULL)
        curl_easy_setopt(client->easy, CURLOPT_SSLKEY, flags->certificate_key);
    int code = find_base(client, flags, err);
    return code == 0 ? read_key(client, flags, err) : code;
}

void http_client_close(struct http_client *client)
{
    if (client->authorization != NULL)
        OPENSSL_cleanse(client->authorization->data, strlen(client->authorization->data));
    curl_slist_free_all(client->authorization);
    curl_easy_cleanup(client->easy);
    weir_buffer_done(&client->base);
}

static size_t take_body(char *data, size_t size, size_t count, void *context)
{
    struct http_answer *answer = context;

    weir_buffer_append(&answer->body, data, size * count);
    return answer->body.len > ANSWER_BYTES_MAX ? 0 : size * count;
}

/* An interim answer (100 Continue) comes with a status line of its own: what was before it is dropped. */
static size_t take_header(char *data, size_t size, size_t count, void *context)
{
    struct http_answer *answer = context;
    size_t len = size * count;

    if (len >= 5 && memcmp(data, "HTTP/", 5) == 0)
        weir_buffer_clear(&answer->headers);
    else if (len > 2)
        weir_buffer_append(&answer->headers, data, len);
    return answer->headers.len > ANSWER_BYTES_MAX ? 0 : len;
}

static bool append_header(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);

    if (longer != NULL)
        *list = longer;
    return longer != NULL;
}

static bool names(const char *line, const char *name)
{
    size_t len = strlen(name);
    return strncasecmp(line, name, len) == 0 && line[len] == ':';
}

/* `Expect:` empty: curl would wait for 100-continue before larger bodies, which is no part of the latency. */
static struct curl_slist *make_headers(
    const struct http_client *client, const struct http_request *request, const char *type)
{
    struct curl_slist *list = NULL;
    bool has_type = false, whole = append_header(&list, "Expect:");

    for (char *const *line = request->headers; line != NULL && *line != NULL; line++) {
        has_type |= names(*line, "Content-Type");
        whole &= append_header(&list, *line);
    }
    if (!has_type)
        whole &= append_header(&list, type);
    if (client->authorization != NULL)
        whole &= append_header(&list, client->authorization->data);
    if (whole)
        return list;
    curl_slist_free_all(list);
    return NULL;
}

static void set_request(struct http_client *client, const struct http_request *request, const char *url)
{
    CURL *easy = client->easy;
    bool head = strcmp(request->method, "HEAD") == 0;

    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    curl_easy_setopt(easy, CURLOPT_NOBODY, head ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)client->ctl->arguments->timeout_ms);
    if (request->body.data != NULL) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body.data);
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, head ? NULL : request->method);
}

int http_client_call(struct http_client *client, const struct http_request *request,
    struct http_answer *ret_answer, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer url = {0}, type = {0};
    char why[CURL_ERROR_SIZE] = "";

    weir_buffer_clear(&ret_answer->headers);
    weir_buffer_clear(&ret_answer->body);
    weir_buffer_printf(&url, "%s%s", client->base.data, request->path);
    weir_buffer_printf(&type, "Content-Type:%s%s", request->content_type != NULL ? " " : "",
        request->content_type != NULL ? request->content_type : "");
    if (url.failed || type.failed)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    struct curl_slist *headers = make_headers(client, request, type.data);
    if (headers == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    set_request(client, request, url.data);
    curl_easy_setopt(client->easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(client->easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(client->easy, CURLOPT_WRITEDATA, ret_answer);
    curl_easy_setopt(client->easy, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(client->easy, CURLOPT_HEADERDATA, ret_answer);
    curl_easy_setopt(client->easy, CURLOPT_ERRORBUFFER, why);
    int64_t began_us = weir_clock_us();
    CURLcode result = curl_easy_perform(client->easy);
    ret_answer->took_us = weir_clock_us() - began_us;
    curl_easy_getinfo(client->easy, CURLINFO_RESPONSE_CODE, &ret_answer->status);
    curl_easy_setopt(client->easy, CURLOPT_ERRORBUFFER, NULL);
    curl_slist_free_all(headers);
    if (result == CURLE_OK)
        return 0;
    return weir_error_set(err, WEIR_E_UNAVAILABLE, "%s %s: %s", request->method, url.data,
        why[0] != '\0' ? why : curl_easy_strerror(result));
}

void http_answer_done(struct http_answer *answer)
{
    weir_buffer_done(&answer->headers);
    weir_buffer_done(&answer->body);
}

void http_answer_tell(const struct http_answer *answer, struct weir_buffer *out)
{
    WEIR_CLEANUP(json) json_t *problem = NULL;

    if (weir_json_parse_object(weir_buffer_bytes(&answer->body), &problem, NULL) < 0)
        problem = NULL;
    const char *detail = json_string_value(json_object_get(problem, "detail"));
    weir_buffer_printf(
        out, "the gateway answered %ld %s", answer->status, weir_http_reason((unsigned)answer->status));
    if (detail == NULL)
        return;
    weir_buffer_append_str(out, ": ");
    text_append_safe(out, weir_bytes_str(detail), false);
}

void http_answer_header(const struct http_answer *answer, const char *name, struct weir_buffer *out)
{
    const char *line = answer->headers.data;

    for (; line != NULL && *line != '\0'; line = strchr(line, '\n') != NULL ? strchr(line, '\n') + 1 : NULL) {
        if (!names(line, name))
            continue;
        const char *value = line + strlen(name) + 1;
        value += strspn(value, " \t");
        weir_buffer_append(out, value, strcspn(value, "\r\n"));
        return;
    }
}

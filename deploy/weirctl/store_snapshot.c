#include "common/json.h"
#include "deploy/weirctl/http_client.h"
#include "deploy/weirctl/store.h"

#include <stdio.h>
#include <string.h>

enum { ANSWER_BYTES_MAX = 64 << 10, CONNECT_MS = 2000 };

static size_t take_bytes(char *data, size_t size, size_t count, void *context)
{
    struct weir_buffer *answer = context;

    weir_buffer_append(answer, data, size * count);
    return answer->len > ANSWER_BYTES_MAX ? 0 : size * count;
}

/* The service's certificate is at hand: just that one is believed, whatever name the address has in it, and
 * it is shown, too. */
static void use_certificate(const struct weir_service *service, CURL *easy)
{
    if (service->tls_certificate == NULL)
        return;
    curl_easy_setopt(easy, CURLOPT_CAINFO, service->tls_certificate);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    if (service->tls_client_ca == NULL)
        return;
    curl_easy_setopt(easy, CURLOPT_SSLCERT, service->tls_certificate);
    curl_easy_setopt(easy, CURLOPT_SSLKEY, service->tls_key);
}

static CURLcode post(struct store *store, CURL *easy, struct weir_buffer *answer, long *ret_status)
{
    WEIR_CLEANUP(buffer) struct weir_buffer url = {0}, peer = {0};
    struct curl_slist *headers = NULL;
    bool tls = strcmp(weir_service_scheme(store->service), "https") == 0 &&
               strncmp(store->settings.listen, "unix:", strlen("unix:")) != 0;

    http_client_listener(easy, store->settings.listen, tls, &url);
    weir_buffer_append_str(&url, "/snapshot");
    use_certificate(store->service, easy);
    if (store->settings.peer_secret != NULL) {
        weir_buffer_printf(&peer, "Weir-Peer: %s", store->settings.peer_secret);
        headers = curl_slist_append(NULL, peer.data);
    }
    curl_easy_setopt(easy, CURLOPT_URL, url.data);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "");
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)weirctl_left_ms(store->ctl));
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, answer);
    CURLcode result = curl_easy_perform(easy);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, ret_status);
    curl_slist_free_all(headers);
    return result;
}

static int take_answer(
    struct weir_bytes answer, long status, struct store_snapshot *snapshot, struct weir_error *err)
{
    WEIR_CLEANUP(json) json_t *body = NULL;
    struct weir_error invalid;

    if (weir_json_parse_object(answer, &body, &invalid) < 0)
        return weir_error_set(err, WEIR_E_UNAVAILABLE, "the store answered %ld and no JSON", status);
    const char *path = json_string_value(json_object_get(body, "path"));
    const char *detail = json_string_value(json_object_get(body, "detail"));
    if (status != 200 || path == NULL || strlen(path) >= sizeof(snapshot->path))
        return weir_error_set(err, WEIR_E_UNAVAILABLE, "the store made no snapshot: %ld %s", status,
            detail != NULL ? detail : "");
    snprintf(snapshot->path, sizeof(snapshot->path), "%s", path);
    snapshot->made = true;
    return 0;
}

int store_snapshot(struct store *store, struct store_snapshot *ret_snapshot, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer answer = {0};
    CURL *easy = curl_easy_init();
    long status = 0;

    *ret_snapshot = (struct store_snapshot){.made = false};
    snprintf(ret_snapshot->path, sizeof(ret_snapshot->path), "%s", store->settings.path);
    if (easy == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    CURLcode result = post(store, easy, &answer, &status);
    curl_easy_cleanup(easy);
    if (result == CURLE_COULDNT_CONNECT)
        return 0;
    if (result != CURLE_OK)
        return weir_error_set(err, WEIR_E_UNAVAILABLE, "asking the store at %s for a snapshot: %s",
            store->settings.listen, curl_easy_strerror(result));
    return take_answer(weir_buffer_bytes(&answer), status, ret_snapshot, err);
}

void store_snapshot_done(const struct store_snapshot *snapshot)
{
    struct weir_error err;

    if (snapshot->made && weir_folder_remove(snapshot->path, &err) < 0)
        fprintf(stderr, "weirctl: %s\n", err.text);
}

#include "gateway/portal.h"

#include "common/http.h"
#include "gateway/etag.h"
#include "gateway/portal_files.h"

#include <stdio.h>
#include <string.h>

/* ---- the path ---- */

bool weir_portal_target(const struct weir_gateway *gateway, const char *path, struct weir_target *ret_target)
{
    static const char prefix[] = "/portal";
    const size_t prefix_len = sizeof(prefix) - 1;

    if (!gateway->settings.portal || strncmp(path, prefix, prefix_len) != 0)
        return false;
    const char *rest = path + prefix_len;
    size_t len = strcspn(rest, "?");
    if (len >= sizeof(ret_target->key) || (len > 0 && rest[0] != '/'))
        return false;
    *ret_target = (struct weir_target){.item = true, .key_len = len};
    memcpy(ret_target->key, rest, len);
    ret_target->action =
        strcmp(ret_target->key, "/session") == 0 ? WEIR_ROUTE_PORTAL_SESSION : WEIR_ROUTE_PORTAL;
    return true;
}

/* ---- files ---- */

static const struct weir_portal_file *find_file(const char *path)
{
    for (size_t i = 0; i < weir_portal_file_count; i++) {
        if (strcmp(weir_portal_files[i].path, path) == 0)
            return &weir_portal_files[i];
    }
    return NULL;
}

enum weir_step weir_portal_run(struct weir_request *request)
{
    struct weir_outcome *outcome = &request->outcome;
    const struct weir_portal_file *file = find_file(request->path.key);

    if (file == NULL && request->key.len > 0)
        return weir_request_refuse(request, MHD_HTTP_NOT_FOUND, "the portal has no such file");
    outcome->kind = WEIR_OUTCOME_PORTAL;
    outcome->file = file;
    if (file == NULL)
        outcome->status = MHD_HTTP_PERMANENT_REDIRECT;
    else
        outcome->status =
            weir_etag_matches(request->head.if_none_match, file->etag) ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK;
    return WEIR_STEP_ANSWER;
}

/* What a page of the portal may do: use its own files and this gateway, nothing else; no code and no style
 * but of its files, no other page around it, and no key in any address. */
static const char *const file_headers[][2] = {
    {"Cache-Control", "no-cache"},
    {"Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Referrer-Policy", "no-referrer"},
    {"X-Content-Type-Options", "nosniff"},
};

static void add_file_headers(const struct weir_portal_file *file, struct MHD_Response *response)
{
    (void)MHD_add_response_header(response, "Content-Type", file->media_type);
    (void)MHD_add_response_header(response, "ETag", file->etag);
    for (size_t i = 0; i < sizeof(file_headers) / sizeof(file_headers[0]); i++)
        (void)MHD_add_response_header(response, file_headers[i][0], file_headers[i][1]);
}

static void add_location(const struct weir_request *request, struct MHD_Response *response)
{
    char location[160];
    snprintf(location, sizeof(location), "%s/portal/", request->gateway->settings.base_path);
    (void)MHD_add_response_header(response, "Location", location);
}

struct MHD_Response *weir_portal_response(struct weir_request *request)
{
    const struct weir_portal_file *file = request->outcome.file;
    bool whole = request->outcome.status == MHD_HTTP_OK;
    struct weir_bytes body = whole ? weir_bytes((const char *)file->data, file->len) : weir_bytes("", 0);

    request->answer_bytes = body.len;
    /* libmicrohttpd only reads from a body that stays. */
    struct MHD_Response *response =
        MHD_create_response_from_buffer(body.len, (void *)(uintptr_t)body.data, MHD_RESPMEM_PERSISTENT);
    if (response == NULL)
        return NULL;
    if (file != NULL)
        add_file_headers(file, response);
    else
        add_location(request, response);
    return response;
}

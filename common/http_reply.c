/* What a handler of common/http.h fills in. */
#include "common/http.h"

#include <stdarg.h>
#include <stdio.h>

void weir_http_reply_header(struct weir_http_reply *reply, const char *name, const char *format, ...)
{
    va_list arguments;

    if (reply->header_count >= WEIR_HTTP_REPLY_HEADERS)
        return;
    char *value = reply->headers[reply->header_count].value;
    va_start(arguments, format);
    vsnprintf(value, sizeof(reply->headers[0].value), format, arguments);
    va_end(arguments);
    char *to = value;
    for (const char *from = value; *from != '\0'; from++)
        if ((unsigned char)*from >= 0x20 && *from != 0x7f)
            *to++ = *from;
    *to = '\0';
    reply->headers[reply->header_count++].name = name;
}

static const struct {
    unsigned status;
    const char *phrase;
} reasons[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {207, "Multi-Status"},
    {303, "See Other"},
    {304, "Not Modified"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {422, "Unprocessable Content"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {507, "Insufficient Storage"},
};

const char *weir_http_reason(unsigned status)
{
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (reasons[i].status == status)
            return reasons[i].phrase;
    return "";
}

void weir_http_reply_problem(struct weir_http_reply *reply, unsigned status, const char *format, ...)
{
    char detail[WEIR_ERROR_TEXT_BYTES * 2];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(detail, sizeof(detail), format, arguments);
    va_end(arguments);
    reply->status = status;
    reply->content_type = "application/problem+json";
    weir_buffer_clear(&reply->body);
    weir_buffer_printf(&reply->body,
        "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%u,\"detail\":", weir_http_reason(status),
        status);
    weir_buffer_append_json_string(&reply->body, weir_bytes_str(detail));
    weir_buffer_append_str(&reply->body, "}\n");
}

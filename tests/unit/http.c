/* The small server of common/http.h and its management pages, over real sockets. */
#include "support/test.h"

#include "common/cleanup.h"
#include "common/http.h"
#include "common/metrics.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { BODY_MAX = 1000, ANSWER_S = 20 };

static void echo(void *context, const struct weir_http_request *request, struct weir_http_reply *reply)
{
    const char *name = weir_http_query(request, "name"), *header = weir_http_header(request, "x-test");

    atomic_fetch_add((atomic_int *)context, 1);
    reply->content_type = "text/plain";
    weir_http_reply_header(reply, "X-Echo", "%s", "a\r\nInjected: yes");
    weir_buffer_printf(&reply->body, "%s %s name=%s header=%s body=", weir_http_method(request),
        weir_http_path(request), name != NULL ? name : "-", header != NULL ? header : "-");
    weir_buffer_append_bytes(&reply->body, weir_http_body(request));
}

static struct weir_http *serve(const char *listen, atomic_int *calls)
{
    const struct weir_http_settings settings = {
        .listen = listen, .threads = 2, .connections = 300, .body_max = BODY_MAX};
    struct weir_http *http = NULL;
    struct weir_error err = {0};

    if (weir_http_listen(&settings, echo, calls, &http, &err) != 0)
        fail_msg("%s", err.text);
    return http;
}

static int connect_to(const char *address)
{
    struct timeval patience = {.tv_sec = ANSWER_S};
    int fd, result;

    if (strncmp(address, "unix:", 5) == 0) {
        struct sockaddr_un where = {.sun_family = AF_UNIX};
        snprintf(where.sun_path, sizeof(where.sun_path), "%s", address + 5);
        fd = socket(AF_UNIX, SOCK_STREAM, 0);
        result = connect(fd, (struct sockaddr *)&where, sizeof(where));
    } else {
        struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        where.sin_port = htons((uint16_t)strtoul(strrchr(address, ':') + 1, NULL, 10));
        fd = socket(AF_INET, SOCK_STREAM, 0);
        result = connect(fd, (struct sockaddr *)&where, sizeof(where));
    }
    assert_int_equal(result, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    return fd;
}

/* Sends bytes and reads until the server closes; the answer in a static buffer. */
static const char *exchange_bytes(const char *address, const char *request, size_t len)
{
    static char answer[65536];
    size_t got = 0;
    ssize_t n;
    int fd = connect_to(address);

    assert_true(send(fd, request, len, MSG_NOSIGNAL) >= 0);
    while (got < sizeof(answer) - 1 && (n = recv(fd, answer + got, sizeof(answer) - 1 - got, 0)) > 0)
        got += (size_t)n;
    answer[got] = '\0';
    close(fd);
    return answer;
}

static const char *exchange(const char *address, const char *request)
{
    return exchange_bytes(address, request, strlen(request));
}

static void holds(const char *answer, const char *part)
{
    if (strstr(answer, part) == NULL)
        fail_msg("expected \"%s\" in \"%s\"", part, answer);
}

#define END " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"

static void answers_with_what_was_asked(void **state)
{
    (void)state;
    atomic_int calls = 0;
    struct weir_http *http = serve("127.0.0.1:0", &calls);

    const char *answer = exchange(weir_http_address(http), "GET /a%20b?name=%C3%A9" END "X-Test: t\r\n\r\n");
    holds(answer, "HTTP/1.1 200 ");
    holds(answer, "Content-Type: text/plain\r\n");
    holds(answer, "GET /a b name=\xc3\xa9 header=t body=");
    answer = exchange(weir_http_address(http), "POST /p" END "Content-Length: 5\r\n\r\nhello");
    holds(answer, "POST /p name=- header=- body=hello");
    answer = exchange(weir_http_address(http),
        "POST /p" END "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n");
    holds(answer, "body=hello");
    assert_int_equal(calls, 3);
    weir_http_close(http);
}

static void a_header_value_cannot_become_a_header(void **state)
{
    (void)state;
    atomic_int calls = 0;
    struct weir_http *http = serve("127.0.0.1:0", &calls);

    const char *answer = exchange(weir_http_address(http), "GET /" END "\r\n");
    holds(answer, "X-Echo: aInjected: yes\r\n");
    assert_null(strstr(answer, "\nInjected"));
    weir_http_close(http);
}

static void refuses_nul_and_control_bytes(void **state)
{
    (void)state;
    atomic_int calls = 0;
    struct weir_http *http = serve("127.0.0.1:0", &calls);

    holds(exchange(weir_http_address(http), "GET /orders%00/x" END "\r\n"), "HTTP/1.1 400 ");
    holds(exchange(weir_http_address(http), "GET /orders?name=%00" END "\r\n"), "HTTP/1.1 400 ");
    holds(exchange(weir_http_address(http), "GET /\xc3\xa9" END "\r\n"), "HTTP/1.1 400 ");
    holds(exchange(weir_http_address(http), "GET /a\x01" END "\r\n"), "HTTP/1.1 400 ");
    holds(exchange(weir_http_address(http), "GET /" END "X-Test: a\x02\r\n\r\n"), "application/problem+json");
    assert_int_equal(calls, 0);
    weir_http_close(http);
}

/* The client waits for "100 Continue" before it sends: the refusal has to come instead. */
static void refuses_a_long_body_before_it_comes(void **state)
{
    (void)state;
    atomic_int calls = 0;
    struct weir_http *http = serve("127.0.0.1:0", &calls);

    const char *answer = exchange(
        weir_http_address(http), "POST /" END "Content-Length: 1001\r\nExpect: 100-continue\r\n\r\n");
    holds(answer, "HTTP/1.1 413 ");
    holds(answer, "at most 1000 bytes");
    assert_null(strstr(answer, "100 Continue"));
    assert_int_equal(calls, 0);
    weir_http_close(http);
}

static void counts_the_bytes_of_chunked_bodies(void **state)
{
    (void)state;
    WEIR_CLEANUP(buffer) struct weir_buffer request = {0};
    atomic_int calls = 0;
    struct weir_http *http = serve("127.0.0.1:0", &calls);

    weir_buffer_append_str(&request, "POST /" END "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 11; i++)
        weir_buffer_printf(&request, "64\r\n%0100d\r\n", i);
    weir_buffer_append_str(&request, "0\r\n\r\n");
    holds(exchange_bytes(weir_http_address(http), request.data, request.len), "HTTP/1.1 413 ");
    assert_int_equal(calls, 0);
    weir_http_close(http);
}

static void listens_on_a_unix_socket(void **state)
{
    (void)state;
    char folder[] = "/tmp/weir-http-XXXXXX", address[64];
    atomic_int calls = 0;

    assert_non_null(mkdtemp(folder));
    snprintf(address, sizeof(address), "unix:%s/s", folder);
    for (int round = 0; round < 2; round++) {
        struct weir_http *http = serve(address, &calls);
        assert_string_equal(weir_http_address(http), address);
        holds(exchange(address, "GET /" END "\r\n"), "HTTP/1.1 200 ");
        struct weir_error err = {0};
        assert_true(weir_address_listen(address, 5, &err) < 0); /* it is alive: nobody takes its place */
        weir_http_close(http);
        assert_int_not_equal(access(address + 5, F_OK), 0);
    }
    rmdir(folder);
}

static void replaces_a_dead_socket_but_no_file(void **state)
{
    (void)state;
    char folder[] = "/tmp/weir-http-XXXXXX", address[64];
    struct stat found;

    assert_non_null(mkdtemp(folder));
    snprintf(address, sizeof(address), "unix:%s/s", folder);
    int first = weir_address_listen(address, 5, NULL);
    assert_true(first >= 0);
    close(first); /* as a kill leaves it */
    int second = weir_address_listen(address, 5, NULL);
    assert_true(second >= 0);
    close(second);
    unlink(address + 5);
    fclose(fopen(address + 5, "w"));
    assert_true(weir_address_listen(address, 5, NULL) < 0);
    assert_int_equal(lstat(address + 5, &found), 0);
    assert_true(S_ISREG(found.st_mode));
    unlink(address + 5);
    rmdir(folder);
}

static void serves_many_connections_at_once(void **state)
{
    (void)state;
    enum { CONNECTIONS = 200 };
    static const char request[] = "GET /" END "\r\n";
    int fds[CONNECTIONS];
    atomic_int calls = 0;
    struct weir_http *http = serve("127.0.0.1:0", &calls);
    char answer[512];

    for (size_t i = 0; i < CONNECTIONS; i++)
        fds[i] = connect_to(weir_http_address(http));
    for (size_t i = 0; i < CONNECTIONS; i++)
        assert_int_equal(send(fds[i], request, sizeof(request) - 1, MSG_NOSIGNAL), sizeof(request) - 1);
    for (size_t i = 0; i < CONNECTIONS; i++) {
        ssize_t n = recv(fds[i], answer, sizeof(answer) - 1, MSG_WAITALL);
        assert_true(n > 0);
        answer[n] = '\0';
        holds(answer, "HTTP/1.1 200 ");
        close(fds[i]);
    }
    assert_int_equal(calls, CONNECTIONS);
    weir_http_close(http);
}

static void says_why_it_cannot_listen(void **state)
{
    (void)state;
    atomic_int calls = 0;
    struct weir_http *http = serve("127.0.0.1:0", &calls), *none = NULL;
    const struct weir_http_settings settings = {.listen = weir_http_address(http), .threads = 2};
    struct weir_error err = {0};

    assert_true(weir_http_listen(&settings, echo, &calls, &none, &err) < 0);
    assert_non_null(strstr(err.text, weir_http_address(http)));
    assert_null(none);
    weir_http_close(http);
    weir_http_close(NULL);
}

static void splits_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *address, *host, *port; /* host NULL: refused */
    } rows[] = {{"127.0.0.1:80", "127.0.0.1", "80"}, {"[::1]:8080", "::1", "8080"},
        {"host.example:0", "host.example", "0"}, {"unix:/run/x", "unix:/run/x", ""}, {"::1:80", NULL, NULL},
        {"localhost", NULL, NULL}, {"localhost:", NULL, NULL}, {":80", NULL, NULL}, {"h:65536", NULL, NULL},
        {"h:+80", NULL, NULL}, {"h:80x", NULL, NULL}, {"[::1]80", NULL, NULL}, {"[::1", NULL, NULL},
        {"", NULL, NULL}, {"unix:", NULL, NULL}, {"unix:relative", NULL, NULL}};
    char host[64], port[8];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int code = weir_address_split(rows[i].address, host, sizeof(host), port, sizeof(port), NULL);
        if ((code == 0) != (rows[i].host != NULL))
            fail_msg("\"%s\" gave %d", rows[i].address, code);
        if (code != 0)
            continue;
        assert_string_equal(host, rows[i].host);
        assert_string_equal(port, rows[i].port);
    }
    assert_int_equal(weir_address_split("a-host:80", host, 4, port, sizeof(port), NULL), WEIR_E_CONFIG);
}

static void knows_loopback(void **state)
{
    (void)state;
    static const char *const inside[] = {"127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1", "unix:/x"};
    static const char *const outside[] = {
        "0.0.0.0:1", "[::]:1", "10.0.0.1:1", "128.0.0.1:1", "example.org:1", "nonsense"};

    for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++)
        assert_true(weir_address_is_loopback(inside[i]));
    for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++)
        assert_false(weir_address_is_loopback(outside[i]));
}

static void writes_problems(void **state)
{
    (void)state;
    struct weir_http_reply reply = {0};

    weir_buffer_append_str(&reply.body, "half an answer");
    weir_http_reply_problem(&reply, 404, "no \"%s\"", "order");
    assert_int_equal(reply.status, 404);
    assert_string_equal(reply.content_type, "application/problem+json");
    assert_string_equal(reply.body.data, "{\"type\":\"about:blank\",\"title\":\"Not "
                                         "Found\",\"status\":404,\"detail\":\"no \\\"order\\\"\"}\n");
    weir_buffer_done(&reply.body);
    assert_string_equal(weir_http_reason(999), "");
    assert_string_equal(weir_http_reason(410), "Gone");
}

static void headers_beyond_the_limit_are_dropped(void **state)
{
    (void)state;
    struct weir_http_reply reply = {0};

    for (int i = 0; i < WEIR_HTTP_REPLY_HEADERS + 3; i++)
        weir_http_reply_header(&reply, "X", "%0400d", i);
    assert_int_equal(reply.header_count, WEIR_HTTP_REPLY_HEADERS);
    assert_int_equal(strlen(reply.headers[0].value), sizeof(reply.headers[0].value) - 1);
}

struct gate {
    atomic_int calls;
    atomic_bool open;
};

static void answer_when_open(
    void *context, const struct weir_http_request *request, struct weir_http_reply *reply)
{
    struct gate *gate = context;

    reply->later = !atomic_load(&gate->open);
    weir_buffer_printf(&reply->body, "waited %s", weir_http_waited_ms(request) >= 0 ? "well" : "badly");
    atomic_fetch_add(&gate->calls, 1);
}

static void await_calls(struct gate *gate, int calls)
{
    while (atomic_load(&gate->calls) < calls) /* the test's time limit ends this */
        sched_yield();
}

static void waits_until_it_is_woken(void **state)
{
    (void)state;
    struct gate gate = {0};
    struct weir_http *http = NULL;
    struct weir_http_settings settings = {.listen = "127.0.0.1:0", .threads = 2, .connections = 300};
    char answer[512] = "";

    assert_int_equal(weir_http_listen(&settings, answer_when_open, &gate, &http, NULL), 0);
    int first = connect_to(weir_http_address(http)), second = connect_to(weir_http_address(http));
    static const char request[] = "GET /" END "\r\n";
    assert_int_equal(send(first, request, strlen(request), MSG_NOSIGNAL), strlen(request));
    await_calls(&gate, 1);
    weir_http_wake(http);
    await_calls(&gate, 2);
    atomic_store(&gate.open, true);
    weir_http_wake(http);
    assert_true(recv(first, answer, sizeof(answer) - 1, MSG_WAITALL) > 0);
    holds(answer, "HTTP/1.1 200 ");
    holds(answer, "waited well");
    atomic_store(&gate.open, false);
    assert_int_equal(send(second, request, strlen(request), MSG_NOSIGNAL), strlen(request));
    await_calls(&gate, 4);
    weir_http_close(http);
    memset(answer, 0, sizeof(answer));
    assert_true(recv(second, answer, sizeof(answer) - 1, MSG_WAITALL) > 0);
    holds(answer, "HTTP/1.1 503 ");
    close(first);
    close(second);
}

static bool ready(void *context, struct weir_buffer *detail)
{
    weir_buffer_append_str(detail, "\"kafka\":\"ok\"");
    return atomic_load((atomic_bool *)context);
}

static void serves_the_management_pages(void **state)
{
    (void)state;
    atomic_bool is_ready = false;
    const struct weir_management management = {ready, &is_ready};
    struct weir_http *http = NULL;

    weir_metric_add(weir_metric(WEIR_METRIC_COUNTER, "weir_test_total", "", "A test's."), 3);
    assert_int_equal(weir_management_listen("127.0.0.1:0", &management, &http, NULL), 0);
    const char *address = weir_http_address(http);
    holds(exchange(address, "GET /livez" END "\r\n"), "HTTP/1.1 200 ");
    holds(exchange(address, "GET /readyz" END "\r\n"), "HTTP/1.1 503 ");
    atomic_store(&is_ready, true);
    const char *answer = exchange(address, "GET /readyz" END "\r\n");
    holds(answer, "HTTP/1.1 200 ");
    holds(answer, "{\"ready\":true,\"kafka\":\"ok\"}");
    answer = exchange(address, "GET /metrics" END "\r\n");
    holds(answer, "text/plain; version=0.0.4");
    holds(answer, "\nweir_test_total 3\n");
    answer = exchange(address, "POST /metrics" END "Content-Length: 0\r\n\r\n");
    holds(answer, "HTTP/1.1 405 ");
    holds(answer, "Allow: GET, HEAD");
    holds(exchange(address, "GET /" END "\r\n"), "HTTP/1.1 404 ");
    answer = exchange(address, "HEAD /livez" END "\r\n");
    holds(answer, "HTTP/1.1 200 ");
    assert_null(strstr(answer, "live\""));
    weir_http_close(http);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(answers_with_what_was_asked),
    cmocka_unit_test(a_header_value_cannot_become_a_header),
    cmocka_unit_test(refuses_nul_and_control_bytes),
    cmocka_unit_test(refuses_a_long_body_before_it_comes),
    cmocka_unit_test(counts_the_bytes_of_chunked_bodies),
    cmocka_unit_test(listens_on_a_unix_socket),
    cmocka_unit_test(replaces_a_dead_socket_but_no_file),
    cmocka_unit_test(serves_many_connections_at_once),
    cmocka_unit_test(waits_until_it_is_woken),
    cmocka_unit_test(says_why_it_cannot_listen),
    cmocka_unit_test(splits_addresses),
    cmocka_unit_test(knows_loopback),
    cmocka_unit_test(writes_problems),
    cmocka_unit_test(headers_beyond_the_limit_are_dropped),
    cmocka_unit_test(serves_the_management_pages),
};

WEIR_TEST_MAIN(tests)

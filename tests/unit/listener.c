/* Which HTTP thread gets a connection: real sockets, the threads' epoll sets without the threads. */
#include "support/test.h"

#include "gateway/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { THREADS = 3, PER_THREAD = 20, MOST = 100 };

/* A listener, and what two sides of its connections hold. */
struct stage {
    char folder[32], address[64];
    struct weir_gateway_settings settings;
    struct weir_listener *listener;
    int epolls[THREADS];
    int clients[MOST + 1], client_count;
    int sockets[THREADS][MOST], counts[THREADS];
};

static void set_up(struct stage *stage)
{
    struct weir_error err;
    *stage = (struct stage){.folder = "/tmp/weir-listener.XXXXXX"};
    assert_non_null(mkdtemp(stage->folder));
    snprintf(stage->address, sizeof(stage->address), "unix:%s/socket", stage->folder);
    stage->settings = (struct weir_gateway_settings){.listen = stage->address,
        .threads = THREADS,
        .connections = MOST,
        .connections_per_thread = PER_THREAD};
    assert_int_equal(0, weir_listener_open(&stage->settings, &stage->listener, &err));
    for (int i = 0; i < THREADS; i++) {
        stage->epolls[i] = epoll_create1(0);
        assert_int_equal(
            0, weir_listener_join(stage->listener, (size_t)i, stage->epolls[i], &stage->counts[i], &err));
    }
}

static void tear_down(struct stage *stage)
{
    weir_listener_free(stage->listener);
    for (int i = 0; i < THREADS; i++) {
        close(stage->epolls[i]);
        while (stage->counts[i] > 0)
            close(stage->sockets[i][--stage->counts[i]]);
    }
    while (stage->client_count > 0)
        close(stage->clients[--stage->client_count]);
    unlink(stage->address + strlen("unix:"));
    rmdir(stage->folder);
}

/* A client's socket, −errno when it is refused. */
static int call(const struct stage *stage)
{
    struct sockaddr_un where = {.sun_family = AF_UNIX};
    snprintf(where.sun_path, sizeof(where.sun_path), "%s", stage->address + strlen("unix:"));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&where, sizeof(where)) == 0)
        return fd;
    int number = errno;
    close(fd);
    return -number;
}

static void begin_calls(struct stage *stage, int count)
{
    for (int i = 0; i < count; i++) {
        int fd = call(stage);
        assert_true(fd >= 0);
        stage->clients[stage->client_count++] = fd;
    }
}

static bool is_asked(const struct stage *stage, int thread)
{
    struct epoll_event event;
    if (epoll_wait(stage->epolls[thread], &event, 1, 0) != 1)
        return false;
    assert_ptr_equal(&stage->counts[thread], event.data.ptr);
    return true;
}

/* What the thread does when it is asked; how many connections it got. */
static int accept_all(struct stage *stage, int thread)
{
    struct sockaddr_storage address;
    socklen_t len;
    int taken = 0;
    for (int fd; is_asked(stage, thread); taken++) {
        if ((fd = weir_listener_accept(stage->listener, (size_t)thread, &address, &len)) < 0)
            break;
        assert_int_equal(AF_UNIX, address.ss_family);
        stage->sockets[thread][stage->counts[thread]++] = fd;
        weir_listener_began(stage->listener, (size_t)thread);
    }
    return taken;
}

static void accept_everywhere(struct stage *stage)
{
    for (int turn = 0; turn < MOST; turn++)
        for (int i = 0; i < THREADS; i++)
            accept_all(stage, i);
}

static void end_one(struct stage *stage, int thread)
{
    close(stage->sockets[thread][--stage->counts[thread]]);
    weir_listener_ended(stage->listener, (size_t)thread);
}

static void few_connections_share_the_first_thread(void **state)
{
    (void)state;
    struct stage stage;
    set_up(&stage);
    begin_calls(&stage, PER_THREAD);
    assert_false(is_asked(&stage, 1));
    assert_int_equal(PER_THREAD, accept_all(&stage, 0));
    begin_calls(&stage, 1);
    assert_true(is_asked(&stage, 1));
    assert_false(is_asked(&stage, 2));
    tear_down(&stage);
}

static void many_are_spread_evenly(void **state)
{
    (void)state;
    struct stage stage;
    set_up(&stage);
    begin_calls(&stage, MOST - 1);
    accept_everywhere(&stage);
    int all = 0;
    for (int i = 0; i < THREADS; i++) {
        assert_in_range(stage.counts[i], MOST / THREADS - 20, MOST / THREADS + 20);
        all += stage.counts[i];
    }
    assert_int_equal(MOST - 1, all);
    tear_down(&stage);
}

static void a_thread_that_lost_its_connections_gets_the_next(void **state)
{
    (void)state;
    struct stage stage;
    set_up(&stage);
    begin_calls(&stage, MOST - 1);
    accept_everywhere(&stage);
    while (stage.counts[1] > 0)
        end_one(&stage, 1);
    begin_calls(&stage, 1);
    assert_false(is_asked(&stage, 0));
    assert_false(is_asked(&stage, 2));
    assert_int_equal(1, accept_all(&stage, 1));
    tear_down(&stage);
}

static void beyond_the_most_they_wait(void **state)
{
    (void)state;
    struct stage stage;
    set_up(&stage);
    begin_calls(&stage, MOST + 1);
    accept_everywhere(&stage);
    assert_int_equal(MOST, stage.counts[0] + stage.counts[1] + stage.counts[2]);
    for (int i = 0; i < THREADS; i++)
        assert_false(is_asked(&stage, i));
    end_one(&stage, 0);
    accept_everywhere(&stage);
    assert_int_equal(MOST, stage.counts[0] + stage.counts[1] + stage.counts[2]);
    tear_down(&stage);
}

static void no_files_are_waited_for(void **state)
{
    (void)state;
    struct stage stage;
    struct rlimit before, none;
    set_up(&stage);
    begin_calls(&stage, 1);
    assert_int_equal(0, getrlimit(RLIMIT_NOFILE, &before));
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
    assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &none));
    assert_int_equal(0, accept_all(&stage, 0));
    bool asked = is_asked(&stage, 0);
    assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &before));
    assert_false(asked);
    weir_listener_retry(stage.listener);
    assert_int_equal(1, accept_all(&stage, 0));
    tear_down(&stage);
}

static void who_comes_after_the_close_is_refused(void **state)
{
    (void)state;
    struct stage stage;
    set_up(&stage);
    begin_calls(&stage, 1);
    assert_int_equal(1, accept_all(&stage, 0));
    weir_listener_close(stage.listener);
    assert_int_equal(-ECONNREFUSED, call(&stage));
    assert_false(is_asked(&stage, 0));
    end_one(&stage, 0);
    weir_listener_retry(stage.listener);
    assert_int_equal(-ECONNREFUSED, call(&stage));
    tear_down(&stage);
}

static void an_address_in_use_is_told(void **state)
{
    (void)state;
    struct weir_listener *second = NULL;
    struct weir_error err;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(where);
    char address[32];
    assert_int_equal(0, bind(fd, (struct sockaddr *)&where, len));
    assert_int_equal(0, listen(fd, 1));
    assert_int_equal(0, getsockname(fd, (struct sockaddr *)&where, &len));
    snprintf(address, sizeof(address), "127.0.0.1:%d", ntohs(where.sin_port));
    const struct weir_gateway_settings settings = {
        .listen = address, .threads = 1, .connections = 1, .connections_per_thread = 1};
    assert_int_equal(WEIR_E_EXISTS, weir_listener_open(&settings, &second, &err));
    assert_non_null(strstr(err.text, address));
    assert_null(second);
    close(fd);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(few_connections_share_the_first_thread),
    cmocka_unit_test(many_are_spread_evenly),
    cmocka_unit_test(a_thread_that_lost_its_connections_gets_the_next),
    cmocka_unit_test(beyond_the_most_they_wait),
    cmocka_unit_test(no_files_are_waited_for),
    cmocka_unit_test(who_comes_after_the_close_is_refused),
    cmocka_unit_test(an_address_in_use_is_told),
};

WEIR_TEST_MAIN(tests)

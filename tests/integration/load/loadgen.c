/* Posts orders at a constant rate from many kept connections and writes down every answer, for the judge.
 *
 *   loadgen HOST:PORT LOG [RATE [CONNECTIONS [STEM]]]
 *
 * Open loop: what is due is sent as soon as a connection is free, whatever became of the requests before; a
 * second's worth of what no connection was free for is kept, more is counted as missed. Of ten orders eight
 * make a document, one changes one of few documents that all connections share, one replaces, merges or
 * deletes what was made before. Standard input: "rate N" lines, "retry" to send again what was refused
 * (503); its end ends the load once the answers are in. Standard output: every 100 ms the time in ms and how
 * many were sent, accepted (2xx), refused (503), unknown (504), answered otherwise, not answered, missed so
 * far. The log: one JSON object a line, as tests/judge/answers.py describes it, with the µs that the answer
 * took. $WEIR_KEY, if there is one, is the access key that each request shows. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/sha.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    CONNECTIONS = 64,
    RATE = 2000,
    HOT_KEYS = 50,
    TURN_MS = 2,
    REPORT_MS = 100,
    BACKOFF_MS = 50,
    PATIENCE_MS = 30000,
    OUT_BYTES = 2048,
    IN_BYTES = 16384,
    WORD_BYTES = 128,
    FOLLOW_UPS = 1 << 16,
};

enum operation { CREATE, REPLACE, MERGE, DELETE };
static const char *const words[] = {"create", "replace", "merge", "delete"};
static const char *const methods[] = {"POST", "PUT", "PATCH", "DELETE"};

enum state { AWAY, CONNECTING, FREE, ASKED };

struct order {
    enum operation operation;
    uint64_t number;
    char key[WORD_BYTES];
    char sha256[2 * SHA256_DIGEST_LENGTH + 1]; /* of the body; empty without one */
};

struct connection {
    enum state state;
    int socket;
    int64_t due_ms; /* AWAY: connect again; else: given up */
    int64_t asked_us;
    struct order order;
    char out[OUT_BYTES], in[IN_BYTES];
    size_t out_at, out_end, in_end;
};

enum count { SENT, ACCEPTED, REFUSED, UNKNOWN, OTHER, SILENT, MISSED, COUNTS };

static struct sockaddr_in address;
static const char *host, *stem = "o";
static char authorization[WORD_BYTES];
static struct connection *connections;
static size_t connection_count = CONNECTIONS;
static uint64_t counts[COUNTS], made;
static struct {
    enum operation operation;
    uint64_t number;
} follow_ups[FOLLOW_UPS];
static uint64_t follow_first, follow_last;
static double rate = RATE, due;
static bool ending, retrying;
static FILE *record;
static int poller;

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void fail(const char *what)
{
    perror(what);
    exit(70);
}

/* ---- what is sent ---- */

static void watch(struct connection *connection, int how, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = connection};
    if (epoll_ctl(poller, how, connection->socket, &event) < 0)
        fail("epoll_ctl");
}

static void name_order(struct order *order)
{
    bool hot = order->number % 10 == 5;
    snprintf(order->key, sizeof(order->key), hot ? "%s-hot-%02" PRIu64 : "%s-%07" PRIu64, stem,
        hot ? order->number / 10 % HOT_KEYS : order->number);
}

static void next_order(struct order *order)
{
    if (follow_first < follow_last) {
        order->operation = follow_ups[follow_first % FOLLOW_UPS].operation;
        order->number = follow_ups[follow_first++ % FOLLOW_UPS].number;
    } else {
        order->number = ++made;
        order->operation = made % 10 == 5 ? REPLACE : CREATE;
    }
    name_order(order);
}

static void ask_later(enum operation operation, uint64_t number)
{
    if (follow_last - follow_first == FOLLOW_UPS)
        return;
    follow_ups[follow_last % FOLLOW_UPS].operation = operation;
    follow_ups[follow_last++ % FOLLOW_UPS].number = number;
}

static void follow_up(const struct order *order)
{
    static const enum operation turn[] = {REPLACE, DELETE, MERGE, DELETE};
    if (order->operation == CREATE && order->number % 10 == 0)
        ask_later(turn[order->number / 10 % 4], order->number);
}

/* With `retry` nothing is left behind that was refused. */
static bool may_ask(void)
{
    return !ending || (retrying && follow_first < follow_last);
}

static int write_body(const struct order *order, char *to, size_t size)
{
    if (order->operation == DELETE)
        return 0;
    if (order->operation == MERGE)
        return snprintf(
            to, size, "{\"status\":\"MERGED\",\"note\":null,\"total\":%" PRIu64 ".50}", order->number);
    return snprintf(to, size,
        "{\"orderID\":\"%s\",\"status\":\"%sD\",\"total\":%" PRIu64 ".90,\"number\":%" PRIu64
        ",\"items\":[{\"sku\":\"S-%" PRIu64 "\", \"quantity\":%" PRIu64 "}],\"note\":\"%0150d\"}",
        order->key, words[order->operation], order->number % 500, order->number, order->number % 97,
        order->number % 7 + 1, 0);
}

static void digest(struct order *order, const char *body, size_t length)
{
    unsigned char bytes[SHA256_DIGEST_LENGTH];
    order->sha256[0] = '\0';
    if (order->operation == DELETE)
        return;
    SHA256((const unsigned char *)body, length, bytes);
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(order->sha256 + 2 * i, 3, "%02x", bytes[i]);
}

static void write_request(struct connection *connection)
{
    char body[OUT_BYTES / 2], type[WORD_BYTES] = "";
    struct order *order = &connection->order;
    int length = write_body(order, body, sizeof(body));
    digest(order, body, (size_t)length);
    if (order->operation != DELETE)
        snprintf(type, sizeof(type), "Content-Type: application/%s\r\nContent-Length: %d\r\n",
            order->operation == MERGE ? "merge-patch+json" : "json", length);
    bool named = order->operation != CREATE;
    connection->out_at = 0;
    connection->out_end = (size_t)snprintf(connection->out, sizeof(connection->out),
        "%s /v1/orders%s%s HTTP/1.1\r\nHost: %s\r\n%s%s\r\n%.*s", methods[order->operation], named ? "/" : "",
        named ? order->key : "", host, authorization, type, length, body);
}

/* ---- what is answered ---- */

static void write_text(const char *name, const char *text)
{
    if (text[0] == '\0')
        fprintf(record, ",\"%s\":null", name);
    else
        fprintf(record, ",\"%s\":\"%s\"", name, text);
}

/* A status of 0: the connection ended without an answer. */
static void write_down(
    const struct connection *connection, int status, const char *position, const char *request)
{
    const struct order *order = &connection->order;
    fprintf(record, "{\"op\":\"%s\",\"key\":\"%s\",\"status\":", words[order->operation], order->key);
    if (status == 0)
        fputs("null", record);
    else
        fprintf(record, "%d", status);
    write_text("sha256", order->sha256);
    write_text("position", position);
    write_text("request", request);
    fprintf(record, ",\"us\":%" PRId64 "}\n", now_us() - connection->asked_us);
    counts[status == 0         ? SILENT
           : status / 100 == 2 ? ACCEPTED
           : status == 503     ? REFUSED
           : status == 504     ? UNKNOWN
                               : OTHER]++;
}

/* The text between `before` and the first of `ends`, or nothing; taken from a head in lower case or a body.
 */
static void cut_out(const char *text, const char *before, const char *ends, char to[WORD_BYTES])
{
    const char *at = strcasestr(text, before);
    size_t length = at != NULL ? strcspn(at + strlen(before), ends) : 0;
    if (length >= WORD_BYTES || (at != NULL && memchr(at + strlen(before), '"', length) != NULL))
        length = 0;
    memcpy(to, at != NULL ? at + strlen(before) : "", length);
    to[length] = '\0';
}

static void disconnect(struct connection *connection)
{
    if (connection->state == ASKED)
        write_down(connection, 0, "", "");
    close(connection->socket);
    connection->state = AWAY;
    connection->due_ms = now_ms() + BACKOFF_MS;
}

static void take_answer(struct connection *connection, const char *body, int status)
{
    char position[WORD_BYTES], request[WORD_BYTES], word[WORD_BYTES];
    const char *head = connection->in;
    cut_out(head, "\nweir-position: ", "\r\n", position);
    cut_out(head, "/requests/", "?\r\n", request);
    if (request[0] == '\0')
        cut_out(body, "\"request_id\":\"", "\"", request);
    if (request[0] == '\0')
        cut_out(head, "\nx-request-id: ", "\r\n", request);
    write_down(connection, status, position, request);
    if (status / 100 == 2)
        follow_up(&connection->order);
    else if (status == 503 && retrying)
        ask_later(connection->order.operation, connection->order.number);
    connection->state = FREE;
    connection->in_end = 0;
    cut_out(head, "\nconnection: ", "\r\n", word);
    if (strcasecmp(word, "close") == 0)
        disconnect(connection);
}

/* An answer is one message with a Content-Length that fits into the buffer; anything else ends the
 * connection. */
static void try_answer(struct connection *connection)
{
    char length[WORD_BYTES];
    connection->in[connection->in_end] = '\0';
    char *end = strstr(connection->in, "\r\n\r\n");
    if (end == NULL)
        return;
    char *body = end + 4;
    char kept = *body;
    *body = '\0';
    int status = 0;
    cut_out(connection->in, "\ncontent-length: ", "\r\n", length);
    bool good = sscanf(connection->in, "HTTP/1.1 %d", &status) == 1;
    bool whole = connection->in_end - (size_t)(body - connection->in) >= strtoul(length, NULL, 10);
    *body = kept;
    if (!good)
        disconnect(connection);
    else if (whole) {
        *end = '\0';
        take_answer(connection, body, status);
    }
}

static void receive(struct connection *connection)
{
    size_t room = sizeof(connection->in) - 1 - connection->in_end;
    ssize_t got = recv(connection->socket, connection->in + connection->in_end, room, 0);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0 || room == 0 || connection->state != ASKED) {
        disconnect(connection);
        return;
    }
    connection->in_end += (size_t)got;
    try_answer(connection);
}

/* ---- the connections ---- */

static void send_rest(struct connection *connection)
{
    ssize_t sent = send(connection->socket, connection->out + connection->out_at,
        connection->out_end - connection->out_at, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
        disconnect(connection);
        return;
    }
    connection->out_at += sent > 0 ? (size_t)sent : 0;
    bool more = connection->out_at < connection->out_end;
    watch(connection, EPOLL_CTL_MOD, more ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void ask(struct connection *connection, int64_t now)
{
    next_order(&connection->order);
    write_request(connection);
    connection->state = ASKED;
    connection->due_ms = now + PATIENCE_MS;
    connection->asked_us = now_us();
    counts[SENT]++;
    send_rest(connection);
}

static void open_one(struct connection *connection, int64_t now)
{
    connection->socket = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (connection->socket < 0)
        fail("socket");
    setsockopt(connection->socket, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    connection->state = CONNECTING;
    connection->due_ms = now + PATIENCE_MS;
    connection->in_end = 0;
    int rc = connect(connection->socket, (const struct sockaddr *)&address, sizeof(address));
    watch(connection, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
    if (rc < 0 && errno != EINPROGRESS)
        disconnect(connection);
}

static void finish_connect(struct connection *connection)
{
    int error = 0;
    getsockopt(connection->socket, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){sizeof(error)});
    if (error != 0) {
        disconnect(connection);
        return;
    }
    connection->state = FREE;
    watch(connection, EPOLL_CTL_MOD, EPOLLIN);
}

static void serve(const struct epoll_event *event)
{
    struct connection *connection = event->data.ptr;
    if (connection->state == CONNECTING)
        finish_connect(connection);
    else if (connection->state == ASKED && (event->events & EPOLLOUT) != 0)
        send_rest(connection);
    if (connection->state >= FREE && (event->events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
        receive(connection);
}

/* What is due goes to the free connections, beginning behind the one that was served last. */
static void spend(int64_t now)
{
    static size_t turn;
    for (size_t i = 0; i < connection_count; i++, turn = (turn + 1) % connection_count) {
        struct connection *connection = &connections[turn];
        if (connection->state == AWAY && now >= connection->due_ms && may_ask())
            open_one(connection, now);
        else if (connection->state != AWAY && connection->state != FREE && now >= connection->due_ms)
            disconnect(connection);
        else if (connection->state == FREE && due >= 1 && may_ask()) {
            due -= 1;
            ask(connection, now);
        }
    }
    if (due > rate) {
        counts[MISSED] += (uint64_t)(due - rate);
        due = rate;
    }
}

static size_t in_flight(void)
{
    size_t count = 0;
    for (size_t i = 0; i < connection_count; i++)
        count += connections[i].state == ASKED;
    return count;
}

static void report(int64_t now)
{
    static int64_t next_ms;
    if (now < next_ms)
        return;
    next_ms = now + REPORT_MS;
    printf("%" PRId64, now);
    for (int i = 0; i < COUNTS; i++)
        printf(" %" PRIu64, counts[i]);
    putchar('\n');
    fflush(stdout);
    fflush(record);
}

static void obey(void)
{
    static char line[WORD_BYTES];
    static size_t length;
    ssize_t got = read(STDIN_FILENO, line + length, sizeof(line) - 1 - length);
    if (got < 0 && errno == EAGAIN)
        return;
    ending = got <= 0;
    length += got > 0 ? (size_t)got : 0;
    line[length] = '\0';
    for (char *end; (end = strchr(line, '\n')) != NULL;) {
        if (strncmp(line, "rate ", 5) == 0)
            rate = strtod(line + 5, NULL);
        retrying = retrying || strncmp(line, "retry", 5) == 0;
        due = 0;
        length -= (size_t)(end + 1 - line);
        memmove(line, end + 1, length + 1);
    }
}

static void run(void)
{
    struct epoll_event events[CONNECTIONS];
    int64_t last = now_ms();
    while (may_ask() || in_flight() > 0) {
        int count = epoll_wait(poller, events, CONNECTIONS, TURN_MS);
        for (int i = 0; i < count; i++)
            serve(&events[i]);
        int64_t now = now_ms();
        due += rate * (double)(now - last) / 1000;
        last = now;
        if (!ending)
            obey();
        spend(now);
        report(now);
    }
}

int main(int argc, char **argv)
{
    char *port = argc > 2 ? strchr(argv[1], ':') : NULL;
    if (port == NULL) {
        fputs("usage: loadgen HOST:PORT LOG [RATE [CONNECTIONS [STEM]]]\n", stderr);
        return 64;
    }
    host = strdup(argv[1]);
    *port = '\0';
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t)strtoul(port + 1, NULL, 10));
    if (inet_pton(AF_INET, argv[1], &address.sin_addr) != 1)
        fail(argv[1]);
    record = fopen(argv[2], "a");
    rate = argc > 3 ? strtod(argv[3], NULL) : RATE;
    connection_count = argc > 4 ? strtoul(argv[4], NULL, 10) : CONNECTIONS;
    stem = argc > 5 ? argv[5] : stem;
    if (getenv("WEIR_KEY") != NULL)
        snprintf(authorization, sizeof(authorization), "Authorization: Bearer %s\r\n", getenv("WEIR_KEY"));
    connections = calloc(connection_count, sizeof(*connections));
    poller = epoll_create1(0);
    if (record == NULL || connections == NULL || poller < 0)
        fail(argv[2]);
    fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
    signal(SIGPIPE, SIG_IGN);
    run();
    printf("end");
    for (int i = 0; i < COUNTS; i++)
        printf(" %" PRIu64, counts[i]);
    putchar('\n');
    return fclose(record) == 0 ? 0 : 74;
}

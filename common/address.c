/* Listening addresses of http.h: host:port, [v6]:port, unix:/path. */
#include "common/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char unix_prefix[] = "unix:";

static bool is_unix(const char *address)
{
    return strncmp(address, unix_prefix, sizeof(unix_prefix) - 1) == 0;
}

static int copy(const char *from, size_t len, char *to, size_t size)
{
    if (len >= size)
        return -1;
    memcpy(to, from, len);
    to[len] = '\0';
    return 0;
}

static bool is_port(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    return digits > 0 && digits <= 5 && text[digits] == '\0' && strtol(text, NULL, 10) <= 65535;
}

/* Where the host ends and the port begins; false when there is no such place. */
static bool find_colon(const char *address, const char **ret_host, size_t *ret_len, const char **ret_port)
{
    bool bracketed = address[0] == '[';
    const char *end = bracketed ? strchr(address, ']') : strrchr(address, ':');

    if (end == NULL || (bracketed && end[1] != ':') || (!bracketed && strchr(address, ':') != end))
        return false;
    *ret_host = bracketed ? address + 1 : address;
    *ret_len = (size_t)(end - *ret_host);
    *ret_port = bracketed ? end + 2 : end + 1;
    return *ret_len > 0 && is_port(*ret_port);
}

int weir_address_split(
    const char *address, char *host, size_t host_size, char *port, size_t port_size, struct weir_error *err)
{
    const char *from, *behind;
    size_t len;

    if (is_unix(address) && address[sizeof(unix_prefix) - 1] == '/') {
        if (copy(address, strlen(address), host, host_size) < 0 || copy("", 0, port, port_size) < 0)
            return weir_error_set(err, WEIR_E_CONFIG, "address %s is too long", address);
        return 0;
    }
    if (!find_colon(address, &from, &len, &behind))
        return weir_error_set(
            err, WEIR_E_CONFIG, "address \"%s\": expected host:port, [v6]:port or unix:/path", address);
    if (copy(from, len, host, host_size) < 0 || copy(behind, strlen(behind), port, port_size) < 0)
        return weir_error_set(err, WEIR_E_CONFIG, "address %s is too long", address);
    return 0;
}

static int refuse(const char *address, const char *what, int number, struct weir_error *err)
{
    weir_error_set(err, number == EADDRINUSE ? WEIR_E_EXISTS : WEIR_E_CONFIG, "%s %s: %s", what, address,
        strerrordesc_np(number));
    return -1;
}

static int listen_on(const struct sockaddr *where, socklen_t len, int backlog)
{
    int on = 1;
    int fd = socket(where->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, where, len) == 0 && listen(fd, backlog) == 0)
        return fd;
    int number = errno;
    close(fd);
    errno = number;
    return -1;
}

/* A socket file whose program is gone stands in the way; one that answers is somebody's. */
static bool is_stale(const struct sockaddr_un *where)
{
    struct stat found;

    if (lstat(where->sun_path, &found) != 0 || !S_ISSOCK(found.st_mode))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    bool refused = connect(fd, (const struct sockaddr *)where, sizeof(*where)) != 0 && errno == ECONNREFUSED;
    close(fd);
    return refused;
}

static int listen_unix(const char *address, int backlog, struct weir_error *err)
{
    struct sockaddr_un where = {.sun_family = AF_UNIX};
    const char *path = address + sizeof(unix_prefix) - 1;

    if (copy(path, strlen(path), where.sun_path, sizeof(where.sun_path)) < 0) {
        weir_error_set(err, WEIR_E_CONFIG, "address %s: the path has more than %zu bytes", address,
            sizeof(where.sun_path) - 1);
        return -1;
    }
    if (is_stale(&where))
        unlink(where.sun_path);
    int fd = listen_on((const struct sockaddr *)&where, sizeof(where), backlog);
    return fd >= 0 ? fd : refuse(address, "cannot listen on", errno, err);
}

int weir_address_listen(const char *address, int backlog, struct weir_error *err)
{
    char host[256], port[8];
    struct addrinfo wanted = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV},
                    *found = NULL;
    int fd = -1, number = EADDRNOTAVAIL;

    if (weir_address_split(address, host, sizeof(host), port, sizeof(port), err) < 0)
        return -1;
    if (is_unix(address))
        return listen_unix(address, backlog, err);
    int failed = getaddrinfo(host, port, &wanted, &found);
    if (failed != 0) {
        weir_error_set(err, WEIR_E_CONFIG, "cannot listen on %s: %s", address, gai_strerror(failed));
        return -1;
    }
    for (struct addrinfo *each = found; each != NULL && fd < 0; each = each->ai_next) {
        fd = listen_on(each->ai_addr, each->ai_addrlen, backlog);
        number = errno;
    }
    freeaddrinfo(found);
    return fd >= 0 ? fd : refuse(address, "cannot listen on", number, err);
}

bool weir_address_is_loopback(const char *address)
{
    char host[256], port[8];
    struct in_addr v4;
    struct in6_addr v6;

    if (weir_address_split(address, host, sizeof(host), port, sizeof(port), NULL) < 0)
        return false;
    if (is_unix(address) || strcmp(host, "localhost") == 0)
        return true;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return (ntohl(v4.s_addr) >> 24) == 127;
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

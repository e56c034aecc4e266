#include "consumers/plugins/notifier/socket.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

void weir_socket_init(struct weir_socket *held)
{
    *held = (struct weir_socket){.fd = -1};
    pthread_mutex_init(&held->lock, NULL);
}

void weir_socket_done(struct weir_socket *held)
{
    weir_socket_drop(held);
    pthread_mutex_destroy(&held->lock);
}

/* 0 for everything that is no connected TCP socket. */
static int peer_port(int fd)
{
    struct sockaddr_storage peer = {0};
    socklen_t len = sizeof(peer);

    if (getpeername(fd, (struct sockaddr *)&peer, &len) < 0)
        return 0;
    if (peer.ss_family == AF_INET)
        return ntohs(((struct sockaddr_in *)&peer)->sin_port);
    if (peer.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&peer)->sin6_port);
    return 0;
}

/* libesmtp opens its socket without close-on-exec; librdkafka and Weir set it on theirs. */
static bool is_candidate(int fd, int port)
{
    int flags = fcntl(fd, F_GETFD);
    return flags >= 0 && (flags & FD_CLOEXEC) == 0 && peer_port(fd) == port;
}

static int find(int port)
{
    int found = -1, count = 0;
    DIR *folder = opendir("/proc/self/fd");

    if (folder == NULL)
        return -1;
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        int fd = (int)strtol(entry->d_name, NULL, 10);
        if (entry->d_name[0] == '.' || !is_candidate(fd, port))
            continue;
        found = fd;
        count++;
    }
    closedir(folder);
    return count == 1 ? found : -1;
}

/* libesmtp writes a message in pieces of a kilobyte; with Nagle's algorithm the last one waits for the
 * delayed acknowledgement of the one before, 40 ms a mail under TLS. */
static void prepare(int fd)
{
    int on = 1;

    fcntl(fd, F_SETFD, FD_CLOEXEC);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

bool weir_socket_adopt(struct weir_socket *held, int port)
{
    int fd = find(port);
    if (fd < 0)
        return false;
    prepare(fd);
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0)
        return false;
    pthread_mutex_lock(&held->lock);
    held->fd = copy;
    held->adopted = true;
    if (held->shut)
        shutdown(copy, SHUT_RDWR);
    pthread_mutex_unlock(&held->lock);
    return true;
}

void weir_socket_hurry(const struct weir_socket *held)
{
    int on = 1;

    if (held->fd >= 0)
        setsockopt(held->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
}

void weir_socket_drop(struct weir_socket *held)
{
    pthread_mutex_lock(&held->lock);
    if (held->fd >= 0)
        close(held->fd);
    held->fd = -1;
    pthread_mutex_unlock(&held->lock);
}

void weir_socket_shut(struct weir_socket *held)
{
    pthread_mutex_lock(&held->lock);
    held->shut = true;
    if (held->fd >= 0)
        shutdown(held->fd, SHUT_RDWR);
    pthread_mutex_unlock(&held->lock);
}

bool weir_socket_was_adopted(struct weir_socket *held)
{
    pthread_mutex_lock(&held->lock);
    bool adopted = held->adopted;
    pthread_mutex_unlock(&held->lock);
    return adopted;
}

bool weir_socket_is_shut(struct weir_socket *held)
{
    pthread_mutex_lock(&held->lock);
    bool shut = held->shut;
    pthread_mutex_unlock(&held->lock);
    return shut;
}

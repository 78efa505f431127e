/* SPDX-License-Identifier: MIT */
#include "port/socket.h"

#include "port/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

/* Aligned as the header of what goes beside a message. */
typedef union beside {
    struct cmsghdr header;
    char space[CMSG_SPACE(RMDI_SOCKET_FDS_MAX * sizeof(int))];
} beside;

int rmdi_socket_pair(int ends[2])
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return errno;
    if (fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0)
        return 0;
    int err = errno;
    rmdi_fd_close(&ends[0]);
    rmdi_fd_close(&ends[1]);
    return err;
}

static void put_descriptors(struct msghdr *message, beside *space, const int *fds, unsigned n)
{
    if (n == 0)
        return;
    memset(space, 0, sizeof *space);
    message->msg_control = space;
    message->msg_controllen = CMSG_SPACE(n * sizeof *fds);
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(n * sizeof *fds);
    memcpy(CMSG_DATA(header), fds, n * sizeof *fds);
}

int rmdi_socket_send(int fd, const void *data, size_t len, const int *fds, unsigned n)
{
    beside space;
    struct iovec part = { (void *)(size_t)data, len };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    put_descriptors(&message, &space, fds, n);
    ssize_t sent;
    do
        sent = sendmsg(fd, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? errno : 0;
}

static unsigned take_descriptors(struct msghdr *message, int *fds, unsigned max)
{
    unsigned n = 0;
    for (struct cmsghdr *h = CMSG_FIRSTHDR(message); h; h = CMSG_NXTHDR(message, h)) {
        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int got;
            memcpy(&got, CMSG_DATA(h) + i * sizeof got, sizeof got);
            if (n < max)
                fds[n++] = got;
            else
                rmdi_fd_close(&got);
        }
    }
    return n;
}

ssize_t rmdi_socket_receive(int fd, void *data, size_t len, int *fds, unsigned max, unsigned *n)
{
    beside space;
    struct iovec part = { data, len };
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &space, .msg_controllen = sizeof space
    };
    ssize_t got;
    do
        got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    *n = got < 0 ? 0 : take_descriptors(&message, fds, max);
    return got < 0 ? -errno : got;
}

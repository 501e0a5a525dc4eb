/* Answers every UDP packet with itself and the QR bit set: the limit of what a server can do with
 * recvmmsg and sendmmsg on this machine, since it does nothing else.
 * It never reads a name, and ends only by a signal.
 *
 * Usage: echo PORT
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { BATCH = 64, SLOT = 4096, BUFFER = 4 << 20 };

static unsigned char packets[BATCH][SLOT];
static struct sockaddr_in senders[BATCH];
static struct iovec vectors[BATCH];
static struct mmsghdr headers[BATCH];

static int open_socket(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons(port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int room = BUFFER, fd = socket(AF_INET, SOCK_DGRAM, 0);

    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at)) {
        perror("echo");
        exit(EXIT_FAILURE);
    }
    return fd;
}

static int receive(int fd)
{
    for (int i = 0; i < BATCH; i++) {
        vectors[i] = (struct iovec){packets[i], SLOT};
        headers[i].msg_hdr = (struct msghdr){.msg_name = &senders[i],
                                             .msg_namelen = sizeof senders[i],
                                             .msg_iov = &vectors[i],
                                             .msg_iovlen = 1};
    }
    return recvmmsg(fd, headers, BATCH, MSG_WAITFORONE, NULL);
}

static void answer(int fd, int count)
{
    for (int i = 0; i < count; i++) {
        packets[i][2] |= 0x80;
        vectors[i].iov_len = headers[i].msg_len;
    }
    for (int done = 0, sent; done < count; done += sent) {
        sent = sendmmsg(fd, headers + done, count - done, 0);
        if (sent < 1)
            sent = 1; /* this one cannot be sent; those behind it can */
    }
}

int main(int count, char **words)
{
    int fd = open_socket(count > 1 ? atoi(words[1]) : 0);

    for (;;)
        answer(fd, receive(fd));
}

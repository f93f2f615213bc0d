/* What the WebSocket clients in C have in common: the request, frames, a way to
 * connect.  Only the loopback interface is connected to. */
#ifndef CLIENT_H
#define CLIENT_H

#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static const char REQUEST[] =
    "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\n\r\n";

/* What the server makes of that key. */
static const char ACCEPT[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

enum { CONTINUATION, TEXT, BINARY, CLOSE = 8, PING, PONG, FIN = 0x80 };

/* The frame that is arriving. */
typedef struct {
    uint8_t header[14];
    int have;                 /* how much of the header; -1: all */
    uint64_t left;            /* of the payload */
    int opcode, fin;
} Incoming;

static inline void die(const char *what)
{
    fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
    exit(1);
}

static inline uint32_t noise(void)
{
    static uint32_t x = 2463534242u;
    x ^= x << 13;
    x ^= x >> 17;
    return x ^= x << 5;
}

static inline double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

/* A masked frame, whose first byte is given; where it ends. */
static inline uint8_t *put_frame(uint8_t *out, int first, const uint8_t *data, size_t length)
{
    *out++ = first;
    if (length < 126) {
        *out++ = 0x80 | length;
    } else if (length < 65536) {
        *out++ = 0x80 | 126;
        *out++ = length >> 8;
        *out++ = length;
    } else {
        *out++ = 0x80 | 127;
        for (int i = 7; i >= 0; i--)
            *out++ = (uint64_t)length >> (8 * i);
    }
    uint32_t key = noise();
    memcpy(out, &key, 4);
    for (size_t i = 0; i < length; i++)
        out[4 + i] = data[i] ^ out[i & 3];
    return out + 4 + length;
}

/* More of a header, until it is whole; how many bytes belong to it. */
static inline size_t take_header(Incoming *in, const uint8_t *data, size_t size)
{
    size_t used = 0;
    int need = 2;
    for (;;) {
        if (in->have >= 2)
            need = 2 + ((in->header[1] & 127) == 126 ? 2 : (in->header[1] & 127) == 127 ? 8 : 0);
        if (in->have >= 2 && in->have == need)
            break;
        if (used == size)
            return used;
        in->header[in->have++] = data[used++];
    }
    in->left = in->header[1] & 127;
    if (need > 2) {
        in->left = 0;
        for (int i = 2; i < need; i++)
            in->left = in->left << 8 | in->header[i];
    }
    in->fin = in->header[0] >> 7;
    in->opcode = in->header[0] & 15;
    in->have = -1;
    return used;
}

/* A TCP socket of this type, connected, or about to be, to that port. */
static inline int connect_to(int port, int type)
{
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | type, 0);
    if (fd < 0)
        die("socket");
    /* Many come from one machine: let them come from several of its addresses. */
    static unsigned count;
    struct sockaddr_in from = {.sin_family = AF_INET};
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + count++ / 20000);
    /* The port is chosen with the destination known: there are more of these. */
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&from, sizeof from))
        die("bind");
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS)
        die("connect");
    return fd;
}

#endif

/* A load for WebSocket echo servers that costs less than any of them.
 *
 * Everything that is sent is made up before the clock starts; what comes back is
 * looked at header by header and otherwise only counted, but for the first echo
 * of each connection, which is compared byte by byte.
 *
 *   load echo PORT CONNECTIONS DEPTH SIZE KIND FRAGMENTS MESSAGES
 *   load echo-tls ...
 *       KIND is binary, text (multi-byte UTF-8) or raw (no WebSocket at all:
 *       the same bytes, for servers that send back what they get).  Over TLS
 *       no certificate is asked for: the server is one's own.
 *   load handshake PORT CONNECTIONS HANDSHAKES
 *   load listen PORT CONNECTIONS SIZE MESSAGES
 *       The first connection sends; all get each message from the server.
 *   load idle PORT CONNECTIONS
 *       Holds them until standard input ends.
 *
 * Only the loopback interface is connected to.  After the warm-up, and again at
 * the end, one line is printed and one is read, so that the caller can look at
 * the server in between.
 */
#define _GNU_SOURCE
#include "client.h"
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#define CHUNK (1 << 18)

typedef struct {
    int fd;
    SSL *tls;                 /* where it is on */
    int opened;               /* the handshake was done */
    int waits_to_write;       /* epoll tells when there is room */
    long sent, received;      /* whole messages */
    size_t offset;            /* of the message that is being sent */
    Incoming in;              /* the frame that is arriving */
    size_t checked;           /* bytes of the first echo that were compared */
    char head[2048];          /* of the response, until it is whole */
    int head_size;
} Connection;

static int port, epoll, raw;
static SSL_CTX *tls;
static long depth = 1, goal, limit;
static uint8_t *wire, *payload;
static size_t wire_size, payload_size;
static long done;
static uint8_t input[CHUNK];

/* One message of `fragments` frames, masked, in `wire`; unmasked in `payload`. */
static void make_message(size_t size, const char *kind, int fragments)
{
    int text = strcmp(kind, "text") == 0;
    payload = malloc(size + 4);
    payload_size = size;
    for (size_t i = 0; i < size; i++)
        payload[i] = text ? "gr\xc3\xbc\xe2\x82\xac\xf0\x9f\x90\x8d "[i % 12] : (uint8_t)noise();
    if (text)
        for (size_t i = size - size % 12; i < size; i++)
            payload[i] = 'x';
    wire = malloc(size + 14 * (size_t)fragments);
    for (int f = 0; f < fragments; f++) {
        size_t from = size * f / fragments, to = size * (f + 1) / fragments;
        int first = (f == fragments - 1 ? FIN : 0) | (f ? CONTINUATION : text ? TEXT : BINARY);
        wire_size = put_frame(wire + wire_size, first, payload + from, to - from) - wire;
    }
}

static void watch(Connection *c, int writing, int new)
{
    struct epoll_event event = {EPOLLIN | (writing ? EPOLLOUT : 0), {.ptr = c}};
    if (epoll_ctl(epoll, new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, c->fd, &event))
        die("epoll_ctl");
    c->waits_to_write = writing;
}

/* A TLS connection, or none, under the same two verbs. */

static ssize_t transmit(Connection *c, const void *data, size_t size)
{
    if (!c->tls)
        return send(c->fd, data, size, MSG_NOSIGNAL);
    size_t count;
    if (SSL_write_ex(c->tls, data, size, &count))
        return count;
    errno = SSL_get_error(c->tls, 0) == SSL_ERROR_WANT_WRITE ? EAGAIN : EPROTO;
    return -1;
}

static ssize_t receive(Connection *c, void *data, size_t size)
{
    if (!c->tls)
        return recv(c->fd, data, size, 0);
    size_t count;
    if (SSL_read_ex(c->tls, data, size, &count))
        return count;
    errno = SSL_get_error(c->tls, 0) == SSL_ERROR_WANT_READ ? EAGAIN : EPROTO;
    return -1;
}

static void begin_tls(Connection *c)
{
    c->tls = SSL_new(tls);
    if (!c->tls || !SSL_set_fd(c->tls, c->fd) || SSL_connect(c->tls) != 1)
        die("TLS");
    SSL_set_mode(c->tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

static void open_connection(Connection *c)
{
    int one = 1;
    memset(c, 0, sizeof *c);
    c->fd = connect_to(port, 0);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (tls)
        begin_tls(c);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    watch(c, 0, 1);
    if (raw)
        c->opened = 1;
    else if (transmit(c, REQUEST, sizeof REQUEST - 1) != sizeof REQUEST - 1)
        die("send");
}

static void close_connection(Connection *c)
{
    struct linger linger = {1, 0};
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(c->fd);
}

static void fill(Connection *c)
{
    while (c->sent < limit && c->sent - c->received < depth) {
        ssize_t n = transmit(c, wire + c->offset, wire_size - c->offset);
        if (n < 0) {
            if (errno != EAGAIN)
                die("send");
            if (!c->waits_to_write)
                watch(c, 1, 0);
            return;
        }
        c->offset += n;
        if (c->offset == wire_size) {
            c->offset = 0;
            c->sent++;
        }
    }
    if (c->waits_to_write)
        watch(c, 0, 0);
}

/* Small messages leave together: as many as may be under way. */
static uint8_t *batch;

static void fill_small(Connection *c)
{
    long count = depth - (c->sent - c->received);
    if (count > limit - c->sent)
        count = limit - c->sent;
    if (count <= 0)
        return;
    size_t size = count * wire_size;
    if (transmit(c, batch, size) != (ssize_t)size)
        die("send");
    c->sent += count;
}

static void go_on(Connection *c)
{
    if (batch)
        fill_small(c);
    else
        fill(c);
}

static void arrived(Connection *c)
{
    if (c->received++ == 0 && c->checked != payload_size) {
        fprintf(stderr, "load: an echo of %zu bytes, not %zu\n", c->checked, payload_size);
        exit(1);
    }
    done++;
}

static void take(Connection *c, const uint8_t *data, size_t size)
{
    Incoming *in = &c->in;
    while (size) {
        if (in->have >= 0) {
            size_t used = take_header(in, data, size);
            data += used;
            size -= used;
            if (in->have >= 0)
                return;
            if (in->opcode == CLOSE) {
                fprintf(stderr, "load: the server closed\n");
                exit(1);
            }
        }
        size_t n = size < in->left ? size : in->left;
        int is_data = in->opcode < CLOSE;
        if (is_data && c->received == 0) {
            if (c->checked + n > payload_size || memcmp(payload + c->checked, data, n)) {
                fprintf(stderr, "load: not what was sent\n");
                exit(1);
            }
            c->checked += n;
        }
        data += n;
        size -= n;
        in->left -= n;
        if (in->left == 0) {
            in->have = 0;
            if (is_data && in->fin)
                arrived(c);
        }
    }
}

static void take_raw(Connection *c, const uint8_t *data, size_t size)
{
    while (size) {
        size_t n = wire_size - c->checked;
        if (n > size)
            n = size;
        if (c->received == 0 && memcmp(wire + c->checked, data, n)) {
            fprintf(stderr, "load: not what was sent\n");
            exit(1);
        }
        c->checked += n;
        data += n;
        size -= n;
        if (c->checked == wire_size) {
            c->received++;
            done++;
            c->checked = 0;
        }
    }
}

/* The response; what comes behind it is left for `take`. */
static size_t take_head(Connection *c, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (c->head_size == sizeof c->head - 1) {
            fprintf(stderr, "load: a response without end\n");
            exit(1);
        }
        c->head[c->head_size++] = data[i];
        if (c->head_size >= 4 && !memcmp(c->head + c->head_size - 4, "\r\n\r\n", 4)) {
            if (strncmp(c->head, "HTTP/1.1 101", 12)
                || !strstr(c->head, ACCEPT)) {
                fprintf(stderr, "load: refused: %.60s\n", c->head);
                exit(1);
            }
            c->opened = 1;
            return i + 1;
        }
    }
    return size;
}

static void take_input(Connection *c, size_t size)
{
    const uint8_t *data = input;
    if (!c->opened) {
        size_t used = take_head(c, data, size);
        data += used;
        size -= used;
    }
    if (raw)
        take_raw(c, data, size);
    else
        take(c, data, size);
}

/* Something arrived on `c`.  What TLS has taken from the socket, epoll doesn't see. */
static void read_from(Connection *c)
{
    do {
        ssize_t n = receive(c, input, sizeof input);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0)
            die("the server hung up");
        take_input(c, n);
    } while (c->tls && SSL_pending(c->tls));
}

/* What has happened, at least one thing.  It never sleeps: otherwise a server would
 * pay for waking it, and the slower ones more often than the faster ones. */
static int happened(struct epoll_event *events, int most, const char *otherwise)
{
    double deadline = 0;
    for (;;) {
        int n = epoll_wait(epoll, events, most, 0);
        if (n > 0)
            return n;
        if (n < 0)
            die("epoll_wait");
        if (!deadline)
            deadline = now() + 60;
        else if (now() > deadline)
            die(otherwise);
    }
}

static void pause_here(const char *word, long count, double seconds)
{
    printf("%s %ld %.6f\n", word, count, seconds);
    fflush(stdout);
    if (getchar() == EOF)
        exit(0);
}

/* Read until `wanted` connections are open, of which `opened` are. */
static int await_open(int opened, int wanted)
{
    struct epoll_event events[256];
    while (opened < wanted) {
        int n = happened(events, 256, "no response");
        for (int k = 0; k < n; k++) {
            Connection *c = events[k].data.ptr;
            int before = c->opened;
            read_from(c);
            opened += c->opened - before;
        }
    }
    return opened;
}

static Connection *open_all(int count)
{
    Connection *all = calloc(count, sizeof *all);
    int opened = raw ? count : 0;
    for (int i = 0; i < count; i++) {
        open_connection(&all[i]);
        /* Not more at once than a listening socket keeps. */
        opened = await_open(opened, i - 100);
    }
    await_open(opened, count);
    return all;
}

/* Until `goal` messages came back, as many on each connection. */
static void run(Connection *all, int count, long messages)
{
    struct epoll_event events[256];
    goal = done + messages * count;
    limit += messages;
    for (int i = 0; i < count; i++)
        go_on(&all[i]);
    while (done < goal) {
        int n = happened(events, 256, "nothing comes back");
        for (int k = 0; k < n; k++) {
            Connection *c = events[k].data.ptr;
            if (events[k].events & EPOLLIN)
                read_from(c);
            go_on(c);
        }
    }
}

static void echo(int count, long messages)
{
    Connection *all = open_all(count);
    if (wire_size * depth <= 65536) {
        batch = malloc(wire_size * depth);
        for (long i = 0; i < depth; i++)
            memcpy(batch + i * wire_size, wire, wire_size);
    }
    run(all, count, messages / 10 / count + 1);
    pause_here("warm", 0, 0);
    double start = now();
    long each = messages / count;
    run(all, count, each);
    pause_here("done", each * count, now() - start);
}

static void listen_to(int count, long messages)
{
    Connection *all = open_all(count);
    struct epoll_event events[256];
    double start = 0;
    long warm = messages / 10 + 1;
    limit = 1L << 60;
    for (long m = 0; m < messages + warm; m++) {
        if (m == warm) {
            pause_here("warm", 0, 0);
            start = now();
        }
        if (transmit(&all[0], wire, wire_size) != (ssize_t)wire_size)
            die("send");
        for (long end = done + count; done < end;) {
            int n = happened(events, 256, "nothing comes");
            for (int k = 0; k < n; k++)
                read_from(events[k].data.ptr);
        }
    }
    pause_here("done", messages * count, now() - start);
}

static void handshake(int count, long handshakes)
{
    Connection *all = calloc(count, sizeof *all);
    struct epoll_event events[256];
    double start = now();
    long warm = handshakes / 10 + 1, opened = 0;
    for (int i = 0; i < count; i++)
        open_connection(&all[i]);
    while (opened < warm + handshakes) {
        int n = happened(events, 256, "no response");
        for (int k = 0; k < n; k++) {
            Connection *c = events[k].data.ptr;
            read_from(c);
            if (!c->opened)
                continue;
            close_connection(c);
            if (++opened == warm) {
                pause_here("warm", 0, 0);
                start = now();
            }
            open_connection(c);
        }
    }
    pause_here("done", handshakes, now() - start);
}

static void idle(int count)
{
    struct rlimit files = {count + 100, count + 100};
    setrlimit(RLIMIT_NOFILE, &files);
    pause_here("warm", 0, 0);
    open_all(count);
    pause_here("done", count, 0);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: see the head of load.c\n");
        return 2;
    }
    port = atoi(argv[2]);
    int count = atoi(argv[3]);
    epoll = epoll_create1(0);
    if (!strcmp(argv[1], "echo-tls") && !(tls = SSL_CTX_new(TLS_client_method())))
        die("TLS");
    if (!strncmp(argv[1], "echo", 4) && argc == 9) {
        depth = atol(argv[4]);
        raw = !strcmp(argv[6], "raw");
        make_message(atol(argv[5]), argv[6], atoi(argv[7]));
        echo(count, atol(argv[8]));
    } else if (!strcmp(argv[1], "listen") && argc == 6) {
        make_message(atol(argv[4]), "binary", 1);
        listen_to(count, atol(argv[5]));
    } else if (!strcmp(argv[1], "handshake") && argc == 5) {
        handshake(count, atol(argv[4]));
    } else if (!strcmp(argv[1], "idle") && argc == 4) {
        idle(count);
    } else {
        fprintf(stderr, "usage: see the head of load.c\n");
        return 2;
    }
    return 0;
}

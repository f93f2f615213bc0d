/* One client: its connection, its handshake, its frames, its end. */
#include "swarm.h"
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

static uint8_t input[1 << 16];

/* Have epoll tell of what matters now. */
static void watch(Client *c)
{
    int is_deaf = role->is_deaf && c->state == OPEN;
    int writes = c->state == CONNECTING || c->out_size || (c->state == OPEN && role->room);
    int wanted = (is_deaf ? 0 : EPOLLIN) | (writes ? EPOLLOUT : 0);
    struct epoll_event event = {wanted, {.ptr = c}};
    if (wanted == c->watched)
        return;
    if (epoll_ctl(epoll, c->watched < 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, c->fd, &event))
        die("epoll_ctl");
    c->watched = wanted;
}

void come(Client *c)
{
    memset(&c->fd, 0, offsetof(Client, out) - offsetof(Client, fd));
    c->visits++;
    c->since = now();
    c->fd = connect_to(port, SOCK_NONBLOCK);
    /* What a flood has in store shall not fill the memory of the kernel. */
    int room = 1 << 16;
    if (role->room)
        setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    c->state = CONNECTING;
    c->watched = -1;
    tally.visits++;
    watch(c);
}

void call_at(Client *c, double when)
{
    c->due = when;
    if (when < next_due)
        next_due = when;
}

static void settle(Client *c)
{
    tally.settled += !c->is_settled;
    c->is_settled = 1;
}

/* It is over with this connection. */
static void end(Client *c, End how)
{
    if (close(c->fd))
        die("close");
    tally.ended[how]++;
    tally.dropped += c->state == OPEN && how != LEFT;
    c->state = AWAY;
    c->due = 0;
    settle(c);
    if (role->ended)
        role->ended(c);
    if (role->returns && !finishing)
        come(c);
}

void leave(Client *c, int with_reset)
{
    struct linger linger = {1, 0};
    if (with_reset)
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    end(c, LEFT);
}

/* Sending: the bytes are kept until the kernel takes them. */

void put_raw(Client *c, const void *data, size_t size)
{
    if (c->out_size + size > sizeof c->out)
        die("more waits than a client may have");
    memcpy(c->out + c->out_size, data, size);
    c->out_size += size;
}

void put(Client *c, int first, const uint8_t *data, size_t size)
{
    uint8_t frame[2048];
    if (size > sizeof frame - 14)
        die("too large a frame");
    put_raw(c, frame, put_frame(frame, first, data, size) - frame);
}

/* An error is left to be met by reading. */
void flush(Client *c)
{
    if (c->out_size) {
        ssize_t n = send(c->fd, c->out, c->out_size, MSG_NOSIGNAL);
        if (n > 0) {
            tally.sent += n;
            c->out_size -= n;
            memmove(c->out, c->out + n, c->out_size);
        } else if (n < 0 && errno != EAGAIN) {
            c->out_size = 0;
        }
    }
    watch(c);
}

void say_close(Client *c)
{
    static const uint8_t normal[] = {1000 >> 8, 1000 & 255};
    put(c, FIN | CLOSE, normal, sizeof normal);
    c->state = CLOSING;
    c->due = 0;
    flush(c);
}

/* Receiving */

static void take_close(Client *c)
{
    int code = c->control_size < 2 ? 1005 : c->control[0] << 8 | c->control[1];
    if (code < 5000)
        tally.closed[code]++;
    if (c->state != OPEN) {
        c->was_answered = code == 1000;
        return;
    }
    /* The server's came first. */
    tally.dropped++;
    c->state = CLOSING;
    c->due = 0;
    if (!role->is_mute)
        put(c, FIN | CLOSE, c->control, c->control_size);
}

static void take_control(Client *c)
{
    if (c->in.opcode == CLOSE) {
        take_close(c);
    } else if (c->in.opcode == PING) {
        c->pings++;
        if (!role->is_mute && c->state == OPEN)
            put(c, FIN | PONG, c->control, c->control_size);
    }
    c->control_size = 0;
}

static void take_payload(Client *c, const uint8_t *data, size_t size)
{
    Incoming *in = &c->in;
    in->left -= size;
    int is_last = !in->left && in->fin;
    if (in->opcode >= CLOSE) {
        if (c->control_size + size > sizeof c->control)
            die("a control frame of over 125 bytes");
        memcpy(c->control + c->control_size, data, size);
        c->control_size += size;
        if (!in->left)
            take_control(c);
    } else if (role->data) {
        role->data(c, data, size, is_last);
        c->arrived = is_last ? 0 : c->arrived + size;
    }
}

static void take(Client *c, const uint8_t *data, size_t size)
{
    Incoming *in = &c->in;
    while (size && c->state >= OPEN) {
        size_t n = 0;
        if (in->have >= 0) {
            n = take_header(in, data, size);
            data += n;
            size -= n;
            if (in->have >= 0)
                return;
        }
        n = size < in->left ? size : in->left;
        take_payload(c, data, n);
        data += n;
        size -= n;
        if (!in->left)
            in->have = 0;
    }
}

/* The server's answer to the request; how much of it is its head. */
static size_t take_head(Client *c, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (c->head_size == sizeof c->head - 1)
            die("a response without end");
        c->head[c->head_size++] = data[i];
        if (c->head_size < 4 || memcmp(c->head + c->head_size - 4, "\r\n\r\n", 4))
            continue;
        int status = atoi(c->head + strlen("HTTP/1.1 "));
        if (status == 101 && strstr(c->head, ACCEPT)) {
            c->state = OPEN;
            tally.opened++;
            settle(c);
            if (role->opened)
                role->opened(c);
        } else {
            c->state = REFUSED;
            tally.refused[status > 0 && status < 600 ? status : 0]++;
        }
        return i + 1;
    }
    return size;
}

static End way_out(const Client *c, ssize_t received)
{
    if (received < 0)
        return WAS_RESET;
    return c->was_answered ? IN_ORDER : c->state == REFUSED ? TURNED_AWAY : HUNG_UP;
}

void take_input(Client *c, size_t most)
{
    ssize_t n = recv(c->fd, input, most, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        end(c, way_out(c, n));
        return;
    }
    size_t used = c->state == ASKING ? take_head(c, input, n) : 0;
    take(c, input + used, n - used);
    if (c->state != AWAY && c->state != CONNECTING)
        flush(c);
}

static void take_connection(Client *c)
{
    int error = 0, one = 1;
    socklen_t size = sizeof error;
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size) || error) {
        end(c, WAS_RESET);
        return;
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    c->state = ASKING;
    if (role->connected)
        role->connected(c);
    else
        put_raw(c, REQUEST, sizeof REQUEST - 1);
    if (c->state == ASKING)
        flush(c);
}

void take_events(Client *c, unsigned events)
{
    long visit = c->visits;
    if (c->state == AWAY)
        return;               /* it has left since epoll told */
    if (c->state == CONNECTING) {
        take_connection(c);
        return;
    }
    if (events & EPOLLIN)
        take_input(c, sizeof input);
    else if (events & (EPOLLERR | EPOLLHUP))
        end(c, WAS_RESET);
    if (c->visits != visit || c->state == AWAY || !(events & EPOLLOUT))
        return;
    flush(c);
    if (c->state == OPEN && !c->out_size && role->room)
        role->room(c);
}

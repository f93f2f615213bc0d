/* The roles: what each kind of client does. */
#include "swarm.h"

#define HALF (sizeof REQUEST / 2)

/* Messages of its own, each compared with its echo byte by byte. */

static size_t message_size = 64;
static double interval;

static uint8_t letter(const Client *c, size_t at)
{
    return (c->number * 2654435761u + c->sent * 40503u + at * 97u) >> 8;
}

static void ask(Client *c)
{
    uint8_t message[1024];
    c->sent++;
    for (size_t i = 0; i < message_size; i++)
        message[i] = letter(c, i);
    put(c, FIN | BINARY, message, message_size);
    flush(c);
}

/* Whether the echo of its last message has come in full. */
static int is_echoed(Client *c, const uint8_t *data, size_t size, int last)
{
    for (size_t i = 0; i < size && !c->is_wrong; i++)
        c->is_wrong = data[i] != letter(c, c->arrived + i);
    if (!last)
        return 0;
    int is_asked = c->echoed < c->sent && c->in.opcode == BINARY;
    tally.wrong += c->is_wrong || !is_asked || c->arrived + size != message_size;
    tally.echoes++;
    c->echoed++;
    c->is_wrong = 0;
    return 1;
}

/* Honest clients: a message each interval, counted from when it was to be sent. */

static void honest_prepare(char **arguments)
{
    message_size = atol(arguments[0]);
    interval = atof(arguments[1]);
    if (message_size > 1024)
        die("too large a message");
}

static void honest_opened(Client *c)
{
    if (interval)
        call_at(c, now() + interval * c->number / count);
    else if (message_size)
        ask(c);
}

static void honest_due(Client *c)
{
    c->since = c->due;
    c->due = 0;
    ask(c);
}

static void honest_data(Client *c, const uint8_t *data, size_t size, int last)
{
    if (!is_echoed(c, data, size, last))
        return;
    note_latency(c->since);
    if (interval)
        call_at(c, c->since + interval);
    if (finishing && (!c->due || c->due > finish_time))
        say_close(c);
}

static void honest_finish(Client *c)
{
    if (c->state != OPEN)
        leave(c, 1);
    else if (c->echoed == c->sent && (!c->due || c->due > finish_time))
        say_close(c);
}

/* Coming and going, in all the ways there are, in turn. */

enum { IN_FULL, WITH_FIN, WITH_RESET, HALF_REQUEST, HALF_FRAME = HALF_REQUEST + 2, WAYS = 7 };

static long cycles;

static int way(const Client *c)
{
    return (c->number + c->visits) % WAYS;
}

static void cycle_prepare(char **arguments)
{
    cycles = atol(arguments[0]);
}

static void cycle_connected(Client *c)
{
    int with_reset = way(c) - HALF_REQUEST;
    if (with_reset == 0 || with_reset == 1) {
        put_raw(c, REQUEST, HALF);
        flush(c);
        leave(c, with_reset);
    } else {
        put_raw(c, REQUEST, sizeof REQUEST - 1);
    }
}

static void cycle_opened(Client *c)
{
    int with_reset = way(c) - HALF_FRAME;
    if (with_reset == 0 || with_reset == 1) {
        put_raw(c, "\x82\xc0key.half", 10);
        flush(c);
        leave(c, with_reset);
    } else {
        ask(c);
    }
}

static void cycle_data(Client *c, const uint8_t *data, size_t size, int last)
{
    if (!is_echoed(c, data, size, last))
        return;
    if (way(c) == IN_FULL)
        say_close(c);
    else
        leave(c, way(c) == WITH_RESET);
}

static void cycle_ended(Client *c)
{
    if (tally.visits < cycles)
        come(c);
}

static void cycle_finish(Client *c)
{
    (void)c;                  /* it goes on until all cycles are done */
}

/* Streams: the same bytes again and again. */

static uint8_t *stream, *payload;
static size_t stream_size, payload_size, again_from, step;

static void pour(Client *c)
{
    size_t size = stream_size - c->offset;
    ssize_t n = send(c->fd, stream + c->offset, size < step ? size : step, MSG_NOSIGNAL);
    if (n < 0)
        return;               /* full, or broken: reading finds out */
    tally.sent += n;
    c->offset += n;
    if (c->offset == stream_size) {
        c->offset = again_from;
        c->sent++;
    }
}

static void fill_stream(int frames, int first, int others)
{
    uint8_t *end = stream = malloc(frames * (payload_size + 14));
    for (int i = 0; i < frames; i++)
        end = put_frame(end, i ? others : first, payload, payload_size);
    stream_size = end - stream;
    step = 1 << 16;
}

static void fill_messages(size_t size)
{
    payload_size = size;
    payload = malloc(size);
    for (size_t i = 0; i < size; i++)
        payload[i] = noise();
    fill_stream(1, FIN | BINARY, 0);
}

static void check_stream(Client *c, const uint8_t *data, size_t size, int last)
{
    if (c->arrived + size > payload_size || memcmp(payload + c->arrived, data, size))
        c->is_wrong = 1;
    if (!last)
        return;
    tally.wrong += c->is_wrong || c->arrived + size != payload_size;
    tally.echoes++;
    c->is_wrong = 0;
}

static void pings_prepare(char **arguments)
{
    (void)arguments;
    fill_stream(10000, FIN | PING, FIN | PING);
}

static void fragments_prepare(char **arguments)
{
    (void)arguments;
    fill_stream(10000, BINARY, CONTINUATION);
    again_from = stream_size / 10000;
}

static void large_prepare(char **arguments)
{
    (void)arguments;
    fill_messages(65536);
}

static void bytes_prepare(char **arguments)
{
    (void)arguments;
    fill_messages(16);
    step = 1;
}

/* Slow ones: a thousand bytes each 50 ms are read, or one is written. */

static void slowly(Client *c)
{
    call_at(c, now() + 0.05);
}

static void reader_opened(Client *c)
{
    int size = 4096;
    setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    slowly(c);
}

static void reader_due(Client *c)
{
    slowly(c);
    take_input(c, 1000);
}

static void writer_due(Client *c)
{
    slowly(c);
    pour(c);
}

/* Half a request: odd ones go and come, even ones give a byte a second. */

static void halves_connected(Client *c)
{
    put_raw(c, REQUEST, HALF);
    call_at(c, now() + (c->number % 2 ? 0.02 : 1));
}

static void halves_due(Client *c)
{
    c->due = 0;
    if (c->number % 2) {
        leave(c, 1);
    } else if (c->state == ASKING) {
        put_raw(c, REQUEST + HALF + c->sent++, 1);
        flush(c);
        call_at(c, now() + 1);
    }
}

const Role ROLES[] = {
    {"honest", 2, .prepare = honest_prepare, .opened = honest_opened, .data = honest_data,
     .due = honest_due, .finish = honest_finish},
    {"mute", .is_mute = 1},
    {"cycles", 1, .prepare = cycle_prepare, .connected = cycle_connected,
     .opened = cycle_opened, .data = cycle_data, .ended = cycle_ended,
     .finish = cycle_finish},
    {"slow-readers", .prepare = large_prepare, .opened = reader_opened,
     .data = check_stream, .due = reader_due, .room = pour, .is_mute = 1, .is_deaf = 1},
    {"slow-writers", .prepare = bytes_prepare, .opened = slowly, .data = check_stream,
     .due = writer_due, .is_mute = 1},
    {"pings", .prepare = pings_prepare, .room = pour, .is_mute = 1, .returns = 1},
    {"unread-pings", .prepare = pings_prepare, .room = pour, .is_mute = 1, .is_deaf = 1,
     .returns = 1},
    {"unread-echoes", .prepare = large_prepare, .room = pour, .is_mute = 1, .is_deaf = 1,
     .returns = 1},
    {"fragments", .prepare = fragments_prepare, .room = pour, .is_mute = 1, .returns = 1},
    {"bytes", .prepare = bytes_prepare, .data = check_stream, .room = pour, .is_mute = 1,
     .returns = 1},
    {"halves", .connected = halves_connected, .due = halves_due, .returns = 1},
    {.name = NULL},
};

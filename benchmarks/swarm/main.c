/* Many WebSocket clients of one kind, to see what a server makes of them.
 *
 *   swarm ROLE PORT COUNT WINDOW [ARGUMENT...]
 *
 * So many clients come, not more at a time than the window.  The roles:
 *
 *   honest SIZE SECONDS    a message of SIZE bytes each so many seconds, its echo
 *                          compared byte by byte; 0 seconds: one message; 0 bytes:
 *                          none.  Pings are answered, the end is in order.
 *   mute                   says nothing, answers no pings
 *   cycles TOTAL           come and go, in seven ways, until there were so many
 *   slow-readers, slow-writers
 *   pings, unread-pings, unread-echoes, fragments, bytes, halves
 *                          floods; who is thrown out comes again
 *
 * "ready" is printed when each was open, or has ended, once.  A line that is read is
 * answered with "look" and the figures so far, and begins another phase, for which
 * latencies are counted apart.  At the end of standard input all leave; "end" and
 * the figures are the last line.
 */
#include "swarm.h"
#include <math.h>
#include <sys/epoll.h>
#include <unistd.h>

/* After so many seconds there is something wrong. */
#define LONGEST 900

const Role *role;
Client *clients;
int port, count, epoll, finishing;
double finish_time, next_due = INFINITY;

static int next, window, is_ready;

static void let_in(void)
{
    while (next < count && next - tally.settled < window && !finishing)
        come(&clients[next++]);
    if (!is_ready && tally.settled == count) {
        is_ready = 1;
        report("ready");
    }
}

static void call_due(void)
{
    double time = now();
    if (time < next_due)
        return;
    next_due = INFINITY;
    for (int i = 0; i < count; i++) {
        Client *c = &clients[i];
        if (c->due && c->due <= time)
            role->due(c);
        else if (c->due && c->due < next_due)
            next_due = c->due;
    }
}

static void finish(void)
{
    finishing = 1;
    finish_time = now();
    for (int i = 0; i < next; i++) {
        Client *c = &clients[i];
        if (c->state == AWAY)
            continue;
        if (role->finish)
            role->finish(c);
        else
            leave(c, 1);
    }
}

static void take_command(void)
{
    char line[16];
    ssize_t n = read(STDIN_FILENO, line, sizeof line);
    for (ssize_t i = 0; i < n; i++)
        if (line[i] == '\n') {
            report("look");
            next_phase();
        }
    if (n <= 0) {
        epoll_ctl(epoll, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
        finish();
    }
}

static int is_over(void)
{
    if (!finishing)
        return 0;
    for (int i = 0; i < count; i++)
        if (clients[i].state != AWAY)
            return 0;
    return 1;
}

static void run(void)
{
    struct epoll_event events[256];
    while (!is_over()) {
        let_in();
        double wait = next_due - now();
        int n = epoll_wait(epoll, events, 256, wait > 1 ? 1000 : wait < 0 ? 0 : wait * 1000);
        if (n < 0 && errno != EINTR)
            die("epoll_wait");
        for (int i = 0; i < n; i++)
            if (events[i].data.ptr)
                take_events(events[i].data.ptr, events[i].events);
            else
                take_command();
        call_due();
    }
}

static const Role *find_role(const char *name, int arguments)
{
    for (const Role *r = ROLES; r->name; r++)
        if (!strcmp(r->name, name) && r->arguments == arguments)
            return r;
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc < 5 || !(role = find_role(argv[1], argc - 5))) {
        fprintf(stderr, "usage: see the head of main.c\n");
        return 2;
    }
    port = atoi(argv[2]);
    count = atoi(argv[3]);
    window = atoi(argv[4]);
    clients = calloc(count, sizeof *clients);
    for (int i = 0; i < count; i++)
        clients[i].number = i;
    if (role->prepare)
        role->prepare(argv + 5);
    struct epoll_event command = {EPOLLIN, {.ptr = NULL}};
    epoll = epoll_create1(0);
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &command))
        die("epoll_ctl");
    alarm(LONGEST);
    run();
    report("end");
    return 0;
}

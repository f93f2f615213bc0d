/* Many WebSocket clients, well-behaved ones or attackers: see main.c. */
#define _GNU_SOURCE
#include "../client.h"
#include <stddef.h>

typedef enum { AWAY, CONNECTING, ASKING, REFUSED, OPEN, CLOSING } State;

/* How a connection ended. */
typedef enum {
    IN_ORDER,                 /* our Close, the same back, then the server's FIN */
    TURNED_AWAY,              /* an answer other than 101 */
    HUNG_UP,                  /* FIN without either of these */
    WAS_RESET,
    LEFT,                     /* by us, as the role has it */
    ENDS
} End;

typedef struct {
    int number;
    int is_settled;           /* it was open, or has ended, once */
    long visits;              /* how often it has connected */
    long pings;               /* that came */
    /* The rest is of this connection alone. */
    int fd;
    State state;
    int watched;              /* the events that epoll tells of */
    double due;               /* when its role wants to be called; 0: not at all */
    double since;             /* from when on the latency of the echo counts */
    long sent, echoed;        /* messages */
    Incoming in;
    size_t arrived;           /* bytes of the message that is arriving */
    int is_wrong;             /* one of these is not what was sent */
    int was_answered;         /* our Close, in kind */
    uint8_t control[125];     /* payload of the control frame that is arriving */
    int control_size;
    char head[512];           /* of the response */
    size_t head_size;
    size_t offset;            /* in the role's stream, where it sends one */
    size_t out_size;
    uint8_t out[4096];        /* what waits to be sent */
} Client;

/* What a kind of client does; every entry but the name may be left out. */
typedef struct {
    const char *name;
    int arguments;                         /* how many it takes */
    void (*prepare)(char **arguments);     /* before the first connects */
    void (*connected)(Client *);           /* otherwise: sends the request */
    void (*opened)(Client *);
    void (*data)(Client *, const uint8_t *data, size_t size, int last);
    void (*due)(Client *);
    void (*room)(Client *);                /* the kernel takes more */
    void (*ended)(Client *);
    void (*finish)(Client *);              /* otherwise: leaves with a reset */
    int is_mute;              /* answers no control frame */
    int is_deaf;              /* once open, reads only when it is due */
    int returns;              /* connects again when it has ended */
} Role;

extern const Role ROLES[];
extern const Role *role;
extern Client *clients;
extern int port, count, epoll, finishing;
extern double finish_time, next_due;

/* client.c */
void come(Client *);
void take_events(Client *, unsigned events);
void take_input(Client *, size_t most);
void call_at(Client *, double when);
void put(Client *, int first, const uint8_t *data, size_t size);
void put_raw(Client *, const void *data, size_t size);
void flush(Client *);
void say_close(Client *);
void leave(Client *, int with_reset);

/* tally.c */
typedef struct {
    long visits, settled, opened, echoes, wrong, dropped, sent;
    long ended[ENDS];
    long closed[5000];        /* by the code of the server's Close */
    long refused[600];        /* by status */
} Tally;

extern Tally tally;
void note_latency(double since);
void next_phase(void);
void report(const char *word);

/* What the clients saw, and its report. */
#include "swarm.h"

#define PHASES 8

Tally tally;

static double starts[PHASES];
static int phase;
static struct { float *seconds; size_t count, room; } latencies[PHASES];

/* An echo has come; it counts for the phase in which it should have been sent. */
void note_latency(double since)
{
    int of = phase;
    while (of && since < starts[of])
        of--;
    if (latencies[of].count == latencies[of].room) {
        latencies[of].room = latencies[of].room * 2 + 1024;
        size_t size = latencies[of].room * sizeof(float);
        if (!(latencies[of].seconds = realloc(latencies[of].seconds, size)))
            die("realloc");
    }
    latencies[of].seconds[latencies[of].count++] = now() - since;
}

void next_phase(void)
{
    if (++phase == PHASES)
        die("too many phases");
    starts[phase] = now();
}

static int compare(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void report_latencies(void)
{
    printf("\"latencies\": [");
    for (int i = 0; i <= phase; i++) {
        size_t n = latencies[i].count;
        float *all = latencies[i].seconds;
        printf("%s{\"count\": %zu", i ? ", " : "", n);
        if (n) {
            qsort(all, n, sizeof *all, compare);
            printf(", \"p50\": %f, \"p99\": %f, \"most\": %f",
                   all[n / 2], all[n * 99 / 100], all[n - 1]);
        }
        printf("}");
    }
    printf("]");
}

/* Those of the numbers that are not zero, by their index. */
static void report_numbers(const char *name, const long *numbers, int size)
{
    const char *comma = "";
    printf("\"%s\": {", name);
    for (int i = 0; i < size; i++)
        if (numbers[i]) {
            printf("%s\"%d\": %ld", comma, i, numbers[i]);
            comma = ", ";
        }
    printf("}, ");
}

static void report_clients(void)
{
    long open = 0, pings = 0, fewest = -1;
    for (int i = 0; i < count; i++) {
        open += clients[i].state == OPEN;
        pings += clients[i].pings;
        if (fewest < 0 || clients[i].pings < fewest)
            fewest = clients[i].pings;
    }
    printf("\"open\": %ld, \"pings\": %ld, \"fewest_pings\": %ld, ", open, pings, fewest);
}

/* One line: a word, and the figures as JSON. */
void report(const char *word)
{
    printf("%s {", word);
    report_clients();
    printf("\"visits\": %ld, \"opened\": %ld, \"echoes\": %ld, \"wrong\": %ld, "
           "\"dropped\": %ld, \"sent\": %ld, ",
           tally.visits, tally.opened, tally.echoes, tally.wrong, tally.dropped, tally.sent);
    printf("\"in_order\": %ld, \"hung_up\": %ld, \"was_reset\": %ld, \"left\": %ld, ",
           tally.ended[IN_ORDER], tally.ended[HUNG_UP], tally.ended[WAS_RESET],
           tally.ended[LEFT]);
    report_numbers("closed", tally.closed, 5000);
    report_numbers("refused", tally.refused, 600);
    report_latencies();
    printf("}\n");
    fflush(stdout);
}

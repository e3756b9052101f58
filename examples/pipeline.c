/*
 * A pipeline with back-pressure: numbers go through stages of several tasks each, over channels
 * that hold few of them.
 *
 *     pipeline [NUMBERS]
 *
 * The last stage is the slowest. The channels fill up, and whoever feeds them waits: there are
 * never more numbers under way than the channels and the tasks have room for. The program counts
 * them to show it. A stage is a group; when all its tasks have found their input closed and drained
 * it closes its output. So the end travels down the pipeline by itself, and so does a failure.
 */
#include <brigade.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROOM = 4, SQUARERS = 3, ADDERS = 2, USUAL = 200 };

/* How many numbers are under way, and the most there have been. */
static struct {
    bg_mutex lock;
    int now, most;
} under_way = {.lock = BG_MUTEX_INIT};

static long long total; /* under the same lock */

static int count(int by, long n)
{
    int rc = bg_mutex_lock(&under_way.lock);
    if (rc == 0) {
        under_way.now += by;
        under_way.most = under_way.now > under_way.most ? under_way.now : under_way.most;
        total += n;
        (void)bg_mutex_unlock(&under_way.lock);
    }
    return rc;
}

struct stage {
    bg_fn work; /* what each of its tasks does, with this stage */
    int tasks;
    bg_chan *in, *out;
};

static int run_stage(void *arg)
{
    struct stage *s = arg;
    int rc = 0;
    bg_group (g, .result = &rc) {
        for (int i = 0; i < s->tasks; i++) {
            (void)bg_group_spawn(&g, s->work, s); /* a failure is the group's */
        }
    }
    if (s->out != NULL) {
        (void)bg_close(s->out);
    }
    return rc;
}

static long numbers = USUAL;

static int produce(void *arg)
{
    const struct stage *s = arg;
    int rc = 0;
    for (long n = 1; n <= numbers && rc == 0; n++) {
        rc = count(1, 0);
        rc = rc < 0 ? rc : bg_send(s->out, &n);
    }
    return rc;
}

static int square(void *arg)
{
    const struct stage *s = arg;
    long n;
    int rc;
    while ((rc = bg_recv(s->in, &n)) == 0) {
        n *= n;
        rc = bg_sleep(BG_MS);
        rc = rc < 0 ? rc : bg_send(s->out, &n);
        if (rc < 0) {
            return rc;
        }
    }
    return rc == -EPIPE ? 0 : rc;
}

static int add(void *arg)
{
    const struct stage *s = arg;
    long n;
    int rc;
    while ((rc = bg_recv(s->in, &n)) == 0) {
        rc = bg_sleep(2 * BG_MS);
        rc = rc < 0 ? rc : count(-1, n);
        if (rc < 0) {
            return rc;
        }
    }
    return rc == -EPIPE ? 0 : rc;
}

static int pipeline(void *unused)
{
    (void)unused;
    bg_chan *raw = bg_chan_create(sizeof(long), ROOM);
    bg_chan *squared = bg_chan_create(sizeof(long), ROOM);
    struct stage stages[] = {
        {produce, 1, NULL, raw}, {square, SQUARERS, raw, squared}, {add, ADDERS, squared, NULL}};
    int rc = raw == NULL || squared == NULL ? -ENOMEM : 0;

    if (rc == 0) {
        bg_group (g, .result = &rc) {
            for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++) {
                (void)bg_group_spawn(&g, run_stage, &stages[i]);
            }
        }
    }
    bg_chan_destroy(raw);
    bg_chan_destroy(squared);
    return rc;
}

int main(int argc, char *argv[])
{
    /* What there is room for: the channels, and one number in the hands of each task. */
    const int room = 2 * ROOM + 1 + SQUARERS + ADDERS;
    char *end = "";

    if (argc > 1) {
        numbers = strtol(argv[1], &end, 10);
    }
    if (argc > 2 || *end != '\0' || numbers < 0 || numbers > 1000000) {
        (void)fprintf(stderr, "usage: pipeline [NUMBERS, 0 to 1000000]\n");
        return 2;
    }
    int rc = bg_run(pipeline, NULL);
    if (rc < 0) {
        (void)fprintf(stderr, "pipeline: %s\n", bg_strerror(rc));
        return 1;
    }
    printf("sum of the squares of 1 to %ld: %lld\n", numbers, total);
    printf("at most %d under way, room for %d\n", under_way.most, room);
    return under_way.most > room;
}

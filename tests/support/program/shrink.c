/*
 * Shrinking: every candidate is what is left of the best program so far when something is left out
 * of it or made simpler. It is run in a process of its own, under the best one's schedule and some
 * that follow it, since a smaller program takes other turns under the same seed. If it fails in the
 * same way (a check, a deadlock, a death, a hang) it is the best one from then on.
 *
 * What is tried, again and again until nothing helps any more, coarse things first: ranges of
 * tasks, ranges of operations, by halves down to single ones (A. Zeller, R. Hildebrandt,
 * "Simplifying and isolating failure-inducing input", TSE 2002); a task's operations in the place
 * where it is spawned; the program's settings; every field of every operation and task.
 */
#include "shrink.h"

#include "kinds.h"

#include <stdlib.h>
#include <string.h>

struct shrinker {
    struct bgp_program *best;
    struct bgp_program next;
    struct bgp_report *report;
    enum bgp_failure failure;
    const struct bgp_limits *limits;
    double deadline;
    unsigned tries;
    uint8_t *drop;
    uint32_t drop_room;
};

static int is_over(const struct shrinker *s)
{
    return s->tries >= s->limits->tries || bgp_seconds() >= s->deadline;
}

/* s->next, which is valid, is the best one now if it fails likewise. */
static int attempt(struct shrinker *s)
{
    struct bgp_report report;
    if (is_over(s)) {
        return 0;
    }
    s->tries++;
    if (bgp_try(&s->next, s->limits->times, 1, &report) || report.failure != s->failure) {
        return 0;
    }
    *s->report = report;
    s->next.schedule = report.schedule;
    bgp_copy(s->best, &s->next);
    return 1;
}

static struct bgp_program *begin(struct shrinker *s)
{
    bgp_copy(&s->next, s->best);
    return &s->next;
}

/* ---- leaving things out ---- */

static uint8_t *nothing_dropped(struct shrinker *s)
{
    if (s->drop_room < s->best->nops) {
        free(s->drop);
        s->drop_room = s->best->nops;
        s->drop = malloc(s->drop_room);
        if (s->drop == NULL) {
            abort();
        }
    }
    return memset(s->drop, 0, s->best->nops);
}

/* Without the operations, or those that spawn the tasks, from one number on. */
static int without(struct shrinker *s, int of_tasks, uint32_t from, uint32_t n)
{
    uint8_t *drop = nothing_dropped(s);
    const struct bgp_program *p = s->best;
    for (uint32_t i = 0; i < p->nops; i++) {
        int spawns = (p->op[i].kind->flags & BGP_SPAWNS) != 0;
        drop[i] = of_tasks ? spawns && p->op[i].who >= from && p->op[i].who - from < n
                           : i >= from && i - from < n;
    }
    bgp_tidy(begin(s), drop);
    return s->next.nops < p->nops && attempt(s);
}

static int leave_out(struct shrinker *s, int of_tasks)
{
    int helped = 0;
    uint32_t all = of_tasks ? s->best->ntasks : s->best->nops;
    for (uint32_t n = all / 2 > 0 ? all / 2 : 1; n > 0; n /= 2) {
        /* From the end: what comes last is needed least. */
        for (uint32_t end = of_tasks ? s->best->ntasks : s->best->nops; end > 0;) {
            uint32_t from = end > n ? end - n : 0;
            if (is_over(s)) {
                return helped;
            }
            helped |= without(s, of_tasks, from, end - from);
            uint32_t left = of_tasks ? s->best->ntasks : s->best->nops;
            end = from < left ? from : left;
        }
    }
    return helped;
}

static int in_line(struct shrinker *s, unsigned c)
{
    bgp_put_in_line(begin(s), c);
    return s->next.ntasks < s->best->ntasks && attempt(s);
}

static int put_in_line(struct shrinker *s)
{
    int helped = 0;
    for (unsigned c = s->best->ntasks; c-- > 1 && !is_over(s);) {
        if (c < s->best->ntasks) {
            helped |= in_line(s, c);
        }
    }
    return helped;
}

/* ---- making things simpler ---- */

static int simpler_settings(struct shrinker *s)
{
    int helped = 0;
    for (unsigned w = 1; w < s->best->workers; w++) {
        begin(s)->workers = w;
        if (attempt(s)) {
            helped = 1;
            break;
        }
    }
    if (s->best->leave) {
        begin(s)->leave = 0;
        bgp_tidy(&s->next, NULL);
        helped |= attempt(s);
    }
    if (s->best->spares != 0) {
        begin(s)->spares = 0;
        helped |= attempt(s);
    }
    return helped;
}

static int simpler_time(struct shrinker *s, uint32_t i)
{
    static const bg_duration times[] = {0, BG_US, 100 * BG_US, BG_MS, BG_S};
    for (unsigned k = 0; k < sizeof times / sizeof times[0]; k++) {
        if (s->best->op[i].d <= times[k]) {
            return 0;
        }
        begin(s)->op[i].d = times[k];
        bgp_tidy(&s->next, NULL);
        if (s->next.nops == s->best->nops && attempt(s)) {
            return 1;
        }
    }
    return 0;
}

/* One that waits, perhaps within a timeout, may only be there to take its time. */
static int simpler_wait(struct shrinker *s, uint32_t i)
{
    begin(s)->op[i] = (struct bgp_op){.kind = &bgp_kind_nap, .d = 100 * BG_US};
    bgp_tidy(&s->next, NULL);
    return s->next.nops == s->best->nops && attempt(s);
}

static int simpler_op(struct shrinker *s, uint32_t i)
{
    int helped = 0;
    unsigned flags = s->best->op[i].kind->flags;
    if ((flags & (BGP_WAITS | BGP_SPAWNS)) == BGP_WAITS && s->best->op[i].kind != &bgp_kind_nap &&
        simpler_wait(s, i)) {
        return 1;
    }
    if ((flags & BGP_TIME) != 0) {
        helped |= simpler_time(s, i);
    }
    if ((flags & BGP_NUMBER) != 0 && s->best->op[i].n != 0) {
        begin(s)->op[i].n = 0;
        bgp_tidy(&s->next, NULL);
        helped |= s->next.nops == s->best->nops && attempt(s);
    }
    for (unsigned bit = 1; (flags & BGP_FLAGS) != 0 && bit <= s->best->op[i].flags; bit *= 2) {
        if ((s->best->op[i].flags & bit) != 0) {
            begin(s)->op[i].flags &= (uint16_t)~bit;
            bgp_tidy(&s->next, NULL);
            helped |= s->next.nops == s->best->nops && attempt(s);
        }
    }
    for (unsigned k = 0; (flags & (BGP_WHOM | BGP_CASES)) != 0 && k < s->best->op[i].n;) {
        struct bgp_op *op = &begin(s)->op[i];
        op->list[k] = op->list[--op->n];
        bgp_tidy(&s->next, NULL);
        if (s->next.nops == s->best->nops && attempt(s)) {
            helped = 1;
        } else {
            k++;
        }
    }
    return helped;
}

static int simpler_task(struct shrinker *s, unsigned t)
{
    int helped = 0;
    for (unsigned flag = BGP_NAMED; flag <= BGP_LEAVES_ALL; flag *= 2) {
        if ((s->best->task[t].flags & flag) != 0) {
            begin(s)->task[t].flags &= (uint16_t)~flag;
            bgp_tidy(&s->next, NULL);
            helped |= s->next.task[t].flags != s->best->task[t].flags &&
                      s->next.nops == s->best->nops && attempt(s);
        }
    }
    if (s->best->task[t].stack != 0) {
        begin(s)->task[t].stack = 0;
        helped |= attempt(s);
    }
    if (s->best->task[t].own != (int)t) {
        begin(s)->task[t].own = (int)t;
        bgp_tidy(&s->next, NULL);
        helped |= s->next.ntasks == s->best->ntasks && attempt(s);
    }
    return helped;
}

static int simpler_parts(struct shrinker *s)
{
    int helped = 0;
    for (uint32_t i = 0; i < s->best->nops && !is_over(s); i++) {
        helped |= simpler_op(s, i);
    }
    for (unsigned t = 0; t < s->best->ntasks && !is_over(s); t++) {
        helped |= simpler_task(s, t);
    }
    return helped;
}

/* One that failed on threads, under many schedules of the deterministic mode. */
static void try_seeded(struct shrinker *s)
{
    struct bgp_limits many = *s->limits;
    const struct bgp_limits *usual = s->limits;
    if (s->best->mode == BGP_SEEDED) {
        return;
    }
    many.times *= 10;
    s->limits = &many;
    bgp_make_seeded(begin(s), s->best->seed);
    s->next.workers = s->next.workers < 4 ? s->next.workers : 4;
    if (!attempt(s)) {
        s->next.workers = 2;
        (void)attempt(s);
    }
    s->limits = usual;
}

unsigned bgp_shrink(struct bgp_program *p, struct bgp_report *report,
                    const struct bgp_limits *limits)
{
    struct shrinker s = {
        .best = p,
        .report = report,
        .failure = report->failure,
        .limits = limits,
        .deadline = bgp_seconds() + limits->seconds * bgp_time_scale(),
    };
    try_seeded(&s);
    do {
        int helped;
        do {
            helped = leave_out(&s, 1);
            helped |= leave_out(&s, 0);
        } while (helped && !is_over(&s));
        if (!(put_in_line(&s) | simpler_settings(&s) | simpler_parts(&s))) {
            break;
        }
    } while (!is_over(&s));
    bgp_free(&s.next);
    free(s.drop);
    return s.tries;
}

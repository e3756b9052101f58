/*
 * Helpers (helpers_types.h): timeouts, deadlines and shields.
 */
#ifndef BGP_HELPERS_SCOPE_H
#define BGP_HELPERS_SCOPE_H

/*@ left: asked */
/* t has left the innermost scope. */
static inline void left(int t)
{
    const struct scope *s = &tasks[t].scope[--tasks[t].depth];
    if (!s->shield && s->group == NULL) {
        int out = bg_timed_out();
        CHECK(t, out == 0 || out == 1);
        CHECK(t, out || !s->known);
        CHECK(t, !out || has_passed(s));
    }
}

/*@ within: left */
/* bg_timeout(within(t, d)) */
static inline bg_duration within(int t, bg_duration d)
{
    tasks[t].scope[tasks[t].depth++] = (struct scope){.since = bg_now(), .d = d};
    return d;
}

/*@ until: left */
/* bg_deadline(until(t, d)) */
static inline bg_time until(int t, bg_duration d)
{
    struct scope *s = &tasks[t].scope[tasks[t].depth++];
    *s = (struct scope){.since = bg_now(), .d = d};
    return s->since + d;
}

/*@ shielded: left */
/* At the beginning of a bg_shield. */
static inline void shielded(int t)
{
    tasks[t].scope[tasks[t].depth++] = (struct scope){.shield = 1};
}

/*@ ask: waited */
/* What a wait would fail with. */
static inline int ask(int t)
{
    int sure = before_wait(t);
    return after_wait(t, sure, bg_cancelled());
}

#endif

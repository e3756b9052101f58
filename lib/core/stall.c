/*
 * Taking note, adding up, and the line. All that is here costs debug builds a few stores for each
 * item, and nothing else unless somebody is stuck.
 */
#include "core/stall.h"

#if BGI_DEBUG

#include "arch/sanitizer.h"
#include "base/clock.h"
#include "core/sched.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Under the thread sanitizer and valgrind threads block for reasons of these tools: nothing is
 * reported unless asked for. */
#if BGI_TSAN || BGI_VALGRIND
enum { DEFAULT_MS = 0 };
#else
enum { DEFAULT_MS = BGI_STALL_DEFAULT_MS };
#endif

enum { NAME_BYTES = BGI_STALL_NAME_WORDS * sizeof(bgi_word) };

/* ---- the worker ---- */

static void note(struct bgi_stall *s, enum bgi_stall_kind kind, const char *name)
{
    bgi_word turn = (bgi_load(&s->turn) & ~(bgi_word)(BGI_STALL_TURN - 1)) | (bgi_word)kind;

    if (name[0] != '\0') {
        union {
            bgi_word words[BGI_STALL_NAME_WORDS];
            char text[NAME_BYTES];
        } copy = {{0}};
        for (size_t i = 0; i < NAME_BYTES - 1 && name[i] != '\0'; i++) {
            copy.text[i] = name[i];
        }
        bgi_store(&s->turn, turn + BGI_STALL_TURN);
        for (size_t i = 0; i < BGI_STALL_NAME_WORDS; i++) {
            bgi_store_release(&s->name[i], copy.words[i]);
        }
        turn |= BGI_STALL_NAMED;
    }
    bgi_store_release(&s->turn, turn + 2 * BGI_STALL_TURN);
}

void bgi_stall_began(bgi_worker *w, const struct bgi_fiber *f)
{
    const struct bgi_sched_config *config = &w->sched->config;
    note(&w->stall, f != NULL ? BGI_STALL_TASK : BGI_STALL_CALLBACK,
         f != NULL && config->name_of != NULL ? config->name_of(f) : "");
}

void bgi_stall_nothing(bgi_worker *w)
{
    note(&w->stall, BGI_STALL_NOTHING, "");
}

/* ---- the threshold ---- */

bg_duration bgi_stall_parse(const char *text)
{
    bg_duration ms = 0;
    if (*text == '\0') {
        return -1;
    }
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9' || ms > 1000000000) {
            return -1;
        }
        ms = ms * 10 + (*text - '0');
    }
    return ms * BG_MS;
}

static void say(const char *line)
{
    ssize_t written = write(STDERR_FILENO, line, strlen(line));
    (void)written; /* no stderr: there is nobody to tell */
}

void bgi_stall_setup(bgi_sched *s)
{
    static bgi_atomic complained;
    const char *text = getenv("BRIGADE_STALL_MS");
    bg_duration after = text == NULL ? DEFAULT_MS * BG_MS : bgi_stall_parse(text);
    if (after < 0) {
        after = DEFAULT_MS * BG_MS;
        if (bgi_cas(&complained, 0, 1)) {
            char line[160];
            (void)snprintf(line, sizeof line,
                           "brigade: BRIGADE_STALL_MS is '%.40s', not a number of milliseconds: "
                           "ignored\n",
                           text);
            say(line);
        }
    }
    s->stall_after = after;
}

/* ---- the monitor ---- */

static bgi_atomic hook, hook_arg; /* stored before a runtime starts */

void bgi_stall_set_hook(bgi_stall_hook fn, void *arg)
{
    bgi_store_ptr(&hook_arg, arg);
    bgi_store_release(&hook, (bgi_word)fn);
}

static void tell(const struct bgi_stall_report *r)
{
    bgi_stall_hook fn = (bgi_stall_hook)bgi_load_acquire(&hook);
    if (fn != NULL) {
        fn(r, bgi_load_ptr(&hook_arg));
        return;
    }
    char line[256], who[96];
    if (r->kind == BGI_STALL_CALLBACK) {
        (void)snprintf(who, sizeof who, "a callback");
    } else if (r->name[0] == '\0') {
        (void)snprintf(who, sizeof who, "an unnamed task");
    } else {
        (void)snprintf(who, sizeof who, "task '%s'", r->name);
    }
    (void)snprintf(
        line, sizeof line, "brigade: stall: %s on worker %u has not %s for %lld ms (%s)\n", who,
        r->worker, r->kind == BGI_STALL_CALLBACK ? "returned" : "suspended",
        (long long)(r->lasts / BG_MS), r->blocked ? "blocked in the kernel" : "computing");
    say(line);
}

/* What the worker is at: 0 when that changes just now. */
static int read_name(const struct bgi_stall *s, enum bgi_stall_kind *kind,
                     bgi_word name[BGI_STALL_NAME_WORDS])
{
    bgi_word turn = bgi_load_acquire(&s->turn);
    *kind = (enum bgi_stall_kind)(turn & BGI_STALL_KIND);
    for (size_t i = 0; i < BGI_STALL_NAME_WORDS; i++) {
        name[i] = (turn & BGI_STALL_NAMED) != 0 ? bgi_load_acquire(&s->name[i]) : 0;
    }
    return (turn & BGI_STALL_TURN) == 0 && bgi_load(&s->turn) == turn;
}

static void report(bgi_worker *w)
{
    struct bgi_stall *s = &w->stall;
    bgi_word name[BGI_STALL_NAME_WORDS];
    struct bgi_stall_report r = {
        .name = (const char *)name,
        .worker = w->index,
        .lasts = s->computed + s->blocked,
        .blocked = s->blocked > s->computed,
    };
    if (!read_name(s, &r.kind, name) || bgi_load(&w->tick) != w->seen_tick) {
        return; /* it has gone on */
    }
    s->reported = 1;
    if (r.kind != BGI_STALL_NOTHING) {
        tell(&r);
    }
}

void bgi_stall_look(bgi_worker *w, int is_stuck)
{
    struct bgi_stall *s = &w->stall;
    if (!is_stuck || w->sched->stall_after == 0) {
        s->watched = 0;
        return;
    }
    bg_time cpu = bgi_worker_cpu_time(w), now = bgi_clock_now();
    if (!s->watched) {
        s->watched = 1;
        s->reported = 0;
        s->computed = 0;
        s->blocked = 0;
    } else if (!s->reported) {
        bg_duration since = cpu - s->seen_cpu;
        s->computed += since > 0 ? since : 0;
        if (since < BGI_MONITOR_PERIOD / 4 && bgi_worker_blocked(w)) {
            s->blocked += now - s->seen_at;
        }
        if (s->computed + s->blocked >= w->sched->stall_after) {
            report(w);
        }
    }
    s->seen_cpu = cpu;
    s->seen_at = now;
}

#else

/* A translation unit has to declare something. */
typedef int bgi_stall_compiled_away;

#endif

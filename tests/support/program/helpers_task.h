/*
 * Helpers (helpers_types.h): the life of a task, and those who wait for it.
 */
#ifndef BGP_HELPERS_TASK_H
#define BGP_HELPERS_TASK_H

/*@ asked: types */
/* A group whose members may have been cancelled by now. */
static inline int is_cancelled(const struct group *g)
{
    return load(&g->asked) != 0 || (!g->keep_going && load(&g->failed) != 0);
}

/* A scope that may have ended a wait by now. */
static inline int has_passed(const struct scope *s)
{
    return s->group != NULL ? is_cancelled(s->group) : !s->shield && bg_now() - s->since >= s->d;
}

/*
 * Whether t may have been asked to end: all are when main leaves; it was cancelled; or somebody who
 * waits for it is to end and passes that on, and has written what is read here before that.
 */
static inline int asked(int t)
{
    if (load(&leaving) != 0) {
        return 1;
    }
    while (load_acquire(&tasks[t].asked) == 0) {
        if (load(&tasks[t].let_go) != 0 || tasks[t].parent < 0) {
            return 0;
        }
        if (tasks[t].group != 0 && is_cancelled(&groups[tasks[t].group])) {
            return 1;
        }
        t = tasks[t].parent;
        for (int i = tasks[t].depth; i-- > 0;) {
            if (tasks[t].scope[i].shield) {
                return 0;
            }
            if (has_passed(&tasks[t].scope[i])) {
                return 1;
            }
        }
    }
    return 1;
}

/*@ code_of: types */
/* What a wait within it fails with. */
static inline int code_of(const struct scope *s)
{
    return s->group != NULL ? -ECANCELED : -ETIMEDOUT;
}

/*@ before_wait: code_of */
/* A scope that is sure to end each wait. */
static inline int is_known(const struct scope *s)
{
    return s->known || (s->group != NULL && load_acquire(&s->group->asked) == 2);
}

/* Before a wait of t: what it is sure to fail with; 0 when it need not fail. */
static inline int before_wait(int t)
{
    for (int i = tasks[t].depth; i-- > 0;) {
        if (is_known(&tasks[t].scope[i])) {
            tasks[t].scope[i].known = 1;
            return code_of(&tasks[t].scope[i]);
        }
        if (tasks[t].scope[i].shield) {
            return 0;
        }
    }
    return tasks[t].told || load_acquire(&tasks[t].asked) == 2 ? -ECANCELED : 0;
}

/*@ after_wait: asked, code_of */
/* After it: whether it was right to return r, which is 0 or the code of what ended it. */
static inline int after_wait(int t, int sure, int r)
{
    int i = tasks[t].depth;
    int causes = 0;
    int *known = NULL;
    if (r == 0) {
        CHECK(t, sure == 0); /* what has ended one wait ends all that come after it */
        return 0;
    }
    CHECK(t, r == -ECANCELED || r == -ETIMEDOUT);
    while (i-- > 0 && !tasks[t].scope[i].shield) {
        if (r == code_of(&tasks[t].scope[i]) && has_passed(&tasks[t].scope[i])) {
            known = &tasks[t].scope[i].known;
            causes++;
        }
        if (tasks[t].scope[i].known) {
            break; /* since before that wait: it decides, not what is farther away */
        }
    }
    if (i < 0 && r == -ECANCELED && (tasks[t].may & MAY_BE_CANCELLED) != 0) {
        /* Others are looked at only when it must have been them. */
        known = &tasks[t].told;
        causes += causes > 0 || asked(t);
    }
    CHECK(t, causes > 0);
    if (causes == 1) {
        *known = 1;
    }
    return r;
}

/*@ waited: before_wait, after_wait */

/*@ life: types */
/* What t may return. */
static inline int is_result(int t, int r)
{
    return r == tasks[t].result || (r == -ECANCELED && (tasks[t].may & MAY_RETURN_CANCELLED)) ||
           (r == -ETIMEDOUT && (tasks[t].may & MAY_RETURN_TIMED_OUT));
}

static inline void begin(int t)
{
    CHECK(t, add(&tasks[t].begun, 1) == 0);
    tasks[t].self = bg_self();
    CHECK(t, strcmp(bg_task_name(bg_self()), tasks[t].name) == 0);
}

/* r: what it would return by itself. */
static inline int end(int t, int r)
{
    if (tasks[t].passes_on && tasks[t].failure != 0) {
        r = tasks[t].failure;
    }
    CHECK(t, is_result(t, r));
    if (tasks[t].group != 0 && r < 0 && r != -ECANCELED) {
        store(&groups[tasks[t].group].failed, 1);
    }
    store(&tasks[t].outcome, (word_value)r + 1);
    tasks[t].returned = r;
    tasks[t].ended = 1;
    return r;
}

/*@ begin_copy: life */
struct copy {
    int task, twice[3];
};

/* bg_spawn_with(fn, struct copy, COPY_OF(t)) */
#define COPY_OF(t) .task = (t), .twice = {2 * (t), 2 * (t), 2 * (t)}

static inline void begin_copy(int t, const void *arg)
{
    const struct copy *copy = arg;
    begin(t);
    CHECK(t, copy->task == t && copy->twice[0] == 2 * t && copy->twice[2] == 2 * t);
    CHECK(t, (uintptr_t)copy % _Alignof(struct copy) == 0);
}

/*@ started: types */
/* c has been spawned. */
static inline void started(int c, bg_task *handle)
{
    CHECK(c, handle != NULL);
    tasks[c].handle = handle;
    store(&tasks[c].spawned, 1);
    (void)add(&all_spawned, handle != NULL);
}

/*@ outcome_of: asked, life */
/* What c has returned, which has ended; -ECANCELED when it was cancelled before it began. */
static inline int outcome_of(int c)
{
    int ran = load(&tasks[c].begun) != 0;
    if (ran) {
        CHECK(c, tasks[c].ended);
    }
    int own = ran ? tasks[c].returned : -ECANCELED;
    CHECK(c, is_result(c, own));
    CHECK(c, ran || asked(c));
    return own;
}

/*@ joined: code_of, outcome_of */
/* Somebody has waited for c, t (or, -1, a thread), has got r and given the handle back. */
static inline int joined(int t, int c, int r)
{
    tasks[c].handle = NULL;
    int own = outcome_of(c);
    if (r != own) { /* it heeded what its waiter was told */
        CHECK(c, t >= 0 && own == -ECANCELED && r == -ETIMEDOUT && asked(c));
        int passed = 0;
        for (int i = t < 0 ? 0 : tasks[t].depth; i-- > 0 && !tasks[t].scope[i].shield;) {
            passed |= r == code_of(&tasks[t].scope[i]) && has_passed(&tasks[t].scope[i]);
        }
        CHECK(c, passed);
    }
    if (t >= 0 && r < 0 && tasks[t].failure == 0) {
        tasks[t].failure = r;
    }
    return r;
}

/*@ join: joined */
static inline void join(int t, int c)
{
    (void)joined(t, c, bg_await(tasks[c].handle));
}

/*@ join_rest: joined */
/* At its end t awaits those it holds still, the youngest first. */
static inline void join_rest(int t)
{
    int failure = tasks[t].failure;
    tasks[t].depth = 0;
    for (int c = tasks[t].end; c-- > tasks[t].kids;) {
        if (tasks[c].handle != NULL) {
            (void)joined(t, c, bg_await(tasks[c].handle));
        }
    }
    tasks[t].failure = failure;
}

/*@ gather: joined */
static inline void gather(int t, int n, const int *who)
{
    bg_task *handle[8] = {NULL};
    int result[8];
    int first = 0;
    for (int i = 0; i < n; i++) {
        handle[i] = tasks[who[i]].handle;
    }
    int failure = tasks[t].failure;
    int r = bg_gather_all(handle, (size_t)n, result);
    for (int i = n; i-- > 0;) {
        (void)joined(t, who[i], result[i]);
        first = result[i] < 0 ? result[i] : first;
    }
    CHECK(t, r == first);
    tasks[t].failure = failure != 0 ? failure : r;
}

/*@ wait_any: waited, life */
/* Waits for the first of them and returns its place in who, or why it did not wait any longer. */
static inline int wait_any(int t, int n, const int *who)
{
    bg_task *handle[8] = {NULL};
    size_t index = 8;
    for (int i = 0; i < n; i++) {
        handle[i] = tasks[who[i]].handle;
    }
    int sure = before_wait(t);
    int r = bg_wait_any(handle, (size_t)n, &index);
    if (r != 0) {
        return after_wait(t, sure, r);
    }
    CHECK(t, index < (size_t)n);
    int c = who[index];
    if (load(&tasks[c].begun) != 0) {
        CHECK(c, tasks[c].ended);
    }
    return (int)index;
}

/*@ cancel: types */
static inline void cancel(int c, bg_task *handle)
{
    if (load(&tasks[c].asked) == 0) {
        store(&tasks[c].asked, 1);
    }
    CHECK(c, bg_cancel(handle) == 0);
    store_release(&tasks[c].asked, 2);
}

/*@ join_by_turns: wait_any, joined, cancel */
/* Awaits them as they end. When it is to end itself, it cancels one after another. */
static inline void join_by_turns(int t, int n, const int *who)
{
    int left[8];
    int failure = tasks[t].failure;
    memcpy(left, who, (size_t)n * sizeof left[0]);
    for (; n > 0; n--) {
        int i = wait_any(t, n, left);
        if (i < 0) {
            i = left[0] % n;
            cancel(left[i], tasks[left[i]].handle);
        }
        (void)joined(t, left[i], bg_await(tasks[left[i]].handle));
        left[i] = left[n - 1];
    }
    tasks[t].failure = failure;
}

/*@ some_completed: joined */
/* Awaits `most` of them as they end, and the others then. */
static inline void some_completed(int t, int n, const int *who, int most)
{
    bg_task *handle[8] = {NULL};
    int failure = tasks[t].failure;
    int taken = 0;
    for (int i = 0; i < n; i++) {
        handle[i] = tasks[who[i]].handle;
    }
    bg_as_completed (done, handle, (size_t)n) {
        int i = 0;
        while (i < n && tasks[who[i]].handle != done) {
            i++;
        }
        CHECK(t, done != NULL && i < n);
        if (i < n) {
            (void)joined(t, who[i], bg_await(done));
        }
        if (++taken == most) {
            break;
        }
    }
    CHECK(t, taken == (most < n ? most : n));
    for (int i = 0; i < n; i++) {
        if (tasks[who[i]].handle != NULL) {
            (void)joined(t, who[i], bg_await(tasks[who[i]].handle));
        }
    }
    tasks[t].failure = failure;
}

/*@ as_completed: some_completed */
static inline void as_completed(int t, int n, const int *who)
{
    some_completed(t, n, who, n);
}

/*@ two_completed: some_completed */
static inline void two_completed(int t, int n, const int *who)
{
    some_completed(t, n, who, 2);
}

/*@ let_go: types */
/* Gives the handle up; or not even that. */
static inline void let_go(int c, int detach)
{
    bg_task *handle = tasks[c].handle;
    tasks[c].handle = NULL;
    store(&tasks[c].let_go, 1);
    if (detach) {
        bg_detach(handle);
    }
}

/*@ reports: types */
/* The hook of failures nobody awaits: tasks that may have some are named, callbacks are not. */
static inline void reported(const char *name, int result, void *arg)
{
    (void)arg;
    if (name[0] == 't') {
        int t = atoi(name + 1);
        CHECK(t, t > 0 && t < TASKS && tasks[t].returned == result);
        (void)add(&tasks[t].reports, 1);
        return;
    }
    CHECK(-1, name[0] == '\0' && result < 0 && result > -100);
    (void)add(&failed_calls, 1);
}

/*@ finish: asked, life */
/* When all have ended. */
static inline void finish(void)
{
    word_value failed = 0;
    for (int t = 0; t < TASKS; t++) {
        word_value begun = load(&tasks[t].begun);
        if (load(&tasks[t].spawned) == 0) {
            CHECK(t, begun == 0);
            continue;
        }
        CHECK(t, begun <= 1 && tasks[t].ended == (int)begun);
        if (begun == 1) {
            CHECK(t, is_result(t, tasks[t].returned));
        } else { /* who has waited for it has seen that it was asked to end */
            CHECK(t, (tasks[t].may & MAY_BE_CANCELLED) != 0);
            CHECK(t, load(&tasks[t].let_go) == 0 || asked(t));
        }
        CHECK(t, tasks[t].handle == NULL);
        int owed = load(&tasks[t].let_go) != 0 && begun == 1 && tasks[t].returned < 0 &&
                   tasks[t].returned != -ECANCELED;
        CHECK(t, tasks[t].group != 0 || load(&tasks[t].reports) == (word_value)owed);
    }
    for (int k = 0; k < CALLS; k++) {
        word_value called = load(&calls[k].called);
        CHECK(-1, called == (word_value)calls[k].due || (called == 0 && calls[k].may_drop));
        failed += called == 1 && calls[k].result < 0;
    }
    CHECK(-1, load(&failed_calls) == failed);
}

#endif

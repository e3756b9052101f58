/*
 * The helpers: what the operations of a random program are run by.
 *
 * The interpreter compiles them, and printed programs hold those that they use, word for word; so
 * the two do and check the same. A section begins with a line that names it and those it needs.
 *
 * They use the public interface, and what both surroundings provide:
 * - word: several may use it at a time, by load, store, add (all three relaxed), load_acquire,
 *   store_release, add_full; its value is a word_value
 * - CHECK(task, condition), where task -1 is none
 * - tasks[TASKS], calls[CALLS + 1], groups[GROUPS + 1], timers[], and
 *   what helpers_shared.h names
 * - LEAVES: whether main ends before the others do; leaving: that it is about to
 * - the words all_spawned, tasks so far; forks_made, forks so far, or more; pending_calls and
 * failed_calls, callbacks that are to come, and that have returned a failure
 * - runtime, where it is not bg_run's
 */
#ifndef BGP_HELPERS_TYPES_H
#define BGP_HELPERS_TYPES_H

/*@ types */
/* What may come of a task besides its result. */
enum { MAY_BE_CANCELLED = 1, MAY_RETURN_CANCELLED = 2, MAY_RETURN_TIMED_OUT = 4 };

/* A group, while it is open and after. */
struct group {
    int keep_going; /* a failure does not cancel the rest */
    bg_group_t *group;
    word asked, failed; /* as of a task; a member has failed, or is about to */
    int taken;          /* results that its owner has taken */
    int result;         /* what closing it gave */
};

/* A scope that is open in a task: a timeout, a shield or a group. */
struct scope {
    int shield, known; /* known: it has been seen to have ended a wait */
    struct group *group;
    bg_time since; /* it was opened, or a moment later */
    bg_duration d;
};

/* A task: what the oracle says of it, and what has been seen. */
struct task {
    int parent;    /* who waits for it; -1: nobody does */
    int kids, end; /* it spawns kids to end - 1 */
    int result;    /* what it returns */
    int may;       /* what else may come of it */
    int passes_on; /* it returns the first failure of those it awaited */
    int group;     /* that it is a member of, counted from 1; 0: none */
    int sign;      /* that it gives at its end, likewise */
    const char *name;
    /* Seen from anywhere. Its result and 1, once it is about to end. */
    word outcome;
    /* Asked to end: 0, 1 (somebody is about to), 2 (it has been asked). */
    word spawned, begun, asked, let_go, reports;
    /* Its own; who is told of its end may read what it has left. */
    bg_task *self;
    int ended, returned;
    int told;    /* a wait has failed because it is to end */
    int failure; /* the first of those it awaited */
    int depth;   /* of scopes */
    struct scope scope[4];
    /* Its parent's. */
    bg_task *handle;
};

/* A callback: calls[], each called once at most. */
struct call {
    bg_time since;
    bg_duration d;
    int due;      /* it has been promised, and not been taken back */
    int may_drop; /* the runtime's end may come first */
    int result;   /* what it returns */
    int who;      /* the task it is about */
    word called;
};

/* The timers of tasks. */
struct timer {
    bg_timer timer;
    int made;
    int call; /* what it was last started with, and has not been taken back from; -1: nothing */
};

#endif

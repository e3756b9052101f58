/*
 * Random programs of tasks, as data.
 *
 * A program is a tree of tasks, each with a list of operations: spawn, await, cancel, sleep and so
 * on. It is made from a seed (generate.c), or from another program by leaving things out (tidy.c);
 * either way it is put together by a builder (build.c), which accepts an operation only where it is
 * valid: no handle is used that is not owned, and nothing waits for what can never come. So every
 * program has to end, and what each task returns is known beforehand (oracle.c).
 *
 * It is run by an interpreter (run.c) on threads, on a runtime of its own with other threads beside
 * it, or in the deterministic mode. One that fails is made smaller for as long as it goes on
 * failing (shrink.c), every attempt in a process of its own (trial.c), and printed as a C program
 * that uses nothing but the public interface (print.c). batch.c does all that for many seeds.
 *
 * An operation is one entry of a table, struct bgp_kind: how it is generated, when it is valid and
 * what that means for the oracle, how it is run and how it is printed. It is run by a call of a
 * function of a helpers_*.h, which checks what it sees; these functions are what is printed, too.
 * To add an operation, write its helper, its kind, and add it to the list in kinds.c.
 */
#ifndef BGP_PROGRAM_H
#define BGP_PROGRAM_H

#include <brigade.h>
#include <stdint.h>
#include <stdio.h>

struct bgp_kind;

enum {
    BGP_LIST = 6,       /* tasks, or cases, that one operation names, at most */
    BGP_BLOCKS = 3,     /* blocks within each other, at most */
    BGP_NONE = 0xffff,  /* no task */
    BGP_TASKS = 0xfff0, /* of a program, at most */
};

/* One operation. Which of the fields mean something says its kind. */
struct bgp_op {
    const struct bgp_kind *kind;
    bg_duration d;
    uint16_t flags; /* the kind's own */
    uint16_t n;     /* entries of list, or a number */
    uint16_t who;   /* a task */
    uint16_t what;  /* the number of a timer or of what is shared; by the builder, of a group */
    uint16_t list[BGP_LIST];
    uint16_t call; /* by the builder: the record of its callback */
    uint32_t end;  /* by the builder, of one that opens a block: the operation that closes it */
};

enum bgp_task_flags {
    BGP_THREAD = 1,      /* no task, but a plain thread of BGP_FOREIGN */
    BGP_NAMED = 2,       /* it is spawned with a name */
    BGP_COPIED = 4,      /* by bg_spawn_with */
    BGP_BY_RUNTIME = 8,  /* by bg_runtime_spawn, where there is a runtime to name */
    BGP_PASSES_ON = 16,  /* it returns the first failure of those it awaited, if there is one */
    BGP_LEAVES = 32,     /* when a wait of it fails it leaves the innermost block, or ends */
    BGP_LEAVES_ALL = 64, /* it ends, whatever block that is in */
};

/* What becomes of a handle. */
enum bgp_fate {
    BGP_JOINED,    /* awaited by the task that spawned it, in one way or another */
    BGP_DETACHED,  /* given up */
    BGP_ABANDONED, /* never given back */
    BGP_LOOSE,     /* spawned by a callback, and given up at once */
    BGP_GROUPED,   /* a group's, and awaited at the end of its block */
};

struct bgp_task {
    int own;        /* what it returns */
    uint16_t flags; /* enum bgp_task_flags */
    uint8_t stack;  /* 0: the usual one; n: 16 KiB << n */
    /* By the builder: */
    uint8_t fate;
    uint8_t ntimers;         /* so many it has */
    uint16_t parent;         /* BGP_NONE for main and threads */
    uint16_t kids, kids_end; /* it spawns the tasks from kids to kids_end - 1, in this order */
    uint32_t first, count;   /* its operations */
    uint32_t timer;          /* its first */
    uint16_t group;          /* of BGP_GROUPED: from 1 */
    uint16_t sign;           /* that it gives at its end: from 1; 0: none */
    uint8_t ways;            /* it gives it in: bits (helpers_shared.h) */
    /* By the oracle: */
    int result; /* what it returns if nothing keeps it from that */
    int may;    /* what else may come of it, MAY_... (helpers_types.h) */
};

enum bgp_mode { BGP_SEEDED, BGP_THREADS, BGP_FOREIGN };

struct bgp_program {
    uint64_t seed;     /* it was made from */
    uint64_t schedule; /* BGP_SEEDED: .seed of bg_run */
    enum bgp_mode mode;
    unsigned workers;
    int spares;
    int leave; /* main ends while others live */
    /* task[0] is main. Tasks are numbered in the order of breadth first. */
    struct bgp_task *task;
    struct bgp_op *op;
    uint32_t ntasks, nops, ncalls, ntimers, ngroups, nsigns;
    uint32_t task_room, op_room;
};

/* ---- build.c ---- */

void bgp_clear(struct bgp_program *p); /* of one that is zeroed or built */
void bgp_copy(struct bgp_program *to, const struct bgp_program *from);
void bgp_free(struct bgp_program *p);

/* How a task is spawned: by bg_spawn, bg_spawn_with or bg_runtime_spawn. */
enum bgp_spawn { BGP_SPAWN, BGP_SPAWN_WITH, BGP_RUNTIME_SPAWN };
enum bgp_spawn bgp_spawn_of(const struct bgp_program *p, unsigned t);

/* ---- generate.c ---- */

struct bgp_size {
    enum bgp_mode mode; /* BGP_THREADS: or BGP_FOREIGN, by chance */
    uint32_t most;      /* tasks, at most */
};

/* Of the deterministic mode; on threads. */
extern const struct bgp_size bgp_small, bgp_large;

void bgp_generate(struct bgp_program *p, uint64_t seed, const struct bgp_size *size);

/* ---- tidy.c ---- */

/* Builds p anew without the operations whose byte in drop is set (NULL: none), and without what is
 * not valid any more. */
void bgp_tidy(struct bgp_program *p, const uint8_t *drop);

/* The operations of task c come in the place of the one that spawns it. */
void bgp_put_in_line(struct bgp_program *p, unsigned c);

/* For the deterministic mode: the threads are tasks that main spawns first. */
void bgp_make_seeded(struct bgp_program *p, uint64_t schedule);

/* ---- print.c ---- */

/* As a C program. 0, or a negative errno. */
int bgp_print(FILE *out, const struct bgp_program *p);

#endif

/*
 * Kinds of operations, and what those that define one may use: the builder, the generator, the
 * printer.
 */
#ifndef BGP_KINDS_H
#define BGP_KINDS_H

#include "program.h"

struct bgp_builder;
struct bgp_generator;
struct bgp_printer;

enum bgp_kind_flags {
    BGP_IN_THREAD = 1,  /* plain threads may do it, too */
    BGP_SPAWNS = 2,     /* `who` is a new task */
    BGP_WHO = 4,        /* `who` is a task */
    BGP_WHOM = 8,       /* `list` are tasks */
    BGP_TIME = 16,      /* `d` may be any */
    BGP_NUMBER = 32,    /* `n` is a number, and may be any */
    BGP_CALLS = 64,     /* has a record for a callback */
    BGP_WAITS = 128,    /* its failure is that of a wait, after which some tasks leave */
    BGP_OPENS = 256,    /* a block */
    BGP_LIMITS = 512,   /* a deadline ends the waits in that block */
    BGP_SHIELDS = 1024, /* what lies around that block does not */
    BGP_ENDS = 4096,    /* what is waited for in that block may be cancelled for other reasons */
    BGP_FLAGS = 8192,   /* each of its flags may be left out */
    BGP_CASES = 16384,  /* `list` are cases of a select */
    BGP_PASSES = 2048,  /* the first failure of those it awaits is one that a task may pass on */
};

struct bgp_kind {
    const char *name;
    unsigned flags;
    unsigned weight; /* how often it is generated, compared with others; 0: never by itself */
    /* Adds one, perhaps with others around it, to the task that is being generated. */
    void (*generate)(struct bgp_generator *g, const struct bgp_kind *kind);
    /* Whether it is valid as the next operation. If so the builder, and thus the oracle, is told
     * what it means; it may be changed to what is valid. NULL: always, and nothing. */
    int (*fits)(struct bgp_builder *b, struct bgp_op *op);
    /* Runs it in task t: 0, or why its wait failed. */
    int (*run)(int t, const struct bgp_op *op);
    /* Prints the same as an expression, or what opens a block. NULL: nothing. */
    void (*print)(struct bgp_printer *p, int t, const struct bgp_op *op);
    /* Of one that opens a block: what begins it, what follows its end; NULL: nothing. */
    void (*print_begin)(struct bgp_printer *p, int t, const struct bgp_op *op);
    void (*print_end)(struct bgp_printer *p, int t, const struct bgp_op *op);
    const char *helper;        /* the section it needs; NULL: none */
    const char *thread_helper; /* in a plain thread; NULL: the same */
};

/* The list: X(name). To add one, name it here. */
/* clang-format off */
#define BGP_KINDS(X)                                                                               \
    X(spawn) X(join) X(gather) X(join_by_turns) X(as_completed) X(two_completed) X(wait_any)       \
    X(cancel) X(detach) X(abandon)                                                                 \
    X(nap) X(nap_until) X(yield) X(compute) X(look)                                                \
    X(after) X(spawn_after) X(start_timer) X(stop_timer) X(join_within)                            \
    X(timeout) X(deadline) X(shield) X(ask)                                                        \
    X(group) X(spawn_in) X(cancel_group) X(next)                                                   \
    X(lock) X(monitor) X(permit) X(read) X(write) X(once)                                          \
    X(ring) X(silence) X(hear) X(count_down) X(wait_latch) X(meet) X(give) X(take) X(wait_sign)            \
    X(put) X(get) X(close_chan) X(token) X(relay)                                            \
    X(choose) X(merge) X(scatter) X(block) X(block_here) X(loop) X(forks)          \
    X(mail) X(fetch) X(listen)                                                                 \
    X(settle) X(expect)
/* clang-format on */

#define BGP_DECLARE(name) extern const struct bgp_kind bgp_kind_##name;
BGP_KINDS(BGP_DECLARE)
#undef BGP_DECLARE
extern const struct bgp_kind bgp_kind_close; /* what ends the innermost block */

/* All of them; NULL at the end. */
extern const struct bgp_kind *const bgp_kinds[];

/* ---- the builder (build.c) ---- */

enum { BGP_NEVER = -1, BGP_AT_THE_END = 0x7fffffff };

/* What the builder knows of a task, seen from the one that spawns it. */
struct bgp_life {
    uint8_t status; /* BGP_NEW, BGP_HELD, BGP_GONE */
    uint8_t depth;
    uint8_t surely_spawned, surely_back; /* there, on each road on which what comes then comes */
    uint8_t cancelled;                   /* somebody may cancel it */
    uint8_t scoped;                      /* it is awaited where a deadline may pass */
    uint8_t shielded;                    /* it is waited for within a shield */
    uint8_t doomed; /* it is sure to be cancelled, though it and all it spawns wait for ever */
    /* Operations of the one that spawns it: where it is spawned, given back, first waited for, and
     * surely cancelled. */
    int spawned_at, back_at, waited_at, cancelled_at;
    int block; /* it is spawned in: an operation of the program */
};

enum { BGP_NEW, BGP_HELD, BGP_GONE };

/* Whether the task that is being built owns c's handle now, on each road that leads here. */
int bgp_holds(const struct bgp_builder *b, unsigned c);

/* c has been spawned by this operation, and its handle is held, or it is BGP_LOOSE. */
void bgp_spawned(struct bgp_builder *b, unsigned c, enum bgp_fate fate);

/* The handle is given back by this operation. */
void bgp_given_back(struct bgp_builder *b, unsigned c, enum bgp_fate fate);

/* c is waited for by this operation. */
void bgp_waited_for(struct bgp_builder *b, unsigned c);

/* c may be cancelled by this operation: 1, and noted, if its handle is owned by somebody for so
 * long as the operation may take; 0 if not. */
int bgp_cancels(struct bgp_builder *b, unsigned c);

/* Removes from the operation's list what is not held and what is named twice; how many are left. */
unsigned bgp_keep_held(struct bgp_builder *b, struct bgp_op *op);

/* Whether a wait without an end is valid here: it will be cancelled, or a deadline ends it. */
int bgp_may_wait_for_ever(const struct bgp_builder *b);

/* The task has a timer of that number. */
void bgp_has_timer(struct bgp_builder *b, unsigned number);

/* c has been spawned by this operation as a member of a group. */
void bgp_joins_group(struct bgp_builder *b, unsigned c, unsigned group);

/* A group is opened by this operation: its number. */
unsigned bgp_new_group(struct bgp_builder *b);

/* The innermost group that is open in this task; that one, or else the one that this task, or one
 * that awaits it, is a member of; 0: none. */
unsigned bgp_own_group(const struct bgp_builder *b);
unsigned bgp_group_around(const struct bgp_builder *b);

/* The group is cancelled by this operation; its owner waits for some member. */
void bgp_group_cancelled(struct bgp_builder *b, unsigned group);
void bgp_group_waited_for(struct bgp_builder *b, unsigned group);

/* c, which this task holds, is to give a sign at its end in this way (helpers_shared.h). */
void bgp_gives_sign(struct bgp_builder *b, unsigned c, unsigned way);

/* How many blocks are open; the operation that opened the innermost one, or NULL. */
unsigned bgp_depth(const struct bgp_builder *b);
const struct bgp_op *bgp_block(const struct bgp_builder *b);

/* What has been built so far, and the task that is being built. */
const struct bgp_program *bgp_built(const struct bgp_builder *b);
unsigned bgp_built_task(const struct bgp_builder *b);

/* ---- the generator (generate.c) ---- */

/* Adds it if it is valid; whether it was. */
int bgp_emit(struct bgp_generator *g, struct bgp_op op);

uint32_t bgp_below(struct bgp_generator *g, uint32_t n);
static inline int bgp_one_in(struct bgp_generator *g, uint32_t n)
{
    return bgp_below(g, n) == 0;
}

bg_duration bgp_any_time(struct bgp_generator *g);

/* So many operations of any kind. */
void bgp_steps(struct bgp_generator *g, unsigned n);

/* Common generators: the kind alone; with some time; of one whose handle is held; of several. */
void bgp_generate_plain(struct bgp_generator *g, const struct bgp_kind *kind);
void bgp_generate_time(struct bgp_generator *g, const struct bgp_kind *kind);
void bgp_generate_who(struct bgp_generator *g, const struct bgp_kind *kind);
void bgp_generate_whom(struct bgp_generator *g, const struct bgp_kind *kind);

/* That operation; where it is not valid, with a timeout around it. */
void bgp_generate_limited(struct bgp_generator *g, struct bgp_op op);

/* A task to be spawned by the next operation; BGP_NONE when there are enough. */
unsigned bgp_new_task(struct bgp_generator *g);

/* One of those whose handles are held, or BGP_NONE. */
unsigned bgp_any_held(struct bgp_generator *g);

/* Some of them, into op->list in any order; how many. */
unsigned bgp_some_held(struct bgp_generator *g, struct bgp_op *op);

/* The builder; the task that is being generated. */
struct bgp_builder *bgp_builder_of(struct bgp_generator *g);
unsigned bgp_current(const struct bgp_generator *g);
enum bgp_mode bgp_mode_of(const struct bgp_generator *g);

/* ---- the printer (print.c) ---- */

void bgp_out(struct bgp_printer *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* "3 * BG_MS"; "(int[]){1, 2}". */
void bgp_out_time(struct bgp_printer *p, bg_duration d);
void bgp_out_list(struct bgp_printer *p, const struct bgp_op *op);

/* The expression that spawns c. */
void bgp_out_spawn(struct bgp_printer *p, unsigned c);

/* Common forms: name(t), name(t, who), name(t, n, list), name(t, d). */
void bgp_print_plain(struct bgp_printer *p, int t, const struct bgp_op *op);
void bgp_print_who(struct bgp_printer *p, int t, const struct bgp_op *op);
void bgp_print_whom(struct bgp_printer *p, int t, const struct bgp_op *op);
void bgp_print_time(struct bgp_printer *p, int t, const struct bgp_op *op);

/* The program being printed. */
const struct bgp_program *bgp_printed(const struct bgp_printer *p);

#endif

/*
 * The builder: puts a program together, operation by operation, task by task in the order of
 * breadth first, and keeps account of handles and of who may end whom.
 *
 *     bgp_build(&b, p);
 *     bgp_add_task(...) of main and of threads
 *     for (t = 0; bgp_enter(&b, t); t++) {
 *         bgp_add_task(...); bgp_add(...); ...
 *         bgp_leave(&b);
 *     }
 *     bgp_build_end(&b);
 *
 * So when a task is built all that concerns it outside of it is known: who spawns it and what
 * becomes of its handle, and the same of everyone above.
 */
#ifndef BGP_BUILD_H
#define BGP_BUILD_H

#include "kinds.h"

struct bgp_builder {
    struct bgp_program *p;
    struct bgp_life *life; /* by task */
    uint32_t life_room;
    unsigned t; /* the task that is being built */
    int at;     /* the number of its next operation */
    unsigned depth;
    uint32_t block[BGP_BLOCKS]; /* the open ones, outermost first: which operations */
    int blocks_before;          /* it has had a block */
    struct bgp_open_group {
        int cancelled_at, waited_at; /* as of a task */
    } *group;                        /* by number */
    uint32_t group_room;
};

/* p has its head filled in (bgp_program: from seed to leave). */
void bgp_build(struct bgp_builder *b, struct bgp_program *p);

/* A task that the next operation spawns; or, before any is entered, main or a thread. BGP_NONE when
 * there are too many. */
unsigned bgp_add_task(struct bgp_builder *b, int own, unsigned flags, unsigned stack);

/* 0 when there is no task t. */
int bgp_enter(struct bgp_builder *b, unsigned t);

/* Whether it was valid. If not, there is no task either that it was to spawn. */
int bgp_add(struct bgp_builder *b, struct bgp_op op);

void bgp_leave(struct bgp_builder *b);
void bgp_build_end(struct bgp_builder *b);

/* ---- oracle.c ---- */

/* Says of each task what it returns and what else may come of it. */
void bgp_foretell(struct bgp_builder *b);

#endif

/*
 * Turns: who comes when it is there, before it is, and just as it comes.
 */
#include "parallel/turn.h"

#include "trap.h"

#include <errno.h>

static bgi_word state_of(const bgi_turn *t)
{
    return bgi_load(&t->word);
}

Test(turn, it_is_there)
{
    bgi_turn t;
    bgi_turn_init(&t, 1);
    cr_assert_eq(bgi_turn_enter(&t), 1);
    cr_assert_eq(state_of(&t), BGI_TURN_NOBODY);
    bgi_turn_pass(&t);
    cr_assert_eq(bgi_turn_enter(&t), 1);
    cr_assert_eq(bg_sem_try_acquire(&t.sem), -EAGAIN);
}

/* Who is early is let in by the semaphore. */
Test(turn, it_is_not_there_yet)
{
    bgi_turn t;
    bgi_turn_init(&t, 0);
    cr_assert_eq(bgi_turn_enter(&t), 0);
    cr_assert_eq(state_of(&t), BGI_TURN_WAITING);
    cr_assert_eq(bg_sem_try_acquire(&t.sem), -EAGAIN);
    bgi_turn_pass(&t);
    cr_assert_eq(state_of(&t), BGI_TURN_NOBODY);
    cr_assert_eq(bg_sem_acquire(&t.sem), 0);
}

static void pass(void *turn)
{
    bgi_turn_pass(turn);
}

/* It is passed on between the look for it and the word that it is waited for. */
Test(turn, it_comes_as_it_is_looked_for)
{
    TRAP_OR_SKIP();
    bgi_turn *t = trap_place(sizeof *t, offsetof(bgi_turn, word));
    bgi_turn_init(t, 0);
    trap_setup();
    trap_set(&t->word, TRAP_WRITE, pass, t);
    cr_assert_eq(bgi_turn_enter(t), 1);
    cr_assert(trap_sprung());
    cr_assert_eq(state_of(t), BGI_TURN_NOBODY);
}

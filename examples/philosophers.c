/*
 * Dining philosophers: a deadlock that the deterministic mode finds, and a version without one.
 *
 *     philosophers [naive | ordered]     without a word: both
 *
 * Each philosopher needs two forks, each shared with a neighbour. Taking the left one first lets
 * all of them hold one and wait for the other, for ever, in a few schedules of many. bg_explore
 * tries schedules, one a seed, until it has one of these; it reports who waits for what since when,
 * and the seed, with which the very same run can be had again. Taking the lower of the two numbers
 * first cannot end so, and none of the schedules does.
 */
#include <brigade.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { PHILOSOPHERS = 5, MEALS = 3, SEEDS = 2000 };

static bg_mutex fork_[PHILOSOPHERS];
static int ordered;

struct seat {
    int number;
};

static int dine(void *arg)
{
    const struct seat *s = arg;
    int left = s->number, right = (s->number + 1) % PHILOSOPHERS;
    int swap = ordered && right < left;
    bg_mutex *first = &fork_[swap ? right : left];
    bg_mutex *second = &fork_[swap ? left : right];

    for (int meal = 0; meal < MEALS; meal++) {
        int rc = bg_mutex_lock(first);
        if (rc < 0) {
            return rc;
        }
        rc = bg_mutex_lock(second);
        if (rc == 0) {
            bg_yield(); /* eats */
            (void)bg_mutex_unlock(second);
        }
        (void)bg_mutex_unlock(first);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

static int table(void *unused)
{
    static const char *const names[PHILOSOPHERS] = {"Hypatia", "Diotima", "Zeno", "Aspasia",
                                                    "Thales"};
    int rc = 0;
    (void)unused;
    for (int i = 0; i < PHILOSOPHERS; i++) {
        bg_mutex_init(&fork_[i]);
    }
    bg_group (g, .result = &rc) {
        for (int i = 0; i < PHILOSOPHERS; i++) {
            struct seat seat = {i};
            (void)bg_group_spawn_copy(
                &g, dine, &seat, sizeof seat,
                &(bg_spawn_options){.size = sizeof(bg_spawn_options), .name = names[i]});
        }
    }
    return rc;
}

static int dinner(int in_order)
{
    ordered = in_order;
    int rc = bg_explore(table, NULL, .seeds = SEEDS);
    if (rc == -EDEADLK) {
        printf("%s: a deadlock\n", in_order ? "ordered" : "naive");
    } else if (rc == 0) {
        printf("%s: no deadlock in %d schedules\n", in_order ? "ordered" : "naive", SEEDS);
    } else {
        (void)fprintf(stderr, "philosophers: %s\n", bg_strerror(rc));
    }
    return rc;
}

int main(int argc, char *argv[])
{
    int naive = argc < 2 || strcmp(argv[1], "naive") == 0;
    int fixed = argc < 2 || strcmp(argv[1], "ordered") == 0;

    if (argc > 2 || (!naive && !fixed)) {
        (void)fprintf(stderr, "usage: philosophers [naive | ordered]\n");
        return 2;
    }
    int rc = 0;
    if (naive && dinner(0) != -EDEADLK) {
        rc = 1;
    }
    if (fixed && dinner(1) != 0) {
        rc = 1;
    }
    return rc;
}

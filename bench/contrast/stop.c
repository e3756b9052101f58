/*
 * The handler only notes the signal; who polls stop_signal does the rest.
 */
#include "stop.h"

#include <stddef.h>

static const int caught[] = {SIGINT, SIGTERM};
#define CAUGHT (sizeof caught / sizeof caught[0])

_Static_assert(sizeof(int) == sizeof(sig_atomic_t), "written by a handler in one piece");

volatile int stop_signal;
static struct sigaction before[CAUGHT];

static void note(int signal)
{
    stop_signal = signal;
}

void stop_install(void)
{
    struct sigaction sa = {.sa_handler = note};
    sigemptyset(&sa.sa_mask);
    for (size_t i = 0; i < CAUGHT; i++) {
        sigaction(caught[i], NULL, &before[i]);
        if (before[i].sa_handler != SIG_IGN)
            sigaction(caught[i], &sa, NULL);
    }
}

void stop_restore(void)
{
    for (size_t i = 0; i < CAUGHT; i++)
        sigaction(caught[i], &before[i], NULL);
}

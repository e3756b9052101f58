/*
 * Ctrl-C (SIGINT) and SIGTERM: noted, looked at between steps, and let in only while the program
 * waits for a mode. A signal that was ignored when the program started stays ignored.
 */
#ifndef CONTRAST_STOP_H
#define CONTRAST_STOP_H

#include <signal.h>

/* 0, or the signal that came. */
extern volatile int stop_signal;

void stop_install(void);
/* In a forked child: the signals as they were when the program started. */
void stop_restore(void);

#endif

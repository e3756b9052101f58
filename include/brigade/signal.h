/*
 * Signals: waited for by tasks.
 *
 *     bg_signals *s;
 *     bg_signals_open(&s, (const int[]){SIGHUP, SIGTERM}, 2);
 *     while ((signal = bg_signals_next(s)) != SIGTERM) { reload(); }
 *     bg_signals_close(s);
 *
 * While signals are watched they do nothing else: a handler of the library's notes them, on
 * whatever thread of the process the system chooses. There must be one that does not block them:
 * that is so for the thread that calls bg_run, unless the program has blocked them there. Workers
 * and the threads for blocking calls have all signals blocked, and need not be thought of. The
 * handler is removed, and what was there before put back, when nobody watches any more. The
 * program must not change it meanwhile. Signals are the process's: tasks of several runtimes may
 * watch the same, and each that watches gets each signal. Of one signal that comes several times
 * before it is taken one is seen, of real-time signals too.
 */
#ifndef BRIGADE_SIGNAL_H
#define BRIGADE_SIGNAL_H

#include <brigade/types.h>

BG_BEGIN_DECLS

/* Somebody who watches signals. */
typedef struct bg_signals bg_signals;

/*
 * Begins to watch n signals: each that comes from now on is noted. From any thread; does not
 * suspend. 0, and *out; -EINVAL: n is not positive, or there is no such signal, or none that can be
 * watched: all but SIGKILL, SIGSTOP, and those by which the processor and the library report
 * faults (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF), and on 32-bit
 * machines those from 32 on; -EAGAIN: 64 watch already; -EMFILE, -ENFILE, -ENOMEM.
 */
BG_API int bg_signals_open(bg_signals **out, const int signals[], int n);

/*
 * Waits for the next signal, and takes it. Several may wait: each signal goes to one of them.
 *
 * In a task, where it suspends, or on a plain thread. The number of the signal; -ECANCELED,
 * -ETIMEDOUT: none was taken; -ENOMEM, -EMFILE: see brigade/io.h.
 */
BG_API int bg_signals_next(bg_signals *signals);

/* Ends it. Nobody may wait meanwhile. From any thread; does not suspend. NULL is ignored. */
BG_API void bg_signals_close(bg_signals *signals);

/*
 * Waits for one of n signals, once; between two calls a signal does what it did before: to miss
 * none use the above. Suspends. The number; failures as bg_signals_open and bg_signals_next.
 */
BG_API int bg_signal_wait(const int signals[], int n);

/*
 * Ctrl-C (SIGINT) cancels the calling task, once, as in asyncio; the next one ends the process as
 * it would have done before, also when the task does not heed; unless it is watched by
 * bg_signals_open too, or this has been called again. For the main task of bg_run, and until the
 * runtime ends or a SIGINT has come: a task of the library's watches it.
 *
 * In a task that lives as long as its runtime. Lets others run, and is not cancelled. 0; -EPERM
 * outside of tasks; -ECANCELED: the runtime ends; else as bg_signals_open.
 */
BG_API int bg_signal_interrupts(void);

BG_END_DECLS

#endif

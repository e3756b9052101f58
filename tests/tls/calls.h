/*
 * What brigade_tls calls, in the tests: its waits can be cut short one by one, and what it receives
 * and sends be made small; and OpenSSL's memory, which can be refused.
 *
 * The tests are linked with a copy of brigade_tls in which the names in calls.map, and those of
 * support/faults.map, have been changed into those of calls.c.
 */
#ifndef TESTS_TLS_CALLS_H
#define TESTS_TLS_CALLS_H

#include <stddef.h>

/* How a wait is cut short. */
enum calls_cut {
    CALLS_CANCEL,    /* the task is cancelled just before it */
    CALLS_MEANWHILE, /* another task cancels it: in this wait, if it is one, or in a later one */
    CALLS_DEADLINE,  /* a deadline around this wait alone has passed */
};

/*
 * The nth (from 1) call of all tasks that may wait, bg_fd_recv, bg_fd_send or bg_mutex_lock, is cut
 * short; with n = 0 none is, and they are counted. Not while one is under way. CALLS_MEANWHILE: in
 * tasks only, and whoever may be cancelled is awaited after calls_disarm.
 */
void calls_arm(size_t n, enum calls_cut how);
void calls_disarm(void);

/* Calls since calls_arm. Stays when disarmed. */
size_t calls_seen(void);

/* From now on at most so many bytes are received and sent at a time; 0: as many as are wanted. */
void calls_pieces(size_t size);

/* Before OpenSSL has allocated anything: its memory is counted, and is refused by
 * BGI_FAULT_OPENSSL (support/faults.h). 0: done. */
int openssl_memory_take(void);

/* Blocks that OpenSSL has now. */
size_t openssl_memory_live(void);

/* Where OpenSSL was refused memory last: "file:line". */
const char *openssl_memory_refused(void);

#endif

/*
 * Names for addresses of this program.
 */
#ifndef TESTS_MODEL_SYMBOLS_H
#define TESTS_MODEL_SYMBOLS_H

/* "queue/deque.c:63 bgi_deque_take" for each call that returns to pcs[i]; "" for NULL. */
void symbols_of(const void *const *pcs, unsigned n, char (*out)[160]);

#endif

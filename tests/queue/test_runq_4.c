/*
 * The run queue's tests with a ring of 4: it is compiled here once more, in place of the library's.
 */
#define BGI_RUNQ_CAPACITY 4
#include "queue/runq.c"
#include "test_runq.c"

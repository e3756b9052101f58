/* What the workloads of the load program have in common; see load.c. */
#ifndef IO_LOAD_H
#define IO_LOAD_H

#include "../micro/measure.h"
#include "server.h"

enum { IO_MESSAGE = 64 };

typedef struct {
    int argc;
    char **argv;
    const char *server; /* its path */
    const char *name;
} io_job;

/* The last key=value counts, so that a peer's own arguments come before those of the row. */
int64_t io_arg(const io_job *job, const char *key, int64_t fallback);

/* Starts the server for a workload; as io_start. */
int io_serve(const io_job *job, io_server *s, const char *workload);

/* As many descriptors as the system allows. */
void io_raise_descriptors(void);

/* Latencies, to within 1/64. */
typedef struct {
    uint32_t bucket[64 * 40];
    uint64_t count;
    int64_t most;
} io_latencies;

void io_latency_add(io_latencies *l, int64_t ns);
int64_t io_latency_at(const io_latencies *l, double part); /* 0.99: the 99th percentile */
void io_print_latencies(const io_latencies *l);

int io_echo(const io_job *job);
int io_idle(const io_job *job);
int io_late(const io_job *job);
int io_http(const io_job *job);

#endif

/*
 * A server under load: a program of its own, started for one measurement, bound to the CPUs it may
 * use. It is told its workload and port=N, a port that was free just now (0 would do for most), and
 * prints "port N" when it listens, the port it really has. It is killed at the end, and dies with
 * the program that started it.
 */
#ifndef IO_SERVER_H
#define IO_SERVER_H

#include <stddef.h>
#include <sys/types.h>
#include <time.h>

typedef struct {
    pid_t pid;
    int port;
    int output;
    clockid_t clock;    /* its CPU time */
    char directory[64]; /* of its own, removed afterwards */
} io_server;

/* The CPUs of this process, taken once: the server has the first, the load the last; with all set,
 * the server has them all. */
void io_find_cpus(void);
void io_take_cpu_of_load(void);
int io_cpus(void);

/* How it is started: on all CPUs; not in the real-time class of this process (what computes there
 * lets nothing else run) but in a session of its own that goes before others. */
enum { IO_ALL_CPUS = 1, IO_COMPUTES = 2 };

/* Returns 0, or 1 after the reason has been printed, or 2: the server has no such workload. words:
 * workload and arguments, NULL-ended. */
int io_start(io_server *s, const char *path, const char *const words[], int how);
void io_stop(io_server *s);

/* CPU time in ns of all its threads; resident bytes. 0 when it has ended. */
double io_server_cpu(const io_server *s);
double io_server_memory(const io_server *s);

/* A connection to it: blocking, TCP_NODELAY. Tries for some seconds where the server may need a
 * while. -1 after the reason has been printed. */
int io_connect(const io_server *s);

#endif

/*
 * What the servers among the examples have in common.
 */
#ifndef EXAMPLES_COMMON_SERVER_H
#define EXAMPLES_COMMON_SERVER_H

#include <brigade.h>
#include <stdbool.h>
#include <stddef.h>

/* A decimal number within the bounds, and nothing beside it. */
bool parse_number(const char *text, long least, long most, long *n);

struct server {
    const char *name;      /* of the program */
    long port;             /* 0: one that is free */
    long workers;          /* 0: as many as there are CPUs */
    long limit;            /* at most so many connections at once */
    bg_handler connection; /* serves one, in a task of its own */
    bg_event stopping;     /* set when the server is to end */
};

/*
 * Listens on 127.0.0.1, prints "listening on 127.0.0.1:PORT", and serves connections until SIGINT
 * or SIGTERM. Then no more are taken; those that are open have DRAIN to come to an end before they
 * are cancelled. From main: it is what a server's main comes to. The status for main to return;
 * when it is not 0, stderr has a line that says why.
 */
#define DRAIN (2 * BG_S)
int run_server(struct server *server);

#endif

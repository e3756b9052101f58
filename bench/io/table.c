/*
 * The tables of the I/O benchmarks, for the runner of the micro benchmarks. Programs are links to
 * the load (load.c), which starts the server of that name.
 *
 * A closed loop with two CPUs is as fast as the slower side: `request` is time, and can be the
 * load's; `cpu` is what the server took for it. Rows with `uring` have brigade on that driver, the
 * others on epoll. In echo_2w one worker, on a CPU of its own, is what two are compared with, which
 * share the other one with the load: that alone costs, as the raw loop's two threads show.
 */
#include "table.h"

#include <string.h>

const char bm_format[] = "brigade-io-1";
const size_t bm_base = 0; /* brigade */

#define ECHO_FIGURES                                                                               \
    {                                                                                              \
        {"request", "us", "a request", 0}, {"per_s", "/s", "requests", 0},                         \
        {"cpu", "us", "CPU time", 0},      {"p50", "ms", "p50", 0},                                \
        {"p99", "ms", "p99", 0},                                                                   \
    }
#define ECHO(name, group, args, title) {name, group, "echo", args, args, title, 0, ECHO_FIGURES}

const bm_row bm_rows[] = {
    ECHO("echo_100", "echo", "conns=100 driver=epoll",
         "64 bytes sent back, 100 connections, one request at a time on each; server on one CPU"),
    ECHO("echo_1000", "echo", "conns=1000 driver=epoll", "the same, 1,000 connections"),
    ECHO("echo_100_uring", "echo_uring", "conns=100 driver=uring",
         "the same, 100 connections, on io_uring"),
    ECHO("echo_1000_uring", "echo_uring", "conns=1000 driver=uring",
         "the same, 1,000 connections, on io_uring"),
    ECHO("echo_2w", "echo_2w", "workers=2 conns=100 driver=epoll",
         "the same, 100 connections, epoll, 2 workers, all CPUs"),
    {"http", "http", "http", "conns=100", "conns=10",
     "HTTP with keep-alive, 100 connections of wrk, a few bytes; server on one CPU", 0,
     ECHO_FIGURES},
    {"idle",
     "idle",
     "idle",
     "driver=epoll",
     "driver=epoll",
     "so many connections that wait: resident memory of the server for each",
     0,
     {{"each_kib", "KiB", "each", 6}, {"all_mb", "MB", "all", 0}}},
    {"idle_uring",
     "idle_uring",
     "idle",
     "driver=uring",
     "driver=uring",
     "the same on io_uring",
     0,
     {{"each_kib", "KiB", "each", 6}, {"all_mb", "MB", "all", 0}}},
    {"late",
     "late",
     "late",
     "workers=2 driver=epoll",
     "workers=2 driver=epoll",
     "a task that is sent a time stamp each millisecond: its age when it reads it, while 2 workers "
     "run 4 tasks that compute, and never yield",
     0,
     {{"p50", "ms", "p50", 0}, {"p99", "ms", "p99", 5}, {"max", "ms", "most", 0}}},
    {"late_uring",
     "late",
     "late",
     "workers=2 driver=uring",
     "workers=2 driver=uring",
     "the same on io_uring",
     0,
     {{"p50", "ms", "p50", 0}, {"p99", "ms", "p99", 5}, {"max", "ms", "most", 0}}},
    {"late_yield",
     "late",
     "late",
     "workers=2 yield_us=100 driver=epoll",
     "workers=2 yield_us=100 driver=epoll",
     "the same on epoll; the 4 tasks yield after 100 us (those of Go do not)",
     0,
     {{"p50", "ms", "p50", 0}, {"p99", "ms", "p99", 5}, {"max", "ms", "most", 0}}},
    {"spawn",
     "spawn",
     "spawn",
     "",
     "",
     "so many processes `true`, two at a time",
     0,
     {{"each", "us", "each", 0}}},
};
const size_t bm_row_count = sizeof bm_rows / sizeof *bm_rows;

const bm_peer bm_peers[] = {
    {"brigade", "brigade", NULL},    {"brigade_1w", "brigade", "workers=1"},
    {"epoll", "epoll", NULL},        {"epoll_1t", "epoll", "workers=1"},
    {"uring", "uring", NULL},        {"tokio", "tokio_io", NULL},
    {"go", "go_io", NULL},           {"uvloop", "uvloop_io", NULL},
    {"asyncio", "asyncio_io", NULL}, {"nginx", "nginx", NULL},
    {"posix", "posix", NULL},
};
const size_t bm_peer_count = sizeof bm_peers / sizeof *bm_peers;

/* Counts: milliseconds; of idle, connections; of spawn, processes. */
static const bm_size io_sizes[] = {
    /* group, peer, count, with --quick, repeats, bytes, margin, with --quick */
    {"echo", "brigade", 1500, 200, 0, 0, 0, 0},
    {"echo", "epoll", 1500, 200, 0, 0, 0, 0},
    {"echo", "tokio", 1500, 200, 0, 0, 0, 0},
    {"echo", "go", 1500, 200, 0, 0, 0, 0},
    {"echo", "uvloop", 1500, 200, 3, 0, 0, 0},
    {"echo", "asyncio", 1500, 200, 3, 0, 0, 0},

    {"echo_uring", "brigade", 1500, 200, 0, 0, 0, 0},
    {"echo_uring", "uring", 1500, 200, 0, 0, 0, 0},

    {"echo_2w", "brigade", 1500, 200, 0, 0, 0, 0},
    {"echo_2w", "brigade_1w", 1500, 200, 0, 0, 0, 0},
    {"echo_2w", "epoll", 1500, 200, 0, 0, 0, 0},
    {"echo_2w", "epoll_1t", 1500, 200, 0, 0, 0, 0},
    {"echo_2w", "go", 1500, 200, 0, 0, 0, 0},

    {"http", "brigade", 2000, 1000, 0, 0, 0, 0},
    {"http", "go", 2000, 1000, 0, 0, 0, 0},
    {"http", "nginx", 2000, 1000, 0, 0, 0, 0},

    {"idle", "brigade", 10000, 200, 3, 0, 0, 0},
    {"idle", "tokio", 10000, 200, 3, 0, 0, 0},
    {"idle", "go", 10000, 200, 3, 0, 0, 0},
    {"idle", "asyncio", 10000, 200, 3, 0, 0, 0},
    {"idle_uring", "brigade", 10000, 200, 3, 0, 0, 0},

    {"late", "brigade", 3000, 300, 0, 0, 0, 0},
    {"late", "go", 3000, 300, 0, 0, 0, 0},

    {"spawn", "brigade", 10000, 100, 3, 0, 0, 0},
    {"spawn", "posix", 10000, 100, 3, 0, 0, 0},
};

const bm_match bm_matches[] = {
    {"echo_100", "request", "epoll", 1.031}, /* 0.97 of its rate */
    {"echo_1000", "request", "epoll", 1.031},
    {"echo_100_uring", "request", "uring", 1.031},
    {"echo_1000_uring", "request", "uring", 1.031},
    {"echo_100", "p99", "tokio", 1},
    {"echo_1000", "p99", "tokio", 1},
    {"echo_2w", "cpu", "brigade_1w", 1},
    {"http", "request", "go", 1},
    {"http", "request", "nginx", 1},
    {"spawn", "each", "posix", 1.1},
};
const size_t bm_match_count = sizeof bm_matches / sizeof *bm_matches;

const bm_size *bm_find_size(const char *group, const char *peer)
{
    for (size_t i = 0; i < sizeof io_sizes / sizeof *io_sizes; i++)
        if (!strcmp(io_sizes[i].group, group) && !strcmp(io_sizes[i].peer, peer))
            return &io_sizes[i];
    return NULL;
}

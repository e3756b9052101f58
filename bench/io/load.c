/*
 * The load of the I/O benchmarks, which is the program that the runner starts: by the name of a
 * peer, a link to this one, it starts ../servers/NAME, puts load on it, and prints what it measured
 * in the lines of measure.h. Server and load have a CPU each, where there are two.
 *
 *   echo  conns=N count=MS [workers=N] [driver=epoll|uring]   requests of 64 bytes, one at a time
 *         on each connection; the first fifth of the time does not count
 *   idle  count=N                        memory of the server for each connection that waits
 *   late  count=MS [workers=N] [yield_us=N]  when the server notices what is sent each millisecond
 *         while four of its tasks compute
 *   http  conns=N count=MS               wrk, for replies of a few bytes with keep-alive
 *   spawn count=N                        processes, two at a time; by the peer's program alone
 */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

int64_t io_arg(const io_job *job, const char *key, int64_t fallback)
{
    size_t len = strlen(key);
    for (int i = job->argc - 1; i >= 2; i--)
        if (!strncmp(job->argv[i], key, len) && job->argv[i][len] == '=')
            return strtoll(job->argv[i] + len + 1, NULL, 10);
    return fallback;
}

int io_serve(const io_job *job, io_server *s, const char *workload)
{
    char workers[32], yield[32];
    int64_t n = io_arg(job, "workers", 1);
    snprintf(workers, sizeof workers, "workers=%" PRId64, n);
    snprintf(yield, sizeof yield, "yield_us=%" PRId64, io_arg(job, "yield_us", 0));
    const char *words[] = {workload, workers, yield, NULL};
    for (int i = 2; i < job->argc; i++)
        if (!strncmp(job->argv[i], "driver=", 7))
            setenv("BRIGADE_IO", job->argv[i] + 7, 1);
    int computes = strcmp(workload, "late") ? 0 : IO_COMPUTES;
    return io_start(s, job->server, words, (n > 1 ? IO_ALL_CPUS : 0) | computes);
}

void io_raise_descriptors(void)
{
    struct rlimit limit;
    if (!getrlimit(RLIMIT_NOFILE, &limit)) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Below 64 ns a bucket each; above, 32 for each power of two. */
static size_t bucket_of(int64_t ns)
{
    uint64_t v = ns > 0 ? (uint64_t)ns : 0;
    if (v < 64)
        return (size_t)v;
    int top = 63 - __builtin_clzll(v);
    size_t b = 64 + (size_t)(top - 6) * 32 + (size_t)(v >> (top - 5) & 31);
    return b < 64 * 40 ? b : 64 * 40 - 1;
}

void io_latency_add(io_latencies *l, int64_t ns)
{
    l->bucket[bucket_of(ns)]++;
    l->count++;
    if (ns > l->most)
        l->most = ns;
}

int64_t io_latency_at(const io_latencies *l, double part)
{
    uint64_t seen = 0, want = (uint64_t)((double)l->count * part);
    for (size_t b = 0; b < 64 * 40; b++) {
        seen += l->bucket[b];
        if (seen > want) {
            if (b < 64)
                return (int64_t)b;
            int top = (int)(b - 64) / 32 + 6;
            int64_t low = ((int64_t)1 << top) | (int64_t)((b - 64) % 32) << (top - 5);
            int64_t mid = low + ((int64_t)1 << (top - 6));
            return mid < l->most ? mid : l->most;
        }
    }
    return l->most;
}

void io_print_latencies(const io_latencies *l)
{
    bm_metric("p50", (double)io_latency_at(l, 0.5) / 1e6, "ms");
    bm_metric("p99", (double)io_latency_at(l, 0.99) / 1e6, "ms");
    bm_metric("max", (double)l->most / 1e6, "ms");
}

int main(int argc, char **argv)
{
    static char server[4096];
    const char *slash = strrchr(argv[0], '/');
    if (argc < 2 || !slash)
        return bm_fail("usage: DIRECTORY/PEER WORKLOAD [key=value ...]");
    io_job job = {argc, argv, server, slash + 1};
    snprintf(server, sizeof server, "%.*s/../servers/%s", (int)(slash - argv[0]), argv[0],
             slash + 1);
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!strcmp(argv[1], "version") || !strcmp(argv[1], "spawn")) {
        execv(server, argv);
        fprintf(stderr, "%s: %s\n", server, strerror(errno));
        return BM_FAILED;
    }
    io_raise_descriptors();
    io_find_cpus();
    if (!strcmp(argv[1], "echo"))
        return io_echo(&job);
    if (!strcmp(argv[1], "idle"))
        return io_idle(&job);
    if (!strcmp(argv[1], "late"))
        return io_late(&job);
    if (!strcmp(argv[1], "http"))
        return io_http(&job);
    return bm_cannot("there is no such workload");
}

/*
 * wrk (Debian: wrk) against a server that replies "hello" and keeps the connection. Its figures are
 * taken from what it prints; a reply other than 200, or an error of a socket, is a failure.
 */
#define _GNU_SOURCE
#include "load.h"

#include <sys/socket.h>
#include <sys/wait.h>

/* "1.23ms", "456.00us", "2.00s" in ms; -1: no such line. */
static double time_after(const char *text, const char *what)
{
    const char *at = strstr(text, what);
    char *unit;
    if (!at)
        return -1;
    double v = strtod(at + strlen(what), &unit);
    return !strncmp(unit, "us", 2) ? v / 1e3 : !strncmp(unit, "ms", 2) ? v : v * 1e3;
}

/* One request, so that the server is known to be up and to reply as it should. */
static int try_once(const io_server *s)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    char reply[2048];
    size_t have = 0;
    int fd = io_connect(s), good = 0;
    if (fd < 0)
        return 1;
    struct timeval limit = {5, 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) > 0)
        while (!good && have < sizeof reply - 1) {
            ssize_t n = recv(fd, reply + have, sizeof reply - 1 - have, 0);
            if (n <= 0)
                break;
            have += (size_t)n;
            reply[have] = 0;
            good = strstr(reply, " 200 ") && strstr(reply, "\r\n\r\n");
        }
    close(fd);
    return good ? 0 : bm_fail("the server does not reply with 200");
}

static int measure(const io_job *job, const io_server *s)
{
    char command[256], text[8192];
    int64_t ms = io_arg(job, "count", 2000), conns = io_arg(job, "conns", 100);
    int64_t seconds = ms < 1000 ? 1 : ms / 1000;
    snprintf(command, sizeof command,
             "exec wrk -t1 -c%" PRId64 " -d%" PRId64 "s --latency http://127.0.0.1:%d/ 2>&1", conns,
             seconds, s->port);
    double cpu = io_server_cpu(s);
    FILE *f = popen(command, "r");
    size_t have = f ? fread(text, 1, sizeof text - 1, f) : 0;
    int status = f ? pclose(f) : -1;
    cpu = io_server_cpu(s) - cpu;
    text[have] = 0;
    if (status)
        return bm_fail("wrk failed");
    if (strstr(text, "Socket errors") || strstr(text, "Non-2xx"))
        return bm_fail("wrk met errors");
    const char *rate = strstr(text, "Requests/sec:"), *total = strstr(text, " requests in ");
    while (total && total > text && total[-1] >= '0' && total[-1] <= '9')
        total--;
    double per_s = rate ? strtod(rate + 13, NULL) : 0, all = total ? strtod(total, NULL) : 0;
    if (!(per_s > 0) || !(all > 0))
        return bm_fail("wrk printed no figures");
    bm_metric("request", 1e6 / per_s, "us");
    bm_metric("per_s", per_s, "/s");
    bm_metric("cpu", cpu / 1e3 / all, "us");
    bm_metric("p50", time_after(text, " 50%"), "ms");
    bm_metric("p99", time_after(text, " 99%"), "ms");
    return BM_OK;
}

int io_http(const io_job *job)
{
    io_server s;
    if (system("command -v wrk >/dev/null") != 0)
        return bm_cannot("wrk is not installed");
    int rc = io_serve(job, &s, "http");
    if (rc)
        return rc == 2 ? bm_cannot("no such server") : BM_FAILED;
    io_take_cpu_of_load();
    rc = try_once(&s) ? BM_FAILED : measure(job, &s);
    io_stop(&s);
    return rc;
}

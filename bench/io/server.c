/*
 * The server's process: started with its output in a pipe, from which its port is read, and asked
 * to die with its parent. It is killed by its process id before it has been reaped.
 */
#define _GNU_SOURCE
#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_WORDS = 12, START_MS = 10000 };

static cpu_set_t all, first, last;
static int cpus;

void io_find_cpus(void)
{
    CPU_ZERO(&all);
    CPU_ZERO(&first);
    CPU_ZERO(&last);
    if (sched_getaffinity(0, sizeof all, &all))
        return;
    for (size_t c = 0; c < CPU_SETSIZE; c++)
        if (CPU_ISSET(c, &all)) {
            if (!cpus++)
                CPU_SET(c, &first);
            CPU_ZERO(&last);
            CPU_SET(c, &last);
        }
}

void io_take_cpu_of_load(void)
{
    if (cpus)
        (void)sched_setaffinity(0, sizeof last, &last);
}

int io_cpus(void)
{
    return cpus;
}

static struct sockaddr_in loopback(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

/* For servers that cannot say which port the system gave them. */
static int free_port(void)
{
    struct sockaddr_in a = loopback(0);
    socklen_t size = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) ||
        getsockname(fd, (struct sockaddr *)&a, &size))
        a.sin_port = 0;
    if (fd >= 0)
        close(fd);
    return ntohs(a.sin_port);
}

static void go_before_others(void)
{
    (void)sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){0});
    (void)setpriority(PRIO_PROCESS, 0, -20);
    (void)setsid();
    FILE *f = fopen("/proc/self/autogroup", "we");
    if (f) {
        fputs("-20\n", f);
        fclose(f);
    }
}

static void become(const char *path, char *const argv[], int out, pid_t parent, int how,
                   const char *directory)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    if (cpus)
        (void)sched_setaffinity(0, sizeof first, how & IO_ALL_CPUS ? &all : &first);
    if (how & IO_COMPUTES && sched_getscheduler(0) == SCHED_FIFO)
        go_before_others();
    setenv("IO_DIRECTORY", directory, 1);
    int null = open("/dev/null", O_RDONLY);
    if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0)
        _exit(127);
    execv(path, argv);
    _exit(127);
}

/* The port that it prints in its first line; 0 when it ended, or said nothing in time. */
static int read_port(int fd)
{
    char line[256];
    size_t have = 0;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    while (have < sizeof line - 1 && poll(&p, 1, START_MS) > 0) {
        ssize_t n = read(fd, line + have, 1);
        if (n <= 0)
            return 0;
        if (line[have] == '\n')
            break;
        have += (size_t)n;
    }
    line[have] = 0;
    char *at = line + have; /* the last number of the line */
    while (at > line && (at[-1] < '0' || at[-1] > '9'))
        *--at = 0;
    while (at > line && at[-1] >= '0' && at[-1] <= '9')
        at--;
    return atoi(at);
}

int io_start(io_server *s, const char *path, const char *const words[], int how)
{
    char port[32], *argv[MOST_WORDS + 3];
    int ends[2], n = 0;
    memset(s, 0, sizeof *s);
    snprintf(s->directory, sizeof s->directory, "/tmp/brigade-bench-XXXXXX");
    if (!mkdtemp(s->directory) || pipe2(ends, O_CLOEXEC)) {
        fprintf(stderr, "cannot start a server: %s\n", strerror(errno));
        return 1;
    }
    argv[n++] = (char *)path;
    for (int i = 0; words[i] && i < MOST_WORDS; i++)
        argv[n++] = (char *)words[i];
    snprintf(port, sizeof port, "port=%d", free_port());
    argv[n++] = port;
    argv[n] = NULL;
    pid_t parent = getpid();
    s->pid = fork();
    if (s->pid == 0)
        become(path, argv, ends[1], parent, how, s->directory);
    close(ends[1]);
    s->output = ends[0];
    if (s->pid > 0)
        s->port = read_port(ends[0]);
    if (s->port <= 0 || clock_getcpuclockid(s->pid, &s->clock)) {
        int status = 0;
        for (int tries = 0; s->pid > 0 && tries < 100; tries++) { /* it may be ending just now */
            if (waitpid(s->pid, &status, WNOHANG) == s->pid)
                s->pid = 0;
            else
                poll(NULL, 0, 10);
        }
        io_stop(s);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
            return 2; /* the server has no such thing, and has said so on standard error */
        fprintf(stderr, "%s did not start\n", path);
        return 1;
    }
    return 0;
}

/* What nginx leaves in its directory: only files and directories that are empty or hold files. */
static void remove_directory(const char *path)
{
    pid_t pid = fork();
    if (pid == 0) {
        execlp("rm", "rm", "-rf", "--", path, (char *)NULL);
        _exit(127);
    }
    if (pid > 0)
        waitpid(pid, NULL, 0);
}

void io_stop(io_server *s)
{
    if (s->pid > 0) {
        kill(s->pid, SIGKILL);
        waitpid(s->pid, NULL, 0);
    }
    s->pid = 0;
    if (s->output > 0)
        close(s->output);
    s->output = 0;
    if (rmdir(s->directory) && errno == ENOTEMPTY)
        remove_directory(s->directory);
}

double io_server_cpu(const io_server *s)
{
    struct timespec ts;
    if (clock_gettime(s->clock, &ts))
        return 0;
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

double io_server_memory(const io_server *s)
{
    char path[64];
    long pages = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)s->pid);
    FILE *f = fopen(path, "r");
    if (!f)
        return 0;
    if (fscanf(f, "%*s %ld", &pages) != 1)
        pages = 0;
    fclose(f);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

int io_connect(const io_server *s)
{
    struct sockaddr_in a = loopback(s->port);
    for (int tries = 0;; tries++) {
        int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && !connect(fd, (struct sockaddr *)&a, sizeof a)) {
            (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            return fd;
        }
        int error = errno;
        if (fd >= 0)
            close(fd);
        siginfo_t ended = {0}; /* looked at, not reaped */
        (void)waitid(P_PID, (id_t)s->pid, &ended, WEXITED | WNOHANG | WNOWAIT);
        if (error != ECONNREFUSED || tries == 500 || ended.si_pid != 0) {
            fprintf(stderr, "no connection to the server: %s\n", strerror(error));
            return -1;
        }
        poll(NULL, 0, 10);
    }
}

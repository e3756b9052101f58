/*
 * Python's asyncio: runs asyncio_peer.py, which lies beside this program, under python3. It gets
 * the file list and the shared slots as descriptors, writes its digests where every mode does, and
 * prints its own measurements as one line of JSON. The time python3 needs to start is not counted.
 */
#include "meter.h"
#include "modes.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PEER "asyncio_peer.py"

static int peer_path(char *path, size_t room)
{
    ssize_t n = readlink("/proc/self/exe", path, room - 1);
    if (n < 0)
        return -errno;
    path[n] = '\0';
    char *slash = strrchr(path, '/');
    size_t at = slash ? (size_t)(slash - path) + 1 : 0;
    if (at + sizeof PEER > room)
        return -ENAMETOOLONG;
    memcpy(path + at, PEER, sizeof PEER);
    return access(path, R_OK) == 0 ? 0 : -errno;
}

/* Every task's slot number, size and path, each ended by a zero byte, in the order of the tasks. */
static int list_fd(const struct run *run)
{
    int fd = memfd_create("brigade-contrast-list", 0);
    if (fd < 0)
        return -errno;
    FILE *f = fdopen(dup(fd), "w");
    if (f == NULL) {
        close(fd);
        return -ENOMEM;
    }
    for (size_t i = 0; job_hashes(run->kind) && i < run->tasks; i++) {
        uint32_t which = run->files->by_size[i];
        const struct file *file = &run->files->file[which];
        fprintf(f, "%" PRIu32 "%c%" PRIu64 "%c%s%c", which, 0, file->size, 0, file->path, 0);
    }
    if (fclose(f) != 0) {
        close(fd);
        return -EIO;
    }
    return lseek(fd, 0, SEEK_SET) < 0 ? -errno : fd;
}

static void exec_python(const struct run *run, const char *path, int list, int out_fd, pid_t parent)
{
    char tasks[24], wait[24], list_arg[16], slots[16], offset[24], port[16];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    int null = open("/dev/null", O_RDONLY);
    if (null >= 0)
        dup2(null, STDIN_FILENO);
    dup2(out_fd, STDOUT_FILENO);
    fcntl(run->shared_fd, F_SETFD, 0);
    snprintf(tasks, sizeof tasks, "%zu", run->tasks);
    snprintf(wait, sizeof wait, "%" PRId64, run->wait_ns);
    snprintf(list_arg, sizeof list_arg, "%d", list);
    snprintf(slots, sizeof slots, "%d", run->shared_fd);
    snprintf(offset, sizeof offset, "%zu", sizeof(struct shared));
    snprintf(port, sizeof port, "%d", run->port);
    execlp("python3", "python3", "-I", path, job_name(run->kind), tasks, wait, list_arg, slots,
           offset, port, (char *)NULL);
    _exit(127);
}

/* The number after "key": in a line that the peer wrote. */
static int json_number(const char *line, const char *key, uint64_t *value)
{
    char quoted[32];
    snprintf(quoted, sizeof quoted, "\"%s\": ", key);
    const char *at = strstr(line, quoted);
    if (at == NULL)
        return -EPROTO;
    char *end;
    *value = strtoull(at + strlen(quoted), &end, 10);
    return end == at + strlen(quoted) ? -EPROTO : 0;
}

static int read_line(int fd, char *line, size_t room)
{
    size_t n = 0;
    while (n + 1 < room) {
        ssize_t got = read(fd, line + n, room - 1 - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    line[n] = '\0';
    return n > 0 && line[n - 1] == '\n' ? 0 : -EPROTO;
}

static int parse(const char *line, struct outcome *out)
{
    uint64_t wall, cpu;
    if (json_number(line, "wall_ns", &wall) < 0 || json_number(line, "cpu_ns", &cpu) < 0 ||
        json_number(line, "tasks_done", &out->tasks_done) < 0 ||
        json_number(line, "peak_memory_bytes", &out->memory) < 0 ||
        json_number(line, "threads", &out->threads) < 0 ||
        json_number(line, "waiting_at_once", &out->waiting) < 0)
        return -EPROTO;
    out->wall_ns = (int64_t)wall;
    out->cpu_ns = (int64_t)cpu;
    return 0;
}

void mode_asyncio(const struct run *run, struct outcome *out)
{
    char path[4096], line[1024];
    int fds[2], status = 0;
    int rc = peer_path(path, sizeof path);
    if (rc < 0) {
        out->error = rc;
        outcome_note(out, "%s is not beside the program: %s", PEER, strerror(-rc));
        return;
    }
    int list = list_fd(run);
    if (list < 0 || pipe2(fds, O_CLOEXEC) < 0) {
        out->error = list < 0 ? list : -errno;
        return;
    }
    pid_t self = getpid(), pid = fork();
    if (pid == 0)
        exec_python(run, path, list, fds[1], self);
    close(fds[1]);
    close(list);
    if (pid < 0) {
        out->error = -errno;
    } else {
        rc = read_line(fds[0], line, sizeof line);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
            out->error = -ENOENT;
            outcome_note(out, "python3 is not installed");
        } else if (rc < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            out->error = -EPROTO;
            outcome_note(out, "python3 ended badly (wait status 0x%x)", (unsigned)status);
        } else {
            out->error = parse(line, out);
        }
    }
    close(fds[0]);
}

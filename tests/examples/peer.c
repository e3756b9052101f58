/*
 * peer PORT [reset]: the other side of a TCP connection, for tests of the examples. Sends standard
 * input, says that it will send no more, and copies what comes to standard output, both at once.
 * With `reset` the connection is broken off when something has come. Blocking calls, and none of
 * the library's.
 */
#define _GNU_SOURCE

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int copy(int from, int to)
{
    static char buffer[65536];
    ssize_t n;
    while ((n = read(from, buffer, sizeof buffer)) > 0) {
        for (ssize_t at = 0, m; at < n; at += m) {
            m = write(to, buffer + at, (size_t)(n - at));
            if (m <= 0) {
                return -1;
            }
        }
    }
    return n < 0 ? -1 : 0;
}

int main(int argc, char *argv[])
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (argc < 2) {
        return 2;
    }
    address.sin_port = htons((unsigned short)atoi(argv[1]));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)signal(SIGPIPE, SIG_IGN);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        perror("peer");
        return 1;
    }
    if (argc > 2 && strcmp(argv[2], "reset") == 0) {
        const struct linger at_once = {1, 0};
        char c;
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        int rc = copy(STDIN_FILENO, fd) < 0 || read(fd, &c, 1) != 1;
        (void)close(fd);
        return rc;
    }
    pid_t sender = fork();
    if (sender < 0) {
        return 1;
    }
    if (sender == 0) {
        int rc = copy(STDIN_FILENO, fd) < 0 || shutdown(fd, SHUT_WR) < 0;
        _exit(rc);
    }
    int rc = copy(fd, STDOUT_FILENO), status = 0;
    (void)waitpid(sender, &status, 0);
    return rc < 0 || status != 0;
}

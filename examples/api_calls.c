/*
 * Calls of an API that takes its time: made one after the other, and then all at once.
 *
 *     api_calls [CALLS [SECONDS]]
 *
 * Five calls of 0.2 seconds each take a second one after the other, and 0.2 at once: nearly all of
 * the time is spent waiting for the other side, and who waits costs nothing. The calls are real
 * ones, of HTTP over TCP; the other side is a server that the program starts itself, as another
 * task.
 *
 * As in order_food, one worker is enough: it is not about doing more at once, but about waiting for
 * more at once.
 */
#include "http/client.h"
#include "http/parser.h"

#include <brigade.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST = 1000, USUAL = 5 };

static int calls = USUAL;
static bg_duration latency = BG_S / 5;
static struct http_url url;

/* -- the API ------------------------------------------------------------------------------------
 */

/* A connection: one request is read, whatever it asks for, and answered after a while. */
static int answer(int fd, void *unused)
{
    static const struct http_limits limits = {.line = 500, .head = 1000, .headers = 20};
    static const char text[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                               "Content-Length: 18\r\nConnection: close\r\n\r\n"
                               "{\"status\":\"fine\"}\n";
    char buffer[1000];
    size_t have = 0;
    ssize_t n;
    struct http_parser request;

    (void)unused;
    http_init_request(&request, &limits);
    while ((n = http_head(&request, buffer, have)) == 0) {
        n = bg_read(fd, buffer + have, sizeof buffer - have);
        if (n <= 0) {
            return (int)n;
        }
        have += (size_t)n;
    }
    int rc = n < 0 ? -EBADMSG : bg_sleep(latency);
    return rc < 0 ? rc : bg_write_all(fd, text, sizeof text - 1, NULL);
}

static int serve(void *arg)
{
    const int *listener = arg;
    return bg_serve(*listener, answer, NULL);
}

/* -- its client -------------------------------------------------------------------------------- */

static int call(void *arg)
{
    const int *number = arg;
    struct http_answer reply;
    printf("Start call %d\n", *number);
    int rc = http_get(&url, &reply);
    if (rc == 0) {
        printf("End call %d: %u\n", *number, reply.status);
        rc = reply.status == 200 ? 0 : -EBADMSG;
    }
    return rc;
}

static int one_after_another(void)
{
    int rc = 0;
    for (int i = 1; i <= calls && rc == 0; i++) {
        rc = bg_await(bg_spawn(call, &i));
    }
    return rc;
}

static int at_once(void)
{
    static int numbers[MOST];
    bg_task *tasks[MOST];
    int results[MOST];
    for (int i = 0; i < calls; i++) {
        numbers[i] = i + 1;
        tasks[i] = bg_spawn(call, &numbers[i]);
    }
    return bg_gather_all(tasks, (size_t)calls, results);
}

static int timed(const char *what, int (*how)(void))
{
    bg_time start = bg_now();
    int rc = how();
    printf("%s: %.2f seconds\n", what, (double)(bg_now() - start) / BG_S);
    return rc;
}

static int compare(void *unused)
{
    (void)unused;
    bg_address address;
    char text[64];
    int listener = bg_tcp_listen("127.0.0.1", "0", MOST);
    if (listener < 0) {
        return listener;
    }
    int rc = bg_local_address(listener, &address);
    (void)snprintf(text, sizeof text, "http://127.0.0.1:%d/", bg_address_port(&address));
    (void)http_parse_url(text, &url);

    bg_task *api = bg_spawn(serve, &listener, .name = "api");
    rc = rc < 0 ? rc : timed("One after another", one_after_another);
    if (rc == 0) {
        rc = timed("At once", at_once);
    }
    (void)bg_fd_close(listener); /* which ends the API */
    int ended = bg_await(api);
    return rc < 0 ? rc : ended;
}

int main(int argc, char *argv[])
{
    char *end = "", *end_of_seconds = "";
    double seconds = 0.2;
    if (argc > 1) {
        calls = (int)strtol(argv[1], &end, 10);
    }
    if (argc > 2) {
        seconds = strtod(argv[2], &end_of_seconds);
    }
    if (argc > 3 || *end != '\0' || *end_of_seconds != '\0' ||
        (argc > 2 && end_of_seconds == argv[2]) || calls < 1 || calls > MOST ||
        !(seconds >= 0 && seconds <= 1000)) {
        (void)fprintf(stderr, "usage: api_calls [CALLS, 1 to 1000 [SECONDS, 0 to 1000]]\n");
        return 2;
    }
    latency = (bg_duration)(seconds * BG_S);
    int rc = bg_run(compare, NULL, .workers = 1);
    if (rc < 0) {
        (void)fprintf(stderr, "api_calls: %s\n", bg_strerror(rc));
    }
    return rc < 0;
}

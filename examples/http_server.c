/*
 * A web server: HTTP/1.1 and 1.0, with keep-alive and pipelining.
 *
 *     http_server [--port N] [--workers N] [--limit N] [--timeout SECONDS] [--root DIRECTORY]
 *
 * Listens on 127.0.0.1, port N (0, the default: one that is free), and says on which. With --root
 * it serves the files of a directory; else "Hello, world!" at /, and to who posts something it says
 * how many bytes these were. At most --limit connections at once (1000); others wait in the queue
 * of the system. SIGINT or SIGTERM end it: connections in use may finish what they are at.
 *
 * Each connection is a task that reads like a description of what it does: read a request, answer
 * it, go on. What arrives together is answered together: answers are collected, and sent when there
 * is no further request to be had without waiting. So a request costs one call to receive and one
 * to send, and a batch of them costs no more. An idle connection is about one page of stack: larger
 * buffers are taken when a request needs them, and given back afterwards.
 */
#define _GNU_SOURCE

#include "common/server.h"
#include "http/files.h"
#include "http/parser.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* HEAD: more than a head and what it is about to say takes, "100 Continue" in front included. */
enum { SMALL = 512, LARGE = 16384, OUT = 1024, HEAD = 400, MAX_BODY = 64 << 20 };

static const struct http_limits limits = {.line = 8000, .head = LARGE, .headers = 100};
static const char text_plain[] = "text/plain; charset=utf-8";

static int serve(int fd, void *unused);

static struct server server = {
    .name = "http_server", .limit = 1000, .connection = serve, .stopping = BG_EVENT_INIT};
static bg_duration patience = 60 * BG_S; /* with whom does not send, or does not take */
static const char *root;                 /* NULL: there are no files to be served */
static int root_fd = -1;

struct connection {
    int fd;
    char *in;        /* `small`, or LARGE bytes */
    size_t at, have; /* what has arrived and is not used yet: in[at] to in[have - 1] */
    size_t used;     /* of out */
    time_t date_of;
    char date[32]; /* as it was then */
    char small[SMALL];
    char out[OUT];
};

/* -- sending ----------------------------------------------------------------------------------- */

static int flush(struct connection *c, int flags)
{
    int rc = 0;
    bg_timeout (patience) {
        for (size_t sent = 0; sent < c->used && rc == 0;) {
            ssize_t n = bg_fd_send(c->fd, c->out + sent, c->used - sent, flags);
            sent += n > 0 ? (size_t)n : 0;
            rc = n < 0 ? (int)n : 0;
        }
    }
    c->used = 0;
    return rc;
}

static void put(struct connection *c, const char *text, size_t size)
{
    memcpy(c->out + c->used, text, size);
    c->used += size;
}

#define PUT(c, text) put((c), (text), sizeof(text) - 1)

static void put_number(struct connection *c, uint64_t n)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + n % 10);
    } while ((n /= 10) > 0);
    put(c, digits + at, sizeof digits - at);
}

static void put_date(struct connection *c)
{
    time_t now = time(NULL);
    if (now != c->date_of) {
        struct tm tm;
        c->date_of = now;
        (void)strftime(c->date, sizeof c->date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
    }
    put(c, c->date, strlen(c->date));
}

/* Status and reason, and a line end, as it is in what refuses a request. */
static const char *reason(unsigned status)
{
    static const struct {
        unsigned status;
        const char *reason;
    } reasons[] = {
        {200, "200 OK\n"},
        {400, "400 Bad Request\n"},
        {403, "403 Forbidden\n"},
        {404, "404 Not Found\n"},
        {405, "405 Method Not Allowed\n"},
        {408, "408 Request Timeout\n"},
        {413, "413 Content Too Large\n"},
        {414, "414 URI Too Long\n"},
        {431, "431 Request Header Fields Too Large\n"},
        {501, "501 Not Implemented\n"},
        {503, "503 Service Unavailable\n"},
        {505, "505 HTTP Version Not Supported\n"},
    };
    size_t i = 0;
    while (reasons[i].status != status) {
        i++;
    }
    return reasons[i].reason;
}

struct answer {
    unsigned status;
    const char *type;
    uint64_t size;
    const char *content; /* NULL: that of the file, or the number of bytes that were posted */
    int file;            /* or -1 */
    bool head_only, keep_alive;
};

static struct answer refusal(unsigned status)
{
    const char *text = reason(status);
    return (struct answer){status, text_plain, strlen(text), text, -1, false, false};
}

static void put_head(struct connection *c, const struct answer *a, unsigned minor)
{
    const char *status = reason(a->status);
    PUT(c, "HTTP/1.1 ");
    put(c, status, strlen(status) - 1);
    PUT(c, "\r\nDate: ");
    put_date(c);
    PUT(c, "\r\nContent-Type: ");
    put(c, a->type, strlen(a->type));
    PUT(c, "\r\nContent-Length: ");
    put_number(c, a->size);
    if (a->status == 405) {
        PUT(c, "\r\nAllow: GET, HEAD");
        if (root == NULL) {
            PUT(c, ", POST");
        }
    }
    if (!a->keep_alive) {
        PUT(c, "\r\nConnection: close");
    } else if (minor == 0) {
        PUT(c, "\r\nConnection: keep-alive");
    }
    PUT(c, "\r\n\r\n");
}

/* The kernel sends the file; the time-out is for each portion that the client takes. */
static int send_file(struct connection *c, const struct answer *a)
{
    int rc = flush(c, a->size > 0 ? MSG_MORE : 0);
    off_t at = 0;
    while (rc == 0 && (uint64_t)at < a->size) {
        ssize_t n = 0;
        bg_timeout (patience) {
            n = bg_sendfile(c->fd, a->file, &at, a->size - (uint64_t)at);
        }
        rc = n > 0 ? 0 : n < 0 ? (int)n : -EIO; /* the file has become shorter */
    }
    return rc;
}

/* 0: collected, or sent; or the failure of the connection. */
static int send_answer(struct connection *c, const struct answer *a, unsigned minor)
{
    int rc = OUT - c->used < HEAD ? flush(c, 0) : 0;
    if (rc < 0) {
        return rc;
    }
    put_head(c, a, minor);
    if (a->head_only) {
        return 0;
    }
    if (a->content != NULL) {
        put(c, a->content, a->size);
        return 0;
    }
    return send_file(c, a);
}

/* -- receiving --------------------------------------------------------------------------------- */

/*
 * Waits for more, and sends before what is to be sent: whoever asked may wait for it before it asks
 * on. 1, 0 at the end, or a failure.
 */
static int fill(struct connection *c)
{
    size_t room = c->in == c->small ? SMALL : LARGE;
    ssize_t n = c->used > 0 ? flush(c, 0) : 0;
    if (n < 0) {
        return (int)n;
    }
    if (c->at > 0) {
        c->have -= c->at;
        memmove(c->in, c->in + c->at, c->have);
        c->at = 0;
    }
    if (c->have == room) {
        if (c->in != c->small) {
            return -EMSGSIZE; /* not reached: nothing the parser waits for is as large */
        }
        c->in = malloc(LARGE);
        if (c->in == NULL) {
            c->in = c->small;
            return -ENOMEM;
        }
        memcpy(c->in, c->small, SMALL);
        room = LARGE;
    }
    n = bg_fd_recv(c->fd, c->in + c->have, room - c->have, 0);
    c->have += n > 0 ? (size_t)n : 0;
    return n < 0 ? (int)n : n > 0;
}

static void give_back(struct connection *c)
{
    if (c->in != c->small && c->have - c->at <= SMALL) {
        char *large = c->in;
        c->have -= c->at;
        memcpy(c->small, large + c->at, c->have);
        c->at = 0;
        c->in = c->small;
        free(large);
    }
}

/*
 * The next head: 1, and its size. 0: there is none, and nobody to tell. Else what is wrong with it,
 * as the parser says; 408: it does not come.
 */
static unsigned read_head(struct connection *c, struct http_parser *p, size_t *size)
{
    ssize_t n;
    int rc = 1;
    http_init_request(p, &limits);
    n = http_head(p, c->in + c->at, c->have - c->at);
    if (n == 0) {
        bg_timeout (patience) {
            while (n == 0 && (rc = fill(c)) > 0) {
                n = http_head(p, c->in + c->at, c->have - c->at);
            }
        }
    }
    *size = n > 0 ? (size_t)n : 0;
    if (n == 0) {
        return rc == -ETIMEDOUT && c->have > c->at ? 408 : 0;
    }
    return n > 0 ? 1 : (unsigned)-n;
}

/* Reads the body, or what it is, and counts. 1; 0; or what is wrong with it, as above. */
static unsigned read_body(struct connection *c, struct http_parser *p, uint64_t *size)
{
    int rc = 1;
    *size = 0;
    if (p->size > MAX_BODY) {
        return 413;
    }
    if (p->expect_continue && !http_done(p) && c->have == c->at) {
        PUT(c, "HTTP/1.1 100 Continue\r\n\r\n");
    }
    while (!http_done(p)) {
        struct http_text piece;
        ssize_t n = http_body(p, c->in + c->at, c->have - c->at, &piece);
        if (n < 0 || *size + piece.size > MAX_BODY) {
            return n < 0 ? (unsigned)-n : 413;
        }
        c->at += (size_t)n;
        *size += piece.size;
        if (n == 0) {
            bg_timeout (patience) {
                rc = fill(c);
            }
            if (rc <= 0) {
                return rc == -ETIMEDOUT ? 408 : 0;
            }
        }
    }
    return 1;
}

/* -- answering --------------------------------------------------------------------------------- */

static struct answer answer_file(struct http_text path)
{
    struct answer a = {.status = 200, .keep_alive = true};
    a.file = http_open_file(root_fd, path, &a.size, &a.type);
    switch (a.file) {
    case -400:
        return refusal(400);
    case -EACCES:
    case -EPERM:
        a = refusal(403);
        break;
    case -EMFILE:
    case -ENFILE:
    case -ENOMEM:
        a = refusal(503);
        break;
    default:
        if (a.file < 0) {
            a = refusal(404);
        }
    }
    a.keep_alive = true;
    return a;
}

/* What to answer, decided while the head is at hand: reading the body may take its place. */
static struct answer decide(const struct http_parser *p, const char *head)
{
    static const char hello[] = "Hello, world!\n";
    struct http_text method = http_method(p, head), path = http_path(p, head);
    bool get = http_is(method, "GET"), just_head = http_is(method, "HEAD");
    struct answer a;

    if (!get && !just_head) {
        if (root == NULL && http_is(method, "POST")) {
            a = (struct answer){200, text_plain, 0, NULL, -1, false, true};
        } else {
            a = refusal(405);
        }
    } else if (root != NULL) {
        a = answer_file(path);
    } else if (path.size == 1) {
        a = (struct answer){200, text_plain, sizeof hello - 1, hello, -1, false, true};
    } else {
        a = refusal(404);
    }
    a.head_only = just_head;
    a.keep_alive = p->keep_alive && !bg_event_is_set(&server.stopping);
    return a;
}

/* One request. 1: the next one may come. 0: that was the last. Less: the connection has failed. */
static int serve_request(struct connection *c)
{
    struct http_parser p;
    size_t size;
    uint64_t posted;
    char number[40];
    unsigned ok = read_head(c, &p, &size);
    struct answer a = {.file = -1};

    if (ok == 0) {
        return 0;
    }
    if (ok == 1) {
        a = decide(&p, c->in + c->at);
        c->at += size;
        ok = read_body(c, &p, &posted);
        if (ok == 1 && a.content == NULL && a.file < 0) {
            a.size = (uint64_t)snprintf(number, sizeof number, "%ju bytes\n", (uintmax_t)posted);
            a.content = number;
        }
    }
    if (ok > 1) {
        if (a.file >= 0) {
            (void)bg_fd_close(a.file);
        }
        a = refusal(ok);
    }
    int rc = ok == 0 ? -ECONNRESET : send_answer(c, &a, p.minor);
    if (a.file >= 0) {
        (void)bg_fd_close(a.file);
    }
    give_back(c);
    return rc < 0 ? rc : a.keep_alive;
}

/* Closing with something unread would reset the connection, and the last answer might be lost. */
static void say_goodbye(struct connection *c)
{
    if (flush(c, 0) == 0 && shutdown(c->fd, SHUT_WR) == 0) {
        bg_timeout (2 * BG_S) {
            while (bg_fd_recv(c->fd, c->small, sizeof c->small, 0) > 0) {
            }
        }
    }
}

static int serve(int fd, void *unused)
{
    (void)unused;
    struct connection c; /* not set to zero: buffers that are not used take no memory */
    int rc;
    c.fd = fd;
    c.in = c.small;
    c.at = c.have = c.used = 0;
    c.date_of = -1;
    do {
        rc = serve_request(&c);
    } while (rc > 0);
    if (rc == 0) {
        say_goodbye(&c);
    }
    if (c.in != c.small) {
        free(c.in);
    }
    return 0; /* what becomes of one connection is no failure of the server */
}

/* -- the server -------------------------------------------------------------------------------- */

static int usage(void)
{
    (void)fprintf(stderr, "usage: http_server [--port N] [--workers N] [--limit N] "
                          "[--timeout SECONDS] [--root DIRECTORY]\n");
    return 2;
}

int main(int argc, char *argv[])
{
    static const struct option options[] = {
        {"port", required_argument, NULL, 'p'},    {"workers", required_argument, NULL, 'w'},
        {"limit", required_argument, NULL, 'l'},   {"root", required_argument, NULL, 'r'},
        {"timeout", required_argument, NULL, 't'}, {NULL, 0, NULL, 0},
    };
    bool good = true;
    long seconds = 0;
    int option;
    opterr = 0; /* the usage line says enough */
    while (good && (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'p':
            good = parse_number(optarg, 0, 65535, &server.port);
            break;
        case 'w':
            good = parse_number(optarg, 0, 1024, &server.workers);
            break;
        case 'l':
            good = parse_number(optarg, 1, 1000000, &server.limit);
            break;
        case 't':
            good = parse_number(optarg, 1, 1000000, &seconds);
            patience = seconds * BG_S;
            break;
        case 'r':
            root = optarg;
            break;
        default:
            good = false;
        }
    }
    if (!good || optind < argc) {
        return usage();
    }
    if (root != NULL) {
        root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (root_fd < 0) {
            (void)fprintf(stderr, "http_server: %s: %s\n", root, strerror(errno));
            return 1;
        }
    }
    int rc = run_server(&server);
    if (root_fd >= 0) {
        (void)close(root_fd);
    }
    return rc;
}

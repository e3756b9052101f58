/*
 * A chat: what one says all others see.
 *
 *     chat_server [--port N] [--limit N]
 *
 * Listens on 127.0.0.1, port N (0, the default: one that is free), and says on which. The first
 * line that somebody sends is the name; each further one goes to everybody else. Try it with `nc`.
 * At most --limit guests at once (1000). SIGINT and SIGTERM end it.
 *
 * A guest is two tasks: one reads what the guest says and puts it into the queues of the others;
 * one takes what is in the guest's own queue and writes it. The queues are channels with room for
 * QUEUE lines, and nobody waits at a queue that is full: a guest who takes so little that it
 * overflows is dropped. So one who does not read costs the others nothing, and no memory beyond the
 * queue.
 */
#define _GNU_SOURCE

#include "common/server.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { NAME = 24, TEXT = 400, QUEUE = 64 };

/* As it is written: with the speaker's name in front and a line end. */
struct line {
    size_t size;
    char text[NAME + TEXT + 8];
};

struct guest {
    int fd;
    char name[NAME + 1];
    bg_chan *queue;
    bg_group_t *group; /* of the guest's two tasks */
    struct guest *next;
    bool dropped;
    size_t at, have; /* what has arrived and is not used yet: in[at] to in[have - 1] */
    char in[TEXT];
};

/* Who is here. A guest in the list has a queue and a group that can be used. */
static struct {
    bg_mutex lock;
    struct guest *guests;
} room = {.lock = BG_MUTEX_INIT};

/* -- the room ---------------------------------------------------------------------------------- */

/* To all but one. Under the lock: nothing here waits. True: somebody falls behind. */
static bool say(const struct guest *but, const char *name, const char *between, const char *text)
{
    struct line line;
    bool behind = false;
    int n = snprintf(line.text, sizeof line.text, "%s%s%s\n", name, between, text);
    line.size = (size_t)n < sizeof line.text ? (size_t)n : sizeof line.text - 1;
    for (struct guest *g = room.guests; g != NULL; g = g->next) {
        if (g != but && bg_try_send(g->queue, &line) == -EAGAIN) {
            g->dropped = true;
            (void)bg_group_cancel(g->group);
        }
        behind = behind || bg_chan_length(g->queue) >= QUEUE / 2;
    }
    return behind;
}

static int say_to_all(const struct guest *me, const char *text)
{
    int rc = bg_mutex_lock(&room.lock);
    if (rc < 0) {
        return rc;
    }
    bool behind = say(me, me->name, ": ", text);
    (void)bg_mutex_unlock(&room.lock);
    return behind ? bg_sleep(BG_MS) : 0;
}

/* 0; -EEXIST: somebody has that name; or the failure of a wait. */
static int join(struct guest *me)
{
    int rc = bg_mutex_lock(&room.lock);
    if (rc < 0) {
        return rc;
    }
    for (struct guest *g = room.guests; g != NULL && rc == 0; g = g->next) {
        rc = strcmp(g->name, me->name) == 0 ? -EEXIST : 0;
    }
    if (rc == 0) {
        me->next = room.guests;
        room.guests = me;
        (void)say(me, me->name, " ", "is here");
    }
    (void)bg_mutex_unlock(&room.lock);
    return rc;
}

/* Whatever has happened to the guest's tasks, this is to be done: hence the shield. */
static void leave(struct guest *me)
{
    bg_shield
    {
        (void)bg_mutex_lock(&room.lock);
        struct guest **g = &room.guests;
        while (*g != me) {
            g = &(*g)->next;
        }
        *g = me->next;
        (void)say(me, me->name, " ", me->dropped ? "is too slow and was dropped" : "has left");
        (void)bg_mutex_unlock(&room.lock);
    }
}

/* -- a guest ----------------------------------------------------------------------------------- */

/*
 * The next line that the guest says, without its end and without what a terminal might take for
 * more than text; what is longer than there is room for counts as several lines. Its size; 0 for an
 * empty line; -ENODATA at the end.
 */
static int next_line(struct guest *me, char text[TEXT + 1])
{
    for (;;) {
        size_t have = me->have - me->at;
        char *begin = me->in + me->at, *end = memchr(begin, '\n', have);
        if (end != NULL || have == sizeof me->in) {
            size_t size = end != NULL ? (size_t)(end - begin) : have;
            me->at += size + (end != NULL);
            size -= size > 0 && begin[size - 1] == '\r';
            for (size_t i = 0; i < size; i++) {
                text[i] = (unsigned char)begin[i] < ' ' || begin[i] == 0x7f ? '?' : begin[i];
            }
            text[size] = '\0';
            return (int)size;
        }
        memmove(me->in, begin, have);
        me->at = 0;
        me->have = have;
        ssize_t n = bg_read(me->fd, me->in + have, sizeof me->in - have);
        if (n <= 0) {
            return n < 0 ? (int)n : -ENODATA;
        }
        me->have += (size_t)n;
    }
}

static int tell(const struct guest *me, const char *text)
{
    return bg_write_all(me->fd, text, strlen(text), NULL);
}

/* Asks until there is a name that nobody else has. The guest has then joined. */
static int ask_name(struct guest *me)
{
    char text[TEXT + 1];
    int rc = tell(me, "Your name?\n");
    while (rc == 0) {
        int size = next_line(me, text);
        if (size < 0) {
            return size;
        }
        if (size == 0 || size > NAME) {
            rc = tell(me, "A name has 1 to 24 bytes. Your name?\n");
            continue;
        }
        memcpy(me->name, text, (size_t)size + 1);
        rc = join(me);
        if (rc == 0) {
            return 0;
        }
        if (rc == -EEXIST) {
            rc = tell(me, "Somebody here has that name. Your name?\n");
        }
    }
    return rc;
}

/* The second task: until the queue is closed, and empty. */
static int write_lines(void *arg)
{
    const struct guest *me = *(struct guest **)arg;
    struct line line;
    int rc = tell(me, "Welcome.\n");
    while (rc == 0) {
        rc = bg_recv(me->queue, &line);
        if (rc == -EPIPE) {
            return 0;
        }
        if (rc == 0) {
            bg_timeout (BG_MIN) {
                rc = bg_write_all(me->fd, line.text, line.size, NULL);
            }
        }
    }
    return rc;
}

static void talk(struct guest *me)
{
    char text[TEXT + 1];
    int rc;
    bg_group (g, .result = &rc) {
        me->group = &g;
        bg_timeout (BG_MIN) {
            rc = ask_name(me);
        }
        if (rc < 0) {
            break;
        }
        (void)bg_group_spawn_with(&g, write_lines, struct guest *, me);
        while ((rc = next_line(me, text)) >= 0) {
            if (rc > 0 && say_to_all(me, text) < 0) {
                break;
            }
        }
        leave(me);
        (void)bg_close(
            me->queue); /* what is in it is still written, unless the group is cancelled */
    }
}

static int serve(int fd, void *unused)
{
    (void)unused;
    struct guest me = {.fd = fd, .queue = bg_chan_create(sizeof(struct line), QUEUE)};
    if (me.queue == NULL) {
        return 0;
    }
    /* Nor is the system to hold much more than the queue. */
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){16384}, sizeof(int));
    talk(&me);
    bg_chan_destroy(me.queue);
    return 0; /* what becomes of one guest is no failure of the chat */
}

int main(int argc, char *argv[])
{
    static const struct option options[] = {
        {"port", required_argument, NULL, 'p'},
        {"limit", required_argument, NULL, 'l'},
        {NULL, 0, NULL, 0},
    };
    struct server server = {
        .name = "chat_server", .limit = 1000, .connection = serve, .stopping = BG_EVENT_INIT};
    bool good = true;
    int option;
    opterr = 0; /* the usage line says enough */
    while (good && (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        good = option == 'p'   ? parse_number(optarg, 0, 65535, &server.port)
               : option == 'l' ? parse_number(optarg, 1, 1000000, &server.limit)
                               : false;
    }
    if (!good || optind < argc) {
        (void)fprintf(stderr, "usage: chat_server [--port N] [--limit N]\n");
        return 2;
    }
    return run_server(&server);
}

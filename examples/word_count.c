/*
 * Counts the words of a text on all cores, and prints the most frequent ones.
 *
 *     word_count FILE [N]
 *
 * A word is as many ASCII letters as there are in a row, in lower case. First the N (10) most
 * frequent, by count and then by name, as `uniq -c` prints them, then how many lines (line ends),
 * words and bytes there are.
 *
 * A reduction over the bytes of the file, which is mapped. Its parts do not end where words do: a
 * part has the words that begin in it, and looks beyond its end for the last one.
 *
 * The value is a hash table, and bg_parallel_reduce copies values as bytes: so a value is only the
 * pointer to one. A table must not be lost when the loop ends early or memory does, so each part
 * has one in an array, made before and freed after the loop. The identity is NULL; the body puts
 * the part's table there; combining adds one table to another. Tables have pointers into the text,
 * no copies of words.
 *
 * (A file that is cut short while it is read ends the program: SIGBUS.)
 */
#define _POSIX_C_SOURCE 200809L

#include <brigade.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { USUAL = 10, MOST = 1000000, SMALLEST_PART = 4096, PARTS = 128 };

typedef struct {
    const char *at; /* in the text; NULL: a free place */
    size_t length;
    uint64_t hash;
    uint64_t count;
} word;

/* Open addressing; `room` is 0 or a power of two, and a quarter of it free. */
typedef struct {
    word *words;
    size_t n, room;
    uint64_t lines, all;
    int error;
} table;

struct text {
    const char *bytes;
    size_t size, part;
    table *tables; /* one for each part */
};

static int is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char lower(char letter)
{
    return (char)(letter | 0x20);
}

static int compare(const word *a, const word *b)
{
    for (size_t i = 0; i < a->length && i < b->length; i++) {
        if (lower(a->at[i]) != lower(b->at[i])) {
            return lower(a->at[i]) < lower(b->at[i]) ? -1 : 1;
        }
    }
    return (a->length > b->length) - (a->length < b->length);
}

/* Its place, or the free one where it belongs. */
static word *find(word *words, size_t room, const word *w)
{
    size_t i = (size_t)(w->hash ^ w->hash >> 32) & (room - 1);
    while (words[i].at != NULL && (words[i].hash != w->hash || compare(&words[i], w) != 0)) {
        i = (i + 1) & (room - 1);
    }
    return &words[i];
}

static int grow(table *t)
{
    size_t room = t->room != 0 ? 2 * t->room : 256;
    word *words = calloc(room, sizeof *words);
    if (words == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < t->room; i++) {
        if (t->words[i].at != NULL) {
            *find(words, room, &t->words[i]) = t->words[i];
        }
    }
    free(t->words);
    t->words = words;
    t->room = room;
    return 0;
}

static int add(table *t, const word *w)
{
    int rc = 4 * (t->n + 1) > 3 * t->room ? grow(t) : 0;
    if (rc == 0) {
        word *place = find(t->words, t->room, w);
        if (place->at != NULL) {
            place->count += w->count;
        } else {
            *place = *w;
            t->n++;
        }
    }
    return rc;
}

/* The words that begin in the part, and its line ends. */
static void count_part(size_t begin, size_t end, void *acc, void *ctx)
{
    const struct text *text = ctx;
    table *t = &text->tables[begin / text->part];
    size_t i = begin;

    if (i > 0 && is_letter(text->bytes[i - 1])) { /* the rest of a word of the part before */
        while (i < end && is_letter(text->bytes[i])) {
            i++;
        }
    }
    while (i < end && t->error == 0) {
        if (!is_letter(text->bytes[i])) {
            t->lines += text->bytes[i++] == '\n';
            continue;
        }
        word w = {text->bytes + i, 0, UINT64_C(0xcbf29ce484222325), 1};
        for (; i < text->size && is_letter(text->bytes[i]); i++) { /* FNV-1a */
            w.hash = (w.hash ^ (unsigned char)lower(text->bytes[i])) * UINT64_C(0x100000001b3);
        }
        w.length = (size_t)(text->bytes + i - w.at);
        t->all++;
        t->error = add(t, &w);
    }
    *(table **)acc = t;
}

static void combine(void *into, const void *from, void *ctx)
{
    table *t = *(table **)into, *more = *(table *const *)from;
    (void)ctx;
    if (t->room < more->room) { /* add the smaller one to the larger one */
        table swapped = *t;
        *t = *more;
        *more = swapped;
    }
    t->lines += more->lines;
    t->all += more->all;
    t->error = t->error != 0 ? t->error : more->error;
    for (size_t i = 0; i < more->room && t->error == 0; i++) {
        if (more->words[i].at != NULL) {
            t->error = add(t, &more->words[i]);
        }
    }
    free(more->words);
    *more = (table){0};
}

static int by_count(const void *a, const void *b, void *ctx)
{
    const word *x = a, *y = b;
    (void)ctx;
    return x->count != y->count ? (x->count < y->count ? 1 : -1) : compare(x, y);
}

static void print(const word *w)
{
    printf("%7llu ", (unsigned long long)w->count);
    for (size_t i = 0; i < w->length; i++) {
        (void)putchar(lower(w->at[i]));
    }
    (void)putchar('\n');
}

struct arguments {
    struct text text;
    size_t most;
};

static int word_count(void *arg)
{
    struct arguments *a = arg;
    struct text *text = &a->text;
    table none = {0}, *all = NULL;

    int rc = bg_parallel_reduce(0, text->size, &all, sizeof(table *), count_part, combine, text,
                                .grain = text->part);
    all = all != NULL ? all : &none; /* of an empty text */
    rc = rc == 0 ? all->error : rc;
    if (rc < 0) {
        return rc;
    }
    size_t n = 0;
    for (size_t i = 0; i < all->room; i++) { /* the words to the front, to be sorted */
        if (all->words[i].at != NULL) {
            all->words[n++] = all->words[i];
        }
    }
    rc = bg_parallel_sort(all->words, n, sizeof(word), by_count, NULL);
    for (size_t i = 0; rc == 0 && i < n && i < a->most; i++) {
        print(&all->words[i]);
    }
    if (rc == 0) {
        printf("%llu lines, %llu words, %llu bytes\n", (unsigned long long)all->lines,
               (unsigned long long)all->all, (unsigned long long)text->size);
    }
    return rc;
}

static int map(const char *path, struct text *text)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    int rc = fstat(fd, &st) != 0 ? -errno : S_ISREG(st.st_mode) ? 0 : -EINVAL;
    if (rc == 0 && st.st_size > 0) { /* nothing cannot be mapped */
        void *bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        rc = bytes == MAP_FAILED ? -errno : 0;
        text->bytes = bytes;
        text->size = (size_t)st.st_size;
    }
    (void)close(fd);
    return rc;
}

int main(int argc, char *argv[])
{
    char *end = "";
    long most = argc == 3 ? strtol(argv[2], &end, 10) : USUAL;
    if (argc < 2 || argc > 3 || *end != '\0' || end == argv[argc - 1] || most < 0 || most > MOST) {
        (void)fprintf(stderr, "usage: word_count FILE [N, 0 to %d]\n", MOST);
        return 2;
    }
    struct arguments a = {.most = (size_t)most};
    int rc = map(argv[1], &a.text);
    if (rc == 0) {
        size_t even = a.text.size / PARTS + 1;
        a.text.part = even > SMALLEST_PART ? even : SMALLEST_PART;
        size_t parts = a.text.size / a.text.part + 1;
        a.text.tables = calloc(parts, sizeof(table));
        rc = a.text.tables != NULL ? bg_run(word_count, &a) : -ENOMEM;
        for (size_t i = 0; i < parts && a.text.tables != NULL; i++) {
            free(a.text.tables[i].words);
        }
        free(a.text.tables);
        if (a.text.size != 0) {
            (void)munmap((void *)(uintptr_t)a.text.bytes, a.text.size);
        }
    }
    if (rc < 0) {
        (void)fprintf(stderr, "word_count: %s: %s\n", argv[1], bg_strerror(rc));
    }
    return rc < 0;
}

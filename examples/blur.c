/*
 * Blurs an image on all cores.
 *
 *     blur RADIUS IN OUT
 *
 * IN is a binary PGM or PPM file (P5, P6) of 8 or 16 bits; OUT will be one of the same kind. A
 * sample becomes the mean of the square of 2 * RADIUS + 1 samples around it, rounded to the
 * nearest; beyond the edge the samples of the edge are repeated.
 *
 * The mean over a square is a sum along the row and then one along the column, each kept up to date
 * by adding what comes and taking away what goes. The rows are a loop of their own; the columns are
 * tiles of a loop in two dimensions, a few hundred beside each other, so that memory is read as it
 * lies. The sums are whole numbers, and divided once: the result is the same in any order, on any
 * number of workers.
 *
 * OUT is written to a file beside it, which then takes its name: there is the whole of it or, after
 * an error, what was there before. All of this is done before and after the runtime.
 */
#define _POSIX_C_SOURCE 200809L

#include <brigade.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WIDEST = 1000, ACROSS = 256 };
#define MOST_SAMPLES ((size_t)1 << 30)

struct image {
    int kind;                                    /* 5: grey, 6: three colours */
    size_t width, height, channels, bytes, most; /* bytes of a sample, the largest one */
    unsigned char *samples;
};

struct blur {
    struct image image;
    size_t across; /* samples of a row */
    size_t radius;
    uint32_t *sums; /* along the rows: at most 2001 samples of 65535 */
};

/* ---- files ---- */

static int is_space(int c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* A number of the header, and the one space that ends it. 0: there is none. */
static size_t number(FILE *in)
{
    size_t n = 0;
    int digits = 0, c = getc(in);
    for (; c == '#' || is_space(c); c = getc(in)) {
        if (c == '#') {
            while (c != '\n' && c != EOF) {
                c = getc(in);
            }
        }
    }
    for (; c >= '0' && c <= '9' && n <= MOST_SAMPLES; c = getc(in)) {
        n = 10 * n + (size_t)(c - '0');
        digits++;
    }
    return digits > 0 && is_space(c) ? n : 0;
}

static size_t sample(const struct image *m, size_t i)
{
    return m->bytes == 1 ? m->samples[i] : (size_t)m->samples[2 * i] << 8 | m->samples[2 * i + 1];
}

static void set_sample(const struct image *m, size_t i, size_t value)
{
    if (m->bytes == 1) {
        m->samples[i] = (unsigned char)value;
    } else {
        m->samples[2 * i] = (unsigned char)(value >> 8);
        m->samples[2 * i + 1] = (unsigned char)(value & 0xff);
    }
}

/* NULL, or what is wrong. */
static const char *parse(FILE *in, struct image *m)
{
    if (getc(in) != 'P' || ((m->kind = getc(in) - '0') != 5 && m->kind != 6)) {
        return "not a binary PGM or PPM file";
    }
    m->channels = m->kind == 5 ? 1 : 3;
    int c = getc(in);
    if (c != '#' && !is_space(c)) {
        return "not a binary PGM or PPM file";
    }
    (void)ungetc(c, in);
    m->width = number(in);
    m->height = m->width != 0 ? number(in) : 0;
    m->most = m->height != 0 ? number(in) : 0;
    if (m->most == 0) {
        return "its header is not valid";
    }
    if (m->most > 65535) {
        return "its largest sample is above 65535";
    }
    if (m->width > MOST_SAMPLES / m->channels / m->height) {
        return "too large";
    }
    size_t n = m->width * m->height * m->channels;
    m->bytes = m->most < 256 ? 1 : 2;
    m->samples = malloc(n * m->bytes);
    if (m->samples == NULL) {
        return "not enough memory";
    }
    if (fread(m->samples, m->bytes, n, in) != n) {
        return "it is cut short";
    }
    if (getc(in) != EOF) {
        return "there is more behind the image";
    }
    for (size_t i = 0; i < n; i++) {
        if (sample(m, i) > m->most) {
            return "a sample is above the largest of the header";
        }
    }
    return NULL;
}

static const char *load(const char *path, struct image *m)
{
    FILE *in = fopen(path, "rb");
    if (in == NULL) {
        return strerror(errno);
    }
    const char *wrong = parse(in, m);
    wrong = ferror(in) ? "it cannot be read" : wrong;
    (void)fclose(in);
    return wrong;
}

static int write_to(int fd, const struct image *m)
{
    FILE *out = fdopen(fd, "wb");
    if (out == NULL) {
        (void)close(fd);
        return -errno;
    }
    size_t n = m->width * m->height * m->channels;
    int ok = fprintf(out, "P%d\n%zu %zu\n%zu\n", m->kind, m->width, m->height, m->most) > 0 &&
             fwrite(m->samples, m->bytes, n, out) == n && fflush(out) == 0 && fsync(fd) == 0;
    int rc = ok ? 0 : errno != 0 ? -errno : -EIO;
    return fclose(out) != 0 && rc == 0 ? -errno : rc;
}

static int save(const char *path, const struct image *m)
{
    size_t length = strlen(path);
    char *beside = malloc(length + sizeof ".XXXXXX");
    if (beside == NULL) {
        return -ENOMEM;
    }
    memcpy(beside, path, length);
    memcpy(beside + length, ".XXXXXX", sizeof ".XXXXXX");
    int fd = mkstemp(beside);
    int rc = fd < 0 ? -errno : 0;
    if (rc == 0) {
        mode_t mask = umask(0);
        (void)umask(mask);
        rc = fchmod(fd, 0666 & ~mask) != 0 ? -errno : 0; /* as of any new file */
        int written = write_to(fd, m);
        rc = rc < 0 ? rc : written;
        rc = rc == 0 && rename(beside, path) != 0 ? -errno : rc;
        if (rc < 0) {
            (void)unlink(beside);
        }
    }
    free(beside);
    return rc;
}

/* ---- the blur ---- */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Rows of samples to rows of sums. */
static void along_rows(size_t begin, size_t end, void *ctx)
{
    const struct blur *b = ctx;
    const struct image *m = &b->image;
    size_t last = m->width - 1, r = b->radius;

    for (size_t row = begin; row < end; row++) {
        for (size_t c = 0; c < m->channels; c++) {
            size_t at = row * b->across + c; /* of the first pixel */
            size_t sum = (r + 1) * sample(m, at);
            for (size_t x = 1; x <= r; x++) {
                sum += sample(m, at + least(x, last) * m->channels);
            }
            for (size_t x = 0; x <= last; x++) {
                b->sums[at + x * m->channels] = (uint32_t)sum;
                sum += sample(m, at + least(x + r + 1, last) * m->channels);
                sum -= sample(m, at + (x > r ? x - r : 0) * m->channels);
            }
        }
    }
}

/* A tile of sums to samples. Its columns are samples of a row, whatever their colour. */
static void along_columns(const bg_range_2d *tile, void *ctx)
{
    const struct blur *b = ctx;
    size_t last = b->image.height - 1, r = b->radius, n = tile->column_end - tile->column_begin;
    const uint32_t *sums = b->sums + tile->column_begin;
    uint64_t square = (2 * (uint64_t)r + 1) * (2 * r + 1), sum[ACROSS] = {0};

    for (size_t k = 0; k <= 2 * r; k++) {
        size_t y = tile->row_begin + k; /* less r */
        const uint32_t *row = sums + (y > r ? least(y - r, last) : 0) * b->across;
        for (size_t i = 0; i < n; i++) {
            sum[i] += row[i];
        }
    }
    for (size_t y = tile->row_begin; y < tile->row_end; y++) {
        const uint32_t *comes = sums + least(y + r + 1, last) * b->across;
        const uint32_t *goes = sums + (y > r ? y - r : 0) * b->across;
        for (size_t i = 0; i < n; i++) {
            size_t mean = (size_t)((sum[i] + square / 2) / square);
            set_sample(&b->image, y * b->across + tile->column_begin + i, mean);
            sum[i] += comes[i];
            sum[i] -= goes[i];
        }
    }
}

static int blur(void *arg)
{
    struct blur *b = arg;
    bg_range_2d all = {.row_end = b->image.height, .column_end = b->across};
    int rc = bg_parallel_for(0, b->image.height, along_rows, b);
    if (rc == 0) { /* the first sums of a tile take 2 * radius rows: so it has more than that */
        rc = bg_parallel_for_2d(&all, along_columns, b, .rows = 4 * b->radius + 16,
                                .columns = ACROSS);
    }
    return rc;
}

int main(int argc, char *argv[])
{
    struct blur b = {.radius = 0};
    char *end = "";
    long radius = argc == 4 ? strtol(argv[1], &end, 10) : -1;
    if (*end != '\0' || radius < 0 || radius > WIDEST || end == argv[1]) {
        (void)fprintf(stderr, "usage: blur RADIUS, 0 to %d, IN OUT\n", WIDEST);
        return 2;
    }
    const char *path = argv[2], *wrong = load(path, &b.image);
    if (wrong == NULL) {
        b.radius = (size_t)radius;
        b.across = b.image.width * b.image.channels;
        b.sums = malloc(b.across * b.image.height * sizeof *b.sums);
        int rc = b.sums != NULL ? bg_run(blur, &b) : -ENOMEM;
        if (rc == 0) {
            path = argv[3];
            rc = save(path, &b.image);
        }
        wrong = rc < 0 ? bg_strerror(rc) : NULL;
    }
    free(b.sums);
    free(b.image.samples);
    if (wrong != NULL) {
        (void)fprintf(stderr, "blur: %s: %s\n", path, wrong);
    }
    return wrong != NULL;
}

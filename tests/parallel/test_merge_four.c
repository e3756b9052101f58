/*
 * Merging four sequences at once: against an oracle, of any lengths, divided anywhere, without
 * memory, stopped at any time, and with comparisons that are no order.
 */
#include "sorting.h"

#include "faults.h"
#include "parallel/sort.h"

enum { LONGEST = 4000, MOST = 4 * LONGEST };

struct item {
    uint32_t key, sequence, place;
};

static struct item items[MOST];
static struct item *from[MOST], *to[MOST];
static size_t asked, stop_from; /* 0: never */

static int by_item(const void *a, const void *b, void *ctx)
{
    const struct item *x = *(struct item *const *)a, *y = *(struct item *const *)b;
    (void)ctx;
    return (x->key > y->key) - (x->key < y->key);
}

static int by_chance(const void *a, const void *b, void *ctx)
{
    (void)a;
    (void)b;
    return (int)bgi_random_below(ctx, 3) - 1;
}

static int stopped(void *arg)
{
    (void)arg;
    return ++asked == stop_from;
}

/* Four sequences, one behind the other, sorted, of that many different keys. */
static size_t four_of(struct bgi_four *f, struct bgi_random *random, uint32_t keys)
{
    size_t all = 0;
    for (uint32_t s = 0; s < 4; s++) {
        size_t n = bgi_random_below(random, bgi_random_below(random, 3) == 0 ? 4 : LONGEST + 1);
        uint32_t key = 0;
        f->at[s] = (const char *)&from[all];
        f->n[s] = n;
        for (uint32_t i = 0; i < n; i++) {
            key += (uint32_t)(bgi_random_next(random) % 64 * keys / (64 * LONGEST / 32 + 1));
            items[all + i] = (struct item){key, s, i};
            from[all + i] = &items[all + i];
        }
        all += n;
    }
    f->out = (char *)to;
    return all;
}

/* In order; and what is equal, as it came. */
static int is_before(const struct item *a, const struct item *b)
{
    if (a->key != b->key) {
        return a->key < b->key;
    }
    return a->sequence != b->sequence ? a->sequence < b->sequence : a->place < b->place;
}

static void check_order(size_t n)
{
    for (size_t i = 1; i < n; i++) {
        CHECK(is_before(to[i - 1], to[i]));
    }
}

/* Each of all is in the output, once. */
static void check_all(size_t n)
{
    static unsigned char seen[MOST];
    memset(seen, 0, n);
    for (size_t i = 0; i < n; i++) {
        size_t k = (size_t)(to[i] - items);
        CHECK(k < n && !seen[k]);
        seen[k] = 1;
    }
}

static void merge(const struct bgi_order *o, const struct bgi_four *f)
{
    bgi_merge_four(o, bgi_merger_for(from, f->n[0], sizeof *from), f, stopped, NULL);
}

static const struct bgi_order order = {by_item, NULL, sizeof *from};

Test(merge_four, any_lengths)
{
    struct bgi_random random;
    struct bgi_four f, first, second;
    stop_from = 0;
    for (uint64_t seed = 1; seed <= MANY(600); seed++) {
        bgi_random_seed(&random, seed);
        size_t n = four_of(&f, &random, seed % 5 == 0 ? 0 : 1U << seed % 16);
        memset(to, 0, sizeof to);
        if (seed % 3 == 0) {
            bgi_fault_arm(BGI_FAULT_MALLOC | BGI_FAULT_FOREVER, 1);
        }
        merge(&order, &f);
        check_order(n);
        check_all(n);
        memset(to, 0, sizeof to);
        size_t k = bgi_random_below(&random, (uint32_t)n + 1);
        bgi_four_divide(&order, &f, k, &first, &second);
        merge(&order, &second);
        merge(&order, &first);
        bgi_fault_disarm();
        check_order(n);
        check_all(n);
    }
    NO_CHECK_FAILED();
}

Test(merge_four, stopped_at_any_time)
{
    struct bgi_random random;
    struct bgi_four f;
    for (uint64_t seed = 1; seed <= MANY(100); seed++) {
        asked = stop_from = 0;
        bgi_random_seed(&random, seed);
        size_t n = four_of(&f, &random, 1U << seed % 16);
        merge(&order, &f);
        check_order(n);
        size_t often = asked;
        for (size_t i = 1; i <= often; i++) {
            asked = 0;
            stop_from = i;
            memset(to, 0, sizeof to);
            merge(&order, &f);
            CHECK(asked == i);
            check_all(n);
        }
    }
    NO_CHECK_FAILED();
}

/* Nothing is lost. */
Test(merge_four, comparisons_that_are_no_order)
{
    struct bgi_random random;
    struct bgi_four f, first, second;
    const struct bgi_order none = {by_chance, &random, sizeof *from};
    stop_from = 0;
    for (uint64_t seed = 1; seed <= MANY(200); seed++) {
        bgi_random_seed(&random, seed);
        size_t n = four_of(&f, &random, 1000);
        bgi_four_divide(&none, &f, bgi_random_below(&random, (uint32_t)n + 1), &first, &second);
        merge(&none, &first);
        merge(&none, &second);
        check_all(n);
    }
    NO_CHECK_FAILED();
}

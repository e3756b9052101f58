/*
 * Channels, locks, timed waits and joins of Boost.Fiber. Its buffered channel keeps one slot of a
 * power of two free, so that one of 64 holds 63 and one of 2 holds 1. There is no select and no
 * group: children are joined one after another.
 */
#include "boost_fiber.hpp"

#include <algorithm>
#include <optional>

template <typename Channel>
static int64_t ping_pong(int64_t n, int64_t workers, Channel &there, Channel &back)
{
    uint64_t wrong = 0;
    int64_t start = bm_spent(workers);
    fib::fiber ping([&] {
        for (uint64_t i = 0; i < uint64_t(n); i++) {
            there.push(i);
            wrong |= back.value_pop() ^ i;
        }
    });
    fib::fiber pong([&] {
        for (int64_t i = 0; i < n; i++)
            back.push(there.value_pop());
    });
    ping.join();
    pong.join();
    int64_t took = bm_spent(workers) - start;
    return wrong ? -1 : took;
}

int ping_pong(int argc, char **argv)
{
    int64_t n = bm_arg(argc, argv, "count", 500000), workers = bm_arg(argc, argv, "workers", 1);
    std::optional<second_worker> other;
    if (workers == 2)
        other.emplace();
    fib::buffered_channel<uint64_t> one_there(2), one_back(2);
    int64_t one = ping_pong(n, workers, one_there, one_back);
    fib::unbuffered_channel<uint64_t> there, back;
    int64_t rendezvous = ping_pong(n, workers, there, back);
    if (one < 0 || rendezvous < 0)
        return bm_fail("a message was lost");
    bm_metric("one_ns", double(one) / double(2 * n), "ns");
    bm_metric("rendezvous_ns", double(rendezvous) / double(2 * n), "ns");
    return BM_OK;
}

static int64_t fan(uint64_t each, size_t slots, int64_t workers)
{
    fib::buffered_channel<uint64_t> channel(slots);
    std::atomic<uint64_t> sum{0};
    std::vector<fib::fiber> producers, consumers;
    int64_t start = bm_spent(workers);
    for (int i = 0; i < 4; i++)
        consumers.emplace_back([&] {
            uint64_t mine = 0, v = 0;
            while (channel.pop(v) == fib::channel_op_status::success)
                mine += v;
            sum += mine;
        });
    for (int i = 0; i < 4; i++)
        producers.emplace_back([&] {
            for (uint64_t k = 1; k <= each; k++)
                channel.push(k);
        });
    for (auto &p : producers)
        p.join();
    channel.close();
    for (auto &c : consumers)
        c.join();
    int64_t took = bm_spent(workers) - start;
    return sum == 4 * (each * (each + 1) / 2) ? took : -1;
}

int fan(int argc, char **argv)
{
    int64_t n = bm_arg(argc, argv, "count", 1000000) / 4, few = n / 4 + 1;
    int64_t workers = bm_arg(argc, argv, "workers", 1);
    std::optional<second_worker> other;
    if (workers == 2)
        other.emplace();
    int64_t many = fan(uint64_t(n), size_t(bm_arg(argc, argv, "capacity", 64)), workers);
    int64_t one = fan(uint64_t(few), 2, workers);
    if (many < 0 || one < 0)
        return bm_fail("an item was lost or came twice");
    bm_metric("item_ns", double(many) / double(4 * n), "ns");
    bm_metric("one_ns", double(one) / double(4 * few), "ns");
    return BM_OK;
}

int mutex(int argc, char **argv)
{
    int64_t n = bm_arg(argc, argv, "count", 2000000);
    fib::mutex lock;
    int64_t start = bm_spent(1);
    for (int64_t i = 0; i < n; i++) {
        lock.lock();
        lock.unlock();
    }
    bm_metric("pair_ns", double(bm_spent(1) - start) / double(n), "ns");
    return BM_OK;
}

int mutex_contended(int argc, char **argv)
{
    int64_t n = bm_arg(argc, argv, "count", 1000000) / BM_TASKS;
    second_worker other;
    fib::mutex lock;
    bm_guarded g = BM_GUARDED;
    std::vector<fib::fiber> fibers;
    int64_t start = bm_now(), cpu = bm_clock(CLOCK_PROCESS_CPUTIME_ID);
    for (size_t t = 0; t < BM_TASKS; t++)
        fibers.emplace_back([&, t] {
            for (int64_t i = 0; i < n; i++) {
                lock.lock();
                bm_guarded_step(&g, t);
                lock.unlock();
            }
            lock.lock();
            bm_guarded_end(&g);
            lock.unlock();
        });
    for (auto &f : fibers)
        f.join();
    return bm_guarded_report(&g, n, bm_now() - start, bm_clock(CLOCK_PROCESS_CPUTIME_ID) - cpu);
}

int scope(int argc, char **argv)
{
    enum { ROUNDS = 1000 };
    size_t blocks = size_t(bm_arg(argc, argv, "count", 200000)) / (2 * ROUNDS) + 1;
    std::vector<int64_t> bare(blocks), scoped(blocks);
    fib::buffered_channel<uint64_t> there(2), back(2), own(2);
    auto success = fib::channel_op_status::success;
    auto limit = std::chrono::seconds(10);
    bool ok = true;
    fib::fiber partner([&] {
        for (size_t i = 0; i < 2 * blocks * ROUNDS; i++) {
            there.push(i);
            back.value_pop();
        }
    });
    for (size_t i = 0; i < blocks; i++) {
        uint64_t v = 0;
        int64_t start = bm_now();
        for (int k = 0; k < ROUNDS; k++) {
            ok &= there.pop(v) == success;
            back.push(v);
        }
        bare[i] = bm_now() - start;
        start = bm_now();
        for (int k = 0; k < ROUNDS; k++) {
            ok &= there.pop_wait_for(v, limit) == success;
            back.push(v);
        }
        scoped[i] = bm_now() - start;
    }
    partner.join();
    double waits = bm_added(bare.data(), scoped.data(), blocks) / ROUNDS;
    double base = bm_median(bare.data(), blocks) / ROUNDS;
    for (size_t i = 0; i < blocks; i++) {
        uint64_t v = 0;
        int64_t start = bm_now();
        for (uint64_t k = 0; k < ROUNDS; k++) {
            own.push(k);
            ok &= own.pop(v) == success;
        }
        bare[i] = bm_now() - start;
        start = bm_now();
        for (uint64_t k = 0; k < ROUNDS; k++) {
            own.push(k);
            ok &= own.pop_wait_for(v, limit) == success;
        }
        scoped[i] = bm_now() - start;
    }
    if (!ok)
        return bm_fail("a timeout fired early");
    bm_metric("added_ns", waits, "ns");
    bm_metric("ready_ns", bm_added(bare.data(), scoped.data(), blocks) / ROUNDS, "ns");
    bm_metric("bare_ns", base, "ns");
    printf("note a timed wait, not a scope\n");
    return BM_OK;
}

int group(int argc, char **argv)
{
    enum { CHILDREN = 100 };
    int64_t n = bm_arg(argc, argv, "count", 200000) / CHILDREN, ran = 0;
    fib::pooled_fixedsize_stack stacks;
    std::vector<fib::fiber> children(CHILDREN);
    int64_t start = bm_spent(1);
    for (int64_t i = 0; i < n; i++) {
        for (auto &c : children)
            c = fib::fiber(std::allocator_arg, stacks, [&ran] { ran++; });
        for (auto &c : children)
            c.join();
    }
    int64_t took = bm_spent(1) - start;
    if (ran != n * CHILDREN)
        return bm_fail("not every child ran");
    bm_metric("each_ns", double(took) / double(n * CHILDREN), "ns");
    printf("note fibers joined one after another: there is no group\n");
    return BM_OK;
}

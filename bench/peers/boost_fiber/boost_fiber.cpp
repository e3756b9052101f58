/*
 * Boost.Fiber: stackful fibers. One worker runs the default round-robin scheduler; two run its
 * work_stealing one. Fibers get the stacks and the launch policy a user gets without asking,
 * except for spawn_await, where the pooled allocator that its documentation recommends is used.
 *
 * It has no timer of its own: its timeout is a whole timed wait that another fiber ends.
 */
#include "boost_fiber.hpp"

#include <boost/version.hpp>
#include <chrono>

using steady = std::chrono::steady_clock;

static steady::time_point at(int64_t ns)
{
    return steady::time_point(std::chrono::nanoseconds(ns));
}

static void yield_up(int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        boost::this_fiber::yield();
}

static void yield_down(int64_t n)
{
    for (; n >= 2; n -= 2) {
        boost::this_fiber::yield();
        boost::this_fiber::yield();
    }
    if (n)
        boost::this_fiber::yield();
}

static int yields(int argc, char **argv, void (*second)(int64_t))
{
    int64_t n = bm_arg(argc, argv, "count", 2000000);
    int64_t start = bm_now();
    fib::fiber a(yield_up, n), b(second, n);
    a.join();
    b.join();
    bm_metric("switch_ns", double(bm_now() - start) / (2 * double(n)), "ns");
    return BM_OK;
}

static int spawn_await(int argc, char **argv)
{
    int64_t n = bm_arg(argc, argv, "count", 1000000);
    fib::pooled_fixedsize_stack stacks;
    int64_t start = bm_now();
    for (int64_t i = 0; i < n; i++)
        fib::fiber(std::allocator_arg, stacks, [] {}).join();
    bm_metric("each_ns", double(bm_now() - start) / double(n), "ns");
    return BM_OK;
}

static int spawn_gather(int argc, char **argv)
{
    size_t n = size_t(bm_arg(argc, argv, "count", 100000)), ran = 0;
    std::vector<fib::fiber> fibers(n);
    double took[2], bytes = 0;
    for (int round = 0; round < 2; round++) {
        double base = bm_rss();
        ran = 0;
        int64_t start = bm_now();
        for (size_t i = 0; i < n; i++)
            fibers[i] = fib::fiber([&ran] { ran++; });
        if (ran)
            return bm_fail("a fiber ran before all were spawned");
        if (round == 0)
            bytes = bm_rss() - base;
        for (size_t i = 0; i < n; i++)
            fibers[i].join();
        took[round] = double(bm_now() - start);
    }
    bm_metric("each_ns", took[0] / double(n), "ns");
    bm_metric("again_ns", took[1] / double(n), "ns");
    bm_metric("bytes_each", bytes / double(n), "B");
    bm_metric("count", double(n), "fibers");
    return BM_OK;
}

static int sleepers(int argc, char **argv)
{
    size_t n = size_t(bm_arg(argc, argv, "count", 200000));
    int64_t margin = bm_arg(argc, argv, "margin_ms", 4000) * BM_MS;
    std::vector<fib::fiber> fibers(n);
    int64_t *late = static_cast<int64_t *>(bm_touched(n, sizeof *late));
    std::atomic<size_t> begun{0};
    second_worker other;
    double base = bm_rss();
    int64_t start = bm_now(), instant = start + margin;
    for (size_t i = 0; i < n; i++)
        fibers[i] = fib::fiber([&begun, instant, slot = &late[i]] {
            begun.fetch_add(1);
            boost::this_fiber::sleep_until(at(instant));
            *slot = bm_now() - instant;
        });
    while (begun.load() < n && bm_now() < instant - 100 * BM_MS)
        boost::this_fiber::sleep_for(std::chrono::milliseconds(2));
    int64_t asleep = bm_now();
    bool all = begun.load() == n && asleep < instant - 50 * BM_MS;
    boost::this_fiber::sleep_for(std::chrono::milliseconds(20));
    double bytes = bm_rss() - base;
    for (size_t i = 0; i < n; i++)
        fibers[i].join();
    if (!all)
        return BM_MARGIN;
    bm_metric("bytes_each", bytes / double(n), "B");
    bm_percentiles("late_", late, n);
    bm_metric("asleep_ms", double(asleep - start) / 1e6, "ms");
    bm_metric("count", double(n), "fibers");
    return BM_OK;
}

static int timeout(int argc, char **argv)
{
    int64_t n = bm_arg(argc, argv, "count", 500000), live = bm_arg(argc, argv, "live", 0);
    if (bm_arg(argc, argv, "workers", 1) != 1)
        return bm_cannot("its timed waits are measured on one worker only");
    fib::mutex lock;
    fib::condition_variable changed, over;
    bool done = false;
    int64_t turn = 0;
    std::vector<fib::fiber> others;
    for (int64_t i = 0; i < live; i++)
        others.emplace_back([&, i] {
            std::unique_lock<fib::mutex> hold(lock);
            over.wait_until(hold, at(bm_now() + bm_live_delay(size_t(i), size_t(live))),
                            [&done] { return done; });
        });
    boost::this_fiber::yield();
    int64_t start = 0, end = 0;
    fib::fiber waiter([&] {
        std::unique_lock<fib::mutex> hold(lock);
        start = bm_now();
        for (int64_t i = 0; i < n; i++)
            if (!changed.wait_until(hold, at(start + bm_pair_delay(uint64_t(i))),
                                    [&] { return turn > i; }))
                abort();
        end = bm_now();
    });
    fib::fiber waker([&] {
        for (int64_t i = 0; i < n; i++) {
            std::unique_lock<fib::mutex> hold(lock);
            turn++;
            changed.notify_one();
            hold.unlock();
            boost::this_fiber::yield();
        }
    });
    waiter.join();
    waker.join();
    {
        std::unique_lock<fib::mutex> hold(lock);
        done = true;
    }
    over.notify_all();
    for (auto &f : others)
        f.join();
    bm_metric("pair_ns", double(end - start) / double(n), "ns");
    printf("note a whole timed wait ended by another fiber: two switches are in it\n");
    return BM_OK;
}

static int hogs(int argc, char **argv)
{
    size_t n = size_t(bm_arg(argc, argv, "hogs", 4));
    int64_t cpu = bm_arg(argc, argv, "hog_ms", 1000) * BM_MS;
    std::atomic<size_t> left{n};
    std::vector<int64_t> late;
    late.reserve(1000000);
    second_worker other;
    std::vector<fib::fiber> fibers;
    int64_t start = bm_now();
    fibers.emplace_back([&] {
        while (left.load() && late.size() < late.capacity()) {
            int64_t before = bm_now();
            boost::this_fiber::sleep_for(std::chrono::milliseconds(1));
            late.push_back(bm_now() - before - BM_MS);
        }
    });
    for (size_t i = 0; i < n; i++)
        fibers.emplace_back([&] {
            bm_burn(cpu);
            left.fetch_sub(1);
        });
    for (auto &f : fibers)
        f.join();
    bm_metric("wall_ms", double(bm_now() - start) / 1e6, "ms");
    bm_metric("samples", double(late.size()), "sleeps");
    bm_percentiles("", late.data(), late.size());
    return BM_OK;
}

int main(int argc, char **argv)
{
    std::string what = argc > 1 ? argv[1] : "";
    if (what == "version") {
        printf("Boost.Fiber %d.%d.%d\n", BOOST_VERSION / 100000, BOOST_VERSION / 100 % 1000,
               BOOST_VERSION % 100);
        return BM_OK;
    }
    if (what == "yield_same")
        return yields(argc, argv, yield_up);
    if (what == "yield_diff")
        return yields(argc, argv, yield_down);
    if (what == "spawn_await")
        return spawn_await(argc, argv);
    if (what == "spawn_gather")
        return spawn_gather(argc, argv);
    if (what == "sleepers")
        return sleepers(argc, argv);
    if (what == "timeout")
        return timeout(argc, argv);
    if (what == "hog")
        return hogs(argc, argv);
    if (what == "pingpong")
        return ping_pong(argc, argv);
    if (what == "fan")
        return fan(argc, argv);
    if (what == "mutex")
        return mutex(argc, argv);
    if (what == "mutex_8")
        return mutex_contended(argc, argv);
    if (what == "scope")
        return scope(argc, argv);
    if (what == "group")
        return group(argc, argv);
    return bm_cannot("Boost.Fiber has no such thing");
}

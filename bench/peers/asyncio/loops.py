"""asyncio's side of the micro benchmarks, on asyncio's own loop or, with loop=uvloop, on uvloop's.

The protocol and the deadlines are those of bench/micro/measure.h. There is one thread, whatever
workers says, and the counts are smaller by default, since a million takes too long here; every
figure is for each one, and the count is printed with it.
"""

import asyncio
import os
import sys
import time

sys.dont_write_bytecode = True  # nothing is left in the source tree

import sync

CANNOT, TOO_SHORT = 2, 3
PAGE = os.sysconf("SC_PAGESIZE")
ARGS = dict(a.split("=", 1) for a in sys.argv[2:] if "=" in a)


def arg(key, fallback):
    return int(ARGS.get(key, fallback))


def metric(name, value, unit):
    print(f"{name} {value:.4f} {unit}")


def rss():
    with open("/proc/self/statm", encoding="ascii") as f:
        return int(f.read().split()[1]) * PAGE


def percentiles(prefix, seconds):
    if not seconds:
        return
    seconds.sort()
    last = len(seconds) - 1
    metric(prefix + "p50", seconds[last // 2] * 1e3, "ms")
    metric(prefix + "p99", seconds[(len(seconds) * 99 + 99) // 100 - 1] * 1e3, "ms")
    metric(prefix + "max", seconds[last] * 1e3, "ms")


async def yield_up(n):
    for _ in range(n):
        await asyncio.sleep(0)


async def yield_down(n):
    while n >= 2:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        n -= 2


async def yields(second):
    n = arg("count", 100000)
    start = time.perf_counter_ns()
    await asyncio.gather(yield_up(n), second(n))
    metric("switch_ns", (time.perf_counter_ns() - start) / (2 * n), "ns")


async def empty():
    pass


async def spawn_await():
    n = arg("count", 50000)
    start = time.perf_counter_ns()
    for _ in range(n):
        await asyncio.create_task(empty())
    metric("each_ns", (time.perf_counter_ns() - start) / n, "ns")


async def spawn_gather():
    n = arg("count", 100000)
    took = []
    each = 0
    for _ in range(2):
        tasks = [None] * n
        base = rss()
        start = time.perf_counter_ns()
        for i in range(n):
            tasks[i] = asyncio.create_task(empty())
        each = each or (rss() - base) / n
        await asyncio.gather(*tasks)
        took.append((time.perf_counter_ns() - start) / n)
    metric("each_ns", took[0], "ns")
    metric("again_ns", took[1], "ns")
    metric("bytes_each", each, "B")
    metric("count", n, "tasks")


async def sleepers():
    n = arg("count", 100000)
    late = [0.0] * n
    tasks = [None] * n
    begun = 0

    async def sleeper(i):
        nonlocal begun
        begun += 1
        await asyncio.sleep(instant - time.monotonic())
        late[i] = time.monotonic() - instant

    base = rss()
    start = time.monotonic()
    instant = start + arg("margin_ms", 3000) / 1e3
    for i in range(n):
        tasks[i] = asyncio.create_task(sleeper(i))
    while begun < n and time.monotonic() < instant - 0.1:
        await asyncio.sleep(0.002)
    asleep = time.monotonic()
    everyone = begun == n and asleep < instant - 0.05
    await asyncio.sleep(0.02)
    each = (rss() - base) / n
    await asyncio.gather(*tasks)
    if not everyone:
        return TOO_SHORT
    metric("bytes_each", each, "B")
    percentiles("late_", late)
    metric("asleep_ms", (asleep - start) * 1e3, "ms")
    metric("count", n, "tasks")
    print("note one thread")


async def after():
    n = arg("count", 200000)
    margin = arg("margin_ms", 2500) / 1e3
    loop = asyncio.get_running_loop()
    fired = 0

    def called():
        nonlocal fired
        fired += 1

    base = rss()
    start = time.perf_counter_ns()
    for _ in range(n):
        loop.call_later(margin, called)
    added = time.perf_counter_ns() - start
    each = (rss() - base) / n
    if added / 1e9 > margin:
        return TOO_SHORT
    while fired < n:
        await asyncio.sleep(0.005)
    metric("bytes_each", each, "B")
    metric("add_ns", added / n, "ns")
    metric("count", n, "callbacks")


async def timeout():
    n = arg("count", 100000)
    live = arg("live", 0)
    if arg("workers", 1) > 1:
        print("cannot one thread")
        return CANNOT
    loop = asyncio.get_running_loop()

    def never():
        os.abort()

    others = [loop.call_later(10 + (i * 65536 // live) / 1e3, never) for i in range(live)]
    start = time.perf_counter_ns()
    for i in range(n):
        loop.call_later(10 + (i * 40503 & 65535) / 1e3, never).cancel()
    took = time.perf_counter_ns() - start
    for handle in others:
        handle.cancel()
    metric("pair_ns", took / n, "ns")


def burn(seconds):
    x = 88172645463325252
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        for _ in range(100):
            x ^= (x << 13) & 0xFFFFFFFFFFFFFFFF
            x ^= x >> 7
            x ^= (x << 17) & 0xFFFFFFFFFFFFFFFF
    return x


async def hogs():
    left = n = arg("hogs", 4)
    seconds = arg("hog_ms", 1000) / 1e3
    late = []

    async def napper():
        while left > 0:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            late.append(time.perf_counter() - before - 0.001)

    async def hog():
        nonlocal left
        burn(seconds)
        left -= 1

    start = time.perf_counter()
    await asyncio.gather(napper(), *(hog() for _ in range(n)))
    metric("wall_ms", (time.perf_counter() - start) * 1e3, "ms")
    metric("samples", len(late), "sleeps")
    percentiles("", late)
    print("note one thread")


WORKLOADS = {
    "yield_same": lambda: yields(yield_up),
    "yield_diff": lambda: yields(yield_down),
    "spawn_await": spawn_await,
    "spawn_gather": spawn_gather,
    "sleepers": sleepers,
    "after": after,
    "timeout": timeout,
    "hog": hogs,
}


def main():
    what = sys.argv[1] if len(sys.argv) > 1 else ""
    name = ARGS.get("loop", "asyncio")
    version = "asyncio, Python " + sys.version.split()[0]
    if name == "uvloop":
        import uvloop

        uvloop.install()
        version = f"uvloop {uvloop.__version__}, Python " + sys.version.split()[0]
    if what == "version":
        print(version)
        return 0
    run = WORKLOADS.get(what) or sync.workload(what, arg, metric)
    if not run:
        print("cannot no such workload")
        return CANNOT
    return asyncio.run(run()) or 0


if __name__ == "__main__":
    sys.exit(main())

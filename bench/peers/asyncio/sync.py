"""Queues, locks, timeouts and groups of asyncio, for loops.py. Queues hold an item at least, so
there is no rendezvous; what needs asyncio.timeout and TaskGroup wants Python 3.11."""

import asyncio
import time

CANNOT, FAILED = 2, 1


def which(i):
    return i * 40503 >> 7 & 1


async def pingpong(arg, metric):
    n = arg("count", 50000)
    there, back = asyncio.Queue(1), asyncio.Queue(1)

    async def ping():
        for i in range(n):
            await there.put(i)
            if await back.get() != i:
                return False
        return True

    async def pong():
        for _ in range(n):
            await back.put(await there.get())

    start = time.process_time_ns()
    right, _ = await asyncio.gather(ping(), pong())
    metric("one_ns", (time.process_time_ns() - start) / (2 * n), "ns")
    return 0 if right else FAILED


async def fan_once(each, capacity):
    queue = asyncio.Queue(capacity)
    total = 0

    async def produce():
        for i in range(1, each + 1):
            await queue.put(i)

    async def consume():
        nonlocal total
        while v := await queue.get():
            total += v

    start = time.process_time_ns()
    consumers = [asyncio.create_task(consume()) for _ in range(4)]
    await asyncio.gather(*(produce() for _ in range(4)))
    for _ in consumers:
        await queue.put(0)
    await asyncio.gather(*consumers)
    took = time.process_time_ns() - start
    if total != 4 * (each * (each + 1) // 2):
        raise RuntimeError("an item was lost or came twice")
    return took / (4 * each)


async def fan(arg, metric):
    n = arg("count", 200000) // 4
    metric("item_ns", await fan_once(n, arg("capacity", 64)), "ns")
    metric("one_ns", await fan_once(n // 4 + 1, 1), "ns")


async def mutex(arg, metric):
    n = arg("count", 200000)
    lock = asyncio.Lock()
    start = time.process_time_ns()
    for _ in range(n):
        async with lock:
            pass
    metric("pair_ns", (time.process_time_ns() - start) / n, "ns")


def added(bare, scoped):
    differences = sorted(s - b for b, s in zip(bare, scoped))
    return differences[len(differences) // 2]


async def scope(arg, metric):
    if not hasattr(asyncio, "timeout"):
        print("cannot asyncio.timeout needs Python 3.11")
        return CANNOT
    rounds = 1000
    blocks = arg("count", 20000) // (2 * rounds) + 1
    there, back, own = asyncio.Queue(1), asyncio.Queue(1), asyncio.Queue(1)

    async def partner():
        for i in range(2 * blocks * rounds):
            await there.put(i)
            await back.get()

    async def waiter():
        bare, scoped = [], []
        for _ in range(blocks):
            start = time.perf_counter_ns()
            for _ in range(rounds):
                await back.put(await there.get())
            bare.append((time.perf_counter_ns() - start) / rounds)
            start = time.perf_counter_ns()
            for _ in range(rounds):
                async with asyncio.timeout(10):
                    v = await there.get()
                await back.put(v)
            scoped.append((time.perf_counter_ns() - start) / rounds)
        metric("added_ns", added(bare, scoped), "ns")
        metric("bare_ns", sorted(bare)[blocks // 2], "ns")
        bare, scoped = [], []
        for _ in range(blocks):
            start = time.perf_counter_ns()
            for k in range(rounds):
                await own.put(k)
                await own.get()
            bare.append((time.perf_counter_ns() - start) / rounds)
            start = time.perf_counter_ns()
            for k in range(rounds):
                await own.put(k)
                async with asyncio.timeout(10):
                    await own.get()
            scoped.append((time.perf_counter_ns() - start) / rounds)
        metric("ready_ns", added(bare, scoped), "ns")

    await asyncio.gather(partner(), waiter())


async def group(arg, metric):
    if not hasattr(asyncio, "TaskGroup"):
        print("cannot asyncio.TaskGroup needs Python 3.11")
        return CANNOT
    children = 100
    n = arg("count", 20000) // children
    ran = 0

    async def child():
        nonlocal ran
        ran += 1

    start = time.process_time_ns()
    for _ in range(n):
        async with asyncio.TaskGroup() as g:
            for _ in range(children):
                g.create_task(child())
    metric("each_ns", (time.process_time_ns() - start) / (n * children), "ns")
    return 0 if ran == n * children else FAILED


async def select(arg, metric):
    """The nearest to a select: two getters, and another for the one that was taken."""
    n = arg("count", 10000)
    ways = asyncio.Queue(1), asyncio.Queue(1)
    acks = asyncio.Queue(1)
    getters = [asyncio.create_task(q.get()) for q in ways]
    right = True

    async def either():
        done, _ = await asyncio.wait(getters, return_when=asyncio.FIRST_COMPLETED)
        for g in done:
            at = getters.index(g)
            getters[at] = asyncio.create_task(ways[at].get())
            return g.result()

    start = time.process_time_ns()
    for i in range(n):
        await ways[which(i)].put(i)
        right = right and await either() == i
    metric("ready_ns", (time.process_time_ns() - start) / n, "ns")

    async def partner():
        for i in range(n):
            await ways[which(i)].put(i)
            await acks.get()

    start = time.process_time_ns()
    other = asyncio.create_task(partner())
    for i in range(n):
        right = right and await either() == i
        await acks.put(i)
    await other
    metric("woken_ns", (time.process_time_ns() - start) / n, "ns")
    for g in getters:
        g.cancel()
    print("note tasks that get and asyncio.wait: there is no select")
    return 0 if right else FAILED


async def blocking(arg, metric):
    n = arg("count", 5000)
    ran = 0

    def call():
        nonlocal ran
        ran += 1

    start = time.perf_counter_ns()
    for _ in range(n):
        await asyncio.to_thread(call)
    metric("trip_ns", (time.perf_counter_ns() - start) / n, "ns")
    return 0 if ran == n else FAILED


async def one_thread(arg, metric):
    print("cannot one thread")
    return CANNOT


WORKLOADS = {
    "pingpong": pingpong,
    "fan": fan,
    "mutex": mutex,
    "mutex_8": one_thread,
    "scope": scope,
    "group": group,
    "select": select,
    "blocking": blocking,
}


def workload(what, arg, metric):
    """The coroutine function of what, None when it is not one of these."""
    run = WORKLOADS.get(what)
    if run and arg("workers", 1) > 1:
        run = one_thread
    return run and (lambda: run(arg, metric))

"""The asyncio side of brigade-contrast: the same tasks, with the standard library alone.

Arguments: job (cpu, io, mixed), number of tasks, wait in ns, descriptor of the task list
(slot number, size and path, each ended by a zero byte), descriptor of the shared slots, offset of
the first slot, port of the server to wait for (0: to sleep). A slot is a 32-bit status (1 hashed, below zero a negative errno) and 32 bytes of
digest. Prints one line of JSON: what it measured around asyncio.run().
"""

import asyncio
import errno
import hashlib
import json
import mmap
import os
import resource
import stat
import struct
import sys
import time

SLOT = struct.Struct("=i32s")
CHUNK = 64 * 1024


def hash_file(path, size):
    """(1, digest) of exactly the `size` bytes the file had when listed, or (-errno, zeros)."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NOCTTY | os.O_NONBLOCK
    try:
        fd = os.open(path, flags)
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                return -errno.EINVAL, b""
            digest = hashlib.sha256()
            left = size
            while True:
                data = os.read(fd, min(CHUNK, left + 1))
                if not data:
                    break
                if len(data) > left:
                    return -errno.ESTALE, b""
                digest.update(data)
                left -= len(data)
            return (1, digest.digest()) if left == 0 else (-errno.ESTALE, b"")
        finally:
            os.close(fd)
    except OSError as error:
        return -error.errno, b""


def status_field(key):
    with open("/proc/self/status", encoding="ascii", errors="replace") as lines:
        for line in lines:
            if line.startswith(key + ":"):
                return int(line.split()[1])
    return 0


def cpu_ns():
    total = 0.0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        usage = resource.getrusage(who)
        total += usage.ru_utime + usage.ru_stime
    return round(total * 1e9)


class Job:
    def __init__(self, kind, tasks, wait_ns, files, slots, offset, port):
        self.waits = kind != "cpu"
        self.hashes = kind != "io"
        self.tasks = tasks
        self.wait = wait_ns / 1e9
        self.files = files
        self.slots = slots
        self.offset = offset
        self.port = port
        self.waiting = self.peak = self.done = 0

    async def fetch(self):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(12)
        writer.close()
        if not head.startswith(b"HTTP/1.1 200 ") or body != b"hello, world":
            raise OSError(errno.EPROTO, "not the answer of the server")

    async def task(self, i):
        if self.waits:
            self.waiting += 1
            self.peak = max(self.peak, self.waiting)
            await (self.fetch() if self.port else asyncio.sleep(self.wait))
            self.waiting -= 1
        if self.hashes:
            slot, size, path = self.files[i]
            SLOT.pack_into(self.slots, self.offset + slot * SLOT.size, *hash_file(path, size))
        self.done += 1

    async def main(self):
        await asyncio.gather(*[asyncio.create_task(self.task(i)) for i in range(self.tasks)])


def read_list(fd):
    with open(fd, "rb") as source:
        fields = source.read().split(b"\0")
    return [(int(fields[i]), int(fields[i + 1]), fields[i + 2])
            for i in range(0, len(fields) - 1, 3)]


def run(kind, tasks, wait_ns, list_fd, slots_fd, offset, port):
    files = read_list(list_fd)
    with mmap.mmap(slots_fd, 0) as slots:
        job = Job(kind, tasks, wait_ns, files, slots, offset, port)
        cpu, wall = cpu_ns(), time.monotonic_ns()
        asyncio.run(job.main())
        wall, cpu = time.monotonic_ns() - wall, cpu_ns() - cpu
    print(json.dumps({
        "wall_ns": wall,
        "cpu_ns": cpu,
        "tasks_done": job.done,
        "peak_memory_bytes": status_field("VmHWM") * 1024,
        "threads": status_field("Threads"),
        "waiting_at_once": job.peak,
        "python": sys.version.split()[0],
    }))


if __name__ == "__main__":
    run(sys.argv[1], *map(int, sys.argv[2:8]))

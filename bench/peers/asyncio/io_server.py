"""asyncio's server of the I/O benchmarks, by its protocols (streams are slower); with loop=uvloop on
uvloop. The protocol with the load is that of bench/io/server.h."""

import asyncio
import sys


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


async def serve():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", 0, backlog=4096)
    print("port", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main():
    what = sys.argv[1] if len(sys.argv) > 1 else ""
    version = "asyncio, Python " + sys.version.split()[0]
    run = asyncio.run
    if "loop=uvloop" in sys.argv:
        import uvloop

        version = f"uvloop {uvloop.__version__}, Python " + sys.version.split()[0]
        run = uvloop.run
    if what == "version":
        print(version)
    elif what == "echo":
        run(serve())
    else:
        sys.exit(2)


if __name__ == "__main__":
    main()

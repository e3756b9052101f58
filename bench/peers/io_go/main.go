// Go's servers of the I/O benchmarks: a goroutine for each connection, and net/http. The protocol is
// that of bench/io/server.h.
package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

func listen() net.Listener {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("port %d\n", l.Addr().(*net.TCPAddr).Port)
	return l
}

func echo(c net.Conn) {
	defer c.Close()
	buffer := make([]byte, 512)
	for {
		n, err := c.Read(buffer)
		if err != nil {
			return
		}
		if _, err := c.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// CLOCK_MONOTONIC, which the load stamps with; Go's own is not to be had as a number.
func now() int64 {
	var ts syscall.Timespec
	syscall.Syscall(syscall.SYS_CLOCK_GETTIME, 1, uintptr(unsafe.Pointer(&ts)), 0)
	return ts.Nano()
}

func tellAge(c net.Conn) {
	defer c.Close()
	stamp := make([]byte, 8)
	for {
		if _, err := io.ReadFull(c, stamp); err != nil {
			return
		}
		age := now() - int64(binary.LittleEndian.Uint64(stamp))
		binary.LittleEndian.PutUint64(stamp, uint64(age))
		if _, err := c.Write(stamp); err != nil {
			return
		}
	}
}

var sink uint64

func compute() {
	x := uint64(88172645463325252)
	for {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		if x == 0 {
			sink = x
		}
	}
}

func serve(l net.Listener, f func(net.Conn)) {
	for {
		c, err := l.Accept()
		if err != nil {
			time.Sleep(time.Millisecond)
			continue
		}
		go f(c)
	}
}

func main() {
	if len(os.Args) < 2 {
		os.Exit(2)
	}
	workers := 1
	for _, a := range os.Args[2:] {
		if v, found := strings.CutPrefix(a, "workers="); found {
			workers, _ = strconv.Atoi(v)
		}
	}
	runtime.GOMAXPROCS(workers)
	switch os.Args[1] {
	case "version":
		fmt.Println(runtime.Version())
	case "echo":
		serve(listen(), echo)
	case "late":
		for i := 0; i < 4; i++ {
			go compute()
		}
		serve(listen(), tellAge)
	case "http":
		http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "hello\n")
		})
		fmt.Fprintln(os.Stderr, http.Serve(listen(), nil))
		os.Exit(1)
	default:
		os.Exit(2)
	}
}

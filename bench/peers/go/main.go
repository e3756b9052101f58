// Go's side of the micro benchmarks: goroutines, time.Sleep, time.AfterFunc.
// The protocol and the deadlines are those of bench/micro/measure.h.
//
// The scheduler preempts after 10 ms, so a million goroutines are never all alive before any has
// run unless they wait: spawn_gather's goroutines wait at a gate that opens when all are there, and
// early_ns says what it costs without.
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

const (
	failed   = 1
	cannot   = 2
	tooShort = 3
	ms       = int64(time.Millisecond)
)

var args = map[string]int64{}

func arg(key string, fallback int64) int64 {
	if v, ok := args[key]; ok {
		return v
	}
	return fallback
}

func metric(name string, value float64, unit string) {
	fmt.Printf("%s %.4f %s\n", name, value, unit)
}

func fail(format string, a ...interface{}) int {
	fmt.Fprintf(os.Stderr, format+"\n", a...)
	return failed
}

// Resident bytes.
func rss() float64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	pages, _ := strconv.ParseFloat(strings.Fields(string(text))[1], 64)
	return pages * float64(os.Getpagesize())
}

func baseline() float64 {
	debug.FreeOSMemory()
	return rss()
}

var epoch = time.Now()

func now() int64 { return int64(time.Since(epoch)) }

// The CPU time of the process where one worker computes all the time, else the time.
func spent(workers int64) int64 {
	if workers != 1 {
		return now()
	}
	const clockProcessCPU = 2
	var ts syscall.Timespec
	syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockProcessCPU, uintptr(unsafe.Pointer(&ts)), 0)
	return ts.Nano()
}

// Zeroed and touched, so that it belongs to the baseline.
func touched(n int64) []int64 {
	s := make([]int64, n)
	for i := range s {
		s[i] = 1
	}
	for i := range s {
		s[i] = 0
	}
	return s
}

func percentiles(prefix string, ns []int64) {
	if len(ns) == 0 {
		return
	}
	sort.Slice(ns, func(a, b int) bool { return ns[a] < ns[b] })
	last := len(ns) - 1
	metric(prefix+"p50", float64(ns[last/2])/1e6, "ms")
	metric(prefix+"p99", float64(ns[(len(ns)*99+99)/100-1])/1e6, "ms")
	metric(prefix+"max", float64(ns[last])/1e6, "ms")
}

//go:noinline
func yieldUp(n int64, wg *sync.WaitGroup) {
	for i := int64(0); i < n; i++ {
		runtime.Gosched()
	}
	wg.Done()
}

//go:noinline
func yieldDown(n int64, wg *sync.WaitGroup) {
	for ; n >= 2; n -= 2 {
		runtime.Gosched()
		runtime.Gosched()
	}
	wg.Done()
}

func yields(second func(int64, *sync.WaitGroup)) int {
	n := arg("count", 2000000)
	var wg sync.WaitGroup
	wg.Add(2)
	start := now()
	go yieldUp(n, &wg)
	go second(n, &wg)
	wg.Wait()
	metric("switch_ns", float64(now()-start)/float64(2*n), "ns")
	return 0
}

func spawnAwait() int {
	n := arg("count", 1000000)
	done := make(chan struct{})
	start := now()
	for i := int64(0); i < n; i++ {
		go func() { done <- struct{}{} }()
		<-done
	}
	metric("each_ns", float64(now()-start)/float64(n), "ns")
	return 0
}

func spawnGather() int {
	n := arg("count", 1000000)
	var took [3]float64 // cold, again, and a third time without the gate
	var bytes float64
	for round := range took {
		base := baseline()
		var wg sync.WaitGroup
		gate := make(chan struct{})
		wg.Add(int(n))
		start := now()
		for i := int64(0); i < n; i++ {
			if round == 2 {
				go wg.Done()
				continue
			}
			go func() {
				<-gate
				wg.Done()
			}()
		}
		if round == 0 {
			bytes = rss() - base
		}
		close(gate)
		wg.Wait()
		took[round] = float64(now() - start)
	}
	metric("each_ns", took[0]/float64(n), "ns")
	metric("again_ns", took[1]/float64(n), "ns")
	metric("early_ns", took[2]/float64(n), "ns")
	metric("bytes_each", bytes/float64(n), "B")
	metric("count", float64(n), "goroutines")
	fmt.Printf("note goroutines wait at a gate until all are alive, since Go preempts the spawner; "+
		"%.0f ns each when they may run early\n", took[2]/float64(n))
	return 0
}

func sleepers() int {
	n := arg("count", 1000000)
	margin := arg("margin_ms", 5000) * ms
	late := touched(n)
	var begun int64
	var wg sync.WaitGroup
	wg.Add(int(n))
	base := baseline()
	start := now()
	instant := start + margin
	for i := int64(0); i < n; i++ {
		go func(slot *int64) {
			atomic.AddInt64(&begun, 1)
			time.Sleep(time.Duration(instant - now()))
			*slot = now() - instant
			wg.Done()
		}(&late[i])
	}
	for atomic.LoadInt64(&begun) < n && now() < instant-100*ms {
		time.Sleep(2 * time.Millisecond)
	}
	asleep := now()
	all := atomic.LoadInt64(&begun) == n && asleep < instant-50*ms
	time.Sleep(20 * time.Millisecond)
	bytes := rss() - base
	wg.Wait()
	if !all {
		return tooShort
	}
	metric("bytes_each", bytes/float64(n), "B")
	percentiles("late_", late)
	metric("asleep_ms", float64(asleep-start)/1e6, "ms")
	metric("count", float64(n), "goroutines")
	return 0
}

func after() int {
	n := arg("count", 1000000)
	margin := time.Duration(arg("margin_ms", 3000) * ms)
	var fired int64
	called := func() { atomic.AddInt64(&fired, 1) }
	base := baseline()
	start := now()
	for i := int64(0); i < n; i++ {
		time.AfterFunc(margin, called)
	}
	added := now()
	bytes := rss() - base
	if atomic.LoadInt64(&fired) != 0 {
		return tooShort
	}
	for end := now() + int64(margin) + 60000*ms; atomic.LoadInt64(&fired) < n; {
		if now() > end {
			return fail("not every callback was called")
		}
		time.Sleep(5 * time.Millisecond)
	}
	metric("bytes_each", bytes/float64(n), "B")
	metric("add_ns", float64(added-start)/float64(n), "ns")
	metric("count", float64(n), "callbacks")
	return 0
}

func timeout() int {
	n := arg("count", 1000000)
	live := arg("live", 0)
	workers := arg("workers", 1)
	never := func() { panic("a stopped timer fired") }
	others := make([]*time.Timer, live)
	for i := range others {
		ms := 10000 + int64(i)*65536/live
		others[i] = time.AfterFunc(time.Duration(ms)*time.Millisecond, never)
	}
	var arrived int64
	var wg sync.WaitGroup
	took := make([]int64, workers)
	for w := range took {
		wg.Add(1)
		go func(took *int64) {
			atomic.AddInt64(&arrived, 1)
			for atomic.LoadInt64(&arrived) < workers {
			}
			start := now()
			for i := int64(0); i < n; i++ {
				delay := 10000 + int64(uint64(i)*40503&65535)
				t := time.AfterFunc(time.Duration(delay)*time.Millisecond, never)
				if !t.Stop() {
					panic("a timer fired early")
				}
			}
			*took = now() - start
			wg.Done()
		}(&took[w])
	}
	wg.Wait()
	worst := int64(0)
	for _, t := range took {
		if t > worst {
			worst = t
		}
	}
	for _, t := range others {
		t.Stop()
	}
	metric("pair_ns", float64(worst)/float64(n), "ns")
	return 0
}

//go:noinline
func burn(steps int64) uint64 {
	x := uint64(88172645463325252)
	for i := int64(0); i < steps; i++ {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	return x
}

// A goroutine moves between threads, so its CPU time cannot be asked for: the steps that take so
// long are found beforehand, the fastest of several tries alone on the machine.
func calibrate(cpu int64) int64 {
	const probe = 10000000
	best := int64(1 << 62)
	for i := 0; i < 5; i++ {
		start := now()
		sink = burn(probe)
		if took := now() - start; took < best {
			best = took
		}
	}
	return int64(float64(cpu) / float64(best) * probe)
}

var sink uint64

func hogs() int {
	n := arg("hogs", 4)
	steps := calibrate(arg("hog_ms", 1000) * ms)
	left := n
	late := make([]int64, 0, 1000000)
	var wg sync.WaitGroup
	wg.Add(int(n) + 1)
	start := now()
	go func() {
		for atomic.LoadInt64(&left) > 0 && len(late) < cap(late) {
			before := now()
			time.Sleep(time.Millisecond)
			late = append(late, now()-before-ms)
		}
		wg.Done()
	}()
	for i := int64(0); i < n; i++ {
		go func() {
			x := burn(steps)
			atomic.AddUint64(&sink, x)
			atomic.AddInt64(&left, -1)
			wg.Done()
		}()
	}
	wg.Wait()
	metric("wall_ms", float64(now()-start)/1e6, "ms")
	metric("samples", float64(len(late)), "sleeps")
	percentiles("", late)
	return 0
}

func run(what string) int {
	one := map[string]func() int{
		"yield_same":   func() int { return yields(yieldUp) },
		"yield_diff":   func() int { return yields(yieldDown) },
		"spawn_await":  spawnAwait,
		"spawn_gather": spawnGather,
		"sleepers":     sleepers,
		"after":        after,
		"timeout":      timeout,
		"hog":          hogs,
		"pingpong":     pingPong,
		"fan":          fan,
		"mutex":        mutex,
		"mutex_8":      mutexContended,
		"scope":        scope,
		"group":        groups,
		"select":       selects,
	}[what]
	if one == nil {
		fmt.Println("cannot no such workload")
		return cannot
	}
	workers := int64(1)
	if what == "sleepers" || what == "hog" || what == "mutex_8" {
		workers = 2
	}
	runtime.GOMAXPROCS(int(arg("workers", workers)))
	return one()
}

func main() {
	if len(os.Args) < 2 {
		os.Exit(cannot)
	}
	if os.Args[1] == "version" {
		fmt.Println(runtime.Version())
		return
	}
	for _, a := range os.Args[2:] {
		if at := strings.IndexByte(a, '='); at > 0 {
			args[a[:at]], _ = strconv.ParseInt(a[at+1:], 10, 64)
		}
	}
	os.Exit(run(os.Args[1]))
}

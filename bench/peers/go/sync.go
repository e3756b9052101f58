// Channels, locks, scopes, groups and select, in the terms that a Go program would use: chan,
// sync.Mutex, context.WithTimeout, and a group like golang.org/x/sync/errgroup.
package main

import (
	"context"
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

func pingPong() int {
	n, workers := arg("count", 500000), arg("workers", 1)
	for _, c := range []struct {
		capacity int
		name     string
	}{{1, "one_ns"}, {0, "rendezvous_ns"}} {
		there, back := make(chan uint64, c.capacity), make(chan uint64, c.capacity)
		var wg sync.WaitGroup
		var wrong uint64
		wg.Add(2)
		start := spent(workers)
		go func() {
			for i := uint64(0); i < uint64(n); i++ {
				there <- i
				wrong |= <-back ^ i
			}
			wg.Done()
		}()
		go func() {
			for i := int64(0); i < n; i++ {
				back <- <-there
			}
			wg.Done()
		}()
		wg.Wait()
		took := spent(workers) - start
		if wrong != 0 {
			return fail("a message was lost")
		}
		metric(c.name, float64(took)/float64(2*n), "ns")
	}
	return 0
}

// Returns the nanoseconds, or -1 when the sum is wrong.
func fanOnce(each int64, capacity int) int64 {
	workers := arg("workers", 1)
	ch := make(chan uint64, capacity)
	var producers, consumers sync.WaitGroup
	var sum uint64
	producers.Add(4)
	consumers.Add(4)
	start := spent(workers)
	for c := 0; c < 4; c++ {
		go func() {
			mine := uint64(0)
			for v := range ch {
				mine += v
			}
			atomic.AddUint64(&sum, mine)
			consumers.Done()
		}()
	}
	for p := 0; p < 4; p++ {
		go func() {
			for i := int64(1); i <= each; i++ {
				ch <- uint64(i)
			}
			producers.Done()
		}()
	}
	producers.Wait()
	close(ch)
	consumers.Wait()
	took := spent(workers) - start
	if sum != uint64(4*(each*(each+1)/2)) {
		return -1
	}
	return took
}

func fan() int {
	n := arg("count", 1000000) / 4
	few := n/4 + 1
	many, one := fanOnce(n, int(arg("capacity", 64))), fanOnce(few, 1)
	if many < 0 || one < 0 {
		return fail("an item was lost or came twice")
	}
	metric("item_ns", float64(many)/float64(4*n), "ns")
	metric("one_ns", float64(one)/float64(4*few), "ns")
	return 0
}

func mutex() int {
	n := arg("count", 5000000)
	var m sync.Mutex
	start := spent(1)
	for i := int64(0); i < n; i++ {
		m.Lock()
		//lint:ignore SA2001 the pair is what is measured
		m.Unlock()
	}
	metric("pair_ns", float64(spent(1)-start)/float64(n), "ns")
	return 0
}

type guarded struct {
	m     sync.Mutex
	state uint64
	done  [8]int64
	least int64
}

func mutexContended() int {
	n := arg("count", 1000000) / 8
	g := &guarded{state: 88172645463325252, least: -1}
	var wg sync.WaitGroup
	wg.Add(8)
	start, cpu := now(), spent(1)
	for t := 0; t < 8; t++ {
		go func(mine *int64) {
			for i := int64(0); i < n; i++ {
				g.m.Lock()
				x := g.state
				for k := 0; k < 4; k++ {
					x ^= x << 13
					x ^= x >> 7
					x ^= x << 17
				}
				g.state = x
				*mine++
				g.m.Unlock()
			}
			g.m.Lock()
			if g.least < 0 {
				g.least = n
				for _, d := range g.done {
					if d < g.least {
						g.least = d
					}
				}
			}
			g.m.Unlock()
			wg.Done()
		}(&g.done[t])
	}
	wg.Wait()
	took := now() - start
	cpu = spent(1) - cpu
	x := uint64(88172645463325252)
	for i := int64(0); i < 8*n*4; i++ {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	if x != g.state {
		return fail("the mutex let two in")
	}
	metric("pair_ns", float64(took)/float64(8*n), "ns")
	metric("cpu_ns", float64(cpu)/float64(8*n), "ns")
	metric("slowest", float64(g.least)/float64(n)*100, "%")
	return 0
}

// The median of what each pair of blocks differs by, the bare one of each pair first.
func added(bare, scoped []int64, rounds int64) float64 {
	d := make([]int64, len(bare))
	for i := range d {
		d[i] = scoped[i] - bare[i]
	}
	sort.Slice(d, func(a, b int) bool { return d[a] < d[b] })
	return float64(d[len(d)/2]) / float64(rounds)
}

func median(ns []int64, rounds int64) float64 {
	sort.Slice(ns, func(a, b int) bool { return ns[a] < ns[b] })
	return float64(ns[len(ns)/2]) / float64(rounds)
}

//go:noinline
func recvScoped(ch chan uint64) (uint64, bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	select {
	case v := <-ch:
		return v, true
	case <-ctx.Done():
		return 0, false
	}
}

func scope() int {
	const rounds = 1000
	blocks := arg("count", 200000)/(2*rounds) + 1
	a, b := make(chan uint64, 1), make(chan uint64, 1)
	ended := make(chan struct{})
	go func() {
		for i := int64(0); i < 2*blocks*rounds; i++ {
			a <- uint64(i)
			<-b
		}
		close(ended)
	}()
	bare, scoped := make([]int64, blocks), make([]int64, blocks)
	ok := true
	for i := range bare {
		start := now()
		for k := 0; k < rounds; k++ {
			b <- <-a
		}
		bare[i] = now() - start
		start = now()
		for k := 0; k < rounds; k++ {
			v, in := recvScoped(a)
			ok = ok && in
			b <- v
		}
		scoped[i] = now() - start
	}
	<-ended
	waits := added(bare, scoped, rounds)
	base := median(bare, rounds)
	for i := range bare {
		start := now()
		for k := uint64(0); k < rounds; k++ {
			a <- k
			<-a
		}
		bare[i] = now() - start
		start = now()
		for k := uint64(0); k < rounds; k++ {
			a <- k
			_, in := recvScoped(a)
			ok = ok && in
		}
		scoped[i] = now() - start
	}
	if !ok {
		return fail("a timeout fired early")
	}
	metric("added_ns", waits, "ns")
	metric("ready_ns", added(bare, scoped, rounds), "ns")
	metric("bare_ns", base, "ns")
	return 0
}

// What golang.org/x/sync/errgroup does: the first error cancels the context.
type group struct {
	cancel context.CancelFunc
	wg     sync.WaitGroup
	once   sync.Once
	err    error
}

func (g *group) start(f func() error) {
	g.wg.Add(1)
	go func() {
		defer g.wg.Done()
		if err := f(); err != nil {
			g.once.Do(func() {
				g.err = err
				g.cancel()
			})
		}
	}()
}

func (g *group) wait() error {
	g.wg.Wait()
	g.cancel()
	return g.err
}

func groups() int {
	const children = 100
	n := arg("count", 500000) / children
	var ran int64
	start := spent(1)
	for i := int64(0); i < n; i++ {
		_, cancel := context.WithCancel(context.Background())
		g := group{cancel: cancel}
		for c := 0; c < children; c++ {
			g.start(func() error {
				atomic.AddInt64(&ran, 1)
				return nil
			})
		}
		if g.wait() != nil {
			return fail("a child failed")
		}
	}
	took := spent(1) - start
	if ran != n*children {
		return fail("not every child ran")
	}
	metric("each_ns", float64(took)/float64(n*children), "ns")
	return 0
}

func which(i uint64) uint64 { return i * 40503 >> 7 & 1 }

func selects() int {
	n := uint64(arg("count", 500000))
	a, b, c := make(chan uint64, 1), make(chan uint64, 1), make(chan uint64, 1)
	ways := [2]chan uint64{a, b}
	wrong := uint64(0)
	start := spent(1)
	for i := uint64(0); i < n; i++ {
		ways[which(i)] <- i
		select {
		case v := <-a:
			wrong |= v ^ i
		case v := <-b:
			wrong |= v ^ i
		}
	}
	ready := spent(1) - start
	ended := make(chan struct{})
	start = spent(1)
	go func() {
		for i := uint64(0); i < n; i++ {
			ways[which(i)] <- i
			<-c
		}
		close(ended)
	}()
	for i := uint64(0); i < n; i++ {
		select {
		case v := <-a:
			wrong |= v ^ i
		case v := <-b:
			wrong |= v ^ i
		}
		c <- i
	}
	<-ended
	woken := spent(1) - start
	if wrong != 0 {
		return fail("a message was lost")
	}
	metric("ready_ns", float64(ready)/float64(n), "ns")
	metric("woken_ns", float64(woken)/float64(n), "ns")
	return 0
}

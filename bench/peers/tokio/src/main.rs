//! Tokio's side of the micro benchmarks. flavor=current is the current-thread runtime,
//! flavor=multi the multi-thread one with workers=N; both with their defaults.
//! The protocol and the deadlines are those of bench/micro/measure.h.
//!
//! The measuring runs in a spawned task, so that with flavor=multi it is on a worker, not on the
//! thread that blocks outside. Tokio has no call-later: its cheapest equal is a task that sleeps.

mod sync;

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering::*};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

const OK: i32 = 0;
const FAILED: i32 = 1;
const CANNOT: i32 = 2;
const TOO_SHORT: i32 = 3;
const SC_PAGESIZE: i32 = 30;

struct Args(HashMap<String, String>);

impl Args {
    fn get(&self, key: &str, fallback: i64) -> i64 {
        self.0.get(key).and_then(|v| v.parse().ok()).unwrap_or(fallback)
    }
    fn size(&self, key: &str, fallback: i64) -> usize {
        self.get(key, fallback).max(0) as usize
    }
    fn millis(&self, key: &str, fallback: i64) -> Duration {
        Duration::from_millis(self.get(key, fallback).max(0) as u64)
    }
}

fn metric(name: &str, value: f64, unit: &str) {
    println!("{name} {value:.4} {unit}");
}

/// Resident bytes.
fn rss() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split_whitespace().nth(1).and_then(|p| p.parse::<f64>().ok());
    pages.unwrap_or(0.0) * unsafe { sysconf(SC_PAGESIZE) } as f64
}

fn per(total: Duration, n: usize) -> f64 {
    total.as_nanos() as f64 / n as f64
}

/// Nanoseconds after (or, negative, before) an instant.
fn since(then: Instant) -> i64 {
    match Instant::now().checked_duration_since(then) {
        Some(d) => d.as_nanos() as i64,
        None => -((then - Instant::now()).as_nanos() as i64),
    }
}

fn percentiles(prefix: &str, ns: &mut [i64]) {
    if ns.is_empty() {
        return;
    }
    ns.sort_unstable();
    let last = ns.len() - 1;
    metric(&format!("{prefix}p50"), ns[last / 2] as f64 / 1e6, "ms");
    metric(&format!("{prefix}p99"), ns[(ns.len() * 99 + 99) / 100 - 1] as f64 / 1e6, "ms");
    metric(&format!("{prefix}max"), ns[last] as f64 / 1e6, "ms");
}

/// A vector with room for all, touched, so that it belongs to the baseline.
fn touched<T>(n: usize) -> Vec<T> {
    let mut v: Vec<T> = Vec::with_capacity(n);
    unsafe { std::ptr::write_bytes(v.as_mut_ptr() as *mut u8, 1, n * std::mem::size_of::<T>()) };
    std::hint::black_box(v.as_mut_ptr());
    v
}

async fn yield_up(n: usize) {
    for _ in 0..n {
        tokio::task::yield_now().await;
    }
}

async fn yield_down(mut n: usize) {
    while n >= 2 {
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        n -= 2;
    }
}

async fn yields(args: &Args, different: bool) -> i32 {
    let n = args.size("count", 1_000_000);
    let start = Instant::now();
    let a = tokio::spawn(yield_up(n));
    let b = if different { tokio::spawn(yield_down(n)) } else { tokio::spawn(yield_up(n)) };
    let (a, b) = (a.await, b.await);
    metric("switch_ns", per(start.elapsed(), 2 * n), "ns");
    if a.is_ok() && b.is_ok() { OK } else { FAILED }
}

async fn spawn_await(args: &Args) -> i32 {
    let n = args.size("count", 1_000_000);
    let start = Instant::now();
    for _ in 0..n {
        if tokio::spawn(async {}).await.is_err() {
            return FAILED;
        }
    }
    metric("each_ns", per(start.elapsed(), n), "ns");
    OK
}

async fn spawn_gather(args: &Args) -> i32 {
    static RAN: AtomicUsize = AtomicUsize::new(0);
    let n = args.size("count", 1_000_000);
    let mut tasks: Vec<JoinHandle<()>> = touched(n);
    let mut took = [Duration::ZERO; 2];
    let mut bytes = 0.0;
    for (round, took) in took.iter_mut().enumerate() {
        let base = rss();
        RAN.store(0, Relaxed);
        let start = Instant::now();
        for _ in 0..n {
            tasks.push(tokio::spawn(async {
                RAN.fetch_add(1, Relaxed);
            }));
        }
        if RAN.load(Relaxed) != 0 {
            eprintln!("a task ran before all were spawned");
            return FAILED;
        }
        if round == 0 {
            bytes = rss() - base;
        }
        for t in tasks.drain(..) {
            if t.await.is_err() {
                return FAILED;
            }
        }
        *took = start.elapsed();
    }
    metric("each_ns", per(took[0], n), "ns");
    metric("again_ns", per(took[1], n), "ns");
    metric("bytes_each", bytes / n as f64, "B");
    metric("count", n as f64, "tasks");
    OK
}

async fn sleepers(args: &Args) -> i32 {
    let n = args.size("count", 1_000_000);
    let mut tasks: Vec<JoinHandle<i64>> = touched(n);
    let begun = Arc::new(AtomicUsize::new(0));
    let base = rss();
    let start = Instant::now();
    let instant = start + args.millis("margin_ms", 4000);
    for _ in 0..n {
        let begun = begun.clone();
        tasks.push(tokio::spawn(async move {
            begun.fetch_add(1, Relaxed);
            tokio::time::sleep_until(instant.into()).await;
            since(instant)
        }));
    }
    while begun.load(Relaxed) < n && since(instant) < -100_000_000 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let asleep = start.elapsed();
    let all = begun.load(Relaxed) == n && since(instant) < -50_000_000;
    tokio::time::sleep(Duration::from_millis(20)).await;
    let bytes = rss() - base;
    let mut late = Vec::with_capacity(n);
    for t in tasks {
        late.push(t.await.unwrap_or(i64::MAX));
    }
    if !all {
        return TOO_SHORT;
    }
    metric("bytes_each", bytes / n as f64, "B");
    percentiles("late_", &mut late);
    metric("asleep_ms", asleep.as_secs_f64() * 1e3, "ms");
    metric("count", n as f64, "tasks");
    OK
}

async fn after(args: &Args) -> i32 {
    static FIRED: AtomicUsize = AtomicUsize::new(0);
    let n = args.size("count", 1_000_000);
    let margin = args.millis("margin_ms", 2500);
    let base = rss();
    let start = Instant::now();
    for _ in 0..n {
        tokio::spawn(async move {
            tokio::time::sleep_until((start + margin).into()).await;
            FIRED.fetch_add(1, Relaxed);
        });
    }
    // A task sets its timer when it first runs: let all of them come to that before the sample.
    tokio::time::sleep(Duration::from_millis(1)).await;
    let added = start.elapsed();
    let bytes = rss() - base;
    if FIRED.load(Relaxed) != 0 || added > margin {
        return TOO_SHORT;
    }
    while FIRED.load(Relaxed) < n {
        if start.elapsed() > margin + Duration::from_secs(60) {
            return FAILED;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    metric("bytes_each", bytes / n as f64, "B");
    metric("add_ns", per(added, n), "ns");
    metric("count", n as f64, "tasks");
    println!("note a task that sleeps, then calls: Tokio has no call-later");
    OK
}

/// Puts a timer into the wheel by polling it once, outside the budget that would refuse the 129th.
async fn armed(delay_ms: u64) -> Pin<Box<tokio::time::Sleep>> {
    let mut sleep = Box::pin(tokio::time::sleep(Duration::from_millis(delay_ms)));
    tokio::task::coop::unconstrained(std::future::poll_fn(|cx| {
        if sleep.as_mut().poll(cx).is_ready() {
            std::process::abort();
        }
        Poll::Ready(())
    }))
    .await;
    sleep
}

async fn pairs(n: usize) {
    tokio::task::coop::unconstrained(std::future::poll_fn(|cx| {
        for i in 0..n as u64 {
            let delay = 10_000 + (i.wrapping_mul(40503) & 65535);
            let sleep = tokio::time::sleep(Duration::from_millis(delay));
            if std::pin::pin!(sleep).poll(cx).is_ready() {
                std::process::abort();
            }
        }
        Poll::Ready(())
    }))
    .await;
}

async fn timeout(args: &Args) -> i32 {
    let n = args.size("count", 1_000_000);
    let live = args.size("live", 0);
    let workers = args.size("workers", 1);
    let mut others = Vec::with_capacity(live);
    for i in 0..live {
        others.push(armed(10_000 + (i * 65536 / live) as u64).await);
    }
    let arrived = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..workers)
        .map(|_| {
            let arrived = arrived.clone();
            tokio::spawn(async move {
                arrived.fetch_add(1, SeqCst);
                while arrived.load(SeqCst) < workers {
                    std::hint::spin_loop();
                }
                let start = Instant::now();
                pairs(n).await;
                start.elapsed()
            })
        })
        .collect();
    let mut worst = Duration::ZERO;
    for t in tasks {
        worst = worst.max(t.await.unwrap_or(Duration::MAX));
    }
    drop(others);
    metric("pair_ns", per(worst, n), "ns");
    OK
}

#[repr(C)]
struct Timespec {
    sec: i64,
    nsec: i64,
}
extern "C" {
    fn clock_gettime(id: i32, out: *mut Timespec) -> i32;
    fn sysconf(name: i32) -> i64;
}

fn clock(id: i32) -> Duration {
    let mut ts = Timespec { sec: 0, nsec: 0 };
    unsafe { clock_gettime(id, &mut ts) };
    Duration::new(ts.sec as u64, ts.nsec as u32)
}

fn thread_cpu() -> Duration {
    const CLOCK_THREAD_CPUTIME_ID: i32 = 3;
    clock(CLOCK_THREAD_CPUTIME_ID)
}

/// The CPU time of the process where one worker computes all the time, else the time.
fn spent(workers: usize) -> Duration {
    const CLOCK_MONOTONIC: i32 = 1;
    const CLOCK_PROCESS_CPUTIME_ID: i32 = 2;
    clock(if workers == 1 { CLOCK_PROCESS_CPUTIME_ID } else { CLOCK_MONOTONIC })
}

fn burn(cpu: Duration) -> u64 {
    let end = thread_cpu() + cpu;
    let mut x = 88172645463325252u64;
    while thread_cpu() < end {
        for _ in 0..10_000 {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
        }
        x = std::hint::black_box(x);
    }
    x
}

async fn hogs(args: &Args) -> i32 {
    static LEFT: AtomicI64 = AtomicI64::new(0);
    static SINK: AtomicU64 = AtomicU64::new(0);
    let n = args.size("hogs", 4);
    let cpu = args.millis("hog_ms", 1000);
    LEFT.store(n as i64, SeqCst);
    let start = Instant::now();
    let napper = tokio::spawn(async {
        let nap = Duration::from_millis(1);
        let mut late = Vec::with_capacity(1_000_000);
        while LEFT.load(SeqCst) > 0 && late.len() < 1_000_000 {
            let before = Instant::now();
            tokio::time::sleep(nap).await;
            late.push(since(before + nap));
        }
        late
    });
    let hogs: Vec<_> = (0..n)
        .map(|_| {
            tokio::spawn(async move {
                SINK.fetch_add(burn(cpu), Relaxed);
                LEFT.fetch_sub(1, SeqCst);
            })
        })
        .collect();
    for h in hogs {
        if h.await.is_err() {
            return FAILED;
        }
    }
    let mut late = napper.await.unwrap_or_default();
    metric("wall_ms", start.elapsed().as_secs_f64() * 1e3, "ms");
    metric("samples", late.len() as f64, "sleeps");
    percentiles("", &mut late);
    OK
}

async fn measure(what: String, args: Args) -> i32 {
    match what.as_str() {
        "yield_same" => yields(&args, false).await,
        "yield_diff" => yields(&args, true).await,
        "spawn_await" => spawn_await(&args).await,
        "spawn_gather" => spawn_gather(&args).await,
        "sleepers" => sleepers(&args).await,
        "after" => after(&args).await,
        "timeout" => timeout(&args).await,
        "hog" => hogs(&args).await,
        _ => sync::measure(&what, &args).await.unwrap_or_else(|| {
            println!("cannot no such workload");
            CANNOT
        }),
    }
}

fn main() {
    let mut argv = std::env::args().skip(1);
    let what = argv.next().unwrap_or_default();
    if what == "version" {
        println!("Tokio {}", env!("BENCH_TOKIO_VERSION"));
        return;
    }
    let args: HashMap<String, String> = argv
        .filter_map(|a| a.split_once('=').map(|(k, v)| (k.to_string(), v.to_string())))
        .collect();
    let current = args.get("flavor").map(String::as_str) == Some("current");
    let args = Args(args);
    let two = ["sleepers", "hog", "mutex_8"].contains(&what.as_str());
    let workers = args.size("workers", if two { 2 } else { 1 });
    if current && workers > 1 {
        println!("cannot the current-thread runtime has one thread");
        std::process::exit(CANNOT);
    }
    let mut builder = if current {
        tokio::runtime::Builder::new_current_thread()
    } else {
        let mut multi = tokio::runtime::Builder::new_multi_thread();
        multi.worker_threads(workers.max(1));
        multi
    };
    let runtime = builder.enable_time().build().expect("a runtime");
    let status = runtime.block_on(async { tokio::spawn(measure(what, args)).await.unwrap_or(FAILED) });
    std::process::exit(status);
}

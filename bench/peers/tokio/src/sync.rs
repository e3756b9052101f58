//! Channels, locks, timeouts, groups, select and the blocking pool. Tokio's channel of many
//! producers has one consumer, so ping-pong and select use tokio::sync::mpsc, and what has several
//! consumers uses async-channel, as Tokio's own documentation advises. Neither hands over without a
//! buffer: there is no rendezvous.

use crate::{metric, per, spent, Args, FAILED, OK};
use std::sync::atomic::{AtomicU64, Ordering::*};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

pub async fn ping_pong(args: &Args) -> i32 {
    let (n, workers) = (args.size("count", 1_000_000), args.size("workers", 1));
    let (there, mut there_rx) = mpsc::channel::<u64>(1);
    let (back, mut back_rx) = mpsc::channel::<u64>(1);
    let start = spent(workers);
    let ping = tokio::spawn(async move {
        let mut wrong = 0;
        for i in 0..n as u64 {
            let _ = there.send(i).await;
            wrong |= back_rx.recv().await.unwrap_or(u64::MAX) ^ i;
        }
        wrong
    });
    let pong = tokio::spawn(async move {
        while let Some(v) = there_rx.recv().await {
            let _ = back.send(v).await;
        }
    });
    let wrong = ping.await.unwrap_or(1);
    let took = spent(workers) - start;
    if pong.await.is_err() || wrong != 0 {
        return FAILED;
    }
    metric("one_ns", per(took, 2 * n), "ns");
    OK
}

/// None when an item was lost or came twice.
async fn fan_once(each: u64, capacity: usize, workers: usize) -> Option<Duration> {
    let (tx, rx) = async_channel::bounded::<u64>(capacity);
    let start = spent(workers);
    let consumers: Vec<_> = (0..4)
        .map(|_| {
            let rx = rx.clone();
            tokio::spawn(async move {
                let mut sum = 0u64;
                while let Ok(v) = rx.recv().await {
                    sum += v;
                }
                sum
            })
        })
        .collect();
    for _ in 0..4 {
        let tx = tx.clone();
        tokio::spawn(async move {
            for i in 1..=each {
                let _ = tx.send(i).await;
            }
        });
    }
    drop(tx);
    let mut sum = 0;
    for c in consumers {
        sum += c.await.ok()?;
    }
    (sum == 4 * (each * (each + 1) / 2)).then_some(spent(workers) - start)
}

pub async fn fan(args: &Args) -> i32 {
    let workers = args.size("workers", 1);
    let n = args.size("count", 2_000_000) / 4;
    let few = n / 4 + 1;
    let many = fan_once(n as u64, args.size("capacity", 64), workers).await;
    let one = fan_once(few as u64, 1, workers).await;
    let (Some(many), Some(one)) = (many, one) else {
        eprintln!("an item was lost or came twice");
        return FAILED;
    };
    metric("item_ns", per(many, 4 * n), "ns");
    metric("one_ns", per(one, 4 * few), "ns");
    println!("note through async-channel, since Tokio's own channels have one consumer");
    OK
}

pub async fn mutex(args: &Args) -> i32 {
    let n = args.size("count", 5_000_000);
    let m = tokio::sync::Mutex::new(0u64);
    let start = spent(1);
    for _ in 0..n {
        let held = m.lock().await;
        drop(std::hint::black_box(held));
    }
    metric("pair_ns", per(spent(1) - start, n), "ns");
    OK
}

struct Guarded {
    state: u64,
    done: [usize; 8],
    least: Option<usize>,
}

fn steps(mut x: u64, n: usize) -> u64 {
    for _ in 0..n {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    x
}

pub async fn mutex_contended(args: &Args) -> i32 {
    const SEED: u64 = 88172645463325252;
    let n = args.size("count", 1_000_000) / 8;
    let g = Arc::new(tokio::sync::Mutex::new(Guarded { state: SEED, done: [0; 8], least: None }));
    let (start, cpu) = (Instant::now(), spent(1));
    let tasks: Vec<_> = (0..8)
        .map(|t| {
            let g = g.clone();
            tokio::spawn(async move {
                for _ in 0..n {
                    let mut held = g.lock().await;
                    held.state = steps(held.state, 4);
                    held.done[t] += 1;
                }
                let mut held = g.lock().await;
                let least = held.done.iter().copied().min();
                held.least = held.least.or(least);
            })
        })
        .collect();
    for t in tasks {
        if t.await.is_err() {
            return FAILED;
        }
    }
    let (took, cpu) = (start.elapsed(), spent(1) - cpu);
    let held = g.lock().await;
    if held.state != steps(SEED, 8 * n * 4) {
        return FAILED;
    }
    metric("pair_ns", per(took, 8 * n), "ns");
    metric("cpu_ns", per(cpu, 8 * n), "ns");
    metric("slowest", held.least.unwrap_or(0) as f64 / n as f64 * 100.0, "%");
    OK
}

fn median(mut ns: Vec<f64>) -> f64 {
    ns.sort_unstable_by(f64::total_cmp);
    ns[ns.len() / 2]
}

/// The median of what each pair of blocks differs by.
fn added(bare: &[f64], scoped: &[f64]) -> f64 {
    median(bare.iter().zip(scoped).map(|(b, s)| s - b).collect())
}

pub async fn scope(args: &Args) -> i32 {
    const ROUNDS: usize = 1000;
    const LONG: Duration = Duration::from_secs(10);
    let blocks = args.size("count", 500_000) / (2 * ROUNDS) + 1;
    let (there, mut there_rx) = mpsc::channel::<u64>(1);
    let (back, mut back_rx) = mpsc::channel::<u64>(1);
    let (own, mut own_rx) = mpsc::channel::<u64>(1);
    let (mut bare, mut scoped) = (vec![0.0; blocks], vec![0.0; blocks]);
    let partner = tokio::spawn(async move {
        for i in 0..2 * blocks * ROUNDS {
            let _ = there.send(i as u64).await;
            back_rx.recv().await;
        }
    });
    let waiter = tokio::spawn(async move {
        let mut early = 0;
        for i in 0..blocks {
            let start = Instant::now();
            for _ in 0..ROUNDS {
                let v = there_rx.recv().await.unwrap_or(0);
                let _ = back.send(v).await;
            }
            bare[i] = per(start.elapsed(), ROUNDS);
            let start = Instant::now();
            for _ in 0..ROUNDS {
                let v = tokio::time::timeout(LONG, there_rx.recv()).await;
                early += v.is_err() as u32;
                let _ = back.send(v.ok().flatten().unwrap_or(0)).await;
            }
            scoped[i] = per(start.elapsed(), ROUNDS);
        }
        let waits = added(&bare, &scoped);
        let base = median(bare.clone());
        for i in 0..blocks {
            let start = Instant::now();
            for k in 0..ROUNDS as u64 {
                let _ = own.send(k).await;
                own_rx.recv().await;
            }
            bare[i] = per(start.elapsed(), ROUNDS);
            let start = Instant::now();
            for k in 0..ROUNDS as u64 {
                let _ = own.send(k).await;
                early += tokio::time::timeout(LONG, own_rx.recv()).await.is_err() as u32;
            }
            scoped[i] = per(start.elapsed(), ROUNDS);
        }
        (early, waits, added(&bare, &scoped), base)
    });
    let (Ok((0, waits, ready, base)), Ok(())) = (waiter.await, partner.await) else {
        return FAILED;
    };
    metric("added_ns", waits, "ns");
    metric("ready_ns", ready, "ns");
    metric("bare_ns", base, "ns");
    OK
}

pub async fn group(args: &Args) -> i32 {
    const CHILDREN: usize = 100;
    static RAN: AtomicU64 = AtomicU64::new(0);
    let n = args.size("count", 500_000) / CHILDREN;
    let start = spent(1);
    for _ in 0..n {
        let mut set = JoinSet::new();
        for _ in 0..CHILDREN {
            set.spawn(async { RAN.fetch_add(1, Relaxed) });
        }
        while let Some(r) = set.join_next().await {
            if r.is_err() {
                return FAILED;
            }
        }
    }
    let took = spent(1) - start;
    if RAN.load(Relaxed) != (n * CHILDREN) as u64 {
        return FAILED;
    }
    metric("each_ns", per(took, n * CHILDREN), "ns");
    OK
}

fn which(i: u64) -> usize {
    (i.wrapping_mul(40503) >> 7 & 1) as usize
}

async fn either(a: &mut mpsc::Receiver<u64>, b: &mut mpsc::Receiver<u64>) -> u64 {
    tokio::select! {
        v = a.recv() => v.unwrap_or(u64::MAX),
        v = b.recv() => v.unwrap_or(u64::MAX),
    }
}

pub async fn select(args: &Args) -> i32 {
    let n = args.size("count", 500_000) as u64;
    let (a, mut a_rx) = mpsc::channel::<u64>(1);
    let (b, mut b_rx) = mpsc::channel::<u64>(1);
    let (c, mut c_rx) = mpsc::channel::<u64>(1);
    let ways = [a, b];
    let mut wrong = 0;
    let start = spent(1);
    for i in 0..n {
        let _ = ways[which(i)].send(i).await;
        wrong |= either(&mut a_rx, &mut b_rx).await ^ i;
    }
    let ready = spent(1) - start;
    let start = spent(1);
    let partner = tokio::spawn(async move {
        for i in 0..n {
            let _ = ways[which(i)].send(i).await;
            c_rx.recv().await;
        }
    });
    for i in 0..n {
        wrong |= either(&mut a_rx, &mut b_rx).await ^ i;
        let _ = c.send(i).await;
    }
    if partner.await.is_err() || wrong != 0 {
        return FAILED;
    }
    metric("ready_ns", per(ready, n as usize), "ns");
    metric("woken_ns", per(spent(1) - start, n as usize), "ns");
    OK
}

pub async fn blocking(args: &Args) -> i32 {
    let n = args.size("count", 20_000);
    let mut sum = 0;
    let start = Instant::now();
    for _ in 0..n {
        sum += tokio::task::spawn_blocking(|| 1usize).await.unwrap_or(0);
    }
    metric("trip_ns", per(start.elapsed(), n), "ns");
    if sum == n { OK } else { FAILED }
}

/// None: not one of these.
pub async fn measure(what: &str, args: &Args) -> Option<i32> {
    Some(match what {
        "pingpong" => ping_pong(args).await,
        "fan" => fan(args).await,
        "mutex" => mutex(args).await,
        "mutex_8" => mutex_contended(args).await,
        "scope" => scope(args).await,
        "group" => group(args).await,
        "select" => select(args).await,
        "blocking" => blocking(args).await,
        _ => return None,
    })
}

//! Rayon: join for two, a parallel iterator for many. The driver and the tree are the C ones that
//! all programs share (bench/forkjoin); its structures are mirrored here. Loops name no grain.
//! loop_thread is a ThreadPool::install for each loop, from the main thread. Sorts are unstable, by
//! an inlined comparison (of strings: that calls strcmp).

use rayon::prelude::*;
use std::ffi::{c_char, c_double, c_int, c_long, CString};
use std::sync::OnceLock;

const MOST_QUEENS: usize = 16;
const EPSILON: f64 = 1e-9;

#[repr(C)]
#[derive(Clone, Copy)]
struct Node {
    state: [u8; 20],
    height: c_int,
}

#[repr(C)]
struct Program {
    fib: Option<extern "C" fn(c_int) -> c_long>,
    queens: Option<extern "C" fn(c_int) -> c_long>,
    uts: Option<extern "C" fn(*const Node) -> c_long>,
    integrate: Option<extern "C" fn(c_double) -> c_double>,
    spawn: Option<extern "C" fn(c_long) -> c_long>,
    is_serial: c_int,
    reduce: Option<extern "C" fn(usize) -> u64>,
    r#loop: Option<extern "C" fn(*mut u8, usize, c_long)>,
    loop_outside: Option<extern "C" fn(*mut u8, usize, c_long)>,
    uneven: Option<extern "C" fn(*mut u8, usize)>,
    scan: Option<extern "C" fn(*const i64, *mut i64, usize)>,
    sort: Option<extern "C" fn(*mut u64, usize)>,
    sort_strings: Option<extern "C" fn(*mut usize, usize)>,
}

extern "C" {
    fn fj_run(argc: c_int, argv: *const *const c_char, program: *const Program) -> c_int;
    fn fj_from_outside(argc: c_int, argv: *const *const c_char) -> c_int;
    fn strcmp(a: *const c_char, b: *const c_char) -> c_int;
    fn fj_children(node: *const Node) -> c_int;
    fn fj_child(parent: *const Node, number: c_int, child: *mut Node);
}

fn fib(n: c_int) -> c_long {
    if n < 2 {
        return c_long::from(n);
    }
    let (other, one) = rayon::join(|| fib(n - 1), || fib(n - 2));
    one + other
}

extern "C" fn fib_of(n: c_int) -> c_long {
    fib(n)
}

type Board = [i8; MOST_QUEENS];

fn place(board: &Board, rows: usize, column: usize) -> Option<Board> {
    for (row, &other) in board[..rows].iter().enumerate() {
        let away = i32::from(other) - column as i32;
        if away == 0 || away.unsigned_abs() as usize == rows - row {
            return None;
        }
    }
    let mut next = *board;
    next[rows] = column as i8;
    Some(next)
}

fn queens(n: usize, board: &Board, rows: usize) -> c_long {
    if rows == n {
        return 1;
    }
    (0..n)
        .into_par_iter()
        .filter_map(|column| place(board, rows, column))
        .map(|next| queens(n, &next, rows + 1))
        .sum()
}

extern "C" fn queens_of(n: c_int) -> c_long {
    queens(n as usize, &[0; MOST_QUEENS], 0)
}

fn uts(node: &Node) -> c_long {
    let children = unsafe { fj_children(node) };
    if children == 0 {
        return 1;
    }
    let below: c_long = (0..children)
        .into_par_iter()
        .map(|i| {
            let mut child = *node;
            unsafe { fj_child(node, i, &mut child) };
            uts(&child)
        })
        .sum();
    1 + below
}

extern "C" fn uts_of(root: *const Node) -> c_long {
    uts(unsafe { &*root })
}

fn value(x: f64) -> f64 {
    (x * x + 1.0) * x
}

fn integrate(a: f64, b: f64, at_a: f64, at_b: f64, area: f64) -> f64 {
    let half = (b - a) / 2.0;
    let middle = a + half;
    let at = value(middle);
    let left = (at_a + at) * half / 2.0;
    let right = (at + at_b) * half / 2.0;
    if (left + right - area).abs() < EPSILON {
        return left + right;
    }
    let (left, right) = rayon::join(
        || integrate(a, middle, at_a, at, left),
        || integrate(middle, b, at, at_b, right),
    );
    left + right
}

extern "C" fn integral(n: c_double) -> c_double {
    integrate(0.0, n, value(0.0), value(n), 0.0)
}

fn item(i: usize) -> u64 {
    let mut x = (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x ^= x >> 32;
    unsafe {
        std::arch::asm!("/* {0} */", inout(reg) x, options(pure, nomem, nostack, preserves_flags))
    };
    x >> 40
}

extern "C" fn reduce(n: usize) -> u64 {
    (0..n).into_par_iter().map(item).sum()
}

fn fill(out: &mut [u8]) {
    out.par_iter_mut()
        .enumerate()
        .for_each(|(i, byte)| *byte = item(i) as u8);
}

extern "C" fn loops(out: *mut u8, n: usize, times: c_long) {
    let out = unsafe { std::slice::from_raw_parts_mut(out, n) };
    for _ in 0..times {
        fill(out);
    }
}

static POOL: OnceLock<rayon::ThreadPool> = OnceLock::new();

extern "C" fn loops_outside(out: *mut u8, n: usize, times: c_long) {
    let out = unsafe { std::slice::from_raw_parts_mut(out, n) };
    let pool = POOL.get().expect("a pool");
    for _ in 0..times {
        pool.install(|| fill(out));
    }
}

fn steps(mut x: u64, n: usize) -> u64 {
    for _ in 0..n {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    x
}

extern "C" fn uneven(out: *mut u8, n: usize) {
    let out = unsafe { std::slice::from_raw_parts_mut(out, n) };
    out.par_iter_mut().enumerate().for_each(|(i, byte)| {
        let cost = if i < n / 2 { 1 } else { i - n / 2 + 1 };
        *byte = (steps(i as u64 + 1, cost) >> 56) as u8;
    });
}

extern "C" fn sort(v: *mut u64, n: usize) {
    unsafe { std::slice::from_raw_parts_mut(v, n) }.par_sort_unstable();
}

/// The pointers as numbers, which threads may share.
extern "C" fn sort_strings(v: *mut usize, n: usize) {
    let v = unsafe { std::slice::from_raw_parts_mut(v, n) };
    v.par_sort_unstable_by(|&a, &b| {
        unsafe { strcmp(a as *const c_char, b as *const c_char) }.cmp(&0)
    });
}

fn main() {
    let args: Vec<CString> = std::env::args()
        .map(|a| CString::new(a).expect("arguments hold no zero bytes"))
        .collect();
    if args.len() > 1 && args[1].as_bytes() == b"version" {
        println!("Rayon {}", env!("BENCH_RAYON_VERSION"));
        return;
    }
    let workers = args
        .iter()
        .filter_map(|a| a.to_str().ok()?.strip_prefix("workers=")?.parse().ok())
        .next_back()
        .unwrap_or(1);
    // T3 is 1,572 deep; only what is touched of a stack is memory.
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(workers)
        .stack_size(64 << 20)
        .build()
        .expect("a pool");
    let program = Program {
        fib: Some(fib_of),
        queens: Some(queens_of),
        uts: Some(uts_of),
        integrate: Some(integral),
        spawn: None,
        is_serial: 0,
        reduce: Some(reduce),
        r#loop: Some(loops),
        loop_outside: Some(loops_outside),
        uneven: Some(uneven),
        scan: None,
        sort: Some(sort),
        sort_strings: Some(sort_strings),
    };
    let pool = POOL.get_or_init(|| pool);
    let run = || {
        let mut argv: Vec<*const c_char> = args.iter().map(|a| a.as_ptr()).collect();
        argv.push(std::ptr::null());
        unsafe { fj_run(args.len() as c_int, argv.as_ptr(), &program) }
    };
    let outside = {
        let argv: Vec<*const c_char> = args.iter().map(|a| a.as_ptr()).collect();
        unsafe { fj_from_outside(argv.len() as c_int, argv.as_ptr()) != 0 }
    };
    // Else the whole measurement is in a worker, so that nothing is handed in meanwhile.
    std::process::exit(if outside { run() } else { pool.install(run) });
}

//! Rayon: join for two, a parallel iterator for many. The driver and the tree are the C ones that
//! all programs share (bench/forkjoin); its structures are mirrored here.

use rayon::prelude::*;
use std::ffi::{c_char, c_double, c_int, c_long, CString};

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
}

extern "C" {
    fn fj_run(argc: c_int, argv: *const *const c_char, program: *const Program) -> c_int;
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
    };
    // The whole measurement is in a worker, so that nothing is handed in from outside meanwhile.
    let status = pool.install(|| {
        let mut argv: Vec<*const c_char> = args.iter().map(|a| a.as_ptr()).collect();
        argv.push(std::ptr::null());
        unsafe { fj_run(args.len() as c_int, argv.as_ptr(), &program) }
    });
    std::process::exit(status);
}

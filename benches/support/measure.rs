//! Clocks and counters that the benches share.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

/// Counts the bytes that are allocated at a time.
struct Counting;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);
static TIMES: AtomicUsize = AtomicUsize::new(0);

/// Off where times are measured, as what is shared by threads costs them time.
static COUNTS: AtomicBool = AtomicBool::new(false);

fn shrink(size: usize) {
    if COUNTS.load(Ordering::Relaxed) {
        ALLOCATED.fetch_sub(size, Ordering::Relaxed);
    }
}

fn grow(size: usize) {
    if !COUNTS.load(Ordering::Relaxed) {
        return;
    }
    let allocated = ALLOCATED.fetch_add(size, Ordering::Relaxed) + size;
    MOST.fetch_max(allocated, Ordering::Relaxed);
    TIMES.fetch_add(1, Ordering::Relaxed);
}

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        shrink(layout.size());
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        shrink(layout.size());
        grow(size);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Far above zero, so that what is freed of before does not make it wrap.
const START: usize = 1 << 60;

fn counting<T>(run: impl FnOnce() -> T) -> T {
    ALLOCATED.store(START, Ordering::Relaxed);
    MOST.store(START, Ordering::Relaxed);
    TIMES.store(0, Ordering::Relaxed);
    COUNTS.store(true, Ordering::Relaxed);
    let result = run();
    COUNTS.store(false, Ordering::Relaxed);
    result
}

/// How many bytes what is made holds.
#[allow(dead_code, reason = "not every bench needs everything")]
pub fn held_by<T>(make: impl FnOnce() -> T) -> usize {
    let made = counting(make);
    let held = ALLOCATED.load(Ordering::Relaxed) - START;
    drop(made);
    held
}

/// By how many bytes that are in use at a time the process grows at most meanwhile; copies that growing
/// makes on its way are left out.
#[allow(dead_code, reason = "not every bench needs everything")]
pub fn peak_of(run: impl FnOnce()) -> usize {
    counting(run);
    MOST.load(Ordering::Relaxed) - START
}

/// How often memory is allocated or resized meanwhile, by whatever thread.
#[allow(dead_code, reason = "not every bench needs everything")]
pub fn allocations_of(run: impl FnOnce()) -> usize {
    counting(run);
    TIMES.load(Ordering::Relaxed)
}

/// What two came to that were measured in turns: nanoseconds, and second / first.
pub struct Turns {
    pub first: f64,
    pub second: f64,
    /// The median of the ratios of all turns, which drifts less than the ratio of the medians.
    #[allow(dead_code, reason = "not every bench needs everything")]
    pub ratio: f64,
}

/// Measures two in turns, so that both meet the same disturbances; each is the first in every other
/// turn. Medians.
pub fn turns(turns: usize, mut first: impl FnMut(), mut second: impl FnMut()) -> Turns {
    let (mut firsts, mut seconds) = (Vec::new(), Vec::new());
    for turn in 0..turns {
        if turn % 2 == 0 {
            firsts.push(time(&mut first));
            seconds.push(time(&mut second));
        } else {
            seconds.push(time(&mut second));
            firsts.push(time(&mut first));
        }
    }
    let ratios = firsts.iter().zip(&seconds).map(|(first, second)| second / first).collect();
    Turns { first: median(firsts), second: median(seconds), ratio: median(ratios) }
}

/// Nanoseconds of each of two; see [`turns`].
#[allow(dead_code, reason = "not every bench needs everything")]
pub fn in_turns(count: usize, first: impl FnMut(), second: impl FnMut()) -> (f64, f64) {
    let Turns { first, second, .. } = turns(count, first, second);
    (first, second)
}

fn time(what: &mut dyn FnMut()) -> f64 {
    #[allow(clippy::disallowed_methods, reason = "the clock is what a bench reads")]
    let start = Instant::now();
    what();
    start.elapsed().as_nanos() as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

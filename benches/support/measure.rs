//! Clocks and counters that the benches share.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Counts the bytes that are allocated at a time.
struct Counting;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let allocated = ALLOCATED.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(allocated, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How many bytes what is made holds.
#[allow(dead_code, reason = "not every bench needs everything")]
pub fn held_by<T>(make: impl FnOnce() -> T) -> usize {
    let before = ALLOCATED.load(Ordering::Relaxed);
    let made = make();
    let held = ALLOCATED.load(Ordering::Relaxed) - before;
    drop(made);
    held
}

/// By how many bytes the memory of the process grows at most meanwhile.
#[allow(dead_code, reason = "not every bench needs everything")]
pub fn peak_of(run: impl FnOnce()) -> usize {
    let before = ALLOCATED.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    run();
    MOST.load(Ordering::Relaxed) - before
}

/// Nanoseconds of each of two, taken in turns so that both meet the same disturbances; medians.
pub fn in_turns(turns: usize, mut first: impl FnMut(), mut second: impl FnMut()) -> (f64, f64) {
    #[allow(clippy::disallowed_methods, reason = "the clock is what a bench reads")]
    let time = |what: &mut dyn FnMut()| {
        let start = Instant::now();
        what();
        start.elapsed().as_nanos() as f64
    };
    let (mut firsts, mut seconds): (Vec<f64>, Vec<f64>) =
        (0..turns).map(|_| (time(&mut first), time(&mut second))).unzip();
    firsts.sort_by(f64::total_cmp);
    seconds.sort_by(f64::total_cmp);
    (firsts[firsts.len() / 2], seconds[seconds.len() / 2])
}

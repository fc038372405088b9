//! One piece of work that any number of callers wait for together.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Poll, Wake, Waker};

type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Work of which there is at most one at a time, shared by whoever needs its outcome.
///
/// The work belongs to all callers and to none: each of them drives it when polled. So one that is
/// dropped, or never polled again, hands over to the others; with the last one, the work is dropped.
#[derive(Debug)]
pub(crate) struct Flight<T> {
    current: Mutex<Option<Arc<Shared<T>>>>,
}

#[derive(Debug)]
struct Shared<T> {
    /// What the work is about: who comes for something else does not take part.
    epoch: u64,
    stage: Mutex<Stage<T>>,
    waiting: Arc<Waiting>,
}

enum Stage<T> {
    UnderWay(Work<T>),
    Done(T),
    /// The caller who drove the work panicked.
    Crashed,
}

impl<T> std::fmt::Debug for Stage<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::UnderWay(_) => "UnderWay",
            Self::Done(_) => "Done",
            Self::Crashed => "Crashed",
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `None` only if it is held.
fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

impl<T> Flight<T> {
    pub(crate) fn new() -> Self {
        Self { current: Mutex::new(None) }
    }

    /// Takes part in the work about `epoch`, which begins with `work` if there is none. `None` if
    /// there is work about a later epoch, which means that this one is over.
    pub(crate) fn join(
        &self,
        epoch: u64,
        work: impl FnOnce() -> Work<T>,
    ) -> Option<Passage<'_, T>> {
        let mut current = lock(&self.current);
        let shared = match current.as_ref() {
            Some(shared) if shared.epoch > epoch => return None,
            Some(shared) if shared.epoch == epoch => Arc::clone(shared),
            _ => {
                let shared = Arc::new(Shared {
                    epoch,
                    stage: Mutex::new(Stage::UnderWay(work())),
                    waiting: Arc::default(),
                });
                // Whoever still waits for an earlier epoch keeps hold of that.
                *current = Some(Arc::clone(&shared));
                shared
            }
        };
        let seat = shared.waiting.take_seat();
        Some(Passage { flight: self, shared, seat })
    }

    /// Lets nobody join `shared` any more.
    fn close(&self, shared: &Arc<Shared<T>>) {
        let mut current = lock(&self.current);
        if current.as_ref().is_some_and(|present| Arc::ptr_eq(present, shared)) {
            *current = None;
        }
    }
}

/// A caller's part in the work: a future of its outcome, or of `None` if whoever drove the work
/// panicked.
#[derive(Debug)]
#[must_use = "the work goes on only while somebody polls"]
pub(crate) struct Passage<'a, T> {
    flight: &'a Flight<T>,
    shared: Arc<Shared<T>>,
    seat: u64,
}

impl<T: Clone> Future for Passage<'_, T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let shared = &self.shared;
        // Before the work is looked at, so that no progress is missed.
        shared.waiting.sit(self.seat, context.waker());
        let polled = match shared.try_stage() {
            Some(mut stage) => self.drive(&mut stage),
            // Somebody else drives the work just now, and wakes all when that comes to a halt.
            None => return Poll::Pending,
        };
        // Who came meanwhile has seen nothing of it.
        if shared.waiting.was_missed() {
            shared.waiting.wake_all();
        }
        polled
    }
}

impl<T: Clone> Passage<'_, T> {
    fn drive(&self, stage: &mut Stage<T>) -> Poll<Option<T>> {
        let shared = &self.shared;
        match mem::replace(stage, Stage::Crashed) {
            Stage::UnderWay(mut work) => {
                let alarm = Alarm { flight: self.flight, shared };
                let waker = Waker::from(Arc::clone(&shared.waiting));
                let polled = work.as_mut().poll(&mut Context::from_waker(&waker));
                mem::forget(alarm);
                match polled {
                    Poll::Pending => {
                        *stage = Stage::UnderWay(work);
                        Poll::Pending
                    }
                    Poll::Ready(outcome) => {
                        *stage = Stage::Done(outcome.clone());
                        self.flight.close(shared);
                        shared.waiting.wake_all();
                        Poll::Ready(Some(outcome))
                    }
                }
            }
            Stage::Done(outcome) => {
                *stage = Stage::Done(outcome.clone());
                Poll::Ready(Some(outcome))
            }
            Stage::Crashed => Poll::Ready(None),
        }
    }
}

impl<T> Shared<T> {
    /// The work, unless somebody else is at it. Who is turned away is woken afterwards: a thread must
    /// not be held up, it may have other tasks to run.
    fn try_stage(&self) -> Option<MutexGuard<'_, Stage<T>>> {
        try_lock(&self.stage).or_else(|| {
            self.waiting.miss();
            // Whoever has just finished may have looked for those who missed it before.
            try_lock(&self.stage)
        })
    }
}

impl<T> Drop for Passage<'_, T> {
    fn drop(&mut self) {
        let is_last = self.shared.waiting.leave(self.seat);
        if is_last {
            self.flight.close_unless_joined(&self.shared);
        }
    }
}

impl<T> Flight<T> {
    /// Gives up work for which nobody waits any more.
    fn close_unless_joined(&self, shared: &Arc<Shared<T>>) {
        // Joining takes a seat under the same lock, so nobody can come in between.
        let mut current = lock(&self.current);
        let is_current = current.as_ref().is_some_and(|present| Arc::ptr_eq(present, shared));
        if is_current && shared.waiting.is_empty() {
            *current = None;
        }
    }
}

/// Tells the others, when driving the work panics.
struct Alarm<'a, T> {
    flight: &'a Flight<T>,
    shared: &'a Arc<Shared<T>>,
}

impl<T> Drop for Alarm<'_, T> {
    fn drop(&mut self) {
        self.flight.close(self.shared);
        self.shared.waiting.wake_all();
    }
}

/// Those who wait, each with the waker of its last poll.
#[derive(Debug, Default)]
struct Waiting {
    seats: Mutex<Seats>,
    /// Whether somebody came while another drove the work.
    missed: AtomicBool,
}

#[derive(Debug, Default)]
struct Seats {
    next: u64,
    taken: Vec<(u64, Option<Waker>)>,
}

impl Waiting {
    fn take_seat(&self) -> u64 {
        let mut seats = lock(&self.seats);
        let seat = seats.next;
        seats.next += 1;
        seats.taken.push((seat, None));
        seat
    }

    fn sit(&self, seat: u64, waker: &Waker) {
        let mut seats = lock(&self.seats);
        let taken = seats.taken.iter_mut().find(|(number, _)| *number == seat);
        let before = taken.and_then(|(_, present)| present.replace(waker.clone()));
        // Wakers are dropped without the lock: that may run anything.
        drop(seats);
        drop(before);
    }

    /// Whether nobody is left.
    fn leave(&self, seat: u64) -> bool {
        let mut seats = lock(&self.seats);
        let place = seats.taken.iter().position(|(number, _)| *number == seat);
        let left = place.map(|place| seats.taken.swap_remove(place));
        let is_empty = seats.taken.is_empty();
        drop(seats);
        drop(left);
        is_empty
    }

    /// Says that the work could not be looked at. It is followed by another look.
    fn miss(&self) {
        self.missed.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
    }

    /// Whether anybody said so. It comes after the work was let go of.
    fn was_missed(&self) -> bool {
        fence(Ordering::SeqCst);
        self.missed.swap(false, Ordering::SeqCst)
    }

    fn is_empty(&self) -> bool {
        lock(&self.seats).taken.is_empty()
    }

    fn wake_all(&self) {
        let wakers: Vec<Waker> =
            lock(&self.seats).taken.iter_mut().filter_map(|(_, waker)| waker.take()).collect();
        // Without the lock: a waker may do anything.
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        self.wake_all();
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Barrier;
    use std::sync::atomic::AtomicUsize;

    use super::*;

    /// A waker that counts how often it is woken.
    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn poll<T: Clone>(passage: &mut Passage<'_, T>, count: &Arc<Count>) -> Poll<Option<T>> {
        let waker = Waker::from(Arc::clone(count));
        Pin::new(passage).poll(&mut Context::from_waker(&waker))
    }

    /// Work that ends once the door is opened, and keeps its waker where it can be got at.
    #[derive(Clone, Default)]
    struct Door(Arc<Mutex<(bool, Option<Waker>)>>);

    impl Door {
        fn work(&self, outcome: u32) -> Work<u32> {
            let door = self.clone();
            Box::pin(poll_fn(move |context| {
                let mut state = lock(&door.0);
                if state.0 {
                    return Poll::Ready(outcome);
                }
                state.1 = Some(context.waker().clone());
                Poll::Pending
            }))
        }

        fn open(&self) {
            let waker = {
                let mut state = lock(&self.0);
                state.0 = true;
                state.1.take()
            };
            waker.into_iter().for_each(Waker::wake);
        }
    }

    fn no_work() -> Work<u32> {
        panic!("there is work already")
    }

    #[test]
    fn all_share_one_outcome() {
        let (flight, door) = (Flight::new(), Door::default());
        let mut first = flight.join(1, || door.work(7)).unwrap();
        let mut second = flight.join(1, no_work).unwrap();
        let counts = [Arc::<Count>::default(), Arc::default()];
        assert_eq!(poll(&mut first, &counts[0]), Poll::Pending);
        assert_eq!(poll(&mut second, &counts[1]), Poll::Pending);
        door.open();
        assert_eq!(counts.each_ref().map(|count| count.0.load(Ordering::SeqCst)), [1, 1]);
        assert_eq!(poll(&mut second, &counts[1]), Poll::Ready(Some(7)));
        assert_eq!(poll(&mut first, &counts[0]), Poll::Ready(Some(7)));
        let mut later = flight.join(1, || Box::pin(async { 8 })).unwrap();
        assert_eq!(poll(&mut later, &counts[0]), Poll::Ready(Some(8)));
    }

    /// As with a timer that has run out when somebody happens to look, and then wakes nobody.
    #[test]
    fn who_finds_the_work_done_wakes_the_others() {
        let (flight, door) = (Flight::new(), Door::default());
        let mut first = flight.join(1, || door.work(7)).unwrap();
        let mut second = flight.join(1, no_work).unwrap();
        let counts = [Arc::<Count>::default(), Arc::default()];
        assert_eq!(poll(&mut first, &counts[0]), Poll::Pending);
        assert_eq!(poll(&mut second, &counts[1]), Poll::Pending);
        lock(&door.0).0 = true;
        assert_eq!(poll(&mut first, &counts[0]), Poll::Ready(Some(7)));
        assert_eq!(counts[1].0.load(Ordering::SeqCst), 1);
    }

    /// The caller who began is never polled again; the others are not held up.
    #[test]
    fn who_is_not_polled_holds_up_nobody() {
        let (flight, door) = (Flight::new(), Door::default());
        let mut first = flight.join(1, || door.work(7)).unwrap();
        let counts = [Arc::<Count>::default(), Arc::default()];
        assert_eq!(poll(&mut first, &counts[0]), Poll::Pending);
        let mut second = flight.join(1, no_work).unwrap();
        assert_eq!(poll(&mut second, &counts[1]), Poll::Pending);
        door.open();
        assert_eq!(counts[1].0.load(Ordering::SeqCst), 1);
        assert_eq!(poll(&mut second, &counts[1]), Poll::Ready(Some(7)));
    }

    #[test]
    fn who_leaves_hands_over_and_the_last_one_gives_up() {
        struct Dropped(Arc<AtomicUsize>);
        impl Drop for Dropped {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let flight = Flight::<u32>::new();
        let dropped = Arc::new(AtomicUsize::new(0));
        let guard = Dropped(Arc::clone(&dropped));
        let mut first = flight
            .join(1, || {
                Box::pin(async move {
                    let _guard = guard;
                    pending().await
                })
            })
            .unwrap();
        let count = Arc::default();
        assert_eq!(poll(&mut first, &count), Poll::Pending);
        let mut second = flight.join(1, no_work).unwrap();
        drop(first);
        assert_eq!(dropped.load(Ordering::SeqCst), 0);
        assert_eq!(poll(&mut second, &count), Poll::Pending);
        drop(second);
        assert_eq!(dropped.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn another_epoch_is_other_work() {
        let (flight, door) = (Flight::new(), Door::default());
        let mut old = flight.join(1, || door.work(7)).unwrap();
        let count = Arc::default();
        assert_eq!(poll(&mut old, &count), Poll::Pending);
        let mut new = flight.join(2, || Box::pin(async { 8 })).unwrap();
        assert_eq!(poll(&mut new, &count), Poll::Ready(Some(8)));
        door.open();
        assert_eq!(poll(&mut old, &count), Poll::Ready(Some(7)));
    }

    #[test]
    fn who_comes_for_an_earlier_epoch_leaves_the_later_one_alone() {
        let (flight, door) = (Flight::new(), Door::default());
        let mut new = flight.join(2, || door.work(7)).unwrap();
        let count = Arc::default();
        assert_eq!(poll(&mut new, &count), Poll::Pending);
        assert!(flight.join(1, no_work).is_none());
        let _also = flight.join(2, no_work).unwrap();
    }

    /// A thread that finds another at work is not held up, and hears of it afterwards.
    #[test]
    fn who_misses_the_work_is_woken() {
        let flight = Flight::<u32>::new();
        let (inside, outside) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
        let (entered, left) = (Arc::clone(&inside), Arc::clone(&outside));
        let mut first = flight
            .join(1, || {
                Box::pin(poll_fn(move |_| {
                    entered.wait();
                    left.wait();
                    // It comes to a halt without a waker, so that only the one can be woken.
                    Poll::Pending
                }))
            })
            .unwrap();
        let mut second = flight.join(1, no_work).unwrap();
        let counts = [Arc::<Count>::default(), Arc::default()];
        std::thread::scope(|scope| {
            let driver = scope.spawn(|| poll(&mut first, &counts[0]));
            inside.wait();
            assert_eq!(poll(&mut second, &counts[1]), Poll::Pending);
            assert_eq!(counts[1].0.load(Ordering::SeqCst), 0);
            outside.wait();
            assert_eq!(driver.join().unwrap(), Poll::Pending);
        });
        assert_eq!(counts[1].0.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_panic_hurts_only_whom_it_hits() {
        let flight = Flight::<u32>::new();
        let mut first =
            flight.join(1, || Box::pin(poll_fn(|_| panic!("as the test wants it")))).unwrap();
        let mut second = flight.join(1, no_work).unwrap();
        let counts = [Arc::<Count>::default(), Arc::default()];
        shared_waker(&second, &counts[1]);
        let crash = catch_unwind(AssertUnwindSafe(|| poll(&mut first, &counts[0])));
        assert!(crash.is_err());
        assert_eq!(counts[1].0.load(Ordering::SeqCst), 1);
        assert_eq!(poll(&mut second, &counts[1]), Poll::Ready(None));
        let mut again = flight.join(1, || Box::pin(async { 9 })).unwrap();
        assert_eq!(poll(&mut again, &counts[1]), Poll::Ready(Some(9)));
    }

    /// Registers a waker as a poll does, without driving the work.
    fn shared_waker(passage: &Passage<'_, u32>, count: &Arc<Count>) {
        passage.shared.waiting.sit(passage.seat, &Waker::from(Arc::clone(count)));
    }
}

//! Time for the suite itself, independent of any runtime.

use std::future::{Future, poll_fn};
use std::panic::{self, AssertUnwindSafe};
use std::pin::pin;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use crate::backend::Now;

pub(super) fn now() -> Instant {
    Now::system().monotonic
}

/// Blocks the thread; for servers, which have threads of their own.
#[allow(clippy::disallowed_methods, reason = "the suite waits without any backend")]
pub(super) fn pause(duration: Duration) {
    thread::sleep(duration);
}

/// Waits on any executor.
pub(super) async fn delay(duration: Duration) {
    let alarm = Alarm::set(duration);
    poll_fn(|context| alarm.poll(context.waker())).await;
}

/// Polls `future` for at most `limit`.
pub(super) async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    let alarm = Alarm::set(limit);
    let mut future = pin!(future);
    poll_fn(|context| {
        if let Poll::Ready(output) = future.as_mut().poll(context) {
            return Poll::Ready(Some(output));
        }
        alarm.poll(context.waker()).map(|()| None)
    })
    .await
}

/// Turns a panic of `future` into an error.
pub(super) async fn catch_panic<T>(future: impl Future<Output = T>) -> thread::Result<T> {
    let mut future = pin!(future);
    poll_fn(|context| {
        let poll = || future.as_mut().poll(context);
        match panic::catch_unwind(AssertUnwindSafe(poll)) {
            Ok(poll) => poll.map(Ok),
            Err(payload) => Poll::Ready(Err(payload)),
        }
    })
    .await
}

/// A thread that waits, and wakes whoever polls.
struct Alarm {
    state: Arc<Mutex<AlarmState>>,
    /// Dropping it ends the thread.
    _cancel: Sender<()>,
}

#[derive(Default)]
struct AlarmState {
    rung: bool,
    waker: Option<Waker>,
}

impl Alarm {
    fn set(duration: Duration) -> Self {
        let (cancel, cancelled) = mpsc::channel();
        let state = Arc::new(Mutex::new(AlarmState::default()));
        let shared = Arc::clone(&state);
        thread::spawn(move || ring_after(duration, &cancelled, &shared));
        Self { state, _cancel: cancel }
    }

    fn poll(&self, waker: &Waker) -> Poll<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.rung {
            return Poll::Ready(());
        }
        state.waker = Some(waker.clone());
        Poll::Pending
    }
}

fn ring_after(duration: Duration, cancelled: &Receiver<()>, state: &Mutex<AlarmState>) {
    if cancelled.recv_timeout(duration) != Err(RecvTimeoutError::Timeout) {
        return;
    }
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    state.rung = true;
    if let Some(waker) = state.waker.take() {
        waker.wake();
    }
}

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;

/// Work on a thread of its own, which no runtime has to provide. Dropped, it goes on to its end.
pub(super) struct Unblocked<T> {
    desk: Arc<Mutex<Desk<T>>>,
}

/// Where the thread leaves what came of the work.
struct Desk<T> {
    outcome: Option<Result<T, Box<dyn Any + Send>>>,
    waker: Option<Waker>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T: Send + 'static> Unblocked<T> {
    pub(super) fn begin(work: impl FnOnce() -> T + Send + 'static) -> Self {
        let desk = Arc::new(Mutex::new(Desk { outcome: None, waker: None }));
        let run = {
            let (desk, work) = (Arc::clone(&desk), Mutex::new(Some(work)));
            move || {
                let Some(work) = lock(&work).take() else { return };
                let outcome = catch_unwind(AssertUnwindSafe(work));
                let waker = {
                    let mut desk = lock(&desk);
                    desk.outcome = Some(outcome);
                    desk.waker.take()
                };
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
        };
        let run = Arc::new(run);
        let on_thread = Arc::clone(&run);
        let name = "keystone-client-files".to_owned();
        if thread::Builder::new().name(name).spawn(move || on_thread()).is_err() {
            // Where no more threads are to be had, late is better than never.
            run();
        }
        Self { desk }
    }
}

impl<T> Future for Unblocked<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let mut desk = lock(&self.desk);
        match desk.outcome.take() {
            Some(Ok(outcome)) => Poll::Ready(outcome),
            Some(Err(panic)) => {
                drop(desk);
                resume_unwind(panic)
            }
            None => {
                desk.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

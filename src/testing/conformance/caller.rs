//! One face over backends of both colours, so that each check is written once.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use bytes::Bytes;

use super::timer;
use crate::backend::{BackendError, BackendErrorKind, BoxFuture, ExecuteResult, HttpBackend};
use crate::blocking;

pub(super) trait Caller: Send + Sync {
    fn call(&self, request: http::Request<Bytes>) -> BoxFuture<'_, ExecuteResult>;

    /// All requests at the same time; the results in the order of the requests.
    fn call_all(&self, requests: Vec<http::Request<Bytes>>) -> BoxFuture<'_, Vec<ExecuteResult>>;

    /// Drops the call after this time. `None` if calls cannot be dropped, as in blocking code;
    /// otherwise whether the call was still under way.
    fn drop_after(
        &self,
        patience: Duration,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Option<bool>>;

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()>;
}

pub(super) struct AsyncCaller<B> {
    backend: B,
}

impl<B> AsyncCaller<B> {
    pub(super) fn new(backend: B) -> Self {
        Self { backend }
    }
}

impl<B: HttpBackend> Caller for AsyncCaller<B> {
    fn call(&self, request: http::Request<Bytes>) -> BoxFuture<'_, ExecuteResult> {
        Box::pin(self.backend.execute(request))
    }

    fn call_all(&self, requests: Vec<http::Request<Bytes>>) -> BoxFuture<'_, Vec<ExecuteResult>> {
        let calls = requests.into_iter().map(|request| self.call(request)).collect();
        Box::pin(join_all(calls))
    }

    fn drop_after(
        &self,
        patience: Duration,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Option<bool>> {
        Box::pin(async move {
            let result = timer::within(patience, self.backend.execute(request)).await;
            Some(result.is_none())
        })
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        Box::pin(self.backend.sleep(duration))
    }
}

async fn join_all<T>(futures: Vec<BoxFuture<'_, T>>) -> Vec<T> {
    let mut slots: Vec<_> = futures.into_iter().map(Slot::Pending).collect();
    poll_fn(|context| {
        let mut complete = true;
        for slot in &mut slots {
            if let Slot::Pending(future) = slot {
                match future.as_mut().poll(context) {
                    Poll::Ready(output) => *slot = Slot::Done(output),
                    Poll::Pending => complete = false,
                }
            }
        }
        if complete { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    let outputs = slots.into_iter().filter_map(|slot| match slot {
        Slot::Done(output) => Some(output),
        Slot::Pending(_) => None,
    });
    outputs.collect()
}

enum Slot<'a, T> {
    Pending(BoxFuture<'a, T>),
    Done(T),
}

pub(super) struct BlockingCaller<B> {
    backend: Arc<B>,
}

impl<B> BlockingCaller<B> {
    pub(super) fn new(backend: B) -> Self {
        Self { backend: Arc::new(backend) }
    }
}

impl<B: blocking::HttpBackend> Caller for BlockingCaller<B> {
    fn call(&self, request: http::Request<Bytes>) -> BoxFuture<'_, ExecuteResult> {
        Box::pin(async move { self.backend.execute(request) })
    }

    fn call_all(&self, requests: Vec<http::Request<Bytes>>) -> BoxFuture<'_, Vec<ExecuteResult>> {
        let threads: Vec<_> = requests
            .into_iter()
            .map(|request| {
                let backend = Arc::clone(&self.backend);
                thread::spawn(move || backend.execute(request))
            })
            .collect();
        Box::pin(async move {
            let results = threads.into_iter().map(|thread| {
                thread.join().unwrap_or_else(|_| {
                    Err(BackendError::new(BackendErrorKind::Other, "the backend panicked"))
                })
            });
            results.collect()
        })
    }

    fn drop_after(
        &self,
        _patience: Duration,
        _request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Option<bool>> {
        Box::pin(async { None })
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async move { self.backend.sleep(duration) })
    }
}

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use keystone_client::KeystoneClient;
use keystone_client::backend::{BackendError, BackendErrorKind};
use keystone_client::testing::from_async_fn;

use crate::support::BASE;

#[test]
fn an_async_function_may_wait() {
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let noted = Arc::clone(&seen);
    let (sender, receiver) = tokio::sync::watch::channel("");
    let backend = from_async_fn(move |request: Request<Bytes>| {
        let (noted, mut receiver) = (Arc::clone(&noted), receiver.clone());
        async move {
            noted.lock().unwrap().push(request.uri().path().to_owned());
            let answer = receiver.wait_for(|answer| !answer.is_empty()).await;
            let answer = answer
                .map_err(|error| BackendError::new(BackendErrorKind::Other, error.to_string()))?;
            Ok(Response::new(Bytes::from_static(answer.as_bytes())))
        }
    });
    let client = KeystoneClient::with_backend(BASE, backend).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let version = runtime.block_on(async {
        let (version, ()) = tokio::join!(client.version().send(), async {
            while seen.lock().unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
            sender.send("0.10.9").unwrap();
        });
        version
    });
    assert_eq!(version.unwrap(), "0.10.9");
    assert_eq!(*seen.lock().unwrap(), ["/version/"]);
}

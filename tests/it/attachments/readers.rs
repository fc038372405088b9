//! Files that are read from whatever gives bytes.

use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use keystone_client::ErrorKind;
use keystone_client::upload::Upload;

use super::{LIST, asked, new, sandbox};
use crate::support::both_colours;

/// Gives zeros, up to a number of bytes that may not be exceeded.
struct Zeros {
    given: Arc<AtomicU64>,
    most: u64,
}

impl Read for Zeros {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        buffer.fill(0);
        let given = self.given.fetch_add(buffer.len() as u64, Ordering::SeqCst);
        assert!(given + buffer.len() as u64 <= self.most, "it is read too far");
        Ok(buffer.len())
    }
}

/// Fails at first.
struct Hesitant(Arc<AtomicUsize>);

impl Read for Hesitant {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let text: &[u8] = match self.0.fetch_add(1, Ordering::SeqCst) {
            0 => b"one ",
            1 => return Err(io::ErrorKind::Interrupted.into()),
            2 => return Err(io::Error::other("the tape is jammed")),
            3 => b"two",
            _ => b"",
        };
        buffer[..text.len()].copy_from_slice(text);
        Ok(text.len())
    }
}

both_colours! {
    fn an_endless_reader_is_stopped_one_byte_after_the_limit() {
        let sandbox = sandbox();
        let client = client!(sandbox.clone());
        go!(client.login("admin", "admin-password")).unwrap();
        let given = Arc::new(AtomicU64::new(0));
        let reader = Zeros { given: Arc::clone(&given), most: 2_621_441 };
        let file = Upload::reader("zeros.txt", reader);
        for _ in 0..2 {
            let error = go!(client.create_attachment(new(file.clone()))).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest);
            assert!(!error.may_have_been_sent());
            assert!(error.to_string().contains("`zeros.txt` has more than 2621440 bytes"));
            assert_eq!(given.load(Ordering::SeqCst), 2_621_441);
        }
        assert!(!asked(&sandbox).iter().any(|request| request.ends_with(LIST)));
    }

    fn a_reader_of_exactly_the_limit_is_sent() {
        let client = client!(sandbox());
        go!(client.login("admin", "admin-password")).unwrap();
        let given = Arc::new(AtomicU64::new(0));
        let zeros = Zeros { given, most: u64::MAX }.take(2_621_440);
        go!(client.create_attachment(new(Upload::reader("zeros.txt", zeros)))).unwrap();
    }

    fn a_reader_that_fails_goes_on_from_where_it_was() {
        let sandbox = sandbox();
        let client = client!(sandbox.clone());
        go!(client.login("admin", "admin-password")).unwrap();
        let file = Upload::reader("a.txt", Hesitant(Arc::default()));
        let error = go!(client.create_attachment(new(file.clone()))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert_eq!(
            format!("{error:#}"),
            "create attachment: invalid request: `a.txt` cannot be read: the tape is jammed"
        );
        go!(client.create_attachment(new(file))).unwrap();
        let requests = sandbox.requests();
        let body = String::from_utf8_lossy(requests.last().unwrap().body()).into_owned();
        assert!(body.contains("\r\n\r\none two\r\n"), "{body}");
    }

    fn a_reader_without_bytes_is_an_empty_file() {
        let client = client!(sandbox());
        go!(client.login("admin", "admin-password")).unwrap();
        let file = Upload::reader("a.txt", io::empty());
        let error = go!(client.create_attachment(new(file))).unwrap_err();
        assert!(error.to_string().contains("`a.txt` is empty"), "{error}");
    }
}

/// Gives nothing until it is let go.
struct Stalled {
    begun: mpsc::Sender<()>,
    gate: mpsc::Receiver<()>,
}

impl Read for Stalled {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.begun.send(()).unwrap();
        match self.gate.recv() {
            Ok(()) => {
                buffer[0] = b'x';
                Ok(1)
            }
            Err(_) => Ok(0),
        }
    }
}

/// Whoever comes meanwhile is told so, and does not wait for ever.
#[test]
fn a_stalled_reader_holds_up_nobody_else() {
    let client = sandbox().client().unwrap();
    pollster::block_on(client.login("admin", "admin-password")).unwrap();
    let ((begun, beginning), (go, gate)) = (mpsc::channel(), mpsc::channel());
    let file = Upload::reader("a.txt", Stalled { begun, gate });
    let mut first = Box::pin(client.create_attachment(new(file.clone())).send());
    // The call is given up while the reader has nothing to give.
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    while beginning.try_recv().is_err() {
        assert!(std::future::Future::poll(first.as_mut(), &mut context).is_pending());
        std::thread::yield_now();
    }
    drop(first);
    let error = pollster::block_on(client.create_attachment(new(file.clone())).send()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    let expected = "`a.txt` is still being read by an earlier call";
    assert!(error.to_string().contains(expected), "{error}");
    assert!(format!("{file:?}").contains("a.txt"));
    // What it gives after all is not lost.
    go.send(()).unwrap();
    drop(go);
    let sent = loop {
        match pollster::block_on(client.create_attachment(new(file.clone())).send()) {
            Err(error) if error.to_string().contains(expected) => std::thread::yield_now(),
            sent => break sent,
        }
    };
    sent.unwrap();
}

#[test]
fn the_async_client_reads_on_another_thread() {
    struct Where(Option<std::thread::ThreadId>);
    impl Read for Where {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            assert_ne!(self.0.unwrap(), std::thread::current().id());
            buffer[0] = b'x';
            Ok(1)
        }
    }
    let client = sandbox().client().unwrap();
    pollster::block_on(async {
        client.login("admin", "admin-password").await.unwrap();
        let reader = Where(Some(std::thread::current().id())).take(3);
        client.create_attachment(new(Upload::reader("a.txt", reader))).await.unwrap();
    });
}

#[test]
fn the_panic_of_a_reader_comes_to_whoever_waits_for_it() {
    struct Panics;
    impl Read for Panics {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            panic!("this is what the test wants to see")
        }
    }
    let client = sandbox().client().unwrap();
    pollster::block_on(client.login("admin", "admin-password")).unwrap();
    let file = Upload::reader("a.txt", Panics);
    let call = client.create_attachment(new(file.clone()));
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = pollster::block_on(call.send());
    }));
    let message = *caught.unwrap_err().downcast::<&str>().unwrap();
    assert_eq!(message, "this is what the test wants to see");
    let error = pollster::block_on(client.create_attachment(new(file)).send()).unwrap_err();
    assert!(error.to_string().contains("cannot be read any more"), "{error}");
}

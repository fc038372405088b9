//! Walks are whole whatever happens to the list meanwhile: properties, held against a sandbox whose
//! rows come and go between the requests of a walk.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use keystone_client::backend::{BackendError, HttpBackend};
use keystone_client::resources::Cluster;
use keystone_client::sandbox::Sandbox;
use keystone_client::{Cursor, ErrorKind, Id, KeystoneClient, List, blocking};
use proptest::prelude::*;
use serde_json::json;

use crate::support::BASE;

/// What happens to the rows between two requests.
#[derive(Debug, Clone)]
enum Event {
    /// A row comes, with this key if it is free.
    Insert(u64),
    /// The row at this place among those that there are goes, unless there are none.
    Delete(usize),
    /// The row at this place gets another name, by which it stands elsewhere in the order of names.
    Rename(usize),
}

/// A server whose rows come and go, by itself or behind one of the clients.
#[derive(Clone)]
struct Busy(Arc<Inner>);

struct Inner {
    sandbox: Sandbox,
    admin: blocking::KeystoneClient,
    rows: Mutex<Rows>,
    under_way: AtomicUsize,
    most_under_way: AtomicUsize,
    requests: AtomicUsize,
    /// Which of the requests are answered with a failure.
    failing: Mutex<BTreeSet<usize>>,
    /// Whether walks may see the events to come.
    is_walked: std::sync::atomic::AtomicBool,
}

struct Rows {
    events: VecDeque<Vec<Event>>,
    /// Those that there are.
    present: BTreeSet<u64>,
    /// Those that were there all the time.
    survivors: BTreeSet<u64>,
    /// Those that were there at some time.
    ever: BTreeSet<u64>,
    renamed: bool,
}

impl Rows {
    fn at(&self, place: usize) -> Option<u64> {
        let place = place.checked_rem(self.present.len())?;
        self.present.iter().nth(place).copied()
    }
}

impl Busy {
    fn new(ids: &[u64], events: Vec<Vec<Event>>) -> Self {
        let sandbox = Sandbox::new();
        for id in ids {
            insert(&sandbox, *id);
        }
        let admin = sandbox.blocking_client().unwrap();
        admin.login("admin", "admin-password").unwrap();
        let present: BTreeSet<u64> = ids.iter().copied().collect();
        let rows = Rows {
            events: events.into(),
            survivors: present.clone(),
            ever: present.clone(),
            present,
            renamed: false,
        };
        Self(Arc::new(Inner {
            sandbox,
            admin,
            rows: Mutex::new(rows),
            under_way: AtomicUsize::new(0),
            most_under_way: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
            failing: Mutex::default(),
            is_walked: false.into(),
        }))
    }

    fn blocking_client(&self) -> blocking::KeystoneClient {
        let client = blocking::KeystoneClient::with_backend(BASE, self.clone()).unwrap();
        client.login("admin", "admin-password").unwrap();
        self.0.is_walked.store(true, Ordering::SeqCst);
        client
    }

    async fn client(&self) -> KeystoneClient {
        let client = KeystoneClient::with_backend(BASE, self.clone()).unwrap();
        client.login("admin", "admin-password").await.unwrap();
        self.0.is_walked.store(true, Ordering::SeqCst);
        client
    }

    fn begin(&self) {
        let under_way = self.0.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.most_under_way.fetch_max(under_way, Ordering::SeqCst);
    }

    fn answer(&self, request: Request<Bytes>) -> Response<Bytes> {
        // One at a time, so that what was there throughout is known.
        let mut rows = self.0.rows.lock().unwrap();
        if self.0.is_walked.load(Ordering::SeqCst) {
            let number = self.0.requests.fetch_add(1, Ordering::SeqCst);
            if self.0.failing.lock().unwrap().contains(&number) {
                self.0.under_way.fetch_sub(1, Ordering::SeqCst);
                return Response::builder().status(500).body(Bytes::new()).unwrap();
            }
            for event in rows.events.pop_front().unwrap_or_default() {
                self.happen(&mut rows, &event);
            }
        }
        let response = self.0.sandbox.handle(request);
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
        response
    }

    fn happen(&self, rows: &mut Rows, event: &Event) {
        match event {
            Event::Insert(id) => {
                if rows.ever.insert(*id) {
                    insert(&self.0.sandbox, *id);
                    rows.present.insert(*id);
                }
            }
            Event::Delete(place) => {
                if let Some(id) = rows.at(*place) {
                    self.0.admin.delete_cluster(Id::new(id)).send().unwrap();
                    rows.present.remove(&id);
                    rows.survivors.remove(&id);
                }
            }
            Event::Rename(place) => {
                if let Some(id) = rows.at(*place) {
                    let name = format!("{:05}-renamed-{id}", place % 10_000);
                    self.0.admin.update_cluster(Id::new(id), |c| c.name.set(name)).send().unwrap();
                    rows.renamed = true;
                }
            }
        }
    }
}

/// Names are in no order that keys or times of creation have.
fn name(id: u64) -> String {
    format!("{:05}-{id}", id.wrapping_mul(7_919) % 9_973)
}

fn insert(sandbox: &Sandbox, id: u64) {
    let row = json!({ "id": id, "name": name(id), "enabled": id % 3 != 0 });
    sandbox.insert("allocations/clusters", row).unwrap();
}

impl HttpBackend for Busy {
    async fn execute(&self, request: Request<Bytes>) -> Result<Response<Bytes>, BackendError> {
        self.begin();
        // Some answers come sooner than others.
        let mut turns = request.uri().to_string().len() % 5;
        poll_fn(|context| match turns.checked_sub(1) {
            None => Poll::Ready(()),
            Some(left) => {
                turns = left;
                context.waker().wake_by_ref();
                Poll::Pending
            }
        })
        .await;
        Ok(self.answer(request))
    }

    async fn sleep(&self, _: Duration) {}
}

impl blocking::HttpBackend for Busy {
    fn execute(&self, request: Request<Bytes>) -> Result<Response<Bytes>, BackendError> {
        self.begin();
        Ok(self.answer(request))
    }

    fn sleep(&self, _: Duration) {}
}

/// Keys with gaps, most of them small.
fn ids() -> impl Strategy<Value = Vec<u64>> {
    let gap = prop_oneof![8 => 1..3_u64, 2 => 3..40_u64, 1 => 1_000..100_000_u64];
    prop::collection::vec(gap, 0..80).prop_map(|gaps| {
        gaps.iter()
            .scan(0, |id, gap| {
                *id += gap;
                Some(*id)
            })
            .collect()
    })
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        2 => (1..300_u64).prop_map(Event::Insert),
        2 => (0..1_000_usize).prop_map(Event::Delete),
        1 => (0..10_000_usize).prop_map(Event::Rename),
    ]
}

fn events() -> impl Strategy<Value = Vec<Vec<Event>>> {
    prop::collection::vec(prop::collection::vec(event(), 0..4), 0..12)
}

/// How a list is walked.
#[derive(Debug, Clone)]
struct Way {
    page_size: u32,
    concurrency: usize,
    descending: bool,
    bounds: Option<(u64, u64)>,
}

fn way() -> impl Strategy<Value = Way> {
    let bounds = prop::option::weighted(0.3, (0..150_u64, 20..400_u64));
    (1..12_u32, 1..7_usize, any::<bool>(), bounds).prop_map(
        |(page_size, concurrency, descending, bounds)| Way {
            page_size,
            concurrency,
            descending,
            bounds,
        },
    )
}

impl Way {
    fn list<C>(&self, mut list: List<Cluster, C>) -> List<Cluster, C> {
        if let Some((least, most)) = self.bounds {
            list = list.filter(|c| c.id.gt(Id::new(least))).filter(|c| c.id.lte(Id::new(most)));
        }
        if self.descending {
            list = list.order_by(|c| c.id.desc());
        }
        list.page_size(self.page_size).concurrency(self.concurrency)
    }

    fn includes(&self, id: u64) -> bool {
        self.bounds.is_none_or(|(least, most)| id > least && id <= most)
    }

    /// Every row that was there throughout came exactly once, in order, and none that never was.
    fn check(&self, busy: &Busy, walked: &[u64]) {
        let in_order = match self.descending {
            true => walked.is_sorted_by(|left, right| left > right),
            false => walked.is_sorted_by(|left, right| left < right),
        };
        assert!(in_order, "{walked:?}");
        let rows = busy.0.rows.lock().unwrap();
        let walked: BTreeSet<u64> = walked.iter().copied().collect();
        let missing: Vec<&u64> = rows
            .survivors
            .iter()
            .filter(|id| self.includes(**id) && !walked.contains(id))
            .collect();
        assert!(missing.is_empty(), "missing {missing:?}");
        assert!(walked.iter().all(|id| rows.ever.contains(id) && self.includes(*id)));
    }

    /// Of one walk: what another asked ahead may still be on its way.
    fn check_pace(&self, busy: &Busy) {
        let most = busy.0.most_under_way.load(Ordering::SeqCst);
        assert!(most <= self.concurrency, "{most} requests at a time");
    }
}

fn keys(clusters: &[Cluster]) -> Vec<u64> {
    clusters.iter().map(|cluster| cluster.id.get()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(150) })]

    #[test]
    fn every_row_that_was_there_throughout_comes_once(
        ids in ids(), events in events(), way in way(),
    ) {
        let busy = Busy::new(&ids, events.clone());
        let client = busy.blocking_client();
        let walked = keys(&way.list(client.clusters().list()).all().unwrap());
        way.check(&busy, &walked);
        way.check_pace(&busy);

        let busy = Busy::new(&ids, events);
        let walked = pollster::block_on(async {
            let client = busy.client().await;
            keys(&way.list(client.clusters().list()).all().await.unwrap())
        });
        way.check(&busy, &walked);
        way.check_pace(&busy);
    }

    #[test]
    fn in_an_order_of_the_callers_too(
        ids in ids(), events in events(), page_size in 1..12_u32,
    ) {
        let busy = Busy::new(&ids, events);
        let client = busy.blocking_client();
        let list = client.clusters().order_by(|c| c.name.desc()).page_size(page_size);
        let mut rows = list.iter();
        let walked: Vec<u64> = rows.by_ref().map(|row| row.unwrap().id.get()).collect();
        let has_moved = rows.has_moved();
        let state = busy.0.rows.lock().unwrap();
        let mut times: BTreeMap<u64, u32> = BTreeMap::new();
        for id in &walked {
            *times.entry(*id).or_default() += 1;
        }
        prop_assert!(times.values().all(|times| *times == 1), "{times:?}");
        // One that is renamed while others come and go can slip by unseen, if the sum of it all leaves
        // each page where it was.
        if has_moved || !state.renamed {
            for id in &state.survivors {
                prop_assert!(times.contains_key(id), "missing {id}, moved {has_moved}");
            }
        }
        let names = walked.iter().map(|id| name(*id));
        if state.ever == state.survivors && !state.renamed {
            let names: Vec<String> = names.collect();
            prop_assert!(!has_moved && names.is_sorted_by(|left, right| left > right));
        }
    }

    #[test]
    fn a_walk_that_ends_well_is_whole(
        ids in ids(), way in way(), failing in prop::collection::btree_set(0..40_usize, 0..3),
    ) {
        let busy = Busy::new(&ids, Vec::new());
        *busy.0.failing.lock().unwrap() = failing;
        let client = busy.blocking_client();
        let mut walked = Vec::new();
        let mut rows = way.list(client.clusters().list()).iter();
        let error = loop {
            match rows.next() {
                Some(Ok(row)) => walked.push(row.id.get()),
                Some(Err(error)) => break Some(error),
                None => break None,
            }
        };
        prop_assert!(rows.next().is_none());
        match error {
            None => way.check(&busy, &walked),
            // What came before it is whole as well.
            Some(error) => {
                prop_assert_eq!(error.kind(), ErrorKind::Server);
                let mut expected: Vec<u64> = ids.into_iter().filter(|id| way.includes(*id)).collect();
                if way.descending {
                    expected.reverse();
                }
                prop_assert!(expected.starts_with(&walked), "{walked:?} of {expected:?}");
            }
        }
    }

    #[test]
    fn as_many_pages_at_a_time_as_one_would_like_give_the_same_rows(ids in ids(), way in way()) {
        let busy = Busy::new(&ids, Vec::new());
        let client = busy.blocking_client();
        let list = way.list(client.clusters().filter(|c| c.enabled.eq(true)));
        let one_by_one = list.clone().concurrency(1).all().unwrap();
        prop_assert_eq!(&list.clone().all().unwrap(), &one_by_one);
        let mut before = 0;
        for page in list.pages() {
            let page = page.unwrap();
            prop_assert_eq!((page.offset, page.total), (before, Some(one_by_one.len() as u64)));
            before += page.items.len() as u64;
        }
    }

    #[test]
    fn a_walk_goes_on_from_a_cursor(
        ids in ids(), events in events(), way in way(), stop in 0..90_usize, by_name: bool,
    ) {
        let busy = Busy::new(&ids, events);
        let client = busy.blocking_client();
        let list = match by_name {
            true => client.clusters().order_by(|c| c.name.asc()).page_size(way.page_size),
            false => way.list(client.clusters().list()),
        };
        let mut rows = list.clone().iter();
        let mut walked: Vec<Cluster> = rows.by_ref().take(stop).map(Result::unwrap).collect();
        let stored = serde_json::to_string(&rows.cursor()).unwrap();
        drop(rows);

        let cursor: Cursor<Cluster> = serde_json::from_str(&stored).unwrap();
        prop_assert_eq!(cursor.handed_out(), walked.len() as u64);
        let rest = list.iter().resume(&cursor).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        match rest {
            Ok(rest) => walked.extend(rest),
            // The record at which it stopped has gone.
            Err(error) => {
                prop_assert!(by_name && error.kind() == ErrorKind::ListChanged, "{error}");
                return Ok(());
            }
        }
        if by_name {
            let state = busy.0.rows.lock().unwrap();
            let distinct: BTreeSet<u64> = keys(&walked).into_iter().collect();
            if !state.renamed {
                prop_assert!(state.survivors.is_subset(&distinct));
                prop_assert_eq!(distinct.len(), walked.len());
            }
        } else {
            way.check(&busy, &keys(&walked));
        }
    }
}

/// A list without gaps takes hardly more requests than pages.
#[test]
fn ranges_cost_few_requests() {
    let requests = |ids: &[u64], concurrency| {
        let busy = Busy::new(ids, Vec::new());
        let client = busy.blocking_client();
        let all = client.clusters().list().page_size(50).concurrency(concurrency).all().unwrap();
        assert_eq!(keys(&all), ids);
        busy.0.requests.load(Ordering::SeqCst)
    };
    let dense: Vec<u64> = (1..=1_000).collect();
    assert_eq!(requests(&dense, 1), 20);
    assert_eq!(requests(&dense, 4), 21);
    // Half of the keys are gone, here and there.
    let thinned: Vec<u64> =
        (1..=2_000).filter(|id: &u64| id.wrapping_mul(2_654_435_761) >> 7 & 1 == 0).collect();
    let pages = thinned.len().div_ceil(50);
    assert_eq!(requests(&thinned, 1), pages);
    assert!(requests(&thinned, 4) <= pages * 8 / 5, "{} of {pages}", requests(&thinned, 4));
    // All records stand at the ends of a wide range.
    let apart: Vec<u64> = (1..=500).chain(1_000_000_000..1_000_000_500).collect();
    assert!(requests(&apart, 4) <= 70, "{}", requests(&apart, 4));
    // One page needs no look ahead.
    assert_eq!(requests(&dense[..50], 4), 1);
    assert_eq!(requests(&dense[..100], 4), 2);
}

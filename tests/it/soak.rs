//! Thousands of calls of many callers over one client, while the server fails in every way and ends
//! logins: at the end the books balance.
//!
//! `KEYSTONE_SOAK_CALLS=20000 cargo test --release --features full --test it -- soak --ignored
//! --nocapture` prints what it came to. `KEYSTONE_SOAK_SEED` repeats the faults of another run, in
//! another order, since callers race.

mod books;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use keystone_client::observe::{Event, EventKind};
use keystone_client::resources::Cluster;
use keystone_client::sandbox::Dialect;
use keystone_client::{Error, ErrorKind};

use self::books::{Books, Renewals};
use crate::support::callers::{Caller, Make, Setup, direct, reqwest, ureq};

const CALLERS: usize = 64;

/// No run takes longer, however slow the machine.
const LONGEST_RUN: Duration = Duration::from_secs(480);

/// What a busy machine may add to a deadline, and one that runs all other tests at the same time.
const SLACK: Duration = Duration::from_secs(3);
const SLACK_AMONG_OTHERS: Duration = Duration::from_secs(15);

/// What the callers see.
struct Soak {
    books: Arc<Books>,
    client: Arc<dyn Caller>,
    calls: usize,
    next: AtomicUsize,
    seed: u64,
    started: Instant,
    /// By name, what came of each creation.
    creations: Mutex<HashMap<String, Creation>>,
    seen: Mutex<Seen>,
    events: Arc<Events>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Creation {
    Confirmed(u64),
    InDoubt,
    NotSent,
}

#[derive(Default)]
struct Seen {
    outcomes: BTreeMap<String, usize>,
    longest: Duration,
    /// What should not have happened.
    wrong: Vec<String>,
    records: Vec<Own>,
}

/// What the client tells of itself.
#[derive(Default)]
struct Events {
    retries: AtomicUsize,
    logins: AtomicUsize,
    refreshes: AtomicUsize,
    failed_renewals: AtomicUsize,
    ended: AtomicUsize,
}

impl Events {
    fn see(&self, event: &Event) {
        let counter = match event.kind {
            EventKind::Retry { .. } => &self.retries,
            EventKind::Login => &self.logins,
            EventKind::Refresh => &self.refreshes,
            EventKind::RenewalFailed { .. } => &self.failed_renewals,
            EventKind::SessionEnded => &self.ended,
            _ => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// A record that belongs to one caller: nobody else renames it.
struct Own {
    id: u64,
    name: String,
    /// Names that it may bear instead: whether it was renamed so is in doubt.
    doubtful: Vec<String>,
}

impl Own {
    fn may_be(&self, name: &str) -> bool {
        self.name == name || self.doubtful.iter().any(|doubtful| doubtful == name)
    }
}

/// When a call began.
struct Began {
    at: Instant,
    /// How many logins had ended by then.
    expiries: usize,
}

#[allow(clippy::disallowed_methods, reason = "deadlines are of real time")]
fn now() -> Instant {
    Instant::now()
}

impl Soak {
    fn wrong(&self, what: String) {
        self.seen.lock().unwrap().wrong.push(what);
    }

    fn begin(&self) -> Began {
        Began { at: now(), expiries: self.books.expiries() }
    }

    /// Takes down what came of a call.
    fn note<T>(&self, what: &str, began: Began, outcome: &Result<T, Error>) {
        let took = began.at.elapsed();
        let expiries = self.books.expiries() - began.expiries;
        let mut seen = self.seen.lock().unwrap();
        seen.longest = seen.longest.max(took);
        let slack = if self.calls < 1_000 { SLACK_AMONG_OTHERS } else { SLACK };
        let deadline = Setup::quick().retry.total() * 2 + slack;
        if took > deadline {
            seen.wrong.push(format!("{what} took {took:?}"));
        }
        let key = match outcome {
            Ok(_) => format!("{what}: done"),
            Err(error) => {
                let doubt = if error.may_have_been_sent() { "maybe" } else { "not" };
                format!("{what}: {:?}, {doubt} carried out", error.kind())
            }
        };
        *seen.outcomes.entry(key).or_default() += 1;
        if let Err(error) = outcome {
            // The password is right, the records are there, the names are new.
            let is_possible = matches!(
                error.kind(),
                ErrorKind::Connect
                    | ErrorKind::Timeout
                    | ErrorKind::Transport
                    | ErrorKind::TooLarge
                    | ErrorKind::Decode
                    | ErrorKind::Redirected
                    | ErrorKind::Throttled
                    | ErrorKind::Server
            );
            // A call renews the login a second time if somebody has had an answer with it since the first.
            // Otherwise it cannot know that the login was ended again, and gives up.
            let has_given_up = error.kind() == ErrorKind::SessionExpired && expiries >= 2;
            if !is_possible && !has_given_up {
                seen.wrong.push(format!("{what}: {error:?}"));
            }
        }
    }

    fn check(&self, what: &str, own: &Own, cluster: &Cluster) {
        if cluster.id.get() != own.id || !own.may_be(&cluster.name) {
            let names = (&own.name, &own.doubtful);
            self.wrong(format!("{what} of {} {names:?}: {cluster:?}", own.id));
        }
    }

    async fn call(self: Arc<Self>, caller: usize) {
        let mut random = fastrand::Rng::with_seed(self.seed ^ (caller as u64 + 1) << 32);
        let mut own: Vec<Own> = Vec::new();
        while self.started.elapsed() < LONGEST_RUN {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.calls {
                break;
            }
            let which = random.usize(..own.len().max(1));
            match (random.u8(0..100), own.get_mut(which)) {
                (0..35, _) | (_, None) => {
                    if let Some(record) = self.create(&format!("c{number}")).await {
                        own.push(record);
                    }
                }
                (35..65, Some(record)) => {
                    let began = self.begin();
                    let outcome = self.client.retrieve(record.id).await;
                    self.note("retrieve", began, &outcome);
                    outcome.iter().for_each(|found| self.check("retrieve", record, found));
                }
                (65..80, Some(record)) => self.rename(record, &format!("r{number}")).await,
                (80..90, Some(record)) => {
                    let began = self.begin();
                    let outcome = self.client.named(&record.name).await;
                    self.note("list", began, &outcome);
                    let Ok(found) = outcome else { continue };
                    if found.is_empty() && record.doubtful.is_empty() {
                        self.wrong(format!("list: {} {} is missing", record.id, record.name));
                    }
                    found.iter().for_each(|found| self.check("list", record, found));
                }
                (_, Some(record)) => {
                    let began = self.begin();
                    let (first, last) = (record.id.saturating_sub(10), record.id + 10);
                    let outcome = self.client.between(first, last).await;
                    self.note("range", began, &outcome);
                    let Ok(found) = outcome else { continue };
                    let keys: Vec<u64> = found.iter().map(|found| found.id.get()).collect();
                    let is_in_order = keys.is_sorted_by(|one, next| one < next);
                    let is_within = keys.iter().all(|key| (first..=last).contains(key));
                    if !is_in_order || !is_within || !keys.contains(&record.id) {
                        self.wrong(format!("range {first} to {last}: {keys:?}"));
                    }
                }
            }
        }
        let mut seen = self.seen.lock().unwrap();
        seen.records.extend(own);
    }

    async fn create(&self, name: &str) -> Option<Own> {
        let began = self.begin();
        let outcome = self.client.create(name).await;
        self.note("create", began, &outcome);
        let creation = match &outcome {
            Ok(cluster) => Creation::Confirmed(cluster.id.get()),
            Err(error) if error.may_have_been_sent() => Creation::InDoubt,
            Err(_) => Creation::NotSent,
        };
        self.creations.lock().unwrap().insert(name.to_owned(), creation);
        let cluster = outcome.ok()?;
        let own = Own { id: cluster.id.get(), name: name.to_owned(), doubtful: Vec::new() };
        self.check("create", &own, &cluster);
        Some(own)
    }

    async fn rename(&self, record: &mut Own, name: &str) {
        let began = self.begin();
        let outcome = self.client.rename(record.id, name).await;
        self.note("rename", began, &outcome);
        match outcome {
            Ok(cluster) => {
                // Those in doubt stay so: one that the server was slow with may yet come.
                record.name = name.to_owned();
                self.check("rename", record, &cluster);
            }
            Err(error) if error.may_have_been_sent() => record.doubtful.push(name.to_owned()),
            Err(_) => {}
        }
    }
}

fn soak(dialect: Dialect, make: Make, calls: usize, seed: u64) {
    let books = Arc::new(Books::new(dialect, seed));
    let (rule, execute) = (Arc::clone(&books), Arc::clone(&books));
    books.sandbox.inject_with(move |_| rule.fault());
    books.sandbox.set_middleware(move |request, next| execute.carry_out(request, next));
    let server = books.sandbox.serve().unwrap();
    let events = Arc::<Events>::default();
    let observed = Arc::clone(&events);
    let setup = Setup {
        logs_in: true,
        observer: Some(Arc::new(move |event: &Event| observed.see(event))),
        ..Setup::quick()
    };
    let subject = make(&server.url(), &setup);
    let soak = Arc::new(Soak {
        books: Arc::clone(&books),
        client: Arc::clone(&subject.client),
        calls,
        next: AtomicUsize::new(0),
        seed,
        started: now(),
        creations: Mutex::default(),
        seen: Mutex::default(),
        events,
    });
    match &subject.runtime {
        Some(runtime) => {
            let tasks: Vec<_> =
                (0..CALLERS).map(|caller| runtime.spawn(Arc::clone(&soak).call(caller))).collect();
            tasks.into_iter().for_each(|task| runtime.block_on(task).unwrap());
        }
        None => thread::scope(|scope| {
            for caller in 0..CALLERS {
                let soak = Arc::clone(&soak);
                scope.spawn(move || pollster::block_on(soak.call(caller)));
            }
        }),
    }
    let took = soak.started.elapsed();
    drop(server);
    soak.balance();
    soak.report(subject.name, dialect, took);
    let wrong = &soak.seen.lock().unwrap().wrong;
    assert!(wrong.is_empty(), "{} of {calls}: {:#?}", wrong.len(), &wrong[..wrong.len().min(20)]);
}

impl Soak {
    /// Holds what the callers were told against what the server has done.
    fn balance(&self) {
        let books = &self.books;
        let setup = Setup { logs_in: true, ..Setup::quick() };
        books.sandbox.clear_faults();
        let [_, subject] = direct(&books.sandbox, &setup);
        let clusters = subject.wait(subject.client.walk(1_000, 1)).unwrap();
        let by_id: HashMap<u64, &str> =
            clusters.iter().map(|cluster| (cluster.id.get(), cluster.name.as_str())).collect();
        let state = books.state();
        let creations = self.creations.lock().unwrap();
        for (name, creation) in creations.iter() {
            let times = state.creations.get(name).copied().unwrap_or_default();
            let balances = match creation {
                Creation::Confirmed(id) => times == 1 && by_id.contains_key(id),
                Creation::InDoubt => times <= 1,
                Creation::NotSent => times == 0,
            };
            if !balances {
                self.wrong(format!("{name}: {creation:?}, carried out {times} times"));
            }
        }
        let mut seen = self.seen.lock().unwrap();
        let Seen { records, wrong, .. } = &mut *seen;
        for record in records {
            match by_id.get(&record.id) {
                Some(name) if record.may_be(name) => {}
                other => wrong.push(format!("{} {}: {other:?}", record.id, record.name)),
            }
        }
        let carried_out: usize = state.creations.values().sum();
        if clusters.len() != carried_out {
            wrong.push(format!("{} records of {carried_out} creations", clusters.len()));
        }
        self.balance_renewals(state.renewals, wrong);
    }

    /// One renewal for each login that ended, and none besides.
    ///
    /// The server knows which logins it has ended, which ran out, and what it has renewed. A renewal
    /// whose reply a fault has kept from the client is no renewal: it takes another. Of the other
    /// renewals each has to take the place of a login that was over. The client counts those that have
    /// come to it. It may miss some more, by its time-out or a restart, and then asks again, while the
    /// server takes the missed one for good: so many needless ones are no fault of the client. A call that gives up takes the login for over,
    /// and with it what another call has just brought.
    fn balance_renewals(&self, renewals: Renewals, wrong: &mut Vec<String>) {
        let come = self.events.logins.load(Ordering::Relaxed)
            + self.events.refreshes.load(Ordering::Relaxed);
        let missed = renewals.delivered.saturating_sub(come);
        let is_possible = come <= renewals.delivered && renewals.needless <= missed;
        // The last one that ended may not have been missed by anybody yet.
        let all_replaced = renewals.ended - renewals.after_end <= 1;
        if !is_possible || !all_replaced {
            wrong.push(format!("{come} renewals have come of {renewals:?}"));
        }
    }

    fn report(&self, backend: &str, dialect: Dialect, took: Duration) {
        let (seen, state) = (self.seen.lock().unwrap(), self.books.state());
        let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        let (events, renewals) = (&self.events, state.renewals);
        println!("\n{backend}, {dialect:?}, seed {}, {CALLERS} callers", self.seed);
        println!("  calls {} in {took:.1?}, the longest {:.2?}", self.calls, seen.longest);
        let creations = self.creations.lock().unwrap();
        let of = |wanted: fn(&Creation) -> bool| creations.values().filter(|it| wanted(it)).count();
        println!(
            "  creations: {} confirmed, {} in doubt of which {} were carried out, {} not sent",
            of(|it| matches!(it, Creation::Confirmed(_))),
            of(|it| *it == Creation::InDoubt),
            state.creations.len() - of(|it| matches!(it, Creation::Confirmed(_))),
            of(|it| *it == Creation::NotSent),
        );
        println!("  retries {}", count(&events.retries));
        println!(
            "  logins ended early {}, run out {}; renewals carried out {} logins {} refreshes, lost {}, \
             in place of one that was over {}, needless {}; seen by the client {} logins {} refreshes, \
             failed {}, given up {}",
            renewals.ended,
            renewals.after_time,
            renewals.logins,
            renewals.refreshes,
            renewals.lost,
            renewals.after_end + renewals.after_time,
            renewals.needless,
            count(&events.logins),
            count(&events.refreshes),
            count(&events.failed_renewals),
            count(&events.ended),
        );
        println!("  faults {}: {:?}", state.faults.values().sum::<usize>(), state.faults);
        println!("  outcomes {:?}", seen.outcomes);
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect(variable))
}

fn run(calls: usize, runs: &[(Dialect, Make)]) {
    let seed = number("KEYSTONE_SOAK_SEED").unwrap_or_else(|| fastrand::u64(..1_000_000));
    for (dialect, make) in runs {
        soak(*dialect, *make, calls, seed);
    }
}

#[test]
#[ignore = "takes minutes: KEYSTONE_SOAK_CALLS says how many calls to make of each backend"]
fn many_calls() {
    let calls = number("KEYSTONE_SOAK_CALLS").map_or(1_000, |calls| calls as usize);
    run(
        calls,
        &[
            (Dialect::Session, reqwest),
            (Dialect::Jwt, reqwest),
            (Dialect::Session, ureq),
            (Dialect::Jwt, ureq),
        ],
    );
}

/// Few enough for every day.
#[test]
fn some_calls() {
    run(400, &[(Dialect::Session, ureq), (Dialect::Jwt, reqwest)]);
}

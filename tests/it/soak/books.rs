//! What the server of a soak knows: what it has carried out, which logins it has ended and which it
//! has renewed.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use keystone_client::sandbox::{Dialect, Fault, Sandbox};
use serde_json::Value;

/// How long sessions and access tokens live.
const LIFE: Duration = Duration::from_secs(2);

/// So short that some logins are renewed by a new one.
const REFRESH_LIFE: Duration = Duration::from_secs(6);

/// All sessions or access tokens end after a time between these, in which there were so many requests.
/// Most of them end so, some run out before.
const EXPIRE_AFTER: [Duration; 2] = [Duration::from_millis(250), Duration::from_millis(2_500)];
const EXPIRE_EVERY: usize = 100;

/// One request in five meets a fault, one in so many a restart.
const FAULTS: f64 = 0.2;
const RESTART_EVERY: usize = 2_000;

pub(super) struct Books {
    pub(super) sandbox: Sandbox,
    dialect: Dialect,
    state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    random: Option<fastrand::Rng>,
    seen: usize,
    carried_out: usize,
    /// How many requests there were, and what time it was, when logins were ended last.
    expired_at: usize,
    expired: Option<SystemTime>,
    expire_after: Duration,
    /// How many requests met which fault.
    pub(super) faults: BTreeMap<String, usize>,
    /// How often the creation of a name was carried out, whatever came of it.
    pub(super) creations: HashMap<String, usize>,
    /// The login that the client has, as far as the server can know.
    present: Option<Login>,
    pub(super) renewals: Renewals,
}

struct Login {
    since: SystemTime,
    ended: bool,
    /// Whether the client may not have got it.
    in_doubt: bool,
}

/// Logins and refreshes that succeeded.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Renewals {
    pub(super) logins: usize,
    pub(super) refreshes: usize,
    /// Those whose reply a fault has kept from the client, or may have.
    pub(super) lost: usize,
    pub(super) maybe_lost: usize,
    pub(super) delivered: usize,
    /// Good logins that the server ended before their time.
    pub(super) ended: usize,
    /// Renewals delivered after the server had ended the login before.
    pub(super) after_end: usize,
    /// Renewals delivered because the time of the login before was over, or nearly so.
    pub(super) after_time: usize,
    /// Renewals delivered in place of a login that was as good as new.
    pub(super) needless: usize,
}

impl Books {
    pub(super) fn new(dialect: Dialect, seed: u64) -> Self {
        let sandbox = Sandbox::builder()
            .dialect(dialect)
            .session_lifetime(LIFE)
            .access_token_lifetime(LIFE)
            .refresh_token_lifetime(REFRESH_LIFE)
            .staff("admin", "admin-password")
            .build();
        let random = Some(fastrand::Rng::with_seed(seed));
        Self { sandbox, dialect, state: Mutex::new(State { random, ..State::default() }) }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// How many logins have come to their end.
    pub(super) fn expiries(&self) -> usize {
        let renewals = self.state().renewals;
        renewals.ended + renewals.after_time
    }

    /// Which fault a request meets.
    pub(super) fn fault(&self) -> Option<Fault> {
        let mut state = self.state();
        state.seen += 1;
        if state.seen % RESTART_EVERY == 0 {
            *state.faults.entry("a restart".into()).or_default() += 1;
            return Some(Fault::restart(Duration::from_millis(50)));
        }
        let random = state.random.as_mut().unwrap();
        if random.f64() >= FAULTS {
            return None;
        }
        let fault = any_fault(random);
        *state.faults.entry(format!("{fault:?}")).or_default() += 1;
        Some(fault)
    }

    /// Carries a request out. One at a time, so that the order of renewals and expiries is known.
    pub(super) fn carry_out(
        &self,
        request: Request<Bytes>,
        next: &dyn Fn(Request<Bytes>) -> Response<Bytes>,
    ) -> Response<Bytes> {
        let fault = request.extensions().get::<Fault>().cloned();
        let mut state = self.state();
        state.carried_out += 1;
        let (now, since) = (self.sandbox.now(), *state.expired.get_or_insert(self.sandbox.now()));
        let is_time = now.duration_since(since).is_ok_and(|passed| passed >= state.expire_after);
        if is_time && state.carried_out >= state.expired_at + EXPIRE_EVERY {
            (state.expired, state.expired_at) = (Some(now), state.carried_out);
            let [least, most] = EXPIRE_AFTER;
            let part = state.random.as_mut().map_or(0.0, fastrand::Rng::f64);
            state.expire_after = least + (most - least).mul_f64(part);
            self.expire(&mut state);
        }
        if state.carried_out % 1_000 == 0 {
            self.sandbox.clear_requests();
        }
        let is_post = *request.method() == Method::POST;
        let (path, body) = (request.uri().path().to_owned(), request.body().clone());
        let response = next(request);
        let is_login = ["/authentication/login/", "/authentication/new/"].contains(&path.as_str());
        let is_refresh = path == "/authentication/refresh/";
        if is_post && path == "/allocations/clusters/" {
            // A 401 comes before anything is carried out.
            if response.status() != StatusCode::UNAUTHORIZED {
                let body: Value = serde_json::from_slice(&body).unwrap();
                let name = body["name"].as_str().unwrap().to_owned();
                *state.creations.entry(name).or_default() += 1;
            }
        } else if is_post && (is_login || is_refresh) && response.status() == StatusCode::OK {
            if is_login {
                state.renewals.logins += 1;
            } else {
                state.renewals.refreshes += 1;
            }
            self.note_renewal(&mut state, fault.as_ref());
        }
        response
    }

    fn expire(&self, state: &mut State) {
        match self.dialect {
            Dialect::Session => self.sandbox.expire_sessions(),
            _ => self.sandbox.expire_access_tokens(),
        }
        if let Some(login) = state.present.as_mut().filter(|login| !login.ended) {
            login.ended = true;
            state.renewals.ended += 1;
        }
    }

    fn note_renewal(&self, state: &mut State, fault: Option<&Fault>) {
        let in_doubt = match self.arrives(fault) {
            Some(false) => {
                state.renewals.lost += 1;
                return;
            }
            Some(true) => false,
            None => true,
        };
        let now = self.sandbox.now();
        let renewals = &mut state.renewals;
        renewals.delivered += 1;
        renewals.maybe_lost += usize::from(in_doubt);
        if let Some(login) = &state.present {
            let age = now.duration_since(login.since).unwrap_or_default();
            // Tokens are dated in whole seconds, and renewed at four fifths of their life.
            let nearly_over = match self.dialect {
                Dialect::Session => LIFE - Duration::from_millis(50),
                _ => LIFE - Duration::from_secs(1),
            };
            if login.ended {
                renewals.after_end += 1;
            } else if age >= nearly_over {
                renewals.after_time += 1;
            } else if !login.in_doubt {
                renewals.needless += 1;
            }
        }
        state.present = Some(Login { since: now, ended: false, in_doubt });
    }

    /// Whether a login comes to the client in spite of a fault; `None` if that depends on the client.
    fn arrives(&self, fault: Option<&Fault>) -> Option<bool> {
        let Some(fault) = fault.map(ToString::to_string) else {
            return Some(true);
        };
        let is = |other: Fault| fault == other.to_string();
        let does_no_harm = [
            Fault::excess_bytes(),
            Fault::second_response(),
            Fault::invalid_header(),
            Fault::cookies(60, 60),
        ];
        if does_no_harm.into_iter().any(is) {
            Some(true)
        } else if is(Fault::invalid_text()) || is(Fault::deep_json()) {
            // Of the reply that opens a session, the cookies count alone.
            Some(self.dialect == Dialect::Session)
        } else if is(Fault::cookies(200, 500)) {
            None
        } else {
            Some(false)
        }
    }
}

fn any_fault(random: &mut fastrand::Rng) -> Fault {
    let executed = random.bool();
    let in_head = random.bool();
    let perhaps_executed = |fault: Fault| if executed { fault.after_execution() } else { fault };
    let pause = Duration::from_millis(25);
    match random.u8(0..20) {
        0 | 1 => Fault::disconnect().after_execution(),
        2 => Fault::disconnect(),
        3 if in_head => Fault::cut_head(),
        3 => Fault::cut_body(),
        4 if executed && !in_head => Fault::stall_body(),
        4 => perhaps_executed(Fault::silence()),
        5 if in_head => Fault::drip(pause),
        5 => Fault::drip_body(pause),
        6 => Fault::excess_bytes(),
        7 => Fault::second_response(),
        8 => Fault::malformed_chunks(),
        9 => perhaps_executed(Fault::status(StatusCode::INTERNAL_SERVER_ERROR)),
        10 => perhaps_executed(Fault::status(StatusCode::BAD_GATEWAY)),
        11 => perhaps_executed(Fault::status(StatusCode::SERVICE_UNAVAILABLE)),
        12 => perhaps_executed(Fault::status(StatusCode::GATEWAY_TIMEOUT)),
        // All callers are silent for that long.
        13 if random.u8(0..10) == 0 => Fault::too_many_requests(Duration::from_secs(1)),
        13 | 14 => Fault::status(StatusCode::TOO_MANY_REQUESTS),
        15 => {
            let status = [301, 302, 307, 308][random.usize(0..4)];
            Fault::status(StatusCode::from_u16(status).unwrap())
                .with_header(header::LOCATION, HeaderValue::from_static("http://127.0.0.2:9/"))
        }
        16 if executed => Fault::cookies(60, 60),
        16 => Fault::cookies(200, 500),
        17 if executed => Fault::invalid_text(),
        17 => Fault::invalid_header(),
        18 => match random.u8(0..3) {
            0 => Fault::oversized_body(2 * 1024 * 1024),
            1 => Fault::endless_body(),
            _ => Fault::deep_json(),
        },
        _ => Fault::not_http(),
    }
}

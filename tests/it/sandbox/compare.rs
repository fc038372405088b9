//! Compares answers. What differs is either excused by a leeway, which is noted, or a difference.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// What may differ without being a mistake of the sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leeway {
    Times,
    NewIds,
    EntryIds,
    Secrets,
    FileNames,
    Durations,
    Order,
    Page,
    Prose,
    Figures,
    StandIns,
    Operator,
}

impl Leeway {
    pub const ALL: &[(Self, &str)] = &[
        (
            Self::Times,
            "times of what happened in the replay itself: a write, a login, the end of a cookie. Both \
             have to be written in the same form and lie within two seconds of each other and of \
             the time of the recording; all other times have to be equal",
        ),
        (Self::NewIds, "ids of records that the request made: both have to be integers"),
        (Self::EntryIds, "ids of entries of the change log about the replayed write"),
        (
            Self::Secrets,
            "session ids, CSRF tokens, generated correlation ids and digests of passwords: both have \
             to be of the same form; JSON Web Tokens: what they claim has to agree but for their id \
             and the moment",
        ),
        (Self::FileNames, "the seven made-up characters in the names of stored files"),
        (Self::Durations, "how long a health check took: both have to be numbers"),
        (Self::Order, "the order of a list for which none was asked: sorted by id, both are equal"),
        (
            Self::Page,
            "pages of lists that are longer than what the recordings show: the count may be lower but \
             not higher, `next` has to be there if and only if the count asks for it, and is compared \
             where both lists go on; a first page in the order of ids has to be equal, and others are \
             compared by the records that both pages have",
        ),
        (
            Self::Prose,
            "the sentences of the page about forged requests, and the length of the description of \
             the API, of which the sandbox has paths and methods only",
        ),
        (
            Self::StandIns,
            "records that stand for what no recording shows: the request of a user who cannot be \
             deleted for having made it",
        ),
        (
            Self::Operator,
            "`Strict-Transport-Security`, which the server sends if its operator says so, for browsers",
        ),
        (Self::Figures, "the figures of `/metrics/`: both have to be in the Prometheus format"),
    ];
}

/// How far a time of the replay may be from that of the recording.
pub const TOLERANCE: SignedDuration = SignedDuration::from_secs(2);

/// The comparison of one answer.
pub struct Comparison {
    pub leeways: BTreeSet<Leeway>,
    /// Whether the request made a record.
    pub creates: bool,
    /// The time of the recording, which is that of the replay.
    pub at: Timestamp,
}

impl Comparison {
    pub fn excuse(&mut self, leeway: Leeway) -> Option<String> {
        self.leeways.insert(leeway);
        None
    }

    /// The first difference that no leeway excuses.
    pub fn difference(&mut self, recorded: &Value, given: &Value) -> Option<String> {
        self.compare(recorded, given, "")
    }

    fn compare(&mut self, recorded: &Value, given: &Value, at: &str) -> Option<String> {
        match (recorded, given) {
            (Value::Object(left), Value::Object(right)) => {
                let names: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
                for name in names {
                    let at = format!("{at}/{name}");
                    let (Some(left), Some(right)) = (left.get(name), right.get(name)) else {
                        return Some(format!("{at}: missing on one side"));
                    };
                    if let Some(found) = self.compare(left, right, &at) {
                        return Some(found);
                    }
                }
                None
            }
            (Value::Array(left), Value::Array(right)) => {
                if left.len() != right.len() {
                    let (left, right) = (left.len(), right.len());
                    return Some(format!("{at}: recorded {left} items, given {right}"));
                }
                let mut items = left.iter().zip(right).enumerate();
                items.find_map(|(index, (left, right))| {
                    self.compare(left, right, &format!("{at}/{index}"))
                })
            }
            (left, right) if left == right => None,
            (left, right) => match self.leeway(left, right, at) {
                Some(leeway) => self.excuse(leeway),
                None => Some(format!("{at}: recorded {recorded}, given {given}")),
            },
        }
    }

    fn leeway(&self, recorded: &Value, given: &Value, at: &str) -> Option<Leeway> {
        let in_history = at.contains("_history/");
        match (recorded, given) {
            (Value::Number(left), Value::Number(right)) => {
                if at.ends_with("/time_taken") {
                    return Some(Leeway::Durations);
                }
                let ids = left.is_i64() && right.is_i64() && at.ends_with("/id");
                if ids && in_history {
                    return Some(Leeway::EntryIds);
                }
                let new = at == "/id" || at.starts_with("/results/") && at.ends_with("/body/id");
                (ids && self.creates && new).then_some(Leeway::NewIds)
            }
            (Value::String(left), Value::String(right)) => {
                if self.are_of_now(left, right) {
                    Some(Leeway::Times)
                } else if same_claims(left, right)
                    || in_history && at.contains("/changes/password/")
                    || at.ends_with("/cid") && is_uuid(left) && is_uuid(right)
                {
                    Some(Leeway::Secrets)
                } else if in_history && self.creates && at.contains("/changes/id/") {
                    Some(Leeway::NewIds)
                } else if same_file(left, right) {
                    Some(Leeway::FileNames)
                } else {
                    None
                }
            }
            _ => None,
        }
    }
}

impl Comparison {
    /// Whether two moments are those of the recording and of its replay.
    pub fn near(&self, recorded: Timestamp, given: Timestamp) -> bool {
        let close = |left: Timestamp, right| left.duration_since(right).abs() <= TOLERANCE;
        close(recorded, given) && close(self.at, given)
    }

    fn are_of_now(&self, recorded: &str, given: &str) -> bool {
        let both = moment(recorded).zip(moment(given));
        both.is_some_and(|(left, right)| left.0 == right.0 && self.near(left.1, right.1))
    }
}

/// The moment in a text and the form in which it is written: that of the API, or of the change log.
pub fn moment(text: &str) -> Option<(&'static str, Timestamp)> {
    const FORMS: &[&str] =
        &["0000-00-00T00:00:00Z", "0000-00-00T00:00:00.000000Z", "0000-00-00 00:00:00", LOGGED];
    const LOGGED: &str = "0000-00-00 00:00:00.000000";
    let plain = |it: char| if it.is_ascii_digit() { '0' } else { it };
    let shape: String = text.chars().map(plain).collect();
    let form = FORMS.iter().copied().find(|form| *form == shape)?;
    let text = text.trim_end_matches('Z').replace(' ', "T");
    Some((form, format!("{text}Z").parse().ok()?))
}

/// What a JSON Web Token says.
pub fn claims(token: &str) -> Option<Value> {
    let mut parts = token.strip_prefix("eyJ")?.split('.');
    let (_, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
}

fn is_uuid(text: &str) -> bool {
    let hexadecimal = text.bytes().all(|it| it.is_ascii_hexdigit() || it == b'-');
    text.len() == 36 && hexadecimal && text.matches('-').count() == 4
}

/// A path of a stored file without the made-up text before its extension.
fn plain_path(path: &str) -> Option<(&str, &str)> {
    let (root, extension) = path.split_once('.')?;
    let (name, suffix) = root.rsplit_once('_')?;
    let made_up = suffix.len() == 7 && suffix.bytes().all(|it| it.is_ascii_alphanumeric());
    made_up.then_some((name, extension))
}

/// Whether two paths of stored files differ in the made-up text alone.
fn same_file(left: &str, right: &str) -> bool {
    plain_path(left).is_some() && plain_path(left) == plain_path(right)
}

/// Whether two tokens differ in their ids and the moment alone.
fn same_claims(recorded: &str, given: &str) -> bool {
    let Some((mut left, mut right)) = claims(recorded).zip(claims(given)) else {
        return false;
    };
    for name in ["iat", "exp"] {
        let both = left[name].take().as_i64().zip(right[name].take().as_i64());
        if both
            .is_none_or(|(left, right)| left.abs_diff(right) > TOLERANCE.as_secs().unsigned_abs())
        {
            return false;
        }
    }
    for claims in [&mut left, &mut right] {
        claims["jti"].take();
    }
    left == right
}

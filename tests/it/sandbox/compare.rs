//! Compares answers. What differs is either excused by a leeway, which is noted, or a difference.

use std::collections::BTreeSet;

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
    History,
    Prose,
    Figures,
    StandIns,
    Operator,
}

impl Leeway {
    pub const ALL: &[(Self, &str)] = &[
        (
            Self::Times,
            "times of what happened in the replay itself: both have to be moments, a login, a write \
             or the end of a cookie",
        ),
        (Self::NewIds, "ids of records that the request made: both have to be integers"),
        (Self::EntryIds, "ids of entries of the change log about the replayed write"),
        (
            Self::Secrets,
            "session ids, CSRF tokens, JSON Web Tokens, generated correlation ids and digests of \
             passwords: both have to be of the same form",
        ),
        (Self::FileNames, "the seven made-up characters in the names of stored files"),
        (Self::Durations, "how long a health check took: both have to be numbers"),
        (Self::Order, "the order of a list for which none was asked: sorted by id, both are equal"),
        (
            Self::Page,
            "pages of lists that are longer than what the recordings show: compared are the records \
             that both pages have and the link back; `count` and `next` are not",
        ),
        (
            Self::History,
            "entries of `_history` that are older than what the recordings show: compared is the \
             newest one if the request wrote it",
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

/// The comparison of one answer.
#[derive(Default)]
pub struct Comparison {
    pub leeways: BTreeSet<Leeway>,
    /// Whether the request made a record.
    pub creates: bool,
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
                if is_moment(left) && is_moment(right) {
                    Some(Leeway::Times)
                } else if is_token(left) && is_token(right)
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

/// A moment as the API writes it, or as the change log does.
fn is_moment(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let written = text.contains('T') && text.ends_with('Z');
    let logged = text.contains(' ') && text.bytes().all(|it| b"0123456789-:. ".contains(&it));
    text.len() >= 19 && (written || logged) && [14, 20].contains(&digits)
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

fn is_token(text: &str) -> bool {
    text.starts_with("eyJ") && text.split('.').count() == 3
}

//! Answers and files of any kind, arbitrary ones and those that are nearly right.

mod probes;

use std::fmt;

use proptest::prelude::*;

/// What goes in, with two numbers to choose by in front. Its beginning says enough.
#[derive(Clone)]
struct Input(Vec<u8>);

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = &self.0[..self.0.len().min(400)];
        write!(f, "{} bytes: b\"{}\"", self.0.len(), head.escape_ascii())
    }
}

/// A change that leaves most of a text as it was.
#[derive(Debug, Clone)]
enum Mutation {
    Set(prop::sample::Index, u8),
    Insert(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index, usize),
    /// Repeats a part so many times.
    Repeat(prop::sample::Index, usize, usize),
    /// Puts in a word that means something where it stands.
    Word(prop::sample::Index, &'static str),
}

const WORDS: [&str; 24] = [
    "null",
    "true",
    "-1",
    "1e999",
    "18446744073709551616",
    "0.1",
    "\"\"",
    "[]",
    "{}",
    "\\ud800",
    "\\u0000",
    "\"id\":",
    "[[",
    "{\"",
    "=",
    ";",
    "\"",
    "\\",
    "#",
    "machine ",
    "password ",
    "\u{0}",
    "\u{feff}",
    "\r\n",
];

fn mutation() -> impl Strategy<Value = Mutation> {
    let place = any::<prop::sample::Index>;
    prop_oneof![
        (place(), any::<u8>()).prop_map(|(at, byte)| Mutation::Set(at, byte)),
        (place(), prop::collection::vec(any::<u8>(), 1..8))
            .prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        (place(), 1..20_usize).prop_map(|(at, length)| Mutation::Remove(at, length)),
        (place(), 1..40_usize, 1..20_usize)
            .prop_map(|(at, length, times)| Mutation::Repeat(at, length, times)),
        (place(), prop::sample::select(&WORDS[..])).prop_map(|(at, word)| Mutation::Word(at, word)),
        // Long enough that nobody wants to see it in a log.
        (place(), 1..4_usize).prop_map(|(at, length)| Mutation::Repeat(at, length, 100_000)),
    ]
}

impl Mutation {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let length = bytes.len();
        match self {
            Self::Set(at, byte) if length > 0 => bytes[at.index(length)] = *byte,
            Self::Insert(at, new) => insert(bytes, at.index(length + 1), new),
            Self::Remove(at, size) if length > 0 => {
                let at = at.index(length);
                bytes.drain(at..length.min(at + size));
            }
            Self::Repeat(at, size, times) if length > 0 => {
                let at = at.index(length);
                let part = bytes[at..length.min(at + size)].repeat(*times);
                insert(bytes, at, &part);
            }
            Self::Word(at, word) => insert(bytes, at.index(length + 1), word.as_bytes()),
            _ => {}
        }
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, new: &[u8]) {
    bytes.splice(at..at, new.iter().copied());
}

/// Anything, or one of these texts with some changes.
fn nearly(texts: &'static [&'static str]) -> impl Strategy<Value = Input> {
    let changed = (prop::sample::select(texts), prop::collection::vec(mutation(), 0..5)).prop_map(
        |(text, mutations)| {
            let mut bytes = text.as_bytes().to_vec();
            mutations.iter().for_each(|mutation| mutation.apply(&mut bytes));
            bytes
        },
    );
    let anything = prop::collection::vec(any::<u8>(), 0..200);
    (any::<[u8; 2]>(), prop_oneof![4 => changed, 1 => anything])
        .prop_map(|(choices, bytes)| Input([&choices, bytes.as_slice()].concat()))
}

const CLUSTER: &str = r#"{"id":1,"name":"atlas","description":null,"enabled":true,
"access_mode":"OP","access_teams":[2],"_access_teams":[{"id":2,"name":"x"}],"_history":[]}"#;

const BODIES: &[&str] = &[
    CLUSTER,
    r#"{"detail":"Not found.","code":"token_not_valid","messages":[{"message":"expired"}]}"#,
    r#"{"name":["This field is required.","Too long."],"team":{"slug":["Taken."]}}"#,
    r#"["A rule over several fields."]"#,
    r#""a text in place of an object""#,
    "<html><title>Bad gateway</title></html>",
    r#"{"count":1,"next":null,"previous":null,"results":[{"id":1,"name":"atlas"}]}"#,
    r#"{"id":1,"username":"ada","first_name":"","last_name":"","email":null,"is_staff":true}"#,
    r#"{"data":[{"check":"SMTP","healthy":false,"error":"refused","time_taken":1.5}]}"#,
    r#"{"Redis":{"status":200,"message":"working"},"SMTP":{"status":500,"message":"refused"}}"#,
    "0.10.9",
];

const COOKIES: &[&str] = &[
    "csrftoken=AAA; expires=Mon, 22 Nov 2027 00:43:16 GMT; Max-Age=31449600; Path=/; SameSite=Lax\n\
     sessionid=BBB; HttpOnly; Max-Age=1209600; Path=/; SameSite=Lax",
    "sessionid=BBB; Max-Age=-1\nsessionid=\"CCC\"; Max-Age=99999999999999999999",
    "sessionid=\"\"; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/",
    "csrftoken=A B,C\nsessionid=B=B;Secure;;=;",
];

const TOKENS: &[&str] = &[
    "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3NTAwMDAwMDAsInVzZXJfaWQiOjR9.c2lnbmF0dXJl\n\
     eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3NTAwODY0MDB9.c2lnbmF0dXJl",
    "e30.eyJleHAiOjE4NDQ2NzQ0MDczNzA5NTUxNjE1LCJ1c2VyX2lkIjoiMTcifQ.\ne30.e30.e30",
    r#"{"access":"a.b.c","refresh":"d.e.f"}"#,
    "no-token-at-all\nand-no-refresh-token",
    // A token by itself.
    r#""hunter2-7f3a9c51""#,
    r#"["hunter2-7f3a9c51"]"#,
];

const PAGES: &[&str] = &[
    r#"{"count":3,"next":"https://keystone.test/?_offset=1","previous":null,"results":[
{"id":1,"name":"a","enabled":true},{"id":2,"name":"b","enabled":true}]}"#,
    r#"{"count":0,"next":null,"previous":null,"results":[]}"#,
    r#"[{"id":2,"name":"b","enabled":true},{"id":1,"name":"a","enabled":false}]"#,
    r#"{"count":18446744073709551615,"results":[{"id":18446744073709551615,"name":"z","enabled":true}]}"#,
    r#"{"count":100,"results":[{"id":5,"name":"e","enabled":true}]}"#,
    "[]",
    CLUSTER,
];

const WAITS: &[&str] = &[
    "1",
    "0",
    "-1",
    "3600",
    "18446744073709551616",
    "1.5",
    "Sun, 06 Nov 1994 08:49:37 GMT",
    "Fri, 31 Dec 9999 23:59:59 GMT",
    "Sunday, 06-Nov-94 08:49:37 GMT",
    "Sun Nov  6 08:49:37 1994",
    "",
];

const SESSIONS: &[&str] = &[
    r#"{"dialect":"session","session_id":"BBB","csrf_token":"AAA","expires":4102444800}"#,
    r#"{"dialect":"session","session_id":"BBB","csrf_token":"AAA","expires":null}"#,
    r#"{"dialect":"jwt","access":"e30.eyJleHAiOjQxMDI0NDQ4MDB9.","refresh":"e30.e30.e30"}"#,
];

const FILES: &[&str] = &[
    "username=ada\npassword=correct horse\n",
    "# for the cluster\n\nusername=ada\r\npassword==#x=\r\n",
    "machine keystone.test login ada password \"correct \\\"horse\"\ndefault login x password y",
    "macdef init\n  machine keystone.test\n\nmachine keystone.test\n login ada\n password #x # y",
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn bodies(data in nearly(BODIES)) {
        probes::error_body(&data.0);
    }

    #[test]
    fn cookies(data in nearly(COOKIES)) {
        probes::cookies(&data.0[2..]);
    }

    #[test]
    fn tokens(data in nearly(TOKENS)) {
        probes::tokens(&data.0);
    }

    #[test]
    fn pages(data in nearly(PAGES)) {
        probes::page(&data.0);
    }

    #[test]
    fn waits(data in nearly(WAITS)) {
        probes::retry_after(&data.0);
    }

    #[test]
    fn stored_sessions(data in nearly(SESSIONS)) {
        probes::stored_session(&data.0[2..]);
    }

    #[test]
    fn credentials_files(data in nearly(FILES)) {
        probes::credentials_files(&data.0[2..]);
    }
}

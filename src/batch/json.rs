//! JSON that is looked through without being read.
//!
//! What is in the answers of steps is read when it is asked for, and what steps send was written by
//! whoever made the call. To read it here as well would cost more than all else that a job does.

use std::io::Write;
use std::ops::Range;

/// How deep in the answer to a job those of its steps are: `{"results":[{"body":…}]}`.
const DEPTH_OF_BODIES: usize = 3;

/// The answer to a job, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Taken {
    /// The answer with the numbers of the bodies, from 0, in their places. Those that are null are where
    /// they were.
    pub(super) frame: Vec<u8>,
    /// Where the bodies are, which were not looked into.
    pub(super) bodies: Vec<Range<usize>>,
}

impl Taken {
    /// Takes all members called `body` that are as deep as those of steps out of the answer to a job.
    pub(super) fn apart(json: &[u8]) -> Self {
        let (mut frame, mut bodies) = (Vec::new(), Vec::new());
        let (mut rest, mut copied, mut depth) = (json, 0, 0_usize);
        while let [byte, behind @ ..] = rest {
            rest = behind;
            match byte {
                b'"' => {
                    rest = behind_text(behind);
                    if depth != DEPTH_OF_BODIES || !behind.starts_with(b"body\"") {
                        continue;
                    }
                    let Some(value) = behind_colon(rest) else { continue };
                    rest = behind_value(value);
                    let place = json.len() - value.len()..json.len() - rest.len();
                    if place.is_empty() || value.starts_with(b"null") {
                        continue;
                    }
                    frame.extend_from_slice(json.get(copied..place.start).unwrap_or_default());
                    // Writing to a `Vec` cannot fail.
                    let _ = write!(frame, "{}", bodies.len());
                    copied = place.end;
                    bodies.push(place);
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        frame.extend_from_slice(json.get(copied..).unwrap_or_default());
        Self { frame, bodies }
    }
}

/// What begins with the value of the member whose name is before this; `None` if that is no name.
fn behind_colon(rest: &[u8]) -> Option<&[u8]> {
    Some(rest.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start())
}

/// What is behind the value that this begins with.
fn behind_value(value: &[u8]) -> &[u8] {
    match value {
        [b'"', rest @ ..] => behind_text(rest),
        [b'{' | b'[', rest @ ..] => behind_container(rest),
        _ => {
            let is_behind =
                |byte: &u8| matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace();
            value.iter().position(is_behind).and_then(|end| value.get(end..)).unwrap_or_default()
        }
    }
}

/// What is behind the object or list whose bracket is before this.
fn behind_container(mut rest: &[u8]) -> &[u8] {
    let mut depth = 1_usize;
    while let [byte, behind @ ..] = rest {
        rest = behind;
        match byte {
            b'"' => {
                rest = behind_text(rest);
                // Most texts are followed by others.
                while let [b':' | b',', b'"', behind @ ..] = rest {
                    rest = behind_text(behind);
                }
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    break;
                }
            }
            _ => {}
        }
    }
    rest
}

/// What is behind the text whose quotation mark is before this.
#[inline]
fn behind_text(mut rest: &[u8]) -> &[u8] {
    // Most texts are of a few letters, so eight at a time are as many as is worth while.
    while let Some((letters, behind)) = rest.split_first_chunk() {
        let found = first_mark(u64::from_le_bytes(*letters));
        if found == 0 {
            rest = behind;
            continue;
        }
        rest = match rest.get(found.trailing_zeros() as usize / 8..) {
            Some([b'"', behind @ ..]) => return behind,
            Some([b'\\', _, behind @ ..] | [_, behind @ ..]) => behind,
            _ => return &[],
        };
    }
    loop {
        rest = match rest {
            [] => return rest,
            [b'"', behind @ ..] => return behind,
            [b'\\', _, behind @ ..] | [_, behind @ ..] => behind,
        };
    }
}

/// Of eight bytes, the lowest bit that is set is in the first that is a quotation mark, a backslash or no
/// ASCII; none if none is. To rule out the last takes longer than to look.
const fn first_mark(bytes: u64) -> u64 {
    const LOWEST_BITS: u64 = 0x0101_0101_0101_0101;
    const HIGHEST_BITS: u64 = LOWEST_BITS << 7;
    const QUOTATION_MARKS: u64 = LOWEST_BITS * b'"' as u64;
    const BACKSLASHES: u64 = LOWEST_BITS * b'\\' as u64;
    let quoted = (bytes ^ QUOTATION_MARKS).wrapping_sub(LOWEST_BITS);
    let escaped = (bytes ^ BACKSLASHES).wrapping_sub(LOWEST_BITS);
    (quoted | escaped) & HIGHEST_BITS
}

/// The texts in JSON, names of members left out: where each stands, quotation marks included.
pub(super) fn texts(json: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let json = json.as_bytes();
    let mut rest = json;
    std::iter::from_fn(move || {
        loop {
            let start = rest.iter().position(|byte| *byte == b'"')?;
            let text = rest.get(start..)?;
            rest = behind_text(text.get(1..)?);
            if behind_colon(rest).is_none() {
                return Some(json.len() - text.len()..json.len() - rest.len());
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// JSON of all kinds, with text that looks like structure.
    fn value() -> impl Strategy<Value = Value> {
        let text = "[a-z\"\\\\{}\\[\\]:,é\u{1F600}\n ]{0,20}";
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            text.prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 60, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(text, inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// Like the answer to a job, with names of members that recur at all depths.
    fn answer() -> impl Strategy<Value = Value> {
        let name = prop_oneof![Just("body"), Just("status"), Just("bod"), Just("\"body")];
        let member = (name, prop_oneof![value(), Just(json!("body")), Just(json!({ "body": [] }))]);
        let step = prop::collection::btree_map(name_of(), value(), 0..3);
        let members = prop::collection::vec(member, 0..4);
        prop::collection::vec((step, members), 0..4).prop_map(|steps| {
            let results: Vec<Value> = steps
                .into_iter()
                .map(|(step, members)| {
                    let members = members.into_iter().map(|(name, value)| (name.to_owned(), value));
                    step.into_iter().chain(members).collect()
                })
                .collect();
            json!({ "body": { "body": results.clone() }, "results": results })
        })
    }

    fn name_of() -> impl Strategy<Value = String> {
        "[a-z\"\\\\{}\\[\\]:,é ]{0,12}"
    }

    /// The same with the bodies in their places again.
    fn put_together(value: Value, depth: usize, bodies: &[Value]) -> Value {
        match value {
            Value::Array(items) => {
                items.into_iter().map(|item| put_together(item, depth + 1, bodies)).collect()
            }
            Value::Object(members) => {
                let put = |(name, value): (String, Value)| {
                    let value = match value.as_u64() {
                        Some(number) if name == "body" && depth + 1 == DEPTH_OF_BODIES => {
                            bodies[usize::try_from(number).unwrap()].clone()
                        }
                        _ => put_together(value, depth + 1, bodies),
                    };
                    (name, value)
                };
                members.into_iter().map(put).collect()
            }
            other => other,
        }
    }

    fn written(value: &Value, pretty: bool) -> String {
        if pretty { format!("{value:#}") } else { value.to_string() }
    }

    proptest! {
        #[test]
        fn what_is_taken_apart_is_all_there(
            value in prop_oneof![answer(), value()],
            pretty in any::<bool>(),
        ) {
            let json = written(&value, pretty);
            let Taken { frame, bodies } = Taken::apart(json.as_bytes());
            let read = |body: &Range<usize>| serde_json::from_str(&json[body.clone()]).unwrap();
            let bodies: Vec<Value> = bodies.iter().map(read).collect();
            let frame: Value = serde_json::from_slice(&frame).unwrap();
            prop_assert_eq!(put_together(frame, 0, &bodies), value);
        }

        /// Wherever it breaks off, and whatever a server sends.
        #[test]
        fn what_is_no_json_does_no_harm(
            value in answer(),
            cut in any::<prop::sample::Index>(),
            bytes in prop::collection::vec(any::<u8>(), 0..100),
        ) {
            let mut json = value.to_string().into_bytes();
            json.truncate(cut.index(json.len()));
            let Taken { frame, bodies } = Taken::apart(&json);
            prop_assert!(bodies.iter().all(|body| json.get(body.clone()).is_some()));
            prop_assert!(serde_json::from_slice::<Value>(&frame).is_err());
            json.reverse();
            for json in [&json, &bytes] {
                let Taken { bodies, .. } = Taken::apart(json);
                prop_assert!(bodies.iter().all(|body| json.get(body.clone()).is_some()));
            }
        }

        #[test]
        fn texts_are_found_and_names_are_not(value in value(), pretty in any::<bool>()) {
            fn collect(value: &Value, into: &mut Vec<String>) {
                match value {
                    Value::String(text) => into.push(text.clone()),
                    Value::Array(items) => items.iter().for_each(|item| collect(item, into)),
                    Value::Object(members) => members.values().for_each(|it| collect(it, into)),
                    _ => {}
                }
            }
            let json = written(&value, pretty);
            let mut expected = Vec::new();
            collect(&value, &mut expected);
            let read = |text: Range<usize>| serde_json::from_str::<String>(&json[text]).unwrap();
            prop_assert_eq!(texts(&json).map(read).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn bodies_are_taken_out_of_answers() {
        let json = r#"{"results":[{"index":1,"body" : {"a":"}]\\\"{","body":[[]]},"x":"body"},
            {"body":null},{"body":"é\"} "},{"body":-1.5e3 },{"body":}],"body":{}}"#;
        let Taken { frame, bodies } = Taken::apart(json.as_bytes());
        let expected = r#"{"results":[{"index":1,"body" : 0,"x":"body"},
            {"body":null},{"body":1},{"body":2 },{"body":}],"body":{}}"#;
        assert_eq!(std::str::from_utf8(&frame).unwrap(), expected);
        let bodies: Vec<&str> = bodies.into_iter().map(|body| &json[body]).collect();
        assert_eq!(bodies, [r#"{"a":"}]\\\"{","body":[[]]}"#, r#""é\"} ""#, "-1.5e3"]);
    }
}

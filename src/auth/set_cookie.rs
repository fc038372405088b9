//! `Set-Cookie` as RFC 6265 has user agents read it, as far as a session needs it.

use std::time::Duration;

/// A cookie by section 5.2 of RFC 6265. Attributes other than `Max-Age` are passed over.
// Without `Debug`: the value is a secret.
#[derive(Clone, Copy)]
pub(super) struct SetCookie<'h> {
    pub(super) name: &'h str,
    pub(super) value: &'h str,
    /// How long it is to be kept; zero for one that is over.
    pub(super) max_age: Option<Duration>,
}

impl<'h> SetCookie<'h> {
    /// `None` for a header that user agents ignore.
    pub(super) fn parse(header: &'h str) -> Option<Self> {
        let (pair, attributes) = header.split_once(';').unwrap_or((header, ""));
        let (name, value) = pair.split_once('=')?;
        let (name, value) = (trim(name), trim(value));
        // Of several, the last one that can be read counts: section 5.3.
        let max_age = attributes.split(';').rev().find_map(max_age);
        (!name.is_empty()).then_some(Self { name, value, max_age })
    }

    /// Whether it is set to nothing, or to nothing in quotes, as in a deletion.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self.value, "" | "\"\"")
    }
}

/// Section 5.2.2.
fn max_age(attribute: &str) -> Option<Duration> {
    let (name, value) = attribute.split_once('=')?;
    if !trim(name).eq_ignore_ascii_case("max-age") {
        return None;
    }
    let value = trim(value);
    let digits = value.strip_prefix('-').unwrap_or(value);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if digits.len() < value.len() {
        return Some(Duration::ZERO);
    }
    // Only a number that is too large is left to fail.
    Some(Duration::from_secs(digits.parse().unwrap_or(u64::MAX)))
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(header: &str) -> Option<(&str, &str, Option<u64>)> {
        let SetCookie { name, value, max_age } = SetCookie::parse(header)?;
        Some((name, value, max_age.map(|age| age.as_secs())))
    }

    #[test]
    fn headers_of_servers() {
        for (header, expected) in [
            (
                "csrftoken=AAA; expires=Mon, 22 Nov 2027 00:43:16 GMT; Max-Age=31449600; Path=/",
                ("csrftoken", "AAA", Some(31_449_600)),
            ),
            (
                "sessionid=BBB; HttpOnly; Max-Age=1209600; Secure",
                ("sessionid", "BBB", Some(1_209_600)),
            ),
            ("sessionid=BBB", ("sessionid", "BBB", None)),
            ("sessionid=\"\"; Max-Age=0; Path=/", ("sessionid", "\"\"", Some(0))),
        ] {
            assert_eq!(parse(header), Some(expected), "{header}");
        }
    }

    #[test]
    fn names_and_values_end_where_the_section_says() {
        for (header, expected) in [
            ("a=b=c=", ("a", "b=c=", None)),
            ("\t a b \t=\t c d ", ("a b", "c d", None)),
            ("a=", ("a", "", None)),
            ("a=b;", ("a", "b", None)),
            ("a=b,c=d", ("a", "b,c=d", None)),
            ("a=\" b \"", ("a", "\" b \"", None)),
            // No quoting: a semicolon ends the value wherever it stands.
            ("a=\"b;Max-Age=3\"", ("a", "\"b", None)),
        ] {
            assert_eq!(parse(header), Some(expected), "{header}");
        }
        for header in ["", "=", "=b", " \t=b", "a", "a; b=c", "; a=b", ";"] {
            assert_eq!(parse(header), None, "{header}");
        }
    }

    #[test]
    fn ages_as_the_section_reads_them() {
        for (attributes, expected) in [
            ("mAX-aGE=7", Some(7)),
            (" Max-Age\t= 007 ", Some(7)),
            ("Max-Age=-0", Some(0)),
            ("Max-Age=-99999999999999999999", Some(0)),
            ("Max-Age=99999999999999999999", Some(u64::MAX)),
            ("Max-Age=7; Max-Age=8", Some(8)),
            ("Max-Age=7; Max-Age=soon; Max-Age", Some(7)),
            ("Max-Age", None),
            ("Max-Age=", None),
            ("Max-Age=-", None),
            ("Max-Age=--7", None),
            ("Max-Age=+7", None),
            ("Max-Age=7.5", None),
            ("Max-Age=7 8", None),
            ("Max-Age=\"7\"", None),
            ("Max-Age==7", None),
            ("Max-Age=٧", None),
            ("X-Max-Age=7", None),
        ] {
            let header = format!("a=b;{attributes}");
            assert_eq!(parse(&header), Some(("a", "b", expected)), "{header}");
        }
    }

    #[test]
    fn what_is_set_to_nothing_is_empty() {
        for (header, is_empty) in [("a=", true), ("a=\"\"", true), ("a=\"", false), ("a=b", false)]
        {
            assert_eq!(SetCookie::parse(header).unwrap().is_empty(), is_empty, "{header}");
        }
    }

    /// Other attributes that servers send, and some that no server should.
    fn attribute() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("Path=/".to_owned()),
            Just("Expires=Sun, 06 Nov 1994 08:49:37 GMT".to_owned()),
            Just("HttpOnly".to_owned()),
            "[ -:<-~]{0,12}(=[ -:<-~]{0,12})?".prop_filter("an age of its own", |text| {
                !text.to_ascii_lowercase().contains("max-age")
            }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Names and values of section 4.1.1, between any other attributes.
        #[test]
        fn what_was_written_is_read(
            name in "[!#$%&'*+.^_`|~0-9A-Za-z-]{1,20}",
            value in "[!#-+--:<-\\[\\]-~]{0,20}",
            age in any::<Option<u32>>(),
            before in prop::collection::vec(attribute(), 0..4),
            after in prop::collection::vec(attribute(), 0..4),
        ) {
            let written = age.map(|age| format!("Max-Age={age}"));
            let attributes: Vec<String> = before.into_iter().chain(written).chain(after).collect();
            let mut header = format!("{name}={value}");
            for attribute in attributes {
                header.push_str("; ");
                header.push_str(&attribute);
            }
            prop_assert_eq!(parse(&header), Some((&*name, &*value, age.map(u64::from))));
        }

        /// What is read can stand in a `Cookie` header without becoming two cookies.
        #[test]
        fn parts_hold_no_separator(header in "[ -~\t]{0,60}|(=|;|\"|\t| |a|Max-Age|-|7){0,12}") {
            if let Some(SetCookie { name, value, .. }) = SetCookie::parse(&header) {
                prop_assert!(!name.is_empty() && !name.contains(['=', ';']));
                prop_assert!(!value.contains(';'));
                prop_assert_eq!((trim(name), trim(value)), (name, value));
                prop_assert!(header.contains(name) && header.contains(value));
            }
        }
    }
}

//! Dates as HTTP writes them (RFC 9110, section 5.6.7), from 1970 to 9999.

use std::time::SystemTime;

use jiff::civil::DateTime;

/// The present form, and the two old ones that have to be understood as well. All are in UTC.
const FORMS: [&str; 3] =
    ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];

const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// Reads a date in any of its forms.
pub(crate) fn parse(text: &str) -> Option<SystemTime> {
    let time = FORMS.iter().find_map(|form| DateTime::strptime(form, text.trim()).ok())?;
    SystemTime::UNIX_EPOCH.checked_add(time.duration_since(EPOCH).try_into().ok()?)
}

/// Writes a date in the present form, in whole seconds; `None` before 1970 and after 9999.
#[cfg(any(test, feature = "sandbox"))]
pub(crate) fn format(time: SystemTime) -> Option<String> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let time = EPOCH.checked_add(since).ok()?;
    Some(time.strftime(FORMS[0]).to_string())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const LAST: u64 = 253_402_300_799;

    #[test]
    fn all_three_forms_are_read() {
        let expected = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
        let last = SystemTime::UNIX_EPOCH + Duration::from_secs(LAST);
        assert_eq!(parse("Fri, 31 Dec 9999 23:59:59 GMT"), Some(last));
    }

    #[test]
    fn what_is_no_date_of_http_is_none() {
        for text in [
            "",
            "37",
            "Sun, 06 Nov 1994",
            "Mon, 06 Nov 1994 08:49:37 GMT",
            "tomorrow",
            "Wed, 31 Dec 1969 23:59:59 GMT",
            "Wed, 01 Jan 1000 00:00:00 GMT",
            "Tue, 01 Jan -2000 00:00:00 GMT",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(format(SystemTime::UNIX_EPOCH - Duration::from_secs(1)), None);
        assert_eq!(format(SystemTime::UNIX_EPOCH + Duration::from_secs(LAST + 1)), None);
    }

    proptest! {
        #[test]
        fn others_write_and_read_the_same(seconds in 0..=LAST) {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            let text = httpdate::fmt_http_date(time);
            prop_assert_eq!(format(time), Some(text.clone()));
            prop_assert_eq!(parse(&text), Some(time));
        }

        #[test]
        fn any_text_is_a_date_or_none(text in ".{0,40}") {
            if let Some(time) = parse(&text) {
                prop_assert!(format(time).is_some());
            }
        }
    }
}

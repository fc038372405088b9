//! Dates as HTTP writes them (RFC 9110, section 5.6.7).

use std::time::SystemTime;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// The present form, and the two old ones that have to be understood as well. All are in UTC.
const FORMS: [&str; 3] =
    ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];

/// Reads a date in any of its forms.
pub(crate) fn parse(text: &str) -> Option<SystemTime> {
    let time = FORMS.iter().find_map(|form| DateTime::strptime(form, text.trim()).ok())?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp().into())
}

/// Writes a date in the present form, in whole seconds; `None` if its year has not four digits.
#[cfg(any(test, feature = "sandbox"))]
pub(crate) fn format(time: SystemTime) -> Option<String> {
    let time = Timestamp::try_from(time).ok().filter(|time| *time >= Timestamp::UNIX_EPOCH)?;
    Some(time.strftime(FORMS[0]).to_string())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

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
        for text in ["", "37", "Sun, 06 Nov 1994", "Mon, 06 Nov 1994 08:49:37 GMT", "tomorrow"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn only_years_of_four_digits_are_written() {
        let last = SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_207_200);
        assert!(format(last).is_some_and(|text| text.contains(" 9999 ")));
        assert_eq!(format(SystemTime::UNIX_EPOCH - Duration::from_secs(1)), None);
    }

    proptest! {
        #[test]
        fn others_write_and_read_the_same(seconds in 0..253_402_207_200_u64) {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            let text = httpdate::fmt_http_date(time);
            prop_assert_eq!(format(time), Some(text.clone()));
            prop_assert_eq!(parse(&text), Some(time));
        }

        #[test]
        fn any_text_is_a_date_or_none(text in ".{0,40}") {
            if let Some(time) = parse(&text) {
                prop_assert!(format(time).is_some() || time < SystemTime::UNIX_EPOCH);
            }
        }
    }
}

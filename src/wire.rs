//! How values are written on the wire where their types' own serde forms differ.
//!
//! For fields of custom resources: [`resource!`](crate::resource!) takes serde attributes in
//! brackets behind a type, `time: Timestamp [with = "keystone_client::wire::timestamp"]`. Points in time
//! are [`timestamp`], spans of time [`duration`], and spans as numbers of seconds [`seconds`]. The serde
//! forms of `jiff::civil::Date` and `rust_decimal::Decimal` are those of the server.

/// Points in time as Keystone writes them: with six digits of a second, or none if they are zero,
/// and in UTC.
///
/// Any offset is read, up to the end of 9999-12-30 in UTC; a day without a time, which servers before 0.6.14 send for some fields, is
/// its first moment in UTC.
///
/// ```
/// use jiff::Timestamp;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Event {
///     #[serde(with = "keystone_client::wire::timestamp")]
///     time: Timestamp,
/// }
///
/// let json = r#"{"time":"2026-11-22T23:50:03.640600Z"}"#;
/// let event: Event = serde_json::from_str(json)?;
/// assert_eq!(serde_json::to_string(&event)?, json);
/// # Ok::<(), serde_json::Error>(())
/// ```
pub mod timestamp {
    use std::fmt;

    use jiff::Timestamp;
    use jiff::civil::Date;
    use jiff::tz::TimeZone;
    use serde::de::{self, Deserializer, Visitor};
    use serde::ser::Serializer;

    /// Writes the time.
    ///
    /// # Errors
    ///
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        match time.subsec_nanosecond() {
            0 => serializer.collect_str(time),
            _ => serializer.collect_str(&format_args!("{time:.6}")),
        }
    }

    /// Reads the time.
    ///
    /// # Errors
    ///
    /// For anything but a time or a day.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Timestamp;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time such as `2026-11-22T23:50:03Z`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
                text.parse().or_else(|error| match text.parse::<Date>() {
                    Ok(day) if text.len() <= "2026-11-22".len() => day
                        .to_zoned(TimeZone::UTC)
                        .map(|start| start.timestamp())
                        .map_err(de::Error::custom),
                    _ => Err(de::Error::custom(error)),
                })
            }
        }

        deserializer.deserialize_str(Text)
    }

    /// The same for a time that may be null.
    pub mod optional {
        use jiff::Timestamp;
        use serde::de::{Deserialize, Deserializer};
        use serde::ser::Serializer;

        /// Writes the time, or null.
        ///
        /// # Errors
        ///
        /// Those of the serializer.
        pub fn serialize<S: Serializer>(
            time: &Option<Timestamp>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            match time {
                Some(time) => super::serialize(time, serializer),
                None => serializer.serialize_none(),
            }
        }

        /// Reads the time, or null.
        ///
        /// # Errors
        ///
        /// For anything but a time, a day, or null.
        pub fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<Timestamp>, D::Error> {
            #[derive(serde::Deserialize)]
            struct Time(#[serde(with = "super")] Timestamp);

            Ok(Option::<Time>::deserialize(deserializer)?.map(|Time(time)| time))
        }
    }
}

/// Lengths of time as Keystone writes them: `39 12:26:40.317136`, days first if there are any.
pub mod duration {
    use jiff::SignedDuration;
    use serde::de::{self, Deserialize, Deserializer};
    use serde::ser::Serializer;

    const SECONDS_OF_A_DAY: i64 = 86_400;

    /// The text of a duration; of the days alone the sign is that of the whole, and the time of
    /// day counts onwards from there.
    fn write(duration: SignedDuration) -> String {
        let microseconds = duration.as_micros();
        let day = i128::from(SECONDS_OF_A_DAY) * 1_000_000;
        let (days, rest) = (microseconds.div_euclid(day), microseconds.rem_euclid(day));
        let (seconds, fraction) = (rest / 1_000_000, rest % 1_000_000);
        let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        let mut text = match days {
            0 => format!("{hours:02}:{minutes:02}:{seconds:02}"),
            _ => format!("{days} {hours:02}:{minutes:02}:{seconds:02}"),
        };
        if fraction != 0 {
            text.push_str(&format!(".{fraction:06}"));
        }
        text
    }

    fn read(text: &str) -> Option<SignedDuration> {
        let (days, time) = match text.split_once(' ') {
            Some((days, time)) => (days.parse::<i64>().ok()?, time),
            None => (0, text),
        };
        let mut parts = time.split(':');
        let (hours, minutes, rest) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let (seconds, fraction) = rest.split_once('.').unwrap_or((rest, "0"));
        if fraction.is_empty() || fraction.len() > 9 {
            return None;
        }
        let number = |digits: &str| match digits.bytes().all(|byte| byte.is_ascii_digit()) {
            true => digits.parse::<i64>().ok(),
            false => None,
        };
        let within_day = number(hours)?
            .checked_mul(3_600)?
            .checked_add(number(minutes)?.checked_mul(60)?)?
            .checked_add(number(seconds)?)?;
        let seconds = days.checked_mul(SECONDS_OF_A_DAY)?.checked_add(within_day)?;
        let nanoseconds: i64 = number(&format!("{fraction:0<9}"))?;
        SignedDuration::from_secs(seconds).checked_add(SignedDuration::from_nanos(nanoseconds))
    }

    /// Writes the duration, or null.
    ///
    /// # Errors
    ///
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(
        duration: &Option<SignedDuration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => serializer.serialize_str(&write(*duration)),
            None => serializer.serialize_none(),
        }
    }

    /// Reads the duration, or null.
    ///
    /// # Errors
    ///
    /// For anything but a duration or null.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<SignedDuration>, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else {
            return Ok(None);
        };
        read(&text)
            .map(Some)
            .ok_or_else(|| de::Error::custom("expected a duration such as `39 12:26:40.317136`"))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn text_survives_a_round_trip() {
            for text in ["00:00:00", "39 12:26:40.317136", "-5 00:00:00", "-1 23:59:59.999999"] {
                assert_eq!(write(read(text).unwrap()), text);
            }
            assert_eq!(read("1 01:00:00"), Some(SignedDuration::from_hours(25)));
            assert_eq!(read("-1 23:00:00"), Some(SignedDuration::from_hours(-1)));
            for text in ["", "1", "1:2", "a 00:00:00", "00:00:00.", "00:-1:00", "1:2:3:4"] {
                assert_eq!(read(text), None, "{text}");
            }
        }
    }
}

/// Whole seconds as a [`Duration`](std::time::Duration).
pub mod seconds {
    use std::time::Duration;

    use serde::de::{Deserialize, Deserializer};
    use serde::ser::Serializer;

    /// Writes the number of whole seconds.
    ///
    /// # Errors
    ///
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(duration.as_secs())
    }

    /// Reads a number of whole seconds.
    ///
    /// # Errors
    ///
    /// For anything but a whole number from 0.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_secs)
    }
}

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use jiff::civil::Date;
use jiff::{RoundMode, Timestamp, TimestampRound, Unit};
use rust_decimal::Decimal;
use serde_json::Value;

use crate::filter::trimmed;

/// A value in the form in which it is compared: of a filter, or of a record's field.
///
/// It prints as the query parameter, before percent-encoding.
///
/// ```
/// use keystone_client::field::{Comparand, Scalar};
/// use keystone_client::resources::RequestStatus;
///
/// assert_eq!(RequestStatus::Approved.comparand(), Comparand::Text("AP".into()));
/// assert_eq!(true.comparand().to_string(), "true");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Comparand<'a> {
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number, or the number of a key.
    Integer(i128),
    /// A number with decimal places. It equals another whatever their trailing zeros.
    Decimal(Decimal),
    /// Text, or a code.
    Text(Cow<'a, str>),
    /// A day.
    Date(Date),
    /// A point in time. The server keeps microseconds.
    Timestamp(Timestamp),
    /// An address of the Internet protocol, of either version.
    Address(IpAddr),
}

impl Comparand<'_> {
    /// The same value by itself.
    pub fn into_owned(self) -> Comparand<'static> {
        match self {
            Self::Boolean(value) => Comparand::Boolean(value),
            Self::Integer(value) => Comparand::Integer(value),
            Self::Decimal(value) => Comparand::Decimal(value),
            Self::Text(value) => Comparand::Text(Cow::Owned(value.into_owned())),
            Self::Date(value) => Comparand::Date(value),
            Self::Timestamp(value) => Comparand::Timestamp(value),
            Self::Address(value) => Comparand::Address(value),
        }
    }
}

impl Comparand<'_> {
    /// A value of this kind, as the server would keep it when it is sent as this JSON, or as this text
    /// of a form.
    pub(crate) fn read_alike(&self, sent: &Value) -> Option<Comparand<'static>> {
        let text = sent.as_str().map(trimmed);
        Some(match self {
            Self::Boolean(_) => Comparand::Boolean(sent.as_bool().or_else(|| parsed(text))?),
            Self::Integer(_) => {
                let signed = sent.as_i64().map(i128::from);
                let number = signed.or(sent.as_u64().map(i128::from)).or_else(|| parsed(text))?;
                Comparand::Integer(number)
            }
            Self::Decimal(_) => Comparand::Decimal(match sent {
                Value::Number(number) => number.to_string().parse().ok()?,
                _ => parsed(text)?,
            }),
            Self::Text(_) => Comparand::Text(Cow::Owned(text?.to_owned())),
            Self::Date(_) => Comparand::Date(parsed(text)?),
            Self::Timestamp(_) => Comparand::Timestamp(kept(parsed(text)?)),
            Self::Address(_) => Comparand::Address(parsed(text)?),
        })
    }
}

fn parsed<T: FromStr>(text: Option<&str>) -> Option<T> {
    text.and_then(|text| text.parse().ok())
}

/// The server keeps microseconds and cuts off the rest.
pub(crate) fn kept(time: Timestamp) -> Timestamp {
    let cut = TimestampRound::new().smallest(Unit::Microsecond).mode(RoundMode::Floor);
    time.round(cut).unwrap_or(time)
}

impl fmt::Display for Comparand<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => value.fmt(f),
            Self::Integer(value) => value.fmt(f),
            Self::Decimal(value) => value.fmt(f),
            Self::Text(value) => value.fmt(f),
            Self::Date(value) => value.fmt(f),
            // In UTC: the sign of an offset needs a percent-encoding that a proxy might undo.
            Self::Timestamp(value) => value.fmt(f),
            Self::Address(value) => value.fmt(f),
        }
    }
}

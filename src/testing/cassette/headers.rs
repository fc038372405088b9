//! What is kept of the headers of answers.

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::fmt::rfc2822;

use super::harmless;

/// The value of a header that clients go by, without what may be data; none if nothing is left.
pub(super) fn harmless_header(name: &str, value: &str) -> Option<String> {
    let kept = match name {
        "allow" => {
            let is_known = |method: &str| STANDARD.iter().any(|known| known.as_str() == method);
            return Some(chosen(value, is_known)).filter(|methods| !methods.is_empty());
        }
        "vary" => {
            let is_known = |name: &str| VARIES.iter().any(|it| name.eq_ignore_ascii_case(it));
            return Some(chosen(value, is_known)).filter(|names| !names.is_empty());
        }
        "content-type" => return content_type(value),
        "www-authenticate" => return challenge(value),
        "date" => is_date(value),
        "retry-after" => is_short_number(value) || is_date(value),
        "x-total-count" => is_short_number(value),
        _ => false,
    };
    kept.then(|| value.to_owned())
}

const STANDARD: [Method; 7] = [
    Method::DELETE,
    Method::GET,
    Method::HEAD,
    Method::OPTIONS,
    Method::PATCH,
    Method::POST,
    Method::PUT,
];

const VARIES: [&str; 6] =
    ["accept", "accept-encoding", "accept-language", "authorization", "cookie", "origin"];

fn chosen(list: &str, is_known: impl Fn(&str) -> bool) -> String {
    let items: Vec<&str> = list.split(',').map(str::trim).filter(|it| is_known(it)).collect();
    items.join(", ")
}

/// A media type that is well known, with its character set.
pub(super) fn content_type(value: &str) -> Option<String> {
    let mut pieces = value.split(';').map(str::trim);
    let media_type = pieces.next().unwrap_or_default().to_ascii_lowercase();
    if !harmless::is_media_type(&media_type) {
        return None;
    }
    let mut kept = media_type;
    for piece in pieces {
        let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
        let value = value.trim_matches('"').to_ascii_lowercase();
        if name.eq_ignore_ascii_case("charset") && CHARSETS.contains(&value.as_str()) {
            kept.push_str(&format!("; charset={value}"));
        } else if name.eq_ignore_ascii_case("boundary") {
            kept.push_str("; boundary=redacted");
        }
    }
    Some(kept)
}

const CHARSETS: [&str; 4] = ["utf-8", "us-ascii", "iso-8859-1", "windows-1252"];

/// How to log in, without where.
fn challenge(value: &str) -> Option<String> {
    let (scheme, parameters) = value.split_once(' ').unwrap_or((value, ""));
    let scheme = SCHEMES.iter().find(|known| scheme.eq_ignore_ascii_case(known))?;
    Some(match parameters.split(',').any(|it| it.trim() == "realm=\"api\"") {
        true => format!("{scheme} realm=\"api\""),
        false => (*scheme).to_owned(),
    })
}

const SCHEMES: [&str; 7] = ["Basic", "Bearer", "Digest", "JWT", "Negotiate", "Session", "Token"];

/// What clients go by of a piece of a cookie behind its value, but for the path.
pub(super) fn is_harmless_attribute(piece: &str) -> bool {
    let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
    match name.trim().to_ascii_lowercase().as_str() {
        "expires" => is_date(&value.replace('-', " ")),
        "max-age" => value.is_empty() || is_short_number(value),
        "samesite" => ["lax", "strict", "none"].contains(&value.to_ascii_lowercase().as_str()),
        "secure" | "httponly" => value.is_empty(),
        _ => false,
    }
}

fn is_short_number(value: &str) -> bool {
    value.len() <= 9 && harmless::is_number(value)
}

fn is_date(value: &str) -> bool {
    value.len() <= 32 && rfc2822::DateTimeParser::new().parse_timestamp(value).is_ok()
}

/// The headers of an answer, without those that cannot be.
pub(super) fn parse_headers(lines: &[String]) -> HeaderMap {
    let headers = lines.iter().filter_map(|line| {
        let (name, value) = line.split_once(": ")?;
        let name = HeaderName::try_from(name).ok()?;
        Some((name, HeaderValue::try_from(value).ok()?))
    });
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(name, value);
    }
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_clients_go_by_is_kept() {
        for (name, value, kept) in [
            ("allow", "GET, POST, HUNTER2", Some("GET, POST")),
            ("vary", "Accept, Cookie, x-ada", Some("Accept, Cookie")),
            (
                "content-type",
                "Application/JSON; charset=UTF-8; profile=ada",
                Some("application/json; charset=utf-8"),
            ),
            (
                "content-type",
                "multipart/form-data; boundary=ada",
                Some("multipart/form-data; boundary=redacted"),
            ),
            ("content-type", "text/ada", None),
            ("www-authenticate", "Bearer realm=\"api\"", Some("Bearer realm=\"api\"")),
            ("www-authenticate", "Bearer realm=\"ada\", error=\"hunter2\"", Some("Bearer")),
            ("www-authenticate", "hunter2", None),
            ("retry-after", "7", Some("7")),
            ("retry-after", "ada", None),
            ("date", "Thu, 01 Jan 2026 09:30:00 GMT", Some("Thu, 01 Jan 2026 09:30:00 GMT")),
            ("date", "ada", None),
            ("x-total-count", "12", Some("12")),
            ("x-total-count", "4155551234", None),
        ] {
            assert_eq!(harmless_header(name, value).as_deref(), kept, "{name}: {value}");
        }
    }

    #[test]
    fn attributes_of_cookies_are_kept_by_their_shape() {
        for kept in [
            "Secure",
            "HttpOnly",
            "SameSite=Lax",
            "Max-Age=1209600",
            "expires=Thu, 01 Jan 2026 09:30:00 GMT",
        ] {
            assert!(is_harmless_attribute(kept), "{kept}");
        }
        for other in
            ["Domain=x.edu", "Path=/", "SameSite=ada", "Max-Age=ada", "expires=ada", "Secure=ada"]
        {
            assert!(!is_harmless_attribute(other), "{other}");
        }
    }
}

//! Bodies in several parts.

use std::borrow::Cow;

use bytes::Bytes;
use http::StatusCode;

use crate::sandbox::files::{self, Upload};
use crate::sandbox::form::Form;
use crate::sandbox::reply::Failure;

/// Reads a body by the boundary that its content type names, wherever that stands. What is no part, or
/// not ended by a boundary, is passed over.
pub(crate) fn parse(content_type: &str, body: &Bytes) -> Result<Form, Failure> {
    let boundary = parameter(content_type, "boundary").filter(|boundary| !boundary.is_empty());
    let Some(boundary) = boundary else {
        let text = "Multipart form parse error - Invalid boundary in multipart: None";
        return Err(Failure::detail(StatusCode::BAD_REQUEST, text));
    };
    let delimiter = format!("--{boundary}");
    let mut form = Form::default();
    let Some((_, mut rest)) = split(body, delimiter.as_bytes()) else {
        return Ok(form);
    };
    while let Some((part, after)) = split(rest, delimiter.as_bytes()) {
        let part = part.strip_suffix(b"\n").unwrap_or(part);
        let part = part.strip_suffix(b"\r").unwrap_or(part);
        add_part(&mut form, body, part);
        if form.is_too_large() {
            return Err(Failure::BadRequestPage);
        }
        rest = after;
    }
    Ok(form)
}

/// Adds what is in a part of a body.
fn add_part(form: &mut Form, body: &Bytes, part: &[u8]) {
    let Some((head, content)) = split(part, b"\r\n\r\n") else {
        return;
    };
    let head = String::from_utf8_lossy(head);
    let header = |wanted: &str| {
        head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim())
        })
    };
    let Some(disposition) = header("content-disposition") else {
        return;
    };
    let Some(name) = parameter(disposition, "name") else {
        return;
    };
    // Without a file name a part is text.
    match parameter(disposition, "filename").filter(|name| !name.is_empty()) {
        Some(file_name) => {
            if let Some(file_name) = files::sent_name(&file_name) {
                let content_type = header("content-type").unwrap_or_default();
                let content_type = content_type.split(';').next().unwrap_or_default();
                let content_type = content_type.trim().to_lowercase();
                let content = body.slice_ref(content);
                form.add_file(name, Upload { name: file_name, content_type, content });
            }
        }
        None => form.add_field(name, String::from_utf8_lossy(content).into_owned()),
    }
}

/// What is before and after the first place of a pattern.
fn split<'a>(text: &'a [u8], pattern: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = text.windows(pattern.len().max(1)).position(|window| window == pattern)?;
    let after = text.get(at.checked_add(pattern.len())?..)?;
    Some((text.get(..at)?, after))
}

/// A parameter of a header value. One with an asterisk says in which way it is encoded, and goes
/// before one without.
pub(crate) fn parameter(value: &str, name: &str) -> Option<String> {
    let parameters = parameters(value);
    let find = |name: &str| {
        let found = parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    };
    let encoded = find(&format!("{name}*")).and_then(decoded);
    encoded.or_else(|| find(name).map(str::to_owned))
}

/// All parameters of a header value, without their quotes.
fn parameters(value: &str) -> Vec<(String, String)> {
    let mut pieces = vec![String::new()];
    let (mut quoted, mut escaped) = (false, false);
    for character in value.chars() {
        let ends = character == ';' && !quoted;
        if ends {
            pieces.push(String::new());
            continue;
        }
        if let Some(piece) = pieces.last_mut() {
            piece.push(character);
        }
        quoted ^= character == '"' && !escaped;
        escaped = quoted && character == '\\' && !escaped;
    }
    let pairs = pieces.iter().skip(1).filter_map(|piece| piece.split_once('='));
    pairs.map(|(key, value)| (key.trim().to_owned(), unquoted(value.trim()))).collect()
}

fn unquoted(value: &str) -> String {
    let inside = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    inside.map_or_else(
        || value.trim_matches('"').to_owned(),
        |inside| inside.replace("\\\\", "\\").replace("\\\"", "\""),
    )
}

/// The text of a value such as `UTF-8''na%C3%AFve.txt`.
fn decoded(value: &str) -> Option<String> {
    let mut parts = value.splitn(3, '\'');
    let (charset, _, text) = (parts.next()?, parts.next()?, parts.next()?);
    if !charset.eq_ignore_ascii_case("utf-8") {
        return None;
    }
    // The decoder of form fields would make blanks of plus signs.
    let text = text.replace('+', "%2B");
    let mut pairs = url::form_urlencoded::parse(text.as_bytes());
    pairs.next().map(|(text, _)| match text {
        Cow::Borrowed(text) => text.to_owned(),
        Cow::Owned(text) => text,
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{parameter, parse};

    const TYPE: &str = "multipart/form-data; boundary=\"-x-\"";

    fn fields(body: &str) -> Vec<(String, String)> {
        let form = parse(TYPE, &Bytes::from(body.to_owned())).unwrap();
        let text = |name: &str| form.last(name).map(|text| (name.to_owned(), text.to_owned()));
        ["a", "b"].iter().filter_map(|name| text(name)).collect()
    }

    #[test]
    fn parameters_may_be_quoted_escaped_or_encoded() {
        let cases = [
            ("form-data; name=a", "a"),
            ("form-data; filename=x; NAME = \"a;b=c\"", "a;b=c"),
            (r#"form-data; name="a \"b\" \\c"; filename="x""#, r#"a "b" \c"#),
            (r#"form-data; name="plain"; name*=UTF-8''d%C3%A9j%C3%A0+1"#, "déjà+1"),
            ("form-data; name=\"plain\"; name*=latin1''x", "plain"),
            ("form-data; name=\"half", "half"),
            ("form-data; name=", ""),
        ];
        for (header, expected) in cases {
            assert_eq!(parameter(header, "name").as_deref(), Some(expected), "{header}");
        }
        assert_eq!(parameter("form-data; \"name=a\"", "name"), None);
    }

    #[test]
    fn parts_end_at_boundaries_only() {
        let part = |name: &str, text: &str| {
            format!("---x-\r\nContent-Disposition: form-data; name={name}\r\n\r\n{text}\r\n")
        };
        let (a, b) = (part("a", "1\r\n--x-\r\n"), part("b", ""));
        let whole = format!("preamble\r\n{a}{b}---x---\r\nepilogue");
        let pair = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        assert_eq!(fields(&whole), [pair("a", "1\r\n--x-\r\n"), pair("b", "")]);
        assert_eq!(fields(&format!("{a}{b}")), [pair("a", "1\r\n--x-\r\n")]);
        // Wherever it stands, it ends a part.
        assert_eq!(
            fields(&format!("{}{b}---x---", part("a", "1---x- 2"))),
            [pair("a", "1"), pair("b", "")]
        );
        assert_eq!(fields(&format!("{}{b}", part("a", "---x-"))), []);
        assert_eq!(fields("---x---"), []);
        assert_eq!(fields("---x-\r\n\r\n---x-\r\nno head\r\n---x-\r\nX: y\r\n\r\n\r\n---x-"), []);
        for end in 0..whole.len() {
            fields(&whole[..end]);
            fields(&whole[end..]);
        }
    }
}

//! Reads multipart bodies as the server does.

/// One part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) name: String,
    pub(crate) file_name: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) content: Vec<u8>,
}

/// The parts of a body. Nothing may be before the first boundary, between two, or after the last.
pub(crate) fn parts(content_type: &str, body: &[u8]) -> Vec<Seen> {
    let boundary = content_type.strip_prefix("multipart/form-data; boundary=").unwrap();
    assert!(boundary.len() <= 70 && boundary.bytes().all(|byte| byte.is_ascii_graphic()));
    let delimiter = format!("--{boundary}");
    let pieces = split(body, delimiter.as_bytes());
    let (first, others) = pieces.split_first().unwrap();
    let (last, between) = others.split_last().unwrap();
    assert_eq!((*first, *last), (&b""[..], &b"--\r\n"[..]));
    between.iter().map(|piece| part(piece)).collect()
}

fn part(piece: &[u8]) -> Seen {
    let inner = piece.strip_prefix(b"\r\n").unwrap().strip_suffix(b"\r\n").unwrap();
    let end = inner.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    assert!(end + 6 <= 1024, "the server reads no longer head");
    let head = std::str::from_utf8(&inner[..end]).unwrap();
    let mut seen = Seen {
        name: String::new(),
        file_name: None,
        content_type: None,
        content: inner[end + 4..].to_vec(),
    };
    for line in head.split("\r\n") {
        match line.split_once(": ").unwrap() {
            ("Content-Disposition", value) => {
                let parameters = parameters(value);
                let find = |name: &str| {
                    let found = parameters.iter().rfind(|(key, _)| key == name);
                    found.map(|(_, value)| value.clone())
                };
                seen.name = find("name").unwrap();
                seen.file_name = find("filename").map(|name| name.replace("&amp;", "&"));
            }
            ("Content-Type", value) => seen.content_type = Some(value.to_owned()),
            other => panic!("{other:?}"),
        }
    }
    seen
}

/// The parameters of a header value. A semicolon is in quotes if before it, quotation marks with a
/// backslash left out of account, there is an odd number of them.
fn parameters(value: &str) -> Vec<(String, String)> {
    let mut pieces = vec![String::new()];
    for letter in value.chars() {
        let piece = pieces.last_mut().unwrap();
        let marks = piece.matches('"').count() - piece.matches("\\\"").count();
        match letter {
            ';' if marks % 2 == 0 => pieces.push(String::new()),
            _ => piece.push(letter),
        }
    }
    assert_eq!(pieces[0], "form-data");
    pieces[1..].iter().map(|piece| parameter(piece)).collect()
}

fn parameter(piece: &str) -> (String, String) {
    let (name, value) = piece.trim().split_once('=').unwrap();
    if let Some(name) = name.strip_suffix('*') {
        assert_eq!(value.matches('\'').count(), 2, "{value}");
        let encoded = value.strip_prefix("UTF-8''").unwrap().replace('+', "%2B");
        let (decoded, _) = url::form_urlencoded::parse(encoded.as_bytes()).next().unwrap();
        return (name.to_owned(), decoded.into_owned());
    }
    let inside = value.strip_prefix('"').unwrap().strip_suffix('"').unwrap();
    (name.to_owned(), inside.replace("\\\\", "\\").replace("\\\"", "\""))
}

fn split<'a>(mut text: &'a [u8], pattern: &[u8]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    while let Some(at) = text.windows(pattern.len()).position(|window| window == pattern) {
        pieces.push(&text[..at]);
        text = &text[at + pattern.len()..];
    }
    pieces.push(text);
    pieces
}

//! Forms, read back into their parts.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use url::form_urlencoded;

/// A field or a file of a form that was sent. Its `Debug` form shows no contents.
///
/// ```
/// use keystone_client::resources::NewAttachment;
/// use keystone_client::upload::Upload;
/// # use keystone_client::{resources::{NewAllocationRequest, NewTeam}, sandbox::Sandbox};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let sandbox = Sandbox::new();
/// # let client = sandbox.blocking_client()?;
/// # client.login("admin", "admin-password")?;
/// # let me = client.whoami()?.expect("logged in").id;
/// # let team = client.create_team(NewTeam::new("Folding")).send()?.id;
/// # let new = NewAllocationRequest::new("Folding at scale", "What it is for", me, team);
/// # let request = client.create_request(new).send()?.id;
/// let plan = Upload::bytes("plan.txt", "fold");
/// client.create_attachment(NewAttachment::new(request, plan)).send()?;
///
/// let form = sandbox.requests().last().and_then(|request| request.form()).expect("a form");
/// let file = form.iter().find(|part| part.name() == "file").expect("a file");
/// assert_eq!(file.file_name(), Some("plan.txt"));
/// assert_eq!(file.content(), "fold");
/// # Ok(()) }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct FormPart {
    name: String,
    file_name: Option<String>,
    content_type: Option<String>,
    content: Bytes,
}

impl FormPart {
    /// The name of the field.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of the file; `None` if it is a field.
    pub fn file_name(&self) -> Option<&str> {
        self.file_name.as_deref()
    }

    /// The media type, if it is stated.
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// The value of the field, or what is in the file.
    pub fn content(&self) -> &Bytes {
        &self.content
    }

    /// The value of a field; `None` if it is a file, or not UTF-8.
    pub fn text(&self) -> Option<&str> {
        match self.file_name {
            Some(_) => None,
            None => std::str::from_utf8(&self.content).ok(),
        }
    }
}

impl fmt::Debug for FormPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FormPart")
            .field("name", &self.name)
            .field("is_file", &self.file_name.is_some())
            .field("content_type", &self.content_type)
            .field("content_length", &self.content.len())
            .finish()
    }
}

/// The parts of a body, if its content type is that of a form.
pub(super) fn read(content_type: &str, body: &Bytes) -> Option<Vec<FormPart>> {
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        let pairs = form_urlencoded::parse(body);
        let parts = pairs.map(|(name, value)| FormPart {
            name: name.into_owned(),
            file_name: None,
            content_type: None,
            content: Bytes::from(value.into_owned()),
        });
        return Some(parts.collect());
    }
    if !media_type.eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parameter(content_type, "boundary").filter(|boundary| !boundary.is_empty())?;
    let delimiter = format!("--{boundary}");
    let mut parts = Vec::new();
    let (_, mut rest) = split(body, delimiter.as_bytes())?;
    let delimiter = format!("\r\n{delimiter}");
    while let Some((part, after)) = split(rest, delimiter.as_bytes()) {
        parts.extend(read_part(body, part));
        rest = after;
    }
    Some(parts)
}

fn read_part(body: &Bytes, part: &[u8]) -> Option<FormPart> {
    let (head, content) = split(part, b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(head);
    let header = |wanted: &str| {
        head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim())
        })
    };
    let disposition = header("content-disposition")?;
    Some(FormPart {
        name: parameter(disposition, "name")?,
        file_name: parameter(disposition, "filename"),
        content_type: header("content-type").map(str::to_owned),
        content: body.slice_ref(content),
    })
}

/// What is before and after the first place of a pattern.
fn split<'a>(text: &'a [u8], pattern: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = text.windows(pattern.len().max(1)).position(|window| window == pattern)?;
    Some((text.get(..at)?, text.get(at.checked_add(pattern.len())?..)?))
}

/// A parameter of a header value; one that says how it is encoded goes before a plain one.
fn parameter(value: &str, name: &str) -> Option<String> {
    let (mut plain, mut rest) = (None, value);
    while let Some((_, behind)) = rest.split_once(';') {
        let Some((key, behind)) = behind.split_once('=') else { break };
        let (text, after) = parameter_value(behind.trim_start());
        let key = key.trim();
        if key.strip_suffix('*').is_some_and(|key| key.eq_ignore_ascii_case(name)) {
            return decoded(&text);
        }
        if key.eq_ignore_ascii_case(name) {
            plain.get_or_insert(text);
        }
        rest = after;
    }
    plain
}

/// A value, with the quotes around it taken away, and what comes after it.
fn parameter_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        let (value, after) = text.split_at(end);
        return (value.trim().to_owned(), after);
    };
    let (mut value, mut is_escaped) = (String::new(), false);
    for (at, letter) in quoted.char_indices() {
        match letter {
            '"' if !is_escaped => return (value, quoted.get(at..).unwrap_or_default()),
            '\\' if !is_escaped => is_escaped = true,
            _ => {
                value.push(letter);
                is_escaped = false;
            }
        }
    }
    (value, "")
}

/// The text of a value such as `UTF-8''na%C3%AFve.txt`.
fn decoded(value: &str) -> Option<String> {
    let text = value.splitn(3, '\'').nth(2)?;
    // The decoder of form fields would make blanks of plus signs.
    let text = text.replace('+', "%2B");
    let pair = form_urlencoded::parse(text.as_bytes()).next();
    pair.map(|(text, _): (Cow<'_, str>, _)| text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::{Body, Multipart};
    use crate::upload::Upload;

    fn sent(form: &Multipart) -> Vec<FormPart> {
        let Body::Raw { content_type, bytes } = form.encode().unwrap() else { panic!() };
        read(content_type.to_str().unwrap(), &bytes).unwrap()
    }

    #[test]
    fn what_this_crate_writes_is_read_back() {
        let values =
            ["", "a\r\nb", "--keystone-client-0000000000000000", "ünï \"quoted\" \\ ; x=y"];
        let form = values.iter().fold(Multipart::new(), |form, value| form.text("f;\"o\"", *value));
        let form = form.file("file", Upload::bytes("naïve; \"1\".txt", "a\r\n\r\nb"));
        let parts = sent(&form);
        let texts: Vec<_> = parts.iter().filter_map(FormPart::text).collect();
        assert_eq!(texts, values);
        assert_eq!(parts[0].name(), "f;\"o\"");
        let file = parts.last().unwrap();
        assert_eq!(file.file_name(), Some("naïve; \"1\".txt"));
        assert_eq!(file.content_type(), Some("text/plain"));
        assert_eq!(file.content(), "a\r\n\r\nb");
        assert_eq!(file.text(), None);
    }

    #[test]
    fn names_with_line_breaks_are_encoded() {
        let parts = sent(&Multipart::new().text("a\\b\n+", "1"));
        assert_eq!((parts[0].name(), parts[0].text()), ("a\\b\n+", Some("1")));
    }

    #[test]
    fn forms_may_be_in_the_form_of_a_query() {
        let parts = read("application/x-www-form-urlencoded", &"a=1+2&b=&a=%26".into()).unwrap();
        let pairs: Vec<_> = parts.iter().map(|it| (it.name(), it.text().unwrap())).collect();
        assert_eq!(pairs, [("a", "1 2"), ("b", ""), ("a", "&")]);
        assert_eq!(read("application/json", &"{}".into()), None);
        assert_eq!(read("multipart/form-data", &"{}".into()), None);
    }

    #[test]
    fn debug_shows_no_contents() {
        let form = Multipart::new().text("password", "hunter2");
        assert!(!format!("{:?}", sent(&form)).contains("hunter2"));
    }
}

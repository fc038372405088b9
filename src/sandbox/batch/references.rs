//! References from a step to the answers of earlier ones and to uploaded files.

use std::collections::HashMap;

use http::StatusCode;

use crate::sandbox::files::Upload;
use crate::sandbox::json::Json;
use crate::sandbox::reply::Failure;

const LABELS: &str = "Reference labels may only contain letters, numbers, and underscores";

/// What references can lead to.
#[derive(Debug)]
pub(crate) struct Sources {
    /// The bodies of earlier steps by alias.
    bodies: HashMap<String, Json>,
    files: HashMap<String, Upload>,
}

/// A text that is nothing but a reference, resolved.
pub(crate) enum Target {
    Value {
        json: Json,
        /// The action of a history entry is in it, which the server cannot send on as JSON.
        action: bool,
    },
    File(Upload),
}

/// A part of a text: plain, or `@ref{…}` or `@file{…}`.
struct Piece<'a> {
    text: &'a str,
    reference: Option<Reference<'a>>,
}

#[derive(Clone, Copy)]
enum Reference<'a> {
    Body(&'a str),
    File(&'a str),
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let (mut begin, mut at) = (0, 0);
    while let Some(found) = text.get(at..).and_then(|rest| rest.find('@')) {
        let start = at + found;
        at = start + 1;
        let Some(rest) = text.get(start..) else {
            break;
        };
        let is_file = rest.starts_with("@file{");
        let opening = if is_file { "@file{" } else { "@ref{" };
        let inside = rest.strip_prefix(opening).and_then(|rest| rest.split_once('}'));
        let Some((inside, after)) = inside else {
            continue;
        };
        let end = text.len() - after.len();
        if let Some(plain) = text.get(begin..start).filter(|plain| !plain.is_empty()) {
            pieces.push(Piece { text: plain, reference: None });
        }
        let reference = if is_file { Reference::File(inside) } else { Reference::Body(inside) };
        let text = text.get(start..end).unwrap_or_default();
        pieces.push(Piece { text, reference: Some(reference) });
        (begin, at) = (end, end);
    }
    if let Some(plain) = text.get(begin..).filter(|plain| !plain.is_empty()) {
        pieces.push(Piece { text: plain, reference: None });
    }
    pieces
}

/// Whether a text has only letters, digits and underscores, and points if these are allowed. A line
/// end after them goes unnoticed.
fn is_label(text: &str, with_points: bool) -> bool {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let fits = |it: u8| it.is_ascii_alphanumeric() || it == b'_' || (with_points && it == b'.');
    !text.is_empty() && text.bytes().all(fits)
}

impl Sources {
    pub(crate) fn new(files: HashMap<String, Upload>) -> Self {
        Self { bodies: HashMap::new(), files }
    }

    /// Lets later steps refer to the body of one that has an alias.
    pub(crate) fn add(&mut self, alias: &str, body: Json) {
        if !alias.is_empty() {
            self.bodies.insert(alias.to_owned(), body);
        }
    }

    /// What a text stands for; none if it is not one reference and nothing else.
    pub(crate) fn target(&mut self, text: &str) -> Result<Option<Target>, Failure> {
        match *pieces(text) {
            [Piece { text, reference: Some(Reference::File(name)) }] => {
                self.upload(name).map(|file| Some(Target::File(file))).map_err(refusal(text))
            }
            [Piece { text, reference: Some(Reference::Body(inside)) }] => {
                let json = self.value(inside).map_err(refusal(text))?.clone();
                let action = holds_action(inside, &json);
                Ok(Some(Target::Value { json, action }))
            }
            _ => Ok(None),
        }
    }

    /// A text with what its references lead to in their places, in words.
    pub(crate) fn fill_text(&self, text: &str) -> Result<String, Failure> {
        let mut filled = String::new();
        for Piece { text, reference } in pieces(text) {
            match reference {
                None => filled.push_str(text),
                Some(Reference::Body(inside)) => {
                    let value = self.value(inside).map_err(refusal(text))?;
                    filled.push_str(&value.python_text());
                }
                Some(Reference::File(name)) => {
                    filled.push_str(&self.file(name).map_err(refusal(text))?.in_words());
                }
            }
        }
        Ok(filled)
    }

    fn file(&self, name: &str) -> Result<&Upload, String> {
        if !is_label(name, false) {
            return Err(LABELS.to_owned());
        }
        let file = self.files.get(name);
        file.ok_or_else(|| format!("File part \"{name}\" was not uploaded with this request"))
    }

    /// A file to send on. The server reads it to its end, so that nothing is left for a second time.
    fn upload(&mut self, name: &str) -> Result<Upload, String> {
        let file = self.file(name)?.clone();
        if let Some(file) = self.files.get_mut(name) {
            file.content.clear();
        }
        Ok(file)
    }

    /// What an alias and a path lead to.
    fn value(&self, inside: &str) -> Result<&Json, String> {
        let (alias, path) = inside.split_once('.').ok_or(LABELS)?;
        if !is_label(alias, false) || alias.ends_with('\n') || !is_label(path, true) {
            return Err(LABELS.to_owned());
        }
        let mut value = self
            .bodies
            .get(alias)
            .ok_or_else(|| format!("Alias \"{alias}\" has not been defined by a previous step"))?;
        for key in path.split('.') {
            value = match value {
                Json::Object(_) => {
                    value.get(key).ok_or_else(|| format!("Key \"{key}\" not found in response"))?
                }
                Json::List(items) => {
                    let item = key.parse().ok().and_then(|index: usize| items.get(index));
                    item.ok_or_else(|| format!("Invalid list index \"{key}\""))?
                }
                other => {
                    let found = other.type_name();
                    return Err(format!("Cannot traverse into {found} with \"{key}\""));
                }
            };
        }
        Ok(value)
    }
}

fn refusal(token: &str) -> impl Fn(String) -> Failure {
    let token = token.to_owned();
    move |reason| {
        let text = format!("Cannot resolve reference \"{token}\": {reason}");
        let members = [("detail", Json::Text(text)), ("token", Json::text(&*token))];
        Failure::Body(StatusCode::UNPROCESSABLE_ENTITY, Json::object(members))
    }
}

/// Whether what a reference leads to is or contains the action of a history entry.
fn holds_action(inside: &str, json: &Json) -> bool {
    let mut keys = inside.split('.').skip_while(|key| *key != "_history").skip(1);
    match (inside.split('.').any(|key| key == "_history"), keys.next(), keys.next(), keys.next()) {
        (false, ..) => holds_history(json),
        (true, None, ..) => *json != Json::List(Vec::new()),
        (true, Some(_), None, _) => true,
        (true, Some(_), Some(key), rest) => key == "action" && rest.is_none(),
    }
}

fn holds_history(json: &Json) -> bool {
    match json {
        Json::Object(members) => members.iter().any(|(name, value)| {
            name == "_history" && *value != Json::List(Vec::new()) || holds_history(value)
        }),
        Json::List(items) => items.iter().any(holds_history),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use bytes::Bytes;

    use super::{Sources, Target};
    use crate::sandbox::files::Upload;
    use crate::sandbox::json::Json;
    use crate::sandbox::json_parser::parse;
    use crate::sandbox::reply::Reply;

    fn sources() -> Sources {
        let file = Upload {
            name: "a.txt".to_owned(),
            content_type: "text/plain".to_owned(),
            content: Bytes::from_static(b"abc"),
        };
        let mut sources = Sources::new(HashMap::from([("up".to_owned(), file)]));
        let body = r#"{"id":7,"yes":true,"no":null,"half":0.5,"list":[3,4,["x"]],"object":{"a":1},
            "_history":[{"id":2,"action":"create"}],"old":{"_history":[]}}"#;
        sources.add("t", parse(body).unwrap());
        sources.add("gone", Json::Null);
        sources.add("", Json::Null);
        sources
    }

    fn reason(text: &str) -> String {
        let failure = sources().fill_text(text).unwrap_err();
        let body = parse(std::str::from_utf8(&Reply::from(failure).bytes()).unwrap()).unwrap();
        let Some(Json::Text(detail)) = body.get("detail") else {
            panic!("no detail");
        };
        let Some(Json::Text(token)) = body.get("token") else {
            panic!("no token");
        };
        let begin = format!("Cannot resolve reference \"{token}\": ");
        detail.strip_prefix(&begin).unwrap().to_owned()
    }

    #[test]
    fn in_text_values_are_in_the_words_of_python() {
        let cases = [
            ("/teams/@ref{t.id}/", "/teams/7/"),
            ("@ref{t.yes}", "True"),
            ("[@ref{t.no}|@ref{t.half}]", "[None|0.5]"),
            ("@ref{t.list} @ref{t.object}", "[3, 4, ['x']] {'a': 1}"),
            ("@ref{t.list.01}", "4"),
            ("@ref{t.list.2.0}@@ref{t.id}", "x@7"),
            ("as @ref{t._history.0.action}", "as create"),
            ("@file{up}!", "[<InMemoryUploadedFile: a.txt (text/plain)>]!"),
            ("@ref{t.id @ref", "@ref{t.id @ref"),
            ("@REF{t.id} ref{t.id} @ref t.id é@", "@REF{t.id} ref{t.id} @ref t.id é@"),
        ];
        for (text, expected) in cases {
            assert_eq!(sources().fill_text(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn a_reference_that_leads_nowhere_says_why() {
        let labels = "Reference labels may only contain letters, numbers, and underscores";
        let cases = [
            ("@ref{x.id}", "Alias \"x\" has not been defined by a previous step"),
            ("a @ref{t.nope} b", "Key \"nope\" not found in response"),
            ("@ref{t.list.9}", "Invalid list index \"9\""),
            ("@ref{t.list.x}", "Invalid list index \"x\""),
            ("@ref{t.id.x}", "Cannot traverse into int with \"x\""),
            ("@ref{gone.id}", "Cannot traverse into NoneType with \"id\""),
            ("@ref{t}", labels),
            ("@ref{t.list.-1}", labels),
            ("@ref{équipe.id}", labels),
            ("@ref{.id}", labels),
            ("@ref{t.}", labels),
            ("@ref{t..id}", "Key \"\" not found in response"),
            ("@ref{t.list..id}", "Invalid list index \"\""),
            ("@ref{t.id.}", "Cannot traverse into int with \"\""),
            ("@ref{t.id\n}", "Key \"id\n\" not found in response"),
            ("@ref{}", labels),
            ("@file{a-b}", labels),
            ("@file{other}", "File part \"other\" was not uploaded with this request"),
        ];
        for (text, expected) in cases {
            assert_eq!(reason(text), expected, "{text}");
        }
    }

    #[test]
    fn a_lone_reference_keeps_its_type() {
        let target = |text: &str| sources().target(text).unwrap();
        let value = |text: &str| match target(text) {
            Some(Target::Value { json, action }) => (json, action),
            _ => panic!("{text} is no value"),
        };
        assert_eq!(value("@ref{t.id}"), (Json::Integer(7), false));
        assert_eq!(value("@ref{t.no}"), (Json::Null, false));
        assert_eq!(value("@ref{t.list.2}"), (Json::List(vec![Json::text("x")]), false));
        assert!(!value("@ref{t.old}").1 && !value("@ref{t._history.0.id}").1);
        for text in ["@ref{t._history}", "@ref{t._history.0}", "@ref{t._history.0.action}"] {
            assert!(value(text).1, "{text}");
        }
        assert!(target(" @ref{t.id}").is_none() && target("@ref{t.id}@ref{t.id}").is_none());
    }

    #[test]
    fn a_file_is_empty_the_second_time() {
        let mut sources = sources();
        let mut size = || match sources.target("@file{up}") {
            Ok(Some(Target::File(file))) => file.content.len(),
            _ => panic!("no file"),
        };
        assert_eq!([size(), size(), size()], [3, 0, 0]);
    }
}

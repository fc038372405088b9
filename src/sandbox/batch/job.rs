//! What a job says, and what is wrong with it.

use std::collections::HashSet;

use http::{Method, StatusCode};

use crate::sandbox::cell::Cell;
use crate::sandbox::incoming::Input;
use crate::sandbox::json::{Json, Name};
use crate::sandbox::reply::{Failure, FieldErrors, by_field, messages};
use crate::sandbox::schema::{Choices, Column, Default};
use crate::sandbox::store::Store;
use crate::sandbox::validate::{Given, Mode, Target};

static JOB: &[Column] = &[Column::boolean("dry_run", false)];

static METHODS: Choices =
    &[("GET", "GET"), ("POST", "POST"), ("PUT", "PUT"), ("PATCH", "PATCH"), ("DELETE", "DELETE")];

static STEP: &[Column] = &[
    Column::long_text("ref").blank().default(Default::Text("")),
    Column::code("method", METHODS).required(),
    Column::text("path", 2048).required(),
];

const NULL: &str = "This field may not be null.";

/// Steps that are carried out together.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) steps: Vec<Step>,
    pub(crate) dry_run: bool,
}

/// One request of a job.
#[derive(Debug)]
pub(crate) struct Step {
    /// Blank if the step has none.
    pub(crate) alias: String,
    pub(crate) method: Method,
    /// With references, and perhaps with a query.
    pub(crate) path: String,
    pub(crate) payload: Option<Vec<(Name, Json)>>,
    /// As it is sent, without the question mark.
    pub(crate) query: String,
}

impl Job {
    /// Reads a job, or says all that is wrong with it.
    pub(crate) fn read(store: &Store, mut job: Json) -> Result<Self, Failure> {
        let is_object = matches!(job, Json::Object(_));
        let steps = job.take("actions");
        let own = match validate(store, JOB, job) {
            Err(failure) if !is_object => return Err(failure),
            own => own,
        };
        match (read_steps(store, steps), own) {
            (Ok(steps), own) => {
                let dry_run = own?.iter().any(|(_, cell)| cell.is_true());
                Ok(Self { steps, dry_run })
            }
            (Err(problem), own) => {
                let mut members = vec![(Name::Borrowed("actions"), problem)];
                if let Err(Failure::Fields(errors)) = own {
                    members.extend(errors.into_iter().map(|(name, it)| (name, messages(it))));
                }
                Err(Failure::Body(StatusCode::BAD_REQUEST, Json::Object(members)))
            }
        }
    }
}

fn validate(store: &Store, columns: &'static [Column], json: Json) -> Result<Given, Failure> {
    let mode = Mode::Create;
    let target = Target { store, columns, table: None, row: None, caller: None, mode };
    target.validate(&Input::Json(json))
}

/// The steps, or what the answer says about them.
fn read_steps(store: &Store, steps: Option<Json>) -> Result<Vec<Step>, Json> {
    let one = |text: &str| messages(vec![text.to_owned()]);
    let items = match steps {
        None => return Err(one("This field is required.")),
        Some(Json::Null) => return Err(one(NULL)),
        Some(Json::List(items)) if items.is_empty() => {
            return Err(non_field("This list may not be empty."));
        }
        Some(Json::List(items)) => items,
        Some(other) => {
            let found = other.type_name();
            let text = format!("Expected a list of items but got type \"{found}\".");
            return Err(non_field(&text));
        }
    };
    let mut steps = Vec::with_capacity(items.len());
    let mut problems = Vec::with_capacity(items.len());
    for item in items {
        match Step::read(store, item) {
            Ok(step) => {
                steps.push(step);
                problems.push(Json::Object(Vec::new()));
            }
            Err(problem) => problems.push(problem),
        }
    }
    if steps.len() < problems.len() {
        return Err(Json::List(problems));
    }
    let mut aliases = HashSet::new();
    let mut named = steps.iter().map(|step| &*step.alias).filter(|alias| !alias.is_empty());
    if named.all(|alias| aliases.insert(alias)) {
        Ok(steps)
    } else {
        Err(one("Reference aliases must be unique within a job."))
    }
}

fn non_field(text: &str) -> Json {
    Json::object([("non_field_errors", messages(vec![text.to_owned()]))])
}

/// Whether an alias has only what aliases may have. What is no text is found elsewhere.
fn is_alias(value: &Json) -> bool {
    let fits = |it: char| it.is_alphanumeric() || it == '_';
    match value {
        Json::Text(_) | Json::Integer(_) | Json::Float(_) => {
            let text = value.python_text();
            let text = text.trim();
            // Underscores alone are none either.
            text.is_empty() || text.chars().all(fits) && text.contains(char::is_alphanumeric)
        }
        _ => true,
    }
}

impl Step {
    fn read(store: &Store, mut item: Json) -> Result<Self, Json> {
        if item == Json::Null {
            return Err(messages(vec![NULL.to_owned()]));
        }
        let mut errors = FieldErrors::new();
        if !item.get("ref").is_none_or(is_alias) {
            let text =
                "Reference aliases may only contain alphanumeric characters and underscores.";
            errors.push((Name::Borrowed("ref"), vec![text.to_owned()]));
        }
        let payload = item.take("payload");
        let query = item.take("query_params");
        let mut texts = [const { String::new() }; 3];
        match validate(store, STEP, item) {
            Ok(given) => {
                for (index, cell) in given {
                    if let (Some(text), Cell::Text(cell)) = (texts.get_mut(index), cell) {
                        *text = cell.into_string();
                    }
                }
            }
            Err(Failure::Fields(others)) => errors.extend(others),
            Err(_) => {}
        }
        let payload = dictionary("payload", payload, &mut errors);
        let query = dictionary("query_params", query, &mut errors);
        if !errors.is_empty() {
            return Err(by_field(errors));
        }
        let [alias, method, path] = texts;
        Ok(Self {
            alias,
            method: Method::from_bytes(method.as_bytes()).unwrap_or_default(),
            path,
            payload,
            query: query.map(|members| encoded(&members)).unwrap_or_default(),
        })
    }
}

/// The members of a value that has to be an object if it is there.
fn dictionary(
    name: &'static str,
    value: Option<Json>,
    errors: &mut FieldErrors,
) -> Option<Vec<(Name, Json)>> {
    let text = match value {
        None => return None,
        Some(Json::Object(members)) => return Some(members),
        Some(Json::Null) => NULL.to_owned(),
        Some(other) => {
            let found = other.type_name();
            format!("Expected a dictionary of items but got type \"{found}\".")
        }
    };
    errors.push((Name::Borrowed(name), vec![text]));
    None
}

/// A query; a list stands for a parameter that is given many times.
fn encoded(parameters: &[(Name, Json)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in parameters {
        match value {
            Json::List(items) => {
                query.extend_pairs(items.iter().map(|item| (name, item.python_text())));
            }
            one => drop(query.append_pair(name, &one.python_text())),
        }
    }
    query.finish()
}

#[cfg(test)]
mod tests {
    use super::Job;
    use crate::sandbox::release::Release;
    use crate::sandbox::reply::Reply;
    use crate::sandbox::store::{Disorder, Store};
    use crate::sandbox::{Database, Dialect, difference, json_parser};

    fn read(text: &str) -> Result<Job, String> {
        let schema = difference::schema(Release::newest(Dialect::Session));
        let store = Store::new(schema, Database::Sqlite, Disorder::default());
        let job = json_parser::parse(text).unwrap();
        Job::read(&store, job)
            .map_err(|failure| String::from_utf8(Reply::from(failure).bytes().to_vec()).unwrap())
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let cases = [
            ("7", r#"{"non_field_errors":["Invalid data. Expected a dictionary, but got int."]}"#),
            (
                r#"{"dry_run":null}"#,
                r#"{"actions":["This field is required."],"dry_run":["This field may not be null."]}"#,
            ),
            (
                r#"{"actions":[null,"x",{"method":"GET","path":"/","ref":null,"payload":null}]}"#,
                r#"{"actions":[["This field may not be null."],{"non_field_errors":["Invalid data. Expected a dictionary, but got str."]},{"ref":["This field may not be null."],"payload":["This field may not be null."]}]}"#,
            ),
            (
                r#"{"actions":[{"method":"GET","path":"/","ref":"a b"}]}"#,
                r#"{"actions":[{"ref":["Reference aliases may only contain alphanumeric characters and underscores."]}]}"#,
            ),
            (
                r#"{"actions":[{"method":"GET","path":"/","ref":"__"}]}"#,
                r#"{"actions":[{"ref":["Reference aliases may only contain alphanumeric characters and underscores."]}]}"#,
            ),
            (
                r#"{"actions":"GET"}"#,
                r#"{"actions":{"non_field_errors":["Expected a list of items but got type \"str\"."]}}"#,
            ),
        ];
        for (job, expected) in cases {
            assert_eq!(read(job).unwrap_err(), expected, "{job}");
        }
        let long = format!(r#"{{"actions":[{{"method":"GET","path":"/{}"}}]}}"#, "x".repeat(2048));
        assert!(read(&long).unwrap_err().contains("no more than 2048 characters"));
    }

    #[test]
    fn a_job_is_read() {
        let job = read(
            r#"{"actions":[
                {"ref":" équipe_1 ","method":"GET","path":" /a/ ","unknown":1,"payload":{},
                 "query_params":{"id":[1,"ä b"],"flag":true,"none":[]}},
                {"ref":"","method":"GET","path":"/b/"},{"method":"GET","path":"/b/"}
            ],"dry_run":"yes"}"#,
        );
        let job = job.unwrap();
        assert!(job.dry_run);
        let step = &job.steps[0];
        assert_eq!((step.alias.as_str(), step.path.as_str()), ("équipe_1", "/a/"));
        assert_eq!(step.query, "id=1&id=%C3%A4+b&flag=True");
        assert!(step.payload.is_some() && job.steps[2].payload.is_none());
    }
}

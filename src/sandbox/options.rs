//! What OPTIONS tells of an endpoint: its name, its formats, and the columns one may write. The
//! sentences of the server that explain these are left out.

use std::borrow::Cow;

use http::Method;

use crate::sandbox::Database;
use crate::sandbox::access::Caller;
use crate::sandbox::incoming::Incoming;
use crate::sandbox::json::{Json, Name};
use crate::sandbox::reply::Reply;
use crate::sandbox::routes::{Endpoint, HealthForm, SpecificationForm};
use crate::sandbox::schema::{Column, Kind, Methods, Output, Resource, Table, Writable};
use crate::sandbox::server::Server;
use crate::sandbox::tables::HISTORY_ENTRY;

/// Whose columns are described: those of a record, or those of one within another.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Record { staff: bool },
    Nested,
}

impl Server {
    pub(crate) fn options(
        &self,
        endpoint: Endpoint,
        id: Option<&str>,
        caller: Option<&Caller>,
        incoming: &Incoming,
    ) -> Reply {
        let mut members = vec![
            (Name::Borrowed("name"), Json::Text(self.name(endpoint))),
            (Name::Borrowed("description"), Json::text("")),
            (Name::Borrowed("renders"), texts(renders(endpoint))),
            (Name::Borrowed("parses"), texts(parses(endpoint))),
        ];
        let actions = match (endpoint, caller) {
            (Endpoint::List(table), Some(caller))
                if table.methods == Methods::All
                    && self.offers_creation(table, caller, incoming) =>
            {
                Some(("POST", self.form(table, caller)))
            }
            (Endpoint::Detail(table), Some(caller))
                if table.methods == Methods::All
                    && self.may_replace(table, id.unwrap_or_default(), caller, incoming) =>
            {
                Some(("PUT", self.form(table, caller)))
            }
            (Endpoint::Login | Endpoint::TokenNew, _) => {
                Some(("POST", credentials(&["username", "password"])))
            }
            (Endpoint::TokenRefresh | Endpoint::TokenBlacklist, _) => {
                Some(("POST", credentials(&["refresh"])))
            }
            (Endpoint::Logout, _) => Some(("POST", Json::Object(Vec::new()))),
            _ => None,
        };
        if let Some((method, form)) = actions {
            let actions = Json::Object(vec![(Name::Borrowed(method), form)]);
            members.push((Name::Borrowed("actions"), actions));
        }
        Reply::ok(Json::Object(members))
    }

    fn name(&self, endpoint: Endpoint) -> String {
        let name = match endpoint {
            Endpoint::List(table) if table.resource == Resource::Feed => "Feed",
            Endpoint::List(table) => return format!("{} List", words(table.model)),
            Endpoint::Detail(table) => return format!("{} Instance", words(table.model)),
            Endpoint::Choices(_) => return self.choices_name(endpoint),
            Endpoint::Statistics(statistic) => {
                let table = self.schema.table(statistic.resource);
                return format!("{} Stats", words(table.map_or("", |table| table.model)));
            }
            Endpoint::Root | Endpoint::Group(..) => "Api Root",
            Endpoint::Version | Endpoint::Metrics => "Version",
            Endpoint::Config => "Config",
            Endpoint::Health(HealthForm::Status) => "Health Check",
            Endpoint::Health(HealthForm::Json) => "Health Check Json",
            Endpoint::Health(HealthForm::Prometheus) => "Health Check Prometheus",
            Endpoint::Specification(SpecificationForm::Json) => "Spectacular Jsonapi",
            Endpoint::Specification(SpecificationForm::Yaml) => "Spectacular Yamlapi",
            Endpoint::Login => "Login",
            Endpoint::Logout => "Logout",
            Endpoint::Whoami => "Who Am I",
            Endpoint::TokenNew => "Token Obtain Pair",
            Endpoint::TokenRefresh => "Token Refresh",
            Endpoint::TokenBlacklist => "Token Blacklist",
            Endpoint::Batch => "Job Api",
        };
        name.to_owned()
    }

    /// Choices are named after the model and the column that has them.
    fn choices_name(&self, endpoint: Endpoint) -> String {
        let Endpoint::Choices(choices) = endpoint else {
            return String::new();
        };
        let mut columns = self
            .schema
            .tables
            .iter()
            .flat_map(|table| table.columns.iter().map(move |column| (table, column)));
        let found = columns.find(|(_, column)| match column.kind {
            Kind::Code(known) => known == choices,
            _ => false,
        });
        let Some((table, column)) = found else {
            return "Choices".to_owned();
        };
        let column = column.name.strip_prefix("notification_").unwrap_or(column.name);
        let column: Vec<String> = column.split('_').map(capitalized).collect();
        format!("{} {} Choices", words(table.model), column.join(" "))
    }

    /// Whether a list offers a form for new records. Where permissions are settled late, it does so to
    /// all.
    fn offers_creation(&self, table: &'static Table, caller: &Caller, incoming: &Incoming) -> bool {
        let post = incoming.without_body(Method::POST);
        self.schema.era.looks_up_first || self.permit(table, caller, &post, true).is_ok()
    }

    fn may_replace(
        &self,
        table: &'static Table,
        id: &str,
        caller: &Caller,
        incoming: &Incoming,
    ) -> bool {
        let put = incoming.without_body(Method::PUT);
        self.permit(table, caller, &put, false).is_ok()
            && self.look_up(table, id, caller, &put).is_ok()
    }

    /// The columns of a record as a form describes them.
    fn form(&self, table: &'static Table, caller: &Caller) -> Json {
        let mut fields = Vec::new();
        self.describe(table, table.record, Place::Record { staff: caller.staff }, &mut fields);
        Json::Object(fields)
    }

    fn describe(
        &self,
        table: &'static Table,
        outputs: &[Output],
        place: Place,
        fields: &mut Vec<(Name, Json)>,
    ) {
        for output in outputs {
            match *output {
                Output::Columns => {
                    for column in table.columns {
                        fields.push(self.column(table, column, place));
                    }
                }
                Output::Column(name) | Output::SortedIds { column: name, .. } => {
                    let Some(at) = table.column_index(name) else {
                        continue;
                    };
                    let mut columns = table.columns.iter().skip(at);
                    fields.extend(columns.next().map(|column| self.column(table, column, place)));
                    if place != Place::Nested {
                        // What is written and never read stands at its place in the table.
                        let hidden = columns.take_while(|column| column.write_only);
                        fields.extend(hidden.map(|column| self.column(table, column, place)));
                    }
                }
                Output::Label(name) | Output::ChildIds { name, .. } => {
                    fields.push(field(name, "field", false, true));
                }
                Output::Computed(name, _) => fields.push(field(name, "string", false, true)),
                Output::Renamed { name, .. } => fields.push(field(name, "integer", true, false)),
                Output::Changes => {
                    let (name, described) = field("changes", "field", false, false);
                    fields.push((name, with_label(described, "Change message")));
                }
                Output::One { name, column, of } => {
                    let (name, described) = field(name, "nested object", false, true);
                    let children = self.nested(target(table, column), of);
                    fields.push((name, with(described, "children", children)));
                }
                Output::Many { name, column, of, .. } => {
                    fields.push(self.list_of(name, target(table, column), of));
                }
                // The server works these out by itself and knows of no form for them.
                Output::Children { name, private: Some(_), .. } => {
                    fields.push(field(name, "field", false, true));
                }
                Output::Children { name, resource, of, .. } => {
                    fields.push(self.list_of(name, Some(resource), of));
                }
                Output::History => {
                    fields.push(self.list_of("_history", Some(Resource::AuditLog), HISTORY_ENTRY));
                }
            }
        }
    }

    fn list_of(
        &self,
        name: &'static str,
        of: Option<Resource>,
        outputs: &[Output],
    ) -> (Name, Json) {
        let (name, described) = field(name, "field", false, true);
        let child = Json::object([
            ("type", Json::text("nested object")),
            ("required", Json::Boolean(false)),
            ("read_only", Json::Boolean(true)),
            ("children", self.nested(of, outputs)),
        ]);
        (name, with(described, "child", child))
    }

    fn nested(&self, of: Option<Resource>, outputs: &[Output]) -> Json {
        let mut fields = Vec::new();
        if let Some(table) = of.and_then(|resource| self.schema.table(resource)) {
            self.describe(table, outputs, Place::Nested, &mut fields);
        }
        Json::Object(fields)
    }

    fn column(&self, table: &Table, column: &Column, place: Place) -> (Name, Json) {
        let read_only = match (column.writable, place) {
            _ if matches!(column.kind, Kind::Id) => true,
            (_, Place::Nested) => false,
            (Writable::Never, _) => true,
            (Writable::ByStaff, Place::Record { staff }) => !staff,
            (Writable::ByAll | Writable::OnCreate, _) => false,
        };
        // A record within another demands what the database does, though not its team: the server
        // says by itself what that is.
        let owned = place == Place::Nested
            && column.name == "team"
            && matches!(table.resource, Resource::Grants | Resource::Publications);
        let read_only = read_only || owned;
        let demanded = column.required
            || place == Place::Nested && column.name == "slug" && table.resource == Resource::Teams
            || place == Place::Nested && table.resource == Resource::Attachments;
        let kind = match column.kind {
            Kind::Id | Kind::Integer { .. } => "integer",
            Kind::Text { .. } if column.name == "slug" => "slug",
            Kind::Text { .. } | Kind::Username { .. } | Kind::Password { .. } => "string",
            Kind::Email { .. } => "email",
            Kind::Code(_) => "choice",
            Kind::Boolean => "boolean",
            Kind::Decimal { .. } => "decimal",
            Kind::Date => "date",
            Kind::Moment => "datetime",
            Kind::File => "file upload",
            Kind::Reference { .. } | Kind::References { .. } | Kind::Json => "field",
        };
        let (name, described) = field(column.name, kind, demanded && !read_only, read_only);
        let described = match column.title {
            Some(title) => with_label(described, title),
            None => described,
        };
        if read_only {
            return (name, described);
        }
        (name, self.with_limits(described, column.kind))
    }

    fn with_limits(&self, described: Json, kind: Kind) -> Json {
        let number = |value: i64| Json::Integer(i128::from(value));
        let count = |value: usize| Json::Integer(i128::try_from(value).unwrap_or_default());
        match kind {
            Kind::Text { max: Some(max), .. }
            | Kind::Username { max }
            | Kind::Email { max }
            | Kind::Password { max } => with(described, "max_length", count(max)),
            Kind::Integer { min, max } => {
                let max = match self.store.database {
                    Database::Sqlite => max,
                    Database::Postgres => max.min(i64::from(i32::MAX)),
                };
                with(with(described, "min_value", number(min)), "max_value", number(max))
            }
            Kind::Decimal { digits, places } => {
                let described = with(described, "max_digits", count(digits));
                with(described, "decimal_places", count(places))
            }
            Kind::Code(choices) => {
                let choices = choices.iter().map(|&(code, label)| {
                    Json::object([("value", Json::text(code)), ("display_name", Json::text(label))])
                });
                with(described, "choices", Json::List(choices.collect()))
            }
            _ => described,
        }
    }
}

/// The resource a column refers to.
fn target(table: &Table, column: &str) -> Option<Resource> {
    let index = table.column_index(column)?;
    match table.columns.get(index)?.kind {
        Kind::Reference { to, .. } | Kind::References { to } => Some(to),
        _ => None,
    }
}

fn field(name: &'static str, kind: &'static str, required: bool, read_only: bool) -> (Name, Json) {
    let described = Json::object([
        ("type", Json::text(kind)),
        ("required", Json::Boolean(required)),
        ("read_only", Json::Boolean(read_only)),
        ("label", Json::Text(capitalized(&name.replace('_', " ")))),
    ]);
    (Name::Borrowed(name), described)
}

fn with(described: Json, name: &'static str, value: Json) -> Json {
    match described {
        Json::Object(mut members) => {
            members.push((Cow::Borrowed(name), value));
            Json::Object(members)
        }
        other => other,
    }
}

fn with_label(described: Json, label: &str) -> Json {
    match described {
        Json::Object(mut members) => {
            for (_, value) in members.iter_mut().filter(|(name, _)| name == "label") {
                *value = Json::text(label);
            }
            Json::Object(members)
        }
        other => other,
    }
}

fn credentials(names: &'static [&'static str]) -> Json {
    Json::Object(names.iter().map(|name| field(name, "string", true, false)).collect())
}

/// A text whose first letter is a capital.
fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(characters).collect()
}

/// The words of a name in which each begins with a capital.
fn words(name: &str) -> String {
    let mut words = String::new();
    for character in name.chars() {
        if character.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(character);
    }
    words
}

fn texts(texts: &[&str]) -> Json {
    Json::List(texts.iter().map(|&text| Json::text(text)).collect())
}

fn renders(endpoint: Endpoint) -> &'static [&'static str] {
    match endpoint {
        Endpoint::Specification(SpecificationForm::Json) => {
            &["application/vnd.oai.openapi+json", "application/json"]
        }
        Endpoint::Specification(SpecificationForm::Yaml) => {
            &["application/vnd.oai.openapi", "application/yaml"]
        }
        _ => &["application/json"],
    }
}

fn parses(endpoint: Endpoint) -> &'static [&'static str] {
    match endpoint {
        Endpoint::Batch => &["multipart/form-data", "application/json"],
        _ => &["application/json", "application/x-www-form-urlencoded", "multipart/form-data"],
    }
}

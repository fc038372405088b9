//! Which path leads where.

use crate::sandbox::Dialect;
use crate::sandbox::era::{Era, LoginAnswer, Scheme};
use crate::sandbox::schema::{Choices, Methods, Schema, Statistic, Table};

/// What a path leads to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Endpoint {
    Root,
    Version,
    /// Figures of the process, for a collector of metrics.
    Metrics,
    Config,
    Health(HealthForm),
    Specification(SpecificationForm),
    Login,
    Logout,
    Whoami,
    TokenNew,
    TokenRefresh,
    TokenBlacklist,
    Batch,
    Choices(Choices),
    Statistics(&'static Statistic),
    Group(&'static str, &'static [&'static str]),
    List(&'static Table),
    Detail(&'static Table),
}

/// The forms of the health report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HealthForm {
    Status,
    Json,
    Prometheus,
}

/// The forms of the description of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SpecificationForm {
    Json,
    Yaml,
}

/// Where a request goes.
#[derive(Debug)]
pub(crate) enum Route {
    /// To an endpoint, with the id if the path has one.
    To(Endpoint, Option<String>),
    /// To an endpoint, in a form that the server has not.
    UnknownForm(Endpoint),
    /// The path lacks its slash.
    AddSlash,
    Unknown,
}

impl Endpoint {
    /// The methods, as the `Allow` header names them; none for pages outside the API.
    pub(crate) fn allow(self, era: &Era) -> Option<&'static str> {
        Some(match self {
            Self::Root | Self::Metrics => return None,
            Self::Version if era.version_is_page => return None,
            Self::Login
            | Self::Logout
            | Self::Batch
            | Self::TokenNew
            | Self::TokenRefresh
            | Self::TokenBlacklist => "POST, OPTIONS",
            Self::List(table) if table.methods == Methods::All => "GET, POST, HEAD, OPTIONS",
            Self::Detail(table) => match table.methods {
                Methods::All => "GET, PUT, PATCH, DELETE, HEAD, OPTIONS",
                Methods::ReadOnly | Methods::ListOnly => "GET, HEAD, OPTIONS",
                Methods::ReadAndPatch => "GET, HEAD, OPTIONS, PATCH",
            },
            _ => "GET, HEAD, OPTIONS",
        })
    }

    /// Whether anyone may come here.
    pub(crate) fn is_public(self, era: &Era) -> bool {
        match self {
            Self::Root
            | Self::Metrics
            | Self::Version
            | Self::Health(_)
            | Self::Login
            | Self::TokenNew
            | Self::TokenRefresh
            | Self::TokenBlacklist => true,
            Self::Specification(_) => era.specification_is_public,
            Self::Logout => era.login == LoginAnswer::Key,
            Self::Whoami => era.scheme == Scheme::Basic,
            _ => false,
        }
    }

    /// Whether a batch shows what a step here answers. It does not where the answer goes past the
    /// framework.
    pub(crate) fn shows_in_batches(self) -> bool {
        !matches!(self, Self::Health(_) | Self::Batch)
    }

    /// Whether credentials are not even looked at.
    pub(crate) fn ignores_credentials(self) -> bool {
        matches!(self, Self::TokenNew | Self::TokenRefresh | Self::TokenBlacklist)
    }
}

/// The paths that are not those of tables; each in one dialect or in both. In which releases they
/// are there, and where they were before, is with the releases.
static FIXED: &[(&str, Option<Dialect>, Endpoint)] = &[
    ("/version/", None, Endpoint::Version),
    ("/metrics/", None, Endpoint::Metrics),
    ("/health/", None, Endpoint::Health(HealthForm::Status)),
    ("/health/json/", None, Endpoint::Health(HealthForm::Json)),
    ("/health/prom/", None, Endpoint::Health(HealthForm::Prometheus)),
    ("/config/", SESSION, Endpoint::Config),
    ("/openapi/json/", SESSION, Endpoint::Specification(SpecificationForm::Json)),
    ("/openapi/yaml/", SESSION, Endpoint::Specification(SpecificationForm::Yaml)),
    ("/openapi/json", JWT, Endpoint::Specification(SpecificationForm::Json)),
    ("/openapi/yaml", JWT, Endpoint::Specification(SpecificationForm::Yaml)),
    ("/authentication/login/", SESSION, Endpoint::Login),
    ("/authentication/logout/", SESSION, Endpoint::Logout),
    ("/authentication/whoami/", SESSION, Endpoint::Whoami),
    ("/batch/", SESSION, Endpoint::Batch),
    ("/authentication/new/", JWT, Endpoint::TokenNew),
    ("/authentication/refresh/", JWT, Endpoint::TokenRefresh),
    ("/authentication/blacklist/", JWT, Endpoint::TokenBlacklist),
];

const SESSION: Option<Dialect> = Some(Dialect::Session);
const JWT: Option<Dialect> = Some(Dialect::Jwt);

pub(crate) fn fixed(dialect: Dialect) -> impl Iterator<Item = (&'static str, Endpoint)> {
    let spoken = FIXED.iter().filter(move |(_, of, _)| of.is_none_or(|of| of == dialect));
    spoken.map(|&(path, _, endpoint)| (path, endpoint))
}

/// Every path of the API in order, with `{id}` for ids.
pub(crate) fn all(schema: &'static Schema) -> Vec<(String, Endpoint)> {
    let fixed = schema.fixed.iter().map(|(path, endpoint)| ((*path).to_owned(), *endpoint));
    let choices = schema.choices.iter();
    let choices = choices.map(|(path, choices)| ((*path).to_owned(), Endpoint::Choices(choices)));
    let statistics = schema.statistics.iter();
    let statistics = statistics.map(|it| (it.path.to_owned(), Endpoint::Statistics(it)));
    let tables = schema.tables.iter().flat_map(|table| {
        let list = format!("/{}/{}/", table.group, table.name);
        let detail = format!("{list}{{id}}/");
        let has_detail = table.methods != Methods::ListOnly;
        let detail = has_detail.then_some((detail, Endpoint::Detail(table)));
        [(list, Endpoint::List(table))].into_iter().chain(detail)
    });
    let mut all: Vec<_> = fixed.chain(choices).chain(statistics).chain(tables).collect();
    all.sort_by(|(left, _), (right, _)| left.cmp(right));
    all
}

pub(crate) fn find(schema: &'static Schema, path: &str) -> Route {
    if path == "/" || path.is_empty() {
        return Route::To(Endpoint::Root, None);
    }
    if let Some((endpoint, id)) = known(schema, path) {
        return Route::To(endpoint, id);
    }
    if let Some(found) = suffixed(schema, path) {
        return found;
    }
    if path.ends_with('/') {
        return Route::Unknown;
    }
    if known(schema, &format!("{path}/")).is_some() { Route::AddSlash } else { Route::Unknown }
}

/// A list or a record by the form of its path that ends in the name of a format.
fn suffixed(schema: &'static Schema, path: &str) -> Option<Route> {
    let (path, format) = path.strip_suffix('/').unwrap_or(path).rsplit_once('.')?;
    let is_format = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit();
    if format.is_empty() || !format.bytes().all(is_format) {
        return None;
    }
    match known(schema, &format!("{path}/"))? {
        // A list without single records is no resource of the router that knows this form.
        (Endpoint::List(table), _) if table.methods == Methods::ListOnly => Some(Route::Unknown),
        (endpoint @ (Endpoint::List(_) | Endpoint::Detail(_)), id) => Some(match format {
            "json" => Route::To(endpoint, id),
            _ => Route::UnknownForm(endpoint),
        }),
        _ => None,
    }
}

/// A part of a path without its escapes.
pub(crate) fn decoded(segment: &str) -> String {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escape = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let escape = escape.filter(|_| byte == b'%');
        match escape.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(escaped) => {
                bytes.push(escaped);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn known(schema: &'static Schema, path: &str) -> Option<(Endpoint, Option<String>)> {
    if let Some((_, endpoint)) = schema.fixed.iter().find(|(known, _)| *known == path) {
        return Some((*endpoint, None));
    }
    if let Some((_, choices)) = schema.choices.iter().find(|(known, _)| *known == path) {
        return Some((Endpoint::Choices(choices), None));
    }
    if let Some(statistic) = schema.statistics.iter().find(|known| known.path == path) {
        return Some((Endpoint::Statistics(statistic), None));
    }
    let mut segments = path.strip_prefix('/')?.strip_suffix('/')?.split('/');
    let group = segments.next()?;
    let Some(name) = segments.next() else {
        let (name, resources) = schema.groups.iter().find(|(name, _)| *name == group)?;
        return Some((Endpoint::Group(name, resources), None));
    };
    let table = schema.tables.iter().find(|table| table.group == group && table.name == name)?;
    match (segments.next(), segments.next()) {
        (None, _) => Some((Endpoint::List(table), None)),
        (Some(id), None)
            if !id.is_empty() && !id.contains('.') && table.methods != Methods::ListOnly =>
        {
            Some((Endpoint::Detail(table), Some(id.to_owned())))
        }
        _ => None,
    }
}

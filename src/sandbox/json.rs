//! A JSON value that keeps the order of keys and the whole range of integers.

use std::borrow::Cow;

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

/// A key of an object.
pub(crate) type Name = Cow<'static, str>;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Boolean(bool),
    Integer(i128),
    Float(f64),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(Name, Json)>),
}

impl Json {
    pub(crate) fn text(value: impl Into<String>) -> Self {
        Self::Text(value.into())
    }

    pub(crate) fn object<const N: usize>(members: [(&'static str, Json); N]) -> Self {
        Self::Object(
            members.into_iter().map(|(name, value)| (Cow::Borrowed(name), value)).collect(),
        )
    }

    /// The member of an object; of repeated names the last.
    pub(crate) fn get(&self, name: &str) -> Option<&Json> {
        match self {
            Self::Object(members) => {
                members.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// Takes a member out of an object; of repeated names the last.
    pub(crate) fn take(&mut self, name: &str) -> Option<Json> {
        let Self::Object(members) = self else {
            return None;
        };
        let at = members.iter().rposition(|(key, _)| key == name)?;
        Some(members.remove(at).1)
    }

    /// What Python calls the type, as error messages name it.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "NoneType",
            Self::Boolean(_) => "bool",
            Self::Integer(_) => "int",
            Self::Float(_) => "float",
            Self::Text(_) => "str",
            Self::List(_) => "list",
            Self::Object(_) => "dict",
        }
    }

    /// The value as Python's `str` shows it.
    pub(crate) fn python_text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            other => other.python_notation(),
        }
    }

    /// The value as Python's `repr` shows it.
    fn python_notation(&self) -> String {
        match self {
            Self::Null => "None".to_owned(),
            Self::Boolean(true) => "True".to_owned(),
            Self::Boolean(false) => "False".to_owned(),
            Self::Integer(value) => value.to_string(),
            Self::Float(value) => {
                let text = value.to_string();
                if text.contains(['.', 'e', 'E']) { text } else { format!("{text}.0") }
            }
            Self::Text(text) => format!("'{text}'"),
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(Self::python_notation).collect();
                format!("[{}]", items.join(", "))
            }
            Self::Object(members) => {
                let members: Vec<_> = members
                    .iter()
                    .map(|(name, value)| format!("'{name}': {}", value.python_notation()))
                    .collect();
                format!("{{{}}}", members.join(", "))
            }
        }
    }
}

impl From<&serde_json::Value> for Json {
    fn from(value: &serde_json::Value) -> Self {
        use serde_json::Value;

        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Boolean(*value),
            Value::Number(number) => number
                .as_i128()
                .map(Self::Integer)
                .unwrap_or_else(|| Self::Float(number.as_f64().unwrap_or_default())),
            Value::String(text) => Self::Text(text.clone()),
            Value::Array(items) => Self::List(items.iter().map(Self::from).collect()),
            Value::Object(members) => Self::Object(
                members
                    .iter()
                    .map(|(name, value)| (Cow::Owned(name.clone()), Self::from(value)))
                    .collect(),
            ),
        }
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Boolean(value) => serializer.serialize_bool(*value),
            Self::Integer(value) => match i64::try_from(*value) {
                Ok(value) => serializer.serialize_i64(value),
                Err(_) => serializer.serialize_i128(*value),
            },
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(item)?;
                }
                list.end()
            }
            Self::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (name, value) in members {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;
use serde_json::Value;

use super::{Access, Column, Comparand, Dated, Listable, Ordered, Reading, Textual, Timed, read};
use crate::capability::{FieldName, ServerVersion};
use crate::filter::{Class, Lookup};
use crate::id::Id;

/// What the server understands of a field, for programs that learn names at run time.
///
/// The [table of a resource](crate::Resource::FIELD_INFO) has one for each field. It says the same as
/// the types of the handles, from which it is made; only that the server takes `isnull` of any field,
/// also of one that never is. By hand it is written with [`field_info!`](crate::field_info!).
///
/// ```
/// use keystone_client::Resource;
/// use keystone_client::resources::Cluster;
///
/// let enabled = Cluster::FIELD_INFO.iter().find(|info| info.wire_name() == "enabled").unwrap();
/// let parameters: Vec<String> = enabled.parameters().collect();
/// assert_eq!(parameters, ["enabled", "enabled__not_eq", "enabled__isnull"]);
/// assert!(enabled.is_orderable());
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FieldInfo {
    name: FieldName,
    /// What is true of its type; nothing of a field that the server does not filter by.
    classes: u8,
    orderable: bool,
}

impl FieldInfo {
    /// The name on the wire.
    pub const fn wire_name(&self) -> &'static str {
        self.name.name
    }

    /// The query parameters by which the server narrows lists by this field, in the order of
    /// protocol: the name alone for equality, then the name with each lookup. None of a field that
    /// the server does not filter by.
    pub fn parameters(&self) -> impl Iterator<Item = String> + use<> {
        let Self { name, .. } = *self;
        self.lookups().map(move |lookup| format!("{}{}", name.name, lookup.suffix()))
    }

    /// Whether lists can be ordered by it.
    pub const fn is_orderable(&self) -> bool {
        self.orderable
    }

    pub(crate) const fn name(&self) -> FieldName {
        self.name
    }

    pub(crate) fn lookups(&self) -> impl Iterator<Item = Lookup> + use<> {
        let classes = self.classes;
        Lookup::ALL.iter().copied().filter(move |lookup| classes & bit(lookup.class()) != 0)
    }

    /// Whether the parameters name flags: the server ignores other values in silence.
    pub(crate) const fn is_boolean(&self) -> bool {
        self.classes != 0 && self.classes & bit(Class::Listable) == 0
    }
}

impl fmt::Debug for FieldInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FieldInfo")
            .field("wire_name", &self.wire_name())
            .field("parameters", &self.parameters().collect::<Vec<_>>())
            .field("is_orderable", &self.orderable)
            .finish()
    }
}

const fn bit(class: Class) -> u8 {
    1 << class as u8
}

/// Reads off the types what is true of a field of resource `R` with values of type `V`.
///
/// Each constant stands twice: here for the types of which something is true, and in [`Otherwise`]
/// for all. The compiler takes the first where it applies. That works where the types are known, which
/// is why `resource!` names the constants and no generic function does.
#[doc(hidden)]
#[derive(Debug)]
pub struct Probe<R, V>(PhantomData<fn() -> (R, V)>);

#[doc(hidden)]
pub trait Otherwise {
    const COLUMN: u8 = 0;
    const LISTABLE: u8 = 0;
    const ORDERED: u8 = 0;
    const TEXTUAL: u8 = 0;
    const DATED: u8 = 0;
    const TIMED: u8 = 0;
}

impl<R, V> Otherwise for Probe<R, V> {}

macro_rules! probes {
    ($($constant:ident: $class:ident [$($bound:tt)*];)+) => {
        $(
            impl<R, V: $($bound)*> Probe<R, V> {
                #[doc(hidden)]
                pub const $constant: u8 = bit(Class::$class);
            }
        )+
    };
}

probes! {
    COLUMN: Column [Column];
    LISTABLE: Listable [Column<Scalar: Listable>];
    ORDERED: Ordered [Column<Scalar: Ordered<R>>];
    TEXTUAL: Textual [Column<Scalar: Textual>];
    DATED: Dated [Column<Scalar: Dated>];
    TIMED: Timed [Column<Scalar: Timed>];
}

#[doc(hidden)]
impl<R, V> Probe<R, V> {
    /// Of what is true of the values, what the server makes use of.
    pub const fn info<A: Access>(
        name: &'static str,
        since: Option<ServerVersion>,
        classes: u8,
    ) -> FieldInfo {
        FieldInfo {
            name: FieldName { name, since },
            classes: if A::FILTERABLE { classes } else { 0 },
            orderable: A::ORDERABLE && classes & bit(Class::Column) != 0,
        }
    }
}

/// Reads the value of a field off a record; works as [`Probe`]: as a value that can be compared if it
/// is one, else as keys, else as JSON.
#[doc(hidden)]
#[derive(Debug)]
pub struct Reader<'a, T>(pub &'a T);

#[doc(hidden)]
impl<'a, T: Column> Reader<'a, T> {
    pub fn read(self) -> Reading<'a> {
        read(self.0)
    }
}

#[doc(hidden)]
impl<'a, R> Reader<'a, Vec<Id<R>>> {
    pub fn read(self) -> Reading<'a> {
        Reading::Keys(self.0.iter().map(|id| id.get()).collect())
    }
}

/// Keys of records that are no resource of the API.
#[doc(hidden)]
impl<'a> Reader<'a, Vec<u64>> {
    pub fn read(self) -> Reading<'a> {
        Reading::Keys(self.0.iter().copied().collect())
    }
}

#[doc(hidden)]
impl<'a> Reader<'a, Value> {
    pub fn read(self) -> Reading<'a> {
        Reading::Json(Cow::Borrowed(self.0))
    }
}

/// The same where not every server sends any.
#[doc(hidden)]
impl<'a, R> Reader<'a, Option<Vec<Id<R>>>> {
    pub fn read(self) -> Reading<'a> {
        let keys = self.0.as_ref().map(|keys| keys.iter().map(|id| id.get()).collect());
        keys.map_or(Reading::Null, Reading::Keys)
    }
}

/// Reads a field that is read as `T` and sent as `V`, which tells something where both are compared as
/// the same type.
#[doc(hidden)]
#[derive(Debug)]
pub struct Recast<'a, V, T>(&'a T, PhantomData<fn() -> V>);

#[doc(hidden)]
impl<'a, V, T> Recast<'a, V, T> {
    pub fn new(value: &'a T) -> Self {
        Self(value, PhantomData)
    }
}

/// Whether a field that is read as another type than it is sent as tells anything; works as
/// [`Otherwise`].
#[doc(hidden)]
pub trait Untold {
    const IS_TOLD: bool = false;
}

impl<V, T> Untold for Recast<'_, V, T> {}

#[doc(hidden)]
impl<'a, V: Column, T: Column<Scalar = V::Scalar>> Recast<'a, V, T> {
    pub const IS_TOLD: bool = true;

    pub fn read(self) -> Reading<'a> {
        read(self.0)
    }
}

#[doc(hidden)]
impl<'a, R> Recast<'a, Vec<Id<R>>, Option<Vec<Id<R>>>> {
    pub const IS_TOLD: bool = true;

    pub fn read(self) -> Reading<'a> {
        Reader(self.0).read()
    }
}

impl<'a, V, T> Unread<'a> for Recast<'a, V, T> {
    fn read(&self) -> Reading<'a> {
        Reading::Unknown
    }
}

#[doc(hidden)]
pub trait AsJson<'a> {
    fn read(self) -> Reading<'a>;
}

impl<'a, T: Serialize> AsJson<'a> for Reader<'a, T> {
    fn read(self) -> Reading<'a> {
        match serde_json::to_value(self.0) {
            // The server trims texts, whatever their type is here.
            Ok(Value::String(text)) => Reading::Value(Comparand::Text(Cow::Owned(text))),
            Ok(Value::Null) => Reading::Null,
            Ok(value) => Reading::Json(Cow::Owned(value)),
            Err(_) => Reading::Unknown,
        }
    }
}

/// One reference farther away, so that it is taken last.
#[doc(hidden)]
pub trait Unread<'a> {
    fn read(&self) -> Reading<'a>;
}

impl<'a, T> Unread<'a> for Reader<'a, T> {
    fn read(&self) -> Reading<'a> {
        Reading::Unknown
    }
}

/// What the server understands of a field of a resource, as
/// [`FIELD_INFO`](crate::Resource::FIELD_INFO) lists it: resource, what can be done with the field (an
/// [`Access`](crate::field::Access)), type of its values, name on the wire, and, if not every server
/// has it, the version that it came with. `resource!` writes it by itself.
///
/// ```
/// use keystone_client::field::{Field, FieldInfo, ReadWrite};
/// use keystone_client::{Id, Query, Resource, field_info};
///
/// #[derive(serde::Deserialize)]
/// struct ClusterName {
///     id: Id<ClusterName>,
///     name: String,
/// }
///
/// struct ClusterNameFields {
///     name: Field<ClusterName, String>,
/// }
///
/// impl Resource for ClusterName {
///     type Model = Self;
///     type Fields = ClusterNameFields;
///     const NAME: &'static str = "cluster";
///     const PATH: &'static str = "allocations/clusters";
///     const FIELDS: ClusterNameFields = ClusterNameFields { name: Field::new("name") };
///     const FIELD_INFO: &'static [FieldInfo] =
///         &[field_info!(ClusterName, ReadWrite, String, "name")];
///
///     fn id(model: &Self) -> Option<Id<Self>> {
///         Some(model.id)
///     }
/// }
///
/// let parameters: Vec<String> = ClusterName::FIELD_INFO[0].parameters().collect();
/// assert!(parameters.contains(&"name__startswith".to_owned()));
/// ```
#[macro_export]
macro_rules! field_info {
    ($resource:ident, $access:ident, $type:ty, $wire_name:expr $(, since $since:literal)?) => {{
        #[allow(unused_imports, reason = "only for fields that cannot be compared")]
        use $crate::field::Otherwise as _;
        type Of = $crate::field::Probe<$resource, $type>;
        #[allow(unused_mut, unused_assignments, reason = "not every field came late")]
        let since = {
            let mut since = ::core::option::Option::None;
            $(since = ::core::option::Option::Some(
                $crate::capability::ServerVersion::of_literal($since),
            );)?
            since
        };
        Of::info::<$crate::field::$access>(
            $wire_name,
            since,
            Of::COLUMN | Of::LISTABLE | Of::ORDERED | Of::TEXTUAL | Of::DATED | Of::TIMED,
        )
    }};
}

/// Defines a resource from one table: the model, the body for creating it, and its fields.
///
/// The table reads like the struct that it makes. Each block says who may write its fields:
///
/// | block | in the model | in `New…` | as field |
/// |---|---|---|---|
/// | `read_only` | yes | no | compare, order |
/// | `unordered` | yes | no | compare |
/// | `hidden` | no | no | compare, order |
/// | `hidden_unordered` | no | no | compare |
/// | `create_only` | yes | required | compare, order |
/// | `required` | yes | required | compare, order, set |
/// | `optional` | yes | by a setter; not sent if not set | compare, order, set |
/// | `unfiltered` | yes | by a setter; not sent if not set | set |
/// | `write_only` | no | required | set; never shown |
/// | `computed` | yes | no | none: the server neither compares nor orders by it |
///
/// Blocks come in this order; those without fields are left out. A resource has a field `id` of
/// type [`Id`](crate::Id) in `read_only`. A field that has another name on the wire says so,
/// `kind = "type": String`. In brackets behind a type stand serde attributes of the model's field:
/// `[default]` lets its default stand for a field that the server does not send. A field that is
/// read as another type than it is sent as says that too, `owner: Id<User> as Option<Id<User>>`; if the
/// two are not compared as the same type, a record does not tell whether the field differs.
///
/// A field that came with a version of the server says so before its name, `#[since = "0.10.6"]`.
///
/// The line `new` is left out where the server cannot create records; `verbs` names the other traits
/// of [`resource`](mod@crate::resource) that apply; lists need none. A line `needs Teams;` before
/// `verbs` says what not every server can do, by the names of
/// [`Capability`](crate::capability::Capability).
///
/// The code that it makes names this crate `keystone_client`; a dependency under another name does
/// not work.
///
/// ```
/// use keystone_client::{Id, sandbox::Sandbox};
///
/// keystone_client::resource! {
///     /// A cluster, as far as this program is interested.
///     pub struct Machine("machine", "allocations/clusters");
///     fields MachineFields;
///     new NewMachine;
///     verbs [Retrieve, Update, Delete];
///
///     read_only {
///         /// Primary key.
///         id: Id<Machine>,
///     }
///     required {
///         /// Unique name.
///         name: String,
///     }
///     optional {
///         /// What the machine is for.
///         description: Option<String>,
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let client = Sandbox::new().blocking_client()?;
/// client.login("admin", "admin-password")?;
/// let machines = client.resource::<Machine>();
/// let machine = machines.create(NewMachine::new("atlas").description("CPU only")).send()?;
/// assert_eq!(machine.description.as_deref(), Some("CPU only"));
/// # Ok(()) }
/// ```
#[macro_export]
macro_rules! resource {
    (
        $(#[$meta:meta])*
        $vis:vis struct $model:ident($name:literal, $path:literal);
        fields $fields:ident;
        new $new:ident;
        $(needs $needs:ident;)?
        verbs [$($verb:ident),* $(,)?];
        $($blocks:tt)*
    ) => {
        $crate::resource!(@model [$(#[$meta])*] [$vis] $model $name $fields $($blocks)*);
        $crate::resource!(@new [$vis] $model $name $new $($blocks)*);
        $crate::resource!(@resource $model $name $path $fields [$($verb)*] $($needs)?);

        impl $crate::resource::Create for $model {
            type New = $new;
        }
    };
    (
        $(#[$meta:meta])*
        $vis:vis struct $model:ident($name:literal, $path:literal);
        fields $fields:ident;
        $(needs $needs:ident;)?
        verbs [$($verb:ident),* $(,)?];
        $($blocks:tt)*
    ) => {
        $crate::resource!(@model [$(#[$meta])*] [$vis] $model $name $fields $($blocks)*);
        $crate::resource!(@resource $model $name $path $fields [$($verb)*] $($needs)?);
    };

    (@resource
        $model:ident $name:literal $path:literal $fields:ident [$($verb:ident)*] $($needs:ident)?
    ) => {
        impl $crate::resource::Resource for $model {
            type Model = Self;
            type Fields = $fields;
            const NAME: &'static str = $name;
            const PATH: &'static str = $path;
            const FIELDS: $fields = $fields::HANDLES;
            const FIELD_INFO: &'static [$crate::field::FieldInfo] = $fields::INFO;
            const SECRET_FIELDS: &'static [&'static str] = $fields::SECRETS;
            $(const CAPABILITY: ::core::option::Option<$crate::capability::Capability> =
                ::core::option::Option::Some($crate::capability::Capability::$needs);)?

            fn id(model: &Self) -> ::core::option::Option<$crate::Id<Self>> {
                ::core::option::Option::Some(model.id)
            }

            fn history(model: &Self) -> ::core::option::Option<&$crate::resources::History> {
                $fields::history(model)
            }
        }

        $(impl $crate::resource::$verb for $model {})*
    };

    (@read $sent:ty) => {
        $sent
    };
    (@read $sent:ty, $read:ty) => {
        $read
    };

    (@reader $value:expr) => {
        $crate::field::Reader($value)
    };
    (@reader $value:expr, $sent:ty, $read:ty) => {
        $crate::field::Recast::<'_, $sent, $read>::new($value)
    };

    (@handle $model:ident $name:ident [$wire:expr] [$($since:literal)?]
        $([$sent:ty, $read:ty])?
    ) => {
        $crate::field::Field::new($wire)
            $(.since($crate::capability::ServerVersion::of_literal($since)))?
            .reading(|model: &$model| {
                #[allow(unused_imports, reason = "only for fields that cannot be compared")]
                use $crate::field::{AsJson as _, Unread as _};
                $crate::resource!(@reader &model.$name $(, $sent, $read)?).read()
            })
            $(.told({
                #[allow(unused_imports, reason = "only for types that have nothing in common")]
                use $crate::field::Untold as _;
                $crate::field::Recast::<'_, $sent, $read>::IS_TOLD
            }))?
    };

    (@wire $name:ident) => {
        $crate::__private::wire_name(stringify!($name))
    };
    (@wire $name:ident $wire:literal) => {
        $wire
    };

    (@model [$(#[$meta:meta])*] [$vis:vis] $model:ident $name:literal $fields:ident
        $(read_only { $(
            $(#[doc = $ro_doc:expr])* $(#[since = $ro_since:literal])? $ro:ident $(= $ro_wire:literal)?: $ro_type:ty
                $([$($ro_serde:tt)+])?
        ),* $(,)? })?
        $(unordered { $(
            $(#[doc = $uo_doc:expr])* $(#[since = $uo_since:literal])? $uo:ident $(= $uo_wire:literal)?: $uo_type:ty
                $([$($uo_serde:tt)+])?
        ),* $(,)? })?
        $(hidden { $(
            $(#[doc = $hi_doc:expr])* $(#[since = $hi_since:literal])? $hi:ident $(= $hi_wire:literal)?: $hi_type:ty
        ),* $(,)? })?
        $(hidden_unordered { $(
            $(#[doc = $hu_doc:expr])* $(#[since = $hu_since:literal])? $hu:ident $(= $hu_wire:literal)?: $hu_type:ty
        ),* $(,)? })?
        $(create_only { $(
            $(#[doc = $co_doc:expr])* $(#[since = $co_since:literal])? $co:ident $(= $co_wire:literal)?: $co_type:ty
                $([$($co_serde:tt)+])?
        ),* $(,)? })?
        $(required { $(
            $(#[doc = $re_doc:expr])* $(#[since = $re_since:literal])? $re:ident $(= $re_wire:literal)?: $re_type:ty
                $(as $re_read:ty)? $([$($re_serde:tt)+])?
        ),* $(,)? })?
        $(optional { $(
            $(#[doc = $op_doc:expr])* $(#[since = $op_since:literal])? $op:ident $(= $op_wire:literal)?: $op_type:ty
                $(as $op_read:ty)? $([$($op_serde:tt)+])?
        ),* $(,)? })?
        $(unfiltered { $(
            $(#[doc = $un_doc:expr])* $(#[since = $un_since:literal])? $un:ident $(= $un_wire:literal)?: $un_type:ty
                $([$($un_serde:tt)+])?
        ),* $(,)? })?
        $(write_only { $(
            $(#[doc = $wo_doc:expr])* $(#[since = $wo_since:literal])? $wo:ident $(= $wo_wire:literal)?: $wo_type:ty
        ),* $(,)? })?
        $(computed { $(
            $(#[doc = $cp_doc:expr])* $(#[since = $cp_since:literal])? $cp:ident $(= $cp_wire:literal)?: $cp_type:ty
                $([$($cp_serde:tt)+])?
        ),* $(,)? })?
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        #[derive($crate::__private::serde::Serialize, $crate::__private::serde::Deserialize)]
        #[serde(crate = "keystone_client::__private::serde")]
        #[non_exhaustive]
        $vis struct $model {
            $($($(#[doc = $ro_doc])* $(#[serde(rename = $ro_wire)])?
            $(#[serde($($ro_serde)+)])? pub $ro: $ro_type,)*)?
            $($($(#[doc = $uo_doc])* $(#[serde(rename = $uo_wire)])?
            $(#[serde($($uo_serde)+)])? pub $uo: $uo_type,)*)?
            $($($(#[doc = $co_doc])* $(#[serde(rename = $co_wire)])?
            $(#[serde($($co_serde)+)])? pub $co: $co_type,)*)?
            $($($(#[doc = $re_doc])* $(#[serde(rename = $re_wire)])?
            $(#[serde($($re_serde)+)])?
            pub $re: $crate::resource!(@read $re_type $(, $re_read)?),)*)?
            $($($(#[doc = $op_doc])* $(#[serde(rename = $op_wire)])?
            $(#[serde($($op_serde)+)])?
            pub $op: $crate::resource!(@read $op_type $(, $op_read)?),)*)?
            $($($(#[doc = $un_doc])* $(#[serde(rename = $un_wire)])?
            $(#[serde($($un_serde)+)])? pub $un: $un_type,)*)?
            $($($(#[doc = $cp_doc])* $(#[serde(rename = $cp_wire)])?
            $(#[serde($($cp_serde)+)])? pub $cp: $cp_type,)*)?
        }

        #[doc = concat!("The fields of [`", stringify!($model), "`].")]
        #[derive(Debug, Clone, Copy)]
        #[non_exhaustive]
        $vis struct $fields {
            $($($(#[doc = $ro_doc])*
            pub $ro: $crate::field::Field<$model, $ro_type, $crate::field::ReadOnly>,)*)?
            $($($(#[doc = $uo_doc])*
            pub $uo: $crate::field::Field<$model, $uo_type, $crate::field::Unordered>,)*)?
            $($($(#[doc = $hi_doc])*
            pub $hi: $crate::field::Field<$model, $hi_type, $crate::field::ReadOnly>,)*)?
            $($($(#[doc = $hu_doc])*
            pub $hu: $crate::field::Field<$model, $hu_type, $crate::field::Unordered>,)*)?
            $($($(#[doc = $co_doc])*
            pub $co: $crate::field::Field<$model, $co_type, $crate::field::ReadOnly>,)*)?
            $($($(#[doc = $re_doc])*
            pub $re: $crate::field::Field<$model, $re_type, $crate::field::ReadWrite>,)*)?
            $($($(#[doc = $op_doc])*
            pub $op: $crate::field::Field<$model, $op_type, $crate::field::ReadWrite>,)*)?
            $($($(#[doc = $un_doc])*
            pub $un: $crate::field::Field<$model, $un_type, $crate::field::Unfiltered>,)*)?
            $($($(#[doc = $wo_doc])*
            pub $wo: $crate::field::Field<$model, $wo_type, $crate::field::WriteOnly>,)*)?
        }

        impl $fields {
            fn history(model: &$model) -> ::core::option::Option<&$crate::resources::History> {
                #[allow(unused_imports, reason = "only for fields that are no history")]
                use $crate::resource::NoHistory as _;
                let _ = model;
                ::core::option::Option::None
                    $($(.or($crate::resource::HistoryIn(&model.$cp).history()))*)?
            }

            const SECRETS: &'static [&'static str] =
                &[$($($crate::resource!(@wire $wo $($wo_wire)?),)*)?];

            const HANDLES: Self = Self {
                $($($ro: $crate::resource!(@handle $model $ro
                    [$crate::resource!(@wire $ro $($ro_wire)?)] [$($ro_since)?]),)*)?
                $($($uo: $crate::resource!(@handle $model $uo
                    [$crate::resource!(@wire $uo $($uo_wire)?)] [$($uo_since)?]),)*)?
                $($($hi: $crate::field::Field::new($crate::resource!(@wire $hi $($hi_wire)?))
                    $(.since($crate::capability::ServerVersion::of_literal($hi_since)))?,)*)?
                $($($hu: $crate::field::Field::new($crate::resource!(@wire $hu $($hu_wire)?))
                    $(.since($crate::capability::ServerVersion::of_literal($hu_since)))?,)*)?
                $($($co: $crate::resource!(@handle $model $co
                    [$crate::resource!(@wire $co $($co_wire)?)] [$($co_since)?]),)*)?
                $($($re: $crate::resource!(@handle $model $re
                    [$crate::resource!(@wire $re $($re_wire)?)] [$($re_since)?]
                    $([$re_type, $re_read])?),)*)?
                $($($op: $crate::resource!(@handle $model $op
                    [$crate::resource!(@wire $op $($op_wire)?)] [$($op_since)?]
                    $([$op_type, $op_read])?),)*)?
                $($($un: $crate::resource!(@handle $model $un
                    [$crate::resource!(@wire $un $($un_wire)?)] [$($un_since)?]),)*)?
                $($($wo: $crate::field::Field::new($crate::resource!(@wire $wo $($wo_wire)?))
                    $(.since($crate::capability::ServerVersion::of_literal($wo_since)))?,)*)?
            };

            const INFO: &'static [$crate::field::FieldInfo] = &[
                $($($crate::field_info!($model, ReadOnly, $ro_type,
                    $crate::resource!(@wire $ro $($ro_wire)?) $(, since $ro_since)?),)*)?
                $($($crate::field_info!($model, Unordered, $uo_type,
                    $crate::resource!(@wire $uo $($uo_wire)?) $(, since $uo_since)?),)*)?
                $($($crate::field_info!($model, ReadOnly, $hi_type,
                    $crate::resource!(@wire $hi $($hi_wire)?) $(, since $hi_since)?),)*)?
                $($($crate::field_info!($model, Unordered, $hu_type,
                    $crate::resource!(@wire $hu $($hu_wire)?) $(, since $hu_since)?),)*)?
                $($($crate::field_info!($model, ReadOnly, $co_type,
                    $crate::resource!(@wire $co $($co_wire)?) $(, since $co_since)?),)*)?
                $($($crate::field_info!($model, ReadWrite, $re_type,
                    $crate::resource!(@wire $re $($re_wire)?) $(, since $re_since)?),)*)?
                $($($crate::field_info!($model, ReadWrite, $op_type,
                    $crate::resource!(@wire $op $($op_wire)?) $(, since $op_since)?),)*)?
                $($($crate::field_info!($model, Unfiltered, $un_type,
                    $crate::resource!(@wire $un $($un_wire)?) $(, since $un_since)?),)*)?
                $($($crate::field_info!($model, WriteOnly, $wo_type,
                    $crate::resource!(@wire $wo $($wo_wire)?) $(, since $wo_since)?),)*)?
            ];
        }
    };

    (@new [$vis:vis] $model:ident $name:literal $new:ident
        $(read_only { $($ignored_ro:tt)* })?
        $(unordered { $($ignored_uo:tt)* })?
        $(hidden { $($ignored_hi:tt)* })?
        $(hidden_unordered { $($ignored_hu:tt)* })?
        $(create_only { $(
            $(#[doc = $co_doc:expr])* $(#[since = $co_since:literal])? $co:ident $(= $co_wire:literal)?: $co_type:ty
                $([$($co_serde:tt)+])?
        ),* $(,)? })?
        $(required { $(
            $(#[doc = $re_doc:expr])* $(#[since = $re_since:literal])? $re:ident $(= $re_wire:literal)?: $re_type:ty
                $(as $re_read:ty)? $([$($re_serde:tt)+])?
        ),* $(,)? })?
        $(optional { $(
            $(#[doc = $op_doc:expr])* $(#[since = $op_since:literal])? $op:ident $(= $op_wire:literal)?: $op_type:ty
                $(as $op_read:ty)? $([$($op_serde:tt)+])?
        ),* $(,)? })?
        $(unfiltered { $(
            $(#[doc = $un_doc:expr])* $(#[since = $un_since:literal])? $un:ident $(= $un_wire:literal)?: $un_type:ty
                $([$($un_serde:tt)+])?
        ),* $(,)? })?
        $(write_only { $(
            $(#[doc = $wo_doc:expr])* $(#[since = $wo_since:literal])? $wo:ident $(= $wo_wire:literal)?: $wo_type:ty
        ),* $(,)? })?
        $(computed { $($ignored_cp:tt)* })?
    ) => {
        #[doc = concat!("What it takes to create a record: see [`", stringify!($model), "`].")]
        ///
        /// Optional fields that are not set are not sent; the server's defaults apply.
        #[derive(Clone, PartialEq)]
        #[derive($crate::__private::serde::Serialize)]
        #[serde(crate = "keystone_client::__private::serde")]
        #[non_exhaustive]
        $vis struct $new {
            $($($(#[doc = $co_doc])* $(#[serde(rename = $co_wire)])? pub $co: $crate::Input<$co_type>,)*)?
            $($($(#[doc = $re_doc])* $(#[serde(rename = $re_wire)])? pub $re: $crate::Input<$re_type>,)*)?
            $($($(#[doc = $wo_doc])* $(#[serde(rename = $wo_wire)])? pub $wo: $crate::Input<$wo_type>,)*)?
            $($($(#[doc = $op_doc])*
            $(#[serde(rename = $op_wire)])?
            #[serde(skip_serializing_if = "Option::is_none")]
            pub $op: ::core::option::Option<$crate::Input<$op_type>>,)*)?
            $($($(#[doc = $un_doc])*
            $(#[serde(rename = $un_wire)])?
            #[serde(skip_serializing_if = "Option::is_none")]
            pub $un: ::core::option::Option<$crate::Input<$un_type>>,)*)?
        }

        impl $new {
            /// With the required fields.
            #[must_use]
            #[allow(
                clippy::new_without_default,
                clippy::too_many_arguments,
                reason = "the table says how many fields are required"
            )]
            pub fn new(
                $($($co: impl $crate::IntoInput<$co_type>,)*)?
                $($($re: impl $crate::IntoInput<$re_type>,)*)?
                $($($wo: impl $crate::IntoInput<$wo_type>,)*)?
            ) -> Self {
                Self {
                    $($($co: $crate::IntoInput::into_input($co),)*)?
                    $($($re: $crate::IntoInput::into_input($re),)*)?
                    $($($wo: $crate::IntoInput::into_input($wo),)*)?
                    $($($op: ::core::option::Option::None,)*)?
                    $($($un: ::core::option::Option::None,)*)?
                }
            }

            $($($(#[doc = $op_doc])*
            #[must_use]
            pub fn $op(mut self, value: impl $crate::IntoInput<$op_type>) -> Self {
                self.$op = ::core::option::Option::Some($crate::IntoInput::into_input(value));
                self
            })*)?

            $($($(#[doc = $un_doc])*
            #[must_use]
            pub fn $un(mut self, value: impl $crate::IntoInput<$un_type>) -> Self {
                self.$un = ::core::option::Option::Some($crate::IntoInput::into_input(value));
                self
            })*)?
        }

        // Written out because write-only fields are secrets.
        impl ::core::fmt::Debug for $new {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                let mut fields = f.debug_struct(stringify!($new));
                $($(fields.field(stringify!($co), &self.$co);)*)?
                $($(fields.field(stringify!($re), &self.$re);)*)?
                $($(fields.field(stringify!($wo), &"[redacted]");)*)?
                $($(fields.field(stringify!($op), &self.$op);)*)?
                $($(fields.field(stringify!($un), &self.$un);)*)?
                fields.finish()
            }
        }
    };

    (@$part:ident $($rest:tt)*) => {
        ::core::compile_error!(concat!(
            "the blocks of `resource!` come in this order: read_only, unordered, hidden, ",
            "hidden_unordered, create_only, required, optional, unfiltered, write_only, computed; ",
            "each field is `name: Type,` or ",
            "`name = \"wire name\": Type,`, with `[default]` behind the type if need be"
        ));
    };
}

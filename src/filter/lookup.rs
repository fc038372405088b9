use crate::capability::Capability;

/// What has to be true of a column's type for a lookup to exist on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Any column with a single value.
    Column,
    Listable,
    Ordered,
    Textual,
    Dated,
    Timed,
}

macro_rules! lookups {
    ($($lookup:ident $suffix:literal $class:ident;)+) => {
        /// How a field is compared.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) enum Lookup {
            $($lookup,)+
        }

        impl Lookup {
            pub(crate) const ALL: &'static [Self] = &[$(Self::$lookup,)+];

            /// What follows the name of the field in the name of the parameter.
            pub(crate) const fn suffix(self) -> &'static str {
                match self {
                    $(Self::$lookup => $suffix,)+
                }
            }

            /// On which columns the server knows it.
            pub(crate) const fn class(self) -> Class {
                match self {
                    $(Self::$lookup => Class::$class,)+
                }
            }
        }
    };
}

lookups! {
    Equal "" Column;
    NotEqual "__not_eq" Column;
    In "__in" Listable;
    NotIn "__not_in" Listable;
    IsNull "__isnull" Column;
    Less "__lt" Ordered;
    LessOrEqual "__lte" Ordered;
    Greater "__gt" Ordered;
    GreaterOrEqual "__gte" Ordered;
    Contains "__contains" Textual;
    NotContains "__not_contains" Textual;
    StartsWith "__startswith" Textual;
    NotStartsWith "__not_startswith" Textual;
    EndsWith "__endswith" Textual;
    NotEndsWith "__not_endswith" Textual;
    Year "__year" Dated;
    Month "__month" Dated;
    Day "__day" Dated;
    Week "__week" Dated;
    WeekDay "__week_day" Dated;
    Hour "__hour" Timed;
    Minute "__minute" Timed;
    Second "__second" Timed;
}

impl Lookup {
    /// What the server has to be able to do; old ones ignore negated lookups in silence.
    pub(crate) const fn capability(self) -> Option<Capability> {
        match self {
            Self::NotIn | Self::NotContains => Some(Capability::NegatedLists),
            Self::NotEqual | Self::NotStartsWith | Self::NotEndsWith => {
                Some(Capability::NegatedLookups)
            }
            _ => None,
        }
    }

    /// Whether it holds where the one that it negates does not, and for null.
    pub(crate) const fn is_negated(self) -> bool {
        self.capability().is_some()
    }
}

/// Defines an enumeration that the server sends as codes. Codes of servers to come are kept as
/// they are.
macro_rules! codes {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $($(#[$variant_meta:meta])* $variant:ident = $code:literal $label:literal,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_meta])* $variant,)+
            /// A code that this crate does not know.
            Other(String),
        }

        impl $name {
            /// All that this crate knows, in the order in which they are declared here. Servers may have
            /// more: `choices` of a client asks for them.
            pub const KNOWN: &'static [Self] = &[$(Self::$variant),+];

            /// What has this label among [`KNOWN`](Self::KNOWN), for what people write. Case does not
            /// matter.
            pub fn from_label(label: &str) -> Option<Self> {
                Self::KNOWN.iter().find(|known| known.label().eq_ignore_ascii_case(label)).cloned()
            }

            /// The code on the wire.
            pub fn code(&self) -> &str {
                match self {
                    $(Self::$variant => $code,)+
                    Self::Other(code) => code,
                }
            }

            /// What the code stands for, in the server's words; the code itself where it is not
            /// known.
            pub fn label(&self) -> &str {
                match self {
                    $(Self::$variant => $label,)+
                    Self::Other(code) => code,
                }
            }
        }

        impl From<&str> for $name {
            fn from(code: &str) -> Self {
                match code {
                    $($code => Self::$variant,)+
                    _ => Self::Other(code.to_owned()),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.code())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.code())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Code;

                impl serde::de::Visitor<'_> for Code {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("a code")
                    }

                    fn visit_str<E: serde::de::Error>(self, code: &str) -> Result<$name, E> {
                        let value = $name::from(code);
                        if let $name::Other(code) = &value {
                            $crate::drift::note_code(stringify!($name), code);
                        }
                        Ok(value)
                    }
                }

                deserializer.deserialize_str(Code)
            }
        }

        impl $crate::field::Scalar for $name {
            fn comparand(&self) -> $crate::field::Comparand<'_> {
                $crate::field::Comparand::Text(std::borrow::Cow::Borrowed(self.code()))
            }
        }

        impl $crate::field::Listable for $name {}
        impl $crate::field::Textual for $name {}
    };
}

pub(crate) use codes;

//! Small parts that the types on the wire are made of.

use serde::{Deserialize, Deserializer};

/// Says whether a field may be left out when written: it is empty, zero, false or absent.
pub(crate) fn is_empty<T: Default + PartialEq>(field: &T) -> bool {
    *field == T::default()
}

/// Reads an optional word; the empty string is no word.
pub(crate) fn word<'de, D: Deserializer<'de>, T: From<String>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
    Ok((!text.is_empty()).then(|| T::from(text)))
}

/// Defines an enum of the words a field usually holds, with room for words of later versions.
///
/// The schema has no `enum` for these fields, so one odd object must not make a whole list unreadable.
macro_rules! words {
    ($(#[$meta:meta])* $Type:ident { $($(#[$word_meta:meta])* $Word:ident),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum $Type {
            $($(#[$word_meta])* $Word,)+
            /// A word this version does not know; kept as it was.
            Other(Box<str>),
        }

        impl $Type {
            /// Every word this version knows, in the order of the declaration.
            pub const KNOWN: &'static [Self] = &[$(Self::$Word),+];

            /// The word as it is written.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$Word => stringify!($Word),)+
                    Self::Other(word) => word,
                }
            }
        }

        impl From<String> for $Type {
            fn from(word: String) -> Self {
                match word.as_str() {
                    $(stringify!($Word) => Self::$Word,)+
                    _ => Self::Other(word.into()),
                }
            }
        }

        impl From<&str> for $Type {
            fn from(word: &str) -> Self {
                word.to_owned().into()
            }
        }

        impl ::std::fmt::Display for $Type {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl ::serde::Serialize for $Type {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $Type {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer).map(Self::from)
            }
        }
    };
}

pub(crate) use words;

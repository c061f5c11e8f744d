//! Label and field selectors, as `labelSelector` and `fieldSelector` of a list, a watch or a deletecollection.

mod field;
mod label;

pub use field::{FieldSelector, builtin_fields};
pub use label::LabelSelector;

/// Why a selector could not be used; the text is what a client reads in a `BadRequest`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// The text is not a label selector.
    #[error("unable to parse requirement: {0}")]
    Requirement(String),
    /// The text is a list of label requirements with something wrong between them.
    #[error("{0}")]
    Syntax(String),
    /// The text is not a field selector.
    #[error("invalid selector: '{selector}'; can't understand '{part}'")]
    Field { selector: String, part: String },
    /// A value of a field selector has a bad escape.
    #[error("invalid field selector: {0}")]
    Escape(String),
    /// The kind cannot be selected by this field.
    #[error("field label not supported: {0}")]
    Unsupported(String),
    /// The text is longer, or has more requirements, than any client needs.
    #[error("selector is too long")]
    TooLong,
}

/// The longest selector that is read at all.
const LONGEST: usize = 64 * 1024;

#[cfg(test)]
mod tests;

//! What can go wrong with an expression.

use std::fmt;

/// A range of bytes in the text of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

impl Span {
    pub(crate) fn new(start: usize, end: usize) -> Self {
        let narrow = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Self {
            start: narrow(start),
            end: narrow(end),
        }
    }
}

/// Why an expression has no value.
///
/// The message repeats parts of the expression, never computed values: those may be secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    place: Option<Place>,
}

/// What sort of mistake it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The text is not an expression; evaluating it elsewhere cannot help.
    Syntax,
    /// The expression does not suit the values it met.
    Evaluation,
    /// The expression asked for more work or memory than it may have.
    Exhausted,
}

/// A place in the text: lines and columns count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    span: Span,
    line: u32,
    column: u32,
}

impl Error {
    pub(crate) fn syntax(message: impl Into<String>, span: Span) -> Self {
        Self::at(ErrorKind::Syntax, message.into(), Some(span))
    }

    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self::at(kind, message.into(), None)
    }

    fn at(kind: ErrorKind, message: String, span: Option<Span>) -> Self {
        let place = span.map(|span| Place {
            span,
            line: 0,
            column: 0,
        });
        Self {
            kind,
            message,
            place,
        }
    }

    /// Names the place, unless a place inside it is named already.
    pub(crate) fn within(mut self, span: Span) -> Self {
        self.place.get_or_insert(Place {
            span,
            line: 0,
            column: 0,
        });
        self
    }

    /// Counts lines and columns, once the text is at hand.
    pub(crate) fn located_in(mut self, source: &str) -> Self {
        if let Some(place) = &mut self.place {
            let before = source.get(..place.span.start as usize).unwrap_or(source);
            let line_start = before.rfind('\n').map_or(0, |index| index + 1);
            let narrow = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
            place.line = narrow(before.matches('\n').count() + 1);
            place.column = narrow(before[line_start..].chars().count() + 1);
        }
        self
    }

    /// Names the member of a document whose template failed.
    pub(crate) fn in_member(mut self, path: &str) -> Self {
        if !path.is_empty() {
            self.message = format!("{path}: {}", self.message);
        }
        self
    }

    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What is wrong, without the place.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The part of the text that is to blame, where it is known.
    pub fn span(&self) -> Option<Span> {
        self.place.map(|place| place.span)
    }
}

/// A message about the values an expression met.
impl From<String> for Error {
    fn from(message: String) -> Self {
        Self::new(ErrorKind::Evaluation, message)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match self.place {
            Some(place) => write!(f, " ({}:{})", place.line, place.column),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

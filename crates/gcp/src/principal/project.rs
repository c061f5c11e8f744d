//! Projects of Google Cloud, by id and by number.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::NameError;

/// The id of a Google Cloud project: `acme-gke`, or with a scope, `example.com:acme` or `eu0:acme`.
///
/// Source: <https://cloud.google.com/resource-manager/docs/creating-managing-projects#before_you_begin>
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ProjectId(String);

impl ProjectId {
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let (scope, name) = match text.split_once(':') {
            Some((scope, name)) => (Some(scope), name),
            None => (None, text),
        };
        if is_name(name) && scope.is_none_or(is_scope) {
            return Ok(Self(text.to_owned()));
        }
        Err(NameError::Project {
            text: text.to_owned(),
        })
    }

    /// Says the domain or the prefix of a universe in front of the name, if there is one.
    pub fn scope(&self) -> Option<&str> {
        self.0.split_once(':').map(|(scope, _)| scope)
    }

    pub fn name(&self) -> &str {
        self.0
            .split_once(':')
            .map_or(self.as_str(), |(_, name)| name)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Spells the project as a path of a registry does: `example.com/acme` for `example.com:acme`.
    pub fn registry_path(&self) -> String {
        self.0.replace(':', "/")
    }
}

impl fmt::Display for ProjectId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl FromStr for ProjectId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

/// The number that Google gave a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ProjectNumber(pub u64);

impl ProjectNumber {
    pub fn parse(text: &str) -> Result<Self, NameError> {
        text.parse().map(Self).map_err(|_| NameError::Number {
            text: text.to_owned(),
        })
    }
}

impl fmt::Display for ProjectNumber {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.0)
    }
}

/// 4 characters are allowed, as ids of old projects may be shorter than the 6 that are asked for today.
fn is_name(text: &str) -> bool {
    (4..=30).contains(&text.len())
        && text.starts_with(|it: char| it.is_ascii_lowercase())
        && !text.ends_with('-')
        && text
            .bytes()
            .all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-')
}

fn is_scope(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('.')
        && !text.ends_with('.')
        && text
            .bytes()
            .all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-' || it == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_stands_before_the_name() {
        let id = ProjectId::parse("example.com:acme").expect("an id");
        assert_eq!(id.scope(), Some("example.com"));
        assert_eq!(id.name(), "acme");
        assert_eq!(id.registry_path(), "example.com/acme");
        assert_eq!(ProjectId::parse("acme-gke").expect("an id").scope(), None);
    }

    #[test]
    fn what_is_no_project_id_is_refused() {
        for text in [
            "",
            "abc",
            "1acme",
            "acme-",
            "Acme",
            "a:b:c",
            ":acme",
            ".com:acme",
            "acme gke",
        ] {
            assert!(ProjectId::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_number_has_digits_only() {
        assert_eq!(ProjectNumber::parse("4711"), Ok(ProjectNumber(4711)));
        assert!(ProjectNumber::parse("acme-gke").is_err());
    }
}

//! The conditions of bindings, as far as this simulator can evaluate them; what it cannot is refused when it is written.
//!
//! Source: <https://cloud.google.com/iam/docs/conditions-overview>

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::resource::ResourceName;

/// A condition that can be evaluated: comparisons joined by `&&`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Condition {
    written: Written,
    terms: Vec<Term>,
}

/// A condition as a policy spells it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Written {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub title: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    pub expression: String,
}

/// An expression that this simulator would have to guess at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the simulator cannot evaluate the condition {term:?}")]
pub struct UnknownExpression {
    term: String,
}

impl UnknownExpression {
    pub fn hint(&self) -> &'static str {
        "it knows request.time < <= > >= timestamp(\"…\"), and resource.name, resource.type or resource.service with ==, != \
         or .startsWith(\"…\"), joined by &&"
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Term {
    Time {
        order: Order,
        than: Timestamp,
    },
    Text {
        of: Attribute,
        test: Test,
        text: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Before,
    NotAfter,
    After,
    NotBefore,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attribute {
    Name,
    Kind,
    Service,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Test {
    Equals,
    Differs,
    StartsWith,
}

impl Condition {
    pub fn expression(&self) -> &str {
        &self.written.expression
    }

    /// Says whether the condition holds for a request for `resource` at `now`.
    pub fn holds(&self, resource: &ResourceName, now: Timestamp) -> bool {
        self.terms.iter().all(|term| term.holds(resource, now))
    }
}

impl Term {
    fn holds(&self, resource: &ResourceName, now: Timestamp) -> bool {
        match self {
            Self::Time { order, than } => match order {
                Order::Before => now < *than,
                Order::NotAfter => now <= *than,
                Order::After => now > *than,
                Order::NotBefore => now >= *than,
            },
            Self::Text { of, test, text } => {
                let kind = resource.kind();
                let found = match of {
                    Attribute::Name => resource.to_string(),
                    Attribute::Kind => kind.to_owned(),
                    Attribute::Service => kind.split('/').next().unwrap_or_default().to_owned(),
                };
                match test {
                    Test::Equals => found == *text,
                    Test::Differs => found != *text,
                    Test::StartsWith => found.starts_with(text),
                }
            }
        }
    }
}

impl TryFrom<Written> for Condition {
    type Error = UnknownExpression;

    fn try_from(written: Written) -> Result<Self, UnknownExpression> {
        let terms = written
            .expression
            .split("&&")
            .map(|term| {
                parse(term.trim()).ok_or_else(|| UnknownExpression {
                    term: term.trim().to_owned(),
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { written, terms })
    }
}

impl From<Condition> for Written {
    fn from(condition: Condition) -> Self {
        condition.written
    }
}

fn parse(term: &str) -> Option<Term> {
    if let Some(rest) = term.strip_prefix("request.time") {
        return parse_time(rest.trim_start());
    }
    let (of, rest) = [
        ("resource.name", Attribute::Name),
        ("resource.type", Attribute::Kind),
        ("resource.service", Attribute::Service),
    ]
    .into_iter()
    .find_map(|(name, of)| Some((of, term.strip_prefix(name)?.trim_start())))?;
    let (test, rest) = [
        ("==", Test::Equals),
        ("!=", Test::Differs),
        (".startsWith(", Test::StartsWith),
    ]
    .into_iter()
    .find_map(|(sign, test)| Some((test, rest.strip_prefix(sign)?.trim())))?;
    let quoted = match test {
        Test::StartsWith => rest.strip_suffix(')')?.trim(),
        Test::Equals | Test::Differs => rest,
    };
    let text = unquote(quoted)?.to_owned();
    Some(Term::Text { of, test, text })
}

fn parse_time(rest: &str) -> Option<Term> {
    let (order, rest) = [
        ("<=", Order::NotAfter),
        (">=", Order::NotBefore),
        ("<", Order::Before),
        (">", Order::After),
    ]
    .into_iter()
    .find_map(|(sign, order)| Some((order, rest.strip_prefix(sign)?.trim())))?;
    let quoted = rest.strip_prefix("timestamp(")?.strip_suffix(')')?.trim();
    let than = unquote(quoted)?.parse().ok()?;
    Some(Term::Time { order, than })
}

fn unquote(text: &str) -> Option<&str> {
    let quote = text
        .chars()
        .next()
        .filter(|first| matches!(first, '"' | '\''))?;
    let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
    (!inner.contains([quote, '\\'])).then_some(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(expression: &str) -> Result<Condition, UnknownExpression> {
        Condition::try_from(Written {
            expression: expression.to_owned(),
            ..Written::default()
        })
    }

    #[track_caller]
    fn check(expression: &str, holds: bool) {
        let apps = ResourceName::repository("acme", "europe", "apps");
        let now = "2026-03-01T10:00:00Z".parse().unwrap();
        let found = condition(expression).expect(expression).holds(&apps, now);
        assert_eq!(found, holds, "{expression}");
    }

    #[test]
    fn time_is_compared() {
        check("request.time < timestamp(\"2026-03-01T10:00:01Z\")", true);
        check("request.time < timestamp('2026-03-01T10:00:00Z')", false);
        check("request.time >= timestamp(\"2026-03-01T10:00:00Z\")", true);
    }

    #[test]
    fn names_and_types_are_compared() {
        let name = "projects/acme/locations/europe/repositories/apps";
        check(&format!("resource.name == \"{name}\""), true);
        check(&format!("resource.name != \"{name}\""), false);
        check(
            "resource.name.startsWith(\"projects/acme/locations/us\")",
            false,
        );
        check(
            "resource.type == \"artifactregistry.googleapis.com/Repository\"",
            true,
        );
        check("resource.service == \"iam.googleapis.com\"", false);
    }

    #[test]
    fn both_sides_of_an_and_must_hold() {
        let kind = "resource.type == \"artifactregistry.googleapis.com/Repository\"";
        check(
            &format!("{kind} && request.time < timestamp(\"2027-01-01T00:00:00Z\")"),
            true,
        );
        check(
            &format!("{kind} && request.time < timestamp(\"2025-01-01T00:00:00Z\")"),
            false,
        );
    }

    #[test]
    fn what_would_have_to_be_guessed_is_refused() {
        for expression in [
            "",
            "true",
            "resource.name == \"a\" || resource.name == \"b\"",
            "resource.matchTag('123/env', 'prod')",
            "!resource.name.startsWith(\"a\")",
            "request.time < timestamp(\"soon\")",
        ] {
            assert!(condition(expression).is_err(), "{expression}");
        }
    }
}

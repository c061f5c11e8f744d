//! The part of CEL that attribute mappings and conditions of pools are usually written in; the rest is refused when read.
//!
//! Sources: <https://github.com/google/cel-spec/blob/master/doc/langdef.md>,
//! <https://cloud.google.com/iam/docs/workload-identity-federation#mapping>

mod parse;

use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// An expression that can be evaluated.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Expression {
    written: String,
    tree: Tree,
}

/// An expression that this simulator would have to guess at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the simulator cannot evaluate the expression {expression:?}: {what}")]
pub struct UnknownCel {
    expression: String,
    what: String,
}

impl UnknownCel {
    pub fn hint(&self) -> &'static str {
        "it knows assertion, google and attribute with . and [], strings, numbers, lists, ! && || == != in +, has(), \
         .startsWith(), .endsWith(), .contains() and .matches()"
    }
}

#[derive(Debug, Clone)]
enum Tree {
    Literal(Value),
    List(Vec<Tree>),
    /// `assertion`, `google` or `attribute`.
    Root(&'static str),
    /// A field by its name, which may itself be computed.
    Field(Box<Tree>, Box<Tree>),
    Has(Box<Tree>),
    Not(Box<Tree>),
    Both(Box<Tree>, Box<Tree>),
    Either(Box<Tree>, Box<Tree>),
    Equal(Box<Tree>, Box<Tree>),
    In(Box<Tree>, Box<Tree>),
    Joined(Box<Tree>, Box<Tree>),
    Test(Box<Tree>, Test, Box<Tree>),
    Matches(Box<Tree>, Regex),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Test {
    StartsWith,
    EndsWith,
    Contains,
}

/// What names mean: `{"assertion": …, "google": …, "attribute": …}`.
#[derive(Debug, Clone)]
pub(crate) struct Names(Value);

/// The expression has no value for these names: a field is missing, or of another kind than the expression wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoValue;

impl Names {
    /// What a mapping may look at.
    pub(crate) fn of_claims(claims: &Value) -> Self {
        Self(json!({ "assertion": claims }))
    }

    /// What a condition may look at.
    pub(crate) fn with_mapped(claims: &Value, subject: &str, attributes: &Value) -> Self {
        Self(json!({
            "assertion": claims, "google": { "subject": subject }, "attribute": attributes,
        }))
    }
}

impl Expression {
    pub(crate) fn evaluate(&self, names: &Names) -> Result<Value, NoValue> {
        self.tree.evaluate(names)
    }

    /// Says whether a condition holds; one without a value does not.
    pub(crate) fn holds(&self, names: &Names) -> bool {
        self.evaluate(names) == Ok(Value::Bool(true))
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Eq for Expression {}

impl TryFrom<String> for Expression {
    type Error = UnknownCel;

    fn try_from(written: String) -> Result<Self, UnknownCel> {
        match parse::parse(&written) {
            Ok(tree) => Ok(Self { written, tree }),
            Err(what) => Err(UnknownCel {
                expression: written,
                what,
            }),
        }
    }
}

impl From<Expression> for String {
    fn from(expression: Expression) -> Self {
        expression.written
    }
}

impl Tree {
    fn evaluate(&self, names: &Names) -> Result<Value, NoValue> {
        let truth = |tree: &Self| tree.evaluate(names)?.as_bool().ok_or(NoValue);
        let text = |tree: &Self| match tree.evaluate(names)? {
            Value::String(text) => Ok(text),
            _ => Err(NoValue),
        };
        Ok(match self {
            Self::Literal(value) => value.clone(),
            Self::List(items) => Value::Array(
                items
                    .iter()
                    .map(|item| item.evaluate(names))
                    .collect::<Result<_, _>>()?,
            ),
            Self::Root(name) => names.0.get(name).cloned().ok_or(NoValue)?,
            Self::Field(of, name) => {
                let of = of.evaluate(names)?;
                let found = match name.evaluate(names)? {
                    Value::String(name) => of.get(name.as_str()).cloned(),
                    Value::Number(index) => index
                        .as_u64()
                        .and_then(|index| of.get(usize::try_from(index).ok()?).cloned()),
                    _ => None,
                };
                found.ok_or(NoValue)?
            }
            Self::Has(field) => json!(field.evaluate(names).is_ok()),
            Self::Not(inner) => json!(!truth(inner)?),
            // A side without a value does not matter where the other decides.
            Self::Both(one, other) => match (truth(one), truth(other)) {
                (Ok(false), _) | (_, Ok(false)) => json!(false),
                (one, other) => json!(one? && other?),
            },
            Self::Either(one, other) => match (truth(one), truth(other)) {
                (Ok(true), _) | (_, Ok(true)) => json!(true),
                (one, other) => json!(one? || other?),
            },
            Self::Equal(one, other) => json!(one.evaluate(names)? == other.evaluate(names)?),
            Self::In(item, of) => {
                let item = item.evaluate(names)?;
                match of.evaluate(names)? {
                    Value::Array(items) => json!(items.contains(&item)),
                    Value::Object(fields) => {
                        json!(item.as_str().is_some_and(|name| fields.contains_key(name)))
                    }
                    _ => return Err(NoValue),
                }
            }
            Self::Joined(one, other) => json!(text(one)? + &text(other)?),
            Self::Test(of, test, with) => {
                let (of, with) = (text(of)?, text(with)?);
                json!(match test {
                    Test::StartsWith => of.starts_with(&with),
                    Test::EndsWith => of.ends_with(&with),
                    Test::Contains => of.contains(&with),
                })
            }
            Self::Matches(of, pattern) => json!(pattern.is_match(&text(of)?)),
        })
    }
}

#[cfg(test)]
mod tests;

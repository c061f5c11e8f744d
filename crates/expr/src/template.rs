//! Templates: strings with expressions in `${{ … }}` or `${% … %}`.
//!
//! A string without an expression stays what it is. In any other, each expression is replaced by its value (a string as it
//! is, anything else as compact JSON), and what results is read again: a whole string in double quotes loses them and
//! stays a string; otherwise it becomes a number, a bool or other JSON if it can be read as one. A commit such as
//! `12e45` is a number too, which is why there is `quote`.
//!
//! The functions `quote`, `unsafeQuote`, `asJSON` and `asYAML` belong to every template.

use serde_json::Value as Json;

use crate::budget::Budget;
use crate::environment::{Call, CallError, Environment};
use crate::error::{Error, ErrorKind, Span};
use crate::functions;
use crate::json;
use crate::text;
use crate::value::Value;
use crate::{Evaluation, Program};

/// How deep a document may nest.
const MAX_DOCUMENT_DEPTH: usize = 128;

/// Evaluates one string.
///
/// ```
/// use std::collections::BTreeMap;
/// use expr::{Budget, Evaluation, Value, template};
///
/// let environment = BTreeMap::from([("tag".to_owned(), Value::from("1.2"))]);
/// let evaluate = |text| template::evaluate_string(text, &environment, &mut Budget::default()).expect("a template");
/// assert_eq!(evaluate("v${{ tag }}"), Evaluation::Done(Value::from("v1.2")));
/// assert_eq!(evaluate("${{ tag }}"), Evaluation::Done(Value::from(1.2)));
/// assert_eq!(evaluate("${{ quote(tag) }}"), Evaluation::Done(Value::from("1.2")));
/// ```
pub fn evaluate_string(
    template: &str,
    environment: &dyn Environment,
    budget: &mut Budget,
) -> Result<Evaluation, Error> {
    let mut pending = Vec::new();
    let value = string(template, &WithQuoting(environment), budget, &mut pending)?;
    Ok(if pending.is_empty() {
        Evaluation::Done(value)
    } else {
        Evaluation::Pending(pending)
    })
}

/// Evaluates every string in a JSON document; keys stay as they are.
///
/// An error names the member it is in.
///
/// ```
/// use std::collections::BTreeMap;
/// use expr::{Budget, Evaluation, Value, template};
/// use serde_json::json;
///
/// let environment = BTreeMap::from([("n".to_owned(), Value::from(2.0))]);
/// let config = json!({"replicas": "${{ n + 1 }}", "name": "2"});
/// let result = template::evaluate_tree(&config, &environment, &mut Budget::default()).expect("a template");
/// assert_eq!(result, Evaluation::Done(json!({"replicas": 3, "name": "2"})));
/// ```
pub fn evaluate_tree(
    document: &Json,
    environment: &dyn Environment,
    budget: &mut Budget,
) -> Result<Evaluation<Json>, Error> {
    let mut pending = Vec::new();
    let mut path = Vec::new();
    let value = tree(
        document,
        &mut path,
        &WithQuoting(environment),
        budget,
        &mut pending,
    )
    .map_err(|error| error.in_member(&path.concat()))?;
    Ok(if pending.is_empty() {
        Evaluation::Done(value)
    } else {
        Evaluation::Pending(pending)
    })
}

/// A host whose templates may quote.
struct WithQuoting<'a>(&'a dyn Environment);

impl Environment for WithQuoting<'_> {
    fn variable(&self, name: &str) -> Option<Value> {
        self.0.variable(name)
    }

    fn call(&self, name: &str, arguments: &[Value]) -> Option<Result<Value, CallError>> {
        functions::call(name, arguments).or_else(|| self.0.call(name, arguments))
    }

    fn variables(&self) -> Value {
        self.0.variables()
    }

    fn now(&self) -> Option<jiff::Zoned> {
        self.0.now()
    }
}

/// Evaluates a document. On failure `path` names the member that is to blame.
fn tree(
    document: &Json,
    path: &mut Vec<String>,
    environment: &dyn Environment,
    budget: &mut Budget,
    pending: &mut Vec<Call>,
) -> Result<Json, Error> {
    if path.len() > MAX_DOCUMENT_DEPTH {
        return Err(Error::new(
            ErrorKind::Exhausted,
            "the document nests too deeply",
        ));
    }
    Ok(match document {
        Json::String(text) => string(text, environment, budget, pending)?.to_json()?,
        Json::Array(items) => {
            let mut values = Vec::with_capacity(items.len());
            for (index, item) in items.iter().enumerate() {
                path.push(format!("[{index}]"));
                values.push(tree(item, path, environment, budget, pending)?);
                path.pop();
            }
            Json::Array(values)
        }
        Json::Object(members) => {
            let mut values = serde_json::Map::new();
            for (name, member) in members {
                path.push(if path.is_empty() {
                    name.clone()
                } else {
                    format!(".{name}")
                });
                values.insert(
                    name.clone(),
                    tree(member, path, environment, budget, pending)?,
                );
                path.pop();
            }
            Json::Object(values)
        }
        plain => plain.clone(),
    })
}

/// Evaluates one string; while calls are pending, the value means nothing.
fn string(
    template: &str,
    environment: &dyn Environment,
    budget: &mut Budget,
    pending: &mut Vec<Call>,
) -> Result<Value, Error> {
    let mut result = String::new();
    let mut rest = template;
    let mut waits = false;
    while let Some(found) = next_expression(rest)? {
        result.push_str(found.before);
        rest = found.after;
        if found.expression.is_empty() {
            break;
        }
        match Program::parse(found.expression)?.evaluate(environment, budget)? {
            Evaluation::Done(value) => splice(&mut result, &value, budget)?,
            Evaluation::Pending(calls) => {
                waits = true;
                pending.extend(
                    calls
                        .into_iter()
                        .filter(|call| !pending.contains(call))
                        .collect::<Vec<_>>(),
                );
            }
        }
    }
    if rest.len() == template.len() {
        return Ok(Value::from(template));
    }
    if waits {
        return Ok(Value::Nil);
    }
    result.push_str(rest);
    Ok(read_again(&result))
}

fn splice(result: &mut String, value: &Value, budget: &mut Budget) -> Result<(), Error> {
    budget.steps(value.cost())?;
    let before = result.len();
    match value {
        Value::String(text) => result.push_str(text),
        other => result.push_str(&json::compact(other)?),
    }
    budget.bytes(result.len() - before)
}

struct Found<'a> {
    before: &'a str,
    expression: &'a str,
    after: &'a str,
}

/// Finds the first expression, which ends where the end of its delimiter first occurs.
fn next_expression(template: &str) -> Result<Option<Found<'_>>, Error> {
    let start = ["${{", "${%"]
        .into_iter()
        .filter_map(|start| template.find(start))
        .min();
    let Some(start) = start else { return Ok(None) };
    let (before, rest) = template.split_at(start);
    let end = if rest.starts_with("${{") { "}}" } else { "%}" };
    let (expression, after) = rest[3..].split_once(end).ok_or_else(|| {
        Error::syntax(
            format!("unclosed expression: expected {end}"),
            Span::new(start, template.len()),
        )
        .located_in(template)
    })?;
    Ok(Some(Found {
        before,
        expression,
        after,
    }))
}

/// Makes of the text what it looks like.
fn read_again(result: &str) -> Value {
    let (line, ending) = match result.strip_suffix('\n') {
        Some(line) => (line, "\n"),
        None => (result, ""),
    };
    if line.len() > 1
        && let Some(inner) = line
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
    {
        return Value::from(format!("{inner}{ending}"));
    }
    if let Some(number) = text::parse_float(line) {
        return Value::Float(number);
    }
    match line {
        "t" | "T" | "TRUE" | "true" | "True" => return Value::Bool(true),
        "f" | "F" | "FALSE" | "false" | "False" => return Value::Bool(false),
        _ => {}
    }
    match serde_json::from_str::<Json>(line) {
        Ok(json) => Value::from(json),
        Err(_) => Value::from(result),
    }
}

#[cfg(test)]
mod tests;

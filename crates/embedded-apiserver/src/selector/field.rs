//! Selection by the value of a declared field.

use serde_json::Value;

use super::{LONGEST, SelectorError};

/// Terms that must all hold: `metadata.name=web,type!=Opaque`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldSelector {
    terms: Vec<Term>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Term {
    field: String,
    equal: bool,
    value: String,
}

impl FieldSelector {
    /// Reads a selector whose fields are among `supported`, `metadata.name` and `metadata.namespace`.
    pub fn parse<S: AsRef<str>>(selector: &str, supported: &[S]) -> Result<Self, SelectorError> {
        if selector.len() > LONGEST {
            return Err(SelectorError::TooLong);
        }
        let mut terms = Vec::new();
        for part in split_terms(selector)
            .into_iter()
            .filter(|part| !part.is_empty())
        {
            let cannot = || SelectorError::Field {
                selector: selector.to_owned(),
                part: part.to_owned(),
            };
            let (field, equal, value) = split_term(part).ok_or_else(cannot)?;
            let known = matches!(field, "metadata.name" | "metadata.namespace")
                || supported.iter().any(|it| it.as_ref() == field);
            if !known {
                return Err(SelectorError::Unsupported(field.to_owned()));
            }
            terms.push(Term {
                field: field.to_owned(),
                equal,
                value: unescape(value)?,
            });
        }
        Ok(Self { terms })
    }

    /// Says whether everything is selected.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Finds the one value a field must have, so that a list can become a get.
    pub fn exact(&self, field: &str) -> Option<&str> {
        self.terms
            .iter()
            .find(|term| term.equal && term.field == field)
            .map(|term| term.value.as_str())
    }

    /// Says whether an object is selected; a field it does not have counts as empty.
    pub fn matches(&self, object: &Value) -> bool {
        self.terms
            .iter()
            .all(|term| (read(object, &term.field) == term.value) == term.equal)
    }
}

/// Lists what a builtin kind can be selected by, besides its name and namespace.
pub fn builtin_fields(group: &str, kind: &str) -> &'static [&'static str] {
    match (group, kind) {
        ("", "Namespace") => &["status.phase"],
        ("", "Secret") => &["type"],
        ("" | "events.k8s.io", "Event") => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        _ => &[],
    }
}

fn read(object: &Value, field: &str) -> String {
    // An Event's source is a structure; what is selected is its component.
    let field = if field == "source" {
        "source.component"
    } else {
        field
    };
    let mut at = object;
    for name in field.trim_start_matches('.').split('.') {
        match at.get(name) {
            Some(next) => at = next,
            None => return String::new(),
        }
    }
    match at {
        Value::String(text) => text.clone(),
        Value::Null | Value::Object(_) | Value::Array(_) => String::new(),
        Value::Bool(_) | Value::Number(_) => at.to_string(),
    }
}

fn split_terms(selector: &str) -> Vec<&str> {
    let (mut terms, mut start, mut escaped) = (Vec::new(), 0, false);
    for (at, letter) in selector.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' => {
                terms.push(&selector[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    terms.push(&selector[start..]);
    terms
}

fn split_term(term: &str) -> Option<(&str, bool, &str)> {
    let at = term
        .char_indices()
        .find(|(at, letter)| *letter == '=' || term[*at..].starts_with("!="))
        .map(|(at, _)| at)?;
    let (field, rest) = term.split_at(at);
    for (operator, equal) in [("!=", false), ("==", true), ("=", true)] {
        if let Some(value) = rest.strip_prefix(operator) {
            return Some((field, equal, value));
        }
    }
    None
}

fn unescape(value: &str) -> Result<String, SelectorError> {
    let mut plain = String::with_capacity(value.len());
    let mut letters = value.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some(escaped @ ('\\' | ',' | '=')) => plain.push(escaped),
                Some(other) => {
                    return Err(SelectorError::Escape(format!(
                        "invalid escape sequence: \\{other}"
                    )));
                }
                None => {
                    return Err(SelectorError::Escape(
                        "invalid escape sequence: \\".to_owned(),
                    ));
                }
            },
            // Kubernetes prints the number of the character here.
            ',' | '=' => {
                return Err(SelectorError::Escape(format!(
                    "unescaped character in value: {}",
                    u32::from(letter)
                )));
            }
            _ => plain.push(letter),
        }
    }
    Ok(plain)
}

//! The dialect of `JSONPath` that Kubernetes uses in printer columns and on the command line.
//!
//! Names (`.a.b`, `['a.b']`, `.a\.b`), indexes from either end, slices, `*`, unions, `..name` and filters
//! (`[?(@.type=="Ready")]`), with or without braces around the whole.
//!
//! Source: <https://kubernetes.io/docs/reference/kubectl/jsonpath/>

use std::cmp::Ordering;

use serde_json::Value;

/// The longest path, and the most values one path finds.
const LONGEST: usize = 1024;
const MOST_FOUND: usize = 1000;

/// A parsed path.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct JsonPath {
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Name(String),
    /// All members, or all items.
    Every,
    /// `..`: the value and all below it.
    Descendants,
    Indexes(Vec<i64>),
    Names(Vec<String>),
    Slice {
        start: Option<i64>,
        end: Option<i64>,
        step: usize,
    },
    Filter(Filter),
}

#[derive(Debug, Clone, PartialEq)]
enum Filter {
    Exists(JsonPath),
    Compare {
        left: Operand,
        operator: Operator,
        right: Operand,
    },
}

#[derive(Debug, Clone, PartialEq)]
enum Operand {
    Path(JsonPath),
    Literal(Value),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl JsonPath {
    /// Parses a path; says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("a path may have at most {LONGEST} bytes"));
        }
        let text = text.trim();
        let text = text
            .strip_prefix('{')
            .and_then(|it| it.strip_suffix('}'))
            .unwrap_or(text);
        Self::parse_steps(text.trim().strip_prefix('$').unwrap_or(text.trim()))
    }

    fn parse_steps(text: &str) -> Result<Self, String> {
        let mut rest = text;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix("..") {
                steps.push(Step::Descendants);
                rest = after;
                if !rest.starts_with(['[', '*']) {
                    rest = take_name(rest, &mut steps)?;
                }
            } else if let Some(after) = rest.strip_prefix('.') {
                rest = if after.is_empty() || after.starts_with('[') {
                    after
                } else {
                    take_name(after, &mut steps)?
                };
            } else if rest.starts_with('[') {
                let end = closing(rest)?;
                steps.push(bracket(rest[1..end].trim())?);
                rest = &rest[end + 1..];
            } else if steps.is_empty() || rest.starts_with('*') {
                rest = take_name(rest, &mut steps)?;
            } else {
                return Err(format!("unexpected {rest:?}"));
            }
        }
        Ok(Self { steps })
    }

    /// Finds the values at the path, in order.
    pub(crate) fn find<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        let mut found = vec![value];
        for step in &self.steps {
            let mut next = Vec::new();
            for value in found {
                step.take(value, &mut next);
                if next.len() > MOST_FOUND {
                    next.truncate(MOST_FOUND);
                    break;
                }
            }
            found = next;
        }
        found
    }

    /// Finds the first value at the path.
    pub(crate) fn first<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        self.find(value).first().copied()
    }
}

/// A name up to the next dot or bracket; a backslash takes the next character as it is.
fn take_name<'a>(text: &'a str, steps: &mut Vec<Step>) -> Result<&'a str, String> {
    if let Some(rest) = text.strip_prefix('*') {
        steps.push(Step::Every);
        return Ok(rest);
    }
    let mut name = String::new();
    let mut escaped = false;
    let mut end = text.len();
    for (index, it) in text.char_indices() {
        match it {
            _ if escaped => {
                name.push(it);
                escaped = false;
            }
            '\\' => escaped = true,
            '.' | '[' => {
                end = index;
                break;
            }
            it if it.is_whitespace() || matches!(it, '{' | '}' | '(' | ')' | '|') => {
                return Err(format!("unexpected {it:?}"));
            }
            it => name.push(it),
        }
    }
    if name.is_empty() || escaped {
        return Err("a name is missing".to_owned());
    }
    steps.push(Step::Name(name));
    Ok(&text[end..])
}

/// Where the bracket that `text` begins with is closed.
fn closing(text: &str) -> Result<usize, String> {
    let mut depth = 0_usize;
    let mut quote = None;
    let mut escaped = false;
    for (index, it) in text.char_indices() {
        match (quote, it) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), it) if it == open => quote = None,
            (None, '"' | '\'') => quote = Some(it),
            (None, '[') => depth += 1,
            (None, ']') if depth == 1 => return Ok(index),
            (None, ']') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Err("a bracket is not closed".to_owned())
}

/// What stands between brackets.
fn bracket(inside: &str) -> Result<Step, String> {
    if inside == "*" {
        return Ok(Step::Every);
    }
    if let Some(filter) = inside.strip_prefix('?') {
        let filter = filter
            .trim()
            .strip_prefix('(')
            .and_then(|it| it.strip_suffix(')'));
        return self::filter(filter.ok_or("a filter stands in parentheses")?.trim())
            .map(Step::Filter);
    }
    if inside.contains(':') && !inside.contains(['"', '\'']) {
        return slice(inside);
    }
    let parts: Vec<&str> = inside.split(',').map(str::trim).collect();
    if inside.starts_with(['"', '\'']) {
        if let Some(name) = quoted(inside) {
            return Ok(Step::Name(name));
        }
        let names: Option<Vec<String>> = parts.iter().map(|it| quoted(it)).collect();
        return names
            .map(Step::Names)
            .ok_or_else(|| format!("unexpected {inside:?}"));
    }
    let indexes: Result<Vec<i64>, _> = parts.iter().map(|it| it.parse()).collect();
    indexes
        .map(Step::Indexes)
        .map_err(|_| format!("{inside:?} is no index"))
}

fn slice(inside: &str) -> Result<Step, String> {
    let parts: Vec<&str> = inside.split(':').map(str::trim).collect();
    let number = |index: usize| match parts.get(index).copied().unwrap_or_default() {
        "" => Ok(None),
        text => text
            .parse::<i64>()
            .map(Some)
            .map_err(|_| format!("{text:?} is no index")),
    };
    let step = number(2)?.unwrap_or(1);
    let step = usize::try_from(step)
        .ok()
        .filter(|it| *it > 0 && parts.len() <= 3);
    Ok(Step::Slice {
        start: number(0)?,
        end: number(1)?,
        step: step.ok_or("a slice goes forward")?,
    })
}

/// A text in quotes, and nothing behind it.
fn quoted(text: &str) -> Option<String> {
    let quote = text.chars().next().filter(|it| matches!(it, '"' | '\''))?;
    let mut inside = String::new();
    let mut escaped = false;
    let mut rest = text[1..].chars();
    while let Some(it) = rest.next() {
        match it {
            _ if escaped => {
                inside.push(it);
                escaped = false;
            }
            '\\' => escaped = true,
            it if it == quote => return rest.as_str().is_empty().then_some(inside),
            it => inside.push(it),
        }
    }
    None
}

fn filter(text: &str) -> Result<Filter, String> {
    const OPERATORS: [(&str, Operator); 6] = [
        ("==", Operator::Equal),
        ("!=", Operator::NotEqual),
        ("<=", Operator::LessOrEqual),
        (">=", Operator::GreaterOrEqual),
        ("<", Operator::Less),
        (">", Operator::Greater),
    ];
    let mut quote = None;
    for (index, it) in text.char_indices() {
        match (quote, it) {
            (Some(open), it) if it == open => quote = None,
            (None, '"' | '\'') => quote = Some(it),
            (None, '=' | '!' | '<' | '>') => {
                let rest = &text[index..];
                let found = OPERATORS.iter().find(|(word, _)| rest.starts_with(word));
                let (word, operator) = found.ok_or_else(|| format!("unexpected {rest:?}"))?;
                return Ok(Filter::Compare {
                    left: operand(text[..index].trim())?,
                    operator: *operator,
                    right: operand(rest[word.len()..].trim())?,
                });
            }
            _ => {}
        }
    }
    match operand(text)? {
        Operand::Path(path) => Ok(Filter::Exists(path)),
        Operand::Literal(_) => Err(format!("{text:?} compares nothing")),
    }
}

fn operand(text: &str) -> Result<Operand, String> {
    if let Some(path) = text.strip_prefix('@') {
        return JsonPath::parse_steps(path).map(Operand::Path);
    }
    if let Some(text) = quoted(text) {
        return Ok(Operand::Literal(text.into()));
    }
    match serde_json::from_str(text) {
        Ok(literal @ (Value::Number(_) | Value::Bool(_) | Value::Null)) => {
            Ok(Operand::Literal(literal))
        }
        _ => Err(format!("{text:?} is neither a path nor a literal")),
    }
}

impl Step {
    fn take<'a>(&self, value: &'a Value, found: &mut Vec<&'a Value>) {
        match self {
            Self::Name(name) => found.extend(value.get(name)),
            Self::Names(names) => found.extend(names.iter().filter_map(|it| value.get(it))),
            Self::Every => match value {
                Value::Array(items) => found.extend(items),
                Value::Object(members) => found.extend(members.values()),
                _ => {}
            },
            Self::Descendants => {
                let mut todo = vec![value];
                while let Some(value) = todo.pop().filter(|_| found.len() <= MOST_FOUND) {
                    found.push(value);
                    match value {
                        Value::Array(items) => todo.extend(items.iter().rev()),
                        Value::Object(members) => todo.extend(members.values().rev()),
                        _ => {}
                    }
                }
            }
            Self::Indexes(indexes) => {
                if let Value::Array(items) = value {
                    found.extend(
                        indexes
                            .iter()
                            .filter_map(|it| items.get(place(*it, items.len())?)),
                    );
                }
            }
            Self::Slice { start, end, step } => {
                if let Value::Array(items) = value {
                    let bound = |it: i64| place(it, items.len()).unwrap_or(0).min(items.len());
                    let start = start.map_or(0, bound);
                    let end = end.map_or(items.len(), bound).max(start);
                    found.extend(items[start..end].iter().step_by(*step));
                }
            }
            Self::Filter(filter) => {
                if let Value::Array(items) = value {
                    found.extend(items.iter().filter(|it| filter.takes(it)));
                }
            }
        }
    }
}

/// An index counted from either end.
fn place(index: i64, length: usize) -> Option<usize> {
    if index >= 0 {
        return usize::try_from(index).ok();
    }
    let back = usize::try_from(index.unsigned_abs()).ok()?;
    length.checked_sub(back)
}

impl Filter {
    fn takes(&self, value: &Value) -> bool {
        match self {
            Self::Exists(path) => path.first(value).is_some(),
            Self::Compare {
                left,
                operator,
                right,
            } => {
                let (Some(left), Some(right)) = (left.value(value), right.value(value)) else {
                    return false;
                };
                operator.holds(left, right)
            }
        }
    }
}

impl Operand {
    fn value<'a>(&'a self, value: &'a Value) -> Option<&'a Value> {
        match self {
            Self::Path(path) => path.first(value),
            Self::Literal(literal) => Some(literal),
        }
    }
}

impl Operator {
    fn holds(self, left: &Value, right: &Value) -> bool {
        let order = match (left, right) {
            (Value::Number(left), Value::Number(right)) => left
                .as_f64()
                .zip(right.as_f64())
                .and_then(|(left, right)| left.partial_cmp(&right)),
            (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
            (left, right) => (left == right).then_some(Ordering::Equal),
        };
        match self {
            Self::Equal => order == Some(Ordering::Equal),
            Self::NotEqual => order != Some(Ordering::Equal),
            Self::Less => order == Some(Ordering::Less),
            Self::LessOrEqual => order.is_some_and(Ordering::is_le),
            Self::Greater => order == Some(Ordering::Greater),
            Self::GreaterOrEqual => order.is_some_and(Ordering::is_ge),
        }
    }
}

#[cfg(test)]
mod tests;

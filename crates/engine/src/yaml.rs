//! Changes values in YAML text and leaves everything else as it is: comments, quotes, indentation, line ends.
//!
//! Every change is checked by reading the text again: unless exactly the value asked for changed, the edit is an error
//! and nothing is written.

use std::str::FromStr;

use serde_json::Value;
use yaml_edit::{
    AnchorRegistry, Document, Mapping, ScalarStyle, ScalarValue, Sequence, YamlFile, YamlNode,
};

/// The largest file that is edited.
const MOST_BYTES: usize = 16 << 20;

/// One part of the path to a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// A key, or an index where there is a sequence.
    Any(String),
    /// A key, whatever it looks like.
    Key(String),
}

impl Part {
    fn text(&self) -> &str {
        match self {
            Self::Any(text) | Self::Key(text) => text,
        }
    }
}

/// Why YAML text could not be changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("not valid YAML: {0}")]
    Syntax(String),
    #[error("too large to be edited: {0} bytes")]
    TooLarge(usize),
    #[error("key {0:?} is empty or has an empty part")]
    Key(String),
    #[error("key {key:?} was not found: there is no {part:?}")]
    NotFound { key: String, part: String },
    #[error("key {key:?} holds a mapping or a list, not a single value")]
    NotScalar { key: String },
    #[error("value of key {key:?} must be a string, a number, a boolean or null")]
    Value { key: String },
    #[error("{0}")]
    Shape(String),
    #[error("setting {0:?} would change something else too, so nothing was changed")]
    Unsafe(String),
}

impl Error {
    /// Names the next thing to try.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Syntax(_) | Self::Shape(_) => "correct the file in the repository",
            Self::TooLarge(_) => "split the file",
            Self::Key(_) => "write a key such as image.tag",
            Self::NotFound { .. } => "correct the key, or add it to the file in the repository",
            Self::NotScalar { .. } => "name a single value below it",
            Self::Value { .. } => {
                "write the list or mapping in the repository, and update its values"
            }
            Self::Unsafe(_) => "write the value out in the file, without anchors and aliases",
        }
    }
}

/// Splits a path at its dots; a backslash escapes, a colon in front of a part makes it a key even if it is a number.
pub(crate) fn parse_key(key: &str) -> Result<Vec<Part>, Error> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut forced = false;
    let mut characters = key.chars().peekable();
    let mut at_start = true;
    loop {
        match characters.next() {
            Some('\\') => text.push(characters.next().unwrap_or('\\')),
            Some(':') if at_start => forced = true,
            Some(other) if other != '.' => text.push(other),
            end => {
                if text.is_empty() {
                    return Err(Error::Key(key.to_owned()));
                }
                let text = std::mem::take(&mut text);
                parts.push(if forced {
                    Part::Key(text)
                } else {
                    Part::Any(text)
                });
                forced = false;
                at_start = true;
                if end.is_none() {
                    return Ok(parts);
                }
                continue;
            }
        }
        at_start = false;
    }
}

/// Sets scalars of the first document: each must be there already.
///
/// A path through an alias changes what the alias names. Integral numbers are written without a fraction.
pub(crate) fn set_scalars(text: &str, updates: &[(String, Value)]) -> Result<String, Error> {
    let mut text = text.to_owned();
    for (key, value) in updates {
        let parts = parse_key(key)?;
        let value = whole(value);
        if value.is_array() || value.is_object() {
            return Err(Error::Value { key: key.clone() });
        }
        let before = read(&text)?;
        let at = Place::find(&text, key, &parts)?;
        // The style that is there is kept where it can say the new value; double quotes can say everything.
        let mut attempts = at
            .style()
            .into_iter()
            .chain([ScalarStyle::Plain, ScalarStyle::DoubleQuoted]);
        text = attempts
            .find_map(|style| {
                let at = Place::find(&text, key, &parts).ok()?;
                at.set(render(&value, style)?);
                let changed = at.text();
                is_only_change(&before, &changed, &parts, &value, at.is_shared).then_some(changed)
            })
            .ok_or_else(|| Error::Unsafe(key.clone()))?;
    }
    Ok(text)
}

/// Where a scalar is.
struct Place {
    file: YamlFile,
    container: Container,
    /// An alias was followed: other places show the same value.
    is_shared: bool,
    old: Option<YamlNode>,
}

enum Container {
    Mapping(Mapping, yaml_edit::MappingEntry),
    Sequence(Sequence, usize),
}

impl Place {
    fn find(text: &str, key: &str, parts: &[Part]) -> Result<Self, Error> {
        let file = parse(text)?;
        let document = file
            .document()
            .ok_or_else(|| Error::Syntax("it is empty".to_owned()))?;
        let anchors = AnchorRegistry::from_document(&document);
        let not_found = |part: &Part| Error::NotFound {
            key: key.to_owned(),
            part: part.text().to_owned(),
        };
        let mut node = root(&document).ok_or_else(|| not_found(&parts[0]))?;
        let mut is_shared = false;
        for (depth, part) in parts.iter().enumerate() {
            let (container, found) = step(&node, part).ok_or_else(|| not_found(part))?;
            let mut found_node = found;
            if let Some(alias) = found_node.as_ref().and_then(YamlNode::as_alias).cloned() {
                is_shared = true;
                let resolved = anchors
                    .resolve_alias(&alias)
                    .map_err(|error| Error::Syntax(error.to_string()))?;
                if depth + 1 == parts.len() {
                    // What the alias names is somewhere else: find who holds it there.
                    let holder =
                        holder_of(&root(&document).ok_or_else(|| not_found(part))?, &resolved);
                    let container = holder.ok_or_else(|| not_found(part))?;
                    return Self {
                        file,
                        container,
                        is_shared,
                        old: Some(resolved),
                    }
                    .scalar(key);
                }
                found_node = Some(resolved);
            }
            if depth + 1 == parts.len() {
                return Self {
                    file,
                    container,
                    is_shared,
                    old: found_node,
                }
                .scalar(key);
            }
            node = found_node.ok_or_else(|| not_found(&parts[depth + 1]))?;
        }
        Err(Error::Key(key.to_owned()))
    }

    fn scalar(self, key: &str) -> Result<Self, Error> {
        match &self.old {
            None => Ok(self),
            Some(old) if old.is_scalar() => Ok(self),
            Some(YamlNode::TaggedNode(tagged)) if tagged.value().is_some() => Ok(self),
            Some(_) => Err(Error::NotScalar {
                key: key.to_owned(),
            }),
        }
    }

    fn style(&self) -> Option<ScalarStyle> {
        style_of(self.old.as_ref()?)
    }

    fn set(&self, value: ScalarValue) {
        match &self.container {
            Container::Mapping(mapping, entry) => entry.set_value(value, mapping.is_flow_style()),
            Container::Sequence(sequence, index) => {
                sequence.set(*index, value);
            }
        }
    }

    fn text(&self) -> String {
        self.file.to_string()
    }
}

/// How a scalar is written.
fn style_of(node: &YamlNode) -> Option<ScalarStyle> {
    Some(match node.as_scalar()?.value().chars().next()? {
        '"' => ScalarStyle::DoubleQuoted,
        '\'' => ScalarStyle::SingleQuoted,
        '|' => ScalarStyle::Literal,
        _ => ScalarStyle::Plain,
    })
}

/// A string written as the scalar that is there, where that is in quotes; else with quotes only if it needs them.
pub(crate) fn string_like(old: Option<&YamlNode>, text: &str) -> ScalarValue {
    match old.and_then(style_of) {
        Some(style @ (ScalarStyle::DoubleQuoted | ScalarStyle::SingleQuoted)) => {
            ScalarValue::with_style(text, style)
        }
        Some(ScalarStyle::Plain | ScalarStyle::Literal | ScalarStyle::Folded) | None => {
            ScalarValue::string(text)
        }
    }
}

/// Goes one step down, to the container and what it holds there.
fn step(node: &YamlNode, part: &Part) -> Option<(Container, Option<YamlNode>)> {
    let (mapping, sequence) = collections(node);
    if let Some(sequence) = sequence {
        let Part::Any(index) = part else { return None };
        let index: usize = index.parse().ok().filter(|index| *index < sequence.len())?;
        let item = sequence.get(index);
        return Some((Container::Sequence(sequence, index), item));
    }
    let mapping = mapping?;
    let same_text = |entry: &yaml_edit::MappingEntry| {
        entry.key_node().is_some_and(|key| {
            key.as_scalar()
                .is_some_and(|key| key.as_string() == part.text())
        })
    };
    let entry = mapping.entries().find(same_text)?;
    let value = entry.value_node();
    Some((Container::Mapping(mapping, entry), value))
}

fn collections(node: &YamlNode) -> (Option<Mapping>, Option<Sequence>) {
    match node {
        YamlNode::TaggedNode(tagged) => (tagged.as_mapping(), tagged.as_sequence()),
        other => (other.as_mapping().cloned(), other.as_sequence().cloned()),
    }
}

/// Finds the entry whose value is `target`, in the whole tree.
fn holder_of(node: &YamlNode, target: &YamlNode) -> Option<Container> {
    let is_target = |node: &YamlNode| {
        let (a, b) = (node.byte_range(), target.byte_range());
        a.start == b.start && a.end == b.end
    };
    match collections(node) {
        (Some(mapping), _) => mapping.entries().find_map(|entry| {
            let value = entry.value_node()?;
            if is_target(&value) {
                Some(Container::Mapping(mapping.clone(), entry))
            } else {
                holder_of(&value, target)
            }
        }),
        (None, Some(sequence)) => sequence.values().enumerate().find_map(|(index, value)| {
            if is_target(&value) {
                Some(Container::Sequence(sequence.clone(), index))
            } else {
                holder_of(&value, target)
            }
        }),
        (None, None) => None,
    }
}

/// Parses text as a file of documents.
pub(crate) fn parse(text: &str) -> Result<YamlFile, Error> {
    if text.len() > MOST_BYTES {
        return Err(Error::TooLarge(text.len()));
    }
    YamlFile::from_str(text).map_err(|error| Error::Syntax(error.to_string()))
}

pub(crate) fn root(document: &Document) -> Option<YamlNode> {
    let mapping = document.as_mapping().map(YamlNode::Mapping);
    mapping.or_else(|| document.as_sequence().map(YamlNode::Sequence))
}

/// Reads all documents as values.
pub(crate) fn read(text: &str) -> Result<Vec<Value>, Error> {
    serde_saphyr::from_multiple(text).map_err(|error| Error::Syntax(error.to_string()))
}

/// Writes a value in a style; none where the style cannot say it.
fn render(value: &Value, style: ScalarStyle) -> Option<ScalarValue> {
    match value {
        Value::String(text) => match style {
            ScalarStyle::Literal if !text.ends_with('\n') => None,
            ScalarStyle::Plain => Some(ScalarValue::string(text)),
            style => Some(ScalarValue::with_style(text, style)),
        },
        Value::Null => Some(ScalarValue::null()),
        Value::Bool(_) | Value::Number(_) => Some(ScalarValue::parse(value.to_string())),
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// A number without a fraction as an integer.
fn whole(value: &Value) -> Value {
    match value.as_f64() {
        #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
        Some(number) if value.is_f64() && number.fract() == 0.0 && number.abs() < 9e15 => {
            Value::from(number as i64)
        }
        _ => value.clone(),
    }
}

/// Says whether the text now reads as before, but for the one value.
fn is_only_change(
    before: &[Value],
    text: &str,
    parts: &[Part],
    value: &Value,
    is_shared: bool,
) -> bool {
    let Ok(after) = read(text) else { return false };
    let at = |documents: &[Value]| documents.first().and_then(|it| look_up(it, parts)).cloned();
    if at(&after).as_ref() != Some(value) {
        return false;
    }
    if is_shared || text.contains('&') {
        // Other places may show the anchored value too.
        return after.len() == before.len();
    }
    let mut expected = before.to_vec();
    let place = expected.first_mut().and_then(|it| look_up_mut(it, parts));
    if let Some(place) = place {
        *place = value.clone();
    }
    expected == after
}

fn look_up<'a>(document: &'a Value, parts: &[Part]) -> Option<&'a Value> {
    parts.iter().try_fold(document, |value, part| match value {
        Value::Array(items) => items.get(part.text().parse::<usize>().ok()?),
        Value::Object(members) => members.get(part.text()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    })
}

fn look_up_mut<'a>(document: &'a mut Value, parts: &[Part]) -> Option<&'a mut Value> {
    parts.iter().try_fold(document, |value, part| match value {
        Value::Array(items) => items.get_mut(part.text().parse::<usize>().ok()?),
        Value::Object(members) => members.get_mut(part.text()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(before: &str, key: &str, value: Value, after: &str) {
        let changed = set_scalars(before, &[(key.to_owned(), value)]).unwrap();
        assert_eq!(changed, after);
    }

    #[track_caller]
    fn check_error(before: &str, key: &str, value: Value, message: &str) {
        assert_eq!(
            set_scalars(before, &[(key.to_owned(), value)])
                .unwrap_err()
                .to_string(),
            message
        );
    }

    #[test]
    fn only_the_value_changes() {
        let text = "# top\nimage:   \n  tag: 1.0 # why\n  name: web\n\nlist: [a, {b: 1}] # end\n";
        check(
            text,
            "image.tag",
            json!("2.0"),
            &text.replace("1.0", "'2.0'"),
        );
        check(
            text,
            "image.name",
            json!("api"),
            &text.replace("web", "api"),
        );
        check(text, "list.0", json!("x"), &text.replace("[a,", "[x,"));
        check(text, "list.1.b", json!(2), &text.replace("b: 1", "b: 2"));
    }

    #[test]
    fn siblings_in_flow_style_stay() {
        check(
            "a: {b: 1, c: 2} # d\n",
            "a.b",
            json!(3.0),
            "a: {b: 3, c: 2} # d\n",
        );
        check(
            "a: {b: 1, c: 2}\n",
            "a.c",
            json!("x, y"),
            "a: {b: 1, c: \"x, y\"}\n",
        );
    }

    #[test]
    fn quotes_stay_as_they_were() {
        check("a: \"x\"\n", "a", json!("z"), "a: \"z\"\n");
        check("a: 'x'\n", "a", json!("z"), "a: 'z'\n");
        check("a: x\n", "a", json!("z"), "a: z\n");
    }

    #[test]
    fn strings_that_read_as_something_else_are_quoted() {
        for text in [
            "yes",
            "null",
            "~",
            "2024-01-01",
            "a: b",
            "#x",
            "1e3",
            "0x10",
            "true",
            "",
            " x",
            "- y",
            "1.10",
        ] {
            let changed = set_scalars("a: old\n", &[("a".to_owned(), json!(text))]).unwrap();
            assert_eq!(read(&changed).unwrap(), [json!({"a": text})], "{changed}");
        }
    }

    #[test]
    fn values_keep_their_type() {
        check("a: old\n", "a", json!(12), "a: 12\n");
        check("a: old\n", "a", json!(1_234_567.0), "a: 1234567\n");
        check("a: old\n", "a", json!(1.5), "a: 1.5\n");
        check("a: old\n", "a", json!(true), "a: true\n");
        check("a: old\n", "a", json!(null), "a: null\n");
    }

    #[test]
    fn several_lines_are_replaced_as_a_whole() {
        check(
            "a: |\n  one\n  two\nb: 1\n",
            "a",
            json!("x"),
            "a: x\nb: 1\n",
        );
        check(
            "a: |\n  one\n  two\nb: 1\n",
            "a",
            json!("x\ny\n"),
            "a: |\n  x\n  y\nb: 1\n",
        );
        check("a: one\n  two\nb: 1\n", "a", json!("x"), "a: x\nb: 1\n");
        check(
            "a: \"one\n  two\"\nb: 1\n",
            "a",
            json!("x"),
            "a: \"x\"\nb: 1\n",
        );
    }

    #[test]
    fn line_ends_stay() {
        check("a: 1\r\nb: 2\r\n", "a", json!(3), "a: 3\r\nb: 2\r\n");
        check("a: 1\nb: 2", "b", json!(3), "a: 1\nb: 3");
    }

    #[test]
    fn an_empty_value_can_be_set() {
        check("a:\nb: 1\n", "a", json!("x"), "a: x\nb: 1\n");
        check("a: # c\nb: 1\n", "a", json!("x"), "a: x # c\nb: 1\n");
    }

    #[test]
    fn other_documents_stay() {
        check("a: 1\n---\na: 1\n", "a", json!(2), "a: 2\n---\na: 1\n");
        check("- a: 1\n- a: 2\n", "1.a", json!(3), "- a: 1\n- a: 3\n");
    }

    #[test]
    fn an_alias_is_followed() {
        check("x: &v 1\ny: *v\n", "y", json!(2), "x: &v 2\ny: *v\n");
        check(
            "x: &v\n  a: 1\ny: *v\n",
            "y.a",
            json!(2),
            "x: &v\n  a: 2\ny: *v\n",
        );
    }

    #[test]
    fn keys_can_have_dots_and_numbers() {
        check("a.b: 1\n", r"a\.b", json!(2), "a.b: 2\n");
        check("a:\n  1: x\n", "a.1", json!("z"), "a:\n  1: z\n");
        check("a:\n  1: x\n", "a.:1", json!("z"), "a:\n  1: z\n");
    }

    #[test]
    fn what_is_not_there_is_an_error() {
        check_error(
            "a: 1\n",
            "b",
            json!(1),
            "key \"b\" was not found: there is no \"b\"",
        );
        check_error(
            "a: [1]\n",
            "a.1",
            json!(1),
            "key \"a.1\" was not found: there is no \"1\"",
        );
        check_error(
            "a: {b: 1}\n",
            "a",
            json!(1),
            "key \"a\" holds a mapping or a list, not a single value",
        );
        let message = "value of key \"a\" must be a string, a number, a boolean or null";
        check_error("a: 1\n", "a", json!([1]), message);
        check_error(
            "a: 1\n",
            "a..b",
            json!(1),
            "key \"a..b\" is empty or has an empty part",
        );
        assert!(matches!(
            set_scalars("a: [\n", &[("a".to_owned(), json!(1))]),
            Err(Error::Syntax(_))
        ));
    }
}

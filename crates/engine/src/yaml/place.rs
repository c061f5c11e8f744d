//! Where a scalar is in YAML text, and how it is written there.

use yaml_edit::{
    AnchorRegistry, Mapping, MappingEntry, ScalarStyle, ScalarValue, Sequence, YamlFile, YamlNode,
};

use super::key::Part;
use super::{Error, parse, root};

/// Where a scalar is.
pub(super) struct Place {
    file: YamlFile,
    container: Container,
    /// An alias was followed: other places show the same value.
    pub(super) is_shared: bool,
    old: Option<YamlNode>,
}

enum Container {
    Mapping(Mapping, MappingEntry),
    Sequence(Sequence, usize),
}

impl Place {
    pub(super) fn find(text: &str, key: &str, parts: &[Part]) -> Result<Self, Error> {
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

    pub(super) fn style(&self) -> Option<ScalarStyle> {
        style_of(self.old.as_ref()?)
    }

    /// The bytes of the value that is there.
    pub(super) fn old_length(&self) -> usize {
        self.old.as_ref().map_or(0, |old| {
            let range = old.byte_range();
            (range.end - range.start) as usize
        })
    }

    pub(super) fn set(&self, value: ScalarValue) {
        match &self.container {
            Container::Mapping(mapping, entry) => entry.set_value(value, mapping.is_flow_style()),
            Container::Sequence(sequence, index) => {
                sequence.set(*index, value);
            }
        }
    }

    pub(super) fn text(&self) -> String {
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
    let same_text = |entry: &MappingEntry| {
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

//! Sets of paths: which fields of an object somebody owns.

use std::collections::BTreeMap;

use super::element::{Element, Path};
use crate::shape::Shape;

/// A set of paths, kept as a tree.
///
/// An entry is there only if it is a member or has members below.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Set {
    entries: BTreeMap<Element, Entry>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Entry {
    member: bool,
    below: Set,
}

impl Set {
    /// Adds a path; its parents are not added, and the empty path belongs to nobody.
    pub(crate) fn insert(&mut self, path: &[Element]) {
        let Some((first, rest)) = path.split_first() else {
            return;
        };
        let entry = self.entries.entry(first.clone()).or_default();
        if rest.is_empty() {
            entry.member = true;
        } else {
            entry.below.insert(rest);
        }
    }

    pub(super) fn put(&mut self, element: Element, member: bool, below: &Self) {
        if member || !below.is_empty() {
            let entry = self.entries.entry(element).or_default();
            entry.member |= member;
            entry.below = std::mem::take(&mut entry.below).union(below);
        }
    }

    /// Says whether there is nothing in the set.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Says whether an element is a member at the top.
    pub(crate) fn has(&self, element: &Element) -> bool {
        self.entries.get(element).is_some_and(|entry| entry.member)
    }

    /// Says whether a path is a member.
    pub(crate) fn has_path(&self, path: &[Element]) -> bool {
        match path {
            [] => false,
            [only] => self.has(only),
            [first, rest @ ..] => self.below(first).is_some_and(|below| below.has_path(rest)),
        }
    }

    /// Finds the members below an element, if there are any.
    pub(crate) fn below(&self, element: &Element) -> Option<&Self> {
        self.entries
            .get(element)
            .map(|entry| &entry.below)
            .filter(|below| !below.is_empty())
    }

    /// Goes through the top: each element, whether it is a member, what is below it.
    pub(crate) fn top(&self) -> impl Iterator<Item = (&Element, bool, &Self)> {
        self.entries
            .iter()
            .map(|(element, entry)| (element, entry.member, &entry.below))
    }

    /// Lists all members, those of a level before those below it.
    pub(crate) fn paths(&self) -> Vec<Path> {
        let mut paths = Vec::new();
        self.collect(&mut Vec::new(), &mut paths);
        paths
    }

    fn collect(&self, prefix: &mut Path, paths: &mut Vec<Path>) {
        for (element, entry) in &self.entries {
            if entry.member {
                let mut path = prefix.clone();
                path.push(element.clone());
                paths.push(path);
            }
        }
        for (element, entry) in &self.entries {
            prefix.push(element.clone());
            entry.below.collect(prefix, paths);
            prefix.pop();
        }
    }

    /// What is in either.
    #[must_use]
    pub(crate) fn union(&self, other: &Self) -> Self {
        let mut union = self.clone();
        for (element, entry) in &other.entries {
            let mine = union.entries.entry(element.clone()).or_default();
            mine.member |= entry.member;
            mine.below = mine.below.union(&entry.below);
        }
        union
    }

    /// What is in both.
    #[must_use]
    pub(crate) fn intersection(&self, other: &Self) -> Self {
        self.zip(other, |mine, theirs| Entry {
            member: mine.member && theirs.is_some_and(|it| it.member),
            below: theirs
                .map(|it| mine.below.intersection(&it.below))
                .unwrap_or_default(),
        })
    }

    /// What is in this set and not in the other; what is below a removed member stays.
    #[must_use]
    pub(crate) fn difference(&self, other: &Self) -> Self {
        self.zip(other, |mine, theirs| match theirs {
            None => mine.clone(),
            Some(theirs) => Entry {
                member: mine.member && !theirs.member,
                below: mine.below.difference(&theirs.below),
            },
        })
    }

    /// What is in this set and neither in the other nor below one of its members.
    #[must_use]
    pub(crate) fn without(&self, other: &Self) -> Self {
        self.zip(other, |mine, theirs| match theirs {
            None => mine.clone(),
            Some(theirs) if theirs.member => Entry::default(),
            Some(theirs) => Entry {
                member: mine.member,
                below: mine.below.without(&theirs.below),
            },
        })
    }

    fn zip(&self, other: &Self, join: impl Fn(&Entry, Option<&Entry>) -> Entry) -> Self {
        let joined = self
            .entries
            .iter()
            .map(|(element, mine)| (element, join(mine, other.entries.get(element))));
        let kept = joined.filter(|(_, entry)| entry.member || !entry.below.is_empty());
        Self {
            entries: kept
                .map(|(element, entry)| (element.clone(), entry))
                .collect(),
        }
    }

    /// Adds every declared field that has members below it.
    ///
    /// A declared field is usually not a member itself, since only what is below it can be owned; removal needs it to be.
    #[must_use]
    pub(crate) fn with_declared_fields(&self, shape: Option<&Shape>) -> Self {
        let atom = shape.map(Shape::atom);
        let entries = self.entries.iter().map(|(element, entry)| {
            let (mut member, mut inner) = (entry.member, None);
            match element {
                Element::Field(name) => {
                    if let Some(map) = atom.and_then(|atom| atom.map) {
                        inner = map.shape_of(name);
                        member |= !entry.below.is_empty() && map.declares(name);
                    }
                }
                Element::Key(_) => inner = atom.and_then(|atom| atom.list).map(|list| list.item),
                Element::Value(_) | Element::Index(_) => {}
            }
            (
                element.clone(),
                Entry {
                    member,
                    below: entry.below.with_declared_fields(inner),
                },
            )
        });
        Self {
            entries: entries.collect(),
        }
    }
}

//! What a large list has become since it was last read, by the rows that have changed.
//!
//! Rows come in the order of their updates, so those that have changed come before the row that was the newest. The tags that
//! were taken stay candidates where no row says anything else of them; where one does, there may be better ones among those
//! that were not taken, and the list is read as a whole (`docs/decisions/0151-after-a-push-what-has-changed-is-read.md`).

use std::collections::{HashMap, HashSet};

use domain::selection::{Listed, Rule, Selected};

use super::notes::Note;
use crate::registry::tags::Row;

/// Holds what was taken before, and what the rows say that came since.
#[derive(Debug)]
pub(super) struct Since {
    pub(super) note: Note,
    /// Tags with their digests, and all digests.
    tags: HashMap<String, String>,
    digests: HashSet<String>,
}

impl Since {
    /// Begins with what was selected from the whole list; nothing where that says nothing of what may be taken now.
    pub(super) fn start(note: Note) -> Option<Self> {
        (!note.selected.taken.is_empty()).then(|| Self {
            note,
            tags: HashMap::new(),
            digests: HashSet::new(),
        })
    }

    /// Takes note of a row.
    pub(super) fn saw(&mut self, row: &Row) {
        match row {
            Row::Tag(Listed { tag, digest, .. }) => {
                let digest = digest.clone().unwrap_or_default();
                self.tags.insert(tag.clone(), digest.clone());
                self.digests.insert(digest);
            }
            Row::Untagged { digest, .. } => drop(self.digests.insert(digest.clone())),
        }
    }

    /// Gives those of the tags that were taken of which no row came; nothing where a row says otherwise of one of them.
    ///
    /// A row that came may be as it was: the one that was the newest comes again, with those shortly before it.
    pub(super) fn kept(&self) -> Option<Vec<Listed>> {
        let mut kept = Vec::new();
        for was in &self.note.selected.taken {
            let named = self.tags.get(&was.tag);
            if named.is_some_and(|digest| *digest == was.digest) {
                continue;
            }
            if named.is_some() || self.digests.contains(&was.digest) {
                return None;
            }
            kept.push(Listed {
                tag: was.tag.clone(),
                digest: Some(was.digest.clone()),
                uploaded_at: was.uploaded_at,
                ..Listed::default()
            });
        }
        Some(kept)
    }

    /// Says that a tag which was taken before does not fit any more, so that one is missing.
    pub(super) fn has_lost(&self, selected: &Selected) -> bool {
        let taken = &self.note.selected.taken;
        selected.ruled_out.iter().any(|it| {
            let is_of_look = matches!(it.rule, Rule::Platform | Rule::Gone | Rule::Unusable(_));
            is_of_look
                && (it.count > it.tags.len() || taken.iter().any(|was| it.tags.contains(&was.tag)))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use domain::selection::Taken;
    use jiff::Timestamp;

    use super::super::versions::Newest;
    use super::*;

    fn row(tag: &str, digest: &str) -> Row {
        Row::Tag(Listed {
            tag: tag.to_owned(),
            digest: Some(digest.to_owned()),
            ..Listed::default()
        })
    }

    /// Gives which of `1.0` and `2.0`, at digests `one` and `two`, are kept after these rows.
    fn kept(rows: &[Row]) -> Option<Vec<String>> {
        let taken = [("2.0", "two"), ("1.0", "one")].map(|(tag, digest)| Taken {
            tag: tag.to_owned(),
            digest: digest.to_owned(),
            created_at: None,
            uploaded_at: None,
            annotations: std::collections::BTreeMap::new(),
        });
        let selected = Selected {
            taken: taken.to_vec(),
            ..Selected::default()
        };
        let note = Note {
            newest: Newest::none(),
            listed_at: Timestamp::UNIX_EPOCH,
            selected: Arc::new(selected),
        };
        let mut since = Since::start(note).expect("something was taken");
        for row in rows {
            since.saw(row);
        }
        let kept = since.kept()?.into_iter().map(|it| it.tag);
        Some(kept.collect())
    }

    #[test]
    fn tags_are_kept_unless_a_row_says_otherwise() {
        let both = Some(vec!["2.0".to_owned(), "1.0".to_owned()]);
        assert_eq!(kept(&[]), both);
        assert_eq!(kept(&[row("3.0", "three"), row("latest", "three")]), both);
        let again = row("2.0", "two");
        assert_eq!(kept(&[again]), Some(vec!["1.0".to_owned()]));
        assert_eq!(kept(&[row("2.0", "three")]), None, "it has moved");
        assert_eq!(kept(&[row("latest", "one")]), None, "it has lost its tag");
        let untagged = Row::Untagged {
            digest: "one".to_owned(),
            built_at: None,
        };
        assert_eq!(kept(&[untagged]), None, "it has lost its only tag");
    }
}

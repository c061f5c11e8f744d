//! Fields that an applier wants and somebody else owns.

use std::collections::BTreeMap;
use std::fmt;

use super::element::{Path, path_text};
use super::managers::Manager;
use super::set::Set;

/// All conflicts of one request; it prints as the message of the `409`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflicts {
    found: BTreeMap<Manager, Vec<Path>>,
}

impl Conflicts {
    /// Collects the fields that each other manager would lose; `None` when there are none.
    pub(super) fn find(lost: &BTreeMap<Manager, Set>) -> Option<Self> {
        let found = lost
            .iter()
            .map(|(manager, set)| (manager.clone(), set.paths()))
            .filter(|(_, paths)| !paths.is_empty());
        let found: BTreeMap<_, _> = found.collect();
        (!found.is_empty()).then_some(Self { found })
    }

    /// The conflicts left when some fields may be taken; `None` when there are none.
    pub(super) fn except(&self, allowed: &Set) -> Option<Self> {
        let found = self.found.iter().map(|(manager, paths)| {
            (
                manager.clone(),
                paths
                    .iter()
                    .filter(|path| !allowed.has_path(path))
                    .cloned()
                    .collect::<Vec<Path>>(),
            )
        });
        let found: BTreeMap<_, _> = found.filter(|(_, paths)| !paths.is_empty()).collect();
        (!found.is_empty()).then_some(Self { found })
    }

    /// Lists the causes of the `Status`: field and message, their reason being `FieldManagerConflict`.
    pub fn causes(&self) -> Vec<(String, String)> {
        let causes = self.found.iter().flat_map(|(manager, paths)| {
            paths
                .iter()
                .map(move |path| (path_text(path), format!("conflict with {}", manager.text())))
        });
        causes.collect()
    }
}

impl fmt::Display for Conflicts {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count: usize = self.found.values().map(Vec::len).sum();
        if count == 1
            && let Some((manager, paths)) = self.found.first_key_value()
        {
            let path = paths
                .first()
                .map(|path| path_text(path))
                .unwrap_or_default();
            return write!(
                out,
                "Apply failed with 1 conflict: conflict with {}: {path}",
                manager.text()
            );
        }
        write!(out, "Apply failed with {count} conflicts: ")?;
        for (index, (manager, paths)) in self.found.iter().enumerate() {
            let line = if index == 0 { "" } else { "\n" };
            write!(out, "{line}conflicts with {}:", manager.text())?;
            for path in paths {
                write!(out, "\n- {}", path_text(path))?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Conflicts {}

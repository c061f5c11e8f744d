//! What is remembered of large lists between two looks at them.
//!
//! All is kept under the scope of the client that was shown the list: nothing crosses projects or credentials. It dies
//! with the process, which costs a list.

use std::sync::Arc;
use std::time::Duration;

use domain::selection::Selected;
use jiff::Timestamp;
use moka::sync::Cache;

use super::children::Said;
use super::versions::Newest;
use crate::registry::{Reader, Scope};

/// Most bytes of what was selected, of all lists together, most repositories whose standing is known, and most images that
/// were asked for by their digest.
const BYTES_BOUND: u64 = 16 << 20;
const STANDINGS_BOUND: u64 = 10_000;
const IMAGES_BOUND: u64 = 10_000;
/// Longest time that a list is remembered which nobody asks about.
const IDLE: Duration = Duration::from_hours(2);

/// Remembers for all clients.
#[derive(Debug)]
pub(in crate::registry) struct Notes {
    standings: Cache<(Scope, String), Standing>,
    selected: Cache<(Scope, String, String), Note>,
    /// When images were built, by repository and digest.
    built: Cache<(Scope, String, String), Timestamp>,
}

/// How a repository can be listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// It takes more than a page.
    pub(super) is_large: bool,
    /// Listing the newest first has been refused.
    pub(super) refused_until: Option<Timestamp>,
}

/// What was selected from a list, and its newest row then.
#[derive(Debug, Clone)]
pub(super) struct Note {
    pub(super) newest: Newest,
    pub(super) listed_at: Timestamp,
    pub(super) selected: Arc<Selected>,
}

impl Default for Notes {
    fn default() -> Self {
        let weight = |(_, path, rules): &(Scope, String, String), note: &Note| {
            let bytes = path.len() + rules.len() + bytes(&note.selected);
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        Self {
            standings: Cache::builder()
                .max_capacity(STANDINGS_BOUND)
                .time_to_idle(IDLE)
                .build(),
            selected: Cache::builder()
                .max_capacity(BYTES_BOUND)
                .weigher(weight)
                .time_to_idle(IDLE)
                .build(),
            built: Cache::builder()
                .max_capacity(IMAGES_BOUND)
                .time_to_idle(IDLE)
                .build(),
        }
    }
}

impl Notes {
    pub(super) fn standing(&self, reader: &Reader<'_>) -> Standing {
        let key = key(reader);
        self.standings.get(&key).unwrap_or_default()
    }

    pub(super) fn keep_standing(&self, reader: &Reader<'_>, standing: &Standing) {
        let key = key(reader);
        if *standing == Standing::default() {
            self.standings.invalidate(&key);
        } else {
            self.standings.insert(key, standing.clone());
        }
    }

    pub(super) fn find(&self, reader: &Reader<'_>, rules: &str) -> Option<Note> {
        let (scope, path) = key(reader);
        self.selected.get(&(scope, path, rules.to_owned()))
    }

    pub(super) fn keep(&self, reader: &Reader<'_>, rules: &str, note: Note) {
        let (scope, path) = key(reader);
        self.selected.insert((scope, path, rules.to_owned()), note);
    }

    /// Finds what the API said of an image.
    pub(super) fn built_at(&self, reader: &Reader<'_>, digest: &str) -> Said {
        let (scope, path) = key(reader);
        let built_at = self.built.get(&(scope, path, digest.to_owned()));
        built_at.map_or(Said::Nothing, Said::Built)
    }

    pub(super) fn keep_built_at(&self, reader: &Reader<'_>, digest: &str, built_at: Timestamp) {
        let (scope, path) = key(reader);
        let key = (scope, path, digest.to_owned());
        self.built.insert(key, built_at);
    }
}

fn key(reader: &Reader<'_>) -> (Scope, String) {
    (reader.client.scope.clone(), reader.repository.path.clone())
}

/// Estimates the memory that a selection takes.
fn bytes(selected: &Selected) -> usize {
    let Selected {
        taken,
        ruled_out,
        remarks,
    } = selected;
    let taken = taken.iter().map(|it| {
        let annotations = it.annotations.iter();
        let texts = annotations.map(|(key, value)| key.len() + value.len() + 64);
        300 + it.tag.len() + texts.sum::<usize>()
    });
    let ruled_out = ruled_out
        .iter()
        .map(|it| 200 + it.tags.iter().map(|tag| tag.len() + 24).sum::<usize>());
    500 + taken.sum::<usize>() + ruled_out.sum::<usize>() + 200 * remarks.len()
}

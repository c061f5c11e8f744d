//! What a Stage holds: one Freight of each origin, under an id of its own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};

use crate::freight::{ArtifactReference, Chart, FreightOrigin, GitCommit, Image};
use crate::verification::VerificationRecord;
use crate::wire::is_empty;

/// How many collections a Stage remembers.
const HISTORY_MAX: usize = 10;

/// What Stages and Promotions remember of Freight.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FreightReference {
    #[serde(skip_serializing_if = "is_empty")]
    pub name: String,
    pub origin: FreightOrigin,
    #[serde(skip_serializing_if = "is_empty")]
    pub commits: Vec<GitCommit>,
    #[serde(skip_serializing_if = "is_empty")]
    pub images: Vec<Image>,
    #[serde(skip_serializing_if = "is_empty")]
    pub charts: Vec<Chart>,
    #[serde(skip_serializing_if = "is_empty")]
    pub artifacts: Vec<ArtifactReference>,
}

/// One Freight of each origin; the keys of `items` are keys of origins.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FreightCollection {
    pub id: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub items: BTreeMap<String, FreightReference>,
    /// Newest first.
    #[serde(skip_serializing_if = "is_empty")]
    pub verification_history: Vec<VerificationRecord>,
}

impl FreightCollection {
    /// A collection of these pieces of Freight, a later one replacing an earlier one of the same origin.
    pub fn of(freight: impl IntoIterator<Item = FreightReference>) -> Self {
        let mut collection = Self::default();
        for reference in freight {
            collection.insert(reference);
        }
        collection.id = collection.compute_id();
        collection
    }

    /// Puts Freight in the place of what was there from the same origin, which changes the id.
    pub fn update_or_push(&mut self, freight: FreightReference) {
        self.insert(freight);
        self.id = self.compute_id();
    }

    fn insert(&mut self, freight: FreightReference) {
        self.items.insert(freight.origin.key(), freight);
    }

    /// The id these items give: the SHA-1 of the sorted names, joined by commas.
    pub fn compute_id(&self) -> String {
        let mut names: Vec<&str> = self.items.values().map(|it| it.name.as_str()).collect();
        names.sort_unstable();
        hex::encode(Sha1::digest(names.join(",")))
    }

    /// Finds the Freight of an origin.
    pub fn of_origin(&self, origin: &FreightOrigin) -> Option<&FreightReference> {
        self.items.get(&origin.key())
    }

    /// Every Freight, in the order of the keys of their origins.
    pub fn references(&self) -> impl Iterator<Item = &FreightReference> {
        self.items.values()
    }

    /// Says whether a Freight is among the items.
    pub fn includes(&self, freight: &str) -> bool {
        self.items.values().any(|it| it.name == freight)
    }

    /// The newest verification.
    pub fn current_verification(&self) -> Option<&VerificationRecord> {
        self.verification_history.first()
    }

    /// Puts a verification in the place of the one with its id, or in front; the oldest beyond ten are forgotten.
    pub fn record_verification(&mut self, verification: VerificationRecord) {
        record(&mut self.verification_history, verification, |it| &it.id);
    }

    /// Says whether a verification is still going on.
    pub fn has_running_verification(&self) -> bool {
        self.verification_history.iter().any(|it| !it.is_terminal())
    }
}

/// Puts a collection in the place of the one with its id, or in front; the oldest beyond ten are forgotten.
pub fn record_freight(history: &mut Vec<FreightCollection>, collection: FreightCollection) {
    record(history, collection, |it| &it.id);
}

fn record<T>(history: &mut Vec<T>, entry: T, id: impl Fn(&T) -> &String) {
    if let Some(known) = history.iter_mut().find(|it| id(it) == id(&entry)) {
        *known = entry;
    } else {
        history.insert(0, entry);
        history.truncate(HISTORY_MAX);
    }
}

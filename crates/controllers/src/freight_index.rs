//! Freight as the loops and admission look it up: never all of it, always a row.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use domain::availability::Row;
use kube::Client;
use resources::Freight;
use tokio_util::sync::CancellationToken;

use crate::indexed_store::IndexedStore;
use crate::indexes::By;

/// Holds all Freight, in rows. A clone shows the same Freight.
#[derive(Clone)]
pub struct FreightIndex(pub(crate) Arc<IndexedStore<Freight>>);

impl FreightIndex {
    /// Holds nothing until the loops run with it, or [`Self::follow`] does.
    pub fn new() -> Self {
        Self(Arc::new(IndexedStore::new()))
    }

    /// Keeps up with the API until `cancel` fires.
    pub async fn follow(&self, client: Client, cancel: CancellationToken) {
        self.0.follow(client, cancel).await;
    }
}

impl Default for FreightIndex {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for FreightIndex {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("FreightIndex")
            .field("length", &self.0.len())
            .finish()
    }
}

impl domain::availability::FreightIndex for FreightIndex {
    fn is_filled(&self) -> bool {
        self.0.is_filled()
    }

    fn walk(
        &self,
        namespace: &str,
        row: Row<'_>,
        visit: &mut dyn FnMut(&Arc<Freight>) -> ControlFlow<()>,
    ) {
        let (by, value) = match row {
            Row::Warehouse(name) => (By::Warehouse, name),
            Row::CurrentlyIn(stage) => (By::CurrentlyIn, stage),
            Row::VerifiedIn(stage) => (By::VerifiedIn, stage),
            Row::ApprovedFor(stage) => (By::ApprovedFor, stage),
            Row::Alias(alias) => (By::Alias, alias),
        };
        self.0.walk_back(by, namespace, value, visit);
    }
}

#[cfg(test)]
mod tests;

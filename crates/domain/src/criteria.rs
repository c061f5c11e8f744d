//! May Freight be made of what was found? A Warehouse's `freightCreationCriteria` says.

use resources::{DiscoveredArtifacts, warehouse::FreightCreationCriteria};

/// Why the question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum CriteriaError {
    #[error("expressions are not evaluated yet")]
    Unsupported,
}

/// Says whether what was found satisfies the criteria; without any it does.
pub fn satisfied(
    criteria: Option<&FreightCreationCriteria>,
    _found: &DiscoveredArtifacts,
) -> Result<bool, CriteriaError> {
    match criteria
        .map(|it| it.expression.trim())
        .filter(|it| !it.is_empty())
    {
        None => Ok(true),
        Some(_) => Err(CriteriaError::Unsupported),
    }
}

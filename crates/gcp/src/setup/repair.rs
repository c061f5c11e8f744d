//! Repairs that no plan brings about, as they are for more than what `setup` sets up: each in both forms, or with the
//! reason why Terraform has none.

pub(crate) mod controller;
pub(crate) mod denial;
pub(crate) mod members;
pub(crate) mod nodes;
pub(crate) mod organisation;
pub(crate) mod repository;
#[cfg(test)]
pub(crate) mod tests;

use crate::facts::Facts;
use crate::principal::ProjectId;

/// Stands for the controller's Google Cloud project while nobody knows it; its form is that of an id.
const SOME_PROJECT: &str = "your-project";

/// Gives the controller's Google Cloud project, or a name in its place that a person replaces.
pub(crate) fn home(facts: &Facts) -> ProjectId {
    let known = facts.home.known().ok().map(|home| home.project.clone());
    known.unwrap_or_else(|| ProjectId::parse(SOME_PROJECT).expect("it has the form of an id"))
}

//! Warns of steps that could not run here; they are no fault as long as they do not have to.

use domain::validation::unknown_steps;
use resources::PromotionStep;

use super::Warnings;

pub(super) fn warnings(path: &str, steps: &[PromotionStep]) -> Warnings {
    let exists = |kind: &str| engine::STEPS.iter().any(|it| it.kind == kind);
    let unknown = unknown_steps(path, steps, exists);
    unknown
        .into_iter()
        .map(|(field, kind)| {
            format!("{field}: there is no step kind {kind:?} in this version; a Promotion fails if it comes to run it")
        })
        .collect()
}

//! Conditions, and the only function that sets one.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// The object is as its spec wants it.
pub const READY: &str = "Ready";
/// Work is under way.
pub const RECONCILING: &str = "Reconciling";
/// Nothing is wrong with what the object stands for.
pub const HEALTHY: &str = "Healthy";
/// A Stage is promoting.
pub const PROMOTING: &str = "Promoting";
/// The Freight in a Stage was verified.
pub const VERIFIED: &str = "Verified";
/// What was discovered satisfies a Warehouse's `freightCreationCriteria`.
pub const FREIGHT_CREATION_CRITERIA_SATISFIED: &str = "FreightCreationCriteriaSatisfied";
/// The last discovery made new Freight.
pub const FREIGHT_CREATED: &str = "FreightCreated";
/// What the last discovery of a Warehouse asked of the outside.
pub const DISCOVERY_COST: &str = "DiscoveryCost";
/// What people should know of how a Warehouse's artifacts were chosen.
pub const SELECTION_REMARKS: &str = "SelectionRemarks";
/// An identity of a cloud acts at its registries for a Warehouse; ours, beside Kargo's.
pub const REGISTRY_IDENTITY: &str = "RegistryIdentity";
/// Why work stopped and will not go on by itself.
pub const STALLED: &str = "Stalled";

/// `status` of a condition.
pub const TRUE: &str = "True";
/// `status` of a condition.
pub const FALSE: &str = "False";
/// `status` of a condition.
pub const UNKNOWN: &str = "Unknown";

/// Longest message the schema takes, in characters.
const MESSAGE_MAX: usize = 32_768;

/// Builds a condition; a message that is too long is cut.
pub fn new(
    kind: &str,
    status: &str,
    reason: &str,
    message: &str,
    generation: Option<i64>,
    now: Time,
) -> Condition {
    Condition {
        type_: kind.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message: message.chars().take(MESSAGE_MAX).collect(),
        observed_generation: generation,
        last_transition_time: now,
    }
}

/// Puts `condition` in its place. Its time is that of the last change of `status`: where that stays, the old time stays.
pub fn set(conditions: &mut Vec<Condition>, mut condition: Condition) {
    match conditions.iter_mut().find(|it| it.type_ == condition.type_) {
        Some(known) => {
            if known.status == condition.status {
                condition.last_transition_time = known.last_transition_time.clone();
            }
            *known = condition;
        }
        None => conditions.push(condition),
    }
}

/// Removes the condition of a type.
pub fn remove(conditions: &mut Vec<Condition>, kind: &str) {
    conditions.retain(|it| it.type_ != kind);
}

/// Finds the condition of a type.
pub fn find<'a>(conditions: &'a [Condition], kind: &str) -> Option<&'a Condition> {
    conditions.iter().find(|it| it.type_ == kind)
}

/// Says whether the condition of a type is there and `True`.
pub fn is_true(conditions: &[Condition], kind: &str) -> bool {
    find(conditions, kind).is_some_and(|it| it.status == TRUE)
}

/// Says whether the condition of a type is there and `False`.
pub fn is_false(conditions: &[Condition], kind: &str) -> bool {
    find(conditions, kind).is_some_and(|it| it.status == FALSE)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::Timestamp;

    use super::*;

    #[test]
    fn a_condition_keeps_the_time_of_its_last_change_of_status() {
        let at = |second| Time(Timestamp::from_second(second).expect("a time"));
        let mut conditions = Vec::new();
        for (second, status, reason, since) in [
            (1, TRUE, "Found", 1),
            (2, TRUE, "FoundMore", 1),
            (3, FALSE, "Lost", 3),
            (4, TRUE, "Found", 4),
        ] {
            let condition = new(READY, status, reason, "", Some(second), at(second));
            set(&mut conditions, condition);
            let found = find(&conditions, READY).expect("it is set");
            assert_eq!(found.last_transition_time, at(since));
            assert_eq!(
                (found.reason.as_str(), found.observed_generation),
                (reason, Some(second))
            );
        }
        assert_eq!(conditions.len(), 1);
    }
}

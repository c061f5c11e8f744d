//! The condition `RegistryIdentity`: who acts at a cloud's registries for a Warehouse, and why.

use resources::{
    Warehouse, WarehouseStatus,
    condition::{self, FALSE, REGISTRY_IDENTITY, TRUE},
};

use super::{Conditions, Identity};
use crate::event::{Event, Tone};

/// Says it on the status; without any such subscription there is no condition.
pub(super) fn tell(conditions: &mut Conditions<'_>, identities: &[Identity]) {
    let missing = identities.iter().find(|it| it.member.is_none());
    let Some(first) = missing.or(identities.first()) else {
        conditions.remove(REGISTRY_IDENTITY);
        return;
    };
    let mut told: Vec<String> = identities
        .iter()
        .map(|it| format!("{}: {}", it.subscription, it.message))
        .collect();
    told.dedup();
    let status = if first.member.is_some() { TRUE } else { FALSE };
    conditions.set(REGISTRY_IDENTITY, status, first.reason, &told.join("; "));
}

/// Tells of a change of the condition; what is said again is no news.
pub fn identity_changed(
    warehouse: &Warehouse,
    status: &WarehouseStatus,
    actor: &str,
) -> Option<Event> {
    let now = condition::find(&status.conditions, REGISTRY_IDENTITY)?;
    let before = warehouse.status.as_ref();
    let before = before.and_then(|it| condition::find(&it.conditions, REGISTRY_IDENTITY));
    let is_news = before.is_none_or(|it| (&it.reason, &it.message) != (&now.reason, &now.message));
    let tone = if now.status == TRUE {
        Tone::Normal
    } else {
        Tone::Warning
    };
    is_news.then(|| Event::about_identity(warehouse, tone, &now.message, actor))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

    use super::*;

    fn identity(subscription: &str, acts: bool, message: &str) -> Identity {
        Identity {
            subscription: subscription.to_owned(),
            member: acts.then(|| "serviceAccount:a".to_owned()),
            reason: if acts {
                "OwnServiceAccount"
            } else {
                "IdentityRefused"
            },
            why: "it is so".to_owned(),
            next: None,
            message: message.to_owned(),
        }
    }

    fn told(identities: &[Identity]) -> WarehouseStatus {
        let mut status = WarehouseStatus::default();
        let mut conditions = Conditions {
            list: &mut status.conditions,
            generation: None,
            now: Timestamp::UNIX_EPOCH,
        };
        tell(&mut conditions, identities);
        status
    }

    fn condition(status: &WarehouseStatus) -> Option<&Condition> {
        condition::find(&status.conditions, REGISTRY_IDENTITY)
    }

    #[test]
    fn one_identity_that_is_missing_makes_the_condition_false() {
        let status = told(&[identity("a", true, "acts"), identity("b", false, "refused")]);
        let found = condition(&status).expect("the condition");
        assert_eq!(
            (found.status.as_str(), found.reason.as_str()),
            (FALSE, "IdentityRefused")
        );
        assert_eq!(found.message, "a: acts; b: refused");
        let status = told(&[identity("a", true, "acts")]);
        assert_eq!(condition(&status).map(|it| it.status.as_str()), Some(TRUE));
        assert_eq!(condition(&told(&[])), None);
    }

    #[test]
    fn only_a_change_is_news() {
        let mut warehouse = Warehouse::default();
        let status = told(&[identity("a", true, "acts")]);
        let event = identity_changed(&warehouse, &status, "me").expect("news");
        assert_eq!(
            (event.tone, event.message.as_str()),
            (Tone::Normal, "a: acts")
        );
        warehouse.status = Some(status.clone());
        assert_eq!(identity_changed(&warehouse, &status, "me"), None);
        let refused = told(&[identity("a", false, "refused")]);
        let event = identity_changed(&warehouse, &refused, "me").expect("news");
        assert_eq!(event.tone, Tone::Warning);
        assert_eq!(identity_changed(&warehouse, &told(&[]), "me"), None);
    }
}

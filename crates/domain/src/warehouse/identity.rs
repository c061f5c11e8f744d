//! The condition `RegistryIdentity`: who acts at a cloud's registries for a Warehouse, and why.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use resources::{
    Warehouse, WarehouseStatus,
    condition::{self, FALSE, REGISTRY_IDENTITY, TRUE},
};

use super::{Conditions, Identity, Seen, Work, is_current};
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

/// What was told of one subscription; it is news once it differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    subscription: String,
    member: Option<String>,
    reason: &'static str,
    gist: String,
}

/// What a discovery has to tell of identities.
#[derive(Clone, Debug, PartialEq)]
pub struct News {
    /// For the next discovery to compare with.
    pub told: Vec<Told>,
    /// None where nothing has changed.
    pub event: Option<Event>,
}

/// Tells of a change of who acts; what is said again is no news.
///
/// `before` is what was told last. Where nobody remembers, as after a start, the condition's words are compared. None where the
/// discovery found nothing out, or was for another spec.
pub fn identity_news(
    seen: &Seen<'_>,
    status: &WarehouseStatus,
    before: Option<&[Told]>,
    actor: &str,
) -> Option<News> {
    let Work::Ended(discovery) = &seen.work else {
        return None;
    };
    let identities = discovery.identities.as_ref()?;
    let warehouse = seen.warehouse;
    if !is_current(discovery, warehouse) {
        return None;
    }
    let told: Vec<_> = identities.iter().map(told_of).collect();
    let now = condition::find(&status.conditions, REGISTRY_IDENTITY);
    let event = now.filter(|now| match before {
        Some(before) => before != told,
        None => is_reworded(warehouse, now),
    });
    let is_warning = identities.iter().any(|it| it.tone == Tone::Warning);
    let tone = if is_warning {
        Tone::Warning
    } else {
        Tone::Normal
    };
    let event = event.map(|now| Event::about_identity(warehouse, tone, &now.message, actor));
    Some(News { told, event })
}

fn told_of(identity: &Identity) -> Told {
    let Identity {
        subscription,
        member,
        reason,
        why: _,
        next: _,
        tone: _,
        message: _,
        gist,
    } = identity;
    Told {
        subscription: subscription.clone(),
        member: member.clone(),
        reason,
        gist: gist.clone(),
    }
}

fn is_reworded(warehouse: &Warehouse, now: &Condition) -> bool {
    let before = warehouse.status.as_ref();
    let before = before.and_then(|it| condition::find(&it.conditions, REGISTRY_IDENTITY));
    before.is_none_or(|it| (&it.reason, &it.message) != (&now.reason, &now.message))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::warehouse::{Cost, Discovery};

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
            tone: if acts { Tone::Normal } else { Tone::Warning },
            message: message.to_owned(),
            gist: "it is so".to_owned(),
        }
    }

    fn status_of(identities: &[Identity]) -> WarehouseStatus {
        let mut status = WarehouseStatus::default();
        let mut conditions = Conditions {
            list: &mut status.conditions,
            generation: None,
            now: Timestamp::UNIX_EPOCH,
        };
        tell(&mut conditions, identities);
        status
    }

    /// What a Warehouse is told by a discovery that was for the third generation of a spec.
    fn news(
        warehouse: &Warehouse,
        identities: &[Identity],
        before: Option<&[Told]>,
    ) -> Option<News> {
        let discovery = Discovery {
            generation: 3,
            refresh: None,
            answers: Vec::new(),
            identities: Some(identities.to_vec()),
            remarks: Vec::new(),
            cost: Cost::default(),
        };
        let seen = Seen {
            now: Timestamp::UNIX_EPOCH,
            warehouse,
            shortest_interval: Duration::ZERO,
            work: Work::Ended(discovery),
        };
        identity_news(&seen, &status_of(identities), before, "me")
    }

    fn event(
        warehouse: &Warehouse,
        identities: &[Identity],
        before: Option<&[Told]>,
    ) -> Option<Event> {
        news(warehouse, identities, before)
            .expect("the discovery counts")
            .event
    }

    fn condition(status: &WarehouseStatus) -> Option<&Condition> {
        condition::find(&status.conditions, REGISTRY_IDENTITY)
    }

    #[test]
    fn one_identity_that_is_missing_makes_the_condition_false() {
        let status = status_of(&[identity("a", true, "acts"), identity("b", false, "refused")]);
        let found = condition(&status).expect("the condition");
        assert_eq!(
            (found.status.as_str(), found.reason.as_str()),
            (FALSE, "IdentityRefused")
        );
        assert_eq!(found.message, "a: acts; b: refused");
        let status = status_of(&[identity("a", true, "acts")]);
        assert_eq!(condition(&status).map(|it| it.status.as_str()), Some(TRUE));
        assert_eq!(condition(&status_of(&[])), None);
    }

    #[test]
    fn only_a_change_is_news() {
        let mut warehouse = Warehouse::default();
        let acts = [identity("a", true, "acts")];
        let told = event(&warehouse, &acts, None).expect("news");
        assert_eq!(
            (told.tone, told.message.as_str()),
            (Tone::Normal, "a: acts")
        );
        warehouse.status = Some(status_of(&acts));
        assert_eq!(event(&warehouse, &acts, None), None);
        let refused = [identity("a", false, "refused")];
        let told = event(&warehouse, &refused, None).expect("news");
        assert_eq!(told.tone, Tone::Warning);
        assert_eq!(event(&warehouse, &[], None), None);
    }

    #[test]
    fn other_numbers_in_the_same_words_are_no_news() {
        let mut warehouse = Warehouse::default();
        let one = [identity("a", false, "forbidden, number x1")];
        let other = [identity("a", false, "forbidden, number x2")];
        let told = news(&warehouse, &one, None).expect("it counts").told;
        warehouse.status = Some(status_of(&one));
        assert_eq!(event(&warehouse, &other, Some(&told)), None);
        let mut another = other.clone();
        "it is something else".clone_into(&mut another[0].gist);
        assert!(event(&warehouse, &another, Some(&told)).is_some());
        // Another one acts, for the same reason and in the same words.
        let mut another = other;
        another[0].member = Some("serviceAccount:b".to_owned());
        assert!(event(&warehouse, &another, Some(&told)).is_some());
    }

    #[test]
    fn who_acts_may_be_a_warning_too() {
        let mut acts = identity("a", true, "acts, for now");
        acts.tone = Tone::Warning;
        let told = event(&Warehouse::default(), &[acts], None).expect("news");
        assert_eq!(told.tone, Tone::Warning);
    }

    #[test]
    fn a_discovery_for_another_spec_tells_nothing() {
        let mut warehouse = Warehouse::default();
        warehouse.metadata.generation = Some(4);
        assert_eq!(news(&warehouse, &[identity("a", true, "acts")], None), None);
    }
}

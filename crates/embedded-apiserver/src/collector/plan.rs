//! What becomes of an object, given how its owners are.

use crate::verbs::Propagation;

/// How an owner is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OwnerState {
    Present,
    /// It is being deleted, and waits for this object to go first.
    Waiting,
    /// There is none of that name, or it is another object of that name.
    Absent,
    /// Its kind is not known, or it could never own this object: nothing is decided on such a reference.
    Unknown,
}

/// What is known of an object's own dependents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Dependents {
    pub(super) any: bool,
    /// One of them waits for its own dependents, perhaps for this very object.
    pub(super) waiting: bool,
}

/// What to do with an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Plan {
    Keep,
    /// Forget owners, by their uids.
    Forget(Vec<String>),
    Delete {
        propagation: Propagation,
        /// First stop blocking the owners, or a circle of owners would wait for ever.
        unblock: bool,
    },
}

/// Decides about an object that is not being deleted yet.
pub(super) fn decide(
    owners: &[(String, OwnerState)],
    finalizers: &[&str],
    dependents: Dependents,
) -> Plan {
    let any = |state| owners.iter().any(|(_, it)| *it == state);
    if owners.is_empty() || any(OwnerState::Unknown) {
        return Plan::Keep;
    }
    if any(OwnerState::Present) {
        let gone = owners
            .iter()
            .filter(|(_, state)| *state != OwnerState::Present);
        let gone: Vec<String> = gone.map(|(uid, _)| uid.clone()).collect();
        return if gone.is_empty() {
            Plan::Keep
        } else {
            Plan::Forget(gone)
        };
    }
    if any(OwnerState::Waiting) && dependents.any {
        return Plan::Delete {
            propagation: Propagation::Foreground,
            unblock: dependents.waiting,
        };
    }
    let propagation = if finalizers.contains(&"orphan") {
        Propagation::Orphan
    } else if finalizers.contains(&"foregroundDeletion") {
        Propagation::Foreground
    } else {
        Propagation::Background
    };
    Plan::Delete {
        propagation,
        unblock: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(owners: &[OwnerState], finalizers: &[&str], dependents: Dependents, expected: &Plan) {
        let owners: Vec<_> = owners
            .iter()
            .enumerate()
            .map(|(index, state)| (index.to_string(), *state))
            .collect();
        assert_eq!(
            &decide(&owners, finalizers, dependents),
            expected,
            "{owners:?} {finalizers:?} {dependents:?}"
        );
    }

    #[test]
    fn an_object_goes_with_its_last_owner() {
        use OwnerState::{Absent, Present, Unknown, Waiting};
        let (none, some) = (
            Dependents::default(),
            Dependents {
                any: true,
                waiting: false,
            },
        );
        let circle = Dependents {
            any: true,
            waiting: true,
        };
        let delete = |propagation, unblock| Plan::Delete {
            propagation,
            unblock,
        };
        check(&[], &[], none, &Plan::Keep);
        check(&[Present], &[], none, &Plan::Keep);
        check(
            &[Present, Absent, Waiting],
            &[],
            none,
            &Plan::Forget(vec!["1".to_owned(), "2".to_owned()]),
        );
        check(&[Absent, Unknown], &[], none, &Plan::Keep);
        check(
            &[Absent],
            &[],
            none,
            &delete(Propagation::Background, false),
        );
        check(
            &[Absent],
            &["orphan"],
            none,
            &delete(Propagation::Orphan, false),
        );
        check(
            &[Absent],
            &["foregroundDeletion"],
            none,
            &delete(Propagation::Foreground, false),
        );
        check(
            &[Waiting],
            &[],
            none,
            &delete(Propagation::Background, false),
        );
        check(
            &[Waiting, Absent],
            &[],
            some,
            &delete(Propagation::Foreground, false),
        );
        check(
            &[Waiting],
            &[],
            circle,
            &delete(Propagation::Foreground, true),
        );
    }
}

//! Whether a policy lets somebody do something.

use jiff::Timestamp;

use super::{Carries, CustomRoles, Member, Policy};

/// What a policy says about one permission of one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// By this role, now.
    Yes {
        role: String,
    },
    /// By a role that counts only while its condition holds, which is not known here.
    Conditional {
        role: String,
        expression: String,
    },
    /// By a custom role of which nobody knows what it carries.
    Unknown {
        role: String,
    },
    /// By a role whose condition does not hold now.
    Lapsed {
        role: String,
        expression: String,
    },
    No,
}

impl Access {
    /// Says whether nothing has to be granted any more, as far as can be told.
    pub fn is_granted(&self) -> bool {
        matches!(self, Self::Yes { .. } | Self::Conditional { .. })
    }

    fn strength(&self) -> u8 {
        match self {
            Self::Yes { .. } => 4,
            Self::Conditional { .. } => 3,
            Self::Unknown { .. } => 2,
            Self::Lapsed { .. } => 1,
            Self::No => 0,
        }
    }
}

impl Policy {
    /// Finds the strongest answer of all bindings that name the member.
    pub fn access(
        &self,
        permission: &str,
        roles: &CustomRoles,
        now: Timestamp,
        names_it: impl Fn(&Member) -> bool,
    ) -> Access {
        let mut best = Access::No;
        for grant in self.grants().filter(|it| names_it(&it.member)) {
            let role = grant.role.to_owned();
            let found = match (roles.carries(grant.role, permission), grant.condition) {
                (Carries::Yes, None) => Access::Yes { role },
                (Carries::Yes, Some(condition)) => {
                    let expression = condition.expression.clone();
                    match condition.holds(now) {
                        Some(true) => Access::Yes { role },
                        Some(false) => Access::Lapsed { role, expression },
                        None => Access::Conditional { role, expression },
                    }
                }
                (Carries::Unknown, _) => Access::Unknown { role },
                (Carries::No, _) => continue,
            };
            if found.strength() > best.strength() {
                best = found;
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Binding, Condition, DOWNLOAD, READER};
    use super::*;

    const CUSTOM: &str = "projects/acme-art/roles/puller";

    fn binding(role: &str, condition: Option<&str>) -> Binding {
        Binding {
            role: role.to_owned(),
            members: vec!["serviceAccount:web@acme-gke.iam.gserviceaccount.com".to_owned()],
            condition: condition.map(|expression| Condition {
                expression: expression.to_owned(),
                ..Condition::default()
            }),
        }
    }

    fn access(bindings: Vec<Binding>) -> Access {
        let policy = Policy {
            bindings,
            ..Policy::default()
        };
        let now = "2026-11-20T08:00:00Z".parse().expect("a time");
        policy.access(DOWNLOAD, &CustomRoles::default(), now, |it| {
            matches!(it, Member::ServiceAccount(_))
        })
    }

    #[test]
    fn the_strongest_binding_decides() {
        let role = READER.to_owned();
        let conditional = || {
            binding(
                READER,
                Some("resource.name.startsWith('projects/acme-art')"),
            )
        };
        let lapsed = || {
            binding(
                READER,
                Some("request.time < timestamp('2026-01-01T00:00:00Z')"),
            )
        };
        let now = || {
            binding(
                READER,
                Some("request.time < timestamp('2027-01-01T00:00:00Z')"),
            )
        };
        assert_eq!(
            access(vec![conditional(), binding(READER, None)]),
            Access::Yes { role }
        );
        assert!(matches!(
            access(vec![conditional(), binding(CUSTOM, None)]),
            Access::Conditional { .. }
        ));
        assert!(matches!(
            access(vec![binding(CUSTOM, None), conditional()]),
            Access::Conditional { .. }
        ));
        assert_eq!(
            access(vec![binding(CUSTOM, None)]),
            Access::Unknown {
                role: CUSTOM.to_owned()
            }
        );
        assert!(matches!(
            access(vec![binding(CUSTOM, None), lapsed()]),
            Access::Unknown { .. }
        ));
        assert!(matches!(access(vec![lapsed()]), Access::Lapsed { .. }));
        assert!(!access(vec![lapsed()]).is_granted());
        assert!(matches!(
            access(vec![lapsed(), conditional(), now()]),
            Access::Yes { .. }
        ));
        assert_eq!(
            access(vec![binding("roles/pubsub.viewer", None)]),
            Access::No
        );
    }
}

//! Whether a policy lets somebody do something.

use super::{Carries, CustomRoles, Member, Policy};

/// What a policy says about one permission of one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// By this role.
    Yes {
        role: String,
    },
    /// By a role that counts only while its condition holds.
    Conditional {
        role: String,
        expression: String,
    },
    /// By a custom role of which nobody knows what it carries.
    Unknown {
        role: String,
    },
    No,
}

impl Access {
    /// Says whether nothing has to be granted any more, as far as can be told.
    pub fn is_granted(&self) -> bool {
        matches!(self, Self::Yes { .. } | Self::Conditional { .. })
    }
}

impl Policy {
    /// Finds the strongest answer of all bindings that name the member.
    pub fn access(
        &self,
        permission: &str,
        roles: &CustomRoles,
        names_it: impl Fn(&Member) -> bool,
    ) -> Access {
        let mut best = Access::No;
        for grant in self.grants().filter(|it| names_it(&it.member)) {
            let role = grant.role.to_owned();
            let found = match (roles.carries(grant.role, permission), grant.condition) {
                (Carries::Yes, None) => return Access::Yes { role },
                (Carries::Yes, Some(condition)) => Access::Conditional {
                    role,
                    expression: condition.expression.clone(),
                },
                (Carries::Unknown, _) => Access::Unknown { role },
                (Carries::No, _) => continue,
            };
            if !matches!(best, Access::Conditional { .. }) {
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
        policy.access(DOWNLOAD, &CustomRoles::default(), |it| {
            matches!(it, Member::ServiceAccount(_))
        })
    }

    #[test]
    fn the_strongest_binding_decides() {
        let role = READER.to_owned();
        let conditional = || {
            binding(
                READER,
                Some("request.time < timestamp('2030-01-01T00:00:00Z')"),
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
        assert_eq!(
            access(vec![binding("roles/pubsub.viewer", None)]),
            Access::No
        );
    }
}

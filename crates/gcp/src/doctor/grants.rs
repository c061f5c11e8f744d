//! The grants behind a right that somebody has and should not, in the policies that were read.

use super::reading::BEYOND_READING;
use crate::facts::{Facts, Gap, Reading};
use crate::policy::{
    Carries, CustomRoles, DOWNLOAD, MINT, OPEN_MINTER, Policy, READER, TIGHT_MINTER,
};
use crate::repository::RepositoryName;
use crate::setup::{Action, Fix, Grantee, Resource, RoleGrant};

/// What takes a right away: grants as they were read, or as they might be where nobody read them.
#[derive(Debug, Clone)]
pub(super) struct Taking {
    pub(super) actions: Vec<Action>,
    pub(super) is_guessed: bool,
}

impl Taking {
    fn read(actions: Vec<Action>) -> Self {
        Self {
            actions,
            is_guessed: false,
        }
    }

    fn guessed(actions: Vec<Action>) -> Self {
        Self {
            actions,
            is_guessed: true,
        }
    }

    /// Writes the repair, and says of one that is guessed that it is.
    pub(super) fn fix(self) -> Fix {
        let fix = Fix::by(self.actions);
        if self.is_guessed {
            fix.and_advice(
                "which grant it is by was not read here, so what is taken away is a guess: at a desk doctor names the grant",
            )
        } else {
            fix
        }
    }
}

/// Takes back what lets the controller act as every account of its project; where nobody read it, what it would be by.
pub(super) fn of_minting_everywhere(facts: &Facts) -> Result<Taking, Gap> {
    let controller = super::accounts::controller_of(facts)?;
    let home = Resource::Project(facts.home.known()?.project.clone());
    let above = facts.ancestor_policies.iter();
    let above = above.map(|(name, policy)| (Resource::Other(name.clone()), policy));
    let places = std::iter::once((home.clone(), &facts.home_policy)).chain(above);
    let mints = |role: &str| facts.custom_roles.carries(role, MINT) == Carries::Yes;
    let found = taken(facts, places, &controller, mints);
    Ok(if found.is_empty() {
        let roles = [TIGHT_MINTER, OPEN_MINTER];
        let guess = |role| Action::Revoke(RoleGrant::new(home.clone(), role, controller.clone()));
        Taking::guessed(roles.map(guess).into())
    } else {
        Taking::read(found)
    })
}

/// Takes from somebody what lets them do more on a repository than read it.
pub(super) fn of_writing(facts: &Facts, name: &RepositoryName, who: &Grantee) -> Taking {
    let seen = facts.repository(name);
    let on_repository = [(Resource::Repository(name.clone()), &seen.policy)];
    let mut found = taken(facts, on_repository.into_iter(), who, |role| role != READER);
    let writes = |role: &str| {
        let mut permissions = BEYOND_READING.iter();
        permissions.any(|it| facts.custom_roles.carries(role, it) == Carries::Yes)
    };
    let on_project = [(
        Resource::Project(name.project.clone()),
        &seen.project_policy,
    )];
    found.extend(taken(facts, on_project.into_iter(), who, writes));
    let is_guessed = found.is_empty();
    if is_guessed {
        let resource = Resource::Repository(name.clone());
        let guess = RoleGrant::new(resource, "roles/artifactregistry.writer", who.clone());
        found.push(Action::Revoke(guess));
    }
    let reader = Resource::Repository(name.clone());
    found.insert(
        0,
        Action::Grant(RoleGrant::new(reader, READER, who.clone())),
    );
    Taking {
        actions: found,
        is_guessed,
    }
}

/// Takes from somebody what lets them read a repository; where nobody read it, the role for that.
pub(super) fn of_reading(facts: &Facts, name: &RepositoryName, who: &Grantee) -> Taking {
    let seen = facts.repository(name);
    let places = [
        (Resource::Repository(name.clone()), &seen.policy),
        (
            Resource::Project(name.project.clone()),
            &seen.project_policy,
        ),
    ];
    let found = taken(facts, places.into_iter(), who, reads(&facts.custom_roles));
    if found.is_empty() {
        let resource = Resource::Repository(name.clone());
        let guess = RoleGrant::new(resource, READER, who.clone());
        return Taking::guessed(vec![Action::Revoke(guess)]);
    }
    Taking::read(found)
}

fn reads(roles: &CustomRoles) -> impl Fn(&str) -> bool {
    move |role: &str| roles.carries(role, DOWNLOAD) == Carries::Yes
}

/// Takes every role back that is one of those meant, as it stands in the policy.
fn taken<'a>(
    facts: &Facts,
    places: impl Iterator<Item = (Resource, &'a Reading<Policy>)>,
    who: &Grantee,
    is_meant: impl Fn(&str) -> bool,
) -> Vec<Action> {
    let mut actions = Vec::new();
    for (resource, policy) in places {
        for grant in policy.known().into_iter().flat_map(Policy::grants) {
            if who.is_covered_by(facts, &grant.member) && is_meant(grant.role) {
                let member = Grantee::Member(grant.text.to_owned());
                let revoke = RoleGrant::new(resource.clone(), grant.role, member);
                actions.push(Action::Revoke(revoke));
            }
        }
    }
    actions
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::whole::{account, controller, granting, repository, whole};

    fn revoked(actions: &[Action]) -> Vec<String> {
        let roles = actions.iter().filter_map(|it| match it {
            Action::Revoke(grant) => Some(format!("{} on {}", grant.role, grant.resource)),
            _ => None,
        });
        roles.collect()
    }

    #[test]
    fn what_was_read_is_taken_back_as_it_stands_there() {
        let mut facts = whole();
        let policy = granting(OPEN_MINTER, &controller().legacy_member());
        let policy = Reading::known_from("POST getIamPolicy", policy);
        facts
            .ancestor_policies
            .insert("folders/12".to_owned(), policy);
        let read = of_minting_everywhere(&facts).expect("a project");
        let role = "roles/iam.serviceAccountTokenCreator on folders/12";
        assert_eq!(revoked(&read.actions), [role]);
        assert!(!read.fix().advice.contains("a guess"));
        facts.ancestor_policies.clear();
        let guessed = of_minting_everywhere(&facts).expect("a project");
        assert_eq!(
            guessed.actions.len(),
            2,
            "either of the roles it could be by"
        );
        assert!(guessed.fix().advice.contains("a guess"));
    }

    #[test]
    fn whoever_writes_keeps_reading() {
        let mut facts = whole();
        let name = repository("apps");
        let who = Grantee::ServiceAccount(account("web"));
        let apps = facts.repositories.get_mut(&name).expect("apps");
        let policy = granting("roles/artifactregistry.repoAdmin", &account("web").member());
        apps.policy = Reading::known_from("GET getIamPolicy", policy);
        let actions = of_writing(&facts, &name, &who).actions;
        assert!(matches!(&actions[0], Action::Grant(it) if it.role == READER));
        let taken = format!("roles/artifactregistry.repoAdmin on {name}");
        assert_eq!(revoked(&actions), [taken]);
        let reader = of_reading(&whole(), &name, &who);
        assert_eq!(revoked(&reader.actions), [format!("{READER} on {name}")]);
    }
}

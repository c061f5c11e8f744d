//! Lists of members of an organisation, and what has to be added to one that keeps a member out.

use super::organisation::{Exception, except};
use crate::facts::{Facts, Gap, OrganisationPolicy};
use crate::setup::shell::command;
use crate::setup::{Fix, Resource, RoleGrant};

/// Who may be in a policy, by customers and sets.
pub(crate) const DOMAINS: &str = "iam.allowedPolicyMemberDomains";
/// Its successor, whose lists are parameters.
pub(crate) const MEMBERS: &str = "iam.managed.allowedPolicyMembers";

/// What lists of members may name.
pub(crate) struct Around {
    /// The controller as IAM spells it.
    pub(crate) controller: String,
    /// `projects/4711/locations/global/workloadIdentityPools/…`
    pub(crate) pool: String,
    /// `organizations/7`, where it was seen.
    pub(crate) organisation: Option<String>,
    /// The project and what is above it.
    above: Vec<String>,
}

impl Around {
    pub(crate) fn of(facts: &Facts) -> Result<Self, Gap> {
        let home = facts.home.known()?;
        let principal = facts.principal()?;
        let ancestors = facts.ancestor_policies.keys();
        let above: Vec<_> = ancestors
            .filter(|it| it.starts_with("folders/") || it.starts_with("organizations/"))
            .cloned()
            .collect();
        let organisation = above.iter().find(|it| it.starts_with("organizations/"));
        let organisation = organisation.cloned();
        let own = [
            format!("projects/{}", home.project),
            format!("projects/{}", home.number),
        ];
        Ok(Self {
            controller: principal.to_string(),
            pool: format!(
                "projects/{}/locations/global/workloadIdentityPools/{}",
                principal.number, principal.pool
            ),
            organisation,
            above: above.into_iter().chain(own).collect(),
        })
    }

    /// Says whether a set is all of the pool.
    pub(crate) fn is_pool(&self, set: &str) -> bool {
        let set = set.strip_suffix("/*").unwrap_or(set);
        set.ends_with(&format!("//iam.googleapis.com/{}", self.pool))
    }

    pub(crate) fn is_above(&self, set: &str) -> bool {
        let name = set.strip_prefix("//cloudresourcemanager.googleapis.com/");
        name.is_some_and(|it| self.above.iter().any(|above| above == it))
    }

    /// Spells the organisation as lists of customers do.
    pub(crate) fn own_customers(&self) -> String {
        let own = self.organisation.as_deref();
        let own = own.unwrap_or("organizations/ORGANIZATION");
        format!("principalSet://iam.googleapis.com/{own}")
    }

    /// Adds the organisation to a list of customers.
    pub(crate) fn with_own_customers(&self, policy: &OrganisationPolicy) -> Exception {
        let listed = policy.allowed_values().map(str::to_owned);
        let own = format!("is:{}", self.own_customers());
        Exception::Only(listed.chain([own]).collect())
    }

    /// Adds a member, and the organisation where it was seen, to the successor's lists.
    pub(crate) fn with(&self, policy: &OrganisationPolicy, member: &str) -> Exception {
        let mut subjects = policy.parameter("allowedMemberSubjects");
        let mut sets = policy.parameter("allowedPrincipalSets");
        subjects.push(member.to_owned());
        let own = self.organisation.as_ref();
        let own = own.map(|it| format!("//cloudresourcemanager.googleapis.com/{it}"));
        let missing = own.filter(|it| !sets.contains(it));
        sets.extend(missing);
        Exception::Members { subjects, sets }
    }
}

/// Adds to the list by which an organisation refused a grant.
///
/// The lists that were seen are those over the controller's project; of others it is said how to look at them, and what
/// has to be in them then.
///
/// Source: <https://cloud.google.com/resource-manager/docs/organization-policy/restricting-domains>
pub fn let_in(facts: &Facts, grant: &RoleGrant) -> Fix {
    let member = grant.member.to_string();
    if let (Ok(around), Resource::ServiceAccount(_)) = (Around::of(facts), &grant.resource) {
        let set = |constraint: &str| facts.organisation.get(constraint)?.found().ok()?;
        let members = set(MEMBERS).filter(|it| it.is_enforced());
        let domains = set(DOMAINS).filter(|it| it.denies_all() || !it.lists_nothing());
        let fixes = [
            members.map(|it| except(facts, MEMBERS, &around.with(it, &member))),
            domains.map(|it| except(facts, DOMAINS, &around.with_own_customers(it))),
        ];
        if let Some(fix) = fixes.into_iter().flatten().reduce(Fix::then) {
            return fix;
        }
    }
    in_general(facts, grant, &member)
}

/// Says what to add where nobody saw which list is set.
fn in_general(facts: &Facts, grant: &RoleGrant, member: &str) -> Fix {
    let project = match &grant.resource {
        Resource::Project(project) => project.clone(),
        Resource::Repository(repository) => repository.project.clone(),
        Resource::ServiceAccount(email) => match email.project() {
            Some(project) => project,
            None => super::home(facts),
        },
        Resource::Other(_) => super::home(facts),
    };
    let own = Around::of(facts).map_or_else(
        |_| "principalSet://iam.googleapis.com/organizations/ORGANIZATION".to_owned(),
        |it| it.own_customers(),
    );
    let shown = |constraint: &str| {
        let words = ["gcloud", "org-policies", "describe", constraint];
        command(&words, &[("project", project.as_str()), ("effective", "")])
    };
    Fix::commands(&[
        shown(MEMBERS),
        format!("# Where it is enforced, its parameter allowedMemberSubjects takes {member}"),
        shown(DOMAINS),
        format!("# Where it lists values, they take is:{own}"),
    ])
    .without_terraform("which list is set, and what is in it, was not seen")
    .and_advice(super::organisation::WHO_SETS_CONSTRAINTS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Reading;
    use crate::facts::whole::{account, controller, repository, whole};
    use crate::setup::Grantee;

    fn grant() -> RoleGrant {
        RoleGrant::new(
            Resource::ServiceAccount(account("web")),
            "roles/iam.workloadIdentityUser",
            Grantee::Member(controller().to_string()),
        )
    }

    fn under(constraint: &str, rule: &str) -> Facts {
        let mut facts = whole();
        let policy = format!(r#"{{"spec":{{"rules":[{rule}]}}}}"#);
        let policy = serde_json::from_str(&policy).expect("a policy");
        let reading = Reading::known_from("GET effectivePolicy", policy);
        facts.organisation.insert(constraint.to_owned(), reading);
        facts
    }

    #[test]
    fn what_is_added_stands_beside_what_the_list_had() {
        let members =
            r#"{"enforce":true,"parameters":{"allowedMemberSubjects":["user:ann@acme.example"]}}"#;
        let fix = let_in(&under(MEMBERS, members), &grant());
        let both = format!(r#"["user:ann@acme.example","{}"]"#, controller());
        assert!(fix.commands.contains(&both), "{}", fix.commands);
        let domains = r#"{"values":{"allowedValues":["C0acme"]}}"#;
        let fix = let_in(&under(DOMAINS, domains), &grant());
        let both =
            r#"["C0acme","is:principalSet://iam.googleapis.com/organizations/ORGANIZATION"]"#;
        assert!(fix.commands.contains(both), "{}", fix.commands);
    }

    #[test]
    fn where_no_list_was_seen_both_are_looked_at_and_each_addition_is_named() {
        let elsewhere = RoleGrant {
            resource: Resource::Repository(repository("web")),
            ..grant()
        };
        let domains = r#"{"values":{"allowedValues":["C0acme"]}}"#;
        for (facts, grant, project) in [
            (whole(), grant(), "acme-gke"),
            (under(DOMAINS, domains), elsewhere, "acme-art"),
        ] {
            let fix = let_in(&facts, &grant);
            for part in [
                format!("describe {DOMAINS}"),
                format!("describe {MEMBERS}"),
                format!("--project={project}"),
                format!("allowedMemberSubjects takes {}", controller()),
                "is:principalSet://iam.googleapis.com/organizations/ORGANIZATION".to_owned(),
            ] {
                assert!(fix.commands.contains(&part), "{part}: {}", fix.commands);
            }
        }
    }
}

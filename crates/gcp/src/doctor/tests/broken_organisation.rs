//! Organisation policies that stand in the way or leave it wide: one case for each constraint.

use super::broken::*;
use super::*;
use crate::facts::{OrganisationPolicy, RepositoryFacts};
use crate::policy::Policy;
use crate::repository::RepositoryName;
use crate::setup::BASELINE;

const DOMAINS: &str = "iam.allowedPolicyMemberDomains";
const MEMBERS: &str = "iam.managed.allowedPolicyMembers";
const LOCATIONS: &str = "gcp.resourceLocations";

pub(super) const CASES: &[Case] = &[
    (
        "ORGPOL-BLOCKERS",
        Status::Fail,
        "no account can be made",
        |it| enforce(it, "iam.disableServiceAccountCreation"),
    ),
    (
        "ORGPOL-BLOCKERS",
        Status::Fail,
        "no account can be made",
        |it| enforce(it, "iam.managed.disableServiceAccountCreation"),
    ),
    (
        "ORGPOL-BLOCKERS",
        Status::Fail,
        "no cluster with a workload pool",
        |it| enforce(it, "iam.disableWorkloadIdentityClusterCreation"),
    ),
    ("ORGPOL-BLOCKERS", Status::Fail, "may not be used", |it| {
        let only = r#"{"values":{"allowedValues":["container.googleapis.com"]}}"#;
        rule(it, "gcp.restrictServiceUsage", only);
    }),
    (
        "ORGPOL-BLOCKERS",
        Status::Fail,
        "artifactregistry.googleapis.com may not be used in acme-art",
        |it| {
            let only = r#"{"spec":{"rules":[{"values":{"deniedValues":["artifactregistry.googleapis.com"]}}]}}"#;
            let policy = known(serde_json::from_str(only).expect("a policy"));
            it.registry_service_limits
                .insert(project("acme-art"), policy);
        },
    ),
    ("ORGPOL-BLOCKERS", Status::Unknown, "denied", |it| {
        it.registry_service_limits
            .insert(project("acme-art"), denied());
    }),
    (
        "ORGPOL-BASELINE",
        Status::Fail,
        "tokens of every account may live longer",
        |it| {
            let constraint = "iam.allowServiceAccountCredentialLifetimeExtension";
            rule(it, constraint, r#"{"allowAll":true}"#);
        },
    ),
    (
        "ORGPOL-BLOCKERS",
        Status::Fail,
        "no policy lets in projects/4711/locations/global/workloadIdentityPools/acme-gke.svc.id.goog",
        |it| rule(it, DOMAINS, r#"{"denyAll":true}"#),
    ),
    (
        "ORGPOL-BLOCKERS",
        Status::Fail,
        "no policy lets in projects/4711",
        |it| {
            below(it, "organizations/7");
            let other = r#"{"values":{"allowedValues":["is:principalSet://iam.googleapis.com/organizations/8"]}}"#;
            rule(it, DOMAINS, other);
        },
    ),
    ("ORGPOL-BLOCKERS", Status::Warn, "is not confirmed", |it| {
        rule(it, DOMAINS, r#"{"values":{"allowedValues":["C0acme"]}}"#);
    }),
    ("ORGPOL-BLOCKERS", Status::Warn, "is not confirmed", |it| {
        below(it, "organizations/7");
        let own = r#"{"values":{"allowedValues":["is:principalSet://iam.googleapis.com/organizations/7"]}}"#;
        rule(it, DOMAINS, own);
    }),
    (
        "ORGPOL-BLOCKERS",
        Status::Fail,
        "no policy lets in projects/4711",
        |it| {
            below(it, "organizations/7");
            let other = r#"{"enforce":true,"parameters":{"allowedPrincipalSets":["//cloudresourcemanager.googleapis.com/organizations/8"]}}"#;
            rule(it, MEMBERS, other);
        },
    ),
    ("ORGPOL-BLOCKERS", Status::Warn, "is not confirmed", |it| {
        below(it, "organizations/7");
        let own = r#"{"enforce":true,"parameters":{"allowedPrincipalSets":["//cloudresourcemanager.googleapis.com/organizations/7"]}}"#;
        rule(it, MEMBERS, own);
    }),
    (
        "ORGPOL-BLOCKERS",
        Status::Fail,
        "cluster one is in europe-west1",
        |it| {
            let elsewhere = r#"{"values":{"allowedValues":["in:us-locations"]}}"#;
            rule(it, LOCATIONS, elsewhere);
        },
    ),
    (
        "ORGPOL-BLOCKERS",
        Status::Fail,
        "repositories/here is in us-east1",
        |it| {
            let here = RepositoryName {
                project: project("acme-gke"),
                location: "us-east1".to_owned(),
                repository: "here".to_owned(),
            };
            it.repositories.insert(here, RepositoryFacts::default());
            let elsewhere = r#"{"values":{"deniedValues":["in:us-locations"]}}"#;
            rule(it, LOCATIONS, elsewhere);
        },
    ),
    ("ORGPOL-BLOCKERS", Status::Unknown, "is not known", |it| {
        let group = r#"{"values":{"allowedValues":["in:low-carbon-locations"]}}"#;
        rule(it, LOCATIONS, group);
    }),
    ("ORGPOL-BASELINE", Status::Warn, "JSON keys", |it| {
        unset(it, "iam.managed.disableServiceAccountKeyCreation");
    }),
    (
        "ORGPOL-BASELINE",
        Status::Warn,
        "until it is abused",
        |it| {
            let waits = r#"{"values":{"allowedValues":["WAIT_FOR_ABUSE"]}}"#;
            rule(it, "iam.serviceAccountKeyExposureResponse", waits);
        },
    ),
    ("ORGPOL-BASELINE", Status::Warn, "made elsewhere", |it| {
        unset(it, "iam.managed.disableServiceAccountKeyUpload");
    }),
    ("ORGPOL-BASELINE", Status::Warn, "API keys", |it| {
        unset(it, "iam.managed.disableServiceAccountApiKeyCreation");
    }),
    ("ORGPOL-BASELINE", Status::Warn, "from the start", |it| {
        unset(it, "iam.automaticIamGrantsForDefaultServiceAccounts");
    }),
    ("ORGPOL-BASELINE", Status::Warn, "later", |it| {
        unset(
            it,
            "iam.managed.preventPrivilegedBasicRolesForDefaultServiceAccounts",
        );
    }),
    ("ORGPOL-BASELINE", Status::Warn, "at AWS", |it| {
        unset(it, "iam.workloadIdentityPoolAwsAccounts");
    }),
    (
        "ORGPOL-BASELINE",
        Status::Warn,
        "everything else runs",
        |it| {
            unset(it, "container.managed.disallowDefaultComputeServiceAccount");
        },
    ),
    (
        "ORGPOL-HARDENING",
        Status::Warn,
        "container.managed.enableShieldedNodes (machines that pass for a node), storage.publicAccessPrevention",
        |it| {
            unset(it, "container.managed.enableShieldedNodes");
            unset(it, "storage.publicAccessPrevention");
        },
    ),
    ("ORGPOL-HARDENING", Status::Unknown, "denied", |it| {
        it.organisation
            .insert("container.managed.disableABAC".to_owned(), denied());
    }),
    ("ORGPOL-BASELINE", Status::Warn, "nobody chose", |it| {
        unset(it, "iam.workloadIdentityPoolProviders");
    }),
    ("ORGPOL-BASELINE", Status::Warn, "audit log", |it| {
        unset(it, "iam.disableAuditLoggingExemption");
    }),
    ("ORGPOL-BASELINE", Status::Warn, "of their node", |it| {
        unset(it, "container.managed.enableWorkloadIdentityFederation");
    }),
    ("ORGPOL-BASELINE", Status::Unknown, "denied", |it| {
        it.organisation.insert(
            "iam.managed.disableServiceAccountKeyCreation".to_owned(),
            denied(),
        );
    }),
    (
        "ORGPOL-BASELINE",
        Status::Fail,
        "tokens of serviceAccount:kargo-project-web@acme-gke.iam.gserviceaccount.com may live longer",
        |it| {
            let accounts = r#"{"values":{"allowedValues":[
                "serviceAccount:batch@acme-gke.iam.gserviceaccount.com",
                "serviceAccount:kargo-project-web@acme-gke.iam.gserviceaccount.com"]}}"#;
            let constraint = "iam.allowServiceAccountCredentialLifetimeExtension";
            rule(it, constraint, accounts);
        },
    ),
];

#[test]
fn each_project_is_held_to_its_own_list_of_services() {
    let without_registry = r#"{"values":{"allowedValues":["container.googleapis.com","iam.googleapis.com",
        "iamcredentials.googleapis.com","sts.googleapis.com"]}}"#;
    let own = judged("gcp.restrictServiceUsage", |it| {
        rule(it, "gcp.restrictServiceUsage", without_registry);
    });
    assert_eq!(own.status, Status::Pass, "{}", own.says);
    let policy = format!(r#"{{"spec":{{"rules":[{without_registry}]}}}}"#);
    let policy: OrganisationPolicy = serde_json::from_str(&policy).expect("a policy");
    let other = judged("gcp.restrictServiceUsage in acme-art", |it| {
        it.registry_service_limits
            .insert(project("acme-art"), known(policy));
    });
    assert_eq!(other.status, Status::Fail, "{}", other.says);
    let commands = other.fix.expect("a repair").commands;
    assert!(commands.contains("projects/acme-art"), "{commands}");
}

#[test]
fn what_is_said_of_a_constraint_says_where_it_was_read() {
    let report = diagnose(&whole());
    let of_organisation = report
        .results
        .iter()
        .filter(|it| it.id.starts_with("ORGPOL-"));
    for it in of_organisation {
        assert!(!it.evidence.is_empty(), "{} {}", it.id, it.subject);
    }
}

fn rule(facts: &mut Facts, constraint: &str, rule: &str) {
    let policy = format!(r#"{{"spec":{{"rules":[{rule}]}}}}"#);
    let policy = serde_json::from_str(&policy).expect("a policy");
    facts
        .organisation
        .insert(constraint.to_owned(), known(policy));
}

fn enforce(facts: &mut Facts, constraint: &str) {
    rule(facts, constraint, r#"{"enforce":true}"#);
}

fn unset(facts: &mut Facts, constraint: &str) {
    let policy = known(OrganisationPolicy::default());
    facts.organisation.insert(constraint.to_owned(), policy);
}

fn below(facts: &mut Facts, place: &str) {
    let policy = known(Policy::default());
    facts.ancestor_policies.insert(place.to_owned(), policy);
}

/// How a constraint is judged in a world where all else is whole.
fn judged(constraint: &str, change: impl FnOnce(&mut Facts)) -> CheckResult {
    let report = after(change);
    let mut all = report.results.into_iter();
    let found = all.find(|it| it.id.starts_with("ORGPOL-") && it.subject.to_string() == constraint);
    found.unwrap_or_else(|| panic!("nothing is said of {constraint}"))
}

#[test]
fn every_constraint_of_the_baseline_warns_by_itself() {
    for wanted in BASELINE {
        let result = judged(wanted.constraint, |it| unset(it, wanted.constraint));
        assert_eq!(result.status, Status::Warn, "{}", wanted.constraint);
        assert!(result.says.contains(wanted.prevents), "{}", result.says);
    }
}

#[test]
fn keys_need_a_limit_only_where_they_can_be_made() {
    const LIMIT: &str = "iam.serviceAccountKeyExpiryHours";
    let creation = "iam.managed.disableServiceAccountKeyCreation";
    let without = judged(LIMIT, |it| unset(it, creation));
    assert_eq!(without.status, Status::Warn);
    assert!(without.says.contains("until somebody deletes it"));
    let limited = judged(LIMIT, |it| {
        unset(it, creation);
        rule(it, LIMIT, r#"{"values":{"allowedValues":["168h"]}}"#);
    });
    assert_eq!(limited.status, Status::Pass);
    assert_eq!(limited.says, "a new key is good for 168h at most");
    let none = judged(LIMIT, |_| {});
    assert_eq!(none.says, "no key can be made");
}

#[test]
fn lists_that_name_the_pool_or_the_place_let_them_pass() {
    for (constraint, json) in [
        (DOMAINS, r#"{"allowAll":true}"#),
        (
            DOMAINS,
            r#"{"values":{"allowedValues":["C0acme","is:principalSet://iam.googleapis.com/projects/4711/locations/global/workloadIdentityPools/acme-gke.svc.id.goog/*"]}}"#,
        ),
        (MEMBERS, r#"{"enforce":false}"#),
        (
            MEMBERS,
            r#"{"enforce":true,"parameters":{"allowedMemberSubjects":["principal://iam.googleapis.com/projects/4711/locations/global/workloadIdentityPools/acme-gke.svc.id.goog/subject/ns/argosy/sa/controller"]}}"#,
        ),
        (
            LOCATIONS,
            r#"{"values":{"allowedValues":["in:eu-locations"]}}"#,
        ),
        (
            LOCATIONS,
            r#"{"values":{"deniedValues":["in:us-locations"]}}"#,
        ),
    ] {
        let result = judged(constraint, |it| rule(it, constraint, json));
        assert_eq!(result.status, Status::Pass, "{json}: {}", result.says);
    }
}

#[test]
fn what_is_added_to_a_list_leaves_what_it_had() {
    let fix = |constraint: &str, json: &str| {
        let result = judged(constraint, |it| {
            below(it, "organizations/7");
            rule(it, constraint, json);
        });
        result.fix.expect("a repair").commands
    };
    let of_domains = fix(DOMAINS, r#"{"values":{"allowedValues":["C0acme"]}}"#);
    let both = r#"["C0acme","is:principalSet://iam.googleapis.com/organizations/7"]"#;
    assert!(of_domains.contains(both), "{of_domains}");
    let of_members = fix(
        MEMBERS,
        r#"{"enforce":true,"parameters":{"allowedMemberSubjects":["user:ann@acme.example"]}}"#,
    );
    let both = format!(r#"["user:ann@acme.example","{}"]"#, controller());
    assert!(of_members.contains(&both), "{of_members}");
    let own = r#"["//cloudresourcemanager.googleapis.com/organizations/7"]"#;
    assert!(of_members.contains(own), "{of_members}");
    let of_locations = fix(
        LOCATIONS,
        r#"{"values":{"allowedValues":["in:us-locations"]}}"#,
    );
    let both = r#"["in:us-locations","europe-west1"]"#;
    assert!(of_locations.contains(both), "{of_locations}");
}

//! Links whose grant is not where it should be, or could not be read, and refusals that did not come.

use super::broken::*;
use super::*;
use crate::facts::UseFacts;
use crate::policy::{Policy, READER, TIGHT_MINTER};

const OWN_ROLE: &str = "projects/acme-gke/roles/own";

pub(super) const CASES: &[Case] = &[
    ("VPCSC", Status::Unknown, "was answered: timed out", |it| {
        silence(it);
    }),
    (
        "GSA-BINDING",
        Status::Warn,
        "on all of projects/acme-gke, not on the account alone",
        |it| {
            unbind(it);
            it.home_policy = known(granting(TIGHT_MINTER, &controller().to_string()));
        },
    ),
    ("GSA-BINDING", Status::Warn, "on all of folders/1", |it| {
        unbind(it);
        let policy = known(granting(TIGHT_MINTER, &controller().to_string()));
        it.ancestor_policies.insert("folders/1".to_owned(), policy);
    }),
    (
        "GSA-BINDING",
        Status::Unknown,
        "the policy of projects/acme-gke was not read",
        |it| {
            unbind(it);
            it.home_policy = denied();
        },
    ),
    (
        "GSA-BINDING",
        Status::Unknown,
        "the policy of folders/1 was not read",
        |it| {
            unbind(it);
            it.ancestor_policies
                .insert("folders/1".to_owned(), denied());
        },
    ),
    ("GSA-BINDING", Status::Unknown, OWN_ROLE, |it| {
        unbind(it);
        let policy = known(granting(OWN_ROLE, &controller().to_string()));
        it.ancestor_policies.insert("folders/1".to_owned(), policy);
    }),
    (
        "AR-READER",
        Status::Warn,
        "has roles/artifactregistry.reader on all of folders/12",
        |it| {
            let policy = known(granting(READER, &account("web").member()));
            above(it, "folders/12", policy);
        },
    ),
    (
        "AR-READER",
        Status::Unknown,
        "the policy of organizations/7 was not read",
        |it| above(it, "organizations/7", denied()),
    ),
    ("AR-READER", Status::Unknown, OWN_ROLE, |it| {
        above(
            it,
            "folders/12",
            known(granting(OWN_ROLE, &account("web").member())),
        );
    }),
    (
        "AR-READER",
        Status::Unknown,
        "a group or a domain has roles/artifactregistry.reader",
        |it| {
            let policy = known(granting(READER, "domain:acme.example"));
            above(it, "folders/12", policy);
        },
    ),
    ("AR-READER", Status::Unknown, "could not be listed", |it| {
        apps(it).policy = known(Policy::default());
        it.above.clear();
    }),
    ("GSA-BINDING", Status::Unknown, OWN_ROLE, |it| {
        unbind(it);
        it.home_policy = known(granting(OWN_ROLE, &controller().to_string()));
    }),
    (
        "AR-READER",
        Status::Unknown,
        "the policy of acme-art was not read",
        |it| {
            apps(it).policy = known(Policy::default());
            apps(it).project_policy = denied();
        },
    ),
    (
        "AR-READER",
        Status::Unknown,
        "a group or a domain has roles/artifactregistry.reader",
        |it| apps(it).policy = known(granting(READER, "group:readers@acme.example")),
    ),
    (
        "AR-READER",
        Status::Unknown,
        "a group or a domain has roles/artifactregistry.reader",
        |it| {
            apps(it).policy = known(Policy::default());
            apps(it).project_policy = known(granting(READER, "domain:acme.example"));
        },
    ),
    ("AR-READER", Status::Unknown, OWN_ROLE, |it| {
        apps(it).policy = known(Policy::default());
        apps(it).project_policy = known(granting(OWN_ROLE, &account("web").member()));
    }),
    (
        "DENY-POLICY",
        Status::Fail,
        "denies artifactregistry.googleapis.com/repositories.downloadArtifacts to kargo-project-web@",
        |it| {
            let web = account("web");
            deny(
                it,
                "projects/acme-art",
                "artifactregistry.googleapis.com/repositories.downloadArtifacts",
                &format!("principal://iam.googleapis.com/projects/-/serviceAccounts/{web}"),
            );
        },
    ),
];

/// Takes from the controller what it has on the account of `web`.
fn unbind(facts: &mut Facts) {
    web(facts).policy = known(Policy::default());
}

/// Takes from the account of `web` what it has on the repository, and has this policy above the repository's project.
fn above(facts: &mut Facts, place: &str, policy: Reading<Policy>) {
    apps(facts).policy = known(Policy::default());
    facts
        .registry_ancestor_policies
        .insert(place.to_owned(), policy);
}

fn silent<T>() -> Reading<T> {
    Reading::unreachable("POST https://example.test/", "timed out")
}

/// Lets every request that the Pod made go unanswered.
fn silence(facts: &mut Facts) {
    facts.pod.impersonation_probe = silent();
    facts.pod.project_permissions = silent();
    for reading in facts.pod.direct_permissions.values_mut() {
        *reading = silent();
    }
    for seen in facts.projects.values_mut() {
        seen.mint = silent();
        for used in seen.uses.values_mut() {
            *used = UseFacts {
                pull: silent(),
                permissions: silent(),
                listing: silent(),
            };
        }
    }
}

#[test]
fn one_answer_is_enough_to_know_of_no_perimeter() {
    let report = after(|it| {
        silence(it);
        web(it).mint = Reading::absent("POST https://example.test/");
    });
    assert_eq!(result(&report, "VPCSC").status, Status::Pass);
}

#[test]
fn what_is_not_known_of_a_grant_hides_nothing_that_can_be_tried() {
    for change in [
        (|it| apps(it).policy = known(granting(READER, "group:readers@acme.example")))
            as fn(&mut Facts),
        |it| {
            apps(it).policy = known(Policy::default());
            apps(it).project_policy = denied();
        },
        |it| {
            unbind(it);
            it.home_policy = denied();
        },
        |it| {
            unbind(it);
            it.ancestor_policies
                .insert("folders/1".to_owned(), denied());
        },
        |it| above(it, "folders/12", denied()),
        |it| {
            let policy = known(granting(READER, &account("web").member()));
            above(it, "folders/12", policy);
        },
    ] {
        let report = after(change);
        assert_eq!(result(&report, "GSA-MINT").status, Status::Pass);
        assert_eq!(result(&report, "AR-PULL").status, Status::Pass);
    }
}

#[test]
fn a_project_without_accounts_may_deny_acting_as_them() {
    let report = after(|it| {
        let permission = "iam.googleapis.com/serviceAccounts.getAccessToken";
        deny(
            it,
            "projects/acme-art",
            permission,
            "principalSet://goog/public:all",
        );
    });
    assert_eq!(result(&report, "DENY-POLICY").status, Status::Pass);
}

#[test]
fn a_grant_to_the_pool_of_a_fleet_asks_for_the_number_of_its_project() {
    let report = after(|it| {
        gke(it, |it| {
            it.workload_identity_config.workload_pool = "acme-fleet.svc.id.goog".to_owned();
        });
    });
    let fix = result(&report, "POOL-PROJECT").fix.expect("a fix");
    let member = "--member='principal://";
    let number =
        "projects/$(gcloud projects describe acme-fleet --format='value(projectNumber)')/locations";
    assert!(
        !fix.commands.contains(member),
        "a shell has to read the number: {fix:?}"
    );
    assert_eq!(fix.commands.matches(number).count(), 2, "{fix:?}");
    let reference = "projects/${data.google_project.acme_fleet.number}/locations";
    assert!(fix.terraform.text().contains(reference), "{fix:?}");
}

#[test]
fn a_refusal_is_mended_by_its_reason() {
    for (reason, command) in [
        ("SERVICE_DISABLED", "gcloud services enable"),
        ("ACCESS_TOKEN_SCOPE_INSUFFICIENT", "kubectl cordon node-1"),
        ("ACCESS_TOKEN_EXPIRED", "k8s-app=gke-metadata-server"),
        ("BILLING_DISABLED", "gcloud logging read"),
    ] {
        let report = after(|it| web(it).mint = refused(reason, "x"));
        let fix = result(&report, "GSA-MINT").fix.expect("a fix");
        assert!(fix.commands.contains(command), "{reason}: {fix:?}");
    }
}

//! One excessive grant, or one missing guard, for each rule.

use super::*;
use crate::facts::whole::{account, cluster, repository};
use crate::facts::{
    AccountKey, FoundGrant, OrganisationPolicy, ProjectFacts, RepositoryFacts, Seen,
    ServiceAccount, Source,
};
use crate::policy::{OPEN_MINTER, Policy, READER, TIGHT_MINTER};

/// A rule, how bad, what it should say, and the change that it should find.
pub(super) type Case = (&'static str, Severity, &'static str, fn(&mut Facts));

pub(super) const POOL: &str =
    "iam.googleapis.com/projects/4711/locations/global/workloadIdentityPools/acme-gke.svc.id.goog";
pub(super) const NODES: &str = "serviceAccount:nodes@acme-gke.iam.gserviceaccount.com";

/// All of them, those of the other file too.
pub(super) fn cases() -> impl Iterator<Item = &'static Case> {
    CASES.iter().chain(excessive_wide::CASES)
}

const CASES: &[Case] = &[
    (
        "A01",
        Severity::High,
        "has roles/artifactregistry.reader on projects/acme-gke",
        |it| home(it, READER, &controller().to_string()),
    ),
    ("A01", Severity::High, "on folders/12", |it| {
        it.ancestor_policies.insert(
            "folders/12".to_owned(),
            known(granting(READER, &controller().legacy_member())),
        );
    }),
    (
        "A02",
        Severity::Critical,
        "every account below projects/acme-gke",
        |it| home(it, OPEN_MINTER, &controller().to_string()),
    ),
    (
        "A02",
        Severity::Critical,
        "by roles/iam.workloadIdentityUser",
        |it| home(it, TIGHT_MINTER, &format!("principalSet://{POOL}/*")),
    ),
    (
        "A02",
        Severity::Critical,
        "by projects/acme-gke/roles/minter",
        |it| {
            it.custom_roles.0.insert(
                "projects/acme-gke/roles/minter".to_owned(),
                vec![crate::policy::MINT.to_owned()],
            );
            home(
                it,
                "projects/acme-gke/roles/minter",
                &controller().to_string(),
            );
        },
    ),
    ("A03", Severity::Critical, "has roles/editor", |it| {
        holds(
            it,
            "roles/editor",
            "//cloudresourcemanager.googleapis.com/projects/acme-art",
        );
    }),
    ("A03", Severity::High, "has roles/viewer", |it| {
        holds(
            it,
            "roles/viewer",
            "//cloudresourcemanager.googleapis.com/projects/acme-art",
        );
    }),
    ("A04", Severity::High, "artifactregistry.writer", |it| {
        holds(
            it,
            "roles/artifactregistry.writer",
            "//cloudresourcemanager.googleapis.com/projects/acme-art",
        );
    }),
    ("A04", Severity::High, "repositories/unused", |it| {
        holds(
            it,
            "roles/artifactregistry.writer",
            "//artifactregistry.googleapis.com/projects/acme-art/locations/us/repositories/unused",
        );
    }),
    (
        "A05",
        Severity::Medium,
        "artifactregistry.reader on //cloudresourcemanager",
        |it| {
            holds(
                it,
                READER,
                "//cloudresourcemanager.googleapis.com/projects/acme-art",
            );
        },
    ),
    ("A06", Severity::Medium, "roles/pubsub.subscriber", |it| {
        holds(
            it,
            "roles/pubsub.subscriber",
            "//pubsub.googleapis.com/projects/p/subscriptions/s",
        );
    }),
    (
        "A07",
        Severity::High,
        "user:ann@example.com may act as",
        |it| web_grant(it, OPEN_MINTER, "user:ann@example.com"),
    ),
    (
        "A07",
        Severity::Critical,
        "every Pod of every cluster",
        |it| web_grant(it, TIGHT_MINTER, &format!("principalSet://{POOL}/*")),
    ),
    (
        "A07",
        Severity::High,
        "every account of namespace argosy",
        |it| {
            web_grant(
                it,
                TIGHT_MINTER,
                &format!("principalSet://{POOL}/namespace/argosy"),
            );
        },
    ),
    (
        "A07",
        Severity::Critical,
        "anybody with an account of Google",
        |it| web_grant(it, OPEN_MINTER, "allAuthenticatedUsers"),
    ),
    (
        "A07",
        Severity::High,
        "ns/kargo/sa/controller) may act as",
        |it| {
            web_grant(
                it,
                TIGHT_MINTER,
                &controller().to_string().replace("ns/argosy", "ns/kargo"),
            );
        },
    ),
    ("A08", Severity::High, "the key k1", |it| {
        web(it).keys = known(vec![AccountKey {
            name: "projects/p/serviceAccounts/e/keys/k1".to_owned(),
            ..AccountKey::default()
        }]);
    }),
    ("A09", Severity::Medium, "was not used for 90 days", |it| {
        web(it).last_used = known(Some("2026-08-01T07:00:00Z".parse().expect("a time")));
    }),
    ("A09", Severity::Medium, "there is no Project gone", |it| {
        let orphan = ServiceAccount {
            email: account("gone").to_string(),
            ..ServiceAccount::default()
        };
        it.accounts = known(vec![orphan]);
    }),
    (
        "A10",
        Severity::High,
        "allUsers has roles/artifactregistry.reader",
        |it| apps(it).policy = known(granting(READER, "allUsers")),
    ),
    (
        "A11",
        Severity::High,
        "kargo-project-web@acme-gke.iam.gserviceaccount.com may write",
        |it| {
            apps(it).policy = known(granting(
                "roles/artifactregistry.writer",
                &account("web").member(),
            ));
        },
    ),
    (
        "A11",
        Severity::High,
        "may write to projects/acme-art",
        |it| {
            apps(it).policy = known(granting(
                "roles/artifactregistry.repoAdmin",
                &controller().to_string(),
            ));
        },
    ),
    (
        "A12",
        Severity::Medium,
        "the controller reads projects/acme-art",
        |it| apps(it).policy = known(granting(READER, &controller().to_string())),
    ),
    (
        "A12",
        Severity::High,
        "every repository of acme-art",
        |it| apps(it).project_policy = known(granting(READER, &controller().to_string())),
    ),
    ("A13", Severity::Info, "shop, web", |it| {
        let mut policy = granting(READER, &account("web").member());
        policy.add(READER, &account("shop").member());
        apps(it).policy = known(policy);
    }),
    ("A14", Severity::Info, "as well as to principal://", |it| {
        web_grant(it, TIGHT_MINTER, &controller().legacy_member());
    }),
    (
        "A15",
        Severity::Medium,
        "argosy/controller in cluster two",
        |it| it.clusters = known(vec![cluster("one"), cluster("two")]),
    ),
    (
        "A15",
        Severity::Medium,
        "web/argosy-gcp there is who web acts as here",
        web_is_known_elsewhere,
    ),
    ("A16", Severity::Medium, "is disabled", |it| {
        if let Seen::Known(account) = &mut web(it).account.seen {
            account.disabled = true;
        }
    }),
    ("A16", Severity::Medium, "who is gone", |it| {
        web_grant(
            it,
            OPEN_MINTER,
            "deleted:serviceAccount:x@acme-gke.iam.gserviceaccount.com?uid=1",
        );
    }),
    (
        "A16",
        Severity::Medium,
        "on projects/acme-art/locations/europe-west1/repositories/apps is granted to deleted:",
        |it| {
            apps(it).policy = known(granting(
                READER,
                "deleted:serviceAccount:kargo-project-web@acme-gke.iam.gserviceaccount.com?uid=1",
            ));
        },
    ),
    ("A17", Severity::High, "is tied to x@y", |it| {
        it.pod.account_annotations = known([(ANNOTATION.to_owned(), "x@y".to_owned())].into());
    }),
    ("A18", Severity::High, "own service agents", |it| {
        home(it, "roles/container.serviceAgent", "user:ann@example.com");
    }),
    ("A19", Severity::Medium, "which has roles/editor", |it| {
        home(it, "roles/editor", NODES);
    }),
    (
        "A19",
        Severity::Medium,
        "artifactregistry.writer on projects/acme-art",
        |it| apps(it).policy = known(granting("roles/artifactregistry.writer", NODES)),
    ),
    ("A20", Severity::High, "holds a key", |it| {
        web(it).key_secrets = known(vec!["gar".to_owned()]);
    }),
    ("A21", Severity::Medium, "JSON keys", |it| {
        it.organisation.insert(
            "iam.managed.disableServiceAccountKeyCreation".to_owned(),
            known(OrganisationPolicy::default()),
        );
    }),
    ("A22", Severity::Low, "sign as kargo-project-web", |it| {
        web(it).policy = known(granting(OPEN_MINTER, &controller().to_string()));
    }),
    (
        "A23",
        Severity::Low,
        "sts.googleapis.com are not logged",
        |it| it.home_policy = known(Policy::default()),
    ),
    ("A24", Severity::Medium, "should be principal://", |it| {
        web_grant(
            it,
            TIGHT_MINTER,
            &controller().to_string().replace("/4711/", "/acme-gke/"),
        );
    }),
];

#[test]
fn each_rule_finds_what_it_is_for() {
    for (id, severity, says, change) in cases() {
        let report = after(change);
        let of_rule: Vec<_> = report.findings.iter().filter(|it| it.rule == *id).collect();
        let matching = of_rule
            .iter()
            .any(|it| it.severity == *severity && it.says.contains(says));
        assert!(
            matching,
            "{id} should say {says:?} ({severity}): {of_rule:?}"
        );
        let bound = Rule::named(id).expect("a rule").severity;
        assert!(
            of_rule.iter().all(|it| it.severity <= bound),
            "{id} is worse than its table says"
        );
    }
}

#[test]
fn every_rule_has_a_case() {
    let with_case: BTreeSet<_> = cases().map(|it| it.0).collect();
    let all: BTreeSet<_> = RULES.iter().map(|it| it.id).collect();
    assert_eq!(with_case, all);
}

#[test]
fn findings_can_be_mended() {
    for (id, _, _, change) in cases() {
        let report = after(change);
        let finding = report
            .findings
            .iter()
            .find(|it| it.rule == *id)
            .expect("a finding");
        crate::setup::repair::tests::mends(&finding.fix, id);
        assert!(
            finding.evidence.iter().all(|it| !it.request.is_empty()),
            "{id} says where it was seen"
        );
    }
}

pub(super) fn known<T>(value: T) -> Reading<T> {
    Reading::known_from("GET https://example.test/", value)
}

pub(super) fn home(facts: &mut Facts, role: &str, member: &str) {
    let mut policy = granting(role, member);
    policy.log_reads_of("iam.googleapis.com");
    policy.log_reads_of("sts.googleapis.com");
    facts.home_policy = known(policy);
}

pub(super) fn web(facts: &mut Facts) -> &mut ProjectFacts {
    facts.projects.get_mut("web").expect("web")
}

pub(super) fn web_grant(facts: &mut Facts, role: &str, member: &str) {
    let mut policy = Policy::default();
    for (role, member) in [
        (TIGHT_MINTER, controller().to_string().as_str()),
        (role, member),
    ] {
        let mut one = granting(role, member);
        policy.bindings.append(&mut one.bindings);
    }
    web(facts).policy = known(policy);
}

pub(super) fn holds(facts: &mut Facts, role: &str, resource: &str) {
    web(facts).grants = known(vec![FoundGrant {
        resource: resource.to_owned(),
        role: role.to_owned(),
        seen_at: Source::new("GET https://example.test/", Some(200)),
    }]);
}

pub(super) fn apps(facts: &mut Facts) -> &mut RepositoryFacts {
    facts
        .repositories
        .get_mut(&repository("apps"))
        .expect("apps")
}

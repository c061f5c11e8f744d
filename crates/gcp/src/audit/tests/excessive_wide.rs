//! Excessive grants to others than Pods, in other spellings, on other projects, and where only a search looked.

use super::excessive::*;
use super::*;
use crate::facts::whole::{account, project};
use crate::facts::{AccountKey, FoundGrant, PoolGrant, Source};
use crate::policy::{OPEN_MINTER, READER, SIGN, TIGHT_MINTER};

const ART: &str = "//cloudresourcemanager.googleapis.com/projects/acme-art";
const OTHER: &str = "//cloudresourcemanager.googleapis.com/projects/acme-other";
const UNUSED: &str =
    "//artifactregistry.googleapis.com/projects/acme-art/locations/us/repositories/unused";
const WRITER: &str = "roles/artifactregistry.writer";

pub(super) const CASES: &[Case] = &[
    (
        "A01",
        Severity::High,
        "has roles/pubsub.viewer on projects/acme-art",
        |it| art(it, "roles/pubsub.viewer", &controller().to_string()),
    ),
    (
        "A01",
        Severity::High,
        "has roles/editor on projects/acme-art",
        |it| art(it, "roles/editor", &controller().to_string()),
    ),
    (
        "A01",
        Severity::High,
        "/clusters/one has roles/artifactregistry.reader",
        |it| home(it, READER, &own_cluster()),
    ),
    ("A01", Severity::High, "folders/99", |it| {
        let folder = "//cloudresourcemanager.googleapis.com/folders/99";
        searched(it, &controller().to_string(), READER, folder);
    }),
    (
        "A01",
        Severity::High,
        "[argosy/controller] has roles/viewer",
        |it| searched(it, &controller().legacy_member(), "roles/viewer", OTHER),
    ),
    (
        "A02",
        Severity::Critical,
        "every account below projects/acme-art",
        |it| art(it, OPEN_MINTER, &format!("principalSet://{POOL}/*")),
    ),
    ("A02", Severity::Critical, "projects/acme-other", |it| {
        searched(it, &controller().to_string(), OPEN_MINTER, OTHER);
    }),
    (
        "A03",
        Severity::Critical,
        "who web acts as, has roles/editor on //cloudresourcemanager.googleapis.com/projects/acme-gke",
        |it| {
            web_is_kubernetes(it);
            home(it, "roles/editor", &web_principal());
        },
    ),
    ("A03", Severity::High, "uid/u-3, which is", |it| {
        web_is_kubernetes(it);
        home(it, "roles/viewer", &uid("u-3"));
    }),
    ("A04", Severity::High, "repositories/unused", |it| {
        web_is_kubernetes(it);
        searched(it, &web_principal(), WRITER, UNUSED);
    }),
    (
        "A05",
        Severity::Medium,
        "who web acts as, has roles/artifactregistry.reader on //cloudresourcemanager",
        |it| {
            web_is_kubernetes(it);
            art(it, READER, &web_principal());
        },
    ),
    ("A06", Severity::Medium, "roles/pubsub.subscriber", |it| {
        web_is_kubernetes(it);
        let topic = "//pubsub.googleapis.com/projects/p/subscriptions/s";
        searched(it, &web_principal(), "roles/pubsub.subscriber", topic);
    }),
    (
        "A07",
        Severity::Critical,
        "user:ann@example.com may act as every account below projects/acme-gke",
        |it| home(it, OPEN_MINTER, "user:ann@example.com"),
    ),
    (
        "A07",
        Severity::Critical,
        "group:sre@example.com may act as every account below folders/12",
        |it| {
            let policy = granting(TIGHT_MINTER, "group:sre@example.com");
            it.ancestor_policies
                .insert("folders/12".to_owned(), known(policy));
        },
    ),
    (
        "A07",
        Severity::Critical,
        "domain:example.com may act as every account below organizations/7",
        |it| {
            let policy = granting(OPEN_MINTER, "domain:example.com");
            it.ancestor_policies
                .insert("organizations/7".to_owned(), known(policy));
        },
    ),
    (
        "A07",
        Severity::Critical,
        "by projects/acme-gke/roles/minter",
        |it| {
            let role = "projects/acme-gke/roles/minter";
            let permissions = vec![crate::policy::MINT.to_owned()];
            it.custom_roles.0.insert(role.to_owned(), permissions);
            let other = "serviceAccount:ci@acme-ci.iam.gserviceaccount.com";
            home(it, role, other);
        },
    ),
    (
        "A07",
        Severity::Critical,
        "gcp-sa-pubsub.iam.gserviceaccount.com may act",
        |it| {
            let agent = "serviceAccount:service-4711@gcp-sa-pubsub.iam.gserviceaccount.com";
            home(it, OPEN_MINTER, agent);
        },
    ),
    (
        "A07",
        Severity::High,
        "the Kubernetes account with uid u-2",
        |it| web_grant(it, TIGHT_MINTER, &uid("u-2")),
    ),
    (
        "A07",
        Severity::High,
        "every Pod of https://container.googleapis.com",
        |it| web_grant(it, TIGHT_MINTER, &own_cluster()),
    ),
    (
        "A08",
        Severity::High,
        "k2, which is disabled and can be enabled again",
        |it| {
            web(it).keys = known(vec![AccountKey {
                name: "projects/p/serviceAccounts/e/keys/k2".to_owned(),
                disabled: true,
                ..AccountKey::default()
            }]);
        },
    ),
    (
        "A09",
        Severity::Info,
        "no use of kargo-project-web@acme-gke.iam.gserviceaccount.com was seen; it may be new",
        |it| web(it).last_used = known(None),
    ),
    (
        "A11",
        Severity::High,
        "/clusters/one may write to projects/acme-art",
        |it| apps(it).policy = known(granting(WRITER, &own_cluster())),
    ),
    ("A11", Severity::High, "may write to //", |it| {
        searched(it, &controller().to_string(), WRITER, UNUSED);
    }),
    (
        "A12",
        Severity::Medium,
        "the controller reads projects/acme-art",
        |it| apps(it).policy = known(granting(READER, &own_cluster())),
    ),
    (
        "A12",
        Severity::Medium,
        "the controller reads projects/acme-art",
        |it| apps(it).policy = known(granting(READER, &uid("u-1"))),
    ),
    ("A12", Severity::Medium, "repositories/unused", |it| {
        searched(it, &controller().legacy_member(), READER, UNUSED);
    }),
    ("A14", Severity::Info, "the older spelling of", |it| {
        web(it).policy = known(granting(TIGHT_MINTER, &controller().legacy_member()));
    }),
    (
        "A16",
        Severity::Medium,
        "on projects/acme-art is granted to deleted:",
        |it| {
            let gone = format!("deleted:{}?uid=1", account("web").member());
            art(it, READER, &gone);
        },
    ),
    (
        "A18",
        Severity::High,
        "user:ann@example.com has roles/cloudbuild.serviceAgent",
        |it| art(it, "roles/cloudbuild.serviceAgent", "user:ann@example.com"),
    ),
    (
        "A18",
        Severity::High,
        "user:ann@example.com has roles/artifactregistry.serviceAgent",
        |it| {
            let role = "roles/artifactregistry.serviceAgent";
            apps(it).policy = known(granting(role, "user:ann@example.com"));
        },
    ),
    (
        "A18",
        Severity::High,
        "user:ann@example.com has roles/compute.serviceAgent",
        |it| web_grant(it, "roles/compute.serviceAgent", "user:ann@example.com"),
    ),
    (
        "A19",
        Severity::Medium,
        "artifactregistry.writer on projects/acme-art",
        |it| art(it, WRITER, NODES),
    ),
    ("A20", Severity::High, "for every Project", |it| {
        let namespace = "kargo-shared-resources".to_owned();
        it.shared_key_secrets
            .insert(namespace, known(vec!["gar".to_owned()]));
    }),
    ("A22", Severity::Low, "sign as kargo-project-web", |it| {
        web(it).policy = known(granting(OPEN_MINTER, &controller().legacy_member()));
    }),
    ("A22", Severity::Low, "projects/acme-gke/roles/own", |it| {
        let role = "projects/acme-gke/roles/own";
        it.custom_roles
            .0
            .insert(role.to_owned(), vec![SIGN[2].to_owned()]);
        web_grant(it, role, &controller().to_string());
    }),
];

/// The set of all Pods of the controller's own cluster.
pub(super) fn own_cluster() -> String {
    format!(
        "principalSet://{POOL}/kubernetes.cluster/https://container.googleapis.com/v1/projects/acme-gke/locations/europe-west1/clusters/one"
    )
}

pub(super) fn uid(uid: &str) -> String {
    format!("principal://{POOL}/kubernetes.serviceaccount.uid/{uid}")
}

pub(super) fn art(facts: &mut Facts, role: &str, member: &str) {
    for seen in facts.repositories.values_mut() {
        seen.project_policy = known(granting(role, member));
    }
}

/// A search finds a role of a member of the pool.
pub(super) fn searched(facts: &mut Facts, member: &str, role: &str, resource: &str) {
    facts.pool_grants = known(vec![PoolGrant {
        member: member.to_owned(),
        found: FoundGrant {
            resource: resource.to_owned(),
            role: role.to_owned(),
            seen_at: Source::new("GET https://example.test/", Some(200)),
        },
    }]);
}

/// `web` acts as the Kubernetes account in its namespace.
pub(super) fn web_is_kubernetes(facts: &mut Facts) {
    let web = web(facts);
    web.kubernetes_account = known(());
    web.kubernetes_uid = known("u-3".to_owned());
    web.mint = Reading::absent("POST generateAccessToken");
    web.account = Reading::absent("GET account");
    web.policy = Reading::absent("POST account:getIamPolicy");
    web.grants = known(Vec::new());
}

pub(super) fn web_principal() -> String {
    let web = whole().kubernetes_principal("web").expect("a principal");
    web.to_string()
}

#[test]
fn what_a_search_finds_and_a_policy_does_not_counts_only_where_no_policy_was_read() {
    let member = controller().to_string();
    let count = |report: AuditReport| report.findings.iter().filter(|it| it.rule == "A01").count();
    let on_art = |facts: &mut Facts| searched(facts, &member, "roles/pubsub.viewer", ART);
    assert_eq!(count(after(on_art)), 0, "its policy was read and has none");
    let unread = after(|facts| {
        on_art(facts);
        for seen in facts.repositories.values_mut() {
            seen.project_policy = refused("IAM_PERMISSION_DENIED", "denied on resource");
        }
    });
    assert_eq!(count(unread), 1);
}

#[test]
fn a_disabled_key_is_deleted_and_an_account_that_may_be_new_is_left_alone() {
    let fix = |id: &str, change: fn(&mut Facts)| {
        let report = after(change);
        let mut findings = report.findings.into_iter();
        let found = findings.find(|it| it.rule == id).expect("a finding");
        found.fix.commands
    };
    let case = |says: &str| {
        let mut cases = CASES.iter().filter(|it| it.2.contains(says));
        cases.next().expect("a case").3
    };
    let deleted = fix("A08", case("k2, which is disabled"));
    assert!(deleted.contains("keys delete k2"), "{deleted}");
    let left = fix("A09", case("it may be new"));
    assert!(!left.contains("disable"), "{left}");
}

#[test]
fn a_role_to_sign_is_taken_back_in_the_spelling_in_which_it_was_granted() {
    let legacy = controller().legacy_member();
    let report = after(|facts| {
        let mut policy = granting(OPEN_MINTER, &legacy);
        policy.add(TIGHT_MINTER, &controller().to_string());
        web(facts).policy = known(policy);
    });
    let mut found = report.findings.iter().filter(|it| it.rule == "A22");
    let commands = &found.next().expect("a finding").fix.commands;
    let (granted, revoked) = commands
        .split_once("remove-iam-policy-binding")
        .expect("something is taken back");
    assert!(granted.contains(&controller().to_string()), "{granted}");
    assert!(revoked.contains(&legacy), "{revoked}");
    assert!(!revoked.contains("principal://"), "{revoked}");
}

#[test]
fn a_role_is_taken_back_where_it_was_granted() {
    let report = after(|it| {
        holds(
            it,
            "roles/editor",
            "//cloudresourcemanager.googleapis.com/projects/acme-art",
        );
    });
    let fix = &report.findings[0].fix;
    assert!(
        fix.commands
            .contains("gcloud projects remove-iam-policy-binding acme-art"),
        "{}",
        fix.commands
    );
    assert!(
        fix.commands
            .contains(&format!("--member={}", account("web").member())),
        "{}",
        fix.commands
    );
    assert_eq!(project("acme-art").as_str(), "acme-art");
}

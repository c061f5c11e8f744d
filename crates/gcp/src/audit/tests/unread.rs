//! What a rule could not look at, though most of what it needs was read.

use super::excessive::*;
use super::excessive_wide::*;
use super::*;
use crate::facts::Inventory;
use crate::policy::{READER, TIGHT_MINTER};

const OWN_ROLE: &str = "projects/acme-gke/roles/own";

/// A rule, what it should have left open, and why.
type Open = (&'static str, &'static str, &'static str, fn(&mut Facts));

const OPEN: &[Open] = &[
    ("A01", "outside of projects/acme-gke", "is denied", |it| {
        narrow(it);
    }),
    ("A01", "projects/acme-gke", "which cluster this is", |it| {
        home(it, READER, &own_cluster());
        it.cluster = refused("IAM_PERMISSION_DENIED", "denied on resource");
    }),
    ("A02", "projects/acme-gke", OWN_ROLE, |it| {
        home(it, OWN_ROLE, &controller().to_string());
    }),
    ("A03", "outside of projects/acme-gke", "is denied", |it| {
        narrow(it);
    }),
    (
        "A03",
        "projects/acme-gke",
        "the uid of web/argosy-gcp",
        |it| {
            web_is_kubernetes(it);
            web(it).kubernetes_uid = Reading::default();
            home(it, "roles/editor", &uid("u-3"));
        },
    ),
    ("A04", "outside of projects/acme-gke", "is denied", |it| {
        narrow(it);
    }),
    ("A05", "outside of projects/acme-gke", "is denied", |it| {
        narrow(it);
    }),
    ("A06", "Projects do not use", "is off", |it| {
        it.inventory = refused("SERVICE_DISABLED", "x");
    }),
    ("A07", "kargo-project-web", OWN_ROLE, |it| {
        web_grant(it, OWN_ROLE, "user:ann@example.com");
    }),
    ("A07", "projects/acme-gke", OWN_ROLE, |it| {
        home(it, OWN_ROLE, "user:ann@example.com");
    }),
    ("A07", "kargo-project-web", "the uid of", |it| {
        web_grant(it, TIGHT_MINTER, &uid("u-1"));
        it.pod.account_uid = Reading::default();
    }),
    ("A11", "outside of projects/acme-gke", "is denied", |it| {
        narrow(it);
    }),
    ("A11", "repositories/apps", "the uid of", |it| {
        let role = "roles/artifactregistry.writer";
        apps(it).policy = known(granting(role, &uid("u-1")));
        it.pod.account_uid = Reading::default();
    }),
    ("A11", "repositories/apps", OWN_ROLE, |it| on_apps(it)),
    ("A12", "projects/acme-art", OWN_ROLE, |it| {
        art(it, OWN_ROLE, &controller().to_string());
    }),
    ("A12", "outside of projects/acme-gke", "is denied", |it| {
        narrow(it);
    }),
    ("A12", "repositories/apps", OWN_ROLE, |it| on_apps(it)),
    (
        "A15",
        "clusters in europe-west1-b",
        "did not answer",
        |it| {
            it.missing_zones = vec!["europe-west1-b".to_owned()];
        },
    ),
    (
        "A15",
        "which cluster is the controller's",
        "add --cluster",
        |it| {
            it.clusters = known(vec![cluster("one"), cluster("two")]);
            let why = "there are 2 clusters: add --cluster LOCATION/NAME";
            it.cluster = Reading::unreachable("GET clusters", why);
        },
    ),
    (
        "A20",
        "secrets of kargo-shared-resources",
        "is forbidden",
        |it| {
            let namespace = "kargo-shared-resources".to_owned();
            let forbidden = Reading::of_refusal("GET secrets", 403, "it is forbidden");
            it.shared_key_secrets.insert(namespace, forbidden);
        },
    ),
    ("A22", "kargo-project-web", OWN_ROLE, |it| {
        web_grant(it, OWN_ROLE, &controller().to_string());
    }),
    ("A19", "main", OWN_ROLE, |it| {
        apps(it).policy = known(granting(
            OWN_ROLE,
            "serviceAccount:nodes@acme-gke.iam.gserviceaccount.com",
        ));
    }),
];

fn narrow(facts: &mut Facts) {
    facts.inventory = known(Inventory {
        scope: "projects/acme-gke".to_owned(),
        beyond: Some("organizations/7: it is denied".to_owned()),
    });
}

fn on_apps(facts: &mut Facts) {
    apps(facts).policy = known(granting(OWN_ROLE, &controller().to_string()));
}

#[test]
fn what_was_not_looked_at_is_not_guessed() {
    for (id, resource, why, change) in OPEN {
        let report = after(change);
        let unread = report
            .unread
            .iter()
            .find(|it| it.rule == *id && it.resource.contains(resource) && it.why.contains(why));
        assert!(unread.is_some(), "{id}: {:?}", report.unread);
        let found = report.findings.iter().any(|it| it.rule == *id);
        assert!(!found, "{id}: {:?}", report.findings);
    }
}

#[test]
fn a_role_that_was_read_leaves_nothing_open() {
    for (id, _, why, change) in OPEN.iter().filter(|it| it.2 == OWN_ROLE) {
        let report = after(|facts| {
            change(facts);
            facts.custom_roles.0.insert((*why).to_owned(), Vec::new());
        });
        let left: Vec<_> = report.unread.iter().filter(|it| it.rule == *id).collect();
        assert!(left.is_empty(), "{id}: {left:?}");
    }
}

#[test]
fn who_may_act_is_not_left_open_by_policies_that_are_not_above_accounts() {
    let report = after(|facts| {
        for seen in facts.repositories.values_mut() {
            seen.project_policy = refused("IAM_PERMISSION_DENIED", "denied on resource");
        }
    });
    let open: BTreeSet<_> = report.unread.iter().map(|it| it.rule).collect();
    assert_eq!(open, ["A01", "A12", "A16", "A18", "A19"].into());
    assert_eq!(report.exit_code(Severity::Info), 2);
}

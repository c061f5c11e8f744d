//! What looks excessive and is not.

use super::excessive::*;
use super::excessive_wide::*;
use super::*;
use crate::facts::whole::cluster;
use crate::facts::{OrganisationPolicy, Seen, ServiceAccount};
use crate::policy::{Condition, OPEN_MINTER, READER, TIGHT_MINTER};

type Harmless = (&'static str, fn(&mut Facts));

/// Changes that look like findings and are none.
const HARMLESS: &[Harmless] = &[
    // Reading of another project's repositories is A12's.
    ("A01", |it| art(it, READER, &controller().to_string())),
    ("A01", |it| home(it, "roles/viewer", &other_cluster())),
    ("A01", |it| {
        let other = "//cloudresourcemanager.googleapis.com/projects/acme-other";
        searched(it, &web_principal(), "roles/viewer", other);
    }),
    // A role that lets nobody act as the account is meant for something else.
    ("A24", |it| {
        web_grant(
            it,
            "roles/iam.serviceAccountViewer",
            "principal://iam.googleapis.com/projects/4711/locations/global/workloadIdentityPools/acme-gke.svc.id.goog/subject/ns/argosy/sa/controler",
        );
    }),
    // What other Pods may do in projects that nothing here uses.
    ("A02", |it| {
        let other = "//cloudresourcemanager.googleapis.com/projects/acme-other";
        searched(it, &web_principal(), OPEN_MINTER, other);
    }),
    ("A03", |it| {
        web_is_kubernetes(it);
        home(it, "roles/editor", &controller().to_string());
    }),
    ("A05", |it| {
        web_is_kubernetes(it);
        apps(it).policy = known(granting(READER, &web_principal()));
    }),
    ("A07", |it| home(it, "roles/owner", "user:ann@example.com")),
    ("A07", |it| {
        let agent = "serviceAccount:service-4711@compute-system.iam.gserviceaccount.com";
        home(it, "roles/compute.serviceAgent", agent);
    }),
    // Pods that act as every account are A02's.
    ("A07", |it| home(it, OPEN_MINTER, &controller().to_string())),
    ("A07", |it| art(it, OPEN_MINTER, "user:ann@example.com")),
    ("A07", |it| web_grant(it, TIGHT_MINTER, &uid("u-1"))),
    ("A09", |it| {
        web_is_kubernetes(it);
        web(it).last_used = known(None);
    }),
    ("A09", |it| {
        disabled(it);
        web(it).last_used = known(Some("2026-08-01T07:00:00Z".parse().expect("a time")));
    }),
    ("A12", |it| {
        apps(it).policy = known(granting(READER, &other_cluster()));
    }),
    ("A16", |it| {
        home(it, READER, "deleted:user:ann@example.com?uid=1");
    }),
    ("A18", |it| {
        let agent = "serviceAccount:project-4711@storage-transfer-service.iam.gserviceaccount.com";
        home(it, "roles/storagetransfer.serviceAgent", agent);
    }),
    ("A22", |it| {
        let mut policy = granting(OPEN_MINTER, &controller().to_string());
        policy.bindings[0].condition = Some(Condition {
            expression: "request.time < timestamp('2026-01-01T00:00:00Z')".to_owned(),
            ..Condition::default()
        });
        web(it).policy = known(policy);
    }),
    ("A01", |it| home(it, READER, "allAuthenticatedUsers")),
    ("A02", |it| home(it, OPEN_MINTER, "user:ann@example.com")),
    ("A02", |it| {
        home(it, "roles/viewer", &controller().to_string());
    }),
    ("A07", |it| {
        web_grant(it, "roles/iam.serviceAccountViewer", "user:ann@example.com");
    }),
    ("A07", |it| {
        web_grant(it, TIGHT_MINTER, &controller().legacy_member());
    }),
    ("A07", |it| {
        web_grant(
            it,
            TIGHT_MINTER,
            &controller().to_string().replace("/4711/", "/acme-gke/"),
        );
    }),
    ("A09", |it| {
        web(it).last_used = known(Some("2026-11-01T07:00:00Z".parse().expect("a time")));
    }),
    ("A09", |it| {
        it.accounts = known(vec![ServiceAccount {
            email: "ci@acme-gke.iam.gserviceaccount.com".to_owned(),
            ..ServiceAccount::default()
        }]);
    }),
    ("A11", |it| {
        apps(it).policy = known(granting(
            "roles/artifactregistry.writer",
            "serviceAccount:ci@acme-gke.iam.gserviceaccount.com",
        ));
    }),
    ("A15", |it| {
        let mut other = cluster("two");
        other.workload_identity_config.workload_pool.clear();
        it.clusters = known(vec![cluster("one"), other]);
    }),
    ("A18", |it| {
        home(
            it,
            "roles/container.serviceAgent",
            "serviceAccount:service-4711@container-engine-robot.iam.gserviceaccount.com",
        );
    }),
    ("A19", |it| {
        home(
            it,
            "roles/editor",
            "serviceAccount:ci@acme-gke.iam.gserviceaccount.com",
        );
    }),
    ("A21", |it| {
        it.organisation.insert(
            "iam.managed.disableServiceAccountKeyCreation".to_owned(),
            known(OrganisationPolicy::default()),
        );
        it.organisation.insert(
            "iam.disableServiceAccountKeyCreation".to_owned(),
            known(OrganisationPolicy::enforced()),
        );
    }),
    ("A24", |it| {
        web_grant(
            it,
            TIGHT_MINTER,
            "serviceAccount:acme-gke.svc.id.goog[web/app]",
        );
    }),
];

fn other_cluster() -> String {
    own_cluster().replace("clusters/one", "clusters/two")
}

fn disabled(facts: &mut Facts) {
    if let Seen::Known(account) = &mut web(facts).account.seen {
        account.disabled = true;
    }
}

#[test]
fn what_only_looks_like_it_is_not_found() {
    for (place, (id, change)) in HARMLESS.iter().enumerate() {
        let report = after(change);
        let found: Vec<_> = report.findings.iter().filter(|it| it.rule == *id).collect();
        assert!(found.is_empty(), "case {place}, {id}: {found:?}");
    }
}

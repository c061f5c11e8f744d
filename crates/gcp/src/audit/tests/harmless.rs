//! What looks excessive and is not.

use super::excessive::*;
use super::*;
use crate::facts::whole::cluster;
use crate::facts::{OrganisationPolicy, ServiceAccount};
use crate::policy::{OPEN_MINTER, READER, TIGHT_MINTER};

type Harmless = (&'static str, fn(&mut Facts));

/// Changes that look like findings and are none.
const HARMLESS: &[Harmless] = &[
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
    ("A14", |it| {
        web(it).policy = known(granting(TIGHT_MINTER, &controller().legacy_member()));
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

#[test]
fn what_only_looks_like_it_is_not_found() {
    for (place, (id, change)) in HARMLESS.iter().enumerate() {
        let report = after(change);
        let found: Vec<_> = report.findings.iter().filter(|it| it.rule == *id).collect();
        assert!(found.is_empty(), "case {place}, {id}: {found:?}");
    }
}

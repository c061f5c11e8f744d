//! Links that are whole in another way than in the world where all is.

use super::broken::*;
use super::*;
use crate::facts::Repository;
use crate::policy::{READER, TIGHT_MINTER};

/// A condition that holds now.
const NOW: &str = "request.time < timestamp('2027-01-01T00:00:00Z')";

#[track_caller]
fn passes(id: &str, says: &str, change: impl FnOnce(&mut Facts)) {
    let report = after(change);
    let mut all = report.results.iter().filter(|it| it.id == id);
    let passed = all.find(|it| it.status == Status::Pass && it.says.contains(says));
    assert!(passed.is_some(), "{id}: {:?}", result(&report, id));
    assert_eq!(report.exit_code(), 0, "{id}");
}

#[test]
fn a_former_address_that_is_led_to_a_repository_passes() {
    for state in [
        "REDIRECTION_FROM_GCR_IO_ENABLED",
        "REDIRECTION_FROM_GCR_IO_FINALIZED",
        "REDIRECTION_FROM_GCR_IO_ENABLED_AND_COPYING",
    ] {
        passes(
            "AR-GCRIO",
            "eu.gcr.io is served by Artifact Registry",
            |it| {
                former(it, state);
                for seen in it.repositories.values_mut() {
                    seen.repository = known(Repository {
                        format: "DOCKER".to_owned(),
                        ..Repository::default()
                    });
                }
            },
        );
    }
}

#[test]
fn a_grant_counts_while_its_condition_holds() {
    passes("GSA-BINDING", "by roles/iam.workloadIdentityUser", |it| {
        let member = controller().to_string();
        web(it).policy = known(while_it_holds(TIGHT_MINTER, &member, NOW));
    });
    passes("AR-READER", "has roles/artifactregistry.reader", |it| {
        let member = account("web").member();
        apps(it).policy = known(while_it_holds(READER, &member, NOW));
    });
}

#[test]
fn the_default_account_of_nodes_passes_while_it_can_do_little() {
    passes("NODE-SA", "nothing was found", |it| {
        gke(it, |it| {
            it.node_pools[0].config.service_account = "default".to_owned();
        });
    });
}

#[test]
fn what_is_denied_to_others_passes() {
    passes("DENY-POLICY", "keeps anybody", |it| {
        deny(
            it,
            "projects/acme-gke",
            "iam.googleapis.com/*.*",
            "principal://goog/subject/ann@acme.example",
        );
    });
}

//! Reports as people see them, mostly with the colours taken off.

use std::path::Path;

use gcp::doctor::diagnose;
use gcp::facts::{Facts, Home, Reading, ServiceAccount};
use gcp::policy::{Policy, READER};
use gcp::principal::{ProjectId, ProjectNumber};
use serde_json::json;

use super::*;

/// A Project whose account nobody may act as, and which has a key.
fn facts() -> Facts {
    let project = ProjectId::parse("acme-gke").expect("an id");
    let mut facts = Facts {
        home: Reading::known_from(
            "GET http://metadata.google.internal/computeMetadata/v1/project/",
            Home {
                project,
                number: ProjectNumber(4711),
            },
        ),
        ..Facts::default()
    };
    let address = "europe-west1-docker.pkg.dev/acme-art/apps/web".to_owned();
    facts
        .intent
        .projects
        .insert("web".to_owned(), vec![address]);
    let account =
        "https://iam.googleapis.com/v1/projects/acme-gke/serviceAccounts/kargo-project-web";
    let seen = facts.projects.entry("web".to_owned()).or_default();
    seen.account = Reading::known_from(&format!("GET {account}"), ServiceAccount::default());
    seen.policy = Reading::known_from(&format!("POST {account}:getIamPolicy"), Policy::default());
    let key = json!([{"name": "projects/acme-gke/serviceAccounts/kargo-project-web/keys/k1"}]);
    let keys = serde_json::from_value(key).expect("keys");
    seen.keys = Reading::known_from(&format!("GET {account}/keys"), keys);
    let repository = facts.uses().next().expect("a use").address.repository;
    let mut policy = Policy::default();
    policy.add(READER, "allUsers");
    let request =
        format!("GET https://artifactregistry.googleapis.com/v1/{repository}:getIamPolicy");
    let seen = facts.repositories.entry(repository).or_default();
    seen.policy = Reading::known_from(&request, policy);
    seen.project_policy = Reading::of_refusal(
        "POST https://cloudresourcemanager.googleapis.com/v3/projects/acme-art:getIamPolicy",
        403,
        r#"{"error":{"code":403,"message":"The caller does not have permission","status":"PERMISSION_DENIED"}}"#,
    );
    facts
}

/// Compares with the file of that name; `UPDATE_GOLDEN=1` writes it.
#[track_caller]
fn same(file: &str, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
    let mut output = anstream::StripStream::new(Vec::new());
    write(&mut output).expect("a vector takes everything");
    let written = String::from_utf8(output.into_inner()).expect("text");
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/gcp/print")
        .join(file);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &written).expect("the file can be written");
    }
    let golden = std::fs::read_to_string(&path).expect("the file");
    assert_eq!(written, golden);
}

#[test]
fn doctor_says_what_is_broken_where_it_was_seen_and_what_mends_it() {
    let mut facts = facts();
    let request =
        "POST https://cloudresourcemanager.googleapis.com/v3/projects/acme-gke:getIamPolicy";
    facts.home_policy = Reading::known_from(request, Policy::default());
    let report = diagnose(&facts);
    same("doctor.txt", |output| {
        doctor(&report, FixForm::Gcloud, output)
    });
    same("doctor-terraform.txt", |output| {
        doctor(&report, FixForm::Terraform, output)
    });
}

#[test]
fn the_audit_begins_with_the_worst_and_ends_with_what_was_not_read() {
    same("audit.txt", |output| {
        audit(&gcp::audit::audit(&facts()), FixForm::Gcloud, output)
    });
}

/// As a terminal gets it: what is bad is red, what is good is green.
#[test]
fn colours_say_how_bad_it_is() {
    let (red, green) = (
        AnsiColor::Red.on_default().bold(),
        AnsiColor::Green.on_default(),
    );
    let facts = facts();
    let mut output = Vec::new();
    doctor(&diagnose(&facts), FixForm::Gcloud, &mut output).expect("a vector takes everything");
    let written = String::from_utf8(output).expect("text");
    for status in [
        format!("{red}fail    {red:#} GSA-KEYS"),
        format!("{green}pass    {green:#} GSA-EXISTS"),
    ] {
        assert!(written.contains(&status), "{written}");
    }
    let mut output = Vec::new();
    audit(&gcp::audit::audit(&facts), FixForm::Gcloud, &mut output)
        .expect("a vector takes everything");
    let written = String::from_utf8(output).expect("text");
    assert!(
        written.starts_with(&format!("{red}critical{red:#} "))
            || written.starts_with(&format!("{red}high    {red:#} ")),
        "{written}"
    );
}

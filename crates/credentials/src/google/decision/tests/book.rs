//! Whatever a person may read of identities is listed in the book, with its cause and what to run.

use kube::core::Status;

use super::{failures, forbidden};
use crate::google::Fallback;
use crate::google::decision::Lack;
use crate::google::{KeyError, UNKNOWN};
use crate::{Error, Kind, Outcome, RegistryIdentity};

const BOOK: &str = include_str!("../../../../../../docs/book/artifact-registry.md");

/// The texts of the table, each as the parts that are between what differs.
fn listed() -> Vec<Vec<&'static str>> {
    let (_, table) = BOOK
        .split_once("\n## When a link is broken\n")
        .expect("the chapter");
    let rows = table.lines().filter_map(|it| it.strip_prefix("| "));
    let cells = rows.filter_map(|it| it.split(" | ").next());
    let texts = cells.flat_map(|it| it.split("; "));
    texts
        .map(|it| it.split('…').map(str::trim).collect())
        .collect()
}

fn contains(said: &str, parts: &[&str]) -> bool {
    let mut rest = Some(said);
    for part in parts {
        rest = rest
            .and_then(|it| it.split_once(part))
            .map(|(_, rest)| rest);
    }
    rest.is_some()
}

fn check(said: &str) {
    let is_listed = listed().iter().any(|parts| contains(said, parts));
    assert!(is_listed, "the book has no row for: {said}");
}

#[test]
fn every_failure_has_a_row() {
    for failure in failures() {
        check(&failure.to_string());
    }
}

fn errors() -> Vec<Error> {
    let source = || kube::Error::Api(Status::failure("no", "Forbidden").with_code(403).boxed());
    let name = || "acme".to_owned();
    let identity = |outcome| {
        Box::new(RegistryIdentity::nobody(
            outcome,
            UNKNOWN.to_owned(),
            "run this".to_owned(),
        ))
    };
    let read = |what| Error::Read {
        what,
        name: name(),
        source: source(),
    };
    let all = vec![
        Error::List {
            kind: Kind::Image,
            namespace: name(),
            source: source(),
        },
        Error::TooMany {
            kind: Kind::Image,
            namespace: name(),
            bound: 1,
        },
        read("serviceaccounts"),
        read("namespaces"),
        read("projects"),
        Error::Key {
            project: name(),
            identity: identity(Outcome::UnusableKey),
            source: KeyError::Base64,
        },
        Error::Identity {
            identity: identity(Outcome::Unavailable),
            source: None,
        },
    ];
    // A kind that is new belongs into the list.
    for error in &all {
        match error {
            Error::List { .. }
            | Error::TooMany { .. }
            | Error::Read { .. }
            | Error::Key { .. }
            | Error::Identity { .. } => {}
        }
    }
    all
}

#[test]
fn every_error_and_every_reason_why_nobody_acts_has_a_row() {
    for error in errors() {
        check(&error.to_string());
    }
    check(&KeyError::Base64.to_string());
    let lack = Lack(forbidden());
    for fallback in [Fallback::IfAbsent, Fallback::Deny] {
        check(&format!("the policy {fallback} lets nobody else act"));
    }
    check(&lack.to_string());
    for said in [
        "the key in the Secret gives no token",
        "the controller's own token cannot be had",
        "renewal failed",
        "is too long for a service account",
        r#"namespace "acme" does not exist"#,
        r#"namespace "acme" has no Project"#,
        r#"namespace "acme" is going away"#,
        r#"namespace "acme" is not labelled as a Project's"#,
        r#"namespace "acme" belongs to a Project that is going away"#,
        "the Kubernetes account acme/argosy-gcp is going away",
        "the Kubernetes account acme/argosy-gcp was given without a uid",
    ] {
        check(said);
    }
}

#[test]
fn what_nobody_says_has_no_row() {
    let said = "the moon is made of cheese";
    assert!(!listed().iter().any(|parts| contains(said, parts)));
}

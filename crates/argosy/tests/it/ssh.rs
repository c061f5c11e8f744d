//! Promotions through a Git host that speaks SSH: a real sshd, a real key in a Secret, the fence between.

use std::fs;

use serde_json::{Value, json};
use testkit::servers::{Argosy, SshServer};

use crate::binary;
use crate::pipeline::Pipeline;

const REPOSITORY: &str = "acme/deploy";

const STEPS: &str = "
- uses: git-clone
  config:
    repoURL: REPOSITORY
    checkout:
      - {branch: main, path: src}
      - {branch: stage/test, path: out, create: true}
- {uses: copy, config: {inPath: src/values.yaml, outPath: out/values.yaml}}
- {uses: git-commit, config: {path: out, message: Deploy}}
- {uses: git-push, config: {path: out}}
";

/// Promotes with this key in the project's Secret; gives the Promotion's status.
fn promote(server: &SshServer, key: &str, known_host: Option<&str>) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("known_hosts").display().to_string();
    let mut more = Vec::new();
    if let Some(line) = known_host {
        fs::write(&file, line).unwrap();
        more.extend(["--known-hosts", &file]);
    }
    let argosy = Argosy::start(binary(), folder.path(), &more).unwrap();
    let url = server.url(REPOSITORY);
    let login = json!({"repoURL": url, "sshPrivateKey": key});
    let steps = STEPS.replace("REPOSITORY", &url);
    let pipeline = Pipeline::create(argosy.kubectl(), &login, &steps);
    pipeline.wait_for_end(&pipeline.promote())
}

fn server() -> SshServer {
    let server = SshServer::start().unwrap();
    server
        .create(REPOSITORY, &[("values.yaml", "tag: v1\n")])
        .unwrap();
    server
}

#[track_caller]
fn check_pushed(server: &SshServer, status: &Value) {
    let log = fs::read_to_string(server.log()).unwrap();
    assert_eq!(status["phase"], "Succeeded", "{status}: {log}");
    let pushed = server.git(REPOSITORY, &["log", "--format=%s", "stage/test"]);
    assert_eq!(pushed.unwrap(), "Deploy\nInitial commit\n");
    let text = server.git(REPOSITORY, &["show", "stage/test:values.yaml"]);
    assert_eq!(text.unwrap(), "tag: v1\n");
    assert!(log.contains("Accepted publickey for git"), "{log}");
}

/// The promotion ended at the clone, and its message has ssh's own reason and what to do next.
#[track_caller]
fn check_refused(server: &SshServer, status: &Value, words: &[&str]) {
    assert_eq!(status["phase"], "Errored", "{status}");
    let message = status["message"].as_str().unwrap();
    for word in words {
        assert!(message.contains(word), "{word:?} is not in {message:?}");
    }
    assert!(!message.contains("PRIVATE KEY"), "{message}");
    let pushed = server.git(REPOSITORY, &["rev-parse", "--verify", "stage/test"]);
    assert!(pushed.is_err(), "{pushed:?}");
}

#[test]
fn a_promotion_clones_and_pushes_with_the_key_of_a_secret() {
    let server = server();
    let status = promote(&server, &server.private_key().unwrap(), None);
    check_pushed(&server, &status);
}

#[test]
fn a_host_that_is_known_by_its_key_is_spoken_to() {
    let server = server();
    let known = server.known_host().unwrap();
    let status = promote(&server, &server.private_key().unwrap(), Some(&known));
    check_pushed(&server, &status);
}

#[test]
fn a_host_with_another_key_than_the_known_one_is_refused() {
    let server = server();
    let known = server.known_host_of_another().unwrap();
    let status = promote(&server, &server.private_key().unwrap(), Some(&known));
    check_refused(
        &server,
        &status,
        &["Host key verification failed", "ssh-keyscan -p "],
    );
}

#[test]
fn a_key_that_the_host_does_not_know_is_refused() {
    let server = server();
    let status = promote(&server, &server.key_of_a_stranger().unwrap(), None);
    check_refused(
        &server,
        &status,
        &["Permission denied (publickey)", "see whether the Secret"],
    );
}

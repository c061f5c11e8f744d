//! What the status of a Promotion tells a person to do next, when a step fails.

use std::process::Command;

use testkit::servers::{Access, GitServer};

use crate::fixture::{context, empty_cluster, progress, promotion, run_once};

/// Runs steps of which the last fails, and gives the promotion's message.
async fn message(steps: &str) -> String {
    let root = tempfile::tempdir().unwrap();
    let cx = context(empty_cluster(), root.path());
    let progress = progress(run_once(promotion(steps), &cx).await);
    assert!(!progress.message.is_empty(), "{progress:?}");
    progress.message
}

fn clone(url: &str, branch: &str) -> String {
    format!(
        "- {{uses: git-clone, as: clone, config: {{repoURL: '{url}', checkout: [{{path: ./src, branch: {branch}}}]}}}}"
    )
}

#[tokio::test]
async fn a_clone_that_cannot_be_names_the_repository_and_what_to_run() {
    let open = GitServer::start(Access::Open).unwrap();
    open.create("app", &[("a.yaml", "a: 1\n")]).unwrap();
    let closed = GitServer::start(Access::Password).unwrap();
    closed.create("app", &[("a.yaml", "a: 1\n")]).unwrap();
    for (url, branch, why, next) in [
        (
            "http://me:hunter2@127.0.0.1:1/app.git".to_owned(),
            "main",
            "failed with repository \"http://127.0.0.1:1/app.git\": its host cannot be reached",
            "git ls-remote http://127.0.0.1:1/app.git from where argosy runs".to_owned(),
        ),
        (
            "https://nowhere.invalid/app.git".to_owned(),
            "main",
            "failed to look up \"nowhere.invalid\"",
            "getent hosts nowhere.invalid from where argosy runs".to_owned(),
        ),
        (
            closed.url("app"),
            "main",
            "it wants a login, and there is none",
            format!(
                "holding username, password and repoURL {}",
                closed.url("app")
            ),
        ),
        (
            open.url("gone"),
            "main",
            "there is no such repository",
            format!("git ls-remote {}", open.url("gone")),
        ),
        (
            open.url("app"),
            "gone",
            "has no branch \"gone\"",
            format!("see what there is: git ls-remote {}", open.url("app")),
        ),
    ] {
        let message = message(&clone(&url, branch)).await;
        assert!(message.contains(why), "{message}");
        let (_, told) = message.split_once("; next: ").unwrap();
        assert!(told.ends_with(&next), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
    }
}

#[tokio::test]
async fn the_command_that_is_named_says_the_same_as_the_step() {
    let message = message(&clone("http://127.0.0.1:1/app.git", "main")).await;
    let (_, command) = message.split_once("git ls-remote ").unwrap();
    let url = command.split(' ').next().unwrap();
    let output = Command::new("git").args(["ls-remote", url]).output();
    let said = String::from_utf8(output.unwrap().stderr).unwrap();
    assert!(said.contains("Failed to connect"), "{said}");
}

#[tokio::test]
async fn every_kind_of_failure_says_what_to_do_next() {
    for (steps, why, next) in [
        (
            "- {uses: copy, config: {inPath: ./gone, outPath: ./b}}",
            "failed to copy",
            "name what git-clone checks out or an earlier step writes",
        ),
        (
            "- {uses: copy, config: {inPath: ../../etc, outPath: ./b}}",
            "leads out of the work directory",
            "write a path below the work directory",
        ),
        (
            "- {uses: delete, config: {path: ./gone, strict: true}}",
            "nothing to delete",
            "correct the path, or leave strict out",
        ),
        (
            "- {uses: git-commit, config: {path: ./src, message: m}}",
            "was not checked out by git-clone",
            "name a path that a git-clone step before this one checks out",
        ),
        (
            "- {uses: kustomize-build, config: {path: ./src, outPath: ./out.yaml}}",
            "has no kustomization file",
            "correct path, or add the file in the repository",
        ),
        (
            "- {uses: compose-output, config: {a: '${{ vars.gone.x }}'}}",
            "failed to evaluate the configuration",
            "correct it in the Stage's promotionTemplate, then promote again",
        ),
    ] {
        let message = message(steps).await;
        assert!(message.contains(why), "{message}");
        assert!(message.contains(&format!("; next: {next}")), "{message}");
    }
}

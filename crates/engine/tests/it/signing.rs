//! Commits that steps sign with OpenPGP keys.

use engine::Progress;
use resources::{PromotionPhase, Variable};
use testkit::servers::{Access, GitServer, OpenPgpKey};

use crate::fixture::{context, empty_cluster, progress, promotion, run_once};

const STEPS: &str = "
- uses: git-clone
  as: clone
  config:
    repoURL: ${{ vars.repo }}
    AUTHOR_OF_CLONE
    checkout: [{branch: main, path: src}]
- {uses: copy, as: copy, config: {inPath: src/README, outPath: src/copy}}
- uses: git-commit
  as: commit
  config:
    path: src
    AUTHOR_OF_COMMIT
    message: Copy
- {uses: git-push, as: push, config: {path: src}}
";

const ANN: &str = "author: {name: Ann, email: ann@example.com, signingKey: '${{ vars.key }}'}";

async fn promote(server: &GitServer, key: &str, of_clone: &str, of_commit: &str) -> Progress {
    server.create("app", &[("README", "hello\n")]).unwrap();
    let root = tempfile::tempdir().unwrap();
    let cx = context(empty_cluster(), root.path());
    let steps = STEPS
        .replace("AUTHOR_OF_CLONE", of_clone)
        .replace("AUTHOR_OF_COMMIT", of_commit);
    let mut run = promotion(&steps);
    run.vars = vec![
        Variable::new("repo", server.url("app")),
        Variable::new("key", key),
    ];
    progress(run_once(run, &cx).await)
}

#[tokio::test]
async fn the_author_of_a_clone_signs_the_commits_of_later_steps() {
    let key = OpenPgpKey::make("Ann <ann@example.com>").unwrap();
    let server = GitServer::start(Access::Open).unwrap();
    let progress = promote(&server, &key.private().unwrap(), ANN, "").await;
    assert_eq!(progress.phase, PromotionPhase::Succeeded, "{progress:?}");
    key.verify(&server.path("app"), "main").unwrap();
    let people = server.git("app", &["log", "-1", "--format=%an %cn", "main"]);
    assert_eq!(people.unwrap().trim(), "Ann Ann");
}

#[tokio::test]
async fn the_author_of_a_commit_signs_it() {
    let key = OpenPgpKey::make("Ann <ann@example.com>").unwrap();
    let server = GitServer::start(Access::Open).unwrap();
    let progress = promote(&server, &key.private().unwrap(), "", ANN).await;
    assert_eq!(progress.phase, PromotionPhase::Succeeded, "{progress:?}");
    key.verify(&server.path("app"), "main").unwrap();
    let people = server.git("app", &["log", "-1", "--format=%an %cn", "main"]);
    assert_eq!(people.unwrap().trim(), "Ann Argosy");
}

#[tokio::test]
async fn a_text_that_is_no_key_fails_the_step_and_is_not_shown() {
    let server = GitServer::start(Access::Open).unwrap();
    let progress = promote(&server, "hunter2", ANN, "").await;
    assert_eq!(progress.phase, PromotionPhase::Failed, "{progress:?}");
    let message = &progress.message;
    assert!(
        message.contains("failed to take in the signing key"),
        "{message}"
    );
    assert!(
        message.contains("next: put a private key, OpenPGP or OpenSSH"),
        "{message}"
    );
    assert!(!message.contains("hunter2"), "{message}");
}

//! Pushing while somebody else changes the repository.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use engine::{Context, Progress};
use resources::PromotionPhase;
use serde_json::json;
use testkit::servers::{Access, GitServer};

use crate::fixture::{context, empty_cluster, progress, promotion, run_once};

const REPOSITORY: &str = "app";

/// Steps that commit one file and push, the last with this configuration.
fn deploy(server: &GitServer, push: &str) -> String {
    format!(
        "
- {{uses: git-clone, as: clone, config: {{repoURL: '{}', checkout: [{{branch: main, path: src}}]}}}}
- {{uses: copy, as: copy, config: {{inPath: src/README, outPath: src/copy}}}}
- {{uses: git-commit, as: commit, config: {{path: src, message: Ours}}}}
- {{uses: git-push, as: push, config: {push}}}
",
        server.url(REPOSITORY)
    )
}

/// A host with a repository, and what somebody else does there each time the promotion reaches a point.
struct Rival {
    server: Arc<GitServer>,
    _root: tempfile::TempDir,
    cx: Context,
    /// How often the point was reached.
    count: Arc<AtomicUsize>,
}

impl Rival {
    fn new(point: &'static str, act: impl Fn(&GitServer, usize) + Send + Sync + 'static) -> Self {
        let server = Arc::new(GitServer::start(Access::Open).unwrap());
        server.create(REPOSITORY, &[("README", "hello\n")]).unwrap();
        server.git(REPOSITORY, &["tag", "v1", "main"]).unwrap();
        let root = tempfile::tempdir().unwrap();
        let mut cx = context(empty_cluster(), root.path());
        let count = Arc::<AtomicUsize>::default();
        let (host, counted) = (Arc::clone(&server), Arc::clone(&count));
        cx.reached = Some(Arc::new(move |reached| {
            if reached == point {
                act(&host, counted.fetch_add(1, Ordering::Relaxed) + 1);
            }
        }));
        Self {
            server,
            _root: root,
            cx,
            count,
        }
    }

    async fn push(&self, config: &str) -> Progress {
        let run = promotion(&deploy(&self.server, config));
        progress(run_once(run, &self.cx).await)
    }

    fn git(&self, arguments: &[&str]) -> String {
        let printed = self.server.git(REPOSITORY, arguments).unwrap();
        printed.trim().to_owned()
    }

    fn subjects(&self) -> String {
        self.git(&["log", "--format=%s", "main"])
    }
}

/// Pushes a commit of its own to `main`.
fn push_as_rival(server: &GitServer, number: usize) {
    let text = format!("{number}\n");
    let message = format!("Theirs {number}");
    server
        .commit(REPOSITORY, &[("theirs", &text)], &message)
        .unwrap();
}

#[tokio::test]
async fn a_push_that_loses_every_race_gives_up_after_so_many_attempts() {
    let rival = Rival::new("push: pushing", push_as_rival);
    let progress = rival.push("{path: src, maxAttempts: 2}").await;
    assert_eq!(progress.phase, PromotionPhase::Errored);
    let expected = "others pushed to branch \"main\" each of the 2 times this promotion tried; \
                    next: promote again, or raise maxAttempts";
    assert!(progress.message.ends_with(expected), "{}", progress.message);
    assert_eq!(rival.count.load(Ordering::Relaxed), 2);
    assert_eq!(rival.subjects(), "Theirs 2\nTheirs 1\nStart");
}

#[tokio::test]
async fn a_push_that_loses_one_race_wins_the_next_within_its_attempts() {
    let rival = Rival::new("push: pushing", |server, number| {
        if number == 1 {
            push_as_rival(server, number);
        }
    });
    let progress = rival.push("{path: src, maxAttempts: 2}").await;
    assert_eq!(progress.phase, PromotionPhase::Succeeded, "{progress:?}");
    assert_eq!(rival.subjects(), "Ours\nTheirs 1\nStart");
}

#[tokio::test]
async fn a_tag_that_the_remote_lost_is_there_again() {
    let rival = Rival::new("clone: ended", |server, _| {
        server.git(REPOSITORY, &["tag", "--delete", "v1"]).unwrap();
    });
    let progress = rival.push("{path: src, tag: v1}").await;
    assert_eq!(progress.phase, PromotionPhase::Succeeded, "{progress:?}");
    let start = rival.git(&["rev-parse", "main"]);
    assert_eq!(rival.git(&["rev-parse", "v1"]), start);
    assert_eq!(rival.subjects(), "Start", "no branch is pushed");
    assert_eq!(progress.state["push"], json!({"commit": start}));
}

#[tokio::test]
async fn a_tag_that_the_remote_moved_stays_where_it_is() {
    let rival = Rival::new("clone: ended", |server, number| {
        push_as_rival(server, number);
        let tag = ["tag", "--force", "v1", "main"];
        server.git(REPOSITORY, &tag).unwrap();
    });
    let progress = rival.push("{path: src, tag: v1}").await;
    assert_eq!(progress.phase, PromotionPhase::Errored, "{progress:?}");
    let refused = "the remote refused \"v1\": ";
    assert!(progress.message.contains(refused), "{}", progress.message);
    let theirs = rival.git(&["rev-parse", "main"]);
    assert_eq!(rival.git(&["rev-parse", "v1"]), theirs);
}

//! More tags than a status remembers, and than are ever read.

use std::fmt::Write as _;

use resources::subscription::CommitSelectionStrategy;
use testkit::servers::{Access, GitServer};

use super::tags::{REPOSITORY, git, git_children, names, spend, tagged};
use super::{discover, host, repositories};
use crate::told;

const TAGS: usize = 60_000;

/// Makes many tags of the newest commit at once, as `git pack-refs` would write them.
fn tag_often(host: &GitServer) {
    let file = host.path(REPOSITORY).join("packed-refs");
    assert!(!file.exists(), "nothing is packed yet");
    let head = git(host, &["rev-parse", "main"]);
    let mut text = "# pack-refs with: peeled fully-peeled sorted \n".to_owned();
    for number in 100_000..100_000 + TAGS {
        writeln!(text, "{head} refs/tags/1.0.{number}").expect("written");
    }
    std::fs::write(file, text).expect("written");
}

#[tokio::test]
async fn many_tags_are_known_again_and_one_that_moves_is_noticed_among_them() {
    let host = host(Access::Open);
    tag_often(&host);
    let folder = tempfile::tempdir().expect("a folder");
    let repositories = repositories(folder.path());
    let mut subscription = tagged(&host, |it| it.discovery_limit = 2);
    let (first, spent) = spend(&repositories, &subscription, None).await;
    assert_eq!(names(&first), ["1.0.159999", "1.0.159998"]);
    assert_eq!((spent.total(), git_children(&spent)), (1, 1));
    assert_eq!(first.observed_refs, None, "they are too many for a status");

    let (second, spent) = spend(&repositories, &subscription, Some(&first)).await;
    assert_eq!((spent.total(), spent.remembered), (1, 1));
    assert_eq!(second, first);

    git(&host, &["tag", "--force", "1.0.100007", "main~1"]);
    let (third, spent) = spend(&repositories, &subscription, Some(&second)).await;
    assert_eq!((spent.total(), spent.remembered), (1, 0));
    assert_eq!(third, first, "what is taken is the same");

    // Which of them is the newest nobody knows who has not read all.
    subscription.commit_selection_strategy = CommitSelectionStrategy::NewestTag;
    let error = discover(&repositories, &subscription, None, None).await;
    let told = told(&error.expect_err("more than are read"));
    assert!(told.contains("50000"), "{told}");
}

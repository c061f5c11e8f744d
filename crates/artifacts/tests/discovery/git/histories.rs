//! How much of a history is fetched and looked at, and that a history in pieces reads like a whole one.

use artifacts::Cost;
use artifacts::git;
use jiff::Timestamp;
use resources::subscription::CommitSelectionStrategy;
use resources::{GitSubscription, ObservedRefs};
use testkit::servers::Access;

use super::mirrors::{REPOSITORY, ask, git, mirror, objects};
use super::{host, repositories, subjects, subscription};
use crate::caller;

#[tokio::test]
async fn history_is_fetched_as_deep_as_it_is_looked_at() {
    let host = host(Access::Open);
    host.grow(REPOSITORY, 2_500).expect("commits");
    let folder = tempfile::tempdir().expect("a folder");
    let repositories = repositories(folder.path());
    let mut main = subscription(host.url(REPOSITORY));
    let (found, fetches) = ask(&repositories, &main).await;
    assert_eq!((found.commits.len(), fetches), (20, 1));
    let mirror = mirror(folder.path());
    assert_eq!(objects(&mirror, "commit"), 2_000);
    // A tag has cut off its commit and the one before; the branch gets what it would have had.
    let other = tempfile::tempdir().expect("a folder");
    git(&host, &["tag", "v1.0.0", "main"]);
    let tags = GitSubscription {
        commit_selection_strategy: CommitSelectionStrategy::SemVer,
        ..main.clone()
    };
    let tags_first = super::repositories(other.path());
    assert_eq!(ask(&tags_first, &tags).await.1, 1);
    assert_eq!(objects(&super::mirrors::mirror(other.path()), "commit"), 2);
    let (same, fetches) = ask(&tags_first, &main).await;
    assert_eq!((same, fetches), (found, 1));
    assert_eq!(
        objects(&super::mirrors::mirror(other.path()), "commit"),
        2_000
    );
    // Nothing that old is behind the cut.
    main.since = "2023-11-14T22:45:00Z".to_owned();
    main.expression_filter = "subject == 'Docs'".to_owned();
    assert_eq!(ask(&repositories, &main).await.1, 0);
    // The last commit that is here looks as if it changed all files; it is not taken for it.
    main.since = String::new();
    main.expression_filter = String::new();
    main.include_paths = vec!["docs".to_owned()];
    let (found, fetches) = ask(&repositories, &main).await;
    assert_eq!((subjects(&found), fetches), (vec!["Docs"], 1));
    assert_eq!(objects(&mirror, "commit"), 2_505);
    assert_eq!(objects(&mirror, "blob"), 0);
}

#[tokio::test]
async fn after_a_push_only_what_is_new_is_looked_at() {
    let host = host(Access::Open);
    let head = git(&host, &["rev-parse", "main"]);
    let folder = tempfile::tempdir().expect("a folder");
    let repositories = repositories(folder.path());
    let mut web = subscription(host.url(REPOSITORY));
    web.include_paths = vec!["apps/web".to_owned()];
    web.discovery_limit = 2;
    let (mut before, _) = ask(&repositories, &web).await;
    assert_eq!(
        before.observed_refs,
        Some(ObservedRefs {
            branch_head: head,
            tags: Vec::new()
        })
    );
    // So that it shows who said it.
    before.commits[0].subject = "As it was before".to_owned();
    host.commit(REPOSITORY, &[("x", "1")], "Elsewhere")
        .expect("a commit");
    host.commit(REPOSITORY, &[("apps/web/c.yaml", "3")], "Web three")
        .expect("a commit");
    let again = |subscription: GitSubscription| {
        let (repositories, before) = (&repositories, &before);
        async move {
            let cost = Cost::default();
            let caller = caller("acme", None, &cost);
            let now = Timestamp::UNIX_EPOCH;
            let found = git::discover(repositories, caller, &subscription, Some(before), now).await;
            subjects(&found.expect("commits")).join(", ")
        }
    };
    assert_eq!(again(web.clone()).await, "Web three, As it was before");
    // An expression may come to another answer, so all is looked at.
    web.expression_filter = "now() > commitDate || true".to_owned();
    assert_eq!(again(web.clone()).await, "Web three, Web two");
    // History that was rewritten does not lead to the head of before.
    web.expression_filter = String::new();
    git(&host, &["update-ref", "refs/heads/main", "main~4"]);
    host.commit(REPOSITORY, &[("apps/web/a.yaml", "4")], "Rewritten")
        .expect("a commit");
    assert_eq!(again(web).await, "Rewritten, Web one");
}

#[tokio::test]
async fn a_history_with_merges_that_came_in_pieces_reads_like_a_whole_one() {
    let host = host(Access::Open);
    // Contents take turns, so that every commit changes something.
    let trees: Vec<String> = (0..5)
        .map(|back| git(&host, &["rev-parse", &format!("main~{back}^{{tree}}")]))
        .collect();
    let mut commits = vec![git(&host, &["rev-parse", "main"])];
    for number in 1..60_usize {
        let first = &commits[commits.len() - 1 - number % 3 % commits.len()];
        let other = &commits[number * 7 % commits.len()];
        let (tree, message) = (&trees[number % 5], format!("Commit {number}"));
        let mut arguments = vec!["commit-tree", tree, "-m", &message, "-p", first];
        if number % 4 == 0 && other != first {
            arguments.extend(["-p", other]);
        }
        let commit = git(&host, &arguments);
        if number % 6 == 1 {
            git(
                &host,
                &[
                    "tag",
                    "-a",
                    "-m",
                    "x",
                    &format!("v1.{}.0", 100 - number),
                    &commit,
                ],
            );
        }
        commits.push(commit);
    }
    git(&host, &["update-ref", "refs/heads/main", &commits[59]]);
    git(&host, &["branch", "side", &commits[58]]);

    let folder = tempfile::tempdir().expect("a folder");
    let repositories = repositories(folder.path());
    let mut tags = subscription(host.url(REPOSITORY));
    tags.commit_selection_strategy = CommitSelectionStrategy::SemVer;
    tags.exclude_paths = vec!["README.md".to_owned()];
    tags.discovery_limit = 3;
    for limit in [3, 100] {
        tags.discovery_limit = limit;
        for found in ask(&repositories, &tags).await.0.commits {
            let changed = [
                "diff",
                "--name-only",
                &format!("{0}^1", found.id),
                &found.id,
            ];
            assert_ne!(git(&host, &changed), "", "{}", found.tag);
        }
    }
    for branch in ["side", "main"] {
        let mut all = subscription(host.url(REPOSITORY));
        all.branch = branch.to_owned();
        all.discovery_limit = 100;
        for paths in [&[][..], &["apps/web"], &["docs", "apps/api"]] {
            all.include_paths = paths.iter().map(|it| (*it).to_owned()).collect();
            let found = ask(&repositories, &all).await.0;
            let found: Vec<&str> = found.commits.iter().map(|it| it.id.as_str()).collect();
            let mut arguments = vec![
                "log",
                "--first-parent",
                "--full-history",
                "--format=%H",
                branch,
                "--",
            ];
            arguments.extend(paths);
            let expected = git(&host, &arguments);
            assert_eq!(
                found,
                expected.lines().collect::<Vec<_>>(),
                "{branch} {paths:?}"
            );
        }
    }
}

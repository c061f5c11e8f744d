//! Tags that are too odd or too many for what is usual.

use artifacts::Cost;
use artifacts::git::{self, Error};
use jiff::Timestamp;
use resources::subscription::CommitSelectionStrategy;
use testkit::servers::Access;

use super::tags::{REPOSITORY, annotate, git, git_children, names, object, spend, tag, tagged};
use super::{discover, host, repositories, subscription};
use crate::caller;

#[tokio::test]
async fn odd_tags_do_not_fail_the_others() {
    let host = host(Access::Open);
    let folder = tempfile::tempdir().expect("a folder");
    let repositories = repositories(folder.path());
    // The history is there before, so that the server takes what the odd tags name for known.
    let branch = subscription(host.url(REPOSITORY));
    discover(&repositories, &branch, None, None)
        .await
        .expect("commits");
    annotate(&host, "v1.0.0", "main~2", 1_770_000_000);
    tag(&host, "v1.0.1", "main");
    tag(&host, "v9.0.0", "main:README.md");
    tag(&host, "v9.0.1", "main^{tree}");
    let blob = git(&host, &["rev-parse", "main:docs/x.md"]);
    let of_blob = format!("object {blob}\ntype blob\ntag v9.0.2\ntagger E <e@x> 1 +0000\n\nhi\n");
    object(&host, "v9.0.2", "tag", &of_blob);
    let inner = annotate(&host, "v1.0.2", "main~1", 1_770_000_000);
    let nested =
        format!("object {inner}\ntype tag\ntag v1.0.3\ntagger E <e@x> 1770000009 +0000\n\nAgain\n");
    object(&host, "v1.0.3", "tag", &nested);
    let missing = format!(
        "object {}\ntype commit\ntag v9.0.3\ntagger E <e@x> 1 +0000\n\nhi\n",
        "1".repeat(40)
    );
    object(&host, "v9.0.3", "tag", &missing);
    let head = git(&host, &["rev-parse", "main"]);
    let nobody = format!("object {head}\ntype commit\ntag v1.0.4\n\nBy nobody\n");
    object(&host, "v1.0.4", "tag", &nobody);
    let odd_date = format!("object {head}\ntype commit\ntag v1.0.5\ntagger nonsense\n\nhi\n");
    object(&host, "v1.0.5", "tag", &odd_date);

    let all = tagged(&host, |_| {});
    let (found, spent) = spend(&repositories, &all, None).await;
    assert_eq!(
        names(&found),
        ["v1.0.5", "v1.0.4", "v1.0.3", "v1.0.2", "v1.0.1", "v1.0.0"]
    );
    assert_eq!(found.commits[2].id, git(&host, &["rev-parse", "main~1"]));
    assert!(git_children(&spent) < 15, "{spent:?}");
    let cost = Cost::default();
    let caller = caller("acme", None, &cost);
    let selected = git::select(&repositories, caller, &all, Timestamp::UNIX_EPOCH);
    let ruled_out = selected.await.expect("commits").ruled_out;
    let ruled_out: Vec<String> = ruled_out
        .iter()
        .map(|it| format!("{}: {}", it.tags.join(" "), it.rule))
        .collect();
    let expected = [
        "v9.0.2 v9.0.0: it names a blob, not a commit",
        "v9.0.1: it names a tree, not a commit",
        "v9.0.3: the server could not give it",
    ];
    assert_eq!(ruled_out, expected);
    // It is known what cannot be had: with one tag more there is one fetch more.
    annotate(&host, "v1.1.0", "main", 1_770_000_000);
    assert_eq!(git_children(&spend(&repositories, &all, None).await.1), 1);

    let broken = tagged(&host, |it| it.allow_tags_regexes = vec!["^v9".to_owned()]);
    let error = discover(&repositories, &broken, None, None)
        .await
        .expect_err("none is a commit");
    assert!(
        matches!(error, Error::NoCommit { .. }) && error.hint().contains("ls-remote"),
        "{error}"
    );
}

#[tokio::test]
async fn tags_too_many_for_a_status_are_known_by_their_digest() {
    let host = host(Access::Open);
    let head = git(&host, &["rev-parse", "main"]);
    let lines = (0..1_200).map(|patch| format!("{head} refs/tags/v1.0.{patch:04}"));
    let packed = lines.collect::<Vec<_>>().join("\n") + "\n";
    std::fs::write(host.path(REPOSITORY).join("packed-refs"), packed).expect("written");
    let folder = tempfile::tempdir().expect("a folder");
    let lexical = tagged(&host, |it| {
        it.commit_selection_strategy = CommitSelectionStrategy::Lexical;
    });
    let first_process = repositories(folder.path());
    let (first, spent) = spend(&first_process, &lexical, None).await;
    assert_eq!((names(&first)[0], first.commits.len()), ("v1.0.1199", 20));
    assert_eq!(
        (first.observed_refs.as_ref(), git_children(&spent)),
        (None, 1)
    );
    let (second, spent) = spend(&first_process, &lexical, Some(&first)).await;
    assert_eq!(
        (spent.total(), git_children(&spent), spent.remembered),
        (1, 0, 1)
    );
    assert_eq!(second, first);
    // For rules written otherwise, and after a restart, they are looked at again, yet not fetched.
    let fewer = tagged(&host, |it| {
        it.commit_selection_strategy = CommitSelectionStrategy::Lexical;
        it.discovery_limit = 3;
    });
    let (found, spent) = spend(&first_process, &fewer, Some(&first)).await;
    assert_eq!(
        (found.commits.len(), git_children(&spent), spent.remembered),
        (3, 0, 0)
    );
    drop(first_process);
    let (third, spent) = spend(&repositories(folder.path()), &lexical, Some(&first)).await;
    assert_eq!(
        (third, git_children(&spent), spent.remembered),
        (first, 0, 0)
    );
}

//! What is fetched when: one mirror for all subscriptions, and nothing that is not needed.

use std::path::{Path, PathBuf};
use std::process::Command;

use artifacts::child::Launcher;
use artifacts::egress::Policy;
use artifacts::git::{self, Mirrors, Repositories};
use artifacts::{Cost, Limits, Spent};
use futures::future::join_all;
use jiff::Timestamp;
use resources::subscription::CommitSelectionStrategy;
use resources::{DiscoveredCommits, GitSubscription};
use testkit::servers::{Access, GitServer};

use super::{host, repositories, subjects, subscription};
use crate::caller;
use crate::scripted::{Server, not_found};

pub(super) const REPOSITORY: &str = "acme/deploy";

pub(super) fn git(host: &GitServer, arguments: &[&str]) -> String {
    let printed = host.git(REPOSITORY, arguments).expect("git does it");
    printed.trim().to_owned()
}

/// Asks for all of these at once; also gives how many times git asked the server.
pub(super) async fn ask_all(
    repositories: &Repositories,
    subscriptions: &[GitSubscription],
) -> (Vec<DiscoveredCommits>, u64) {
    let cost = Cost::default();
    let asked = subscriptions.iter().map(|subscription| {
        let caller = caller("acme", None, &cost);
        git::discover(
            repositories,
            caller,
            subscription,
            None,
            Timestamp::UNIX_EPOCH,
        )
    });
    let found = join_all(asked).await;
    let found = found.into_iter().map(|it| it.expect("commits")).collect();
    (found, children(&cost.spent()))
}

pub(super) async fn ask(
    repositories: &Repositories,
    subscription: &GitSubscription,
) -> (DiscoveredCommits, u64) {
    let (mut found, children) = ask_all(repositories, std::slice::from_ref(subscription)).await;
    (found.remove(0), children)
}

fn children(spent: &Spent) -> u64 {
    spent.git.values().sum()
}

/// The repository of the only mirror in a folder.
pub(super) fn mirror(folder: &Path) -> PathBuf {
    let entries = std::fs::read_dir(folder).expect("the mirrors");
    let mut mirrors = entries.map(|it| it.expect("a mirror").path().join("history.git"));
    let mirror = mirrors.next().expect("a mirror");
    assert_eq!(mirrors.next(), None, "one mirror is enough");
    mirror
}

/// Counts the objects in a mirror by kind, without fetching any.
pub(super) fn objects(mirror: &Path, kind: &str) -> usize {
    let output = Command::new("git")
        .arg("--git-dir")
        .arg(mirror)
        .args([
            "cat-file",
            "--batch-all-objects",
            "--batch-check=%(objecttype)",
        ])
        .env("GIT_NO_LAZY_FETCH", "1")
        .output()
        .expect("git is there");
    assert!(output.status.success(), "{output:?}");
    let kinds = String::from_utf8(output.stdout).expect("text");
    kinds.lines().filter(|line| *line == kind).count()
}

#[tokio::test]
async fn all_subscriptions_share_what_one_has_fetched() {
    let host = host(Access::Open);
    git(&host, &["branch", "release", "main~2"]);
    git(&host, &["tag", "v1.0.0", "main~3"]);
    git(&host, &["tag", "-a", "-m", "Two", "v2.0.0", "main~1"]);
    let folder = tempfile::tempdir().expect("a folder");
    let repositories = repositories(folder.path());
    let main = subscription(host.url(REPOSITORY));
    let of = |change: fn(&mut GitSubscription)| {
        let mut other = main.clone();
        change(&mut other);
        other
    };
    let web = of(|it| it.include_paths = vec!["apps/web".to_owned()]);
    let release = of(|it| it.branch = "release".to_owned());
    let tags = of(|it| it.commit_selection_strategy = CommitSelectionStrategy::SemVer);
    assert_eq!(
        ask_all(
            &repositories,
            &[main.clone(), web.clone(), main.clone(), web.clone()]
        )
        .await
        .1,
        1
    );
    // The head of the other branch and one of the tags are in the history of main already.
    let (found, fetches) = ask(&repositories, &release).await;
    assert_eq!(
        (subjects(&found), fetches),
        (vec!["Api one", "Web one", "Start"], 0)
    );
    let (found, fetches) = ask(&repositories, &tags).await;
    assert_eq!((subjects(&found), fetches), (vec!["Docs", "Web one"], 1));

    // Fetching a tag of the middle with one commit behind it has not cut what was known.
    host.commit(REPOSITORY, &[("apps/web/c.yaml", "3")], "Web three")
        .expect("a commit");
    let (found, fetches) = ask_all(&repositories, &[web, main, release, tags]).await;
    assert_eq!(fetches, 1);
    assert_eq!(subjects(&found[0]), ["Web three", "Web two", "Web one"]);
    assert_eq!(found[1].commits.len(), 6);
    assert_eq!(found[2].commits.len(), 3);
    assert_eq!(objects(&mirror(folder.path()), "blob"), 0);
}

#[tokio::test]
async fn tags_that_are_pushed_together_are_fetched_together() {
    let host = host(Access::Open);
    let app = |app: &str| {
        let mut it = subscription(host.url(REPOSITORY));
        it.commit_selection_strategy = CommitSelectionStrategy::Lexical;
        it.allow_tags_regexes = vec![format!("^{app}/")];
        it
    };
    let apps: Vec<GitSubscription> = ["api", "web", "docs"].into_iter().map(app).collect();
    let push = |version: &str| {
        host.commit(REPOSITORY, &[("version", version)], version)
            .expect("a commit");
        for app in ["api", "web", "docs"] {
            git(
                &host,
                &[
                    "tag",
                    "-a",
                    "-m",
                    version,
                    &format!("{app}/{version}"),
                    "main",
                ],
            );
        }
    };
    push("1");
    let folder = tempfile::tempdir().expect("a folder");
    let repositories = repositories(folder.path());
    assert_eq!(
        ask_all(&repositories, &apps).await.1,
        3,
        "the first time each fetches its own"
    );
    push("2");
    let (found, fetches) = ask_all(&repositories, &apps).await;
    assert_eq!(fetches, 1);
    for found in found {
        assert_eq!(subjects(&found), ["2", "1"]);
    }
}

#[tokio::test]
async fn two_processes_share_a_mirror() {
    let host = host(Access::Open);
    let folder = tempfile::tempdir().expect("a folder");
    let (one, other) = (repositories(folder.path()), repositories(folder.path()));
    let main = subscription(host.url(REPOSITORY));
    let ((found, first), (same, second)) = tokio::join!(ask(&one, &main), ask(&other, &main));
    assert_eq!((found.commits.len(), first + second), (5, 1));
    assert_eq!(found, same);
}

#[tokio::test]
async fn a_server_that_leaves_no_contents_out_is_fetched_from_all_the_same() {
    for refusal in [
        ["uploadpack.allowFilter", "false"],
        ["uploadpackfilter.allow", "false"],
    ] {
        let host = host(Access::Open);
        git(&host, &["config", refusal[0], refusal[1]]);
        git(&host, &["tag", "-a", "-m", "One", "v1.0.0", "main~1"]);
        let folder = tempfile::tempdir().expect("a folder");
        let repositories = repositories(folder.path());
        let mut web = subscription(host.url(REPOSITORY));
        web.include_paths = vec!["apps/web".to_owned()];
        let (found, _) = ask(&repositories, &web).await;
        assert_eq!(subjects(&found), ["Web two", "Web one"], "{refusal:?}");
        assert!(objects(&mirror(folder.path()), "blob") > 0);
        // It is known from then on.
        host.commit(REPOSITORY, &[("apps/web/c.yaml", "3")], "Web three")
            .expect("a commit");
        let (found, fetches) = ask(&repositories, &web).await;
        assert_eq!(
            (subjects(&found)[0], fetches),
            ("Web three", 1),
            "{refusal:?}"
        );
        web.commit_selection_strategy = CommitSelectionStrategy::SemVer;
        web.include_paths = vec!["docs".to_owned()];
        assert_eq!(
            subjects(&ask(&repositories, &web).await.0),
            ["Docs"],
            "{refusal:?}"
        );
    }
}

#[tokio::test]
async fn submodules_and_large_files_are_left_alone() {
    let elsewhere = Server::start(|_, _| not_found()).await;
    let host = host(Access::Open);
    let module = format!(
        "[submodule \"lib\"]\n\tpath = lib\n\turl = http://{}/lib.git\n",
        elsewhere.host
    );
    let lfs = format!("[lfs]\n\turl = http://{}/lfs\n", elsewhere.host);
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0000\nsize 12345\n";
    let files = [
        (".gitmodules", module.as_str()),
        (".lfsconfig", &lfs),
        (
            ".gitattributes",
            "*.bin filter=lfs diff=lfs merge=lfs -text\n",
        ),
        ("data/large.bin", pointer),
    ];
    host.commit(REPOSITORY, &files, "Add large files")
        .expect("a commit");
    // The commit of a submodule is an entry in a tree like a file.
    let tree = git(&host, &["ls-tree", "main"]);
    let tree = format!("{tree}\n160000 commit {}\tlib", "1".repeat(40));
    let entries = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(entries.path(), tree).expect("written");
    let index = host.path(REPOSITORY).join("index");
    std::fs::remove_file(&index).ok();
    git(&host, &["read-tree", "main"]);
    git(
        &host,
        &[
            "update-index",
            "--add",
            "--cacheinfo",
            &format!("160000,{},lib", "1".repeat(40)),
        ],
    );
    let tree = git(&host, &["write-tree"]);
    let commit = git(
        &host,
        &["commit-tree", &tree, "-p", "main", "-m", "Add a submodule"],
    );
    git(&host, &["update-ref", "refs/heads/main", &commit]);
    git(&host, &["tag", "v1.0.0", "main"]);

    let folder = tempfile::tempdir().expect("a folder");
    let repositories = repositories(folder.path());
    let mut paths = subscription(host.url(REPOSITORY));
    paths.include_paths = vec!["lib".to_owned(), "data".to_owned()];
    assert_eq!(
        subjects(&ask(&repositories, &paths).await.0),
        ["Add a submodule", "Add large files"]
    );
    paths.commit_selection_strategy = CommitSelectionStrategy::NewestTag;
    assert_eq!(
        subjects(&ask(&repositories, &paths).await.0),
        ["Add a submodule"]
    );
    assert_eq!(objects(&mirror(folder.path()), "blob"), 0);
    assert_eq!(elsewhere.sent().len(), 0);
}

type Damage = fn(&Path);

#[tokio::test]
async fn a_mirror_that_is_damaged_is_made_anew() {
    let host = host(Access::Open);
    let folder = tempfile::tempdir().expect("a folder");
    let repositories = repositories(folder.path());
    let main = subscription(host.url(REPOSITORY));
    ask(&repositories, &main).await;
    let mirror = mirror(folder.path());
    let damages: [(Damage, u64); 4] = [
        (
            |it| std::fs::write(it.join("config"), "[broken").expect("written"),
            1,
        ),
        (
            |it| std::fs::remove_dir_all(it.join("objects/pack")).expect("removed"),
            1,
        ),
        (
            |it| std::fs::write(it.join("shallow"), "nonsense\n").expect("written"),
            1,
        ),
        // What git needs besides, it makes again.
        (
            |it| std::fs::remove_file(it.join("HEAD")).expect("removed"),
            0,
        ),
    ];
    for (number, (damage, expected)) in damages.iter().enumerate() {
        damage(&mirror);
        let (found, fetches) = ask(&repositories, &main).await;
        assert_eq!(
            (found.commits.len(), fetches),
            (5, *expected),
            "damage {number}"
        );
    }
    // A server that is down is no reason.
    drop(host);
    let cost = Cost::default();
    let caller = caller("acme", None, &cost);
    let error = git::discover(&repositories, caller, &main, None, Timestamp::UNIX_EPOCH);
    error.await.expect_err("nobody is there");
    assert!(mirror.exists());
}

#[tokio::test]
async fn mirrors_take_no_more_room_than_they_may() {
    let host = host(Access::Open);
    let folder = tempfile::tempdir().expect("a folder");
    let policy = std::sync::Arc::new(Policy::new().with_loopback());
    let mirrors = Mirrors::new(folder.path().to_owned(), 1);
    let repositories = Repositories::new(Launcher::direct(), policy, Limits::default(), mirrors);
    let (found, fetches) = ask(&repositories, &subscription(host.url(REPOSITORY))).await;
    assert_eq!((found.commits.len(), fetches), (5, 1));
    assert_eq!(
        std::fs::read_dir(folder.path())
            .expect("the mirrors")
            .count(),
        0
    );
}

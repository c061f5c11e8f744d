//! Work trees against a real Git host.

use testkit::servers::{Access, GitServer, PASSWORD, USER};

use super::*;
use std::fs;

mod openpgp;
mod revisions;
mod signatures;
mod submodules;

struct Fixture {
    server: GitServer,
    work: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let server = GitServer::start(Access::Password).unwrap();
        server
            .create(
                "app",
                &[
                    ("README", "hello\n"),
                    ("env/test/a.yaml", "a: 1\n"),
                    (".gitignore", "*.log\n"),
                ],
            )
            .unwrap();
        Self {
            server,
            work: tempfile::tempdir().unwrap(),
        }
    }

    fn origin(&self) -> Origin {
        let identity = Identity {
            name: "Argosy".to_owned(),
            email: "argosy@example.com".to_owned(),
            signing: None,
        };
        Origin {
            url: self.server.url("app"),
            moved_to: None,
            insecure_skip_tls_verify: false,
            identity,
        }
    }

    async fn clone(&self, name: &str) -> Repository {
        let launcher = Launcher::direct();
        let cloned = Repository::clone(
            &launcher,
            self.work.path(),
            name,
            self.origin(),
            Some(login()),
            Blobs::All,
        );
        cloned.await.unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.work.path().join("files").join(name)
    }

    fn open(&self, name: &str) -> WorkTree<'static> {
        WorkTree::open(
            &Launcher::direct(),
            self.work.path(),
            &self.path(name),
            Some(login()),
        )
        .unwrap()
    }

    fn git(&self, arguments: &[&str]) -> String {
        self.server.git("app", arguments).unwrap().trim().to_owned()
    }
}

fn login() -> Login {
    Login::Basic {
        username: USER.to_owned(),
        password: PASSWORD.into(),
    }
}

fn branch(name: &str) -> Target {
    Target::Branch(name.to_owned())
}

#[tokio::test]
async fn a_sparse_checkout_has_only_the_folders_asked_for() {
    let fixture = Fixture::new();
    fixture
        .server
        .commit(
            "app",
            &[("env/prod/b.yaml", "b: 1\n"), ("doc/c", "c")],
            "More",
        )
        .unwrap();
    let repository = fixture.clone("0").await;
    let sparse = ["env/test".to_owned()];
    repository
        .check_out(&fixture.path("src"), Revision::Branch("main"), &sparse)
        .await
        .unwrap();
    assert!(fixture.path("src/env/test/a.yaml").exists());
    assert!(!fixture.path("src/env/prod").exists());
    fs::write(fixture.path("src/env/test/a.yaml"), "a: 2\n").unwrap();
    let tree = fixture.open("src");
    assert!(tree.stage_all().await.unwrap().differs);
    tree.commit("Change one", None).await.unwrap();
    assert_eq!(
        tree.push(&branch("main"), false).await.unwrap(),
        Answer::Taken
    );
    assert_eq!(
        fixture
            .git(&["show", "--stat=200", "--format=", "main"])
            .lines()
            .count(),
        2
    );
}

#[tokio::test]
async fn a_missing_branch_is_made_with_one_empty_commit() {
    let fixture = Fixture::new();
    let repository = fixture.clone("0").await;
    repository
        .check_out(
            &fixture.path("out"),
            Revision::BranchOrNew("stage/test"),
            &[],
        )
        .await
        .unwrap();
    assert_eq!(
        fixture.git(&["log", "--format=%s by %an", "stage/test"]),
        "Initial commit by Argosy"
    );
    assert_eq!(fixture.git(&["ls-tree", "stage/test"]), "");
    let again = fixture.clone("1").await;
    again
        .check_out(
            &fixture.path("again"),
            Revision::BranchOrNew("stage/test"),
            &[],
        )
        .await
        .unwrap();
    assert_eq!(fixture.git(&["rev-list", "--count", "stage/test"]), "1");
}

#[tokio::test]
async fn clearing_leaves_ignored_files_and_a_commit_needs_a_change() {
    let fixture = Fixture::new();
    fixture
        .clone("0")
        .await
        .check_out(&fixture.path("src"), Revision::Default, &[])
        .await
        .unwrap();
    let tree = fixture.open("src");
    assert!(!tree.stage_all().await.unwrap().differs);
    fs::write(fixture.path("src/build.log"), "").unwrap();
    fs::write(fixture.path("src/new"), "").unwrap();
    tree.clear().await.unwrap();
    let left: Vec<_> = fs::read_dir(fixture.path("src"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(tree.stage_all().await.unwrap().differs);
    let author = Identity {
        name: "Ann".to_owned(),
        email: "ann@example.com".to_owned(),
        signing: None,
    };
    let commit = tree
        .commit("Clear\n\n# kept\n", Some(&author))
        .await
        .unwrap();
    assert_eq!(tree.head().await.unwrap(), commit);
    tree.push(&branch("cleared"), false).await.unwrap();
    assert_eq!(
        fixture.git(&["log", "-1", "--format=%an %cn %B", "cleared"]),
        "Ann Argosy Clear\n\n# kept"
    );
}

async fn diverged(fixture: &Fixture, theirs: (&str, &str)) -> WorkTree<'static> {
    fixture
        .clone("0")
        .await
        .check_out(&fixture.path("src"), Revision::Default, &[])
        .await
        .unwrap();
    fixture.server.commit("app", &[theirs], "Theirs").unwrap();
    fs::write(fixture.path("src/README"), "ours\n").unwrap();
    let tree = fixture.open("src");
    assert!(tree.stage_all().await.unwrap().differs);
    let author = Identity {
        name: "Ann".to_owned(),
        email: "ann@example.com".to_owned(),
        signing: None,
    };
    tree.commit("Ours", Some(&author)).await.unwrap();
    assert_eq!(
        tree.push(&branch("main"), false).await.unwrap(),
        Answer::Behind
    );
    tree
}

#[tokio::test]
async fn a_push_that_lost_the_race_is_replayed() {
    let fixture = Fixture::new();
    let tree = diverged(&fixture, ("other", "theirs\n")).await;
    let first = tree.head().await.unwrap();
    assert!(!tree.remote_has(&first, &branch("main")).await.unwrap());
    tree.integrate("main", Integration::AlwaysRebase)
        .await
        .unwrap();
    assert_eq!(
        tree.push(&branch("main"), false).await.unwrap(),
        Answer::Taken
    );
    assert_eq!(
        fixture.git(&["log", "--format=%s by %an", "main"]),
        "Ours by Ann\nTheirs by Somebody\nStart by Somebody"
    );
    let replayed = tree.head().await.unwrap();
    assert!(tree.remote_has(&replayed, &branch("main")).await.unwrap());
    assert!(!tree.remote_has(&first, &branch("main")).await.unwrap());
    assert!(!tree.remote_has(&replayed, &branch("none")).await.unwrap());
}

#[tokio::test]
async fn a_push_that_lost_the_race_is_merged_where_the_policy_says_so() {
    let fixture = Fixture::new();
    let tree = diverged(&fixture, ("other", "theirs\n")).await;
    tree.integrate("main", Integration::AlwaysMerge)
        .await
        .unwrap();
    assert_eq!(
        tree.push(&branch("main"), false).await.unwrap(),
        Answer::Taken
    );
    assert_eq!(
        fixture
            .git(&["log", "-1", "--format=%P", "main"])
            .split(' ')
            .count(),
        2
    );
}

#[tokio::test]
async fn a_conflict_leaves_the_work_tree_as_it_was() {
    for policy in [Integration::RebaseOrMerge, Integration::AlwaysMerge] {
        let fixture = Fixture::new();
        let tree = diverged(&fixture, ("README", "theirs\n")).await;
        let before = tree.head().await.unwrap();
        let error = tree.integrate("main", policy).await.unwrap_err();
        assert!(
            matches!(&error, Error::Conflict { details, .. } if details == "README"),
            "{error}"
        );
        assert_eq!(tree.head().await.unwrap(), before);
        assert_eq!(
            fs::read_to_string(fixture.path("src/README")).unwrap(),
            "ours\n"
        );
    }
}

#[tokio::test]
async fn a_forced_push_replaces_the_branch() {
    let fixture = Fixture::new();
    let tree = diverged(&fixture, ("README", "theirs\n")).await;
    assert_eq!(
        tree.push(&branch("main"), true).await.unwrap(),
        Answer::Taken
    );
    assert_eq!(fixture.git(&["log", "--format=%s", "main"]), "Ours\nStart");
}

#[tokio::test]
async fn locks_of_a_killed_attempt_do_not_stop_the_next() {
    let fixture = Fixture::new();
    fixture
        .clone("0")
        .await
        .check_out(&fixture.path("src"), Revision::Default, &[])
        .await
        .unwrap();
    let git_dir = git_dir_of(&fixture.path("src")).unwrap();
    fs::write(git_dir.join("index.lock"), "").unwrap();
    fs::write(fixture.path("src/new"), "").unwrap();
    assert!(fixture.open("src").stage_all().await.unwrap().differs);
}

#[tokio::test]
async fn a_tree_that_names_another_repository_is_not_opened() {
    let fixture = Fixture::new();
    fixture
        .clone("0")
        .await
        .check_out(&fixture.path("src"), Revision::Default, &[])
        .await
        .unwrap();
    let open = |to: &str| {
        fs::write(fixture.path("src/.git"), format!("gitdir: {to}\n")).unwrap();
        WorkTree::open(
            &Launcher::direct(),
            fixture.work.path(),
            &fixture.path("src"),
            None,
        )
        .map(drop)
    };
    let ours = fixture
        .work
        .path()
        .join("repositories/0/worktrees/src")
        .display()
        .to_string();
    open(&ours).unwrap();
    for other in [
        "/tmp/evil",
        &format!("{ours}/../../../../files/src"),
        "../x",
        "",
    ] {
        assert!(
            matches!(open(other), Err(Error::NotAWorkTree { .. })),
            "{other}"
        );
    }
}

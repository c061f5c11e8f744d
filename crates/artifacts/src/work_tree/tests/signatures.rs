//! Who vouches for a commit, and what becomes of that when others have pushed meanwhile.

use std::process::Command;

use testkit::tools;

use super::*;

/// Git runs `ssh-keygen` to sign and to check.
fn launcher() -> Launcher {
    Launcher::direct().with_search_path(tools::search_path(None).expect("folders of programs"))
}

/// Makes an SSH private key.
fn key() -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    let made = Command::new(tools::path("ssh-keygen").unwrap())
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&file)
        .status()
        .unwrap();
    assert!(made.success());
    fs::read_to_string(&file).unwrap()
}

async fn taken(fixture: &Fixture, key: Option<&str>) -> Option<Signing> {
    take_signing_key(&launcher(), fixture.work.path(), key)
        .await
        .unwrap()
}

/// A commit of ours that does not go on the remote's branch as it is; the clone and the commit have keys of their own.
async fn diverged(
    fixture: &Fixture,
    launcher: &Launcher,
    (cloning, committing): (Option<&str>, Option<&str>),
) -> WorkTree<'static> {
    let mut origin = fixture.origin();
    origin.identity.signing = taken(fixture, cloning).await;
    Repository::clone(
        launcher,
        fixture.work.path(),
        "0",
        origin,
        Some(login()),
        Blobs::All,
    )
    .await
    .unwrap()
    .check_out(&fixture.path("src"), Revision::Default, &[])
    .await
    .unwrap();
    fixture
        .server
        .commit("app", &[("other", "theirs\n")], "Theirs")
        .unwrap();
    fs::write(fixture.path("src/README"), "ours\n").unwrap();
    let tree = WorkTree::open(
        launcher,
        fixture.work.path(),
        &fixture.path("src"),
        Some(login()),
    )
    .unwrap();
    assert!(tree.stage_all().await.unwrap().differs);
    let author = Identity {
        name: "Ann".to_owned(),
        email: "ann@example.com".to_owned(),
        signing: taken(fixture, committing).await,
    };
    tree.commit("Ours", Some(&author)).await.unwrap();
    tree
}

/// What became of a commit of ours.
#[derive(Debug, PartialEq)]
enum Became {
    /// It is on top of theirs, with a signature or without.
    Replayed {
        signed: bool,
    },
    Merged,
    /// It is as it was, and the step fails.
    Refused,
    /// It is as it was, and the next push decides.
    LeftAlone,
}

async fn integrated(tree: &WorkTree<'_>, policy: Integration) -> Became {
    let before = tree.head().await.unwrap();
    let result = tree.integrate("main", policy).await;
    let is_as_it_was = tree.head().await.unwrap() == before;
    match result {
        Err(Error::UnsafeRebase { branch }) => {
            assert_eq!((branch.as_str(), is_as_it_was), ("main", true));
            return Became::Refused;
        }
        other => other.unwrap(),
    }
    if is_as_it_was {
        return Became::LeftAlone;
    }
    let command = tree
        .local_git()
        .unwrap()
        .args(["cat-file", "commit", "HEAD"]);
    let commit = tree.run(command).await.unwrap().text();
    match commit.matches("\nparent ").count() {
        1 => Became::Replayed {
            signed: commit.contains("\ngpgsig "),
        },
        _ => Became::Merged,
    }
}

#[tokio::test]
async fn a_policy_weighs_who_vouches_for_a_commit() {
    let (ours, another) = (key(), key());
    let (ours, another) = (Some(ours.as_str()), Some(another.as_str()));
    let launcher = launcher();
    let replayed = |signed| Became::Replayed { signed };
    // The keys of the clone and of the commit, and what comes of each policy.
    for (keys, always, or_merge, or_fail) in [
        (
            (None, None),
            replayed(false),
            replayed(false),
            replayed(false),
        ),
        ((ours, None), replayed(true), replayed(true), replayed(true)),
        // Its signature would be lost, or become somebody else's.
        (
            (None, another),
            replayed(false),
            Became::Merged,
            Became::Refused,
        ),
        (
            (ours, another),
            replayed(true),
            Became::Merged,
            Became::Refused,
        ),
    ] {
        for (policy, expected) in [
            (Integration::AlwaysRebase, always),
            (Integration::RebaseOrMerge, or_merge),
            (Integration::RebaseOrFail, or_fail),
            (Integration::AlwaysMerge, Became::Merged),
            (Integration::None, Became::LeftAlone),
        ] {
            let fixture = Fixture::new();
            let tree = diverged(&fixture, &launcher, keys).await;
            let keys = (keys.0.is_some(), keys.1.is_some());
            assert_eq!(
                integrated(&tree, policy).await,
                expected,
                "{policy:?} with keys of (clone, commit) {keys:?}"
            );
        }
    }
}

#[tokio::test]
async fn commits_are_signed_by_a_key_that_was_taken_in() {
    let fixture = Fixture::new();
    let key = key();
    let launcher = launcher();
    let tree = diverged(&fixture, &launcher, (Some(&key), None)).await;
    tree.push(&branch("main"), true).await.unwrap();
    let commit = fixture.git(&["cat-file", "commit", "main"]);
    assert!(
        commit.contains("gpgsig -----BEGIN SSH SIGNATURE-----"),
        "{commit}"
    );
}

#[tokio::test]
async fn what_is_no_key_is_refused() {
    let fixture = Fixture::new();
    assert_eq!(taken(&fixture, Some("  ")).await, None);
    let no_key =
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaA==\n-----END OPENSSH PRIVATE KEY-----";
    for wrong in ["not a key", no_key] {
        let refused = take_signing_key(&launcher(), fixture.work.path(), Some(wrong)).await;
        assert!(
            matches!(refused, Err(Error::SigningKey { .. })),
            "{wrong}: {refused:?}"
        );
    }
}

//! Which commit is checked out, and what is said where there is none.

use super::*;

#[tokio::test]
async fn branches_and_commits_are_checked_out_side_by_side() {
    let fixture = Fixture::new();
    fixture.git(&["branch", "other"]);
    let first = fixture.git(&["rev-parse", "main"]);
    fixture.git(&["tag", "v1", "main"]);
    fixture
        .server
        .commit("app", &[("README", "changed\n")], "Change")
        .unwrap();
    let repository = fixture.clone("0").await;
    let newest = fixture.git(&["rev-parse", "main"]);
    for (name, revision, commit) in [
        ("default", Revision::Default, &newest),
        ("main", Revision::Branch("main"), &newest),
        ("other", Revision::Branch("other"), &first),
        ("tag", Revision::Tag("v1"), &first),
        ("commit", Revision::Commit(&first[..10]), &first),
    ] {
        let checked_out = repository
            .check_out(&fixture.path(name), revision, &[])
            .await;
        assert_eq!(&checked_out.unwrap().1, commit, "{name}");
    }
    for (name, text) in [
        ("default", "changed\n"),
        ("main", "changed\n"),
        ("other", "hello\n"),
        ("tag", "hello\n"),
    ] {
        assert_eq!(
            fs::read_to_string(fixture.path(name).join("README")).unwrap(),
            text,
            "{name}"
        );
    }
    assert_eq!(fixture.open("commit").head().await.unwrap(), first);
    assert_eq!(fixture.open("commit").current_branch().await.unwrap(), None);
    assert_eq!(
        fixture
            .open("other")
            .current_branch()
            .await
            .unwrap()
            .as_deref(),
        Some("other")
    );
    let error = repository
        .check_out(&fixture.path("x"), Revision::Branch("none"), &[])
        .await
        .unwrap_err();
    assert!(
        error.to_string().ends_with("has no branch \"none\""),
        "{error}"
    );
    let error = repository
        .check_out(&fixture.path("x"), Revision::Tag("--all"), &[])
        .await
        .unwrap_err();
    assert!(matches!(error, Error::OddName { .. }), "{error}");
}

/// An id that no repository has.
const NOWHERE: &str = "1234567890123456789012345678901234567890";

#[tokio::test]
async fn a_commit_that_the_remote_does_not_have_is_missing() {
    let fixture = Fixture::new();
    let repository = fixture.clone("0").await;
    for id in [NOWHERE, &NOWHERE[..12]] {
        let error = repository
            .check_out(&fixture.path("x"), Revision::Commit(id), &[])
            .await
            .unwrap_err();
        assert!(matches!(error, Error::NoRevision { .. }), "{id}: {error}");
        assert!(error.to_string().contains(id), "{error}");
    }
}

#[tokio::test]
async fn a_commit_that_cannot_be_asked_for_is_not_called_missing() {
    let fixture = Fixture::new();
    let repository = fixture.clone("0").await;
    let target = fixture.path("x");
    drop(fixture.server);
    let error = repository
        .check_out(&target, Revision::Commit(NOWHERE), &[])
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Child(_)), "{error}");
}

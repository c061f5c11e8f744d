//! Commits that are signed by OpenPGP keys.

use testkit::servers::OpenPgpKey;

use super::*;

impl Fixture {
    /// Makes a commit in a clone whose identity signs, behind one that others push meanwhile; takes that in and pushes.
    async fn sign(&self, work: &Path, signing: Option<Signing>) {
        let mut origin = self.origin();
        origin.identity.signing = signing;
        let launcher = Launcher::direct();
        let cloned = Repository::clone(&launcher, work, "0", origin, Some(login()), Blobs::All);
        let repository = cloned.await.unwrap();
        let path = work.join("files/src");
        repository
            .check_out(&path, Revision::Default, &[])
            .await
            .unwrap();
        fs::write(path.join("new"), "").unwrap();
        let tree = WorkTree::open(&launcher, work, &path, Some(login())).unwrap();
        assert!(tree.stage_all().await.unwrap().differs);
        tree.commit("Ours", None).await.unwrap();
        self.server
            .commit("app", &[("other", "theirs\n")], "Theirs")
            .unwrap();
        // Only what bears a good signature of ours is replayed, and then it is signed again.
        let policy = Integration::RebaseOrFail;
        tree.integrate("main", policy).await.unwrap();
        tree.push(&branch("main"), false).await.unwrap();
        assert_eq!(
            self.git(&["log", "--format=%s", "main"]),
            "Ours\nTheirs\nStart"
        );
    }
}

async fn take(work: &Path, key: &str) -> Result<Option<Signing>, Error> {
    take_signing_key(&Launcher::direct(), work, Some(key)).await
}

#[tokio::test]
async fn commits_are_signed_by_a_key_that_was_taken_in_and_again_when_they_are_replayed() {
    let fixture = Fixture::new();
    let key = OpenPgpKey::make("Argosy <argosy@example.com>").unwrap();
    let private = key.private().unwrap();
    let taken = take(fixture.work.path(), &private).await.unwrap();
    assert!(matches!(taken, Some(Signing::OpenPgp(_))), "{taken:?}");
    fixture.sign(fixture.work.path(), taken).await;
    key.verify(&fixture.server.path("app"), "main").unwrap();
}

#[tokio::test]
async fn a_key_signs_in_a_work_directory_with_a_long_name() {
    let fixture = Fixture::new();
    let key = OpenPgpKey::make("Argosy <argosy@example.com>").unwrap();
    // As long as the default data folder makes it for many a user.
    let work = fixture.work.path().join("promotion".repeat(12));
    fs::create_dir(&work).unwrap();
    let taken = take(&work, &key.private().unwrap()).await.unwrap();
    fixture.sign(&work, taken).await;
    key.verify(&fixture.server.path("app"), "main").unwrap();
}

#[tokio::test]
async fn an_author_signs_with_a_key_of_their_own() {
    let fixture = Fixture::new();
    let key = OpenPgpKey::make("Ann <ann@example.com>").unwrap();
    let repository = fixture.clone("0").await;
    repository
        .check_out(&fixture.path("src"), Revision::Default, &[])
        .await
        .unwrap();
    let tree = fixture.open("src");
    let private = key.private().unwrap();
    let signing = tree.take_signing_key(Some(&private)).await.unwrap();
    let author = Identity {
        name: "Ann".to_owned(),
        email: "ann@example.com".to_owned(),
        signing,
    };
    fs::write(fixture.path("src/new"), "").unwrap();
    assert!(tree.stage_all().await.unwrap().differs);
    tree.commit("Ours", Some(&author)).await.unwrap();
    tree.push(&branch("main"), false).await.unwrap();
    key.verify(&fixture.server.path("app"), "main").unwrap();
    assert_eq!(
        fixture.git(&["log", "-1", "--format=%an %cn", "main"]),
        "Ann Argosy"
    );
}

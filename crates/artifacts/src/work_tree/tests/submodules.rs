//! Submodules: what is listed before anything is fetched, and that nothing else is.

use super::*;

impl Fixture {
    /// A checkout of `app` at `src`, once others were made its submodules: path, repository and URL of each.
    async fn with_submodules(&self, submodules: &[(&str, &str, &str)]) -> WorkTree<'static> {
        for (path, of, url) in submodules {
            self.server.add_submodule("app", path, of, url).unwrap();
        }
        let repository = self.clone("0").await;
        let path = self.path("src");
        let checked_out = repository.check_out(&path, Revision::Default, &[]).await;
        checked_out.unwrap();
        self.open("src")
    }

    fn create(&self, name: &str) {
        let file = format!("{name}.txt");
        self.server.create(name, &[(&file, "text\n")]).unwrap();
    }
}

fn named(submodules: &[Submodule]) -> Vec<(&str, &str)> {
    let names = submodules.iter();
    names
        .map(|it| (it.path.as_str(), it.url.as_str()))
        .collect()
}

#[tokio::test]
async fn submodules_are_listed_with_the_urls_that_git_would_use_and_fetched_one_by_one() {
    let fixture = Fixture::new();
    for name in ["lib", "inner", "other"] {
        fixture.create(name);
    }
    fixture
        .server
        .add_submodule("lib", "deep/inner", "inner", "../inner.git")
        .unwrap();
    let other = fixture.server.url("other");
    let submodules = [
        ("vendor/lib", "lib", "../lib.git"),
        ("other", "other", &other),
    ];
    let tree = fixture.with_submodules(&submodules).await;
    let listed = tree.submodules().await.unwrap();
    let (lib, inner) = (fixture.server.url("lib"), fixture.server.url("inner"));
    assert_eq!(
        named(&listed),
        [("other", other.as_str()), ("vendor/lib", &lib)]
    );
    assert!(!fixture.path("src/vendor/lib/lib.txt").exists());

    // The login is the repository's own, on its own host.
    let launcher = Launcher::direct();
    let fetch = async |submodule| {
        let fetched = tree.fetch_submodule(submodule, &launcher, None).await;
        fetched.unwrap();
    };
    fetch(&listed[1]).await;
    assert!(fixture.path("src/vendor/lib/lib.txt").exists());
    assert!(!fixture.path("src/other/other.txt").exists());
    let within = tree.submodules_of(&listed[1]).await.unwrap();
    assert_eq!(named(&within), [("vendor/lib/deep/inner", inner.as_str())]);
    assert!(!fixture.path("src/vendor/lib/deep/inner/inner.txt").exists());
    fetch(&within[0]).await;
    assert!(fixture.path("src/vendor/lib/deep/inner/inner.txt").exists());
    assert!(tree.submodules_of(&within[0]).await.unwrap().is_empty());
    // A tree with submodules is committed like any other.
    assert!(!tree.stage_all().await.unwrap().differs);
}

#[tokio::test]
async fn a_submodule_is_fetched_from_where_the_caller_says() {
    let fixture = Fixture::new();
    for name in ["lib", "copy"] {
        fixture.create(name);
    }
    // The copy has the commit, the address in `.gitmodules` leads nowhere.
    let lib = fixture.server.path("lib").display().to_string();
    let fetch = ["fetch", "--quiet", &lib, "+main:main"];
    fixture.server.git("copy", &fetch).unwrap();
    let tree = fixture
        .with_submodules(&[("lib", "lib", "../gone.git")])
        .await;
    let [submodule] = tree.submodules().await.unwrap().try_into().unwrap();
    let gone = tree
        .fetch_submodule(&submodule, &Launcher::direct(), None)
        .await;
    assert!(gone.is_err());
    let moved = submodule.moved_to(fixture.server.url("copy"));
    tree.fetch_submodule(&moved, &Launcher::direct(), None)
        .await
        .unwrap();
    assert!(fixture.path("src/lib/lib.txt").exists());
}

#[tokio::test]
async fn two_checkouts_of_one_clone_have_each_its_own_urls() {
    let fixture = Fixture::new();
    for name in ["lib", "other"] {
        fixture.create(name);
    }
    let tree = fixture
        .with_submodules(&[("lib", "lib", "../lib.git")])
        .await;
    tree.submodules().await.unwrap();
    fixture.git(&["branch", "before", "main"]);
    fixture
        .server
        .add_submodule("app", "lib", "other", "../other.git")
        .unwrap();
    let repository = fixture.clone("1").await;
    for (revision, expected) in [("before", "lib"), ("main", "other")] {
        let path = fixture.path(revision);
        let checked_out = repository.check_out(&path, Revision::Branch(revision), &[]);
        let (tree, _) = checked_out.await.unwrap();
        let url = fixture.server.url(expected);
        let listed = tree.submodules().await.unwrap();
        assert_eq!(named(&listed), [("lib", url.as_str())], "{revision}");
    }
}

#[tokio::test]
async fn a_tree_without_submodules_has_none() {
    let fixture = Fixture::new();
    let tree = fixture.with_submodules(&[]).await;
    assert!(tree.submodules().await.unwrap().is_empty());
    // What is listed is not always there.
    let file = "[submodule \"a\"]\n\tpath = a\n\turl = ../a.git\n";
    fs::write(fixture.path("src/.gitmodules"), file).unwrap();
    assert!(tree.submodules().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_url_that_git_may_not_be_given_is_refused_before_anything_is_fetched() {
    for url in [
        "file:///etc",
        "/etc",
        "http://git.example.com/lib.git",
        "ext::sh -c id",
        "https://github.com\\@evil.test/lib.git",
    ] {
        let fixture = Fixture::new();
        fixture.create("lib");
        let tree = fixture.with_submodules(&[("lib", "lib", url)]).await;
        let error = tree.submodules().await.unwrap_err();
        let Error::SubmoduleUrl { path, .. } = &error else {
            panic!("{url}: {error}")
        };
        assert_eq!(path, "lib", "{url}");
        assert!(error.hint().contains(".gitmodules"), "{}", error.hint());
    }
}

#[tokio::test]
async fn a_path_that_two_names_claim_is_refused() {
    let fixture = Fixture::new();
    fixture.create("lib");
    let tree = fixture
        .with_submodules(&[("lib", "lib", "../lib.git")])
        .await;
    let file = fs::read_to_string(fixture.path("src/.gitmodules")).unwrap();
    let twice = format!("{file}[submodule \"b\"]\n\tpath = lib\n\turl = https://evil.test/lib\n");
    fs::write(fixture.path("src/.gitmodules"), twice).unwrap();
    let error = tree.submodules().await.unwrap_err();
    assert!(matches!(error, Error::OddSubmodules { .. }), "{error}");
}

//! Images on Debian's docker-registry, pushed by skopeo.

use std::sync::Arc;

use artifacts::egress::Policy;
use artifacts::image::{self, Error};
use artifacts::registry::Registries;
use artifacts::{Cost, Limits};
use credentials::Login;
use resources::subscription::ImageSelectionStrategy;
use resources::{DiscoveredImageReference, ImageSubscription};
use secret::Secret;
use testkit::servers::{Access, Image, PASSWORD, Registry, USER};

use crate::scripted::TlsFront;
use crate::{ASKED, caller, told};

/// Writes one field of a subscription.
type Change = fn(&mut ImageSubscription);

fn registries() -> Registries {
    Registries::new(Arc::new(Policy::new().with_loopback()), Limits::default())
}

fn tags(found: &[DiscoveredImageReference]) -> Vec<&str> {
    found.iter().map(|it| it.tag.as_str()).collect()
}

async fn discover(
    registries: &Registries,
    subscription: &ImageSubscription,
) -> Result<Vec<DiscoveredImageReference>, Error> {
    let cost = Cost::default();
    image::discover(registries, caller("acme", None, &cost), subscription, ASKED).await
}

#[tokio::test]
async fn images_are_discovered_by_every_strategy() {
    let registry = Registry::start(Access::Open).expect("a registry");
    let image = |tag: &str, created: &str, architecture: &str| {
        let mut image = Image::new("acme/web", tag);
        created.clone_into(&mut image.created);
        architecture.clone_into(&mut image.platform.1);
        image.annotations = vec![("org.acme.tag".to_owned(), tag.to_owned())];
        registry.push(&image).expect("pushed")
    };
    let one = image("1.0.0", "2026-01-05T00:00:00Z", "amd64");
    let two = image("1.1.0", "2026-01-02T00:00:00Z", "arm64");
    let three = image("2.0.0-rc.1", "2026-01-03T00:00:00Z", "amd64");
    let latest = image("latest", "2026-01-04T00:00:00Z", "amd64");

    let registries = registries();
    let with = |change: Change| {
        let mut subscription = ImageSubscription {
            repo_url: registry.repository("acme/web"),
            ..ImageSubscription::default()
        };
        change(&mut subscription);
        subscription
    };
    let found = discover(&registries, &with(|it| it.constraint = "^1.0.0".to_owned()))
        .await
        .expect("images");
    assert_eq!(tags(&found), ["1.1.0", "1.0.0"]);
    assert_eq!((&found[0].digest, &found[1].digest), (&two, &one));
    assert_eq!(found[0].annotations["org.acme.tag"], "1.1.0");
    assert_eq!(
        found[0]
            .created_at
            .as_ref()
            .map(|it| it.0.to_string())
            .as_deref(),
        Some("2026-01-02T00:00:00Z")
    );

    let cases: [(Change, &[&str]); 8] = [
        (|_| {}, &["2.0.0-rc.1", "1.1.0", "1.0.0"]),
        (|it| it.discovery_limit = 1, &["2.0.0-rc.1"]),
        (
            |it| it.ignore_tags_regexes = vec!["rc".to_owned()],
            &["1.1.0", "1.0.0"],
        ),
        // The platform of an image without an index is in its config.
        (
            |it| it.platform = "linux/amd64".to_owned(),
            &["2.0.0-rc.1", "1.0.0"],
        ),
        (|it| it.platform = "windows/amd64".to_owned(), &[]),
        (
            |it| it.image_selection_strategy = ImageSelectionStrategy::Lexical,
            &["latest", "2.0.0-rc.1", "1.1.0", "1.0.0"],
        ),
        (
            |it| it.image_selection_strategy = ImageSelectionStrategy::NewestBuild,
            &["1.0.0", "latest", "2.0.0-rc.1", "1.1.0"],
        ),
        (
            |it| {
                it.image_selection_strategy = ImageSelectionStrategy::Digest;
                it.constraint = "latest".to_owned();
            },
            &["latest"],
        ),
    ];
    for (change, expected) in cases {
        let found = discover(&registries, &with(change)).await.expect("images");
        assert_eq!(tags(&found), expected);
    }

    // A tag that moves is noticed, though what its digests named is remembered.
    let moved = image("latest", "2026-01-06T00:00:00Z", "amd64");
    assert!(moved != latest && moved != three);
    let found = discover(
        &registries,
        &with(|it| it.image_selection_strategy = ImageSelectionStrategy::NewestBuild),
    )
    .await
    .expect("images");
    assert_eq!(
        (found[0].tag.as_str(), &found[0].digest),
        ("latest", &moved)
    );
}

#[tokio::test]
async fn a_chart_among_images_is_left_out() {
    let registry = Registry::start(Access::Open).expect("a registry");
    let image = Image::new("acme/web", "1.0.0");
    registry.push(&image).expect("pushed");
    for repository in ["acme/web", "acme/charts"] {
        registry.push_chart(repository, "2.0.0").expect("pushed");
    }
    let registries = registries();
    for strategy in [
        ImageSelectionStrategy::SemVer,
        ImageSelectionStrategy::Lexical,
        ImageSelectionStrategy::NewestBuild,
    ] {
        let mut subscription = ImageSubscription {
            repo_url: registry.repository("acme/web"),
            image_selection_strategy: strategy,
            discovery_limit: 1,
            ..ImageSubscription::default()
        };
        // The second time the chart is known.
        for _ in 0..2 {
            let found = discover(&registries, &subscription).await;
            assert_eq!(tags(&found.expect("the image")), ["1.0.0"], "{strategy:?}");
        }
        subscription.repo_url = registry.repository("acme/charts");
        let error = discover(&registries, &subscription).await;
        let told = told(&error.expect_err("nothing but a chart"));
        for part in [
            "2.0.0",
            "vnd.cncf.helm.config.v1+json",
            "not that of an image",
        ] {
            assert!(told.contains(part), "{strategy:?}: {told}");
        }
    }
}

#[tokio::test]
async fn a_login_opens_a_private_registry_to_its_project_only() {
    let registry = Registry::start(Access::Password).expect("a registry");
    registry
        .push(&Image::new("acme/web", "1.0.0"))
        .expect("pushed");
    let registries = registries();
    let subscription = ImageSubscription {
        repo_url: registry.repository("acme/web"),
        ..ImageSubscription::default()
    };
    let login = |password: &str| Login::Basic {
        username: USER.to_owned(),
        password: Secret::from(password),
    };
    let (cost, right) = (Cost::default(), login(PASSWORD));
    let found = image::discover(
        &registries,
        caller("acme", Some(&right), &cost),
        &subscription,
        ASKED,
    )
    .await
    .expect("images");
    assert_eq!(tags(&found), ["1.0.0"]);
    for login in [None, Some(login("wrong-password"))] {
        let caller = caller("acme", login.as_ref(), &cost);
        let error = image::discover(&registries, caller, &subscription, ASKED)
            .await
            .expect_err("not let in");
        let told = format!("{} {}", told(&error), error.hint());
        assert!(
            told.contains("401") && told.contains(&subscription.repo_url),
            "{told}"
        );
        assert!(
            !told.contains("wrong-password") && !told.contains(PASSWORD),
            "{told}"
        );
    }
}

#[tokio::test]
async fn any_certificate_will_do_only_where_the_subscription_says_so() {
    let registry = Registry::start(Access::Open).expect("a registry");
    registry
        .push(&Image::new("acme/web", "1.0.0"))
        .expect("pushed");
    let front = TlsFront::start(registry.port()).await;
    let mut subscription = ImageSubscription {
        repo_url: format!("{}/acme/web", front.host),
        ..ImageSubscription::default()
    };
    // What a client that takes any certificate has learnt is nothing to a careful one of the same project.
    let registries = registries();
    for _ in 0..2 {
        subscription.insecure_skip_tls_verify = true;
        let found = discover(&registries, &subscription).await;
        assert_eq!(tags(&found.expect("images")), ["1.0.0"]);
        subscription.insecure_skip_tls_verify = false;
        let error = discover(&registries, &subscription).await;
        let error = error.expect_err("an unknown certificate");
        assert!(told(&error).contains("ertificate"), "{}", told(&error));
        assert!(error.hint().contains("SSL_CERT_FILE"), "{}", error.hint());
    }
}

#[tokio::test]
async fn a_repository_that_is_not_there_is_named() {
    let registry = Registry::start(Access::Open).expect("a registry");
    let subscription = ImageSubscription {
        repo_url: registry.repository("acme/none"),
        ..ImageSubscription::default()
    };
    let error = discover(&registries(), &subscription)
        .await
        .expect_err("nothing there");
    assert!(
        told(&error).contains("NAME_UNKNOWN") && error.hint().contains("skopeo list-tags"),
        "{} {}",
        told(&error),
        error.hint()
    );
}

#[tokio::test]
async fn a_subscription_that_cannot_be_followed_names_its_field() {
    let registries = registries();
    let subscription = |change: Change| {
        let mut subscription = ImageSubscription {
            repo_url: "ghcr.io/acme/web".to_owned(),
            ..ImageSubscription::default()
        };
        change(&mut subscription);
        subscription
    };
    let cases: [(Change, &str); 5] = [
        (|it| it.constraint = ">>1".to_owned(), "constraint"),
        (
            |it| it.allow_tags_regexes = vec!["(".to_owned()],
            "allowTagsRegexes",
        ),
        (|it| it.platform = "linux".to_owned(), "platform"),
        (
            |it| it.repo_url = "https://ghcr.io/acme/web".to_owned(),
            "does not name an image repository",
        ),
        (
            |it| {
                it.image_selection_strategy = ImageSelectionStrategy::Digest;
                it.constraint = "../../x".to_owned();
            },
            "cannot be a tag",
        ),
    ];
    for (change, part) in cases {
        let error = discover(&registries, &subscription(change))
            .await
            .expect_err(part);
        assert!(
            told(&error).contains(part) && error.hint().contains("Warehouse"),
            "{}",
            told(&error)
        );
    }
}

/// Discovery runs in tasks, so its futures have to be able to move between threads.
#[test]
fn discovery_can_run_in_a_task() {
    fn sends<T: Send>(_: &T) {}
    let (registries, subscription) = (registries(), ImageSubscription::default());
    let cost = Cost::default();
    sends(&image::discover(
        &registries,
        caller("acme", None, &cost),
        &subscription,
        ASKED,
    ));
}

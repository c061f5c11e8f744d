//! Tags that are taken never to move: what they cost, and who may say so.

use artifacts::registry::Memory;
use artifacts::{Cost, image};
use domain::CacheByTagPolicy;
use resources::ImageSubscription;
use resources::subscription::ImageSelectionStrategy;
use tempfile::TempDir;

use crate::filled::{Filled, Push};
use crate::memory::{Process, TAGS, count, newest_build};
use crate::{ASKED, caller, told};

#[tokio::test]
async fn tags_that_are_taken_never_to_move_cost_nothing_once_they_are_known() {
    let (filled, folder) = (Filled::start(), TempDir::new().expect("a folder"));
    filled.push_many(TAGS).await;
    let subscription = ImageSubscription {
        cache_by_tag: true,
        ..newest_build(filled.registry.repository("web"))
    };
    let process = Process::start(folder.path());
    let (_, spent) = process.discover(&subscription).await;
    assert_eq!(spent.total(), 1 + 1 + 2 * count(TAGS));
    let (_, spent) = process.discover(&subscription).await;
    assert_eq!(spent.total(), 1);
    drop(process);

    let process = Process::start(folder.path());
    let (_, spent) = process.discover(&subscription).await;
    assert_eq!(spent.total(), 1 + 1);
    let push = Push {
        tag: "new",
        minute: 300,
        is_annotated: false,
    };
    filled.push(push).await;
    let (found, spent) = process.discover(&subscription).await;
    assert_eq!((found[0].tag.as_str(), spent.total()), ("new", 1 + 2));
    // Whoever moves a tag all the same is not noticed, which is what was asked for.
    let push = Push {
        tag: "t0",
        minute: 301,
        ..push
    };
    filled.push(push).await;
    let (found, spent) = process.discover(&subscription).await;
    assert_eq!((found[0].tag.as_str(), spent.total()), ("new", 1));

    // A tag that is followed by its digest is always asked for.
    let digest = ImageSubscription {
        image_selection_strategy: ImageSelectionStrategy::Digest,
        constraint: "t0".to_owned(),
        ..subscription.clone()
    };
    let (found, spent) = process.discover(&digest).await;
    assert_ne!(found[0].created_at, None);
    assert_eq!(spent.total(), 3, "it has moved");
    let (_, spent) = process.discover(&digest).await;
    assert_eq!(spent.total(), 1);
}

#[tokio::test]
async fn the_operator_decides_whether_tags_are_taken_never_to_move() {
    let filled = Filled::start();
    filled.push_many(3).await;
    let plain = newest_build(filled.registry.repository("web"));
    let cached = ImageSubscription {
        cache_by_tag: true,
        ..plain.clone()
    };
    let cost_of = async |policy, subscription: &ImageSubscription| {
        let Process { registries } = Process::with(Memory::new());
        let process = Process {
            registries: registries.with_cache_by_tag(policy),
        };
        process.discover(subscription).await;
        process.discover(subscription).await.1.total()
    };
    assert_eq!(cost_of(CacheByTagPolicy::Forbid, &cached).await, 4);
    assert_eq!(cost_of(CacheByTagPolicy::Allow, &plain).await, 4);
    assert_eq!(cost_of(CacheByTagPolicy::Allow, &cached).await, 1);
    assert_eq!(cost_of(CacheByTagPolicy::Require, &cached).await, 1);
    assert_eq!(cost_of(CacheByTagPolicy::Force, &plain).await, 1);

    let registries = Process::with(Memory::new())
        .registries
        .with_cache_by_tag(CacheByTagPolicy::Require);
    let cost = Cost::default();
    let error = image::discover(&registries, caller("acme", None, &cost), &plain, ASKED)
        .await
        .expect_err("it is required");
    assert!(
        told(&error).contains("the operator requires it")
            && error.hint().contains("cacheByTag: true"),
        "{}",
        told(&error)
    );
    assert_eq!(cost.spent().total(), 0);
}

//! What a large repository at Debian's docker-registry costs: first, again, and after a push.
#![expect(clippy::print_stdout, reason = "it says what it has measured")]

use std::time::Instant;

use artifacts::Spent;
use resources::ImageSubscription;
use resources::subscription::ImageSelectionStrategy;
use tempfile::TempDir;
use testkit::Pushed;

use crate::filled::{Filled, Push, pushed};
use crate::memory::{Process, count, newest_build};

/// Tags of one selection that are taken.
const LIMIT: usize = 20;

/// Makes the image of a version; the higher ones are built later.
fn image(number: usize) -> Pushed {
    pushed(Push {
        tag: &format!("1.{}.{}", number / 1_000, number % 1_000),
        minute: number,
        is_annotated: false,
    })
}

/// Looks, and gives the best tag and what it cost.
async fn look(process: &Process, subscription: &ImageSubscription) -> (String, Spent) {
    let start = Instant::now();
    let (found, spent) = process.discover(subscription).await;
    println!(
        "{:?}: {} requests in {:.1?}",
        subscription.image_selection_strategy,
        spent.total(),
        start.elapsed()
    );
    (found[0].tag.clone(), spent)
}

/// Fills a repository and looks at it by two strategies.
async fn check(size: usize) {
    let (filled, folder) = (Filled::start(), TempDir::new().expect("a folder"));
    filled
        .push_into("web", (0..size).map(image).collect())
        .await;
    let newest = ImageSubscription {
        discovery_limit: 20,
        ..newest_build(filled.registry.repository("web"))
    };
    let versions = ImageSubscription {
        image_selection_strategy: ImageSelectionStrategy::SemVer,
        ..newest.clone()
    };
    // A registry that gives all there are at once is asked once more whether that was all.
    let lists = if size < 1_000 { 1 } else { 2 };
    let best = |number: usize| image(number).tag;

    // The versions first: of all tags only the best twenty are looked at.
    let process = Process::start(folder.path());
    let (found, spent) = look(&process, &versions).await;
    assert_eq!(found, best(size - 1));
    assert_eq!(spent.total(), count(1 + lists + 2 * LIMIT));
    let (_, spent) = look(&process, &versions).await;
    assert_eq!(spent.total(), count(lists + LIMIT), "a HEAD a tag");
    // Only a look at every image tells the newest, once: two requests for each that is new.
    let (found, spent) = look(&process, &newest).await;
    assert_eq!(found, best(size - 1));
    assert_eq!(spent.total(), count(lists + 2 * size - LIMIT));
    drop(process);

    let process = Process::start(folder.path());
    let (_, spent) = look(&process, &newest).await;
    assert_eq!(spent.total(), count(1 + lists + size), "a HEAD a tag");
    assert_eq!(spent.remembered, count(2 * size));

    filled.push_into("web", vec![image(size)]).await;
    let (found, spent) = look(&process, &newest).await;
    assert_eq!(found, best(size));
    assert_eq!(
        spent.total(),
        count(lists + size + 2),
        "two for the new tag"
    );
    let (found, spent) = look(&process, &versions).await;
    assert_eq!(found, best(size));
    assert_eq!(spent.total(), count(lists + LIMIT), "it is known by now");
}

#[tokio::test]
async fn a_repository_of_three_hundred_tags_costs_a_head_a_tag_and_two_requests_a_push() {
    check(300).await;
}

#[cfg(feature = "slow")]
mod slow {
    #[tokio::test]
    async fn a_repository_of_ten_thousand_tags_costs_a_head_a_tag_and_two_requests_a_push() {
        super::check(10_000).await;
    }
}

//! How many requests a look costs, first, again, and after a push.

use anyhow::Result;
use resources::subscription::ImageSelectionStrategy;

use crate::stand::{Stand, by, newest, tags};

/// Of one image at Google's: its manifest, and its config, which a redirect leads to.
const IMAGE: u64 = 3;
const LIMIT: u64 = 20;

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_tags_cost_their_pages_and_three_requests_for_each_image_taken() -> Result<()>
{
    let stand = Stand::open("[{name: web, generate: {tags: 10000}}]").await?;
    let (first, cost) = stand.found(&newest()).await?;
    assert_eq!(tags(&first)[..2], ["1.1009.1999", "1.1009.1998"]);
    assert_eq!(first.taken.len(), 20);
    // A full page does not say that it is the last: the API says so with its first.
    assert_eq!(cost, 2 + IMAGE * LIMIT);
    let (again, cost) = stand.found(&newest()).await?;
    assert_eq!((again, cost), (first, 1));
    stand.clock.advance(60);
    stand.push("2.0.0", 10)?;
    let (pushed, cost) = stand.found(&newest()).await?;
    assert_eq!(tags(&pushed)[..2], ["2.0.0", "1.1009.1999"]);
    assert_eq!(cost, 2 + IMAGE);
    assert_eq!(stand.found(&newest()).await?.1, 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_one_page_costs_that_page_and_whatever_is_new() -> Result<()> {
    let stand = Stand::open("[{name: web, generate: {tags: 900}}]").await?;
    for strategy in [
        ImageSelectionStrategy::NewestBuild,
        ImageSelectionStrategy::SemVer,
        ImageSelectionStrategy::Lexical,
    ] {
        let subscription = by(strategy);
        let (first, _) = stand.found(&subscription).await?;
        let (again, cost) = stand.found(&subscription).await?;
        assert_eq!((again, cost), (first, 1), "{strategy:?}");
    }
    stand.push("2.0.0", 10)?;
    let (pushed, cost) = stand.found(&newest()).await?;
    assert_eq!((tags(&pushed)[0], cost), ("2.0.0", 1 + IMAGE));
    let (pushed, cost) = stand.found(&by(ImageSelectionStrategy::SemVer)).await?;
    assert_eq!((tags(&pushed)[0], cost), ("2.0.0", 1));
    assert_eq!(
        stand.versions_asked(),
        0,
        "one page needs no other way to list"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_longer_list_one_row_says_that_nothing_has_changed() -> Result<()> {
    let stand = Stand::open("[{name: web, generate: {tags: 25000}}]").await?;
    let (first, cost) = stand.found(&newest()).await?;
    assert_eq!(tags(&first)[0], "1.1024.1999");
    // The first page of tags shows that there are more; a thousand of the newest are enough.
    assert_eq!(cost, 2 + IMAGE * LIMIT);
    assert_eq!(stand.found(&newest()).await?.1, 1);

    let semver = by(ImageSelectionStrategy::SemVer);
    let (first, cost) = stand.found(&semver).await?;
    // The images are those that were seen before.
    assert_eq!((tags(&first)[0], cost), ("1.1024.1999", 1 + 3));
    let (again, cost) = stand.found(&semver).await?;
    assert_eq!((&again, cost), (&first, 1));
    stand.clock.advance(60);
    stand.push("2.0.0", 10)?;
    let (pushed, cost) = stand.found(&semver).await?;
    assert_eq!((tags(&pushed)[0], cost), ("2.0.0", 1 + 3 + IMAGE));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_row_cannot_show_is_seen_within_the_hour() -> Result<()> {
    let stand = Stand::open("[{name: web, generate: {tags: 12000}}]").await?;
    let (first, _) = stand.found(&newest()).await?;
    assert_eq!(tags(&first)[..2], ["1.1011.1999", "1.1011.1998"]);
    assert!(
        stand
            .google
            .delete(scenarios::PROJECT, "web", "1.1011.1998")
    );
    stand.clock.advance(3_599);
    let (same, cost) = stand.found(&newest()).await?;
    assert_eq!((same, cost), (first, 1));
    stand.clock.advance(1);
    let (anew, cost) = stand.found(&newest()).await?;
    assert_eq!(tags(&anew)[..2], ["1.1011.1999", "1.1011.1997"]);
    // The row, a page of the newest, and the image that is among them now.
    assert_eq!(cost, 2 + IMAGE);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_moves_is_seen_at_once() -> Result<()> {
    let stand = Stand::open("[{name: web, generate: {tags: 12000}}]").await?;
    let (first, _) = stand.found(&newest()).await?;
    stand.clock.advance(60);
    stand.push("1.1011.1999", 10)?;
    let (moved, cost) = stand.found(&newest()).await?;
    assert_eq!(tags(&moved)[0], "1.1011.1999");
    assert!(moved.taken[0].digest != first.taken[0].digest);
    assert_eq!(cost, 2 + IMAGE);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn rare_tags_are_looked_for_on_the_longer_pages() -> Result<()> {
    let stand = Stand::open("[{name: web, generate: {tags: 25000}}]").await?;
    let mut rare = newest();
    rare.allow_tags_regexes = vec![r"^1\.10[01]\d\.1777$".to_owned()];
    let (found, cost) = stand.found(&rare).await?;
    assert_eq!((found.taken.len(), tags(&found)[0]), (20, "1.1019.1777"));
    // A page of tags, ten pages of the newest in vain, three pages of tags.
    assert!(cost <= 1 + 10 + 3 + IMAGE * LIMIT, "{cost}");
    let left_out = &found.ruled_out[0];
    assert_eq!(left_out.count, 25_000 - 20, "each tag is counted once");
    assert_eq!(stand.found(&rare).await?.1, 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn images_of_an_index_cost_one_request_more_each_at_most() -> Result<()> {
    let images = (0..30).map(|number| {
        format!(
            "{{name: web, tags: [1.0.{number}], built: '2026-01-{:02}T00:00:00Z', uploaded: '2026-01-{:02}T00:05:00Z', \
             platforms: [linux/amd64, linux/arm64]}}",
            number + 1,
            number + 1
        )
    });
    let images: Vec<String> = images.collect();
    let stand = Stand::open(&format!("[{}]", images.join(", "))).await?;
    let (found, cost) = stand.found(&newest()).await?;
    assert_eq!(tags(&found)[..2], ["1.0.29", "1.0.28"]);
    // The time that the image of a platform says, not that of the index's upload.
    let built = found.taken[0].created_at.map(|it| it.to_string());
    assert_eq!(built.as_deref(), Some("2026-01-30T00:00:00Z"));
    assert_eq!(found.remarks[0].reason(), "UploadTimeUsed");
    assert!(cost <= 1 + (IMAGE + 2) * LIMIT, "{cost}");
    assert_eq!(cost, 1 + (1 + IMAGE) * LIMIT);
    assert_eq!(stand.found(&newest()).await?.1, 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn images_are_looked_at_until_enough_are_for_the_platform() -> Result<()> {
    let images = (1..=28).map(|number| {
        let platform = if number % 2 == 0 { "linux/arm64" } else { "linux/amd64" };
        format!(
            "{{name: web, tags: [t{number:02}], built: '2026-01-{number:02}T00:00:00Z', platforms: [{platform}]}}"
        )
    });
    let images: Vec<String> = images.collect();
    let stand = Stand::open(&format!("[{}]", images.join(", "))).await?;
    let mut for_arm = newest();
    for_arm.platform = "linux/arm64".to_owned();
    for_arm.discovery_limit = 3;
    let (found, cost) = stand.found(&for_arm).await?;
    assert_eq!(tags(&found), ["t28", "t26", "t24"]);
    assert!(cost <= 1 + IMAGE * 6, "{cost}");
    Ok(())
}

//! How many requests a look costs, first, again, and after a push.

use anyhow::Result;
use resources::subscription::ImageSelectionStrategy;

use scenarios::PROJECT;
use testkit::google::{Effect, REGISTRY};

use crate::stand::{Stand, by, newest, tags};

/// Of one image at Google's: its manifest, and its config, which a redirect leads to.
const IMAGE: u64 = 3;
const LIMIT: u64 = 20;
/// What it takes to be let in as nobody: a first request in vain, and a token.
const TOKEN: u64 = 2;

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
    // The row that has changed, and the page that it begins.
    assert_eq!((tags(&pushed)[0], cost), ("2.0.0", 1 + 1 + IMAGE));
    assert_eq!(tags(&pushed)[1..], tags(&first)[..19]);
    assert_eq!(stand.found(&semver).await?.1, 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_push_only_what_has_changed_is_read_as_long_as_that_is_enough() -> Result<()> {
    let stand = Stand::open("[{name: web, generate: {tags: 25000}}]").await?;
    let mut semver = by(ImageSelectionStrategy::SemVer);
    semver.discovery_limit = 3;
    let whole = 3;
    let (first, cost) = stand.found(&semver).await?;
    assert_eq!(tags(&first), ["1.1024.1999", "1.1024.1998", "1.1024.1997"]);
    // The first page shows that there are more, so the newest row is asked for before all of them.
    assert_eq!(cost, 1 + 1 + whole + IMAGE * 3);
    assert_eq!(stand.found(&semver).await?.1, 1);
    // One that is not among the best, and one that is not wanted at all.
    for tag in ["0.1.0", "nightly"] {
        stand.clock.advance(60);
        stand.push(tag, 10)?;
        let (same, cost) = stand.found(&semver).await?;
        assert_eq!((tags(&same), cost), (tags(&first), 1 + 1), "{tag}");
    }
    // One of the best moves: whether another were better now only the whole list can tell.
    stand.clock.advance(60);
    stand.push("1.1024.1998", 10)?;
    let (moved, cost) = stand.found(&semver).await?;
    assert_eq!(tags(&moved), tags(&first));
    assert!(moved.taken[1].digest != first.taken[1].digest);
    assert_eq!(cost, 1 + 1 + whole + IMAGE);
    // One of the best is gone, which no row says: it is seen within the hour, whatever is pushed meanwhile.
    assert!(stand.google.delete(PROJECT, "web", "1.1024.1999"));
    stand.clock.advance(60);
    stand.push("2.0.0", 10)?;
    let (pushed, cost) = stand.found(&semver).await?;
    assert_eq!(tags(&pushed), ["2.0.0", "1.1024.1999", "1.1024.1998"]);
    assert_eq!(cost, 1 + 1 + IMAGE);
    stand.clock.advance(3_600);
    let (anew, cost) = stand.found(&semver).await?;
    assert_eq!(tags(&anew), ["2.0.0", "1.1024.1998", "1.1024.1997"]);
    assert_eq!(cost, 1 + whole);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_image_is_missed_at_the_next_look_once_it_is_deleted() -> Result<()> {
    let stand = Stand::open("[{name: web, generate: {tags: 25000}}]").await?;
    let mut semver = by(ImageSelectionStrategy::SemVer);
    semver.discovery_limit = 3;
    let whole = 3;
    let (first, _) = stand.found(&semver).await?;
    for (best, meanwhile) in [("2.0.0", None), ("3.0.0", Some("0.1.0"))] {
        stand.clock.advance(60);
        stand.push(best, 10)?;
        assert_eq!(tags(&stand.found(&semver).await?.0)[0], best);
        assert!(stand.google.delete(PROJECT, "web", best));
        stand.clock.advance(60);
        // Another row may be the newest, or one that was there before.
        meanwhile.map_or(Ok(()), |tag| stand.push(tag, 10))?;
        let (without, cost) = stand.found(&semver).await?;
        assert_eq!(tags(&without), tags(&first), "{best}");
        assert_eq!(cost, 1 + 1 + whole, "{best}");
        assert_eq!(stand.found(&semver).await?, (without, 1), "{best}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_comes_late_is_seen_with_the_next_push() -> Result<()> {
    let stand = Stand::open("[{name: web, generate: {tags: 25000}}]").await?;
    let mut semver = by(ImageSelectionStrategy::SemVer);
    semver.discovery_limit = 3;
    let (first, _) = stand.found(&semver).await?;
    stand.clock.advance(60);
    stand.push("0.1.0", 10)?;
    assert_eq!(tags(&stand.found(&semver).await?.0), tags(&first));
    // Its time is half a minute before that of the row that is the newest.
    stand.push_late("2.0.0", 30)?;
    let (same, cost) = stand.found(&semver).await?;
    assert_eq!((tags(&same), cost), (tags(&first), 1));
    stand.clock.advance(60);
    stand.push("0.2.0", 10)?;
    let (found, cost) = stand.found(&semver).await?;
    assert_eq!((tags(&found)[0], cost), ("2.0.0", 1 + 1 + IMAGE));
    assert_eq!(tags(&found)[1..], tags(&first)[..2]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_tags_that_have_not_changed_cost_one_request_also_without_a_token()
-> Result<()> {
    let stand = Stand::open("[{name: web, generate: {tags: 10000}}]").await?;
    stand.google.let_read("allUsers", PROJECT)?;
    let (first, cost) = stand.found_by_anyone(&newest()).await?;
    assert_eq!(tags(&first)[0], "1.1009.1999");
    // A full page does not say that it is the last; that Google links pages is found out once.
    assert_eq!(cost, TOKEN + 1 + 1 + IMAGE * LIMIT);
    let (again, cost) = stand.found_by_anyone(&newest()).await?;
    assert_eq!((again, cost), (first, 1));
    stand.push("2.0.0", 10)?;
    let (pushed, cost) = stand.found_by_anyone(&newest()).await?;
    assert_eq!((tags(&pushed)[0], cost), ("2.0.0", 2 + IMAGE));

    // Where pages are not linked, every full one has to be asked for more.
    let stand = Stand::open("[{name: web, generate: {tags: 10000}}]").await?;
    stand.google.let_read("allUsers", PROJECT)?;
    stand.google.inject(Effect::TagsWithoutLink.on(REGISTRY));
    let (first, cost) = stand.found_by_anyone(&newest()).await?;
    assert_eq!(cost, TOKEN + 1 + 1 + 1 + IMAGE * LIMIT);
    let (again, cost) = stand.found_by_anyone(&newest()).await?;
    assert_eq!((again, cost), (first, 2));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn images_of_an_index_that_no_list_names_cost_one_request_each() -> Result<()> {
    let stand = Stand::open(
        "[{name: web, tags: [latest], built: '2026-01-05T00:00:00Z', uploaded: '2026-01-05T00:05:00Z', \
         platforms: [linux/amd64, linux/arm64, linux/s390x]}]",
    )
    .await?;
    // The tag is asked for, and nothing is listed.
    let mut latest = by(ImageSelectionStrategy::Digest);
    latest.constraint = "latest".to_owned();
    let (found, cost) = stand.found(&latest).await?;
    let built = found.taken[0].created_at.map(|it| it.to_string());
    assert_eq!(built.as_deref(), Some("2026-01-05T00:00:00Z"));
    // The index, each of its images, and the manifest of the latest, whose annotations would go first.
    assert_eq!(cost, 1 + 3 + 1);
    assert!(cost <= IMAGE + 3);
    assert_eq!(stand.versions_asked(), 3);
    assert_eq!(stand.found(&latest).await?.1, 1);

    // Where the API is refused, every image is read.
    let stand = Stand::open(
        "[{name: web, tags: [latest], built: '2026-01-05T00:00:00Z', platforms: [linux/amd64, linux/arm64]}]",
    )
    .await?;
    stand.refuse_versions(Effect::Unavailable);
    let (found, _) = stand.found(&latest).await?;
    let built = found.taken[0].created_at.map(|it| it.to_string());
    assert_eq!(built.as_deref(), Some("2026-01-05T00:00:00Z"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_row_cannot_show_is_seen_within_the_hour() -> Result<()> {
    let stand = Stand::open("[{name: web, generate: {tags: 12000}}]").await?;
    let (first, _) = stand.found(&newest()).await?;
    assert_eq!(tags(&first)[..2], ["1.1011.1999", "1.1011.1998"]);
    assert!(stand.google.delete(PROJECT, "web", "1.1011.1998"));
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

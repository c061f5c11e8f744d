//! Which time makes an image the newest, and what is remarked of it.

use anyhow::Result;
use domain::selection::NewestBuildBy;
use resources::subscription::ImageSelectionStrategy;

use crate::stand::{Stand, by, newest, tags};

#[tokio::test(flavor = "multi_thread")]
async fn reproducible_builds_are_told_apart_by_their_upload() -> Result<()> {
    let one_time = "[{name: web, generate: {tags: 50, built: 2023-05-01T00:00:00Z}}]";
    let stand = Stand::open(one_time).await?;
    let (found, _) = stand.found(&newest()).await?;
    assert_eq!(tags(&found)[..2], ["1.1000.1049", "1.1000.1048"]);
    let remark = &found.remarks[0];
    assert_eq!(remark.reason(), "BuildTimesEqual");
    assert!(
        remark.to_string().contains("2023-05-01T00:00:00Z"),
        "{remark}"
    );

    let no_time = "[{name: web, generate: {tags: 50, built: 1970-01-01T00:00:00Z}}]";
    let stand = Stand::open(no_time).await?;
    let (found, _) = stand.found(&newest()).await?;
    assert_eq!(tags(&found)[..2], ["1.1000.1049", "1.1000.1048"]);
    let reasons: Vec<_> = found
        .remarks
        .iter()
        .map(domain::selection::Remark::reason)
        .collect();
    assert_eq!(reasons, ["UploadTimeUsed"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_whose_images_name_no_time_has_none() -> Result<()> {
    let no_time = "[{name: web, tags: [latest], built: 0001-01-01T00:00:00Z, uploaded: 2026-01-05T00:00:00Z, \
                     platforms: [linux/amd64, linux/arm64]}]";
    let stand = Stand::open(no_time).await?;
    let mut latest = by(ImageSelectionStrategy::Digest);
    latest.constraint = "latest".to_owned();
    let (found, _) = stand.found(&latest).await?;
    assert_eq!(found.taken[0].created_at, None);
    assert_eq!(stand.versions_asked(), 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_of_upload_counts_where_it_is_asked_for() -> Result<()> {
    let images = "[{name: web, tags: [built-last], built: 2026-01-03T00:00:00Z, uploaded: 2026-01-03T00:01:00Z}, \
                   {name: web, tags: [uploaded-last], built: 2026-01-01T00:00:00Z, uploaded: 2026-01-04T00:00:00Z}]";
    let mut stand = Stand::open(images).await?;
    let (found, _) = stand.found(&newest()).await?;
    assert_eq!(tags(&found), ["built-last", "uploaded-last"]);
    assert_eq!(found.remarks, []);
    stand.newest_build_by = NewestBuildBy::Uploaded;
    let (found, cost) = stand.found(&newest()).await?;
    assert_eq!(tags(&found), ["uploaded-last", "built-last"]);
    assert_eq!(cost, 1);
    Ok(())
}

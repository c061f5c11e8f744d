//! Freight moves on by itself where policies let it, and holds keep it back.

use anyhow::Result;
use resources::PromotionPhase;
use resources::names::annotation;

use scenarios::{Harbour, direct, failing, harmless, upstream};

#[tokio::test(flavor = "multi_thread")]
async fn freight_goes_from_stage_to_stage_by_itself() -> Result<()> {
    let harbour = Harbour::open().await?;
    harbour.auto_promote(&["test", "uat", "prod"]).await?;
    harbour.stage("test", direct(), harmless()).await?;
    harbour
        .stage("uat", upstream(&["test"]), harmless())
        .await?;
    harbour
        .stage("prod", upstream(&["uat"]), harmless())
        .await?;
    let freight = harbour.freight("1.0.0").await?;
    for stage in ["test", "uat", "prod"] {
        harbour.holds(stage, &freight).await?;
    }
    let newer = harbour.freight("1.1.0").await?;
    harbour.holds("prod", &newer).await?;
    harbour.settle().await?;
    for stage in ["test", "uat", "prod"] {
        let promotions = harbour.promotions(stage).await?;
        assert_eq!(
            promotions.len(),
            2,
            "{stage}: each Freight is promoted once"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_policy_freight_stays_where_it_is() -> Result<()> {
    let harbour = Harbour::open().await?;
    harbour.auto_promote(&["test"]).await?;
    harbour.stage("test", direct(), harmless()).await?;
    harbour
        .stage("uat", upstream(&["test"]), harmless())
        .await?;
    let freight = harbour.freight("1.0.0").await?;
    harbour.holds("test", &freight).await?;
    harbour.settle().await?;
    assert!(harbour.promotions("uat").await?.is_empty());
    // A policy that comes later is in force at once.
    harbour.auto_promote(&["test", "uat"]).await?;
    harbour.holds("uat", &freight).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_is_not_tried_again_by_itself() -> Result<()> {
    let harbour = Harbour::open().await?;
    harbour.auto_promote(&["test"]).await?;
    harbour.stage("test", direct(), failing()).await?;
    harbour.freight("1.0.0").await?;
    harbour
        .stage_until("test", "its promotion failed", |it| {
            it.last_promotion().is_some()
        })
        .await?;
    harbour
        .annotate::<resources::Stage>("test", annotation::REFRESH, "1")
        .await?;
    harbour
        .stage_until("test", "the refresh was handled", |it| {
            it.status
                .as_ref()
                .is_some_and(|it| it.last_handled_refresh == "1")
        })
        .await?;
    harbour.settle().await?;
    assert_eq!(harbour.promotions("test").await?.len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn promoting_something_older_holds_the_newest_back_until_it_is_promoted_by_hand() -> Result<()>
{
    let harbour = Harbour::open().await?;
    harbour.stage("test", direct(), harmless()).await?;
    let older = harbour.freight("1.0.0").await?;
    let newer = harbour.freight("1.1.0").await?;
    harbour.auto_promote(&["test"]).await?;
    harbour.holds("test", &newer).await?;

    harbour.promote("test", &older).await?;
    let stage = harbour.holds("test", &older).await?;
    let holds = stage.status.expect("it was looked at").auto_promotion_holds;
    assert_eq!(holds["Warehouse/main"].freight_name, older);
    let newest = harbour.freight("1.2.0").await?;
    harbour.settle().await?;
    let promotions = harbour.promotions("test").await?;
    assert!(promotions.iter().all(|it| it.spec.freight != newest));

    harbour.promote("test", &newest).await?;
    let stage = harbour.holds("test", &newest).await?;
    assert!(
        stage
            .status
            .expect("it was looked at")
            .auto_promotion_holds
            .is_empty()
    );
    let next = harbour.freight("1.3.0").await?;
    harbour.holds("test", &next).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn approval_lets_freight_skip_a_stage() -> Result<()> {
    let harbour = Harbour::open().await?;
    harbour.auto_promote(&["prod"]).await?;
    harbour
        .stage("prod", upstream(&["uat"]), harmless())
        .await?;
    let freight = harbour.freight("1.0.0").await?;
    harbour.settle().await?;
    assert!(harbour.promotions("prod").await?.is_empty());
    harbour.approve(&freight, "prod").await?;
    harbour.holds("prod", &freight).await?;
    let promotions = harbour.promotions("prod").await?;
    assert_eq!(promotions[0].phase(), Some(&PromotionPhase::Succeeded));
    Ok(())
}

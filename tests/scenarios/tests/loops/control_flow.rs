//! Stages without steps pass Freight on.

use anyhow::Result;
use resources::Stage;
use resources::names::annotation;
use serde_json::json;

use scenarios::{Harbour, direct, harmless, upstream};

#[tokio::test(flavor = "multi_thread")]
async fn freight_goes_through_a_stage_without_steps() -> Result<()> {
    let harbour = Harbour::open().await?;
    harbour.auto_promote(&["prod"]).await?;
    harbour.stage("gate", direct(), json!([])).await?;
    harbour
        .stage("prod", upstream(&["gate"]), harmless())
        .await?;
    let freight = harbour.freight("1.0.0").await?;
    harbour.holds("prod", &freight).await?;
    let stage = harbour
        .stage_until("gate", "it is ready", |it| it.status.is_some())
        .await?;
    assert_eq!(
        stage.status.expect("it was looked at").freight_summary,
        "N/A"
    );
    assert!(harbour.promotions("gate").await?.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn freight_soaks_before_a_stage_without_steps_passes_it_on() -> Result<()> {
    let harbour = Harbour::open().await?;
    harbour.auto_promote(&["test"]).await?;
    harbour.stage("test", direct(), harmless()).await?;
    harbour
        .stage(
            "gate",
            json!({"stages": ["test"], "requiredSoakTime": "10m"}),
            json!([]),
        )
        .await?;
    let freight = harbour.freight("1.0.0").await?;
    harbour.holds("test", &freight).await?;
    harbour.settle().await?;
    assert!(
        !harbour
            .api::<resources::Freight>()
            .get(&freight)
            .await?
            .is_verified_in("gate")
    );
    harbour.clock.advance(601);
    harbour
        .annotate::<Stage>("gate", annotation::REFRESH, "later")
        .await?;
    harbour
        .freight_until(&freight, "it is passed on", |it| it.is_verified_in("gate"))
        .await?;
    Ok(())
}

//! Soak times, with a clock that the test moves.

use anyhow::Result;
use resources::Stage;
use resources::names::annotation;
use serde_json::json;

use scenarios::{Harbour, direct, harmless};

#[tokio::test(flavor = "multi_thread")]
async fn freight_soaks_before_it_goes_on() -> Result<()> {
    let harbour = Harbour::open().await?;
    harbour.auto_promote(&["test", "prod"]).await?;
    harbour.stage("test", direct(), harmless()).await?;
    harbour
        .stage(
            "prod",
            json!({"stages": ["test"], "requiredSoakTime": "1h"}),
            harmless(),
        )
        .await?;
    let freight = harbour.freight("1.0.0").await?;
    harbour
        .freight_until(&freight, "it is verified in test", |it| {
            it.is_verified_in("test")
        })
        .await?;
    harbour.settle().await?;
    assert!(harbour.promotions("prod").await?.is_empty());

    harbour.clock.advance(3_601);
    harbour
        .annotate::<Stage>("prod", annotation::REFRESH, "an hour later")
        .await?;
    harbour.holds("prod", &freight).await?;
    Ok(())
}

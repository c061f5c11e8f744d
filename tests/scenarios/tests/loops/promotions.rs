//! Promotions: their turn, their end, aborts, restarts.

use std::net::TcpListener;
use std::time::Instant;

use anyhow::Result;
use k8s_openapi::api::core::v1::Event;
use kube::api::{DeleteParams, ListParams};
use resources::names::annotation;
use resources::{Promotion, PromotionPhase, StepStatus};
use serde_json::{Value, json};

use scenarios::{Harbour, PROJECT, direct, failing, harmless, upstream};

#[tokio::test(flavor = "multi_thread")]
async fn a_promotion_brings_freight_into_the_stage() -> Result<()> {
    let harbour = Harbour::open().await?;
    harbour.stage("test", direct(), harmless()).await?;
    let freight = harbour.freight("1.0.0").await?;
    let promotion = harbour.promote("test", &freight).await?;

    let promotion = harbour.phase(&promotion, PromotionPhase::Succeeded).await?;
    let status = promotion.status.expect("it ended");
    assert_eq!(
        status.state.expect("it has outputs")["note"]["tag"],
        json!("1.0.0")
    );
    assert!(status.started_at.is_some() && status.finished_at.is_some());

    let stage = harbour.holds("test", &freight).await?;
    let status = stage.status.expect("it was looked at");
    assert_eq!(status.freight_summary, freight);
    assert_eq!(
        status.last_promotion.map(|it| it.name),
        promotion.metadata.name
    );
    assert!(status.current_promotion.is_none());
    harbour
        .freight_until(&freight, "it is in test and verified there", |it| {
            it.is_currently_in("test") && it.is_verified_in("test")
        })
        .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn promotions_of_a_stage_run_one_after_the_other_in_the_order_of_creation() -> Result<()> {
    let harbour = Harbour::open().await?;
    harbour.stage("test", direct(), harmless()).await?;
    let mut freight = Vec::new();
    for tag in ["1.0.0", "1.1.0", "1.2.0"] {
        freight.push(harbour.freight(tag).await?);
    }
    for it in &freight {
        harbour.promote("test", it).await?;
    }
    let stage = harbour.holds("test", &freight[2]).await?;
    let history = stage.status.expect("it was looked at").freight_history;
    let names: Vec<_> = history
        .iter()
        .flat_map(|it| it.references().map(|it| it.name.clone()))
        .collect();
    assert_eq!(
        names,
        [freight[2].clone(), freight[1].clone(), freight[0].clone()]
    );
    harbour
        .freight_until(&freight[0], "it has left", |it| !it.is_currently_in("test"))
        .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promotion_that_fails_leaves_the_stage_as_it_was() -> Result<()> {
    let harbour = Harbour::open().await?;
    harbour.stage("test", direct(), failing()).await?;
    let freight = harbour.freight("1.0.0").await?;
    let promotion = harbour.promote("test", &freight).await?;
    harbour.phase(&promotion, PromotionPhase::Failed).await?;
    let stage = harbour
        .stage_until("test", "it tells of the failure", |it| {
            it.last_promotion().is_some_and(|it| it.name == promotion)
        })
        .await?;
    let status = stage.status.expect("it was looked at");
    assert!(status.freight_history.is_empty());
    let ready = resources::condition::find(&status.conditions, "Ready").expect("it is set");
    assert_eq!(
        (ready.status.as_str(), ready.reason.as_str()),
        ("False", "LastPromotionFailed")
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn freight_that_is_no_longer_available_when_its_turn_comes_is_not_promoted() -> Result<()> {
    let mut harbour = Harbour::open().await?;
    harbour
        .stage("prod", upstream(&["uat"]), harmless())
        .await?;
    let freight = harbour.freight("1.0.0").await?;
    harbour
        .promote("prod", &freight)
        .await
        .expect_err("it is not available");
    harbour.approve(&freight, "prod").await?;
    harbour.stop().await?;
    let promotion = harbour.promote("prod", &freight).await?;
    harbour.disapprove(&freight, "prod").await?;
    harbour.start().await?;
    let promotion = harbour.phase(&promotion, PromotionPhase::Errored).await?;
    let message = promotion.status.expect("it ended").message;
    assert!(message.contains("not available"), "{message}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promotion_that_waits_for_its_turn_can_be_aborted() -> Result<()> {
    let mut harbour = Harbour::open().await?;
    harbour.stage("test", direct(), harmless()).await?;
    let freight = harbour.freight("1.0.0").await?;
    harbour.stop().await?;
    let promotion = harbour.promote("test", &freight).await?;
    harbour
        .annotate::<Promotion>(&promotion, annotation::ABORT, "terminate")
        .await?;
    harbour.start().await?;
    let promotion = harbour.phase(&promotion, PromotionPhase::Aborted).await?;
    assert_eq!(
        promotion.status.expect("it ended").message,
        "Promotion terminated by kubernetes:admin"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_under_way_when_the_process_died_is_finished_by_the_next() -> Result<()> {
    let mut harbour = Harbour::open().await?;
    harbour.stage("test", direct(), harmless()).await?;
    for (tag, gentle) in [
        ("1.0.0", true),
        ("1.1.0", false),
        ("1.2.0", false),
        ("1.3.0", true),
    ] {
        let freight = harbour.freight(tag).await?;
        let promotion = harbour.promote("test", &freight).await?;
        if gentle {
            harbour.stop().await?;
        } else {
            harbour.kill().await;
        }
        harbour.start().await?;
        harbour.phase(&promotion, PromotionPhase::Succeeded).await?;
        harbour.holds("test", &freight).await?;
    }
    assert_eq!(harbour.promotions("test").await?.len(), 4);
    Ok(())
}

/// A Git host that takes connections and never answers.
fn silent_host() -> Result<(TcpListener, Value)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/acme/config.git", listener.local_addr()?);
    let clone = json!({"repoURL": url, "checkout": [{"branch": "main", "path": "./src"}]});
    Ok((
        listener,
        json!([{"uses": "git-clone", "as": "clone", "config": clone}]),
    ))
}

async fn started(harbour: &Harbour, promotion: &str) -> Result<()> {
    harbour
        .until("the step is under way", async || {
            let it: Promotion = harbour.api().get(promotion).await?;
            let steps = it
                .status
                .map(|it| it.step_execution_metadata)
                .unwrap_or_default();
            Ok(steps
                .first()
                .is_some_and(|it| it.status == Some(StepStatus::Running))
                .then_some(()))
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abort_stops_a_step_that_runs() -> Result<()> {
    let harbour = Harbour::open().await?;
    let (_host, steps) = silent_host()?;
    harbour.stage("test", direct(), steps).await?;
    let freight = harbour.freight("1.0.0").await?;
    let promotion = harbour.promote("test", &freight).await?;
    started(&harbour, &promotion).await?;
    harbour
        .annotate::<Promotion>(&promotion, annotation::ABORT, "terminate")
        .await?;
    let promotion = harbour.phase(&promotion, PromotionPhase::Aborted).await?;
    let status = promotion.status.expect("it ended");
    assert_eq!(
        status.step_execution_metadata[0].status,
        Some(StepStatus::Aborted)
    );
    assert!(status.finished_at.is_some());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_a_step_and_leaves_the_promotion_running() -> Result<()> {
    let mut harbour = Harbour::open().await?;
    let (_host, steps) = silent_host()?;
    harbour.stage("test", direct(), steps).await?;
    let freight = harbour.freight("1.0.0").await?;
    let name = harbour.promote("test", &freight).await?;
    started(&harbour, &name).await?;
    let before = Instant::now();
    harbour.stop().await?;
    assert!(before.elapsed().as_secs() < 5, "{:?}", before.elapsed());
    let promotion: Promotion = harbour.api().get(&name).await?;
    assert_eq!(promotion.phase(), Some(&PromotionPhase::Running));
    harbour.start().await?;
    started(&harbour, &name).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_promotion_left_on_disk_goes_with_it() -> Result<()> {
    let harbour = Harbour::open().await?;
    let (_host, steps) = silent_host()?;
    harbour.stage("test", direct(), steps).await?;
    let freight = harbour.freight("1.0.0").await?;
    let promotion = harbour.promote("test", &freight).await?;
    started(&harbour, &promotion).await?;
    assert_eq!(harbour.work_dirs(), 1);
    harbour
        .api::<Promotion>()
        .delete(&promotion, &DeleteParams::default())
        .await?;
    harbour
        .until("its files are gone", async || {
            Ok((harbour.work_dirs() == 0).then_some(()))
        })
        .await?;
    harbour
        .stage_until("test", "nothing is current", |it| {
            it.current_promotion().is_none()
        })
        .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_promotion_left_goes_also_if_nobody_looked_when_it_went() -> Result<()> {
    let mut harbour = Harbour::open().await?;
    let (_host, steps) = silent_host()?;
    harbour.stage("test", direct(), steps).await?;
    let freight = harbour.freight("1.0.0").await?;
    let promotion = harbour.promote("test", &freight).await?;
    started(&harbour, &promotion).await?;
    harbour.stop().await?;
    assert_eq!(harbour.work_dirs(), 1);
    harbour
        .api::<Promotion>()
        .delete(&promotion, &DeleteParams::default())
        .await?;
    harbour.start().await?;
    harbour
        .until("its files are gone", async || {
            Ok((harbour.work_dirs() == 0).then_some(()))
        })
        .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn how_a_promotion_ended_is_told_in_an_event() -> Result<()> {
    let harbour = Harbour::open().await?;
    harbour.auto_promote(&["test"]).await?;
    harbour.stage("test", direct(), harmless()).await?;
    let freight = harbour.freight("1.0.0").await?;
    harbour.holds("test", &freight).await?;
    let reasons = [
        "PromotionCreated",
        "PromotionSucceeded",
        "FreightVerificationSucceeded",
    ];
    let events = harbour
        .until("all Events are there", async || {
            let mut events = harbour
                .api::<Event>()
                .list(&ListParams::default())
                .await?
                .items;
            events.retain(|it| reasons.contains(&it.reason.as_deref().unwrap_or_default()));
            Ok((events.len() == reasons.len()).then_some(events))
        })
        .await?;
    for event in events {
        let annotations = event.metadata.annotations.clone().unwrap_or_default();
        let value = |key: &str| annotations[&format!("event.kargo.akuity.io/{key}")].clone();
        assert_eq!(
            (value("project").as_str(), value("stage-name").as_str()),
            (PROJECT, "test")
        );
        assert_eq!(value("freight-name"), freight);
        assert!(value("actor").starts_with("controller:"), "{annotations:?}");
        assert!(value("freight-images").contains("1.0.0"));
    }
    Ok(())
}

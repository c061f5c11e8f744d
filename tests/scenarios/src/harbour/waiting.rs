//! Waiting until the loops have brought something about.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use kube::ResourceExt;
use resources::{Freight, Promotion, PromotionPhase, Stage};

use super::Harbour;

impl Harbour {
    /// Waits until a Stage is as `is` wants it.
    pub async fn stage_until(
        &self,
        name: &str,
        what: &str,
        is: impl Fn(&Stage) -> bool,
    ) -> Result<Stage> {
        let what = format!("Stage {name:?}: {what}");
        let found = self
            .until(&what, async || {
                Ok(Some(self.api::<Stage>().get(name).await?).filter(&is))
            })
            .await;
        match found {
            Ok(stage) => Ok(stage),
            Err(error) => {
                let last = self.api::<Stage>().get(name).await?.status;
                let promotions = self.promotions(name).await?;
                let promotions: Vec<_> = promotions.into_iter().map(|it| it.status).collect();
                Err(error.context(format!("it is {last:?} with {promotions:?}")))
            }
        }
    }

    /// Waits until a Stage holds Freight and says that it is verified.
    pub async fn holds(&self, stage: &str, freight: &str) -> Result<Stage> {
        let what = format!("it holds {freight} verified");
        self.stage_until(stage, &what, |it| {
            let here = it.current_freight().is_some_and(|it| it.includes(freight));
            let conditions = it.status.as_ref().map_or(&[][..], |it| &it.conditions);
            here && resources::condition::is_true(conditions, "Ready")
        })
        .await
    }

    /// Waits until Freight is as `is` wants it.
    pub async fn freight_until(
        &self,
        name: &str,
        what: &str,
        is: impl Fn(&Freight) -> bool,
    ) -> Result<Freight> {
        self.until(what, async || {
            Ok(Some(self.api::<Freight>().get(name).await?).filter(&is))
        })
        .await
    }

    /// Waits until a Promotion is in a phase.
    pub async fn phase(&self, promotion: &str, phase: PromotionPhase) -> Result<Promotion> {
        let what = format!("Promotion {promotion} is {phase}");
        self.until(&what, async || {
            let it: Promotion = self.api().get(promotion).await?;
            if it.is_terminal() && it.phase() != Some(&phase) {
                bail!(
                    "it is {:?}: {:?}",
                    it.phase(),
                    it.status.as_ref().map(|it| &it.message)
                );
            }
            Ok(Some(it).filter(|it| it.phase() == Some(&phase)))
        })
        .await
    }

    /// Lists the Promotions of a Stage, oldest first.
    pub async fn promotions(&self, stage: &str) -> Result<Vec<Promotion>> {
        let mut found: Vec<Promotion> = self
            .api::<Promotion>()
            .list(&kube::api::ListParams::default())
            .await?
            .items;
        found.retain(|it| it.spec.stage == stage);
        found.sort_by_key(ResourceExt::name_any);
        Ok(found)
    }

    /// Lets the loops come to rest: whatever they would do at once has been done.
    pub async fn settle(&self) -> Result<()> {
        let mut quiet = 0;
        let mut before = String::new();
        while quiet < 10 {
            tokio::time::sleep(Duration::from_millis(30)).await;
            let now = self
                .api::<Promotion>()
                .list(&kube::api::ListParams::default())
                .await?
                .metadata
                .resource_version;
            let now = now.context("a list has a resource version")?;
            quiet = if now == before { quiet + 1 } else { 0 };
            before = now;
        }
        Ok(())
    }

    /// Asks again until there is an answer.
    pub async fn until<T>(
        &self,
        what: &str,
        ask: impl AsyncFn() -> Result<Option<T>>,
    ) -> Result<T> {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(answer) = ask().await.with_context(|| what.to_owned())? {
                return Ok(answer);
            }
            if tokio::time::Instant::now() > deadline {
                bail!("{what}: did not happen in time");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

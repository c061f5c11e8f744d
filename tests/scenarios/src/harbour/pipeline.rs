//! What people create and say: Stages, Freight, Promotions, policies.

use anyhow::Result;
use kube::ResourceExt;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use resources::{Freight, Promotion, Stage};
use serde_json::{Value, json};

use super::{Harbour, PROJECT, REPOSITORY};
use crate::admission;

impl Harbour {
    /// Creates a Stage that takes Freight of the Warehouse `main`.
    pub async fn stage(&self, name: &str, sources: Value, steps: Value) -> Result<Stage> {
        self.stage_of(name, "main", sources, steps).await
    }

    /// Creates a Stage that takes Freight of a Warehouse.
    pub async fn stage_of(
        &self,
        name: &str,
        warehouse: &str,
        sources: Value,
        steps: Value,
    ) -> Result<Stage> {
        let stage = json!({
            "metadata": {"name": name},
            "spec": {
                "requestedFreight": [{"origin": {"kind": "Warehouse", "name": warehouse}, "sources": sources}],
                "promotionTemplate": {"spec": {"steps": steps}},
            },
        });
        Ok(self
            .api()
            .create(&PostParams::default(), &serde_json::from_value(stage)?)
            .await?)
    }

    /// Lets the Stages whose names are given promote by themselves.
    pub async fn auto_promote(&self, stages: &[&str]) -> Result<()> {
        let policies: Vec<_> = stages
            .iter()
            .map(|it| json!({"stageSelector": {"name": it}, "autoPromotionEnabled": true}))
            .collect();
        let config = json!({
            "apiVersion": "kargo.akuity.io/v1alpha1",
            "kind": "ProjectConfig",
            "metadata": {"name": PROJECT, "namespace": PROJECT},
            "spec": {"promotionPolicies": policies},
        });
        let parameters = PatchParams::apply("test").force();
        self.api::<resources::ProjectConfig>()
            .patch(PROJECT, &parameters, &Patch::Apply(config))
            .await?;
        Ok(())
    }

    /// Creates Freight with one image.
    pub async fn freight(&self, tag: &str) -> Result<String> {
        let freight: Freight = serde_json::from_value(json!({
            "metadata": {"generateName": "freight-"},
            "origin": {"kind": "Warehouse", "name": "main"},
            "images": [{"repoURL": REPOSITORY, "tag": tag, "digest": "sha256:1"}],
        }))?;
        let created: Freight = self.api().create(&PostParams::default(), &freight).await?;
        admission::indexed(&self.world, &self.index, &created).await?;
        self.clock.advance(1);
        Ok(created.name_any())
    }

    /// Asks for a Promotion, as a person does.
    pub async fn promote(&self, stage: &str, freight: &str) -> Result<String> {
        let promotion = json!({
            "metadata": {"generateName": "promo-"},
            "spec": {"stage": stage, "freight": freight, "steps": []},
        });
        let promotion: Promotion = serde_json::from_value(promotion)?;
        Ok(self
            .api()
            .create(&PostParams::default(), &promotion)
            .await?
            .name_any())
    }

    pub async fn annotate<K>(&self, name: &str, key: &str, value: &str) -> Result<()>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>
            + Clone
            + serde::de::DeserializeOwned
            + std::fmt::Debug,
    {
        let patch = Patch::Merge(json!({"metadata": {"annotations": {key: value}}}));
        self.api::<K>()
            .patch(name, &PatchParams::default(), &patch)
            .await?;
        Ok(())
    }

    /// Approves Freight for a Stage.
    pub async fn approve(&self, freight: &str, stage: &str) -> Result<()> {
        let patch = Patch::Merge(
            json!({"status": {"approvedFor": {stage: {"approvedAt": self.clock.now().to_string()}}}}),
        );
        self.api::<Freight>()
            .patch_status(freight, &PatchParams::default(), &patch)
            .await?;
        Ok(())
    }

    /// Takes an approval back.
    pub async fn disapprove(&self, freight: &str, stage: &str) -> Result<()> {
        let patch = Patch::Merge(json!({"status": {"approvedFor": {stage: null}}}));
        self.api::<Freight>()
            .patch_status(freight, &PatchParams::default(), &patch)
            .await?;
        Ok(())
    }

    pub async fn delete_stage(&self, name: &str) -> Result<()> {
        self.api::<Stage>()
            .delete(name, &DeleteParams::default())
            .await?;
        Ok(())
    }
}

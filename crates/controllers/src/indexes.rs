//! Every index the loops look things up by, in one table per kind, and what the stores forget to stay small.

use k8s_openapi::api::core::v1::Namespace;
use resources::{Freight, Project, ProjectConfig, Promotion, Stage, Warehouse};

use crate::indexed_store::{Indexed, Values};

/// Names an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum By {
    /// Freight by the Warehouse it came from.
    Warehouse,
    /// Freight by the Stages it is in.
    CurrentlyIn,
    /// Freight by the Stages it was verified in.
    VerifiedIn,
    /// Freight by the Stages it was approved for.
    ApprovedFor,
    /// Freight by its alias.
    Alias,
    /// Promotions by their Stage.
    Stage,
    /// Stages by the Stages they take Freight from.
    UpstreamStage,
    /// Stages by the Warehouses they take Freight from directly.
    DirectWarehouse,
}

impl Indexed for Freight {
    const INDEXES: &'static [(By, Values<Self>)] = &[
        (By::Warehouse, |it| vec![it.origin.name.clone()]),
        (By::CurrentlyIn, |it| {
            it.status
                .iter()
                .flat_map(|it| it.currently_in.keys().cloned())
                .collect()
        }),
        (By::VerifiedIn, |it| {
            it.status
                .iter()
                .flat_map(|it| it.verified_in.keys().cloned())
                .collect()
        }),
        (By::ApprovedFor, |it| {
            it.status
                .iter()
                .flat_map(|it| it.approved_for.keys().cloned())
                .collect()
        }),
        (By::Alias, |it| {
            Some(&it.alias)
                .filter(|it| !it.is_empty())
                .cloned()
                .into_iter()
                .collect()
        }),
    ];

    /// Decisions ask where Freight is, not what it holds.
    fn shrink(&mut self) {
        self.commits = Vec::new();
        self.images = Vec::new();
        self.charts = Vec::new();
        self.artifacts = Vec::new();
        self.metadata.annotations = None;
        if let Some(status) = &mut self.status {
            status.metadata.clear();
        }
    }

    /// Freight is found oldest first.
    fn rank(&self) -> i64 {
        domain::availability::age(self).0.as_microsecond()
    }
}

impl Indexed for Promotion {
    const INDEXES: &'static [(By, Values<Self>)] = &[(By::Stage, |it| vec![it.spec.stage.clone()])];

    /// Steps and outputs are read anew when they are needed.
    fn shrink(&mut self) {
        self.spec.steps = Vec::new();
        self.spec.vars = Vec::new();
        if let Some(status) = &mut self.status {
            status.state = None;
            status.freight = None;
            status.freight_collection = None;
            status.health_checks = Vec::new();
            status.step_execution_metadata = Vec::new();
        }
    }
}

impl Indexed for Stage {
    const INDEXES: &'static [(By, Values<Self>)] = &[
        (By::UpstreamStage, |it| {
            it.spec
                .requested_freight
                .iter()
                .flat_map(|it| it.sources.stages.iter().cloned())
                .collect()
        }),
        (By::DirectWarehouse, |it| {
            let direct = it
                .spec
                .requested_freight
                .iter()
                .filter(|it| it.sources.direct);
            direct.map(|it| it.origin.name.clone()).collect()
        }),
    ];
}

impl Indexed for Warehouse {
    const INDEXES: &'static [(By, Values<Self>)] = &[];
}

impl Indexed for Project {
    const INDEXES: &'static [(By, Values<Self>)] = &[];
}

impl Indexed for ProjectConfig {
    const INDEXES: &'static [(By, Values<Self>)] = &[];
}

impl Indexed for Namespace {
    const INDEXES: &'static [(By, Values<Self>)] = &[];
}

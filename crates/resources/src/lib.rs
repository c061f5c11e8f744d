//! What is on the wire: the kinds of `kargo.akuity.io/v1alpha1`, their labels and conditions.
//!
//! | Kind | File | Refers to |
//! | --- | --- | --- |
//! | [`Project`] | `project.rs` | the namespace of its name |
//! | [`ProjectConfig`], [`ClusterConfig`] | `config.rs` | Stages by name or label |
//! | [`Warehouse`] | `warehouse.rs` | repositories to watch |
//! | [`Freight`] | `freight.rs` | the Warehouse it came from |
//! | [`Stage`] | `stage.rs` | Warehouses and upstream Stages, tasks, templates of analyses |
//! | [`Promotion`] | `promotion.rs` | one Stage and one Freight |
//! | [`PromotionRequest`], [`Target`] | `promotion_request.rs`, `target.rs` | a Stage with targets |
//! | [`PromotionTask`], [`ClusterPromotionTask`] | `task.rs` | steps |
//!
//! The CRD manifests are the source of every field; these types are written by hand after them. A field the schema lets be
//! absent is left out when it is empty, so what a type writes always passes its schema.

pub mod collection;
pub mod condition;
pub mod config;
mod crds;
pub mod duration;
pub mod freight;
pub mod health;
mod kind;
pub mod names;
pub mod project;
pub mod promotion;
pub mod promotion_request;
pub mod receiver;
pub mod request;
pub mod stage;
pub mod step;
pub mod subscription;
pub mod target;
pub mod task;
pub mod url;
pub mod verification;
pub mod warehouse;
mod wire;

pub use collection::{FreightCollection, FreightReference};
pub use config::{
    AutoRollback, ClusterConfig, ClusterConfigSpec, ConfigStatus, DeepLink, GitClient,
    NameAndLabelSelector, ProjectConfig, ProjectConfigSpec, PromotionPolicy, PromotionWindow,
    SecretReference, WindowKind,
};
pub use crds::crds;
pub use duration::Duration;
pub use freight::{
    ApprovedStage, ArtifactReference, Chart, CurrentStage, Freight, FreightOrigin, FreightStatus,
    GitCommit, Image, OriginKind, VerifiedStage,
};
pub use health::{Health, HealthState};
pub use kind::{GROUP, VERSION};
pub use project::{Project, ProjectStatus};
pub use promotion::{
    HealthCheck, Promotion, PromotionPhase, PromotionSpec, PromotionStatus, StepExecution,
    StepStatus,
};
pub use promotion_request::{PromotionRequest, PromotionRequestSpec, PromotionRequestStatus};
pub use receiver::WebhookReceiver;
pub use stage::{
    AutoPromotionHold, AvailabilityStrategy, FreightRequest, FreightSources, PromotionReference,
    PromotionTemplate, SelectionPolicy, Stage, StageSpec, StageStatus,
};
pub use step::{PromotionStep, StepRetry, TaskKind, TaskReference, Variable};
pub use subscription::{
    ChartSubscription, GitSubscription, ImageSubscription, RawSubscription, Subscription,
};
pub use target::{Target, TargetSpec, TargetStatus};
pub use task::{ClusterPromotionTask, PromotionTask, TaskSpec};
pub use verification::{AnalysisRunReference, Verification, VerificationPhase, VerificationRecord};
pub use warehouse::{
    DiscoveredArtifacts, DiscoveredChart, DiscoveredCommit, DiscoveredCommits, DiscoveredImage,
    DiscoveredImageReference, DiscoveredOther, FreightCreationPolicy, ObservedRefs, ObservedTag,
    Warehouse, WarehouseSpec, WarehouseStatus,
};

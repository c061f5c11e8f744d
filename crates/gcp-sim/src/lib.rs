//! Google Cloud on loopback. It shares no code with `gcp`, so that bugs cannot cancel out.
//!
//! A [`World`] says what there is. [`Simulator::start`] makes a [`Google`] of it and listens: a metadata server for each pod,
//! one listener for all REST APIs, Artifact Registry's Docker API, and an admin listener for faults. Every request is
//! judged by what the policies say at that moment; refusals are as exact as successes, and name where they were learned.
//!
//! ```text
//! listeners → wire (faults) → apis → service (which API?) → call (path, query, body) → iam_credentials, sts, …
//!                                                                  │
//!                       google: world + tokens + faults + clock ◄──┘   evaluate: may they?   refusal: no, because
//! ```

mod admin;
mod apis;
mod audit;
mod call;
mod cel;
mod clock;
mod cloud_asset;
mod condition;
mod container;
mod evaluate;
mod faults;
#[cfg(test)]
mod golden;
mod google;
mod iam;
mod iam_credentials;
mod keys;
mod listeners;
mod metadata;
mod oauth;
mod org_policy;
mod policies;
mod policy;
mod policy_analyzer;
mod principal;
mod pubsub;
mod recommender;
mod refusal;
mod registry;
mod resource;
mod resource_manager;
mod roles;
mod service;
mod service_usage;
mod simulator;
mod sts;
mod tokens;
mod wire;
mod workload;
mod world;

pub use audit::Asked;
pub use cel::{Expression, UnknownCel};
pub use clock::Clock;
pub use condition::{Condition, UnknownExpression, Written};
pub use faults::{Effect, Fault, NotReady, Occasion, PathPattern, Scope};
pub use google::{Caller, Google, NotInWorld};
pub use listeners::StartError;
pub use policy::{Binding, Policy};
pub use principal::{Federated, Principal};
pub use refusal::{ConsumerReason, Refusal};
pub use registry::Generate;
pub use resource::ResourceName;
pub use roles::CustomRole;
pub use simulator::{Options, Simulator};
pub use tokens::{Issued, PREFIX as TOKEN_PREFIX};
pub use workload::WorkloadToken;
pub use world::{
    Cluster, CustomConstraint, DenyRule, Folder, Key, KeyOrigin, ListValues, NoWrapper, NodePool,
    OidcToken, OrgPolicy, OrgPolicyRule, Organization, Pod, PoolProvider, Project, PushConfig,
    Repository, SeedImage, ServiceAccount, Subscription, Topic, WorkloadPool, World, WorldError,
};

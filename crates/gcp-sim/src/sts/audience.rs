//! What an exchange is for: a provider of a pool, or a cluster of a project's own pool.
//!
//! Source: <https://cloud.google.com/iam/docs/workload-identity-federation-with-kubernetes>

use std::collections::BTreeMap;

use serde_json::Value;

use super::refusal::ExchangeRefusal;
use crate::cel::Expression;
use crate::world::World;

/// Whom a token must come from, and what its claims become.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Target {
    pub(super) project_number: u64,
    pub(super) pool: String,
    pub(super) issuer: String,
    pub(super) audiences: Vec<String>,
    pub(super) keys: Keys,
    pub(super) mapping: Mapping,
}

/// Where the issuer's public keys are.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Keys {
    /// In the world.
    Given(Value),
    /// Behind a URL of a JWK set.
    At(String),
    /// Where the issuer's discovery document says.
    Discovered,
    /// The simulator signs for this cluster.
    Simulated,
}

/// How claims become a subject.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Mapping {
    /// `ns/NAMESPACE/sa/ACCOUNT`; the cluster's URL becomes an attribute.
    Cluster { url: String },
    /// As the provider says, for tokens of which its condition holds.
    Provider {
        attributes: BTreeMap<String, Expression>,
        condition: Option<Expression>,
    },
}

/// The project of the pool that an audience names, as far as the world has it.
pub(super) fn project(world: &World, audience: &str) -> Option<String> {
    let mut projects = world.projects.iter();
    let own = if let Some(rest) = audience.strip_prefix("identitynamespace:") {
        let (pool, _) = rest.split_once(':')?;
        projects.find(|it| it.cluster_pool() == pool)
    } else {
        let path = audience.strip_prefix("//iam.googleapis.com/projects/")?;
        let number = path.split('/').next()?;
        projects.find(|it| it.number.to_string() == number)
    };
    own.map(|project| project.id.clone())
}

impl Target {
    pub(super) fn find(world: &World, audience: &str) -> Result<Self, ExchangeRefusal> {
        if let Some(rest) = audience.strip_prefix("identitynamespace:") {
            let (pool, issuer) = rest
                .split_once(':')
                .ok_or_else(ExchangeRefusal::audience_malformed)?;
            return Self::cluster(world, pool, issuer).ok_or_else(ExchangeRefusal::target_invalid);
        }
        let path = audience
            .strip_prefix("//iam.googleapis.com/")
            .ok_or_else(ExchangeRefusal::audience_malformed)?;
        let parts: Vec<&str> = path.split('/').collect();
        match parts.as_slice() {
            [
                "projects",
                number,
                "locations",
                "global",
                "workloadIdentityPools",
                pool,
                "providers",
                provider,
            ] => Self::provider(world, path, [number, pool, provider])
                .ok_or_else(ExchangeRefusal::target_invalid),
            _ => Err(ExchangeRefusal::audience_malformed()),
        }
    }

    /// A cluster is named by its address, or by its issuer where that differs.
    fn cluster(world: &World, pool: &str, identity_provider: &str) -> Option<Self> {
        let project = world.projects.iter().find(|it| it.cluster_pool() == pool)?;
        let cluster = project.clusters.iter().find(|cluster| {
            let on = cluster.workload_identity || cluster.autopilot;
            on && (cluster.url(&project.id) == identity_provider
                || cluster.issuer == identity_provider)
        })?;
        let keys = match (&cluster.jwks, &cluster.jwks_url) {
            (Some(jwks), _) => Keys::Given(jwks.clone()),
            (None, Some(url)) => Keys::At(url.clone()),
            (None, None) => Keys::Simulated,
        };
        Some(Self {
            project_number: project.number,
            pool: pool.to_owned(),
            issuer: cluster.issuer.clone(),
            audiences: vec![pool.to_owned()],
            keys,
            mapping: Mapping::Cluster {
                url: cluster.url(&project.id),
            },
        })
    }

    fn provider(world: &World, path: &str, [number, pool, provider]: [&str; 3]) -> Option<Self> {
        let project = world
            .projects
            .iter()
            .find(|it| it.number.to_string() == number)?;
        let pool = project
            .workload_pools
            .iter()
            .find(|it| it.id == pool && !it.disabled)?;
        let provider = pool
            .providers
            .iter()
            .find(|it| it.id == provider && !it.disabled)?;
        let mut audiences = provider.allowed_audiences.clone();
        if audiences.is_empty() {
            audiences.push(format!("https://iam.googleapis.com/{path}"));
            audiences.push(format!("//iam.googleapis.com/{path}"));
        }
        let keys = match (&provider.jwks, &provider.jwks_url) {
            (Some(jwks), _) => Keys::Given(jwks.clone()),
            (None, Some(url)) => Keys::At(url.clone()),
            (None, None) => Keys::Discovered,
        };
        Some(Self {
            project_number: project.number,
            pool: pool.id.clone(),
            issuer: provider.issuer.clone(),
            audiences,
            keys,
            mapping: Mapping::Provider {
                attributes: provider.attribute_mapping.clone(),
                condition: provider.attribute_condition.clone(),
            },
        })
    }
}

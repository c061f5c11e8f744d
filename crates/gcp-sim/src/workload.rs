//! Tokens of Kubernetes' own service accounts, signed for clusters whose keys the world leaves to the simulator.

use jiff::SignedDuration;
use serde_json::json;

use crate::google::Google;

/// Whose token is wanted, and for whom it is meant.
#[derive(Debug, Clone, Copy)]
pub struct WorkloadToken<'a> {
    /// `acme-prod/europe-west1/main`: project, location and name.
    pub cluster: &'a str,
    pub namespace: &'a str,
    pub service_account: &'a str,
    /// What `aud` says: the pool, for an exchange at STS.
    pub audience: &'a str,
    pub lifetime: SignedDuration,
}

impl Google {
    /// Signs a token as the cluster's API server would; none for a cluster that the world does not have.
    ///
    /// Source: <https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-tokens>
    pub fn workload_token(&self, wanted: &WorkloadToken<'_>) -> Option<String> {
        let WorkloadToken {
            cluster,
            namespace,
            service_account,
            audience,
            lifetime,
        } = *wanted;
        let mut parts = cluster.split('/');
        let (project, location, name) = (parts.next()?, parts.next()?, parts.next()?);
        let issuer = self.read(|world| {
            let (_, cluster) = world.cluster(project, location, name)?;
            Some(cluster.issuer.clone())
        })?;
        let now = self.now();
        let claims = json!({
            "iss": issuer, "sub": format!("system:serviceaccount:{namespace}:{service_account}"), "aud": [audience],
            "iat": now.as_second(), "nbf": now.as_second(), "exp": (now + lifetime).as_second(),
            "kubernetes.io": {
                "namespace": namespace,
                "serviceaccount": { "name": service_account, "uid": format!("uid-of-{namespace}-{service_account}") },
            },
        });
        Some(self.keys().clusters().sign_jwt(&claims))
    }
}

//! The next command to try, for each error.

use std::error::Error;
use std::iter::successors;

use super::{Absence, TokenError};
use crate::principal::{ACCOUNT_PREFIX, DEFAULT_COMPUTE, PROJECT_ACCOUNT};
use crate::setup::shell::quote;

impl TokenError {
    /// Says what to do next.
    pub fn hint(&self) -> String {
        match self {
            Self::Absent { account, why } => absent(account, *why),
            Self::Forbidden { caller, .. } if !may_be_granted(caller) => {
                "argosy gcp doctor".to_owned()
            }
            Self::Forbidden {
                account, caller, ..
            } => format!(
                "gcloud iam service-accounts add-iam-policy-binding {account} \
                 --role=roles/iam.workloadIdentityUser --member='{caller}'"
            ),
            Self::Unconfirmed { source, .. } => source.hint(),
            Self::ApiDisabled { service, project } => {
                format!("gcloud services enable {service} --project={project}")
            }
            Self::RateLimited { host, .. } => {
                format!("it is asked again by itself; see the quotas of {host} in the Google Cloud console")
            }
            Self::Unreachable { host, .. } | Self::Silent { host }
                if host.starts_with("metadata.google.internal") =>
            {
                "argosy gcp doctor; on a cluster outside Google: --gcp-credentials FILE, or --gcp-identity=off"
                    .to_owned()
            }
            Self::Unreachable { host, .. } | Self::Silent { host } => format!(
                "see whether network policies, DNS and firewalls let this Pod reach {host}: argosy gcp doctor"
            ),
            Self::Unavailable { .. } | Self::Abandoned => {
                "it is asked again by itself; see https://status.cloud.google.com if it lasts".to_owned()
            }
            Self::NotReady { .. } => {
                "it is asked again by itself; if it lasts, see whether the node pool runs the GKE metadata server: \
                 argosy gcp doctor"
                    .to_owned()
            }
            Self::Malformed { host, .. } | Self::Unexpected { host, .. } => {
                format!("see what answers at {host}: a proxy, or an endpoint set to something else?")
            }
            Self::Unauthenticated { .. } => {
                "a new token is fetched by itself; if it lasts, compare the node's clock with Google's: \
                 argosy gcp doctor"
                    .to_owned()
            }
            Self::ScopeInsufficient { .. } => {
                "the controller asks with a token of all scopes, so it was a node with narrow OAuth scopes that gave a \
                 narrower one: argosy gcp doctor"
                    .to_owned()
            }
            Self::PolicyViolated { uid, .. } => perimeter(uid.as_deref()),
            Self::ConsumerRefused { consumer, .. } => {
                format!("see billing and state of {consumer}: gcloud projects describe, gcloud billing projects describe")
            }
            Self::Lifetime { .. } => {
                "even an hour is refused: ask for less, --gcp-token-lifetime=15m, or look at the constraint \
                 iam.allowServiceAccountCredentialLifetimeExtension"
                    .to_owned()
            }
            Self::Refused { .. } => "argosy gcp doctor".to_owned(),
            Self::Rejected { error, .. } => rejected(error).to_owned(),
            Self::Annotated { .. } => {
                "take the annotation away: kubectl annotate serviceaccount CONTROLLER --namespace NAMESPACE \
                 iam.gke.io/gcp-service-account-"
                    .to_owned()
            }
            Self::OfNode { .. } => {
                "take hostNetwork from the controller's Pod, and give its node pool GKE_METADATA (NODEPOOL-MODE): \
                 argosy gcp doctor"
                    .to_owned()
            }
            Self::KubernetesToken { account, source } => may_create(account, source.as_ref()),
            Self::File(error) => error.hint().to_owned(),
            Self::Key(error) => error.hint().to_owned(),
            Self::Roots(_) => {
                "install the package ca-certificates, or name a file of roots in SSL_CERT_FILE".to_owned()
            }
            Self::Simulated { .. } => {
                "send all of Google's services to the simulator with --gcp-endpoint, or none".to_owned()
            }
            Self::NoProject => "name it with --gcp-project".to_owned(),
        }
    }
}

/// Says whether a grant to this member would be one to the controller, and to nobody besides.
///
/// A pool alone is no member, and all of a pool is not who is meant. Nor is a node: all that run on nodes are it.
fn may_be_granted(caller: &str) -> bool {
    match caller.strip_prefix("serviceAccount:") {
        Some(email) => !email.ends_with(DEFAULT_COMPUTE),
        None => caller.starts_with("principal://"),
    }
}

fn absent(account: &str, why: Absence) -> String {
    match why {
        Absence::Name => {
            let namespace = account.strip_prefix(ACCOUNT_PREFIX).unwrap_or("NAME");
            format!(
                "an account id ends at 30 characters, so give the Project a Kubernetes account instead: kubectl create \
                 serviceaccount {PROJECT_ACCOUNT} --namespace {}",
                quote(namespace)
            )
        }
        Absence::NotFound => {
            let (id, host) = account.split_once('@').unwrap_or((account, ""));
            let project = host
                .strip_suffix(".iam.gserviceaccount.com")
                .unwrap_or("PROJECT");
            let project = match project.split_once('.') {
                Some((name, scope)) => format!("{scope}:{name}"),
                None => project.to_owned(),
            };
            format!("gcloud iam service-accounts create {id} --project={project}")
        }
    }
}

/// Writes the command that says whether tokens of an account may be created, as whoever Kubernetes says was refused.
fn may_create(account: &str, source: &(dyn Error + 'static)) -> String {
    let (namespace, name) = account
        .split_once('/')
        .unwrap_or((account, PROJECT_ACCOUNT));
    let causes = successors(Some(source), |&it| it.source());
    let refused = causes.map(ToString::to_string).find_map(|said| {
        let (_, rest) = said.split_once("User \"")?;
        Some(rest.split_once('"')?.0.to_owned())
    });
    let whom = match refused {
        Some(it) if it.starts_with("system:serviceaccount:") => format!(" --as {}", quote(&it)),
        // Somebody who runs the controller by hand can ask as themselves.
        Some(_) => String::new(),
        None => " --as system:serviceaccount:NAMESPACE:CONTROLLER".to_owned(),
    };
    format!(
        "let the controller create tokens of {account}: kubectl auth can-i create serviceaccounts/{} \
         --subresource=token --namespace {}{whom}",
        quote(name),
        quote(namespace)
    )
}

fn perimeter(uid: Option<&str>) -> String {
    match uid {
        Some(uid) => format!(
            "let the controller's identity in by an ingress rule; the audit log has it under {uid}: \
             gcloud logging read 'protoPayload.metadata.vpcServiceControlsUniqueId=\"{uid}\"'"
        ),
        None => {
            "see the organization's policies: gcloud org-policies list --project=PROJECT".to_owned()
        }
    }
}

fn rejected(error: &str) -> &'static str {
    match error {
        "invalid_target" => {
            "see whether pool and provider exist and are enabled: gcloud iam workload-identity-pools providers list"
        }
        "unauthorized_client" => "see the attribute condition of the workload identity provider",
        _ => {
            "see audience and issuer of the credential, whether its key still exists, and the node's clock"
        }
    }
}

//! A small world that listens, and plain requests to it.

use anyhow::{Context as _, Result};
use gcp_sim::{Clock, Google, Options, Simulator, World};
use http::StatusCode;
use serde_json::{Value, json};

/// One project with a cluster, the controller's pod, an annotated pod, a pod on the node's network, and two accounts.
pub(crate) const WORLD: &str = r#"
organizations:
- {number: "1", displayName: acme.example, customer: C0acme, bindings: [{role: roles/orgpolicy.policyAdmin, members: ["user:ops@acme.example"]}]}
projects:
- id: acme-prod
  number: 123456789012
  parent: organizations/1
  services: [iam.googleapis.com, iamcredentials.googleapis.com, sts.googleapis.com, container.googleapis.com,
    cloudresourcemanager.googleapis.com, serviceusage.googleapis.com, orgpolicy.googleapis.com]
  bindings: [{role: roles/owner, members: ["user:ops@acme.example"]}]
  clusters: [{name: main, location: europe-west1}]
  serviceAccounts:
  - name: kargo-project-web
    bindings:
    - role: roles/iam.workloadIdentityUser
      members: ["principal://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/acme-prod.svc.id.goog/subject/ns/argosy/sa/controller"]
  - name: kargo-project-api
  - {name: node-account, email: 123456789012-compute@developer.gserviceaccount.com}
pods:
- {name: controller, cluster: acme-prod/europe-west1/main, namespace: argosy, serviceAccount: controller}
- {name: annotated, cluster: acme-prod/europe-west1/main, namespace: argosy, serviceAccount: other,
   gcpServiceAccount: kargo-project-api@acme-prod.iam.gserviceaccount.com}
- {name: on-host, cluster: acme-prod/europe-west1/main, namespace: argosy, serviceAccount: controller, hostNetwork: true}
"#;

pub(crate) const WEB: &str = "kargo-project-web@acme-prod.iam.gserviceaccount.com";
pub(crate) const API: &str = "kargo-project-api@acme-prod.iam.gserviceaccount.com";

/// A listening Google and a client of it.
pub(crate) struct Talk {
    pub(crate) simulator: Simulator,
    pub(crate) http: reqwest::Client,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.text).with_context(|| format!("not JSON: {}", self.text))
    }

    /// The reason in the first detail, the message otherwise.
    pub(crate) fn reason(&self) -> String {
        let body = self.json().unwrap_or_default();
        let error = &body["error"];
        let reason = error["details"][0]["reason"].as_str();
        reason
            .or(error["message"].as_str())
            .unwrap_or_default()
            .to_owned()
    }
}

impl Talk {
    pub(crate) async fn start() -> Result<Self> {
        Self::at(Clock::of_the_machine()).await
    }

    pub(crate) async fn at(clock: Clock) -> Result<Self> {
        Self::with(WORLD, clock).await
    }

    pub(crate) async fn with(world: &str, clock: Clock) -> Result<Self> {
        rustls::crypto::aws_lc_rs::default_provider()
            .install_default()
            .ok();
        let world = World::from_yaml("world.yaml", world)?;
        let options = Options {
            clock,
            ..Options::default()
        };
        let redirects = reqwest::redirect::Policy::none();
        Ok(Self {
            simulator: Simulator::start(world, options).await?,
            http: reqwest::Client::builder().redirect(redirects).build()?,
        })
    }

    pub(crate) fn google(&self) -> &Google {
        self.simulator.google()
    }

    /// Asks a pod's metadata server, with the header that it wants.
    pub(crate) async fn metadata(&self, pod: &str, path: &str) -> Result<Reply> {
        let address = self.simulator.metadata.get(pod).context("no such pod")?;
        let url = format!("http://{address}/computeMetadata/v1/{path}");
        send(self.http.get(url).header("Metadata-Flavor", "Google")).await
    }

    /// The token that a pod gets.
    pub(crate) async fn pod_token(&self, pod: &str) -> Result<String> {
        let path = "instance/service-accounts/default/token";
        let body = self.metadata(pod, path).await?.json()?;
        Ok(body["access_token"]
            .as_str()
            .context("no token")?
            .to_owned())
    }

    pub(crate) fn operator(&self) -> Result<String> {
        let token = self.simulator.token_of("user:ops@acme.example");
        token.context("a user")
    }

    pub(crate) async fn get(&self, token: &str, path: &str) -> Result<Reply> {
        let url = format!("http://{}/{path}", self.simulator.apis);
        send(self.http.get(url).bearer_auth(token)).await
    }

    pub(crate) async fn post(&self, token: &str, path: &str, body: &Value) -> Result<Reply> {
        let url = format!("http://{}/{path}", self.simulator.apis);
        send(self.http.post(url).bearer_auth(token).json(body)).await
    }

    pub(crate) async fn put(&self, token: &str, path: &str, body: &Value) -> Result<Reply> {
        let url = format!("http://{}/{path}", self.simulator.apis);
        send(self.http.put(url).bearer_auth(token).json(body)).await
    }

    pub(crate) async fn mint(&self, token: &str, account: &str) -> Result<Reply> {
        let scope = ["https://www.googleapis.com/auth/cloud-platform"];
        self.mint_with(token, account, &json!({ "scope": scope }))
            .await
    }

    pub(crate) async fn mint_with(
        &self,
        token: &str,
        account: &str,
        body: &Value,
    ) -> Result<Reply> {
        let path = format!("v1/projects/-/serviceAccounts/{account}:generateAccessToken");
        self.post(token, &path, body).await
    }
}

pub(crate) async fn send(request: reqwest::RequestBuilder) -> Result<Reply> {
    let response = request.send().await?;
    let status = response.status();
    let headers = response.headers().clone();
    let text = response.text().await?;
    Ok(Reply {
        status,
        headers,
        text,
    })
}

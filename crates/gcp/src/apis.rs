//! Google's REST APIs as somebody: what they answer becomes a reading, and a refusal keeps what it says.
//!
//! For doctor, audit and setup, which want to know *why not* as much as they want the answer. Source:
//! <https://cloud.google.com/apis/docs/overview>

mod pages;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::Method;
use secret::Secret;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;
use url::Url;

use crate::endpoints::{at, host_of};
use crate::facts::{Reading, Seen, Source};
use crate::http::{Answer, Http, Pace};
use crate::{Endpoints, TokenError};

/// An API of Google.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    ArtifactRegistry,
    CloudAsset,
    Container,
    Iam,
    IamCredentials,
    OrgPolicy,
    PolicyAnalyzer,
    Pubsub,
    ResourceManager,
    ServiceUsage,
}

/// The APIs, asked with one token.
#[derive(Clone)]
pub struct Apis {
    http: Http,
    endpoints: Endpoints,
    token: Secret<String>,
    /// Who pays for the requests of people, whose tokens belong to no project.
    quota_project: Option<String>,
}

/// A host that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Touch {
    pub took: Duration,
    /// What time it is there.
    pub date: Option<Timestamp>,
}

impl Service {
    fn host(self) -> &'static str {
        match self {
            Self::ArtifactRegistry => "artifactregistry.googleapis.com",
            Self::CloudAsset => "cloudasset.googleapis.com",
            Self::Container => "container.googleapis.com",
            Self::Iam => "iam.googleapis.com",
            Self::IamCredentials => "iamcredentials.googleapis.com",
            Self::OrgPolicy => "orgpolicy.googleapis.com",
            Self::PolicyAnalyzer => "policyanalyzer.googleapis.com",
            Self::Pubsub => "pubsub.googleapis.com",
            Self::ResourceManager => "cloudresourcemanager.googleapis.com",
            Self::ServiceUsage => "serviceusage.googleapis.com",
        }
    }

    fn endpoint(self, endpoints: &Endpoints) -> &Url {
        match self {
            Self::ArtifactRegistry => &endpoints.artifact_registry,
            Self::CloudAsset => &endpoints.cloud_asset,
            Self::Container => &endpoints.container,
            Self::Iam => &endpoints.iam,
            Self::IamCredentials => &endpoints.iam_credentials,
            Self::OrgPolicy => &endpoints.org_policy,
            Self::PolicyAnalyzer => &endpoints.policy_analyzer,
            Self::Pubsub => &endpoints.pubsub,
            Self::ResourceManager => &endpoints.resource_manager,
            Self::ServiceUsage => &endpoints.service_usage,
        }
    }
}

impl Apis {
    pub fn new(endpoints: Endpoints, token: Secret<String>) -> Self {
        Self {
            http: Http::new(Pace::GOOGLE, Arc::new(|_| {})),
            endpoints,
            token,
            quota_project: None,
        }
    }

    /// Gives the token that requests carry.
    pub fn token(&self) -> &Secret<String> {
        &self.token
    }

    /// Has another project than the token's own pay; Google asks for it where people ask.
    #[must_use]
    pub fn paid_by(mut self, project: Option<String>) -> Self {
        self.quota_project = project;
        self
    }

    /// Asks for what is at a path, which begins with a slash and may have a query.
    pub async fn get<T: DeserializeOwned>(&self, service: Service, path: &str) -> Reading<T> {
        self.send(Method::GET, service, path, None).await
    }

    pub async fn post<T: DeserializeOwned>(
        &self,
        service: Service,
        path: &str,
        body: &Value,
    ) -> Reading<T> {
        self.send(Method::POST, service, path, Some(body)).await
    }

    pub async fn put<T: DeserializeOwned>(
        &self,
        service: Service,
        path: &str,
        body: &Value,
    ) -> Reading<T> {
        self.send(Method::PUT, service, path, Some(body)).await
    }

    pub async fn patch<T: DeserializeOwned>(
        &self,
        service: Service,
        path: &str,
        body: &Value,
    ) -> Reading<T> {
        self.send(Method::PATCH, service, path, Some(body)).await
    }

    /// Asks for what is at any address, such as a registry's; `said` is what a report calls the request.
    pub async fn get_at<T: DeserializeOwned>(&self, url: &Url, said: &str) -> Reading<T> {
        self.ask(&Method::GET, url, None, said).await
    }

    /// Reaches a host, without saying who asks; any answer counts.
    pub async fn touch(&self, url: &Url, said: &str) -> Reading<Touch> {
        let started = Instant::now();
        match self
            .http
            .fetch(url, |client| client.head(url.clone()))
            .await
        {
            Ok(answer) => Reading {
                source: Source::new(said, Some(answer.status.as_u16())),
                seen: Seen::Known(Touch {
                    took: started.elapsed(),
                    date: answer.date(),
                }),
            },
            Err(error) => Reading::of_token_error(said, &error),
        }
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        service: Service,
        path: &str,
        body: Option<&Value>,
    ) -> Reading<T> {
        let (path, query) = match path.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path, None),
        };
        let mut url = at(service.endpoint(&self.endpoints), path);
        url.set_query(query);
        let said = format!("{method} https://{}{path}", service.host());
        self.ask(&method, &url, body, &said).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: &Method,
        url: &Url,
        body: Option<&Value>,
        said: &str,
    ) -> Reading<T> {
        let attempt = || async {
            let build = |client: &reqwest::Client| {
                let mut request = client
                    .request(method.clone(), url.clone())
                    .bearer_auth(self.token.expose());
                if let Some(project) = &self.quota_project {
                    request = request.header("x-goog-user-project", project);
                }
                match body {
                    Some(body) => request.json(body),
                    None => request,
                }
            };
            let answer = self.http.fetch(url, build).await?;
            passing(&answer).map_or(Ok(answer), Err)
        };
        let pace = self.http.pace();
        match pace.repeat(url, pace.deadline(), attempt).await {
            Ok(answer) => read(&answer, said),
            Err(error) => Reading::of_token_error(said, &error),
        }
    }
}

impl fmt::Debug for Apis {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Apis")
            .field("quota_project", &self.quota_project)
            .finish_non_exhaustive()
    }
}

/// Names an address as a report does: without what a query may hold.
pub fn shown(url: &Url) -> String {
    format!("{}://{}{}", url.scheme(), host_of(url), url.path())
}

/// Finds the answers after which the same request may be sent once more.
fn passing(answer: &Answer) -> Option<TokenError> {
    let host = answer.host.clone();
    match answer.status.as_u16() {
        429 => Some(TokenError::RateLimited {
            host,
            retry_after: answer.retry_after(),
        }),
        status @ 502..=504 => Some(TokenError::Unavailable { host, status }),
        _ => None,
    }
}

fn read<T: DeserializeOwned>(answer: &Answer, said: &str) -> Reading<T> {
    if !answer.status.is_success() {
        return Reading::of_refusal(said, answer.status.as_u16(), &answer.text());
    }
    match answer.json() {
        Ok(value) => Reading::known_from(said, value),
        Err(error) => Reading::of_token_error(said, &error),
    }
}

#[cfg(test)]
mod tests;

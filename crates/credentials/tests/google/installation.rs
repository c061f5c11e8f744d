//! Credentials as the controller has them: Projects in an API, and Google to ask.

use std::sync::Arc;

use anyhow::Result;
use credentials::google::Fallback;
use credentials::{Access, Credentials, Error, Google, Kind, Outcome, PlainHttp};
use gcp::{Endpoints, Identities, Scope, Settings};
use jiff::Timestamp;
use serde_json::{Value, json};
use testkit::World;
use testkit::google::{Clock, Google as Simulated};

/// The Project with an account of its own.
pub(crate) const PROJECT: &str = "acme";

/// An API, a Google, and what looks at both.
pub(crate) struct Installation {
    pub(crate) world: World,
    pub(crate) google: Simulated,
    pub(crate) credentials: Credentials,
}

impl Installation {
    /// Opens with the Project `acme`, which has an account, under a policy that lets nobody else act.
    pub(crate) async fn open() -> Result<Self> {
        Self::open_under(Fallback::Deny).await
    }

    /// The same under another policy.
    pub(crate) async fn open_under(fallback: Fallback) -> Result<Self> {
        let clock = Clock::standing_at(Timestamp::from_second(4_000_000_000)?);
        let google = Simulated::start(clock.clone(), &[PROJECT, "other"]).await?;
        google.give_account(PROJECT)?;
        let world = World::new().await?;
        let endpoints = Endpoints {
            sts: google.apis()?,
            iam_credentials: google.apis()?,
            oauth: google.apis()?,
            ..Endpoints::default()
        };
        let settings = Settings::new(endpoints.with_metadata_host(&google.metadata_host()?)?);
        let now: gcp::Clock = Arc::new(move || clock.now());
        let identities = Identities::new(
            settings,
            &now,
            &(Arc::new(|_: &gcp::Call<'_>| {}) as gcp::Observer),
        );
        let acting = Google::new(identities, world.client(), fallback, Scope::ReadOnly);
        let credentials = Credentials::new(world.client(), Vec::new())
            .with_plain_http(PlainHttp::Anywhere)
            .with_google(acting, true);
        let it = Self {
            world,
            google,
            credentials,
        };
        it.namespace(PROJECT, &json!({"kargo.akuity.io/project": "true"}))
            .await?;
        it.project(PROJECT).await?;
        Ok(it)
    }

    pub(crate) async fn namespace(&self, name: &str, labels: &Value) -> Result<()> {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}});
        self.world.apply(&namespace.to_string()).await
    }

    pub(crate) async fn project(&self, name: &str) -> Result<()> {
        let project = json!({"apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Project", "metadata": {"name": name}});
        self.world.apply(&project.to_string()).await
    }

    pub(crate) async fn find(
        &self,
        project: &str,
        kind: Kind,
        repo_url: &str,
    ) -> Result<Access, Error> {
        self.credentials.find(project, kind, repo_url).await
    }

    /// Says who acts: an outcome, or that nobody is asked for.
    pub(crate) async fn outcome(
        &self,
        project: &str,
        kind: Kind,
        repo_url: &str,
    ) -> Option<Outcome> {
        match self.find(project, kind, repo_url).await {
            Ok(access) => {
                assert_eq!(
                    access.login.is_some(),
                    access.identity.is_some(),
                    "{repo_url}"
                );
                access.identity.map(|it| it.outcome)
            }
            Err(error) => Some(error.identity().expect(repo_url).outcome),
        }
    }
}

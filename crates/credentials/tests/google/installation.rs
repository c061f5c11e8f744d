//! Credentials as the controller has them: Projects in an API, and Google to ask.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use credentials::google::Fallback;
use credentials::{Access, Credentials, Error, Google, Kind, Outcome, PlainHttp};
use gcp::{Endpoints, Identities, Scope, Settings};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use testkit::World;
use testkit::google::{Clock, GCP_PROJECT, Google as Simulated};

/// The Project with an account of its own.
pub(crate) const PROJECT: &str = "acme";

/// A request to whom gives tokens: `metadata` or `iam-credentials`, and `ok` or the failure that it was taken for.
type Call = (&'static str, &'static str);

/// An API, a Google, and what looks at both.
pub(crate) struct Installation {
    pub(crate) world: World,
    pub(crate) google: Simulated,
    /// The time of both.
    pub(crate) clock: Clock,
    pub(crate) credentials: Credentials,
    acting: Google,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Installation {
    /// Opens with the Project `acme`, which has an account, under a policy that lets nobody else act.
    pub(crate) async fn open() -> Result<Self> {
        Self::open_under(Fallback::Deny).await
    }

    /// The same under another policy.
    pub(crate) async fn open_under(fallback: Fallback) -> Result<Self> {
        Self::open_with(fallback, Duration::from_hours(1)).await
    }

    /// The same with tokens that live so long.
    pub(crate) async fn open_with(fallback: Fallback, lifetime: Duration) -> Result<Self> {
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
        let settings = Settings {
            lifetime,
            ..Settings::new(endpoints.with_metadata_host(&google.metadata_host()?)?)
        };
        let time = clock.clone();
        let now: gcp::Clock = Arc::new(move || time.now());
        let calls = Arc::<Mutex<Vec<Call>>>::default();
        let heard = Arc::clone(&calls);
        let observer: gcp::Observer = Arc::new(move |call: &gcp::Call<'_>| {
            let mut calls = heard.lock().unwrap_or_else(PoisonError::into_inner);
            calls.push((call.service, call.outcome));
        });
        let identities = Identities::new(settings, &now, &observer);
        let acting = Google::new(identities, world.client(), fallback, Scope::ReadOnly);
        let credentials = Credentials::new(world.client(), Vec::new())
            .with_plain_http(PlainHttp::Anywhere)
            .with_google(acting.clone(), true);
        let it = Self {
            world,
            google,
            clock,
            credentials,
            acting,
            calls,
        };
        it.namespace(PROJECT, &json!({"kargo.akuity.io/project": "true"}))
            .await?;
        it.project(PROJECT).await?;
        Ok(it)
    }

    /// What the credentials here get identities from, for others.
    pub(crate) fn acting(&self) -> Google {
        self.acting.clone()
    }

    pub(crate) async fn namespace(&self, name: &str, labels: &Value) -> Result<()> {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}});
        self.world.apply(&namespace.to_string()).await
    }

    pub(crate) async fn project(&self, name: &str) -> Result<()> {
        let project = json!({"apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Project", "metadata": {"name": name}});
        self.world.apply(&project.to_string()).await
    }

    /// Makes a Project without an account of its own.
    pub(crate) async fn tenant_without_account(&self, name: &str) -> Result<()> {
        self.namespace(name, &json!({"kargo.akuity.io/project": "true"}))
            .await?;
        self.project(name).await
    }

    /// Makes a Project with an account of its own, which the controller may act as.
    pub(crate) async fn tenant(&self, name: &str) -> Result<()> {
        self.tenant_without_account(name).await?;
        let google = self.google.google();
        google.create_account(GCP_PROJECT, &format!("kargo-project-{name}"))?;
        self.google.let_controller_act_as(name)
    }

    /// Lets so many seconds pass.
    pub(crate) fn advance(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    /// Gives what came of the requests to a service since any were last taken; those to others are forgotten.
    pub(crate) fn take_calls(&self, service: &str) -> Vec<&'static str> {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let calls = calls.drain(..).filter(|(asked, _)| *asked == service);
        calls.map(|(_, outcome)| outcome).collect()
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

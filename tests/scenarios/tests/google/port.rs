//! A harbour with a simulated Google, and short ways to say what is asked and what is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result};
use credentials::google::Fallback;
use k8s_openapi::api::core::v1::Event;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use resources::names::annotation;
use resources::{Freight, Warehouse, condition};
use scenarios::{Clock, Harbour, PROJECT, Surroundings};
use serde_json::{Value, json};
use testkit::google::{Google, ISSUER, REGISTRY, image_of};

/// The Warehouse of every test.
pub(crate) const WAREHOUSE: &str = "images";
/// Another Project, for what must not be mixed up.
pub(crate) const OTHER: &str = "other";
/// Longer than any refusal is remembered, in seconds.
pub(crate) const FORGOTTEN: i64 = 301;

pub(crate) struct Port {
    pub(crate) harbour: Harbour,
    pub(crate) google: Arc<Google>,
    refreshes: AtomicU32,
}

impl Port {
    /// Opens with the Project `acme` under a policy; it has no account yet.
    pub(crate) async fn open(fallback: Fallback) -> Result<Self> {
        let clock = Clock::start_today();
        let google = Google::start(clock.of_google(), &[PROJECT, OTHER]).await?;
        let google = Arc::new(google);
        let surroundings = Surroundings {
            google: Some(Arc::clone(&google)),
            fallback,
            issuer: Some(ISSUER.to_owned()),
            ..Surroundings::default()
        };
        Ok(Self {
            harbour: Harbour::open_in(clock, surroundings).await?,
            google,
            refreshes: AtomicU32::new(0),
        })
    }

    /// Creates the Warehouse, which subscribes to the image of a Project.
    pub(crate) async fn subscribe_to(&self, project: &str) -> Result<()> {
        self.subscribe(json!({"image": {"repoURL": image_of(project)}}))
            .await
    }

    /// Creates the Warehouse with a subscription.
    pub(crate) async fn subscribe(&self, subscription: Value) -> Result<()> {
        let warehouse = json!({
            "metadata": {"name": WAREHOUSE},
            "spec": {"subscriptions": [subscription]},
        });
        let warehouse: Warehouse = serde_json::from_value(warehouse)?;
        self.harbour
            .api()
            .create(&PostParams::default(), &warehouse)
            .await?;
        Ok(())
    }

    /// Asks for another look, and does not wait for it.
    pub(crate) async fn refresh(&self) -> Result<String> {
        let refresh = self.refreshes.fetch_add(1, Ordering::SeqCst).to_string();
        self.harbour
            .annotate::<Warehouse>(WAREHOUSE, annotation::REFRESH, &refresh)
            .await?;
        Ok(refresh)
    }

    /// Asks for another look and waits until it has succeeded.
    pub(crate) async fn refreshed(&self) -> Result<Warehouse> {
        let refresh = self.refresh().await?;
        let is_done = |it: &Warehouse| {
            let status = it.status.as_ref();
            status.is_some_and(|it| {
                it.last_handled_refresh == refresh && condition::is_true(&it.conditions, "Ready")
            })
        };
        let done = self.harbour.until("the refresh is done", async || {
            Ok(Some(self.warehouse().await?).filter(is_done))
        });
        match done.await {
            Ok(warehouse) => Ok(warehouse),
            Err(error) => {
                let last = self.warehouse().await?.status;
                Err(error.context(format!("it is {last:?}")))
            }
        }
    }

    pub(crate) async fn warehouse(&self) -> Result<Warehouse> {
        Ok(self.harbour.api::<Warehouse>().get(WAREHOUSE).await?)
    }

    /// Waits until the condition has this status and reason, and gives its message.
    pub(crate) async fn says(&self, kind: &str, status: &str, reason: &str) -> Result<String> {
        let what = format!("the Warehouse says {kind}={status}/{reason}");
        let last = std::sync::Mutex::new(None);
        let said = self.harbour.until(&what, async || {
            let it = self.warehouse().await?;
            let conditions = it.status.map(|it| it.conditions).unwrap_or_default();
            let found = condition::find(&conditions, kind).cloned();
            let message = found
                .as_ref()
                .filter(|it| it.status == status && it.reason == reason)
                .map(|it| it.message.clone());
            if let Ok(mut last) = last.lock() {
                *last = found;
            }
            Ok(message)
        });
        let said = said.await;
        said.with_context(|| format!("{last:?}"))
    }

    /// Waits until somebody acts, or nobody does, for this reason; gives the message.
    pub(crate) async fn identity(&self, status: &str, reason: &str) -> Result<String> {
        self.says("RegistryIdentity", status, reason).await
    }

    /// Waits for the Freight that the image makes.
    pub(crate) async fn has_freight(&self) -> Result<()> {
        self.harbour
            .until("there is Freight", async || {
                let freight = self.harbour.api::<Freight>();
                let found = freight.list(&ListParams::default()).await?.items;
                Ok((found.len() == 1 && found[0].images[0].tag == "1.0.0").then_some(()))
            })
            .await
    }

    /// Who has asked the registry since anything was last asked for; nobody is not listed.
    pub(crate) fn who_asked(&self) -> Vec<String> {
        let asked = self.google.take_asked(REGISTRY);
        let mut who: Vec<_> = asked.into_iter().filter_map(|it| it.principal).collect();
        who.sort();
        who.dedup();
        who
    }

    /// How often the registry was asked, by anybody, since anything was last asked for.
    pub(crate) fn times_asked(&self) -> usize {
        self.google.take_asked(REGISTRY).len()
    }

    /// The events about identities, oldest first.
    pub(crate) async fn events(&self) -> Result<Vec<Event>> {
        let events: Api<Event> = self.harbour.api();
        let mut found = events.list(&ListParams::default()).await?.items;
        found.retain(|it| it.reason.as_deref() == Some("RegistryIdentityChanged"));
        Ok(found)
    }

    /// Annotates the Project with a policy.
    pub(crate) async fn tighten(&self, policy: &str) -> Result<()> {
        let projects: Api<resources::Project> = Api::all(self.harbour.client());
        let annotations = json!({"argosy.dev/gcp-identity-fallback": policy});
        let patch = Patch::Merge(json!({"metadata": {"annotations": annotations}}));
        projects
            .patch(PROJECT, &PatchParams::default(), &patch)
            .await?;
        Ok(())
    }

    /// Gives the Project its Kubernetes account.
    pub(crate) async fn give_kubernetes_account(&self) -> Result<()> {
        let account = json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": credentials::google::ACCOUNT, "namespace": PROJECT},
        });
        self.harbour.world.apply(&account.to_string()).await
    }
}

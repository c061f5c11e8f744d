//! A Project, its repository at a simulated Google, and whoever looks at it.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use artifacts::egress::Policy;
use artifacts::image::{Asked, Error};
use artifacts::registry::Registries;
use artifacts::{Boundless, Caller, Cost, Limits, Spent};
use credentials::google::Fallback;
use credentials::{Credentials, Kind, Login};
use domain::selection::{NewestBuildBy, Selected};
use jiff::{SignedDuration, Timestamp};
use resources::subscription::ImageSelectionStrategy;
use resources::{ImageSubscription, Project};
use scenarios::{Clock, PROJECT, google};
use serde_json::json;
use testkit::World;
use testkit::google::{Effect, Google, REGISTRY, SeedImage, image_of};

/// Where the versions of an image are listed.
const VERSIONS: &str = "/packages/web/versions";

pub(crate) struct Stand {
    pub(crate) google: Google,
    pub(crate) clock: Clock,
    pub(crate) newest_build_by: NewestBuildBy,
    credentials: Credentials,
    registries: Registries,
    _world: World,
}

impl Stand {
    /// Opens with these images in the Project's repository, written as in a world file.
    pub(crate) async fn open(images: &str) -> Result<Self> {
        let clock = Clock::start_today();
        let google = Google::start_holding(clock.of_google(), &[(PROJECT, images)]).await?;
        google.give_account(PROJECT)?;
        let world = World::new().await?;
        let labels = json!({"kargo.akuity.io/project": "true"});
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": PROJECT, "labels": labels}});
        world.apply(&namespace.to_string()).await?;
        let project: Project = serde_json::from_value(json!({"metadata": {"name": PROJECT}}))?;
        let mut project = serde_json::to_value(project)?;
        project["apiVersion"] = json!("kargo.akuity.io/v1alpha1");
        project["kind"] = json!("Project");
        world.apply(&project.to_string()).await?;
        let credentials = google::credentials(
            &google,
            &clock,
            world.client(),
            Fallback::Deny,
            google::LIFETIME,
        )?;
        let registries = Registries::new(Arc::new(Policy::new().with_loopback()), fast());
        Ok(Self {
            registries: google::reached(&google, registries)?,
            google,
            clock,
            newest_build_by: NewestBuildBy::Built,
            credentials,
            _world: world,
        })
    }

    /// Looks as a discovery does; says too what it has cost.
    pub(crate) async fn look(
        &self,
        subscription: &ImageSubscription,
    ) -> Result<(Result<Selected, Error>, Spent)> {
        let repo_url = &subscription.repo_url;
        let access = self
            .credentials
            .find(PROJECT, Kind::Image, repo_url)
            .await?;
        let login = access.login.as_ref().context("somebody acts")?;
        Ok(self.look_as(Some(login), subscription).await)
    }

    async fn look_as(
        &self,
        login: Option<&Login>,
        subscription: &ImageSubscription,
    ) -> (Result<Selected, Error>, Spent) {
        let cost = Cost::default();
        let caller = Caller {
            project: PROJECT,
            login,
            cost: &cost,
            room: &Boundless,
        };
        let asked = Asked {
            newest_build_by: self.newest_build_by,
            now: self.clock.now(),
        };
        let selected = artifacts::image::select(&self.registries, caller, subscription, asked);
        let selected = selected.await;
        (selected, cost.spent())
    }

    /// Looks, and says what was found and in how many requests.
    pub(crate) async fn found(&self, subscription: &ImageSubscription) -> Result<(Selected, u64)> {
        let (selected, spent) = self.look(subscription).await?;
        Ok((selected?, spent.total()))
    }

    /// The same for nobody in particular.
    pub(crate) async fn found_by_anyone(
        &self,
        subscription: &ImageSubscription,
    ) -> Result<(Selected, u64)> {
        let (selected, spent) = self.look_as(None, subscription).await;
        Ok((selected?, spent.total()))
    }

    /// Pushes an image now; how long ago it says that it was built is in seconds.
    pub(crate) fn push(&self, tag: &str, ago: i64) -> Result<()> {
        let now = self.clock.now();
        self.push_at(tag, now, now - SignedDuration::from_secs(ago))
    }

    /// Shows an image only now that was pushed so many seconds ago.
    pub(crate) fn push_late(&self, tag: &str, ago: i64) -> Result<()> {
        let then = self.clock.now() - SignedDuration::from_secs(ago);
        self.push_at(tag, then, then)
    }

    fn push_at(&self, tag: &str, uploaded: Timestamp, built: Timestamp) -> Result<()> {
        let image: SeedImage = serde_json::from_value(
            json!({"name": "web", "tags": [tag], "built": built, "uploaded": uploaded}),
        )?;
        self.google.push(PROJECT, &image);
        Ok(())
    }

    /// Lets the API refuse to list versions, while images can be pulled.
    pub(crate) fn refuse_versions(&self, effect: Effect) {
        let fault = effect.on(REGISTRY).where_path_has(VERSIONS);
        self.google.inject(fault);
    }

    /// Counts what was asked of the API since this was last asked for.
    pub(crate) fn versions_asked(&self) -> usize {
        let asked = self.google.take_asked(REGISTRY);
        asked.iter().filter(|it| it.path.contains(VERSIONS)).count()
    }
}

fn fast() -> Limits {
    Limits {
        rate: 100_000.try_into().expect("not zero"),
        pauses: (
            std::time::Duration::from_millis(1),
            std::time::Duration::from_millis(5),
        ),
        ..Limits::default()
    }
}

/// A subscription to the image with one strategy.
pub(crate) fn by(strategy: ImageSelectionStrategy) -> ImageSubscription {
    ImageSubscription {
        repo_url: image_of(PROJECT),
        image_selection_strategy: strategy,
        ..ImageSubscription::default()
    }
}

/// A subscription to the newest builds.
pub(crate) fn newest() -> ImageSubscription {
    by(ImageSelectionStrategy::NewestBuild)
}

pub(crate) fn tags(selected: &Selected) -> Vec<&str> {
    selected.taken.iter().map(|it| it.tag.as_str()).collect()
}

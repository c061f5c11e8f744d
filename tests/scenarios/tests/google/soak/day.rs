//! The day: every five minutes something changes, something breaks, every Project looks, and all requests are judged.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use artifacts::Limits;
use artifacts::egress::Policy;
use artifacts::registry::Registries;
use credentials::google::{ACCOUNT, Fallback};
use credentials::{Credentials, Kind, Outcome};
use domain::selection::NewestBuildBy;
use embedded_apiserver::Options;
use futures::stream::{self, StreamExt as _};
use jiff::Timestamp;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use resources::ImageSubscription;
use scenarios::{Clock, google};
use serde_json::json;
use tempfile::TempDir;
use testkit::google::{Effect, Google, IAM_CREDENTIALS, ISSUER, REGISTRY, image_of, member};
use testkit::{PublishedKeys, World};

use super::tenant::Tenant;
use super::trouble::Trouble;

/// Between two looks, in seconds; the first of them passes before the look.
const STEP: i64 = 300;
/// Of tokens: the shortest that Google gives, so that many are asked for.
const LIFETIME: Duration = Duration::from_mins(15);
/// Looks after which every token and every refusal of before is forgotten.
const CALM: u32 = 15;
/// Every so many steps, half an hour, all is mended: in turns right after what went wrong, and after a look at which Google
/// says nothing of accounts.
const HALF_AN_HOUR: u32 = 6;

pub(crate) struct Day {
    pub(super) world: World,
    pub(super) google: Google,
    pub(super) clock: Clock,
    pub(super) tenants: Vec<Tenant>,
    pub(super) dice: StdRng,
    pub(super) trouble: Trouble,
    credentials: Credentials,
    registries: Registries,
    /// How often each outcome was seen, so that nothing is proven of nothing.
    seen: BTreeMap<&'static str, u32>,
    /// How often each outcome was back at the first look after one at which nobody could act, or nothing was found.
    recovered: BTreeMap<&'static str, u32>,
    _keys: PublishedKeys,
    _folder: TempDir,
}

/// What a look came to: who acts, and whether the image was found.
struct Looked {
    outcome: Outcome,
    found: Result<()>,
}

impl Day {
    /// Begins with so many Projects under the loosest policy: some have nothing, some an account of either kind, and some
    /// want nobody to stand in for them. So many requests may be let hang.
    pub(crate) async fn begin(projects: usize, seed: u64, hangs: u32) -> Result<Self> {
        let clock = Clock::start_today();
        let names: Vec<String> = (0..projects).map(|it| format!("p{it:02}")).collect();
        let borrowed: Vec<&str> = names.iter().map(String::as_str).collect();
        let google = Google::start(clock.of_google(), &borrowed).await?;
        let time = clock.clone();
        let world = World::with(Options {
            clock: Arc::new(move || time.now()),
            issuer: Some(ISSUER.to_owned()),
            ..Options::default()
        })
        .await?;
        let folder = TempDir::new()?;
        let keys = PublishedKeys::of(&world, folder.path()).await?;
        google.trust_keys_at(&keys.url);
        for name in &names {
            google.let_read(&member(name, ACCOUNT), name)?;
            create(&world, name).await?;
        }
        let policy = Arc::new(Policy::new().with_loopback());
        let limits = Limits {
            patience: Duration::from_secs(2),
            pauses: (Duration::from_millis(2), Duration::from_millis(20)),
            ..Limits::default()
        };
        let mut day = Self {
            credentials: google::credentials(
                &google,
                &clock,
                world.client(),
                Fallback::Allow,
                LIFETIME,
            )?,
            registries: google::reached(&google, Registries::new(policy, limits))?,
            tenants: names.into_iter().map(Tenant::new).collect(),
            dice: StdRng::seed_from_u64(seed),
            trouble: Trouble::with_hangs(hangs),
            seen: BTreeMap::new(),
            recovered: BTreeMap::new(),
            world,
            google,
            clock,
            _keys: keys,
            _folder: folder,
        };
        day.settle_in().await?;
        Ok(day)
    }

    async fn settle_in(&mut self) -> Result<()> {
        for at in 0..self.tenants.len() {
            match at % 4 {
                0 => {}
                1 => self.change_kubernetes_account(at).await?,
                2 => self.annotate(at, Fallback::Deny).await?,
                _ => self.give_account(at)?,
            }
        }
        Ok(())
    }

    /// Lets so many times five minutes pass; then all is calm, and in the end everybody acts who should.
    pub(crate) async fn go_on_for(mut self, steps: u32) -> Result<()> {
        for step in 1..=steps {
            self.mend();
            self.change().await?;
            self.break_something();
            let looked = self.look().await.with_context(|| format!("step {step}"))?;
            if step % HALF_AN_HOUR == 0 {
                let is_silent = step % (2 * HALF_AN_HOUR) == 0;
                self.recover(looked, is_silent)
                    .await
                    .with_context(|| format!("after step {step}"))?;
            }
        }
        self.mend();
        for _ in 1..CALM {
            self.look().await?;
        }
        for (at, looked) in self.look().await? {
            let (tenant, Looked { outcome, found }) = (&self.tenants[at], looked);
            ensure!(outcome == tenant.outcome(), "{tenant:?}: {outcome:?}");
            ensure!(found.is_ok() == outcome.acts(), "{tenant:?}: {found:?}");
        }
        self.proves_something()
    }

    /// Says whether everything happened that this is about.
    fn proves_something(&self) -> Result<()> {
        let of_every_kind = [
            "OwnServiceAccount",
            "OwnKubernetesAccount",
            "ControllerIdentity",
            "IdentityRefused",
            "IdentityUnavailable",
        ];
        for outcome in of_every_kind {
            let seen = &self.seen;
            ensure!(
                seen.contains_key(outcome),
                "nobody was ever {outcome}: {seen:?}"
            );
        }
        for outcome in [
            Outcome::OwnServiceAccount,
            Outcome::OwnKubernetesAccount,
            Outcome::Controller,
            Outcome::Refused,
        ] {
            let recovered = &self.recovered;
            ensure!(
                recovered.contains_key(outcome.reason()),
                "nobody was {outcome:?} again at the first look: {recovered:?}"
            );
        }
        ensure!(self.trouble.hung > 0, "no request ever hung");
        let missing = self.trouble.missing();
        ensure!(missing == 0, "{missing} kinds of faults never came");
        Ok(())
    }

    /// Mends everything, once Google has said nothing of accounts at one more look or right away: at the very next look
    /// everybody acts who should, as whom they should, and nobody else does.
    async fn recover(&mut self, mut before: Vec<(usize, Looked)>, is_silent: bool) -> Result<()> {
        self.mend();
        if is_silent {
            // Whoever acts as an account of their own needs a new token by now.
            let lifetime = i64::try_from(LIFETIME.as_secs())?;
            self.clock.advance(lifetime);
            self.google.inject(Effect::Unavailable.on(IAM_CREDENTIALS));
            before = self.look().await?;
            self.mend();
        }
        let troubled: Vec<usize> = before
            .into_iter()
            .filter(|(_, Looked { outcome, found })| {
                *outcome == Outcome::Unavailable || outcome.acts() && found.is_err()
            })
            .map(|(at, _)| at)
            .collect();
        // Before the look, which learns from what it finds.
        let expected: Vec<_> = self.tenants.iter().map(Tenant::outcome_at_once).collect();
        for (at, looked) in self.look().await? {
            let (tenant, Looked { outcome, found }) = (&self.tenants[at], looked);
            let Some(expected) = expected[at] else {
                let before = [Outcome::OwnServiceAccount, Outcome::Unavailable];
                let may_be = before.contains(&outcome) || outcome == tenant.outcome();
                ensure!(may_be, "{tenant:?}: {outcome:?}");
                continue;
            };
            ensure!(outcome == expected, "{tenant:?}: {outcome:?}, {found:?}");
            ensure!(found.is_ok() == outcome.acts(), "{tenant:?}: {found:?}");
            if troubled.contains(&at) {
                *self.recovered.entry(outcome.reason()).or_default() += 1;
            }
        }
        Ok(())
    }

    /// Lets every Project look once, and judges all that was asked; gives each Project's place with what it came to.
    async fn look(&mut self) -> Result<Vec<(usize, Looked)>> {
        self.clock.advance(1);
        let names = self.tenants.iter().map(|it| it.name.clone());
        let names: Vec<_> = names.enumerate().collect();
        let looks = stream::iter(names).map(|(at, name)| {
            let (credentials, registries) = (&self.credentials, &self.registries);
            async move { anyhow::Ok((at, look(credentials, registries, &name).await?)) }
        });
        let looked: Vec<_> = looks.buffer_unordered(16).collect().await;
        let looked: Vec<(usize, Looked)> = looked.into_iter().collect::<Result<_>>()?;
        self.judge(&looked)?;
        for (at, Looked { outcome, .. }) in &looked {
            *self.seen.entry(outcome.reason()).or_default() += 1;
            self.tenants[*at].saw(*outcome);
        }
        self.clock.advance(STEP - 1);
        Ok(looked)
    }

    /// Says whether every request came from somebody who might ask, and none from a Project for which nobody acts.
    fn judge(&self, looked: &[(usize, Looked)]) -> Result<()> {
        // Google's clock may differ from the one by which all this happens.
        let now = self.clock.now();
        for asked in self.google.take_asked(REGISTRY) {
            let whose = project_in(&asked.path).and_then(|project| {
                looked
                    .iter()
                    .find(|(at, _)| self.tenants[*at].name == project)
            });
            let (at, Looked { outcome, .. }) =
                whose.with_context(|| format!("nobody's: {asked:?}"))?;
            ensure!(outcome.acts(), "{outcome:?} and yet: {asked:?}");
            let tenant = &self.tenants[*at];
            // A token that is over, or whose account is gone, is still somebody's; without one nobody asks.
            let may = asked
                .holder
                .as_ref()
                .is_some_and(|who| tenant.may_ask(who, now));
            ensure!(may, "{tenant:?} does not let in {asked:?}");
        }
        Ok(())
    }
}

/// Finds the Project whose repository a path is of, be it the registry's or the one that blobs are downloaded from; there is
/// no other path that has to be asked for.
fn project_in(path: &str) -> Option<&str> {
    let downloads = "/artifacts-downloads/namespaces/acme-prod/repositories/";
    let rest = path
        .strip_prefix("/v2/acme-prod/")
        .or_else(|| path.strip_prefix(downloads))?;
    rest.split('/').next()
}

async fn look(credentials: &Credentials, registries: &Registries, project: &str) -> Result<Looked> {
    let image = image_of(project);
    let access = match credentials.find(project, Kind::Image, &image).await {
        Ok(access) => access,
        Err(error) => {
            let outcome = error
                .identity()
                .with_context(|| format!("{error:?}"))?
                .outcome;
            let found = Err(error.into());
            return Ok(Looked { outcome, found });
        }
    };
    let outcome = access.identity.context("somebody acts")?.outcome;
    let subscription: ImageSubscription = serde_json::from_value(json!({"repoURL": image}))?;
    let cost = artifacts::Cost::default();
    let caller = artifacts::Caller {
        project,
        login: access.login.as_ref(),
        cost: &cost,
        room: &artifacts::Boundless,
    };
    let asked = artifacts::image::Asked {
        newest_build_by: NewestBuildBy::Built,
        now: Timestamp::UNIX_EPOCH,
    };
    let found = artifacts::image::discover(registries, caller, &subscription, asked);
    let found = found.await.map(drop).map_err(Into::into);
    Ok(Looked { outcome, found })
}

/// Creates a Project with its namespace.
async fn create(world: &World, name: &str) -> Result<()> {
    let labels = json!({"kargo.akuity.io/project": "true"});
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}});
    world.apply(&namespace.to_string()).await?;
    let project = json!({"apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Project", "metadata": {"name": name}});
    world.apply(&project.to_string()).await
}

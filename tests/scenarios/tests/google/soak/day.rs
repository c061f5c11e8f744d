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
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use resources::{ImageSubscription, Project};
use scenarios::{Clock, google};
use serde_json::json;
use tempfile::TempDir;
use testkit::google::{
    Effect, Fault, Google, IAM_CREDENTIALS, ISSUER, METADATA, NotReady, REGISTRY, STS, account_of,
    image_of, member,
};
use testkit::{PublishedKeys, World};

use super::tenant::{Account, Tenant};

/// Between two looks, in seconds; the first of them passes before the look.
const STEP: i64 = 300;
/// Of tokens: the shortest that Google gives, so that many are asked for.
const LIFETIME: Duration = Duration::from_mins(15);
/// Looks after which every token and every refusal of before is forgotten.
const CALM: u32 = 15;
/// Every so many steps there is an hour's worth of calm, and whoever can act does at once.
const HOUR: u32 = 12;

pub(crate) struct Day {
    world: World,
    google: Google,
    clock: Clock,
    credentials: Credentials,
    registries: Registries,
    tenants: Vec<Tenant>,
    dice: StdRng,
    /// How often each outcome was seen, so that nothing is proven of nothing.
    seen: BTreeMap<&'static str, u32>,
    _keys: PublishedKeys,
    _folder: TempDir,
}

/// What a look came to: who acts, and whether the image was found.
struct Looked {
    outcome: Outcome,
    found: Result<()>,
}

impl Day {
    /// Begins with so many Projects that have nothing yet, under the loosest policy.
    pub(crate) async fn begin(projects: usize, seed: u64) -> Result<Self> {
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
        Ok(Self {
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
            seen: BTreeMap::new(),
            world,
            google,
            clock,
            _keys: keys,
            _folder: folder,
        })
    }

    /// Lets so many times five minutes pass; then all is calm, and in the end everybody acts who should.
    pub(crate) async fn go_on_for(mut self, steps: u32) -> Result<()> {
        for step in 1..=steps {
            self.change().await?;
            self.break_something();
            self.look().await.with_context(|| format!("step {step}"))?;
            if step % HOUR == 0 {
                self.recover()
                    .await
                    .with_context(|| format!("after step {step}"))?;
            }
        }
        self.google.mend();
        for _ in 1..CALM {
            self.look().await?;
        }
        for (tenant, looked) in self.look().await? {
            ensure!(
                looked.outcome == tenant.outcome(),
                "{tenant:?}: {:?}",
                looked.outcome
            );
            ensure!(
                looked.found.is_ok() == looked.outcome.acts(),
                "{tenant:?}: {:?}",
                looked.found
            );
        }
        for outcome in [
            "OwnServiceAccount",
            "OwnKubernetesAccount",
            "ControllerIdentity",
            "IdentityRefused",
            "IdentityUnavailable",
        ] {
            ensure!(
                self.seen.contains_key(outcome),
                "nobody was ever {outcome}: {:?}",
                self.seen
            );
        }
        Ok(())
    }

    /// Changes a few Projects, here and at Google.
    async fn change(&mut self) -> Result<()> {
        for at in 0..self.tenants.len() {
            if !self.dice.random_bool(0.2) {
                continue;
            }
            match self.dice.random_range(0..8) {
                0..4 => self.change_account(at)?,
                4..6 => self.change_kubernetes_account(at).await?,
                6 => self.change_annotation(at).await?,
                _ => self.change_label(at).await?,
            }
        }
        Ok(())
    }

    fn change_account(&mut self, at: usize) -> Result<()> {
        let (google, now) = (&self.google, self.clock.now());
        let tenant = &mut self.tenants[at];
        let name = &tenant.name;
        let next = match tenant.account {
            Account::Absent => {
                google.give_account(name)?;
                Account::Usable
            }
            Account::Usable if self.dice.random_bool(0.5) => {
                google.forbid_controller_to_act_as(name)?;
                Account::Forbidden
            }
            Account::Forbidden if self.dice.random_bool(0.7) => {
                google.let_controller_act_as(name)?;
                Account::Usable
            }
            Account::Usable | Account::Forbidden => {
                google.google().delete_account(&account_of(name))?;
                Account::Absent
            }
        };
        tenant.before.push((tenant.account, now));
        tenant.account = next;
        Ok(())
    }

    async fn change_kubernetes_account(&mut self, at: usize) -> Result<()> {
        let tenant = &mut self.tenants[at];
        let accounts: Api<ServiceAccount> = Api::namespaced(self.world.client(), &tenant.name);
        if tenant.has_kubernetes_account {
            accounts.delete(ACCOUNT, &DeleteParams::default()).await?;
        } else {
            let account = serde_json::from_value(json!({"metadata": {"name": ACCOUNT}}))?;
            accounts
                .create(&kube::api::PostParams::default(), &account)
                .await?;
        }
        tenant.has_kubernetes_account = !tenant.has_kubernetes_account;
        Ok(())
    }

    async fn change_annotation(&mut self, at: usize) -> Result<()> {
        let policies = [Fallback::Allow, Fallback::IfAbsent, Fallback::Deny];
        let tenant = &mut self.tenants[at];
        tenant.annotation = policies[self.dice.random_range(0..policies.len())];
        let said = tenant.annotation.to_string();
        let patch =
            json!({"metadata": {"annotations": {credentials::google::FALLBACK_ANNOTATION: said}}});
        let projects: Api<Project> = Api::all(self.world.client());
        let parameters = PatchParams::default();
        projects
            .patch(&tenant.name, &parameters, &Patch::Merge(patch))
            .await?;
        Ok(())
    }

    async fn change_label(&mut self, at: usize) -> Result<()> {
        let tenant = &mut self.tenants[at];
        tenant.is_labelled = !tenant.is_labelled;
        let said = tenant.is_labelled.to_string();
        let patch = json!({"metadata": {"labels": {"kargo.akuity.io/project": said}}});
        let namespaces: Api<Namespace> = Api::all(self.world.client());
        let parameters = PatchParams::default();
        namespaces
            .patch(&tenant.name, &parameters, &Patch::Merge(patch))
            .await?;
        Ok(())
    }

    /// Mends what was broken, and more often than not breaks something else.
    fn break_something(&mut self) {
        self.google.mend();
        for _ in 0..self.dice.random_range(0..5) {
            let fault = self.fault();
            self.google.inject(fault);
        }
    }

    fn fault(&mut self) -> Fault {
        let iam = IAM_CREDENTIALS;
        let services = [iam, iam, iam, iam, STS, STS, METADATA, REGISTRY];
        let service = services[self.dice.random_range(0..services.len())];
        let effect = match self.dice.random_range(0..11) {
            0 => Effect::Unavailable,
            1 => Effect::TooManyRequests { retry_after: None },
            2 => Effect::BadGatewayPage,
            3 => Effect::ConnectionReset,
            4 => Effect::NullBody,
            5 => Effect::TruncatedJson,
            6 => Effect::Latency {
                milliseconds: 20,
                p99_milliseconds: None,
            },
            7 => Effect::ServiceDisabled,
            8 => Effect::RegistryNoChallenge,
            9 => Effect::Vpcsc {
                uid: "x1".to_owned(),
            },
            _ => Effect::MetadataNotReady {
                how: NotReady::NotFound,
            },
        };
        let mut fault = effect.on(service);
        fault.probability = Some(self.dice.random_range(0.4..0.9));
        fault
    }

    /// Mends everything: whoever has an identity of its own acts with it at the next look.
    async fn recover(&mut self) -> Result<()> {
        self.google.mend();
        for (tenant, looked) in self.look().await? {
            if tenant.is_labelled && tenant.account == Account::Usable {
                let outcome = looked.outcome;
                ensure!(
                    outcome == Outcome::OwnServiceAccount,
                    "{tenant:?}: {outcome:?}"
                );
                looked.found.with_context(|| format!("{tenant:?}"))?;
            }
        }
        Ok(())
    }

    /// Lets every Project look once, and judges all that was asked.
    async fn look(&mut self) -> Result<Vec<(Tenant, Looked)>> {
        self.clock.advance(1);
        let looks = stream::iter(self.tenants.clone()).map(|tenant| {
            let (credentials, registries) = (&self.credentials, &self.registries);
            async move {
                let looked = look(credentials, registries, &tenant.name).await?;
                anyhow::Ok((tenant, looked))
            }
        });
        let looked: Vec<_> = looks.buffer_unordered(16).collect().await;
        let looked: Vec<(Tenant, Looked)> = looked.into_iter().collect::<Result<_>>()?;
        for (_, looked) in &looked {
            *self.seen.entry(looked.outcome.reason()).or_default() += 1;
        }
        self.judge(&looked)?;
        self.clock.advance(STEP - 1);
        Ok(looked)
    }

    /// Says whether every request came from somebody who might ask, and none from a Project for which nobody acts.
    fn judge(&self, looked: &[(Tenant, Looked)]) -> Result<()> {
        for asked in self.google.take_asked(REGISTRY) {
            let Some((_, path)) = asked.path.split_once("/v2/acme-prod/") else {
                continue;
            };
            let whose = looked
                .iter()
                .find(|(tenant, _)| path.starts_with(&format!("{}/", tenant.name)));
            let (tenant, looked) = whose.with_context(|| format!("nobody's: {asked:?}"))?;
            ensure!(
                looked.outcome.acts(),
                "{:?} and yet: {asked:?}",
                looked.outcome
            );
            let may = asked
                .principal
                .as_ref()
                .is_none_or(|who| tenant.may_ask(who, asked.at));
            ensure!(may, "{tenant:?} does not let in {asked:?}");
        }
        Ok(())
    }
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

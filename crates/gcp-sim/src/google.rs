//! The handle that every service holds: the world, the tokens, the faults and the time.

mod answering;
mod caller;
mod change;
mod operations;
mod proof;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use jiff::{SignedDuration, Timestamp};
use parking_lot::{Mutex, RwLock};

use crate::audit::Audit;
use crate::clock::Clock;
use crate::cloud_asset::History;
use crate::evaluate;
use crate::faults::{Effect, Fault, Faults, Occasion};
use crate::keys::Keys;
use crate::principal::Principal;
use crate::pubsub::Messages;
use crate::refusal::Refusal;
use crate::resource::ResourceName;
use crate::service::Service;
use crate::tokens::{Issued, Tokens};
use crate::world::World;

use operations::Operations;

pub use caller::Caller;
pub(crate) use caller::{CLOUD_PLATFORM, CLOUD_PLATFORM_READ_ONLY};
pub use change::NotInWorld;
pub(crate) use operations::Progress;

/// Google, as far as it is simulated. Clones are the same Google.
#[derive(Debug, Clone)]
pub struct Google {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    world: RwLock<World>,
    tokens: Mutex<Tokens>,
    faults: Mutex<Faults>,
    /// How many questions of policies were answered: replicas take turns.
    questions: AtomicU32,
    keys: Keys,
    audit: Audit,
    messages: Messages,
    operations: Operations,
    /// How the world was, while Cloud Asset lags behind.
    history: History,
    clock: Clock,
}

impl Google {
    /// Makes a Google of a world. `seed` decides which requests random faults hit.
    pub fn new(world: World, clock: Clock, seed: u64) -> Self {
        let inner = Inner {
            world: RwLock::new(world),
            tokens: Mutex::default(),
            faults: Mutex::new(Faults::with_seed(seed)),
            questions: AtomicU32::default(),
            keys: Keys::default(),
            audit: Audit::default(),
            messages: Messages::default(),
            operations: Operations::default(),
            history: History::default(),
            clock,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// What time Google thinks it is, which a fault may make differ from its clock while a request is answered.
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now() + answering::skew()
    }

    /// Looks at the world. Do not call back into `Google` from within.
    pub fn read<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        look(&self.inner.world.read())
    }

    /// Changes the world. Do not call back into `Google` from within.
    pub fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.inner.world.write();
        if self
            .inner
            .faults
            .lock()
            .has(|effect| matches!(effect, Effect::AssetStale { .. }))
        {
            self.inner.history.keep(&world, self.now());
        } else {
            self.inner.history.forget();
        }
        change(&mut world)
    }

    /// Looks at the world as Cloud Asset knows it: as it is, unless a fault makes it lag behind.
    pub(crate) fn read_assets<T>(
        &self,
        occasion: &Occasion<'_>,
        look: impl FnOnce(&World) -> T,
    ) -> T {
        let stale = |effect: &Effect| matches!(effect, Effect::AssetStale { .. });
        let earlier = match self.fault(occasion, stale) {
            Some(Effect::AssetStale { seconds }) => {
                let moment = self.now() - SignedDuration::from_secs(seconds.into());
                self.inner.history.at(moment)
            }
            _ => None,
        };
        match earlier {
            Some(world) => look(&world),
            None => self.read(look),
        }
    }

    /// What was published and is not acknowledged yet.
    pub(crate) fn messages(&self) -> &Messages {
        &self.inner.messages
    }

    pub(crate) fn audit(&self) -> &Audit {
        &self.inner.audit
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.inner.keys
    }

    /// Gives out a token that is worth what `principal` may do, for `lifetime` from now.
    pub fn issue(
        &self,
        principal: Principal,
        scopes: Vec<String>,
        lifetime: SignedDuration,
        chain: Vec<Principal>,
    ) -> String {
        let now = self.now();
        self.inner.tokens.lock().issue(Issued {
            principal,
            scopes,
            issued_at: now,
            expires_at: now + lifetime,
            chain,
        })
    }

    /// Gives out a refresh token of a person, as logging in does.
    pub(crate) fn log_in(&self, principal: Principal) -> String {
        self.inner.tokens.lock().issue_refresh(principal)
    }

    /// Finds who logged in and got a refresh token.
    pub(crate) fn logged_in(&self, refresh_token: &str) -> Option<Principal> {
        let tokens = self.inner.tokens.lock();
        tokens.refreshes(refresh_token).cloned()
    }

    /// Revokes a refresh token, as its owner or an administrator does.
    pub fn log_out(&self, refresh_token: &str) {
        self.inner.tokens.lock().revoke_refresh(refresh_token);
    }

    /// Finds what a token is worth, expired or not.
    pub fn token(&self, token: &str) -> Option<Issued> {
        self.inner.tokens.lock().find(token).cloned()
    }

    /// Finds when the last token was given out for a principal.
    pub(crate) fn last_used(&self, principal: &Principal) -> Option<Timestamp> {
        self.inner.tokens.lock().last_of(principal)
    }

    /// Says whether the caller has a permission on a resource, by what the policies say now.
    pub fn allows(&self, caller: &Caller, permission: &str, resource: &ResourceName) -> bool {
        self.has_permission(caller.principal(), permission, resource)
    }

    pub(crate) fn has_permission(
        &self,
        principal: &Principal,
        permission: &str,
        resource: &ResourceName,
    ) -> bool {
        let question = self.inner.questions.fetch_add(1, Ordering::Relaxed);
        let propagation = answering::propagation().at(question);
        let now = self.now();
        self.read(|world| {
            evaluate::allows(world, principal, permission, resource, now, propagation)
        })
    }

    /// Refuses a caller who lacks a permission on a resource, naming both.
    pub fn require(
        &self,
        caller: &Caller,
        permission: &str,
        resource: &ResourceName,
    ) -> Result<(), Refusal> {
        if self.lets(caller, permission, resource) {
            return Ok(());
        }
        if matches!(resource, ResourceName::ServiceAccount { .. }) {
            return Err(Refusal::permission_denied(permission));
        }
        let service = resource.service();
        Err(Refusal::permission_denied_on(
            permission,
            &format!("//{service}/{resource}"),
        ))
    }

    /// Says whether the caller has a permission, and no fault hides it.
    pub(crate) fn lets(&self, caller: &Caller, permission: &str, resource: &ResourceName) -> bool {
        self.allows(caller, permission, resource) && !self.hides(permission, resource)
    }

    fn hides(&self, permission: &str, resource: &ResourceName) -> bool {
        let hidden = |effect: &Effect| match effect {
            Effect::PartialPermissions { permissions } => {
                permissions.iter().any(|hidden| hidden == permission)
            }
            _ => false,
        };
        self.fault_about(&resource.to_string(), hidden).is_some()
    }

    /// Refuses when an API is not enabled in a project, given by id or number. A project that does not exist has none.
    ///
    /// The occasion names the API and what is asked of it, so that faults hit only in their scope; it is about the project
    /// too.
    pub fn require_api(&self, project: &str, occasion: &Occasion<'_>) -> Result<(), Refusal> {
        let service = occasion.service;
        let (enabled, id, number) = self.read(|world| {
            world
                .project(project)
                .map_or((false, project.to_owned(), 0), |project| {
                    let enabled = project.services.contains(service);
                    (enabled, project.id.clone(), project.number)
                })
        });
        let owner = format!("projects/{id}");
        let occasion = Occasion {
            about: &[&owner],
            ..*occasion
        };
        let broken = self.fault(&occasion, |effect| {
            matches!(effect, Effect::ServiceDisabled)
        });
        if enabled && broken.is_none() {
            return Ok(());
        }
        let title = Service::title_of(service);
        Err(Refusal::service_disabled(service, title, number))
    }

    /// Finds a fault of a wanted kind that hits this request, and counts the hit.
    pub fn fault(
        &self,
        occasion: &Occasion<'_>,
        wanted: impl Fn(&Effect) -> bool,
    ) -> Option<Effect> {
        // Whoever says when a fault begins and ends does so by the clock that is right.
        let now = self.inner.clock.now();
        let struck = self.inner.faults.lock().strike(occasion, now, wanted);
        if let Some(effect) = &struck {
            tracing::info!(
                ?effect,
                service = occasion.service,
                path = occasion.path,
                about = ?occasion.about,
                "fault"
            );
        }
        struck
    }

    /// Throws a die, the same way for the same seed.
    pub(crate) fn throw(&self, sides: u32) -> u32 {
        self.inner.faults.lock().throw(sides)
    }

    /// Lets something go wrong from now on. The number takes it away again.
    pub fn inject(&self, mut fault: Fault) -> u64 {
        if let Effect::BindingRevoked { after_seconds } = &fault.effect {
            let after = SignedDuration::from_secs((*after_seconds).into());
            fault.from = Some(fault.from.unwrap_or_else(|| self.inner.clock.now()) + after);
        }
        self.inner.faults.lock().add(fault)
    }

    /// Mends a fault; says whether it was still in force.
    pub fn mend(&self, fault: u64) -> bool {
        self.inner.faults.lock().remove(fault).is_some()
    }

    /// Lists the faults that are in force, with the numbers that mend them.
    pub fn faults(&self) -> Vec<(u64, Fault)> {
        let now = self.inner.clock.now();
        self.inner.faults.lock().list(now).to_vec()
    }
}

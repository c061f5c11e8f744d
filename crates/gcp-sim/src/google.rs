//! The handle that every service holds: the world, the tokens, the faults and the time.

mod caller;
mod change;
mod proof;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use parking_lot::{Mutex, RwLock};

use crate::audit::Audit;
use crate::clock::Clock;
use crate::evaluate::{self, Propagation};
use crate::faults::{Effect, Fault, Faults, Occasion};
use crate::keys::Keys;
use crate::principal::Principal;
use crate::refusal::Refusal;
use crate::resource::ResourceName;
use crate::service::Service;
use crate::tokens::{Issued, Tokens};
use crate::world::World;

pub use caller::Caller;
pub(crate) use caller::{CLOUD_PLATFORM, CLOUD_PLATFORM_READ_ONLY};
pub use change::NotInWorld;

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
    propagation: Mutex<Propagation>,
    keys: Keys,
    audit: Audit,
    clock: Clock,
}

impl Google {
    /// Makes a Google of a world. `seed` decides which requests random faults hit.
    pub fn new(world: World, clock: Clock, seed: u64) -> Self {
        let inner = Inner {
            world: RwLock::new(world),
            tokens: Mutex::default(),
            faults: Mutex::new(Faults::with_seed(seed)),
            propagation: Mutex::default(),
            keys: Keys::default(),
            audit: Audit::default(),
            clock,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// Looks at the world. Do not call back into `Google` from within.
    pub fn read<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        look(&self.inner.world.read())
    }

    /// Changes the world. Do not call back into `Google` from within.
    pub fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        change(&mut self.inner.world.write())
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
        let propagation = *self.inner.propagation.lock();
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
        if self.allows(caller, permission, resource) && !self.hides(caller, permission) {
            return Ok(());
        }
        let service = match resource {
            ResourceName::Repository { .. } => "artifactregistry.googleapis.com",
            ResourceName::ServiceAccount { .. } => {
                return Err(Refusal::permission_denied(permission));
            }
            _ => "cloudresourcemanager.googleapis.com",
        };
        Err(Refusal::permission_denied_on(
            permission,
            &format!("//{service}/{resource}"),
        ))
    }

    fn hides(&self, caller: &Caller, permission: &str) -> bool {
        let principal = caller.principal().to_string();
        let occasion = Occasion {
            principal: Some(&principal),
            ..Occasion::default()
        };
        let hidden = |effect: &Effect| match effect {
            Effect::PartialPermissions { permissions } => {
                permissions.iter().any(|hidden| hidden == permission)
            }
            _ => false,
        };
        self.fault(&occasion, hidden).is_some()
    }

    /// Refuses when an API is not enabled in a project, given by id or number. A project that does not exist has none.
    pub fn require_api(&self, project: &str, service: &str) -> Result<(), Refusal> {
        let (enabled, number) = self.read(|world| {
            world.project(project).map_or((false, 0), |project| {
                (project.services.contains(service), project.number)
            })
        });
        let occasion = Occasion {
            service,
            path: project,
            ..Occasion::default()
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
        let now = self.now();
        let struck = self.inner.faults.lock().strike(occasion, now, wanted);
        if let Some(effect) = &struck {
            tracing::info!(
                ?effect,
                service = occasion.service,
                path = occasion.path,
                "fault"
            );
        }
        struck
    }

    /// Lets something go wrong from now on. The number takes it away again.
    pub fn inject(&self, fault: Fault) -> u64 {
        match &fault.effect {
            Effect::ClockSkew { seconds } => {
                self.inner.clock.skew(SignedDuration::from_secs(*seconds));
            }
            Effect::PropagationDelay {
                grant_seconds,
                revoke_seconds,
            } => {
                *self.inner.propagation.lock() = Propagation {
                    grant: SignedDuration::from_secs((*grant_seconds).into()),
                    revoke: SignedDuration::from_secs((*revoke_seconds).into()),
                };
            }
            _ => {}
        }
        self.inner.faults.lock().add(fault)
    }

    /// Mends a fault; says whether it was still in force.
    pub fn mend(&self, fault: u64) -> bool {
        let Some(removed) = self.inner.faults.lock().remove(fault) else {
            return false;
        };
        match removed.effect {
            Effect::ClockSkew { .. } => self.inner.clock.skew(SignedDuration::ZERO),
            Effect::PropagationDelay { .. } => {
                *self.inner.propagation.lock() = Propagation::default();
            }
            _ => {}
        }
        true
    }

    /// Lists the faults that are in force, with the numbers that mend them.
    pub fn faults(&self) -> Vec<(u64, Fault)> {
        self.inner.faults.lock().list().to_vec()
    }
}

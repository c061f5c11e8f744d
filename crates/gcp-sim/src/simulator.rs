//! Starting and stopping: one world, one Google, a handful of listeners on loopback.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use jiff::SignedDuration;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::clock::Clock;
use crate::google::{CLOUD_PLATFORM, Google};
use crate::listeners::{self, StartError};
use crate::principal::Principal;
use crate::registry::Registry;
use crate::world::{SeedImage, World};
use crate::{admin, apis, metadata, pubsub};

/// Where to listen, and by which clock. The default is any free port of 127.0.0.1 and the machine's clock.
#[derive(Debug, Clone)]
pub struct Options {
    pub apis: SocketAddr,
    pub registry: SocketAddr,
    pub admin: SocketAddr,
    pub clock: Clock,
    /// Decides which requests random faults hit.
    pub seed: u64,
}

const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

impl Default for Options {
    fn default() -> Self {
        Self {
            apis: ANY_PORT,
            registry: ANY_PORT,
            admin: ANY_PORT,
            clock: Clock::of_the_machine(),
            seed: 1,
        }
    }
}

/// A Google that listens until it is dropped.
#[derive(Debug)]
pub struct Simulator {
    /// One listener for all APIs, which tells them apart by host, first path segment or path.
    pub apis: SocketAddr,
    /// Artifact Registry's Docker API.
    pub registry: SocketAddr,
    /// Faults, and changes of the world.
    pub admin: SocketAddr,
    /// The metadata server of each pod, by its name.
    pub metadata: BTreeMap<String, SocketAddr>,
    google: Google,
    content: Registry,
    stop: DropGuard,
}

impl Simulator {
    /// Starts to listen.
    ///
    /// # Errors
    /// [`StartError::NotLoopback`] for an address that other machines could reach.
    pub async fn start(world: World, options: Options) -> Result<Self, StartError> {
        let google = Google::new(world, options.clock, options.seed);
        let registry = Registry::new(google.clone());
        let (apis, apis_address) = listeners::bind(options.apis).await?;
        let (docker, registry_address) = listeners::bind(options.registry).await?;
        let (admin, admin_address) = listeners::bind(options.admin).await?;
        let stop = CancellationToken::new();
        let serve = |listener, router| {
            listeners::serve(listener, router, google.clone(), stop.clone());
        };
        serve(docker, registry.docker());
        serve(apis, apis::router(google.clone(), registry.clone()));
        serve(admin, admin::router(google.clone()));
        tokio::spawn(pubsub::push(google.clone(), stop.clone()));
        let mut metadata = BTreeMap::new();
        for (pod, address) in pods(&google) {
            let (listener, bound) = listeners::bind(address).await?;
            serve(
                listener,
                metadata::router(google.clone(), Some(pod.clone())),
            );
            metadata.insert(pod, bound);
        }
        Ok(Self {
            apis: apis_address,
            registry: registry_address,
            admin: admin_address,
            metadata,
            google,
            content: registry,
            stop: stop.drop_guard(),
        })
    }

    /// What is simulated: to look at it, to change it, and to let things go wrong.
    pub fn google(&self) -> &Google {
        &self.google
    }

    /// Gives out a token for `user:…` or `serviceAccount:…` with the scope `cloud-platform`, good for an hour.
    pub fn token_of(&self, member: &str) -> Option<String> {
        let principal = Principal::parse_member(member)?;
        let scopes = vec![CLOUD_PLATFORM.to_owned()];
        let hour = SignedDuration::from_hours(1);
        Some(self.google.issue(principal, scopes, hour, Vec::new()))
    }

    /// Gives out a refresh token for `user:…`, as a credential file of Google's tools holds one.
    pub fn refresh_token_of(&self, member: &str) -> Option<String> {
        let principal = Principal::parse_member(member)?;
        Some(self.google.log_in(principal))
    }

    /// Pushes to the repository that project, location and name tell, at the time that the image says, or now.
    pub fn push(&self, repository: (&str, &str, &str), image: &SeedImage) {
        self.content.push(repository, image);
    }

    /// Deletes what a tag of an image names, with all its tags; `false` if there is none.
    pub fn delete(&self, repository: (&str, &str, &str), image: &str, tag: &str) -> bool {
        self.content.delete(repository, image, tag)
    }

    /// Stops listening, as dropping does.
    pub fn stop(self) {
        drop(self.stop);
    }
}

/// Each pod, and where its metadata server is to listen.
fn pods(google: &Google) -> Vec<(String, SocketAddr)> {
    google.read(|world| {
        let pods = world.pods.iter().map(|pod| {
            let port = pod.port.unwrap_or_default();
            (pod.name.clone(), SocketAddr::new(ANY_PORT.ip(), port))
        });
        pods.collect()
    })
}

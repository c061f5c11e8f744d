//! Google on loopback as an installation finds it: the Pod of the controller, accounts of Projects, repositories.
//!
//! Each Project has a repository with one image in it, which the controller may read. Accounts come and go as a test says.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
pub use gcp_sim::{
    Asked, Clock, ConsumerReason, Effect, Fault, NotReady, ResourceName, Scope, SeedImage,
    TOKEN_PREFIX,
};
use gcp_sim::{Options, Simulator, World};
use jiff::Timestamp;
use url::Url;

/// The Google Cloud project that everything is in.
pub const GCP_PROJECT: &str = "acme-prod";
/// The host of all repositories.
pub const HOST: &str = "europe-docker.pkg.dev";
/// What tokens of the cluster say as `iss`.
pub const ISSUER: &str =
    "https://container.googleapis.com/v1/projects/acme-prod/locations/europe-west1/clusters/main";
/// The APIs that identities are had from.
pub const IAM_CREDENTIALS: &str = "iamcredentials.googleapis.com";
pub const STS: &str = "sts.googleapis.com";
pub const METADATA: &str = "metadata";
pub const REGISTRY: &str = "artifactregistry.googleapis.com";

const POOL: &str = "principal://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/acme-prod.svc.id.goog";
const MAY_READ: &str = "roles/artifactregistry.reader";
const MAY_ACT_AS: &str = "roles/iam.workloadIdentityUser";

/// The member of policies that a Kubernetes account is.
pub fn member(namespace: &str, account: &str) -> String {
    format!("{POOL}/subject/ns/{namespace}/sa/{account}")
}

/// The controller's own member.
pub fn controller() -> String {
    member("argosy", "controller")
}

/// The email of the account that a Project acts as.
pub fn account_of(project: &str) -> String {
    format!("kargo-project-{project}@{GCP_PROJECT}.iam.gserviceaccount.com")
}

/// The image in a Project's repository.
pub fn image_of(project: &str) -> String {
    format!("{HOST}/{GCP_PROJECT}/{project}/web")
}

/// A Google that listens, and its time.
#[derive(Debug)]
pub struct Google {
    simulator: Simulator,
}

impl Google {
    /// Starts with a repository for each of the Projects, which none of them can read yet.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(clock: Clock, projects: &[&str]) -> Result<Self> {
        let one = "[{name: web, tags: [1.0.0]}]";
        let projects: Vec<_> = projects.iter().map(|project| (*project, one)).collect();
        Self::start_holding(clock, &projects).await
    }

    /// Starts with a repository for each of the Projects that holds these images, written as in a world file.
    ///
    /// # Errors
    /// When the images make no sense, or no port is free.
    pub async fn start_holding(clock: Clock, projects: &[(&str, &str)]) -> Result<Self> {
        // The simulator fetches keys with a client of its own, which takes what the process has.
        rustls::crypto::aws_lc_rs::default_provider()
            .install_default()
            .ok();
        let world = World::from_yaml("world.yaml", &world(projects))?;
        let options = Options {
            clock,
            ..Options::default()
        };
        let simulator = Simulator::start(world, options).await?;
        Ok(Self { simulator })
    }

    /// What is simulated, to look at it and to change it.
    pub fn google(&self) -> &gcp_sim::Google {
        self.simulator.google()
    }

    pub fn now(&self) -> Timestamp {
        self.google().now()
    }

    /// Where the controller's Pod finds its metadata server: a host and a port.
    pub fn metadata_host(&self) -> Result<String> {
        let address = self.simulator.metadata.get("controller");
        Ok(address.context("the Pod of the controller")?.to_string())
    }

    /// Where all APIs are.
    pub fn apis(&self) -> Result<Url> {
        Ok(format!("http://{}", self.simulator.apis).parse()?)
    }

    /// Where the registry is that is called [`HOST`].
    pub fn registry(&self) -> Result<Url> {
        Ok(format!("http://{}", self.simulator.registry).parse()?)
    }

    /// Gives out a token for `user:…` or `serviceAccount:…`.
    pub fn token_of(&self, member: &str) -> Option<String> {
        self.simulator.token_of(member)
    }

    /// Makes a Project's account, lets it read the Project's repository and lets the controller act as it.
    pub fn give_account(&self, project: &str) -> Result<()> {
        let google = self.google();
        google.create_account(GCP_PROJECT, &format!("kargo-project-{project}"))?;
        let member = format!("serviceAccount:{}", account_of(project));
        google.grant(MAY_READ, &member, &repository(project))?;
        self.let_controller_act_as(project)
    }

    /// Lets the controller act as a Project's account.
    pub fn let_controller_act_as(&self, project: &str) -> Result<()> {
        let account = ResourceName::service_account(GCP_PROJECT, &account_of(project));
        Ok(self.google().grant(MAY_ACT_AS, &controller(), &account)?)
    }

    /// Forbids the controller to act as a Project's account.
    pub fn forbid_controller_to_act_as(&self, project: &str) -> Result<()> {
        let account = ResourceName::service_account(GCP_PROJECT, &account_of(project));
        Ok(self.google().revoke(MAY_ACT_AS, &controller(), &account)?)
    }

    /// Lets a member read a Project's repository.
    pub fn let_read(&self, member: &str, project: &str) -> Result<()> {
        Ok(self
            .google()
            .grant(MAY_READ, member, &repository(project))?)
    }

    /// Forbids a member to read a Project's repository.
    pub fn forbid_to_read(&self, member: &str, project: &str) -> Result<()> {
        Ok(self
            .google()
            .revoke(MAY_READ, member, &repository(project))?)
    }

    /// Pushes to a Project's repository, at the time that the image says, or now.
    pub fn push(&self, project: &str, image: &SeedImage) {
        let repository = (GCP_PROJECT, "europe", project);
        self.simulator.push(repository, image);
    }

    /// Deletes what a tag in a Project's repository names; `false` if there is none.
    pub fn delete(&self, project: &str, image: &str, tag: &str) -> bool {
        let repository = (GCP_PROJECT, "europe", project);
        self.simulator.delete(repository, image, tag)
    }

    /// Takes the cluster's public keys from this address.
    pub fn trust_keys_at(&self, keys: &Url) {
        self.google().change(|world| {
            let clusters = world.projects.iter_mut().flat_map(|it| &mut it.clusters);
            clusters.for_each(|cluster| cluster.jwks_url = Some(keys.to_string()));
        });
    }

    /// Lets something go wrong, until it has struck as often as it does or is mended.
    pub fn inject(&self, fault: Fault) -> u64 {
        self.google().inject(fault)
    }

    /// Mends everything that went wrong.
    pub fn mend(&self) {
        for (number, _) in self.google().faults() {
            self.google().mend(number);
        }
    }

    /// Gives the requests to a service since any were last taken, oldest first; those to others are forgotten.
    pub fn take_asked(&self, service: &str) -> Vec<Asked> {
        let mut asked = self.google().take_asked();
        asked.retain(|it| it.service == service);
        asked
    }
}

fn repository(project: &str) -> ResourceName {
    ResourceName::repository(GCP_PROJECT, "europe", project)
}

fn world(projects: &[(&str, &str)]) -> String {
    let mut world = format!(
        "projects:\n- id: {GCP_PROJECT}\n  number: 123456789012\n  \
         services: [iam.googleapis.com, {IAM_CREDENTIALS}, {STS}, {REGISTRY}, container.googleapis.com]\n  \
         bindings: [{{role: roles/owner, members: ['user:ops@acme.example']}}]\n  \
         clusters: [{{name: main, location: europe-west1}}]\n  repositories:\n"
    );
    for (project, images) in projects {
        writeln!(
            world,
            "  - name: {project}\n    location: europe\n    images: {images}\n    \
             bindings: [{{role: {MAY_READ}, members: ['{}']}}]",
            controller()
        )
        .expect("writing to a string cannot fail");
    }
    world.push_str(
        "pods: [{name: controller, cluster: acme-prod/europe-west1/main, namespace: argosy, serviceAccount: controller}]\n",
    );
    world
}

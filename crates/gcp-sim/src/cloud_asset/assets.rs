//! Everything in the world as the inventory lists it: full names, types, and where in the hierarchy it stands.
//!
//! Sources: <https://cloud.google.com/asset-inventory/docs/asset-names>,
//! <https://cloud.google.com/asset-inventory/docs/asset-types>

use serde_json::{Map, Value, json};

use crate::resource::ResourceName;
use crate::world::{Cluster, Project, Repository, ServiceAccount, World};

/// A thing in the inventory.
#[derive(Debug, Clone)]
pub(super) struct Asset {
    /// `//iam.googleapis.com/projects/acme/serviceAccounts/EMAIL`.
    pub(super) name: String,
    /// `iam.googleapis.com/ServiceAccount`.
    pub(super) kind: &'static str,
    /// `projects/123`; none for folders and organizations.
    pub(super) project: Option<String>,
    /// Nearest first.
    pub(super) folders: Vec<String>,
    pub(super) organization: Option<String>,
    pub(super) parent: Option<Parent>,
    /// `displayName`, `location`, `labels`, `state` and the like.
    pub(super) fields: Map<String, Value>,
    /// By which its policy is found; none for what has no policy here.
    pub(super) resource: Option<ResourceName>,
}

/// What an asset lies in directly.
#[derive(Debug, Clone)]
pub(super) struct Parent {
    pub(super) name: String,
    pub(super) kind: &'static str,
}

/// The full name of a resource with a policy; projects go by their number there.
pub(super) fn full_name(world: &World, resource: &ResourceName) -> String {
    let service = resource.service();
    match resource {
        ResourceName::Project { project } => {
            let number = world.project(project).map_or(0, |it| it.number);
            format!("//{service}/projects/{number}")
        }
        other => format!("//{service}/{other}"),
    }
}

/// Finds the resource that a full name means. Projects are found by id and by number, accounts by email and unique id.
pub(super) fn find(world: &World, name: &str) -> Option<ResourceName> {
    let (service, relative) = name.strip_prefix("//")?.split_once('/')?;
    let named = ResourceName::parse(relative).filter(|it| it.service() == service)?;
    let found = match named {
        ResourceName::Project { project } => ResourceName::project(&world.project(&project)?.id),
        ResourceName::ServiceAccount { project, email } => {
            let project = world.project(&project)?;
            let account = project.service_account(&email)?;
            ResourceName::service_account(&project.id, &account.email)
        }
        other => other,
    };
    world.policy(&found).is_some().then_some(found)
}

/// Lists everything below a scope, the scope included.
pub(super) fn below(world: &World, scope: &ResourceName) -> Vec<Asset> {
    let mut assets = Vec::new();
    for organization in &world.organizations {
        let number = organization.number.clone();
        let mut asset = Asset::of(world, ResourceName::Organization { number });
        asset.set("displayName", json!(organization.display_name));
        asset.set("state", json!("ACTIVE"));
        assets.push(asset);
    }
    for folder in &world.folders {
        let number = folder.number.clone();
        let mut asset = Asset::of(world, ResourceName::Folder { number });
        asset.set("displayName", json!(folder.display_name));
        asset.set("state", json!("ACTIVE"));
        assets.push(asset);
    }
    for project in &world.projects {
        in_project(world, project, &mut assets);
    }
    let root = full_name(world, scope);
    assets.retain(|asset| asset.name == root || asset.is_below(scope, world));
    assets
}

fn in_project(world: &World, project: &Project, assets: &mut Vec<Asset>) {
    let mut own = Asset::of(world, ResourceName::project(&project.id));
    let shown = match project.display_name.as_str() {
        "" => &project.id,
        name => name,
    };
    own.set("displayName", json!(shown));
    own.set("state", json!("ACTIVE"));
    own.set("additionalAttributes", json!({ "projectId": project.id }));
    if !project.labels.is_empty() {
        own.set("labels", json!(project.labels));
    }
    without_policies(project, &own, assets);
    assets.push(own);
    for account in project.service_accounts.iter().filter(|it| !it.deleted) {
        let resource = ResourceName::service_account(&project.id, &account.email);
        let asset = Asset::of(world, resource).with_account(account);
        assets.extend(keys(account, &asset));
        assets.push(asset);
    }
    for repository in &project.repositories {
        let Repository { location, name, .. } = repository;
        let resource = ResourceName::repository(&project.id, location, name);
        let mut asset = Asset::of(world, resource);
        asset.set("displayName", json!(name));
        asset.set("location", json!(location));
        assets.push(asset);
    }
    let topics = project.topics.iter();
    let topics = topics.map(|it| ResourceName::topic(&project.id, &it.name));
    let subscriptions = project.subscriptions.iter();
    let subscriptions = subscriptions.map(|it| ResourceName::subscription(&project.id, &it.name));
    assets.extend(topics.chain(subscriptions).map(|it| Asset::of(world, it)));
}

/// Adds what of a project has no policy here: roles of its own, clusters, and their node pools.
fn without_policies(project: &Project, own: &Asset, assets: &mut Vec<Asset>) {
    for role in project.roles.iter().filter(|role| !role.deleted) {
        let name = format!(
            "//iam.googleapis.com/projects/{}/roles/{}",
            project.id, role.id
        );
        let mut asset = own.inner(name, "iam.googleapis.com/Role");
        asset.set("displayName", json!(role.title));
        assets.push(asset);
    }
    for cluster in &project.clusters {
        let name = cluster_name(project, cluster);
        let mut asset = own.inner(name.clone(), "container.googleapis.com/Cluster");
        asset.set("displayName", json!(cluster.name));
        asset.set("location", json!(cluster.location));
        asset.set("state", json!("RUNNING"));
        for pool in &cluster.node_pools {
            let pool_name = format!("{name}/nodePools/{}", pool.name);
            let mut inner = asset.inner(pool_name, "container.googleapis.com/NodePool");
            inner.set("displayName", json!(pool.name));
            inner.set("location", json!(cluster.location));
            assets.push(inner);
        }
        assets.push(asset);
    }
}

fn cluster_name(project: &Project, cluster: &Cluster) -> String {
    format!(
        "//container.googleapis.com/projects/{}/locations/{}/clusters/{}",
        project.id, cluster.location, cluster.name
    )
}

/// The keys of an account that people took home.
fn keys<'a>(account: &'a ServiceAccount, of: &'a Asset) -> impl Iterator<Item = Asset> + 'a {
    account.keys.iter().map(|key| {
        let name = format!("{}/keys/{}", of.name, key.id);
        let mut asset = of.inner(name, "iam.googleapis.com/ServiceAccountKey");
        asset.set("createTime", json!(key.created));
        asset
    })
}

impl Asset {
    /// Something without a policy that lies in this.
    fn inner(&self, name: String, kind: &'static str) -> Self {
        Self {
            name,
            kind,
            project: self.project.clone(),
            folders: self.folders.clone(),
            organization: self.organization.clone(),
            parent: Some(Parent {
                name: self.name.clone(),
                kind: self.kind,
            }),
            fields: Map::new(),
            resource: None,
        }
    }

    fn of(world: &World, resource: ResourceName) -> Self {
        let lineage = world.lineage(&resource);
        let number = resource
            .project_id()
            .and_then(|project| world.project(project))
            .map(|project| project.number);
        let folders = lineage
            .iter()
            .filter(|name| matches!(name, ResourceName::Folder { .. }) && **name != resource);
        let organization = lineage
            .iter()
            .find(|name| matches!(name, ResourceName::Organization { .. }));
        let parent = lineage.get(1).map(|name| Parent {
            name: full_name(world, name),
            kind: name.kind(),
        });
        Self {
            name: full_name(world, &resource),
            kind: resource.kind(),
            project: number.map(|number| format!("projects/{number}")),
            folders: folders.map(ToString::to_string).collect(),
            organization: organization.map(ToString::to_string),
            parent,
            fields: Map::new(),
            resource: Some(resource),
        }
    }

    fn with_account(mut self, account: &ServiceAccount) -> Self {
        if !account.display_name.is_empty() {
            self.set("displayName", json!(account.display_name));
        }
        if !account.description.is_empty() {
            self.set("description", json!(account.description));
        }
        let attributes = json!({ "email": account.email, "uniqueId": account.unique_id });
        self.set("additionalAttributes", attributes);
        let state = if account.disabled {
            "DISABLED"
        } else {
            "ENABLED"
        };
        self.set("state", json!(state));
        self
    }

    fn set(&mut self, field: &str, value: Value) {
        self.fields.insert(field.to_owned(), value);
    }

    fn is_below(&self, scope: &ResourceName, world: &World) -> bool {
        match scope {
            ResourceName::Organization { .. } => self.organization == Some(scope.to_string()),
            ResourceName::Folder { .. } => self.folders.contains(&scope.to_string()),
            _ => {
                let number = scope
                    .project_id()
                    .and_then(|project| world.project(project))
                    .map(|project| format!("projects/{}", project.number));
                number.is_some() && self.project == number
            }
        }
    }

    /// The members that both kinds of search results have.
    pub(super) fn place(&self) -> Map<String, Value> {
        let mut place = Map::new();
        place.insert("assetType".to_owned(), json!(self.kind));
        if let Some(project) = &self.project {
            place.insert("project".to_owned(), json!(project));
        }
        if !self.folders.is_empty() {
            place.insert("folders".to_owned(), json!(self.folders));
        }
        if let Some(organization) = &self.organization {
            place.insert("organization".to_owned(), json!(organization));
        }
        place
    }
}

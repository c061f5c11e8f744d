//! Gives every Project its namespace, and the roles of the people who work in it.

mod grants;

use std::sync::Arc;

use domain::message::with_next;
use domain::project::{Act, Installation, Plan, Seen, decide, failed, stats};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api,
    api::{DeleteParams, PostParams, Preconditions},
};
use resources::{
    Project,
    names::{FINALIZER, label},
};

use crate::{
    Settings, World,
    error::Error,
    queue::{Key, Next},
    writes,
};

pub(crate) async fn look(world: Arc<World>, key: Key) -> Result<Next, Error> {
    let namespace = world.stores.namespaces.get(&key);
    let Some(project) = world.stores.projects.get(&key) else {
        if let Some(namespace) = namespace.filter(|it| it.metadata.deletion_timestamp.is_some()) {
            release_namespace(&world, &namespace).await?;
        }
        return Ok(Next::OnChange);
    };
    // Whoever deletes the namespace means the Project.
    if let Some(namespace) = namespace
        .as_ref()
        .filter(|it| it.metadata.deletion_timestamp.is_some())
        && domain::project::holds(namespace.metadata.finalizers.as_deref())
        && !project.is_terminating()
    {
        delete_project(&world, &project).await?;
        return Ok(Next::OnChange);
    }
    let now = world.cx.now();
    let warehouses = world.stores.warehouses.in_namespace(&key.name);
    let stages = world.stores.stages.in_namespace(&key.name);
    let stats = stats(
        warehouses.iter().map(AsRef::as_ref),
        stages.iter().map(AsRef::as_ref),
    );
    let plan = decide(&Seen {
        now,
        project: &project,
        namespace: namespace.as_deref(),
        stats,
    });
    apply(&world, &project, namespace.as_deref(), plan).await
}

async fn apply(
    world: &World,
    project: &Project,
    namespace: Option<&Namespace>,
    plan: Plan,
) -> Result<Next, Error> {
    let Plan { status, act } = plan;
    let api: Api<Project> = Api::all(world.cx.management.clone());
    let again = Next::After(std::time::Duration::ZERO);
    match act {
        Act::Hold => {
            world
                .stores
                .projects
                .observe(writes::hold(&api, project).await?);
            return Ok(again);
        }
        Act::Release => {
            withdraw(world, project).await?;
            writes::release(&api, project).await?;
            return Ok(Next::OnChange);
        }
        Act::DeleteNamespace | Act::ReleaseNamespace => {
            withdraw(world, project).await?;
            // Deleted first and let go afterwards: whenever this is interrupted, it is taken up again.
            if let Some(namespace) = namespace.filter(|_| act == Act::DeleteNamespace) {
                delete_namespace(world, namespace).await?;
            }
            let known = namespaces(world).get_opt(project.name()).await;
            let known = known.map_err(|source| Error::api("read the namespace", source))?;
            if let Some(namespace) = known {
                release_namespace(world, &namespace).await?;
            }
            writes::release(&api, project).await?;
            return Ok(Next::OnChange);
        }
        Act::CreateNamespace
        | Act::AdoptNamespace
        | Act::AwaitNamespace
        | Act::Refuse
        | Act::GrantAccess => {}
    }
    let (done, reason) = match act {
        Act::CreateNamespace => (
            create_namespace(world, project.name()).await,
            "EnsuringNamespaceFailed",
        ),
        Act::AdoptNamespace => (adopt(world, namespace).await, "EnsuringNamespaceFailed"),
        Act::GrantAccess => (
            grant(world, project).await,
            "EnsuringSystemPermissionsFailed",
        ),
        _ => (Ok(()), ""),
    };
    let store = &world.stores.projects;
    if let Err(error) = done {
        let message = with_next(
            &error,
            format_args!(
                "it is tried again; see what the controller may: {}",
                error.permissions_to_list(project.name())
            ),
        );
        let status = failed(project, reason, &message, world.cx.now());
        writes::status(
            &api,
            store,
            project.name(),
            project.status.as_ref(),
            &status,
        )
        .await?;
        return Err(error);
    }
    writes::status(
        &api,
        store,
        project.name(),
        project.status.as_ref(),
        &status,
    )
    .await?;
    Ok(match act {
        Act::CreateNamespace | Act::AdoptNamespace => again,
        Act::AwaitNamespace => Next::AfterError,
        _ => Next::After(domain::stage::POLL),
    })
}

fn installation(settings: &Settings) -> Installation {
    let account = settings.account.clone();
    let account = account.unwrap_or_else(|| settings.shard.component("kargo-controller"));
    Installation {
        namespace: settings.namespace.clone(),
        controllers: vec![account],
    }
}

fn namespaces(world: &World) -> Api<Namespace> {
    Api::all(world.cx.management.clone())
}

async fn create_namespace(world: &World, name: &str) -> Result<(), Error> {
    let mut namespace = Namespace::default();
    namespace.metadata.name = Some(name.to_owned());
    namespace.metadata.labels = Some([(label::PROJECT.to_owned(), label::TRUE.to_owned())].into());
    namespace.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
    let created = namespaces(world)
        .create(&PostParams::default(), &namespace)
        .await;
    match created.map_err(|source| Error::api("create the namespace", source)) {
        Ok(created) => world.stores.namespaces.observe(created),
        // It came meanwhile; the next look sees it.
        Err(error) if error.is_conflict() => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

async fn adopt(world: &World, namespace: Option<&Namespace>) -> Result<(), Error> {
    if let Some(namespace) = namespace {
        world
            .stores
            .namespaces
            .observe(writes::hold(&namespaces(world), namespace).await?);
    }
    Ok(())
}

async fn grant(world: &World, project: &Project) -> Result<(), Error> {
    let access = domain::project::access(project, &installation(&world.cx.settings));
    grants::ensure(&world.cx.management, project.name(), &access).await
}

async fn withdraw(world: &World, project: &Project) -> Result<(), Error> {
    let access = domain::project::access(project, &installation(&world.cx.settings));
    grants::withdraw(&world.cx.management, &access).await
}

async fn release_namespace(world: &World, namespace: &Namespace) -> Result<(), Error> {
    if !domain::project::holds(namespace.metadata.finalizers.as_deref()) {
        return Ok(());
    }
    writes::release(&namespaces(world), namespace).await
}

async fn delete_namespace(world: &World, namespace: &Namespace) -> Result<(), Error> {
    let name = namespace.metadata.name.as_deref().unwrap_or_default();
    let parameters = DeleteParams::default().preconditions(Preconditions {
        uid: namespace.metadata.uid.clone(),
        resource_version: None,
    });
    match namespaces(world)
        .delete(name, &parameters)
        .await
        .map_err(|source| Error::api("delete the namespace", source))
    {
        Err(error) if !error.is_not_found() && !error.is_conflict() => Err(error),
        _ => Ok(()),
    }
}

async fn delete_project(world: &World, project: &Project) -> Result<(), Error> {
    let api: Api<Project> = Api::all(world.cx.management.clone());
    match api
        .delete(project.name(), &DeleteParams::default())
        .await
        .map_err(|source| Error::api("delete the Project", source))
    {
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Shard;

    /// Says whom a Project lets read its Secrets.
    fn reader(settings: &Settings) -> String {
        let access = domain::project::access(&Project::default(), &installation(settings));
        let is_wanted = |role: &str| role == "kargo-controller-read-secrets";
        let mut bindings = access.bindings.into_iter();
        let binding = bindings.find(|it| is_wanted(&it.role_ref.name));
        let subjects = binding.and_then(|it| it.subjects).unwrap_or_default();
        let [subject] = &subjects[..] else {
            panic!("one reads: {subjects:?}");
        };
        let namespace = subject.namespace.as_deref().unwrap_or_default();
        format!("{namespace}/{}", subject.name)
    }

    #[test]
    fn secrets_are_read_by_the_account_that_the_controller_runs_as() {
        let settings = Settings::default();
        assert_eq!(reader(&settings), "argosy/kargo-controller");
        let shard = Shard::named_default("eu");
        let sharded = Settings {
            shard,
            ..Settings::default()
        };
        assert_eq!(reader(&sharded), "argosy/kargo-controller-eu");
        let elsewhere = Settings {
            namespace: "delivery".to_owned(),
            account: Some("promoter".to_owned()),
            ..sharded
        };
        assert_eq!(reader(&elsewhere), "delivery/promoter");
    }
}

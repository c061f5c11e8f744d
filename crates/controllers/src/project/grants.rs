//! Makes the objects that say who may do what, and keeps them as they should be.

use domain::project::Access;
use k8s_openapi::api::{
    core::v1::ServiceAccount,
    rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding},
};
use kube::{
    Api, Client,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::error::Error;

/// Makes what is missing, and puts back rules and subjects that were changed.
pub(super) async fn ensure(client: &Client, namespace: &str, access: &Access) -> Result<(), Error> {
    let Access {
        accounts,
        roles,
        bindings,
        cluster_role,
        cluster_binding,
    } = access;
    let api: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
    for account in accounts {
        keep(&api, account, &[]).await?;
    }
    let api: Api<Role> = Api::namespaced(client.clone(), namespace);
    for role in roles {
        keep(&api, role, &["rules"]).await?;
    }
    let api: Api<RoleBinding> = Api::namespaced(client.clone(), namespace);
    for binding in bindings {
        keep(&api, binding, &["subjects"]).await?;
    }
    keep(
        &Api::<ClusterRole>::all(client.clone()),
        cluster_role,
        &["rules"],
    )
    .await?;
    keep(
        &Api::<ClusterRoleBinding>::all(client.clone()),
        cluster_binding,
        &["subjects"],
    )
    .await
}

/// Removes what the namespace does not take along.
pub(super) async fn withdraw(client: &Client, access: &Access) -> Result<(), Error> {
    remove(
        &Api::<ClusterRoleBinding>::all(client.clone()),
        &access.cluster_binding,
    )
    .await?;
    remove(
        &Api::<ClusterRole>::all(client.clone()),
        &access.cluster_role,
    )
    .await
}

trait Object: kube::Resource + Clone + Serialize + DeserializeOwned + std::fmt::Debug {}

impl<K: kube::Resource + Clone + Serialize + DeserializeOwned + std::fmt::Debug> Object for K {}

/// Makes `wanted`, or puts back those of its `fields` that differ from what is there.
async fn keep<K: Object>(api: &Api<K>, wanted: &K, fields: &[&str]) -> Result<(), Error> {
    let name = wanted.meta().name.as_deref().unwrap_or_default();
    let known = api
        .get_opt(name)
        .await
        .map_err(|source| Error::api("read an access rule", source))?;
    let Some(known) = known else {
        let created = api
            .create(&PostParams::default(), wanted)
            .await
            .map_err(|source| Error::api("create an access rule", source));
        return match created {
            Err(error) if !error.is_conflict() => Err(error),
            _ => Ok(()),
        };
    };
    let value =
        |object: &K| serde_json::to_value(object).expect("access rules have text keys only");
    let (known, wanted) = (value(&known), value(wanted));
    let different: serde_json::Map<String, Value> = fields
        .iter()
        .filter(|it| known[**it] != wanted[**it])
        .map(|it| ((*it).to_owned(), wanted[*it].clone()))
        .collect();
    if different.is_empty() {
        return Ok(());
    }
    let patch = Patch::Merge(json!(different));
    api.patch(name, &PatchParams::default(), &patch)
        .await
        .map_err(|source| Error::api("put back an access rule", source))?;
    Ok(())
}

async fn remove<K: Object>(api: &Api<K>, object: &K) -> Result<(), Error> {
    let name = object.meta().name.as_deref().unwrap_or_default();
    match api
        .delete(name, &DeleteParams::default())
        .await
        .map_err(|source| Error::api("remove an access rule", source))
    {
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(()),
    }
}

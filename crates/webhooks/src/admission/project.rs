//! Projects: the Namespace is there as soon as the Project is, so that one file of manifests can hold both and more.

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::rbac::v1::{RoleBinding, RoleRef, Subject};
use kube::api::Api;
use kube::core::ObjectMeta;
use resources::Project;
use resources::names::{FINALIZER, label};

use super::read::is_project;
use super::refusal::Refusal;
use super::{Call, Warnings};

/// Role that the API server and the admin have in every project, and the binding that gives it.
const ADMIN: &str = "kargo-project-admin";
const ADMINS: &[&str] = &["kargo-api", "kargo-admin"];

pub(super) async fn validate(call: &Call<'_>) -> Result<Warnings, Refusal> {
    if call.is_create() {
        let project: Project = call.object()?;
        ensure_namespace(call, project.name()).await?;
        if !call.request.dry_run {
            ensure_admins(call, project.name()).await?;
        }
    }
    Ok(Warnings::new())
}

async fn ensure_namespace(call: &Call<'_>, name: &str) -> Result<(), Refusal> {
    let api: Api<Namespace> = Api::all(call.reader().client());
    match call.reader().find_in(&api, name).await? {
        Some(found) if !is_project(&found) => Err(Refusal::Conflict {
            message: format!(
                "namespace {name:?} already exists and is no Project's; to adopt it run: kubectl label namespace {name} {}={}",
                label::PROJECT,
                label::TRUE
            ),
        }),
        Some(found) if found.metadata.deletion_timestamp.is_some() => Err(Refusal::Conflict {
            message: format!(
                "namespace {name:?} is still being deleted; try again when it is gone"
            ),
        }),
        Some(_) => Ok(()),
        None if call.request.dry_run => Ok(()),
        None => {
            let namespace = Namespace {
                metadata: ObjectMeta {
                    name: Some(name.to_owned()),
                    labels: Some([(label::PROJECT.to_owned(), label::TRUE.to_owned())].into()),
                    finalizers: Some(vec![FINALIZER.to_owned()]),
                    ..ObjectMeta::default()
                },
                ..Namespace::default()
            };
            absorb_conflict(call.reader().create(&api, &namespace).await)
        }
    }
}

/// Lets whoever created the Project go on at once, before the loop has made its roles.
async fn ensure_admins(call: &Call<'_>, project: &str) -> Result<(), Refusal> {
    let api: Api<RoleBinding> = Api::namespaced(call.reader().client(), project);
    let group = "rbac.authorization.k8s.io";
    let subject = |name: &&str| Subject {
        kind: "ServiceAccount".to_owned(),
        name: (*name).to_owned(),
        namespace: Some(call.admission.settings.namespace.clone()),
        api_group: None,
    };
    let binding = RoleBinding {
        metadata: ObjectMeta {
            name: Some(ADMIN.to_owned()),
            namespace: Some(project.to_owned()),
            ..ObjectMeta::default()
        },
        role_ref: RoleRef {
            api_group: group.to_owned(),
            kind: "ClusterRole".to_owned(),
            name: ADMIN.to_owned(),
        },
        subjects: Some(ADMINS.iter().map(subject).collect()),
    };
    absorb_conflict(call.reader().create(&api, &binding).await)
}

/// Somebody else was faster, and that is as good.
fn absorb_conflict<T>(created: Result<T, Refusal>) -> Result<(), Refusal> {
    match created {
        Err(Refusal::Api {
            source: kube::Error::Api(status),
            ..
        }) if status.code == 409 => Ok(()),
        other => other.map(|_| ()),
    }
}

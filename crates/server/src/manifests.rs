//! Applies manifests server-side, as `kubectl apply --server-side -f` would.

mod document;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use kube::Client;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::{self, ApiCapabilities, ApiResource, Scope};

pub(crate) use self::document::Manifest;

/// Who the fields of applied manifests belong to.
const FIELD_MANAGER: &str = "argosy-up";

/// How long manifests wait for a namespace that another of them brings, such as a Project's.
const NAMESPACE_WAIT: Duration = Duration::from_secs(30);

/// Reads the documents of `paths`; folders without their sub-folders, as kubectl does, in the order of the file names.
///
/// # Errors
/// The first file that cannot be read or parsed.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Vec<Manifest>> {
    let mut manifests = Vec::new();
    for path in paths {
        for file in files_of(path)? {
            manifests.extend(document::read(&file)?);
        }
    }
    Ok(manifests)
}

/// Applies documents in their order; those whose namespace is not there yet come again after all others.
///
/// # Errors
/// The first document that cannot be applied, with its file, kind and name.
pub(crate) async fn apply(client: &Client, manifests: Vec<Manifest>) -> Result<usize> {
    let count = manifests.len();
    let mut kinds = BTreeMap::new();
    let mut waiting = manifests;
    let deadline = tokio::time::Instant::now() + NAMESPACE_WAIT;
    loop {
        let mut left = Vec::new();
        let mut missing = None;
        for manifest in waiting {
            let place = || {
                let Manifest { place, .. } = &manifest;
                format!("failed to apply {place}; {}", place.next())
            };
            let applied = apply_object(client, &mut kinds, &manifest).await;
            if let Applied::NamespaceMissing(why) = applied.with_context(place)? {
                missing.get_or_insert_with(|| anyhow!(why).context(place()));
                left.push(manifest);
            }
        }
        let Some(missing) = missing else {
            return Ok(count);
        };
        if tokio::time::Instant::now() >= deadline {
            return Err(missing);
        }
        waiting = left;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn files_of(path: &Path) -> Result<Vec<PathBuf>> {
    let metadata = fs::metadata(path).with_context(|| {
        format!(
            "failed to read the manifests at {}; name what exists: argosy up -f FILE",
            path.display()
        )
    })?;
    if metadata.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut entries: Vec<PathBuf> = fs::read_dir(path)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
        .with_context(|| format!("failed to list the folder {}", path.display()))?;
    entries.sort();
    let mut files = Vec::new();
    for entry in entries {
        let is_manifest = entry
            .extension()
            .is_some_and(|extension| ["yaml", "yml", "json"].iter().any(|it| extension == *it));
        if is_manifest && entry.is_file() {
            files.push(entry);
        }
    }
    Ok(files)
}

type Kinds = BTreeMap<(String, String), (ApiResource, ApiCapabilities)>;

enum Applied {
    Done,
    /// What the API said about the namespace.
    NamespaceMissing(String),
}

async fn apply_object(client: &Client, kinds: &mut Kinds, manifest: &Manifest) -> Result<Applied> {
    let Manifest {
        place: _,
        types,
        name,
        object,
    } = manifest;
    let key = (types.api_version.clone(), types.kind.clone());
    if !kinds.contains_key(&key) {
        let kind = GroupVersionKind::try_from(types)?;
        let found = match discovery::pinned_kind(client, &kind).await {
            Ok(found) => found,
            Err(kube::Error::Api(status)) if status.code == 404 => bail!(
                "the API knows no {} of {}; these are known: kubectl api-resources",
                types.kind,
                types.api_version
            ),
            Err(error) => return Err(error).context("failed to ask the API for its kinds"),
        };
        kinds.insert(key.clone(), found);
    }
    let (resource, capabilities) = &kinds[&key];
    let api: Api<DynamicObject> = match capabilities.scope {
        Scope::Cluster => Api::all_with(client.clone(), resource),
        Scope::Namespaced => {
            let namespace = object.metadata.namespace.as_deref().unwrap_or("default");
            Api::namespaced_with(client.clone(), namespace, resource)
        }
    };
    let parameters = PatchParams::apply(FIELD_MANAGER).force();
    let refused = |message: &str| format!("{} {name:?} was refused: {message}", types.kind);
    match api.patch(name, &parameters, &Patch::Apply(object)).await {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if is_missing_namespace(&status) => {
            return Ok(Applied::NamespaceMissing(refused(&status.message)));
        }
        Err(kube::Error::Api(status)) => bail!(refused(&status.message)),
        Err(error) => {
            return Err(error).with_context(|| format!("failed to apply {} {name:?}", types.kind));
        }
    }
    tracing::info!(kind = types.kind, name, "applied");
    Ok(Applied::Done)
}

fn is_missing_namespace(status: &kube::core::Status) -> bool {
    status.code == 404
        && status
            .details
            .as_ref()
            .is_some_and(|details| details.kind == "namespaces")
}

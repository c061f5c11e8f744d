//! `argosy up`: a Kubernetes API and all of Argosy in one process.
//!
//! ```text
//! data folder ─ EmbeddedApi ─┬─ admission hooks ─ loops        (in process, each as its own service account)
//!                            └─ https://127.0.0.1:7443 ─ kubectl (bears the kubeconfig's token)
//! ```

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};
use axum::Router;
use controllers::{FreightIndex, Metrics, Shard};
use embedded_apiserver::{
    EmbeddedApi, Listen, ListenError, Listening, Options, Reach, UserInfo, read_or_create_token,
    write_private,
};
use kube::Client;
use prometheus_client::registry::Registry;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::args::Up;
use crate::parts::{self, Identities, Installation, Place};
use crate::{admission, data_dir, manifests, metrics, process};

/// The namespace of the installation's own service accounts.
const NAMESPACE: &str = "argosy";

/// The namespaces that every installation has.
const NAMESPACES: &[&str] = &[NAMESPACE, "kargo-shared-resources"];

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// When the data folder is in use, the port is taken, or a manifest is refused.
pub fn up(arguments: Up) -> Result<()> {
    process::run(&arguments.logging.clone(), |stop| run(arguments, stop))
}

async fn run(arguments: Up, stop: CancellationToken) -> Result<()> {
    let manifests = manifests::read(&arguments.filenames)?;
    let data = data_dir::prepare(arguments.data_dir.as_deref(), "argosy")?;
    let api = EmbeddedApi::open(&data, Options::default())
        .await
        .map_err(|error| {
            let hint = error.hint();
            anyhow::Error::new(error).context(format!(
                "failed to open the objects; {hint}: --data-dir FOLDER"
            ))
        })?;
    api.hold_ready("the loops are starting");
    api.install_crds(&crds()?).await?;
    ensure_namespaces(&api).await?;
    let freight = FreightIndex::new();
    let settings = admission::Settings {
        namespace: NAMESPACE.to_owned(),
        // Without RBAC there is nobody to ask whether a user may promote: one token, full rights.
        access: admission::Access::Unchecked,
        cache_by_tag: arguments.work.discovery.cache_by_tag(),
    };
    admission::install(&api, account(&api, "kargo-admission"), &freight, settings);
    let mut registry = Registry::default();
    let measured = Metrics::register(&mut registry);
    let identity_ready = metrics::ready(&mut registry);
    let listening = listen(&api, &arguments, &data, metrics::route(registry)).await?;
    let kubeconfig = write_kubeconfig(&arguments, &data, &listening)?;
    let context = parts::context(Installation {
        identities: identities(&api),
        work: &arguments.work,
        place: Place::Laptop,
        shard: Shard::default_one(),
        account: None,
        data: &data,
        api_server: Some(listening.address),
        freight,
        metrics: measured,
        identity_ready,
    })?;
    let mut filled = context.ready.subscribe();
    let loops = tokio::spawn(controllers::run(context, stop.clone()));
    let started = async {
        filled
            .wait_for(|filled| *filled)
            .await
            .context("the loops ended before they were ready")?;
        api.ready();
        tracing::info!(
            address = %listening.address,
            "ready; look around with: kubectl --kubeconfig {} get projects",
            kubeconfig.display()
        );
        let count = manifests::apply(&api.client(), manifests).await?;
        if count > 0 {
            tracing::info!(count, "all manifests are applied");
        }
        anyhow::Ok(())
    };
    let outcome = tokio::select! {
        started = started => started,
        () = stop.cancelled() => Ok(()),
    };
    if outcome.is_ok() {
        stop.cancelled().await;
    }
    stop.cancel();
    let ended = loops.await.context("the loops ended in a panic")?;
    api.shutdown().await;
    tracing::info!("stopped");
    outcome?;
    match ended {
        Err(controllers::Error::NeverFilled) => Ok(()),
        ended => ended.context("the loops ended"),
    }
}

fn identities(api: &EmbeddedApi) -> Identities {
    Identities {
        controller: account(api, "kargo-controller"),
        management: account(api, "kargo-management-controller"),
    }
}

/// Each part acts as its own service account, so that admission and the log can tell them apart.
fn account(api: &EmbeddedApi, name: &str) -> Client {
    api.client_as(UserInfo {
        username: Some(format!("system:serviceaccount:{NAMESPACE}:{name}")),
        groups: Some(vec![
            "system:serviceaccounts".to_owned(),
            format!("system:serviceaccounts:{NAMESPACE}"),
            "system:authenticated".to_owned(),
        ]),
        ..UserInfo::default()
    })
}

fn crds() -> Result<Vec<Value>> {
    resources::crds()
        .iter()
        .map(|(name, yaml)| {
            serde_saphyr::from_str(yaml)
                .with_context(|| format!("failed to parse the definition of {name}"))
        })
        .collect()
}

async fn ensure_namespaces(api: &EmbeddedApi) -> Result<()> {
    use k8s_openapi::api::core::v1::Namespace;
    use kube::api::{Api, ObjectMeta, PostParams};
    let namespaces: Api<Namespace> = Api::all(api.client());
    for name in NAMESPACES {
        let namespace = Namespace {
            metadata: ObjectMeta {
                name: Some((*name).to_owned()),
                ..ObjectMeta::default()
            },
            ..Namespace::default()
        };
        match namespaces.create(&PostParams::default(), &namespace).await {
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            created => {
                created.with_context(|| format!("failed to create the namespace {name}"))?;
            }
        }
    }
    Ok(())
}

async fn listen(
    api: &EmbeddedApi,
    arguments: &Up,
    data: &Path,
    routes: Router,
) -> Result<Listening> {
    let token = read_or_create_token(&data.join("token")).with_context(|| {
        format!(
            "failed to keep the token in {}; choose another: --data-dir FOLDER",
            data.display()
        )
    })?;
    let reach = if arguments.allow_remote_clients {
        Reach::Anywhere
    } else {
        Reach::Loopback
    };
    let listen = Listen {
        address: arguments.listen,
        reach,
        token,
        directory: Some(data.to_owned()),
        name: "argosy".to_owned(),
        routes,
    };
    if reach == Reach::Anywhere && !arguments.listen.ip().is_loopback() {
        tracing::warn!(address = %arguments.listen, "other machines can reach the API; its one token has full rights");
    }
    api.listen(listen).await.map_err(|error| match &error {
        ListenError::Bind { address, source } if source.kind() == std::io::ErrorKind::AddrInUse => {
            anyhow!(
                "port {} of {} is taken; choose another: argosy up --listen {}:{}",
                address.port(),
                address.ip(),
                address.ip(),
                address.port().saturating_add(1)
            )
        }
        ListenError::NotLoopback { address } => anyhow!(
            "{address} can be reached by other machines, and the API's one token has full rights; \
             if that is meant: argosy up --listen {address} --allow-remote-clients"
        ),
        _ => {
            let hint = error.hint();
            anyhow::Error::new(error).context(format!("failed to listen; {hint}"))
        }
    })
}

fn write_kubeconfig(arguments: &Up, data: &Path, listening: &Listening) -> Result<PathBuf> {
    let path = arguments
        .kubeconfig_out
        .clone()
        .unwrap_or_else(|| data.join("kubeconfig"));
    write_private(&path, listening.kubeconfig().as_bytes()).with_context(|| {
        format!(
            "failed to write {}; choose another: --kubeconfig-out FILE",
            path.display()
        )
    })?;
    Ok(path)
}

//! What every test of a promotion needs: servers, a context, a promotion, and what became of it.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use artifacts::{child::Launcher, egress::Policy};
use async_trait::async_trait;
use credentials::Credentials;
use engine::{Context, Outcome, Progress, RecordError, Recorder, Run};
use jiff::Timestamp;
use kube::Client;
use serde_json::{Value, json};
use testkit::{servers::Certificate, tools};
use tokio_util::sync::CancellationToken;

/// The project of every test.
pub(crate) const PROJECT: &str = "shop";

/// A context whose files are in `work_root`.
pub(crate) fn context(client: Client, work_root: &Path) -> Context {
    let clock = Arc::new(Timestamp::now);
    let mut cx = Context::new(client.clone(), Launcher::direct(), work_root, clock);
    cx.credentials = Credentials::new(client, Vec::new());
    cx.egress = Arc::new(Policy::new().with_loopback());
    cx.settings.kustomize = tools::path("kustomize").unwrap();
    cx.settings.helm = tools::path("helm").unwrap();
    cx.settings.shared_namespace.push_str("shared");
    cx
}

/// A certificate of this machine that nobody vouches for.
pub(crate) fn certificate() -> Certificate {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    Certificate {
        certificate: made.cert.pem(),
        private_key: made.signing_key.serialize_pem(),
    }
}

/// A client for promotions that never read the cluster but for logins, of which there are none.
pub(crate) fn empty_cluster() -> Client {
    let answer = |_request: http::Request<kube::client::Body>| async {
        let list = json!({"kind": "SecretList", "apiVersion": "v1", "metadata": {}, "items": []});
        Ok::<_, std::convert::Infallible>(http::Response::new(kube::client::Body::from(
            list.to_string().into_bytes(),
        )))
    };
    Client::new(tower::service_fn(answer), PROJECT)
}

/// A promotion of these steps, as YAML.
pub(crate) fn promotion(steps: &str) -> Run {
    let steps: Value = serde_saphyr::from_str(steps).unwrap();
    promotion_of(&steps)
}

pub(crate) fn promotion_of(steps: &Value) -> Run {
    let steps: Vec<resources::PromotionStep> = serde_json::from_value(steps.clone()).unwrap();
    Run {
        project: PROJECT.to_owned(),
        stage: "test".to_owned(),
        promotion: "test.01jd0000000000000000000000.abcdef0".to_owned(),
        promotion_uid: "5e8f9a4c".to_owned(),
        actor: Some("email:ann@example.com".to_owned()),
        steps: engine::task::inflate(&steps, &[], |_| None).unwrap(),
        ..Run::default()
    }
}

/// Keeps all that was recorded.
#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<Vec<Progress>>);

impl Memory {
    pub(crate) fn all(&self) -> Vec<Progress> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn last(&self) -> Progress {
        self.all().pop().unwrap_or_default()
    }
}

#[async_trait]
impl Recorder for Memory {
    async fn record(&self, progress: &Progress) -> Result<(), RecordError> {
        self.0.lock().unwrap().push(progress.clone());
        Ok(())
    }
}

/// Runs a promotion to its end, without waiting and retrying.
pub(crate) async fn run_once(run: Run, cx: &Context) -> Outcome {
    engine::run(run, cx, &Memory::default(), CancellationToken::new()).await
}

pub(crate) fn progress(outcome: Outcome) -> Progress {
    match outcome {
        Outcome::Finished(progress)
        | Outcome::Waiting { progress, .. }
        | Outcome::Retry { progress, .. }
        | Outcome::Interrupted(progress) => progress,
    }
}

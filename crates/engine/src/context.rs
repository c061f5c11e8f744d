//! What a promotion reaches outside itself, and what a step may see and touch.

use std::{
    collections::HashMap,
    fmt,
    path::PathBuf,
    sync::{Arc, Weak},
};

use artifacts::{
    child::Launcher,
    egress::{Policy, ResolveError},
    work_tree::{self, Identity, Integration, WorkTree},
};
use credentials::{Credentials, Kind, Login};
use futures::lock::Mutex as AsyncMutex;
use jiff::Timestamp;
use parking_lot::Mutex;
use resources::StepExecution;
use serde_json::Value;

use crate::{
    progress::{Progress, RecordError, Recorder},
    run::Run,
    steps::StepError,
    work_dir::{FilePath, WorkDir},
};

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Is told which point a promotion reached.
pub type Reached = Arc<dyn Fn(&str) + Send + Sync>;

/// What every promotion of a process shares.
#[derive(Clone)]
pub struct Context {
    pub client: kube::Client,
    pub credentials: Credentials,
    pub launcher: Launcher,
    /// Which hosts URLs in configurations may name.
    pub egress: Arc<Policy>,
    /// The folder of the promotions' work directories.
    pub work_root: PathBuf,
    /// Tells the time.
    pub clock: Clock,
    pub settings: Settings,
    /// Told which point a promotion reached; tests stop the process there.
    pub reached: Option<Reached>,
    pub(crate) push_locks: PushLocks,
}

/// What the operator may choose.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the user interface is, for links; empty where there is none.
    pub ui_base_url: String,
    /// The namespace of configuration and secrets that all projects share; empty where there is none.
    pub shared_namespace: String,
    /// Who makes commits unless `git-clone` says otherwise.
    pub git_identity: Identity,
    pub push_integration: Integration,
    /// The Kustomize program: a path, or a name to look for.
    pub kustomize: PathBuf,
    /// The Helm program, which Kustomize may call.
    pub helm: PathBuf,
    /// Lets Kustomize fetch bases and resources by URL.
    pub remote_bases: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ui_base_url: String::new(),
            shared_namespace: String::new(),
            git_identity: Identity {
                name: "Argosy".to_owned(),
                email: "no-reply@argosy.dev".to_owned(),
                signing: None,
            },
            push_integration: Integration::default(),
            kustomize: "kustomize".into(),
            helm: "helm".into(),
            remote_bases: false,
        }
    }
}

impl Context {
    /// A context with default settings, where logins are found only in projects themselves.
    pub fn new(
        client: kube::Client,
        launcher: Launcher,
        work_root: impl Into<PathBuf>,
        clock: Clock,
    ) -> Self {
        Self {
            credentials: Credentials::new(client.clone(), Vec::new()),
            client,
            launcher,
            egress: Arc::new(Policy::new()),
            work_root: work_root.into(),
            clock,
            settings: Settings::default(),
            reached: None,
            push_locks: PushLocks::default(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    pub(crate) fn reached(&self, point: &str) {
        if let Some(reached) = &self.reached {
            reached(point);
        }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Context")
            .field("work_root", &self.work_root)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// One lock for each branch that promotions of this process push to, so that they do not race each other.
#[derive(Clone, Default)]
pub(crate) struct PushLocks(Arc<Mutex<LocksByBranch>>);

/// By URL and branch.
type LocksByBranch = HashMap<(String, String), Weak<PushLock>>;

type PushLock = AsyncMutex<()>;

impl PushLocks {
    /// The lock of a branch; forgotten when nobody holds it.
    pub(crate) fn of(&self, url: &str, branch: &str) -> Arc<PushLock> {
        let mut locks = self.0.lock();
        locks.retain(|_, lock| lock.strong_count() > 0);
        let entry = locks
            .entry((url.to_owned(), branch.to_owned()))
            .or_default();
        entry.upgrade().unwrap_or_else(|| {
            let lock = Arc::new(AsyncMutex::new(()));
            *entry = Arc::downgrade(&lock);
            lock
        })
    }
}

/// What one step may see and touch.
pub struct StepContext<'a> {
    pub run: &'a Run,
    /// Index of the step.
    pub index: usize,
    /// Name of the step: `<task>::<step>` inside a task.
    pub alias: &'a str,
    pub work_dir: &'a WorkDir,
    pub(crate) cx: &'a Context,
    pub(crate) recorder: &'a dyn Recorder,
    pub(crate) progress: &'a Mutex<Progress>,
}

impl StepContext<'_> {
    /// The context that all promotions share.
    pub fn outside(&self) -> &Context {
        self.cx
    }

    /// What this step gave as output before: in an earlier attempt, or before its files were lost.
    pub fn earlier_output(&self) -> Option<Value> {
        self.progress.lock().state.get(self.alias).cloned()
    }

    /// What this step kept before it was interrupted.
    pub fn last_checkpoint(&self) -> Option<Value> {
        self.progress.lock().checkpoint(self.alias).cloned()
    }

    /// Stores what the step needs to find out, after a crash, whether the effect it is about to have happened.
    ///
    /// # Errors
    /// [`StepError::Errored`] when it could not be stored: then the effect must not be had.
    pub async fn checkpoint(&self, checkpoint: Value) -> Result<(), StepError> {
        let progress = {
            let mut progress = self.progress.lock();
            progress.set_checkpoint(self.alias, checkpoint);
            progress.clone()
        };
        let recorded = self.recorder.record(&progress).await;
        recorded.map_err(|error: RecordError| StepError::Errored(error.told()))?;
        self.reached("checkpoint");
        Ok(())
    }

    /// Names a point of the step, for tests that stop the process there.
    pub fn reached(&self, point: &str) {
        self.cx.reached(&format!("{}: {point}", self.alias));
    }

    /// Finds the login of the project for a Git repository, on a host that may be spoken to.
    pub async fn git_login(&self, url: &str) -> Result<Option<Login>, StepError> {
        self.check_egress(url).await?;
        let found = self
            .cx
            .credentials
            .find(&self.run.project, Kind::Git, url)
            .await;
        found.map(|it| it.login).map_err(|error| {
            StepError::errored("failed to look for a login", &error).with_next(error.hint())
        })
    }

    async fn check_egress(&self, url: &str) -> Result<(), StepError> {
        // A text that names no host is refused when git is to be started.
        let Some((host, port)) = git_host(url) else {
            return Ok(());
        };
        let Err(error) = self.cx.egress.resolve(&host, port).await else {
            return Ok(());
        };
        let refused = match &error {
            ResolveError::Refused(refused) => StepError::Failed(refused.to_string()),
            ResolveError::Lookup { .. }
            | ResolveError::Silence { .. }
            | ResolveError::NoAddress { .. } => {
                StepError::errored("failed to reach the repository", &error)
            }
        };
        Err(refused.with_next(error.hint()))
    }

    /// Opens the work tree at the path of a step's configuration.
    pub async fn work_tree(&self, path: &str) -> Result<WorkTree<'static>, StepError> {
        let found = self.work_dir.absolute(&FilePath::parse(path)?)?;
        let root = self.work_dir.root();
        let origin = WorkTree::origin(root, &found).map_err(|error| {
            let hint = error.hint();
            match error {
                work_tree::Error::NotAWorkTree { path: _ } => {
                    StepError::Failed(format!("{path:?} was not checked out by git-clone"))
                        .with_next(hint)
                }
                error => error.into(),
            }
        })?;
        let login = self.git_login(&origin.url).await?;
        Ok(WorkTree::open(&self.cx.launcher, root, &found, login)?)
    }

    /// The records of all steps so far.
    pub fn executions(&self) -> Vec<StepExecution> {
        self.progress.lock().step_execution_metadata.clone()
    }
}

impl fmt::Debug for StepContext<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("StepContext")
            .field("promotion", &self.run.promotion)
            .field("step", &self.alias)
            .finish_non_exhaustive()
    }
}

/// The host and port that git connects to.
fn git_host(url: &str) -> Option<(String, u16)> {
    if !url.contains("://") {
        let (host, _) = url.split_once(':')?;
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        return Some((host.to_owned(), 22));
    }
    let parsed = url::Url::parse(url).ok()?;
    let usual = if parsed.scheme() == "ssh" { 22 } else { 443 };
    let port = parsed.port_or_known_default().unwrap_or(usual);
    Some((parsed.host_str()?.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, expected: Option<(&str, u16)>) {
        let expected = expected.map(|(host, port)| (host.to_owned(), port));
        assert_eq!(git_host(url), expected, "{url}");
    }

    #[test]
    fn every_spelling_of_a_repository_names_its_host() {
        check("https://github.com/acme/app.git", Some(("github.com", 443)));
        check("http://127.0.0.1:8080/app.git", Some(("127.0.0.1", 8080)));
        check(
            "ssh://git@github.com/acme/app.git",
            Some(("github.com", 22)),
        );
        check("ssh://git@[::1]:2222/app", Some(("[::1]", 2222)));
        check("git@github.com:acme/app.git", Some(("github.com", 22)));
        check("nothing", None);
    }
}

//! What a promotion reaches outside itself, and what a step may see and touch.

use std::{
    collections::HashMap,
    fmt,
    path::PathBuf,
    sync::{Arc, Weak},
};

use artifacts::{
    child::{GitAccess, Launcher},
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

/// How a Git repository is reached.
#[derive(Debug)]
pub struct Reach {
    /// Holds git to the addresses that the egress policy has seen.
    pub launcher: Launcher,
    /// The project's, for the repository's URL.
    pub login: Option<Login>,
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

    /// Finds out how the Git repository with this URL is reached at `place`, mostly the same: on a host that may be spoken
    /// to, with the project's login for the URL.
    pub async fn reach(&self, url: &str, place: &str) -> Result<Reach, StepError> {
        let admitted = work_tree::admit(&self.cx.egress, place).await;
        let pin = admitted.map_err(|error| {
            let refused = match &error {
                ResolveError::Refused(refused) => StepError::Failed(refused.to_string()),
                ResolveError::Lookup { .. }
                | ResolveError::Silence { .. }
                | ResolveError::NoAddress { .. } => {
                    StepError::errored("failed to reach the repository", &error)
                }
            };
            refused.with_next(error.hint())
        })?;
        let credentials = &self.cx.credentials;
        let found = credentials.find(&self.run.project, Kind::Git, url).await;
        let found = found.map_err(|error| {
            StepError::errored("failed to look for a login", &error).with_next(error.hint())
        })?;
        Ok(Reach {
            launcher: self.cx.launcher.clone().with_pin(pin),
            login: found.login,
        })
    }

    /// Finds where a Git repository is whose host sends git elsewhere, as far as it may go.
    pub async fn follow(&self, access: &GitAccess) -> Result<String, StepError> {
        let (launcher, work_dir) = (&self.cx.launcher, self.work_dir.root());
        Ok(work_tree::follow(launcher, work_dir, &self.cx.egress, access).await?)
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
        let Reach { launcher, login } = self.reach(&origin.url, origin.place()).await?;
        Ok(WorkTree::open(&launcher, root, &found, login)?)
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

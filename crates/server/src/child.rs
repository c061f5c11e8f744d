//! The body of the hidden `argosy child`: fences itself in, then becomes git, helm or kustomize.
//!
//! `argosy child --work-dir D [--read-only P]… [--follows-links-in T] -- program arguments…`
//!
//! Where the kernel has Landlock, the program may write to `D` alone and read tools, libraries, certificates and what
//! `--read-only` names. Where it has not, a program that follows symlinks is not started when one leads out of `T`; that
//! is said in the log. The process dies with the one that started it.

use std::{
    convert::Infallible,
    ffi::{OsStr, OsString},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};
use artifacts::child::link_out_of;
use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetStatus, path_beneath_rules,
};
use rustix::process::{
    Resource, Rlimit, Signal, getrlimit, set_parent_process_death_signal, setrlimit,
};

/// Newest rules we know; older kernels apply those they have.
const RULES: ABI = ABI::V5;

/// Programs, libraries and what name resolution and TLS need. Neither home folders nor the tokens of Kubernetes.
const SYSTEM: [&str; 22] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/opt",
    "/nix/store",
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/crypto-policies",
    "/etc/gai.conf",
    "/etc/group",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/pki",
    "/etc/resolv.conf",
    "/etc/ssh",
    "/etc/ssl",
];

/// Devices that any program may use.
const DEVICES: [&str; 4] = ["/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"];

/// The largest file a child may write.
const FILE_BYTES: u64 = 8 << 30;
/// Seconds of processor time.
const CPU_SECONDS: u64 = 3600;
const OPEN_FILES: u64 = 4096;

/// What `argosy child` was called with.
#[derive(Debug, Clone)]
pub struct Arguments {
    /// The one folder the program may write to.
    pub work_dir: PathBuf,
    /// What it may read besides the system.
    pub read_only: Vec<PathBuf>,
    /// A tree in which the program follows symlinks.
    pub follows_links_in: Option<PathBuf>,
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// The folders programs are looked for in: the value of `PATH`.
    pub search_path: OsString,
}

/// Becomes the program; returns only when it could not.
pub fn run(arguments: &Arguments) -> Result<Infallible> {
    let Some((program, rest)) = arguments.command.split_first() else {
        bail!("no program is named; this command is for argosy itself");
    };
    set_parent_process_death_signal(Some(Signal::KILL))
        .context("failed to be tied to the parent's life")?;
    limit_resources();
    if !fence_in(arguments)?
        && let Some(tree) = &arguments.follows_links_in
    {
        refuse_links_out_of(tree)?;
    }
    let error = Command::new(program).args(rest).exec();
    Err(error).with_context(|| format!("failed to start {}", program.display()))
}

/// Lowers what the process may use; a limit that is lower already stays.
fn limit_resources() {
    let wanted = [
        (Resource::Core, 0),
        (Resource::Cpu, CPU_SECONDS),
        (Resource::Fsize, FILE_BYTES),
        (Resource::Nofile, OPEN_FILES),
    ];
    for (resource, most) in wanted {
        let present = getrlimit(resource);
        let lower = |limit: Option<u64>| Some(limit.map_or(most, |limit| limit.min(most)));
        let limit = Rlimit {
            current: lower(present.current),
            maximum: lower(present.maximum),
        };
        if let Err(error) = setrlimit(resource, limit) {
            tracing::warn!(?resource, %error, "a resource limit could not be set");
        }
    }
}

/// The file of a program that is named by its path, links followed: it may lie outside the folders of the search path.
fn named_program(arguments: &Arguments) -> Option<PathBuf> {
    let program = Path::new(arguments.command.first()?);
    (program.components().count() > 1)
        .then(|| program.canonicalize().ok())
        .flatten()
}

/// Applies Landlock; says whether the kernel enforces it.
fn fence_in(arguments: &Arguments) -> Result<bool> {
    let read = AccessFs::from_read(RULES);
    let all = AccessFs::from_all(RULES);
    let tools =
        std::env::split_paths(&arguments.search_path).filter_map(|folder| installation_of(&folder));
    let readable: Vec<PathBuf> = SYSTEM
        .iter()
        .map(PathBuf::from)
        .chain(tools)
        .chain(named_program(arguments))
        .chain(arguments.read_only.iter().cloned())
        .filter(|path| path.exists())
        .collect();
    let fence = || -> Result<RulesetStatus, landlock::RulesetError> {
        let status = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(all)?
            .create()?
            .add_rules(path_beneath_rules(&readable, read))?
            .add_rules(path_beneath_rules(DEVICES, read | AccessFs::WriteFile))?
            .add_rules(path_beneath_rules([&arguments.work_dir], all))?
            .restrict_self()?;
        Ok(status.ruleset)
    };
    match fence().context("failed to fence the child in")? {
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(true),
        RulesetStatus::NotEnforced => Ok(false),
    }
}

/// Where a folder of programs has its libraries: the folder above one called `bin`.
fn installation_of(folder: &Path) -> Option<PathBuf> {
    let real = folder.canonicalize().ok()?;
    match (real.file_name().and_then(OsStr::to_str), real.parent()) {
        (Some("bin" | "sbin"), Some(above)) if above != Path::new("/") => Some(above.to_owned()),
        (Some(_), _) => Some(real),
        (None, _) => None,
    }
}

fn refuse_links_out_of(tree: &Path) -> Result<()> {
    tracing::info!("this kernel has no Landlock: symlinks are looked at instead");
    match link_out_of(tree)
        .with_context(|| format!("failed to look for symlinks in {}", tree.display()))?
    {
        None => Ok(()),
        Some(link) => bail!(
            "symlink {} leads out of the tree that is read",
            link.display()
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn arguments(work_dir: &Path, read_only: &Path) -> Arguments {
        Arguments {
            work_dir: work_dir.to_owned(),
            read_only: vec![read_only.to_owned()],
            follows_links_in: None,
            command: Vec::new(),
            search_path: "/usr/bin:/bin".into(),
        }
    }

    #[test]
    fn a_fenced_child_reaches_its_work_directory_and_nothing_else_of_ours() {
        let root = tempfile::tempdir().unwrap();
        let [work, other, secret] = ["work", "other", "secret"].map(|name| root.path().join(name));
        for folder in [&work, &other, &secret] {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join("file"), "text").unwrap();
        }
        // The fence holds for the thread that puts it up.
        let fenced = std::thread::spawn(move || {
            if !fence_in(&arguments(&work, &other)).unwrap() {
                return;
            }
            fs::write(work.join("new"), "text").unwrap();
            assert!(fs::read(other.join("file")).is_ok());
            assert!(fs::write(other.join("file"), "changed").is_err());
            assert!(fs::read(secret.join("file")).is_err());
            assert!(fs::read_dir("/root").is_err());
            assert!(fs::read("/usr/bin/env").is_ok());
        });
        fenced.join().unwrap();
    }

    #[test]
    fn the_libraries_beside_a_folder_of_programs_can_be_read() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        fs::create_dir(root.join("bin")).unwrap();
        assert_eq!(installation_of(&root.join("bin")), Some(root.clone()));
        assert_eq!(installation_of(&root), Some(root.clone()));
        assert_eq!(installation_of(&root.join("none")), None);
    }

    #[test]
    fn a_program_must_be_named() {
        let error = run(&arguments(Path::new("/"), Path::new("/"))).unwrap_err();
        assert!(error.to_string().contains("no program"), "{error}");
    }
}

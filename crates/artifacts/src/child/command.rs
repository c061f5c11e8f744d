//! What to run as a child, and with which limits.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secret::Secret;
use tempfile::NamedTempFile;

use super::{Error, GnupgHome, remote::Remote};

/// How long a child may run unless its command says otherwise.
const TIME_OUT: Duration = Duration::from_mins(10);
/// How many bytes a child may print unless its command says otherwise.
const OUTPUT_LIMIT: usize = 64 << 20;

/// What to run, where, and with which limits.
#[derive(Debug)]
pub struct Command {
    pub(super) program: OsString,
    pub(super) arguments: Vec<OsString>,
    pub(super) work_dir: PathBuf,
    pub(super) directory: PathBuf,
    pub(super) read_only: Vec<PathBuf>,
    pub(super) follows_links_in: Option<PathBuf>,
    pub(super) environment: Vec<(OsString, OsString)>,
    pub(super) secrets: Vec<(String, Secret<String>)>,
    pub(super) input: Option<Vec<u8>>,
    pub(super) time_out: Duration,
    pub(super) output_limit: usize,
    pub(super) key_file: Option<NamedTempFile>,
    pub(super) uses_gpg: bool,
    /// The repository elsewhere that it speaks to.
    pub(super) remote: Option<Remote>,
}

impl Command {
    /// Runs `program` in `work_dir`, the one folder it may write to; its home is the folder `home` in there.
    pub fn new(program: impl Into<OsString>, work_dir: impl Into<PathBuf>) -> Self {
        let work_dir = work_dir.into();
        Self {
            program: program.into(),
            arguments: Vec::new(),
            directory: work_dir.clone(),
            work_dir,
            read_only: Vec::new(),
            follows_links_in: None,
            environment: Vec::new(),
            secrets: Vec::new(),
            input: None,
            time_out: TIME_OUT,
            output_limit: OUTPUT_LIMIT,
            key_file: None,
            uses_gpg: false,
            remote: None,
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds several arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Starts in this folder rather than in the work directory.
    #[must_use]
    pub fn directory(mut self, path: impl Into<PathBuf>) -> Self {
        self.directory = path.into();
        self
    }

    /// Lets the program read this path besides its work directory and the system's tools and certificates.
    #[must_use]
    pub fn read_only(mut self, path: impl Into<PathBuf>) -> Self {
        self.read_only.push(path.into());
        self
    }

    /// Says that the program follows symlinks in this tree, so none may lead out of it.
    #[must_use]
    pub fn follows_links_in(mut self, tree: impl Into<PathBuf>) -> Self {
        self.follows_links_in = Some(tree.into());
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Sets a variable whose value must never be read by a person; it is masked in what the program prints to them.
    #[must_use]
    pub fn secret_env(mut self, name: impl Into<String>, value: Secret<String>) -> Self {
        self.secrets.push((name.into(), value));
        self
    }

    /// Feeds these bytes to standard input.
    #[must_use]
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = Some(input.into());
        self
    }

    /// Kills the program after this long.
    #[must_use]
    pub fn time_out(mut self, limit: Duration) -> Self {
        self.time_out = limit;
        self
    }

    /// Kills the program when it prints more than this many bytes.
    #[must_use]
    pub fn output_limit(mut self, bytes: usize) -> Self {
        self.output_limit = bytes;
        self
    }

    /// Says that the program is gpg or runs it, which then finds its keys in the private home.
    #[must_use]
    pub fn uses_gpg(mut self) -> Self {
        self.uses_gpg = true;
        self
    }

    /// Finds the keys of a program that runs gpg.
    pub(super) fn find_keys(&self) -> Result<Option<GnupgHome>, Error> {
        let home = self.home();
        let found = self.uses_gpg.then(|| GnupgHome::within(&home)).transpose();
        found.map_err(|source| Error::Home { path: home, source })
    }

    pub(super) fn home(&self) -> PathBuf {
        self.work_dir.join("home")
    }

    /// The program and, for one with subcommands, the subcommand: `git push`.
    pub(super) fn name(&self) -> String {
        let program = Path::new(&self.program)
            .file_name()
            .unwrap_or(&self.program)
            .to_string_lossy();
        let mut words = self.arguments.iter().map(|word| word.to_string_lossy());
        // git's own options come first and two of them take a value.
        let subcommand = loop {
            match words.next() {
                Some(word) if word == "-C" || word == "-c" => drop(words.next()),
                Some(word) if word.starts_with('-') => {}
                other => break other,
            }
        };
        subcommand.map_or_else(
            || program.to_string(),
            |subcommand| format!("{program} {subcommand}"),
        )
    }

    /// Gives `text` with every secret in it replaced by stars.
    pub(super) fn masked(&self, text: &str) -> String {
        let mut masked = mask_user_info(text);
        for (_, secret) in &self.secrets {
            if secret.expose().len() > 2 {
                masked = masked.replace(secret.expose().as_str(), "****");
            }
        }
        masked
    }
}

/// Replaces `user:password@` in any URL of `text` by stars.
pub(super) fn mask_user_info(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        masked.push_str(before);
        let authority =
            after.find(|it: char| it == '/' || it == '\'' || it == '"' || it.is_whitespace());
        let authority = &after[..authority.unwrap_or(after.len())];
        rest = match authority.rfind('@') {
            Some(end) => {
                masked.push_str("****");
                &after[end..]
            }
            None => after,
        };
    }
    masked.push_str(rest);
    masked
}

//! Why a child did not do what was asked, and what to do about it.

use std::{io, path::PathBuf, time::Duration};

use super::remote::Trouble;

/// Why a child did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("failed to prepare a private home at {path:?}")]
    Home { path: PathBuf, source: io::Error },
    #[error("failed to start {program:?}")]
    Start { program: String, source: io::Error },
    #[error("failed to read what {program:?} prints")]
    Read { program: String, source: io::Error },
    #[error("{program:?} did not finish within {limit:?}")]
    TimedOut { program: String, limit: Duration },
    #[error("{program:?} printed more than {limit} bytes")]
    TooMuchOutput { program: String, limit: usize },
    #[error("{program:?} {}: {stderr}", ending(*code))]
    Failed {
        program: String,
        code: Option<i32>,
        stderr: String,
    },
    /// `url` never holds a login; `said` is the line of git's that told.
    #[error("{program:?} failed with repository {url:?}: {trouble} ({said})")]
    Remote {
        program: String,
        url: String,
        trouble: Trouble,
        said: String,
    },
    #[error("symlink {link:?} leads out of the tree that is read")]
    LinkLeaves { link: PathBuf },
    #[error("failed to look for symlinks in {path:?}")]
    Links { path: PathBuf, source: io::Error },
    #[error("{url:?} is not a URL that git may be given: {why}")]
    Url { url: String, why: &'static str },
}

impl Error {
    /// Names the next thing to try.
    pub fn hint(&self) -> String {
        match self {
            Self::Start { source, program } if source.kind() == io::ErrorKind::NotFound => {
                let name = program.split(' ').next().unwrap_or(program);
                format!("install {name}, or name the folder it is in with PATH")
            }
            Self::Start { .. } => "see whether argosy may run it: ls -lL FILE".to_owned(),
            Self::TimedOut { .. } => {
                "see whether the host answers, and how large the repository is".to_owned()
            }
            Self::Remote { trouble, url, .. } => trouble.hint(url),
            Self::LinkLeaves { .. } => "replace the symlink by what it points to".to_owned(),
            Self::Home { path, .. } | Self::Links { path, .. } => format!(
                "see whether the disk is full or read-only: df -h {}",
                path.display()
            ),
            Self::Failed { code: None, .. } | Self::Read { .. } => {
                "see whether the machine runs out of memory: dmesg | tail".to_owned()
            }
            Self::Failed { program, .. } | Self::TooMuchOutput { program, .. } => {
                format!("run {program} yourself on the same files")
            }
            Self::Url { .. } => "correct repoURL, such as https://HOST/REPOSITORY.git".to_owned(),
        }
    }
}

fn ending(code: Option<i32>) -> String {
    code.map_or_else(
        || "was killed".to_owned(),
        |code| format!("exited with {code}"),
    )
}

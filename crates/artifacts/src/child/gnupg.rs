//! Where gpg finds its keys, under a name that is short enough for the sockets of its agent.
//!
//! The agent listens on sockets in the folder of the keys, and the name of a socket has room for some hundred bytes: fewer
//! than a private home deep in the data folder takes. gpg is then told of a symlink, which leads there. With the command
//! that runs gpg its agent ends too, so that nothing keeps a key in memory while nobody signs.

use std::{
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::TempDir;

use super::{Command, create_private_dir};

/// Longest name of a folder in which all sockets of the agent have names of at most 107 bytes.
///
/// Source: `sun_path` in <https://man7.org/linux/man-pages/man7/unix.7.html>
const LONGEST_NAME: usize = 107 - "/S.gpg-agent.browser".len();

/// How long ending the agent may take.
const TIME_OUT: Duration = Duration::from_secs(10);

/// The folder of the keys in a private home, by a name that gpg can use.
#[derive(Debug)]
pub(super) struct GnupgHome {
    name: PathBuf,
    /// The folder of the symlink, gone with this.
    _link: Option<TempDir>,
}

impl GnupgHome {
    /// Makes the folder in `home`, and a shorter name where its own is too long.
    pub(super) fn within(home: &Path) -> io::Result<Self> {
        let folder = home.join(".gnupg");
        create_private_dir(&folder)?;
        if folder.as_os_str().len() <= LONGEST_NAME {
            let name = folder;
            return Ok(Self { name, _link: None });
        }
        let links = tempfile::Builder::new().prefix("argosy-").tempdir()?;
        let name = links.path().join("gnupg");
        symlink(fs::canonicalize(folder)?, &name)?;
        Ok(Self {
            name,
            _link: Some(links),
        })
    }

    /// Tells `command` where the keys are.
    pub(super) fn tell(&self, command: Command) -> Command {
        command.env("GNUPGHOME", &self.name)
    }

    /// Makes what ends the agent, which gpg leaves running: it would know the keys by this name for longer than there is one.
    pub(super) fn end_agent(&self, work_dir: &Path) -> Command {
        let command = Command::new("gpgconf", work_dir).time_out(TIME_OUT);
        self.tell(command.args(["--kill", "gpg-agent"]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_a_long_name_gets_a_short_one_while_it_is_used() {
        let root = tempfile::tempdir().unwrap();
        let home = root.path().join("x".repeat(100));
        let found = GnupgHome::within(&home).unwrap();
        let name = found.name.clone();
        assert!(name.as_os_str().len() <= LONGEST_NAME, "{name:?}");
        fs::write(name.join("key"), "text").unwrap();
        assert_eq!(fs::read_to_string(home.join(".gnupg/key")).unwrap(), "text");
        drop(found);
        assert!(!name.exists());
        assert!(home.join(".gnupg/key").exists());
    }

    #[test]
    fn a_folder_with_a_short_name_keeps_it() {
        let root = tempfile::tempdir().unwrap();
        let found = GnupgHome::within(root.path()).unwrap();
        assert_eq!(found.name, root.path().join(".gnupg"));
    }
}

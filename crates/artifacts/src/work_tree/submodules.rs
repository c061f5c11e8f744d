//! Submodules of a work tree: which there are, where each comes from, and one at a time onto the disk.
//!
//! What `.gitmodules` says is a stranger's word. So nothing is fetched by walking through it: a submodule is listed with the
//! URL that git would use, the caller decides whether git may go there, and only then that URL, and no other, is fetched.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use credentials::Login;

use super::{Error, WorkTree, place::is_same_host};
use crate::child::{self, Command, GitAccess, Launcher};

/// Most submodules of one tree.
const SUBMODULES_BOUND: usize = 1000;
/// How git marks a submodule in its index.
const MODE: &str = "160000 ";
const FILE: &str = ".gitmodules";

/// A submodule that git has not fetched yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submodule {
    /// Where it will be, below the work tree: `vendor/lib`.
    pub path: String,
    /// Where it comes from, made absolute where `.gitmodules` has `../lib.git`.
    pub url: String,
    name: String,
    /// The tree whose submodule it is, and the path in there.
    tree: PathBuf,
    path_in_tree: PathBuf,
}

impl Submodule {
    /// The same one at another address.
    #[must_use]
    pub fn moved_to(self, url: String) -> Self {
        Self { url, ..self }
    }

    fn folder(&self) -> PathBuf {
        self.tree.join(&self.path_in_tree)
    }
}

impl WorkTree<'_> {
    /// Lists the submodules of the work tree.
    ///
    /// # Errors
    /// [`Error::SubmoduleUrl`] when git may not be given the URL of one, [`Error::OddSubmodules`] when `.gitmodules` does
    /// not say clearly what there is.
    pub async fn submodules(&self) -> Result<Vec<Submodule>, Error> {
        self.submodules_in(&self.path, "").await
    }

    /// Lists the submodules of a submodule that was fetched.
    pub async fn submodules_of(&self, submodule: &Submodule) -> Result<Vec<Submodule>, Error> {
        let folder = submodule.folder();
        // One that its configuration says to leave alone is not there.
        if !fs::symlink_metadata(folder.join(".git")).is_ok_and(|it| it.is_file()) {
            return Ok(Vec::new());
        }
        let prefix = format!("{}/", submodule.path);
        let real = [&folder, &submodule.tree].map(fs::canonicalize);
        let stays = match real {
            [Ok(folder), Ok(tree)] => folder == tree.join(&submodule.path_in_tree),
            [Err(_), _] | [_, Err(_)] => false,
        };
        if !stays {
            let file = format!("{prefix}{FILE}");
            let why = "a symlink is on the way to it";
            return Err(Error::OddSubmodules { file, why });
        }
        self.submodules_in(&folder, &prefix).await
    }

    /// Fetches and checks out one submodule from its URL, and none of its own submodules.
    ///
    /// Without a `login`, the repository's own one is used on its own host.
    pub async fn fetch_submodule(
        &self,
        submodule: &Submodule,
        launcher: &Launcher,
        login: Option<Login>,
    ) -> Result<(), Error> {
        let repository = self.repository();
        let own = repository.login.clone();
        let own = own.filter(|_| is_same_host(&submodule.url, &repository.origin.url));
        let access = GitAccess {
            url: submodule.url.clone(),
            login: login.or(own),
            insecure_skip_tls_verify: repository.origin.insecure_skip_tls_verify,
        };
        let Submodule { tree, url, .. } = submodule;
        let key = format!("submodule.{}.url", submodule.name);
        let set = self.git_in(tree)?.args(["config", &key, url]);
        self.run(set).await?.checked()?;
        let command = launcher.remote_git(&repository.work_dir, &access)?;
        let command = beneath(command, tree)
            .args(["submodule", "--quiet", "update", "--"])
            .arg(&submodule.path_in_tree);
        launcher.run(command).await?.checked()?;
        Ok(())
    }

    async fn submodules_in(&self, tree: &Path, prefix: &str) -> Result<Vec<Submodule>, Error> {
        let odd = |why| Error::OddSubmodules {
            file: format!("{prefix}{FILE}"),
            why,
        };
        // Both write the URLs that git goes by into its own configuration, absolute. The second is for a tree that shares
        // this configuration with an older one.
        for what in ["init", "sync"] {
            let command = self.git_in(tree)?.args(["submodule", "--quiet", what]);
            self.run(command).await?.checked()?;
        }
        if !fs::symlink_metadata(tree.join(FILE)).is_ok_and(|it| it.is_file()) {
            return Ok(Vec::new());
        }
        let paths = self.settings(tree, &["--file", FILE], "path").await?;
        if paths.len() > SUBMODULES_BOUND {
            return Err(odd("it lists more than a thousand"));
        }
        let urls: BTreeMap<String, String> =
            self.settings(tree, &[], "url").await?.into_iter().collect();
        let mut found = Vec::new();
        for path in self.gitlinks(tree, &paths).await? {
            let names: Vec<&String> = paths
                .iter()
                .filter(|(_, it)| *it == path)
                .map(|(name, _)| name)
                .collect();
            let [name] = names[..] else {
                return Err(odd("it names one path twice"));
            };
            let url = urls.get(name).ok_or_else(|| odd("one has no URL"))?;
            let submodule = Submodule {
                path: format!("{prefix}{path}"),
                url: url.clone(),
                name: name.clone(),
                tree: tree.to_owned(),
                path_in_tree: PathBuf::from(path),
            };
            check_spelling(&submodule)?;
            found.push(submodule);
        }
        Ok(found)
    }

    /// Reads one setting of every submodule: names and values.
    async fn settings(
        &self,
        tree: &Path,
        from: &[&str],
        setting: &str,
    ) -> Result<Vec<(String, String)>, Error> {
        let command = self
            .git_in(tree)?
            .arg("config")
            .args(from.iter().copied())
            .args(["--null", "--get-regexp"])
            .arg(format!(r"^submodule\..*\.{setting}$"));
        let output = self.run(command).await?;
        // 1 means that there is none.
        if output.code == Some(1) {
            return Ok(Vec::new());
        }
        let printed = output.checked()?.stdout;
        let printed = String::from_utf8_lossy(&printed);
        let end = format!(".{setting}");
        let entries = printed.split('\0').filter_map(|entry| {
            let (key, value) = entry.split_once('\n')?;
            let name = key.strip_prefix("submodule.")?.strip_suffix(&end)?;
            Some((name.to_owned(), value.to_owned()))
        });
        Ok(entries.collect())
    }

    /// Gives those of the paths at which the tree has a submodule; `.gitmodules` may name others.
    async fn gitlinks(
        &self,
        tree: &Path,
        paths: &[(String, String)],
    ) -> Result<Vec<String>, Error> {
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let command = self
            .git_in(tree)?
            .args(["ls-files", "--stage", "-z", "--"])
            .args(paths.iter().map(|(_, path)| path));
        let printed = self.run(command).await?.checked()?.stdout;
        let printed = String::from_utf8_lossy(&printed);
        let links = printed
            .split('\0')
            .filter(|entry| entry.starts_with(MODE))
            .filter_map(|entry| Some(entry.split_once('\t')?.1.to_owned()));
        Ok(links
            .filter(|link| paths.iter().any(|(_, path)| path == link))
            .collect())
    }

    /// Begins a git command that stays on this machine and works on the tree of a submodule.
    fn git_in(&self, tree: &Path) -> Result<Command, Error> {
        let repository = self.repository();
        let command = repository.launcher.local_git(&repository.work_dir)?;
        Ok(beneath(command, tree))
    }
}

/// Lets git find the repository of `tree` by the folder it runs in, and of no tree above: `git submodule` refuses `GIT_DIR`.
fn beneath(command: Command, tree: &Path) -> Command {
    let above = tree.parent().map_or(OsStr::new("/"), Path::as_os_str);
    command
        .directory(tree)
        .env("GIT_CEILING_DIRECTORIES", above)
        .env("GIT_LITERAL_PATHSPECS", "1")
}

fn check_spelling(submodule: &Submodule) -> Result<(), Error> {
    match child::check_url(&submodule.url) {
        Err(child::Error::Url { url, why }) => Err(Error::SubmoduleUrl {
            path: submodule.path.clone(),
            url,
            why,
        }),
        other => Ok(other?),
    }
}

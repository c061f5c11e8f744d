//! Files that only their owner reads.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rand::Rng;

/// Letters of tokens and of names of unfinished files.
const ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// Writes a file with mode 0600 so that readers see the old content or the new, never a part.
pub fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let directory = path
        .parent()
        .filter(|it| !it.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::from(ErrorKind::InvalidInput))?;
    let unfinished = directory.join(format!(".{}.{}", name.to_string_lossy(), random_text(8)));
    let written = write_new(&unfinished, content).and_then(|()| fs::rename(&unfinished, path));
    if written.is_err() && fs::remove_file(&unfinished).is_err() {
        tracing::debug!(path = %unfinished.display(), "an unfinished file could not be removed");
    }
    written?;
    File::open(directory)?.sync_all()
}

/// Reads the token that is kept at `path`, or makes one.
pub fn read_or_create_token(path: &Path) -> io::Result<String> {
    match fs::read_to_string(path) {
        Ok(token) => Ok(token.trim().to_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let token = random_text(43);
            write_private(path, token.as_bytes())?;
            Ok(token)
        }
        Err(error) => Err(error),
    }
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

fn random_text(length: usize) -> String {
    let mut random = rand::rng();
    (0..length)
        .map(|_| char::from(ALPHABET[random.random_range(0..ALPHABET.len())]))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn private_files_are_their_owners_alone_and_replaced_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("kubeconfig");
        fs::write(&path, "old and readable").unwrap();
        write_private(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(
            fs::read_dir(directory.path()).unwrap().count(),
            1,
            "nothing unfinished is left"
        );
        assert!(write_private(&directory.path().join("missing/file"), b"x").is_err());
    }

    #[test]
    fn a_token_is_made_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        let token = read_or_create_token(&path).unwrap();
        assert_eq!(token.len(), 43);
        assert_eq!(read_or_create_token(&path).unwrap(), token);
    }
}

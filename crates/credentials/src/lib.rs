//! Who may pull and push.

use std::fmt;

use secret::Secret;
use sha2::{Digest, Sha256};

/// Answers how to log in somewhere.
#[derive(Debug, Clone)]
pub enum Login {
    /// A user name and a password or token, for HTTP.
    Basic {
        username: String,
        password: Secret<String>,
    },
    /// A private key in PEM or OpenSSH form, for Git over SSH.
    SshKey(Secret<String>),
}

impl Login {
    /// Tells two logins apart without keeping either: 64 hexadecimal digits.
    ///
    /// Whatever is remembered on behalf of a login is kept under this, so that a rotated password starts afresh.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        match self {
            Self::Basic { username, password } => {
                hash.update(format!("basic:{}:", username.len()));
                hash.update(username);
                hash.update(password.expose());
            }
            Self::SshKey(key) => {
                hash.update("ssh:");
                hash.update(key.expose());
            }
        }
        hash.finalize()
            .iter()
            .fold(String::with_capacity(64), |mut text, byte| {
                use fmt::Write as _;
                write!(text, "{byte:02x}").expect("writing to a string cannot fail");
                text
            })
    }
}

/// Names what a credential is for: the value of the label `kargo.akuity.io/cred-type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Git,
    Image,
    Helm,
}

impl Kind {
    /// Gives the value of the label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Git => "git",
            Self::Image => "image",
            Self::Helm => "helm",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.label())
    }
}

//! The policy: when the controller may act where a Project's own identity cannot.

use std::fmt;
use std::str::FromStr;

/// When the controller acts for a Project with its own identity; what stands later is stricter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fallback {
    /// Where the Project's account does not exist or may not be acted as.
    #[default]
    Allow,
    /// Where it does not exist; revoking a grant never widens access.
    IfAbsent,
    /// Never.
    Deny,
}

/// Says that a text names no policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no policy for falling back; there are: allow, if-absent, deny")]
pub struct UnknownFallback {
    text: String,
}

impl FromStr for Fallback {
    type Err = UnknownFallback;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "allow" => Ok(Self::Allow),
            "if-absent" => Ok(Self::IfAbsent),
            "deny" => Ok(Self::Deny),
            _ => Err(UnknownFallback {
                text: text.to_owned(),
            }),
        }
    }
}

impl fmt::Display for Fallback {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Allow => "allow",
            Self::IfAbsent => "if-absent",
            Self::Deny => "deny",
        })
    }
}

impl Fallback {
    /// Takes what a Project asks for, where that is stricter; what cannot be read counts as `deny`, and is given back.
    pub fn tightened(self, wish: Option<&str>) -> (Self, Option<UnknownFallback>) {
        match wish.map(str::parse::<Self>) {
            None => (self, None),
            Some(Ok(wanted)) => (self.max(wanted), None),
            Some(Err(unknown)) => (Self::Deny, Some(unknown)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_tightens_the_policy_and_never_loosens_it() {
        use Fallback::{Allow, Deny, IfAbsent};
        for (installation, annotation, policy) in [
            (Allow, None, Allow),
            (Allow, Some("allow"), Allow),
            (Allow, Some("if-absent"), IfAbsent),
            (Allow, Some("deny"), Deny),
            (IfAbsent, Some("allow"), IfAbsent),
            (IfAbsent, Some("deny"), Deny),
            (Deny, Some("allow"), Deny),
            (Deny, None, Deny),
        ] {
            let tightened = installation.tightened(annotation);
            assert_eq!(tightened, (policy, None), "{installation} {annotation:?}");
        }
    }

    #[test]
    fn an_unknown_policy_is_the_strictest_and_is_said() {
        for text in ["", "Allow", "never", " allow"] {
            let (policy, note) = Fallback::Allow.tightened(Some(text));
            assert_eq!(policy, Fallback::Deny, "{text:?}");
            let note = note.expect("a note").to_string();
            assert!(note.contains("there are: allow"), "{text:?}");
        }
    }
}

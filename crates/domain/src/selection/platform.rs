//! What an image runs on.

use std::fmt;
use std::str::FromStr;

/// Names an operating system, an architecture and, where it matters, a variant: `linux/arm64/v8`.
///
/// Two platforms are the same only if all three are: as upstream has it, `linux/arm64` is not `linux/arm64/v8`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Platform {
    pub os: String,
    pub architecture: String,
    /// Empty where there is none.
    pub variant: String,
}

/// Why a text is no platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not of the form os/arch or os/arch/variant")]
pub struct PlatformError {
    text: String,
}

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let parts: Vec<&str> = text.split('/').collect();
        let error = || PlatformError {
            text: text.to_owned(),
        };
        if parts.iter().any(|part| part.is_empty()) {
            return Err(error());
        }
        let (os, architecture, variant) = match parts[..] {
            [os, architecture] => (os, architecture, ""),
            [os, architecture, variant] => (os, architecture, variant),
            _ => return Err(error()),
        };
        Ok(Self {
            os: os.to_owned(),
            architecture: architecture.to_owned(),
            variant: variant.to_owned(),
        })
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            os,
            architecture,
            variant,
        } = self;
        write!(formatter, "{os}/{architecture}")?;
        if variant.is_empty() {
            Ok(())
        } else {
            write!(formatter, "/{variant}")
        }
    }
}

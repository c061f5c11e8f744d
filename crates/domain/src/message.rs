//! The line by which a person learns of an error: what failed, why, and what to do next.
//!
//! Errors say the last part by their `hint()`; it is joined to the rest here and nowhere else.

use std::error::Error;
use std::fmt::Display;

/// Writes an error and its causes, each after a colon.
pub fn in_one_line(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !line.ends_with(&text) {
            line = format!("{line}: {text}");
        }
        cause = error.source();
    }
    line
}

/// Adds the next thing to do to a message.
pub fn with_next(message: impl Display, next: impl Display) -> String {
    format!("{message}; next: {next}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("failed to read it")]
    struct Outer(#[source] std::io::Error);

    #[derive(Debug, thiserror::Error)]
    #[error("failed to read it: {0}")]
    struct Repeating(#[source] std::io::Error);

    fn cause() -> std::io::Error {
        std::io::Error::other("no disk")
    }

    #[test]
    fn causes_follow_and_none_is_said_twice() {
        assert_eq!(in_one_line(&Outer(cause())), "failed to read it: no disk");
        assert_eq!(
            in_one_line(&Repeating(cause())),
            "failed to read it: no disk"
        );
    }

    #[test]
    fn the_next_thing_to_do_comes_last() {
        assert_eq!(
            with_next(in_one_line(&Outer(cause())), "df -h"),
            "failed to read it: no disk; next: df -h"
        );
    }
}

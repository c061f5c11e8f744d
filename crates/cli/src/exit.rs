//! How a command ends: errors on standard error, one cause a line, and an exit code.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Result;

/// Turns the end of a command into its exit code: 0, or 1 after printing the chain of causes.
pub fn code(result: Result<()>) -> ExitCode {
    chosen(result.map(|()| ExitCode::SUCCESS))
}

/// The same for a command that says by its exit code what it found.
pub fn chosen(result: Result<ExitCode>) -> ExitCode {
    let error = match result {
        Ok(code) => return code,
        Err(error) => error,
    };
    let mut stderr = anstream::stderr().lock();
    for (depth, cause) in error.chain().enumerate() {
        let lead = if depth == 0 { "error: " } else { "  because " };
        // Nobody is left to tell when standard error is closed.
        writeln!(stderr, "{lead}{cause}").ok();
    }
    ExitCode::FAILURE
}

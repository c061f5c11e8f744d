//! How to repair one thing, as text for a person.

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use super::{Action, Plan, gcloud, terraform};

/// The same repair in each of the ways people work; none leaves open what to do, nor why Terraform cannot do it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// gcloud, kubectl or argosy commands, one a line or with continued lines. Capitals stand for what is not known here.
    pub commands: String,
    pub terraform: Terraform,
    /// What no command can say; may be empty.
    pub advice: String,
}

/// A repair as Terraform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Terraform {
    /// Resources, and as comments what to change in a resource that is declared elsewhere.
    Written(String),
    /// Nothing that is declared brings it about.
    Never { why: String },
}

/// Commands of which is still to be said what they are as Terraform.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Commands(String);

impl Fix {
    /// Writes the repair that actions are.
    pub fn by(actions: Vec<Action>) -> Self {
        let plan = Plan {
            actions,
            ..Plan::default()
        };
        Commands(gcloud::commands(&plan)).and_terraform(terraform::write(&plan))
    }

    /// Begins with commands, each a line.
    pub fn commands<T: AsRef<str>>(lines: &[T]) -> Commands {
        let lines = lines.iter().flat_map(|it| [it.as_ref(), "\n"]);
        Commands(lines.collect())
    }

    /// Adds what no command can say.
    #[must_use]
    pub fn and_advice(mut self, advice: &str) -> Self {
        if !self.advice.is_empty() {
            self.advice.push_str("; ");
        }
        self.advice.push_str(advice);
        self
    }

    /// Puts another repair behind this one. What both declare would be declared twice.
    #[must_use]
    pub fn then(mut self, next: Self) -> Self {
        self.commands.push_str(&next.commands);
        self.terraform = match (self.terraform, next.terraform) {
            (Terraform::Written(first), Terraform::Written(next)) => {
                let parts = [first, next];
                let parts: Vec<_> = parts.into_iter().filter(|it| !it.is_empty()).collect();
                Terraform::Written(parts.join("\n"))
            }
            (Terraform::Never { why }, _) | (_, Terraform::Never { why }) => {
                Terraform::Never { why }
            }
        };
        if next.advice.is_empty() {
            self
        } else {
            self.and_advice(&next.advice)
        }
    }
}

impl Commands {
    pub fn and_terraform(self, written: String) -> Fix {
        Fix {
            commands: self.0,
            terraform: Terraform::Written(written),
            advice: String::new(),
        }
    }

    /// Says why Terraform cannot do what the commands do.
    pub fn without_terraform(self, why: &str) -> Fix {
        Fix {
            commands: self.0,
            terraform: Terraform::Never {
                why: why.to_owned(),
            },
            advice: String::new(),
        }
    }
}

impl Terraform {
    /// Gives what is written; empty if nothing is.
    pub fn text(&self) -> &str {
        match self {
            Self::Written(text) => text,
            Self::Never { .. } => "",
        }
    }
}

impl Serialize for Fix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self {
            commands,
            terraform,
            advice,
        } = self;
        let mut fields = serializer.serialize_struct("Fix", 3)?;
        fields.serialize_field("commands", commands)?;
        match terraform {
            Terraform::Written(text) => fields.serialize_field("terraform", text)?,
            Terraform::Never { why } => fields.serialize_field("noTerraform", why)?,
        }
        if advice.is_empty() {
            fields.skip_field("advice")?;
        } else {
            fields.serialize_field("advice", advice)?;
        }
        fields.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_repair_is_json_with_terraform_or_the_reason_why_there_is_none() {
        let fix = Fix::commands(&["gcloud a", "gcloud b"]).and_terraform("# c\n".to_owned());
        let wanted = json!({"commands": "gcloud a\ngcloud b\n", "terraform": "# c\n"});
        assert_eq!(serde_json::to_value(&fix).expect("JSON"), wanted);
        let fix = Fix::commands(&["kubectl a"]).without_terraform("it is no resource");
        let wanted = json!({"commands": "kubectl a\n", "noTerraform": "it is no resource", "advice": "wait"});
        assert_eq!(
            serde_json::to_value(fix.and_advice("wait")).expect("JSON"),
            wanted
        );
    }

    #[test]
    fn of_two_repairs_nothing_is_lost_but_half_a_file_of_terraform() {
        let written = |it: &str| Fix::commands(&[it]).and_terraform(format!("# {it}\n"));
        let both = written("a").and_advice("first").then(written("b"));
        assert_eq!(both.commands, "a\nb\n");
        assert_eq!(both.terraform.text(), "# a\n\n# b\n");
        assert_eq!(both.advice, "first");
        let never = Fix::commands(&["c"]).without_terraform("no resource");
        let why = never.terraform.clone();
        assert_eq!(written("a").then(never).terraform, why);
    }
}

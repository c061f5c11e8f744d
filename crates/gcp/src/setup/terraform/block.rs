//! Blocks of HCL in canonical form: two spaces deeper each, equals signs in line.

use std::fmt::{self, Write};

/// A block with arguments and then blocks inside.
pub(crate) struct Block {
    head: String,
    arguments: Vec<(String, String)>,
    inside: Vec<Self>,
}

impl Block {
    pub(crate) fn resource(kind: &str, label: &str) -> Self {
        Self::nested(&format!("resource \"{kind}\" \"{label}\""))
    }

    pub(crate) fn data(kind: &str, label: &str) -> Self {
        Self::nested(&format!("data \"{kind}\" \"{label}\""))
    }

    pub(crate) fn nested(head: &str) -> Self {
        Self {
            head: head.to_owned(),
            arguments: Vec::new(),
            inside: Vec::new(),
        }
    }

    /// Adds an argument; `value` is HCL, for text see [`text`].
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.arguments.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn inside(mut self, block: Self) -> Self {
        self.inside.push(block);
        self
    }

    fn write(&self, out: &mut impl Write, depth: usize) -> fmt::Result {
        let indent = "  ".repeat(depth);
        writeln!(out, "{indent}{} {{", self.head)?;
        let widest = self.arguments.iter().map(|(name, _)| name.len()).max();
        let widest = widest.unwrap_or_default();
        for (name, value) in &self.arguments {
            writeln!(out, "{indent}  {name:<widest$} = {value}")?;
        }
        for (place, block) in self.inside.iter().enumerate() {
            if place > 0 || !self.arguments.is_empty() {
                writeln!(out)?;
            }
            block.write(out, depth + 1)?;
        }
        writeln!(out, "{indent}}}")
    }
}

impl fmt::Display for Block {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(out, 0)
    }
}

/// Quotes a text so that nothing in it is a template.
pub(crate) fn text(value: &str) -> String {
    let escaped = value
        .replace('\\', r"\\")
        .replace('"', "\\\"")
        .replace('\n', r"\n")
        .replace("${", "$${")
        .replace("%{", "%%{");
    format!("\"{escaped}\"")
}

/// Writes a list of texts on one line.
pub(crate) fn list(values: &[String]) -> String {
    let values: Vec<_> = values.iter().map(|it| text(it)).collect();
    format!("[{}]", values.join(", "))
}

/// Makes one label of some names, of the characters that a label may have.
pub(crate) fn label(names: &[&str]) -> String {
    let joined = names.join("_");
    let plain = |it: char| {
        if it.is_ascii_alphanumeric() {
            it.to_ascii_lowercase()
        } else {
            '_'
        }
    };
    let label: String = joined.chars().map(plain).collect();
    if label.starts_with(|it: char| it.is_ascii_digit()) {
        format!("_{label}")
    } else {
        label
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_signs_stand_in_line_and_blocks_apart() {
        let block = Block::resource("a", "b")
            .with("long_name", "1")
            .with("x", &text("y"))
            .inside(Block::nested("inner").with("z", "true"));
        assert_eq!(
            block.to_string(),
            "resource \"a\" \"b\" {\n  long_name = 1\n  x         = \"y\"\n\n  inner {\n    z = true\n  }\n}\n"
        );
    }

    #[test]
    fn text_is_never_a_template() {
        assert_eq!(text(r#"a"b\c"#), r#""a\"b\\c""#);
        assert_eq!(text("${var.x} %{if}"), r#""$${var.x} %%{if}""#);
        assert_eq!(
            list(&["a".to_owned(), "${b}".to_owned()]),
            r#"["a", "$${b}"]"#
        );
    }

    #[test]
    fn labels_are_plain() {
        assert_eq!(label(&["acme-gke", "iam.x"]), "acme_gke_iam_x");
        assert_eq!(label(&["4711"]), "_4711");
    }
}

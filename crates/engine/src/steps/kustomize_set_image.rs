//! `kustomize-set-image`: sets images in a kustomization file, in place.

use std::{collections::BTreeMap, path::PathBuf, str::FromStr};

use domain::message::in_one_line;
use resources::Image;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use yaml_edit::{Document, Mapping, ScalarValue, Sequence};

use super::{Outcome, Step, StepError};
use crate::{context::StepContext, work_dir::FilePath, yaml};

/// The names that Kustomize looks for.
pub(super) const FILE_NAMES: [&str; 3] =
    ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Asks to keep what is there.
const KEEP: &str = "*";

#[derive(Debug, Deserialize)]
pub(super) struct KustomizeSetImage {
    path: String,
    #[serde(default)]
    images: Vec<Target>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Target {
    image: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    new_name: String,
    #[serde(default)]
    tag: String,
    #[serde(default)]
    digest: String,
}

/// What an entry of `images` is to hold; an empty field is to be absent, `*` as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    name: String,
    new_name: String,
    new_tag: String,
    digest: String,
}

impl Step for KustomizeSetImage {
    const KIND: &'static str = "kustomize-set-image";

    async fn run(self, cx: &StepContext<'_>) -> Result<Outcome, StepError> {
        let wanted = if self.images.is_empty() {
            from_freight(
                cx.run
                    .freight_collection
                    .references()
                    .flat_map(|freight| &freight.images),
            )?
        } else {
            self.images.iter().map(Wanted::of).collect()
        };
        let file = find_file(cx, &self.path)?;
        let text = cx.work_dir.read_text(&file)?;
        let changed = set_images(&text, &wanted).map_err(|error| {
            StepError::Errored(format!(
                "failed to set images in {:?}: {}",
                file.display(),
                in_one_line(&error)
            ))
            .with_next(error.hint())
        })?;
        if changed != text {
            cx.work_dir.write_text(&file, &changed)?;
        }
        cx.reached("written");
        let message = commit_message(&self.path, &wanted);
        Ok(Outcome::Done(Map::from_iter([(
            "commitMessage".to_owned(),
            json!(message),
        )])))
    }
}

impl Wanted {
    fn of(target: &Target) -> Self {
        let name = if target.name.is_empty() {
            &target.image
        } else {
            &target.name
        };
        Self {
            name: name.clone(),
            new_name: target.new_name.clone(),
            new_tag: target.tag.clone(),
            digest: target.digest.clone(),
        }
    }
}

/// Takes every image of the Freight, with its tag and its digest.
fn from_freight<'a>(images: impl Iterator<Item = &'a Image>) -> Result<Vec<Wanted>, StepError> {
    let mut wanted: BTreeMap<&str, Wanted> = BTreeMap::new();
    for image in images {
        let new = Wanted {
            name: image.repo_url.clone(),
            new_name: KEEP.to_owned(),
            new_tag: image.tag.clone(),
            digest: image.digest.clone(),
        };
        if let Some(other) = wanted.insert(&image.repo_url, new.clone())
            && other != new
        {
            return Err(StepError::Failed(format!(
                "the Freight has several images of {:?}: say which with images",
                image.repo_url
            )));
        }
    }
    Ok(wanted.into_values().collect())
}

/// Finds the one kustomization file of a folder.
pub(super) fn find_file(cx: &StepContext<'_>, folder: &str) -> Result<PathBuf, StepError> {
    let parsed = FilePath::parse_for_writing(folder)?;
    let real = cx.work_dir.writable(&parsed)?;
    let found: Vec<_> = FILE_NAMES
        .iter()
        .map(|name| real.join(name))
        .filter(|it| cx.work_dir.files().is_file(it))
        .collect();
    match found.as_slice() {
        [one] => Ok(cx
            .work_dir
            .writable(&FilePath::parse(&one.to_string_lossy())?)?),
        [] => Err(StepError::Errored(format!(
            "{folder:?} has no kustomization file ({})",
            FILE_NAMES.join(", ")
        ))
        .with_next("correct path, or add the file in the repository")),
        _ => Err(
            StepError::Errored(format!("{folder:?} has more than one kustomization file"))
                .with_next("leave one of them in the repository"),
        ),
    }
}

/// Sets entries of `images`; those that are there stay where they are, new ones follow, sorted by name.
fn set_images(text: &str, wanted: &[Wanted]) -> Result<String, yaml::Error> {
    let file = yaml::parse(text)?;
    let before = yaml::read(text)?;
    let document = file.document().unwrap_or_else(Document::new_mapping);
    let root = document
        .as_mapping()
        .ok_or_else(|| yaml::Error::Shape("it is not a mapping".to_owned()))?;
    let mut new: Vec<&Wanted> = Vec::new();
    let images = root.get_sequence("images");
    if images.is_none()
        && root
            .get("images")
            .is_some_and(|it| !it.as_scalar().is_some_and(yaml_edit::Scalar::is_null))
    {
        return Err(yaml::Error::Shape("images is not a list".to_owned()));
    }
    for image in wanted {
        match images.as_ref().and_then(|images| find(images, &image.name)) {
            Some(entry) => change(&entry, image),
            None => new.push(image),
        }
    }
    new.sort_by(|a, b| a.name.cmp(&b.name));
    let changed = match &images {
        _ if new.is_empty() => file.to_string(),
        Some(images) if !images.is_empty() => {
            for image in &new {
                images.push(entry_of(image)?);
            }
            file.to_string()
        }
        Some(_) | None => {
            root.remove("images");
            append(&file.to_string(), &new)
        }
    };
    check(&before, &changed, wanted)?;
    Ok(changed)
}

fn find(images: &Sequence, name: &str) -> Option<Mapping> {
    images
        .values()
        .filter_map(|it| it.as_mapping().cloned())
        .find(|it| {
            it.get("name")
                .is_some_and(|it| it.as_scalar().is_some_and(|it| it.as_string() == name))
        })
}

fn change(entry: &Mapping, image: &Wanted) {
    for (key, value) in image.fields() {
        match value {
            KEEP => {}
            "" => drop(entry.remove(key)),
            value => {
                let old = entry.get(key);
                if old
                    .as_ref()
                    .and_then(|it| Some(it.as_scalar()?.as_string()))
                    .as_deref()
                    != Some(value)
                {
                    entry.set(key, yaml::string_like(old.as_ref(), value));
                }
            }
        }
    }
}

impl Wanted {
    fn fields(&self) -> [(&'static str, &str); 3] {
        [
            ("newName", &self.new_name),
            ("newTag", &self.new_tag),
            ("digest", &self.digest),
        ]
    }

    /// The lines of a new entry, without indentation.
    fn lines(&self) -> Vec<String> {
        let set = self
            .fields()
            .into_iter()
            .filter(|(_, value)| !value.is_empty() && *value != KEEP);
        let all = std::iter::once(("name", self.name.as_str())).chain(set);
        all.map(|(key, value)| format!("{key}: {}", ScalarValue::string(value).to_yaml_string()))
            .collect()
    }
}

fn entry_of(image: &Wanted) -> Result<Mapping, yaml::Error> {
    let text = image.lines().join("\n") + "\n";
    let document =
        Document::from_str(&text).map_err(|error| yaml::Error::Syntax(error.to_string()))?;
    document
        .as_mapping()
        .ok_or_else(|| yaml::Error::Shape("an entry is not a mapping".to_owned()))
}

/// Writes a new list at the end of the text.
fn append(text: &str, images: &[&Wanted]) -> String {
    let mut text = text.to_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str("images:\n");
    for image in images {
        for (index, line) in image.lines().iter().enumerate() {
            text.push_str(if index == 0 { "- " } else { "  " });
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

/// Reads the new text and compares it with what was asked for.
fn check(before: &[Value], changed: &str, wanted: &[Wanted]) -> Result<(), yaml::Error> {
    let mut expected = before
        .first()
        .cloned()
        .filter(Value::is_object)
        .unwrap_or_else(|| json!({}));
    let mut images: Vec<Value> = expected["images"].as_array().cloned().unwrap_or_default();
    let mut new: Vec<Value> = Vec::new();
    for image in wanted {
        let known = images
            .iter_mut()
            .find(|it| it["name"] == image.name.as_str());
        let entry = if let Some(known) = known {
            known
        } else {
            new.push(json!({"name": image.name}));
            new.last_mut().expect("it was just added")
        };
        let Some(entry) = entry.as_object_mut() else {
            continue;
        };
        for (key, value) in image.fields() {
            match value {
                KEEP => {}
                "" => drop(entry.remove(key)),
                value => drop(entry.insert(key.to_owned(), json!(value))),
            }
        }
    }
    new.sort_by(|a, b| a["name"].as_str().cmp(&b["name"].as_str()));
    images.append(&mut new);
    expected["images"] = Value::Array(images);
    let after = yaml::read(changed)?;
    if after.first() == Some(&expected) && after.get(1..) == before.get(1..).or(Some(&[])) {
        return Ok(());
    }
    Err(yaml::Error::Unsafe("images".to_owned()))
}

/// One line on the folder, then one for each image.
fn commit_message(path: &str, wanted: &[Wanted]) -> String {
    let line = |image: &Wanted| {
        let name = if image.new_name.is_empty() || image.new_name == KEEP {
            &image.name
        } else {
            &image.new_name
        };
        let tag = if image.new_tag.is_empty() {
            String::new()
        } else {
            format!(":{}", image.new_tag)
        };
        let digest = if image.digest.is_empty() {
            String::new()
        } else {
            format!("@{}", image.digest)
        };
        format!("\n- {name}{tag}{digest}")
    };
    let lines: String = wanted.iter().map(line).collect();
    format!("Updated images in {path}\n{lines}")
}

#[cfg(test)]
mod tests;

//! A step of every kind, each with so much to do that it can be killed inside, and the files it works on.

use std::fmt::Write as _;

use crate::pipeline::STAGE;

/// How many files `copy` copies and `delete` deletes again: so many that the steps take a while.
pub(super) const FILES: usize = 400;
/// How many values `yaml-update` sets, and images `kustomize-set-image`.
pub(super) const VALUES: usize = 60;
/// How many times `set-metadata` writes.
pub(super) const WRITES: usize = 12;

const DEPLOY: &str = "
- uses: git-clone
  as: git-clone
  config:
    repoURL: REPOSITORY
    checkout:
      - {branch: main, path: src}
      - {branch: stage/test, path: out}
      - {branch: 'made/${{ ctx.promotion }}', path: made, create: true}
- {uses: git-clear, as: git-clear, config: {path: out}}
- {uses: kustomize-set-image, as: kustomize-set-image, config: {path: src/base, images: IMAGES}}
- {uses: kustomize-build, as: kustomize-build, config: {path: src/base, outPath: out/rendered.yaml}}
- {uses: copy, as: copy, config: {inPath: src/files, outPath: out}}
- {uses: yaml-update, as: yaml-update, config: {path: out/values.yaml, updates: UPDATES}}
- {uses: delete, as: delete, config: {path: out/old, strict: true}}
- {uses: git-commit, as: git-commit, config: {path: out, message: 'Deploy ${{ ctx.promotion }}'}}
- {uses: git-push, as: git-push, config: {path: out}}
- {uses: set-metadata, as: set-metadata, config: {updates: METADATA}}
- {uses: fail, as: fail, continueOnError: true, config: {message: 'as told: BUSY'}}
- uses: compose-output
  as: compose-output
  config: {commit: \"${{ outputs['git-push'].commit }}\", counted: 'BUSY'}
";

/// Takes the evaluation a while; gives 2857.
const BUSY: &str = "${{ len(filter(1..20000, # % 7 == 0)) }}";

/// The steps, for a repository that holds [`files`].
pub(super) fn steps(repository: &str) -> String {
    let images: Vec<String> = (0..VALUES)
        .map(|it| format!("{{image: web-{it}, tag: '${{{{ ctx.promotion }}}}'}}"))
        .collect();
    let updates: Vec<String> = (0..VALUES)
        .map(|it| format!("{{key: key{it}, value: '${{{{ ctx.promotion }}}}'}}"))
        .collect();
    let metadata: Vec<String> = (0..WRITES)
        .flat_map(|it| [("Stage", STAGE, it), ("Freight", "${{ ctx.targetFreight.name }}", it)])
        .map(|(kind, name, it)| {
            format!(
                "{{kind: {kind}, name: '{name}', values: {{key{it}: \"${{{{ outputs['git-push'].commit }}}}\"}}}}"
            )
        })
        .collect();
    DEPLOY
        .replace("REPOSITORY", repository)
        .replace("IMAGES", &format!("[{}]", images.join(", ")))
        .replace("UPDATES", &format!("[{}]", updates.join(", ")))
        .replace("METADATA", &format!("[{}]", metadata.join(", ")))
        .replace("BUSY", BUSY)
}

/// What the repository holds at first.
pub(super) fn files() -> Vec<(String, String)> {
    let mut files = Vec::new();
    for it in 0..FILES {
        files.push((format!("files/keep/{it}.txt"), format!("{it}\n")));
        files.push((format!("files/old/{it}.txt"), format!("old {it}\n")));
    }
    let mut values = String::new();
    let mut images = String::new();
    for it in 0..VALUES {
        writeln!(values, "key{it}: none").unwrap();
        writeln!(images, "- name: web-{it}\n  newTag: none").unwrap();
    }
    files.push(("files/values.yaml".to_owned(), values));
    files.push((
        "base/kustomization.yaml".to_owned(),
        format!("resources: [pod.yaml]\nimages:\n{images}"),
    ));
    files.push((
        "base/pod.yaml".to_owned(),
        "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: web, image: web-0}]}\n"
            .to_owned(),
    ));
    files
}

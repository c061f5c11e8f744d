//! Removes what Promotions left on disk that ended while nobody looked.

use std::{collections::BTreeSet, fs, path::Path, time::Duration};

use jiff::Timestamp;

/// How long a folder must have been untouched: it might belong to somebody who shares the disk but not the API.
const UNTOUCHED: Duration = Duration::from_hours(24);

/// Removes the work directories of all Promotions but those whose identities are given.
///
/// What cannot be read or removed stays; the next start tries again.
pub(super) fn remove(work_root: &Path, open: &BTreeSet<String>, now: Timestamp) {
    let folders = fs::read_dir(work_root).into_iter().flatten().flatten();
    for folder in folders {
        let name = folder.file_name();
        let Some(uid) = name.to_str().and_then(|it| it.strip_prefix("promotion-")) else {
            continue;
        };
        let uid = uid.strip_suffix(".removed").unwrap_or(uid);
        let modified = folder
            .metadata()
            .and_then(|it| it.modified())
            .ok()
            .and_then(|it| Timestamp::try_from(it).ok());
        let untouched = modified.and_then(|it| Duration::try_from(now.duration_since(it)).ok());
        if open.contains(uid) || untouched.is_none_or(|it| it < UNTOUCHED) {
            continue;
        }
        match engine::remove_work_dir(work_root, uid) {
            Ok(()) => tracing::info!(uid, "removed what a Promotion had left"),
            Err(error) => tracing::warn!(uid, %error, "what a Promotion left could not be removed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;

    use super::*;

    #[test]
    fn only_what_is_old_and_belongs_to_nobody_is_removed() {
        let root = tempfile::tempdir().expect("a folder can be made");
        for name in [
            "promotion-open",
            "promotion-ended",
            "promotion-half.removed",
            "else",
        ] {
            fs::create_dir(root.path().join(name)).expect("a folder can be made");
        }
        let left = || {
            let entries = fs::read_dir(root.path())
                .expect("the folder is there")
                .flatten();
            entries
                .map(|it| it.file_name().to_string_lossy().into_owned())
                .collect::<BTreeSet<_>>()
        };
        let open = BTreeSet::from(["open".to_owned()]);
        let now = Timestamp::now();
        remove(root.path(), &open, now);
        assert_eq!(left().len(), 4, "they are new");
        remove(root.path(), &open, now + 25.hours());
        assert_eq!(left(), ["else", "promotion-open"].map(str::to_owned).into());
    }
}

//! Paths stay inside, and a work directory is fresh or resumed.

use std::os::unix::fs::symlink;

use super::*;

#[track_caller]
fn check(path: &str, expected: Option<&str>) {
    assert_eq!(
        FilePath::parse(path)
            .ok()
            .map(|it| it.to_string())
            .as_deref(),
        expected,
        "{path}"
    );
}

#[test]
fn a_path_stays_inside_by_its_text() {
    check("src/env", Some("src/env"));
    check("./src//env/.", Some("src/env"));
    check("/src", Some("src"));
    check("src/../out", Some("out"));
    check(".", Some("."));
    check("/", Some("."));
    check("..", None);
    check("src/../../out", None);
    check("a\0b", None);
    check("", None);
}

#[test]
fn the_top_folder_has_files() {
    let root = tempfile::tempdir().unwrap();
    let (work_dir, _) = WorkDir::open(root.path(), "1").unwrap();
    fs::write(work_dir.root().join("files/a"), "text").unwrap();
    let top = work_dir.writable(&FilePath::parse(".").unwrap()).unwrap();
    assert_eq!(top, Path::new("."));
    assert!(work_dir.files().is_file(top.join("a")));
    let file = work_dir.writable(&FilePath::parse("./a").unwrap()).unwrap();
    assert_eq!(work_dir.read_text(&file).unwrap(), "text");
}

#[test]
fn nothing_is_written_into_git_folders() {
    assert!(FilePath::parse_for_writing("src/.git/config").is_err());
    assert!(FilePath::parse_for_writing(".GIT").is_err());
    assert!(FilePath::parse_for_writing("src/.gitignore").is_ok());
}

#[test]
fn a_symlink_that_leaves_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let (work_dir, found) = WorkDir::open(root.path(), "1").unwrap();
    assert_eq!(found, Found::Fresh);
    let files = work_dir.root().join("files");
    fs::create_dir(files.join("inside")).unwrap();
    symlink("inside", files.join("good")).unwrap();
    symlink("/etc", files.join("bad")).unwrap();
    symlink("../repositories", files.join("up")).unwrap();
    symlink("nowhere", files.join("dangling")).unwrap();
    let absolute = |path: &str| work_dir.absolute(&FilePath::parse(path).unwrap());
    assert_eq!(absolute("good/new/x").unwrap(), files.join("inside/new/x"));
    assert_eq!(absolute(".").unwrap(), files);
    assert_eq!(absolute("new").unwrap(), files.join("new"));
    for path in ["bad", "bad/passwd", "bad/none", "up", "up/0", "dangling"] {
        assert!(absolute(path).is_err(), "{path}");
    }
    assert!(work_dir.files().read_to_string("bad/passwd").is_err());
}

#[test]
fn a_removed_work_directory_is_fresh_again() {
    let root = tempfile::tempdir().unwrap();
    WorkDir::open(root.path(), "1").unwrap();
    assert_eq!(WorkDir::open(root.path(), "1").unwrap().1, Found::Present);
    remove_work_dir(root.path(), "1").unwrap();
    remove_work_dir(root.path(), "1").unwrap();
    assert_eq!(WorkDir::open(root.path(), "1").unwrap().1, Found::Fresh);
    assert!(WorkDir::open(root.path(), "../x").is_err());
}

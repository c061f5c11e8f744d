//! Tests of the folder of mirrors.

use super::*;
use crate::Boundless;

/// A mirror that takes about `size` bytes.
async fn make(mirrors: &Mirrors, scope: char, size: usize) -> PathBuf {
    let held = mirrors
        .hold(&scope.to_string().repeat(40), &Boundless)
        .await
        .expect("held");
    let folder = held.folder.clone();
    fs::create_dir_all(folder.join(GIT_DIR)).expect("a folder");
    fs::write(folder.join(GIT_DIR).join("pack"), vec![1; size]).expect("written");
    mirrors.settle(held).expect("settled");
    folder
}

#[tokio::test]
async fn the_mirror_that_was_not_used_for_longest_goes_first() {
    let root = tempfile::tempdir().expect("a folder");
    let mirrors = Mirrors::new(root.path().join("mirrors"), 250_000);
    let first = make(&mirrors, 'a', 100_000).await;
    let second = make(&mirrors, 'b', 100_000).await;
    drop(
        mirrors
            .hold(&"a".repeat(40), &Boundless)
            .await
            .expect("held"),
    );
    let third = make(&mirrors, 'c', 100_000).await;
    assert_eq!(
        (first.exists(), second.exists(), third.exists()),
        (true, false, true)
    );
    // One that is worked on stays, whatever it takes.
    let held = mirrors
        .hold(&"a".repeat(40), &Boundless)
        .await
        .expect("held");
    let fourth = make(&mirrors, 'd', 100_000).await;
    assert_eq!(
        (first.exists(), third.exists(), fourth.exists()),
        (true, false, true)
    );
    drop(held);
    // One that is too large alone is of use once.
    let fifth = make(&mirrors, 'e', 300_000).await;
    assert_eq!(
        (first.exists(), fourth.exists(), fifth.exists()),
        (false, false, false)
    );
}

#[tokio::test]
async fn two_processes_take_turns_also_when_one_removes_the_mirror() {
    let root = tempfile::tempdir().expect("a folder");
    let folder = root.path().join("mirrors");
    let (one, other) = (
        Arc::new(Mirrors::new(folder.clone(), 1)),
        Arc::new(Mirrors::new(folder, 1)),
    );
    let scope = "a".repeat(40);
    let held = one.hold(&scope, &Boundless).await.expect("held");
    let waiting = {
        let (other, scope) = (Arc::clone(&other), scope.clone());
        tokio::spawn(async move { other.hold(&scope, &Boundless).await })
    };
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    // It is larger than allowed, so the folder goes, and with it the file that the other waits for.
    one.settle(held).expect("settled");
    let held = waiting.await.expect("no panic").expect("held");
    assert!(held.folder.join(LOCK).exists());
    assert!(try_hold(&held.folder).expect("looked at").is_none());
}

#[tokio::test]
async fn what_a_killed_process_left_is_removed_at_the_start() {
    let root = tempfile::tempdir().expect("a folder");
    let folder = root.path().join("mirrors");
    let a = make(&Mirrors::new(folder.clone(), 1_000_000), 'a', 10).await;
    for file in [
        "home/ssh-key-x",
        "history.git/shallow.lock",
        "history.git/objects/pack/tmp_pack_x",
        "history.git/objects/pack/pack-1.pack",
        "../asks/x/home/ssh-key-y",
    ] {
        let file = a.join(file);
        fs::create_dir_all(file.parent().expect("a folder")).expect("made");
        fs::write(file, "x").expect("written");
    }
    let old = folder.join("b".repeat(40));
    fs::create_dir_all(old.join("mirror.git")).expect("made");
    let other = folder.join("notes");
    fs::create_dir_all(&other).expect("made");
    drop(Mirrors::new(folder.clone(), 1_000_000));
    let left: Vec<bool> = [
        a.join(HOME),
        a.join("history.git/shallow.lock"),
        a.join("history.git/objects/pack/tmp_pack_x"),
        a.join("history.git/objects/pack/pack-1.pack"),
        folder.join(ASKS),
        old,
        other,
    ]
    .iter()
    .map(|it| it.exists())
    .collect();
    assert_eq!(left, [false, false, false, true, false, false, true]);
    // A smaller allowance is kept from the start.
    drop(Mirrors::new(folder, 1));
    assert!(!a.exists());
}

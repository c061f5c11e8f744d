//! Tests of the store: what it answers, what it holds, and what is left of it when the power goes.

mod disk;
mod power;

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::store::memory::Expired;

fn things() -> Resource {
    Resource::new("example.com", "things")
}

fn key(namespace: &str, name: &str) -> Key {
    Key::new(&things(), namespace, name)
}

fn thing(name: &str, text: &str) -> Value {
    json!({"metadata": {"name": name, "uid": name, "labels": {"text": text}}, "text": text})
}

fn put(name: &str, expect: Expect, text: &str) -> Write {
    Write {
        key: key("a", name),
        expect,
        effect: Effect::Put(thing(name, text)),
        namespace: None,
    }
}

fn in_memory(history: History) -> Store {
    Store::open_on(redb::backends::InMemoryBackend::new(), history).expect("memory does not fail")
}

fn list(store: &Store, at: Option<u64>, after: Option<&str>) -> Result<Vec<String>, Expired> {
    let resource = things();
    let request = PageRequest {
        resource: &resource,
        namespace: Some("a"),
        at,
        after,
    };
    let page = store.memory().list(request)?;
    Ok(page
        .objects
        .iter()
        .map(|it| {
            format!(
                "{}={}",
                it.key.name(),
                it.to_value()["text"].as_str().unwrap()
            )
        })
        .collect())
}

async fn written(store: &Store, write: Write) -> u64 {
    store.write(write).await.expect("the write fits").revision
}

#[tokio::test]
async fn a_write_that_expects_something_else_is_refused() {
    let store = in_memory(History::default());
    let first = written(&store, put("x", Expect::Absent, "1")).await;
    let refused = store
        .write(put("x", Expect::Absent, "2"))
        .await
        .unwrap_err();
    assert!(matches!(refused, Refused::Changed(Some(it)) if it.revision == first));
    let second = written(&store, put("x", Expect::Revision(first), "2")).await;
    assert!(second > first);
    assert!(matches!(
        store.write(put("x", Expect::Revision(first), "3")).await,
        Err(Refused::Changed(Some(_)))
    ));
    assert!(matches!(
        store.write(put("y", Expect::Revision(first), "3")).await,
        Err(Refused::Changed(None))
    ));
}

#[tokio::test]
async fn of_many_writers_of_one_revision_one_wins() {
    let store = in_memory(History::default());
    let first = written(&store, put("x", Expect::Absent, "0")).await;
    let writers = (0..50).map(|_| store.write(put("x", Expect::Revision(first), "1")));
    let outcomes = futures::future::join_all(writers).await;
    assert_eq!(outcomes.iter().filter(|it| it.is_ok()).count(), 1);
}

#[tokio::test]
async fn nothing_is_created_in_a_namespace_that_goes_away() {
    let store = in_memory(History::default());
    let namespace = Key::new(&Resource::new("", "namespaces"), "", "a");
    let guarded = |name: &str| Write {
        namespace: Some(namespace.clone()),
        ..put(name, Expect::Absent, "1")
    };
    assert!(matches!(
        store.write(guarded("x")).await,
        Err(Refused::NamespaceMissing)
    ));
    let set = |expect, value| Write {
        key: namespace.clone(),
        expect,
        effect: Effect::Put(value),
        namespace: None,
    };
    let revision = written(
        &store,
        set(Expect::Absent, json!({"metadata": {"name": "a"}})),
    )
    .await;
    written(&store, guarded("x")).await;
    let terminating =
        json!({"metadata": {"name": "a", "deletionTimestamp": "2026-01-01T00:00:00Z"}});
    written(&store, set(Expect::Revision(revision), terminating)).await;
    assert!(matches!(
        store.write(guarded("y")).await,
        Err(Refused::NamespaceTerminating)
    ));
}

#[tokio::test]
async fn a_list_shows_one_revision_whatever_came_after() {
    let store = in_memory(History::default());
    let x = written(&store, put("x", Expect::Absent, "1")).await;
    let then = written(&store, put("y", Expect::Absent, "1")).await;
    let x = written(&store, put("x", Expect::Revision(x), "2")).await;
    written(&store, put("w", Expect::Absent, "1")).await;
    let last = Write {
        effect: Effect::Remove(thing("x", "2")),
        ..put("x", Expect::Revision(x), "")
    };
    written(&store, last).await;
    assert_eq!(list(&store, None, None).unwrap(), ["w=1", "y=1"]);
    assert_eq!(list(&store, Some(then), None).unwrap(), ["x=1", "y=1"]);
    assert_eq!(list(&store, Some(then), Some("a/x")).unwrap(), ["y=1"]);
    assert_eq!(list(&store, Some(x), None).unwrap(), ["x=2", "y=1"]);
}

#[tokio::test]
async fn a_feed_gives_every_change_once_and_in_order() {
    let store = in_memory(History::default());
    let first = written(&store, put("x", Expect::Absent, "0")).await;
    let mut feed = Feed::start(Arc::clone(store.memory()), things(), 0).unwrap();
    let writer = store.clone();
    let writes = tokio::spawn(async move {
        let mut revision = first;
        for text in 1..=1000 {
            revision = written(
                &writer,
                put("x", Expect::Revision(revision), &text.to_string()),
            )
            .await;
        }
        writer.close().await;
    });
    let mut seen = Vec::new();
    loop {
        let changes = feed.take().unwrap();
        let open = !changes.is_empty() || feed.wait().await;
        seen.extend(
            changes
                .iter()
                .map(|it| it.object.to_value()["text"].as_str().unwrap().to_owned()),
        );
        if !open {
            break;
        }
    }
    writes.await.unwrap();
    assert_eq!(
        seen,
        (0..=1000).map(|it| it.to_string()).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_revision_that_was_compacted_away_has_expired() {
    let store = in_memory(History {
        changes: 10,
        bytes: 1 << 20,
    });
    let mut revision = written(&store, put("x", Expect::Absent, "0")).await;
    let mut slow = Feed::start(Arc::clone(store.memory()), things(), revision).unwrap();
    let first = revision;
    for text in 0..40 {
        revision = written(
            &store,
            put("x", Expect::Revision(revision), &text.to_string()),
        )
        .await;
    }
    assert!(Feed::start(Arc::clone(store.memory()), things(), first).is_err());
    assert!(list(&store, Some(first), None).is_err());
    assert!(slow.take().is_err());
    assert!(Feed::start(Arc::clone(store.memory()), things(), revision - 5).is_ok());
    // What happens to one resource does not make another's followers start over.
    assert!(
        Feed::start(
            Arc::clone(store.memory()),
            Resource::new("", "others"),
            revision
        )
        .is_ok()
    );
}

#[tokio::test]
async fn objects_changes_and_compaction_survive_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let history = History {
        changes: 10,
        bytes: 1 << 20,
    };
    let store = Store::open(directory.path(), history).unwrap();
    let mut revision = written(&store, put("x", Expect::Absent, "0")).await;
    for text in 1..30 {
        revision = written(
            &store,
            put("x", Expect::Revision(revision), &text.to_string()),
        )
        .await;
    }
    store.close().await;
    let store = Store::open(directory.path(), history).unwrap();
    assert_eq!(store.memory().revision(), revision);
    assert_eq!(list(&store, None, None).unwrap(), ["x=29"]);
    let mut feed = Feed::start(Arc::clone(store.memory()), things(), revision - 2).unwrap();
    let changes = feed.take().unwrap();
    let texts: Vec<_> = changes
        .iter()
        .map(|it| it.object.to_value()["text"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(texts, ["28", "29"]);
    let before: Vec<_> = changes
        .iter()
        .map(|it| it.before.as_ref().unwrap().labels["text"].as_str().unwrap())
        .collect();
    assert_eq!(before, ["27", "28"]);
    assert!(Feed::start(Arc::clone(store.memory()), things(), 2).is_err());
    store.close().await;
}

#[tokio::test]
async fn a_second_process_and_a_newer_file_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let open = |path: &Path| Store::open(path, History::default());
    let store = open(directory.path()).unwrap();
    let refused = open(directory.path()).unwrap_err();
    assert!(
        matches!(&refused, OpenError::InUse { holder, .. } if *holder == std::process::id().to_string())
    );
    assert!(refused.hint().contains("stop process"));
    store.close().await;
    let database = redb::Database::open(directory.path().join("objects.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    let meta = redb::TableDefinition::<&str, u64>::new("meta");
    transaction
        .open_table(meta)
        .unwrap()
        .insert("format", 2)
        .unwrap();
    transaction.commit().unwrap();
    drop(database);
    let refused = open(directory.path()).unwrap_err();
    assert!(
        matches!(
            refused,
            OpenError::NewerFormat {
                found: 2,
                supported: 1,
                ..
            }
        ),
        "{refused}"
    );
}

#[tokio::test]
async fn a_file_that_was_never_finished_is_made_anew() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("objects.redb.new"), [0; 5000]).unwrap();
    let store = Store::open(directory.path(), History::default()).unwrap();
    written(&store, put("x", Expect::Absent, "1")).await;
    store.close().await;
}

#[tokio::test]
async fn a_data_directory_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new");
    let store = Store::open(&path, History::default()).unwrap();
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o700
    );
    store.close().await;
    let path = directory.path().join("everybodys");
    std::fs::create_dir(&path).unwrap();
    std::fs::write(path.join("something"), "").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let refused = Store::open(&path, History::default()).unwrap_err();
    assert!(matches!(refused, OpenError::NotPrivate { .. }), "{refused}");
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o755
    );
}

//! The memory on real files, good and bad.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use redb::{Database, ReadableDatabase as _, ReadableTable as _, ReadableTableMetadata as _};
use tempfile::TempDir;

use super::file::{ENTRIES, META, USES};
use super::*;
use crate::registry::manifest::{parse, verify};

const BOUND: u64 = 64 << 20;

/// A folder with the file in it.
struct Disk {
    folder: TempDir,
}

impl Disk {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { folder }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("discovery.redb")
    }

    fn open(&self) -> Arc<Memory> {
        self.open_bounded(BOUND)
    }

    fn open_bounded(&self, bound: u64) -> Arc<Memory> {
        Arc::new(Memory::open(&self.file(), bound))
    }

    /// Changes the file while nobody has it.
    fn with<T>(&self, change: impl FnOnce(&Database) -> Result<T, redb::Error>) -> T {
        let database = Database::open(self.file()).expect("the file");
        change(&database).expect("a change")
    }

    fn entries(&self) -> u64 {
        self.with(|it| Ok(it.begin_read()?.open_table(ENTRIES)?.len()?))
    }
}

fn scope(project: &str, host: &str, login: Option<&str>, insecure: bool) -> Scope {
    Scope {
        project: project.to_owned(),
        host: host.to_owned(),
        login: login.map(str::to_owned),
        insecure,
    }
}

/// The memory of the one who keeps something in every test.
fn ours(memory: &Arc<Memory>) -> ScopedMemory {
    let scope = scope("acme", "ghcr.io", Some("f1"), false);
    memory.scoped(&scope, "acme/web")
}

/// A manifest of its own for each number, with its digest.
fn manifest(number: usize) -> (String, Bytes, Arc<Manifest>) {
    let body = Bytes::from(format!(
        r#"{{"schemaVersion":2,"config":{{"digest":"sha256:{number:064}"}},"annotations":{{"number":"{number}"}}}}"#
    ));
    let digest = verify(&body, None).expect("a digest");
    let manifest = parse(&body, "").expect("a manifest");
    (digest, body, Arc::new(manifest))
}

/// A config that deflates badly, with its digest.
fn config(number: usize, bytes: usize) -> (String, Bytes, Arc<Config>) {
    let mut noise = String::new();
    let mut seed = Sha256::digest(number.to_be_bytes());
    while noise.len() < bytes {
        noise += &base64::Engine::encode(&base64::prelude::BASE64_STANDARD, seed);
        seed = Sha256::digest(seed);
    }
    let body = Bytes::from(format!(r#"{{"created":"{number}","noise":"{noise}"}}"#));
    let digest = verify(&body, None).expect("a digest");
    let config = serde_json::from_slice(&body).expect("a config");
    (digest, body, Arc::new(config))
}

fn tag(digest: &str, ask: Ask) -> Tag {
    let digest = digest.to_owned();
    Tag { digest, ask }
}

fn number(manifest: &Manifest) -> &str {
    match manifest {
        Manifest::Single(single) => &single.annotations["number"],
        Manifest::Index(_) => panic!("it is no index"),
    }
}

#[tokio::test]
async fn what_was_kept_is_there_after_a_restart() {
    let disk = Disk::new();
    let (digest, body, known) = manifest(7);
    let (config_digest, config_body, config) = config(7, 3_000);
    let asks = [Ask::Head, Ask::Get, Ask::Unless("W/\"a b\"".to_owned())];
    let memory = ours(&disk.open());
    memory.keep_manifest(&digest, &body, known).await;
    memory
        .keep_config(&config_digest, &config_body, config)
        .await;
    for (index, ask) in asks.iter().enumerate() {
        let tag = tag(&digest, ask.clone());
        memory.keep_tag(&format!("1.{index}"), tag).await;
    }
    memory.keep_tag("gone", tag(&digest, Ask::Head)).await;
    memory.forget_tag("gone").await;
    drop(memory);

    let memory = ours(&disk.open());
    let found = memory.manifest(&digest).await.expect("the manifest");
    assert_eq!(number(&found), "7");
    let found = memory.config(&config_digest).await.expect("the config");
    assert_eq!(found.created.as_deref(), Some("7"));
    for (index, ask) in asks.into_iter().enumerate() {
        let found = memory.tag(&format!("1.{index}")).await;
        assert_eq!(found.as_deref(), Some(&tag(&digest, ask)));
    }
    assert_eq!(memory.tag("gone").await, None);
    // A digest names one thing; it is not taken for another kind of thing.
    assert!(memory.config(&digest).await.is_none());
}

#[tokio::test]
async fn nobody_else_remembers_it() {
    let disk = Disk::new();
    let (digest, body, known) = manifest(7);
    let whole = disk.open();
    let memory = ours(&whole);
    memory.keep_manifest(&digest, &body, known).await;
    memory.keep_tag("1.0", tag(&digest, Ask::Head)).await;
    let others = [
        (scope("other", "ghcr.io", Some("f1"), false), "acme/web"),
        (scope("acme", "quay.io", Some("f1"), false), "acme/web"),
        (scope("acme", "ghcr.io", Some("f2"), false), "acme/web"),
        (scope("acme", "ghcr.io", Some(""), false), "acme/web"),
        (scope("acme", "ghcr.io", None, false), "acme/web"),
        (scope("acme", "ghcr.io", Some("f1"), true), "acme/web"),
        (scope("acme", "ghcr.io", Some("f1"), false), "acme/we"),
        // The same letters, cut elsewhere.
        (scope("acmeg", "hcr.io", Some("f1"), false), "acme/web"),
    ];
    for (other, repository) in &others {
        let theirs = whole.scoped(other, repository);
        assert!(theirs.manifest(&digest).await.is_none(), "{other:?}");
        assert!(theirs.tag("1.0").await.is_none(), "{other:?}");
    }
    assert!(memory.manifest(&digest).await.is_some());
    drop((memory, whole));
    let whole = disk.open();
    for (other, repository) in &others {
        let theirs = whole.scoped(other, repository);
        assert!(theirs.manifest(&digest).await.is_none(), "{other:?}");
        assert!(theirs.tag("1.0").await.is_none(), "{other:?}");
    }
    assert!(ours(&whole).manifest(&digest).await.is_some());
}

/// Rewrites every entry of a file that holds a manifest and a tag; both have to be dropped.
async fn check_damaged(what: &str, damage: fn(Vec<u8>) -> Vec<u8>) {
    let disk = Disk::new();
    let (digest, body, known) = manifest(7);
    let memory = ours(&disk.open());
    memory.keep_manifest(&digest, &body, known.clone()).await;
    memory.keep_tag("1.0", tag(&digest, Ask::Head)).await;
    drop(memory);
    assert_eq!(disk.entries(), 2, "{what}");
    disk.with(|database| {
        let transaction = database.begin_write()?;
        {
            let mut entries = transaction.open_table(ENTRIES)?;
            let rows: Vec<_> = entries
                .iter()?
                .map(|row| row.map(|(key, row)| (*key.value(), row.value().to_vec())))
                .collect::<Result<_, _>>()?;
            for (key, row) in rows {
                entries.insert(&key, &*damage(row))?;
            }
        }
        Ok(transaction.commit()?)
    });
    let memory = ours(&disk.open());
    assert!(memory.manifest(&digest).await.is_none(), "{what}");
    assert!(memory.tag("1.0").await.is_none(), "{what}");
    drop(memory);
    assert_eq!(disk.entries(), 0, "{what}: what is damaged is dropped");

    let memory = ours(&disk.open());
    memory.keep_manifest(&digest, &body, known).await;
    drop(memory);
    let memory = ours(&disk.open());
    assert!(memory.manifest(&digest).await.is_some(), "{what}");
}

#[tokio::test]
async fn an_entry_that_is_not_what_its_digest_says_is_dropped() {
    check_damaged("one bit less", |mut row| {
        let last = row.len() - 1;
        row[last] ^= 1;
        row
    })
    .await;
    check_damaged("cut off", |row| row[..row.len() / 2].to_vec()).await;
    check_damaged("empty", |_| Vec::new()).await;
    check_damaged("another kind", |mut row| {
        row[0] = b'c';
        row
    })
    .await;
    check_damaged("somebody else's content", |row| {
        let mut other = vec![row[0]];
        let mut deflated =
            flate2::write::DeflateEncoder::new(&mut other, flate2::Compression::fast());
        std::io::Write::write_all(&mut deflated, br#"{"config":{"digest":"x"}}"#).expect("memory");
        deflated.finish().expect("memory");
        other
    })
    .await;
    check_damaged("a bomb", |row| {
        let mut other = vec![row[0]];
        let mut deflated =
            flate2::write::DeflateEncoder::new(&mut other, flate2::Compression::fast());
        std::io::Write::write_all(&mut deflated, &vec![b' '; 8 << 20]).expect("memory");
        deflated.finish().expect("memory");
        other
    })
    .await;
}

#[tokio::test]
async fn a_tag_of_one_entry_is_not_believed_in_another() {
    let disk = Disk::new();
    let (one, two) = (manifest(1).0, manifest(2).0);
    let memory = ours(&disk.open());
    memory.keep_tag("1.0", tag(&one, Ask::Head)).await;
    memory.keep_tag("2.0", tag(&two, Ask::Head)).await;
    drop(memory);
    disk.with(|database| {
        let transaction = database.begin_write()?;
        {
            let mut entries = transaction.open_table(ENTRIES)?;
            let mut rows: Vec<_> = entries
                .iter()?
                .map(|row| row.map(|(key, row)| (*key.value(), row.value().to_vec())))
                .collect::<Result<_, _>>()?;
            let swapped = rows[0].1.clone();
            rows[0].1 = std::mem::replace(&mut rows[1].1, swapped);
            for (key, row) in rows {
                entries.insert(&key, &*row)?;
            }
        }
        Ok(transaction.commit()?)
    });
    let memory = ours(&disk.open());
    assert_eq!(
        (memory.tag("1.0").await, memory.tag("2.0").await),
        (None, None)
    );
}

/// Opens a file that is not one of ours; it has to work as a new one does.
async fn check_remade(what: &str, spoil: impl FnOnce(&Disk)) {
    let disk = Disk::new();
    let (digest, body, known) = manifest(7);
    let memory = ours(&disk.open());
    memory.keep_manifest(&digest, &body, known.clone()).await;
    drop(memory);
    spoil(&disk);
    let memory = ours(&disk.open());
    assert!(memory.manifest(&digest).await.is_none(), "{what}");
    memory.keep_manifest(&digest, &body, known).await;
    drop(memory);
    assert_eq!(disk.entries(), 1, "{what}");
}

#[tokio::test]
async fn a_file_that_is_damaged_or_of_another_version_is_made_anew() {
    check_remade("not a database", |disk| {
        fs::write(disk.file(), [7; 5_000]).expect("written");
    })
    .await;
    check_remade("cut off", |disk| {
        let file = fs::OpenOptions::new().write(true).open(disk.file());
        file.and_then(|it| it.set_len(8_192)).expect("cut");
    })
    .await;
    check_remade("a later version's", |disk| {
        disk.with(|database| {
            let transaction = database.begin_write()?;
            transaction.open_table(META)?.insert("format", 2)?;
            Ok(transaction.commit()?)
        });
    })
    .await;
    check_remade("far larger than allowed", |disk| {
        let file = fs::OpenOptions::new().write(true).open(disk.file());
        file.and_then(|it| it.set_len(BOUND * 3)).expect("longer");
    })
    .await;
    check_remade("without its tables", |disk| {
        disk.with(|database| {
            let transaction = database.begin_write()?;
            transaction.delete_table(USES)?;
            transaction.delete_table(ENTRIES)?;
            Ok(transaction.commit()?)
        });
    })
    .await;
}

#[tokio::test]
async fn bytes_that_change_anywhere_in_the_file_never_change_an_answer() {
    let disk = Disk::new();
    let made: Vec<_> = (0..40).map(manifest).collect();
    let memory = ours(&disk.open());
    for (digest, body, known) in &made {
        memory.keep_manifest(digest, body, Arc::clone(known)).await;
    }
    drop(memory);
    let sound = fs::read(disk.file()).expect("the file");
    let mut found = 0;
    for round in 0..60_usize {
        let mut spoiled = sound.clone();
        for place in 0..8 {
            let at = Sha256::digest((round * 8 + place).to_be_bytes());
            let at = usize::from(at[0]) << 16 | usize::from(at[1]) << 8 | usize::from(at[2]);
            let at = at % spoiled.len();
            spoiled[at] ^= 0xff;
        }
        fs::write(disk.file(), spoiled).expect("written");
        let memory = ours(&disk.open());
        for (expected, (digest, _, _)) in made.iter().enumerate() {
            if let Some(known) = memory.manifest(digest).await {
                assert_eq!(number(&known), expected.to_string());
                found += 1;
            }
        }
    }
    assert!(
        found > 0,
        "most of the file is not damaged most of the time"
    );
}

#[tokio::test]
async fn a_file_that_cannot_be_had_is_done_without() {
    let disk = Disk::new();
    let (digest, body, known) = manifest(7);
    let first = disk.open();
    let second = disk.open();
    assert!(
        first.file.is_some() && second.file.is_none(),
        "one process has it"
    );
    let memory = ours(&second);
    memory.keep_manifest(&digest, &body, known).await;
    assert!(memory.manifest(&digest).await.is_some());
    drop(first);

    let folder = disk.folder.path().join("missing");
    let memory = Memory::open(&folder.join("discovery.redb"), BOUND);
    assert!(memory.file.is_none());
    fs::create_dir(&folder).expect("a folder");
    let memory = Memory::open(&folder, BOUND);
    assert!(memory.file.is_none(), "a folder is no file");
    assert!(folder.exists());
}

#[tokio::test]
async fn only_its_owner_reads_the_file() {
    let disk = Disk::new();
    fs::write(disk.file(), []).expect("an empty file");
    fs::set_permissions(disk.file(), fs::Permissions::from_mode(0o644)).expect("set");
    let memory = disk.open();
    let mode = fs::metadata(disk.file())
        .expect("the file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    // Neither names nor digests can be read off it.
    let (digest, body, known) = manifest(7);
    let scoped = ours(&memory);
    scoped.keep_manifest(&digest, &body, known).await;
    drop((memory, scoped));
    let file = fs::read(disk.file()).expect("the file");
    for name in ["acme/web", "ghcr.io", "f1"] {
        let is_there = file.windows(name.len()).any(|it| it == name.as_bytes());
        assert!(!is_there, "{name}");
    }
}

#[tokio::test]
async fn the_file_keeps_its_bound_and_what_was_used_last() {
    let bound = 8 << 20;
    let disk = Disk::new();
    let (favourite, body, known) = manifest(1);
    let memory = ours(&disk.open_bounded(bound));
    memory.keep_manifest(&favourite, &body, known).await;
    drop(memory);
    let sizes = [300, 1_500, 6_000, 40_000];
    let mut last = String::new();
    for round in 0..12 {
        let memory = ours(&disk.open_bounded(bound));
        assert!(
            memory.manifest(&favourite).await.is_some(),
            "it was used a moment ago, in round {round}"
        );
        for number in 0..120 {
            let (digest, body, config) = config(round * 1_000 + number, sizes[number % 4]);
            memory.keep_config(&digest, &body, config).await;
            last = digest;
        }
        drop(memory);
        let length = fs::metadata(disk.file()).expect("the file").len();
        assert!(length <= bound, "round {round}: {length}");
    }
    let held = disk.with(|database| {
        let transaction = database.begin_read()?;
        let sum: u64 = transaction
            .open_table(USES)?
            .iter()?
            .map(|it| it.map(|(_, used)| u64::from(used.value().1)))
            .sum::<Result<_, _>>()?;
        let entries = transaction.open_table(ENTRIES)?.len()?;
        assert_eq!(entries, transaction.open_table(USES)?.len()?);
        let told = transaction.open_table(META)?.get("bytes")?;
        assert_eq!(told.map(|it| it.value()), Some(sum));
        Ok(sum)
    });
    assert!((bound / 4..=bound / 2).contains(&held), "{held}");
    let memory = ours(&disk.open_bounded(bound));
    assert!(memory.config(&last).await.is_some());
    assert!(memory.config(&config(0, 300).0).await.is_none());
}

#[tokio::test]
async fn a_large_config_is_kept_in_memory_only() {
    let disk = Disk::new();
    let (digest, body, known) = config(1, KEPT_BOUND);
    let memory = ours(&disk.open());
    memory.keep_config(&digest, &body, known).await;
    assert!(memory.config(&digest).await.is_some());
    drop(memory);
    assert_eq!(disk.entries(), 0);
}

//! Power cuts: at more than a thousand points, whatever the disk makes of what it had not synced.

use std::collections::HashMap;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use super::super::*;
use super::disk::Disk;
use super::{key, things};

/// How many times the power goes.
const CUTS: u64 = 1_200;
const ROUNDS: u64 = 12;
const KEYS: u64 = 6;
/// Small enough that compaction happens along the way.
const HISTORY: History = History {
    changes: 20,
    bytes: 1 << 20,
};

/// What has been asked for one key, oldest first; `None` is a removal. And how much of it was answered.
#[derive(Debug, Default)]
struct Asked {
    states: Vec<Option<Value>>,
    answered: usize,
}

/// An object that cannot be mistaken for another, nor for a part of itself.
fn object(name: &str, round: u64, random: &mut StdRng) -> Value {
    let text = format!("{name}-{round}-").repeat(random.random_range(1..400));
    json!({"metadata": {"name": name, "uid": name}, "round": round, "length": text.len(), "text": text})
}

/// Writes until the power goes or the work is done; tells what was asked and what was answered.
async fn work(disk: &Disk, seed: u64) -> HashMap<String, Asked> {
    let mut asked: HashMap<String, Asked> = HashMap::new();
    let mut random = StdRng::seed_from_u64(seed);
    let Ok(store) = Store::open_on(disk.clone(), HISTORY) else {
        return asked;
    };
    for round in 0..ROUNDS {
        let mut writes = Vec::new();
        for number in 0..KEYS {
            let name = format!("key-{number}");
            let key = key("a", &name);
            let found = store.memory().get(&key);
            let expect = found
                .as_ref()
                .map_or(Expect::Absent, |it| Expect::Revision(it.revision));
            let value = object(&name, round, &mut random);
            let removes = found.is_some() && random.random_bool(0.2);
            let state = (!removes).then(|| value.clone());
            let effect = if removes {
                Effect::Remove(value)
            } else {
                Effect::Put(value)
            };
            asked.entry(name.clone()).or_default().states.push(state);
            let store = store.clone();
            writes.push(async move {
                (
                    name,
                    store
                        .write(Write {
                            key,
                            expect,
                            effect,
                            namespace: None,
                        })
                        .await
                        .is_ok(),
                )
            });
        }
        for (name, answered) in futures::future::join_all(writes).await {
            let asked = asked.get_mut(&name).expect("it was asked");
            if answered {
                asked.answered = asked.states.len();
            }
        }
    }
    store.close().await;
    asked
}

/// Opens what is left, and looks for everything that was answered.
async fn check(image: Vec<u8>, asked: &HashMap<String, Asked>, cut: u64) {
    let store = Store::open_on(Disk::new(image, u64::MAX), HISTORY)
        .unwrap_or_else(|error| panic!("cut {cut}: what is left cannot be opened: {error:?}"));
    for (name, Asked { states, answered }) in asked {
        let found = store.memory().get(&key("a", name)).map(|it| {
            let mut value = it.to_value();
            value["metadata"]
                .as_object_mut()
                .map(|it| it.remove("resourceVersion"));
            value
        });
        // What was asked but not answered may have happened or not; what was answered has.
        let possible = if *answered == 0 {
            found.is_none()
        } else {
            states[*answered - 1] == found
        };
        assert!(
            possible || states[*answered..].contains(&found),
            "cut {cut}: {name} is lost or torn: {found:?}"
        );
    }
    let resource = things();
    let page = store.memory().list(PageRequest {
        resource: &resource,
        namespace: None,
        at: None,
        after: None,
    });
    let newest = page
        .expect("the present is there")
        .objects
        .iter()
        .map(|it| it.revision)
        .max();
    assert!(
        newest.unwrap_or(0) <= store.memory().revision(),
        "cut {cut}: revisions went back"
    );
    store.close().await;
}

/// A disk with an empty store: files are put in place only when they are complete, so power is there until then.
async fn formatted() -> Vec<u8> {
    let disk = Disk::new(Vec::new(), u64::MAX);
    Store::open_on(disk.clone(), HISTORY)
        .expect("there is power")
        .close()
        .await;
    disk.after_power_loss(0)
}

#[tokio::test]
async fn no_power_cut_loses_or_tears_what_was_answered() {
    let empty = formatted().await;
    let disk = Disk::new(empty.clone(), u64::MAX);
    let complete = work(&disk, 0).await;
    assert!(
        complete.values().all(|it| it.answered == it.states.len()),
        "without a cut all is answered"
    );
    let operations = disk.operations();
    let mut random = StdRng::seed_from_u64(20_261_124);
    for cut in 0..CUTS {
        let disk = Disk::new(empty.clone(), random.random_range(1..operations));
        let asked = work(&disk, cut).await;
        check(disk.after_power_loss(cut), &asked, cut).await;
    }
}

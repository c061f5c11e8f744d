//! What is given out, in which order, and how often.

use super::*;

const DEADLINE: SignedDuration = SignedDuration::from_secs(10);
const WEEK: SignedDuration = SignedDuration::from_hours(24 * 7);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + second).unwrap()
}

fn message(id: &str, second: i64) -> Arc<Message> {
    Arc::new(Message {
        id: id.to_owned(),
        data: "YQ==".to_owned(),
        attributes: BTreeMap::new(),
        ordering_key: String::new(),
        published: at(second),
    })
}

fn ids(deliveries: &[Delivery]) -> Vec<&str> {
    let messages = deliveries.iter().map(|it| it.message.id.as_str());
    messages.collect()
}

fn all(backlog: &mut Backlog, second: i64) -> Vec<Delivery> {
    backlog.take(100, at(second), DEADLINE, WEEK)
}

#[test]
fn a_message_comes_again_until_it_is_acknowledged() {
    let mut backlog = Backlog::default();
    backlog.put(message("a", 0), Fate::Once);
    let first = all(&mut backlog, 0);
    assert_eq!(ids(&first), ["a"]);
    assert!(all(&mut backlog, 9).is_empty(), "somebody has it");
    let second = all(&mut backlog, 10);
    assert_eq!(ids(&second), ["a"]);
    assert_ne!(first[0].ack_id, second[0].ack_id);
    backlog.acknowledge(&first[0].ack_id);
    backlog.acknowledge(&second[0].ack_id);
    assert!(all(&mut backlog, 100).is_empty());
    assert_eq!(backlog.bytes, 0);
}

#[test]
fn more_time_can_be_had_and_none_gives_back() {
    let mut backlog = Backlog::default();
    backlog.put(message("a", 0), Fate::Once);
    let taken = all(&mut backlog, 0);
    backlog.extend(&taken[0].ack_id, at(5), SignedDuration::from_secs(60));
    assert!(all(&mut backlog, 64).is_empty());
    backlog.extend(&taken[0].ack_id, at(64), SignedDuration::ZERO);
    assert_eq!(ids(&all(&mut backlog, 64)), ["a"]);
}

#[test]
fn messages_are_given_out_in_their_order_as_many_as_asked_for() {
    let mut backlog = Backlog::default();
    for id in ["a", "b", "c"] {
        backlog.put(message(id, 0), Fate::Once);
    }
    assert_eq!(ids(&backlog.take(2, at(0), DEADLINE, WEEK)), ["a", "b"]);
    assert_eq!(ids(&backlog.take(2, at(0), DEADLINE, WEEK)), ["c"]);
}

#[test]
fn fates_double_swap_and_lose() {
    let mut backlog = Backlog::default();
    backlog.put(message("a", 0), Fate::Twice);
    backlog.put(message("b", 0), Fate::AfterNext);
    backlog.put(message("lost", 0), Fate::Never);
    backlog.put(message("c", 0), Fate::AfterNext);
    assert_eq!(ids(&all(&mut backlog, 0)), ["a", "a", "c", "b"]);
}

#[test]
fn what_was_set_aside_comes_in_the_end() {
    let mut backlog = Backlog::default();
    backlog.put(message("a", 0), Fate::AfterNext);
    assert!(all(&mut backlog, 9).is_empty());
    assert_eq!(ids(&all(&mut backlog, 10)), ["a"]);
}

#[test]
fn nothing_is_kept_for_ever_nor_without_bound() {
    let mut backlog = Backlog::default();
    backlog.put(message("old", 0), Fate::Once);
    backlog.put(message("new", 100), Fate::Once);
    let minute = SignedDuration::from_mins(1);
    assert_eq!(ids(&backlog.take(9, at(100), DEADLINE, minute)), ["new"]);
    for number in 0..MOST_MESSAGES + 5 {
        backlog.put(message(&number.to_string(), 100), Fate::Once);
    }
    assert_eq!(
        backlog.waiting.len() + backlog.outstanding.len(),
        MOST_MESSAGES
    );
    let large = Arc::new(Message {
        data: "a".repeat(MOST_BYTES / 2 + 1),
        ..(*message("large", 100)).clone()
    });
    backlog.put(Arc::clone(&large), Fate::Once);
    backlog.put(large, Fate::Once);
    assert!(backlog.bytes <= MOST_BYTES, "{}", backlog.bytes);
}

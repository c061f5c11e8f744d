//! The condition `SelectionRemarks`: what people should know of how artifacts were chosen.

use resources::condition::{SELECTION_REMARKS, TRUE};

use super::Conditions;

/// Longest message, in bytes.
const MESSAGE_BOUND: usize = 4_096;

/// Something that is worth knowing of one subscription's choice, and no error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    pub subscription: String,
    /// Reason of the condition.
    pub reason: &'static str,
    pub message: String,
}

/// Says it on the status; without remarks there is no condition.
pub(super) fn tell(conditions: &mut Conditions<'_>, remarks: &[Remark]) {
    let Some(first) = remarks.first() else {
        conditions.remove(SELECTION_REMARKS);
        return;
    };
    let mut message = String::new();
    for (index, remark) in remarks.iter().enumerate() {
        let line = format!("{}: {}", remark.subscription, remark.message);
        if message.len() + line.len() > MESSAGE_BOUND {
            message = format!("{message}; and {} more", remarks.len() - index);
            break;
        }
        if index > 0 {
            message.push_str("; ");
        }
        message.push_str(&line);
    }
    conditions.set(SELECTION_REMARKS, TRUE, first.reason, &message);
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use resources::{WarehouseStatus, condition};

    use super::*;

    fn told(remarks: &[Remark]) -> Option<String> {
        let mut status = WarehouseStatus::default();
        let mut conditions = Conditions {
            list: &mut status.conditions,
            generation: None,
            now: Timestamp::UNIX_EPOCH,
        };
        tell(&mut conditions, remarks);
        condition::find(&status.conditions, SELECTION_REMARKS).map(|it| it.message.clone())
    }

    fn remark(subscription: &str, message: &str) -> Remark {
        Remark {
            subscription: subscription.to_owned(),
            reason: "BuildTimesEqual",
            message: message.to_owned(),
        }
    }

    #[test]
    fn remarks_are_told_one_after_another_and_bounded() {
        assert_eq!(told(&[]), None);
        let two = [remark("a", "one"), remark("b", "two")];
        assert_eq!(told(&two).as_deref(), Some("a: one; b: two"));
        let many = vec![remark("a", &"x".repeat(1_000)); 10];
        let told = told(&many).expect("the condition");
        assert!(told.ends_with("; and 6 more"), "{}", &told[4_000..]);
    }
}

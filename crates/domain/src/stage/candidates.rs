//! Which Freight should be promoted without being asked.

use std::sync::Arc;

use jiff::Timestamp;
use resources::{Freight, Promotion, PromotionPhase};

use super::Draft;
use crate::auto_promotion;

impl Draft<'_> {
    /// Lays what running Promotions wish over the durable holds, for people and for the decision below.
    pub(super) fn lay_holds(&mut self) {
        let status = &mut self.plan.status;
        status.effective_auto_promotion_holds.clear();
        if status.auto_promotion_enabled {
            let last = status
                .last_promotion
                .as_ref()
                .map_or("", |it| it.name.as_str());
            let unsettled = self
                .seen
                .promotions
                .iter()
                .filter(|it| it.name() > last)
                .map(AsRef::as_ref);
            status.effective_auto_promotion_holds =
                auto_promotion::effective(&status.auto_promotion_holds, self.seen.stage, unsettled);
        }
    }

    /// Asks for Promotions of new Freight; says when Freight that still soaks could be next.
    pub(super) fn auto_promote(&mut self) -> Option<Timestamp> {
        if !self.plan.status.auto_promotion_enabled {
            return None;
        }
        let mut soaked_at = None;
        for (request, choice) in self
            .seen
            .stage
            .spec
            .requested_freight
            .iter()
            .zip(self.seen.choices)
        {
            soaked_at = soaked_at.into_iter().chain(choice.soaked_at).min();
            let held_back = self
                .plan
                .status
                .effective_auto_promotion_holds
                .contains_key(&request.origin.key());
            if let Some(freight) = choice
                .freight
                .as_ref()
                .filter(|it| !held_back && self.is_news(it))
            {
                self.plan.promote.push(freight.name().to_owned());
            }
        }
        soaked_at
    }

    /// Says whether `freight` is neither here nor on its way, and has not failed here before.
    ///
    /// What failed once is not tried again by itself: it would fail for ever.
    fn is_news(&self, freight: &Arc<Freight>) -> bool {
        let name = freight.name();
        if self.current().is_some_and(|it| it.includes(name)) {
            return false;
        }
        let on_its_way = self
            .plan
            .status
            .current_promotion
            .as_ref()
            .and_then(|it| it.freight.as_ref());
        if on_its_way.is_some_and(|it| it.name == name) {
            return false;
        }
        let last = self
            .plan
            .status
            .last_promotion
            .as_ref()
            .map_or("", |it| it.name.as_str());
        let of_freight = || {
            self.seen
                .promotions
                .iter()
                .filter(|it| it.spec.freight == name)
        };
        let succeeded = |it: &&Arc<Promotion>| it.phase() == Some(&PromotionPhase::Succeeded);
        if of_freight().any(|it| !it.is_terminal() || (succeeded(&it) && it.name() > last)) {
            return false;
        }
        let created = |it: &Arc<Promotion>| it.metadata.creation_timestamp.as_ref().map(|it| it.0);
        let newest = of_freight().max_by(|one, another| {
            created(one)
                .cmp(&created(another))
                .then_with(|| one.name().cmp(another.name()))
        });
        newest.is_none_or(|it| succeeded(&it))
    }
}

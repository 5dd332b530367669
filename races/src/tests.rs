use std::collections::BTreeSet;

use crate::atomic::{Weakening, weakening};
use crate::models;

macro_rules! models {
    ($($model:ident)+) => {
        const ALL: &[(&str, fn())] = &[$((stringify!($model), models::$model)),+];

        $(
            #[test]
            fn $model() {
                loom::model(models::$model);
            }
        )+
    };
}

models! {
    the_last_of_three_holders_sees_what_all_did
    a_clone_made_while_others_drop_keeps_the_cell
    a_clone_given_to_a_third_thread_keeps_the_cell
    a_mark_made_by_any_holder_is_seen_by_the_last
    who_finds_no_other_holder_may_write
    of_two_that_take_the_value_out_one_gets_it_at_most
    dropping_too_often_leaves_the_count_as_it_was
    of_three_that_reach_the_bound_one_passes
    who_finds_a_handler_finds_what_it_needs
    who_replaces_a_handler_can_call_it
}

/// Runs a model on a thread of its own, where it may fail, and returns the weakenings that it met, or `None` where it failed.
fn run(model: fn(), chosen: Option<Weakening>) -> Option<BTreeSet<Weakening>> {
    std::thread::spawn(move || weakening(chosen, || loom::model(model))).join().ok()
}

#[test]
fn some_model_fails_wherever_an_ordering_is_weakened() {
    let met: BTreeSet<Weakening> =
        ALL.iter().flat_map(|&(name, model)| run(model, None).expect(name)).collect();
    assert!(!met.is_empty());
    for weaker in met {
        let fails = |&&(_, model): &&(&str, fn())| run(model, Some(weaker)).is_none();
        let failing: Vec<_> = ALL.iter().filter(fails).map(|(name, _)| name).collect();
        println!("{} with {} fails {failing:?}", weaker.0, weaker.1);
        assert!(!failing.is_empty(), "no model needs more than {} at {}", weaker.1, weaker.0);
    }
}

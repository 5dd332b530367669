//! The shapes of trees: each node's parent, as its number in the order of building.

use crate::rng::Rng;

#[derive(Clone, Copy)]
pub enum Shape {
    /// Each node below the one before.
    Chain,
    /// Eight children each.
    Fan,
    /// All below one.
    Flat,
    /// Each below a random earlier one.
    Random,
}

impl Shape {
    pub fn name(self) -> &'static str {
        match self {
            Shape::Chain => "chain",
            Shape::Fan => "fan-out 8",
            Shape::Flat => "flat",
            Shape::Random => "random shape",
        }
    }

    /// The parent of every node but the root, which is number 0.
    pub fn parents(self, nodes: usize) -> Vec<u32> {
        let mut rng = Rng::new(nodes as u64);
        let parent = |node: usize| match self {
            Shape::Chain => node - 1,
            Shape::Fan => (node - 1) / 8,
            Shape::Flat => 0,
            Shape::Random => rng.below(node),
        };
        (1..nodes).map(parent).map(|parent| parent as u32).collect()
    }
}

//! Trees: the owner of a root, the owner of a child, and the shared reference to a node.

mod adopt;
mod children;
mod graft;
mod hook;
mod node;
mod node_ref;
mod root;
mod walk;

pub use adopt::{Adopt, Adopted};
pub(crate) use children::Children;
pub use hook::Hook;
pub use node::Node;
pub use node_ref::NodeRef;
pub use root::Tree;
pub use walk::{Visit, Walk};

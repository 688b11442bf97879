//! Address failover: VRRPv2 (RFC 3768) and VRRPv3 (RFC 9568) with keepalived's arithmetic.
//!
//! [`VrrpNode`] is the machine of a host: it owns one `Instance` for each virtual router, the
//! sockets they share, and the ledger of their addresses. The way of a packet: `node` finds the
//! instance, `advert` judges the packet, `instance` decides by its state, `states` carries a
//! transition out.

mod addresses;
mod advert;
mod announce;
mod conditions;
mod emit;
pub mod event;
mod instance;
pub mod leftovers;
mod node;
pub mod note;
pub mod plan;
mod reload;
pub mod snapshot;
mod sockets;
mod states;
mod stats;
pub mod timing;

pub use event::{Command, Ingress, QueueId, SocketSpec, VrrpAction, VrrpEvent, VrrpTimer};
pub use node::VrrpNode;
pub use note::{Cause, Device, Discard, Fault, Level, LinkNews, Note};
pub use stats::Stats;

/// The state of a virtual router as users know it.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum StateName {
    /// Not started yet.
    Init,
    /// Listens to a master.
    Backup,
    /// Holds the addresses.
    Master,
    /// A condition of operation is not met.
    Fault,
}

//! Address failover: VRRPv2 (RFC 3768) and VRRPv3 (RFC 9568) with keepalived's arithmetic.

pub mod event;
pub mod note;

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

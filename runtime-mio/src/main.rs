//! The daemon `relevo`.

mod arp_io;
mod clock;
mod daemon;
mod exec;
mod netlink;
mod sys;
mod vrrp_io;

fn main() {}

//! The daemon `relevo`.

mod arp_io;
mod clock;
mod daemon;
mod exec;
mod netlink;
mod sys;
#[cfg(test)]
mod testnet;
mod vrrp_io;

fn main() {}

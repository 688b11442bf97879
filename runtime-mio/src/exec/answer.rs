//! What the VRRP child answers when its parent asks.

use std::os::fd::AsFd;

use relevo_core::vrrp::VrrpNode;

use crate::exec::talk::Talk;
use crate::recorder;
use crate::sys::memfd;
use crate::voice::REST_MAX;

/// The questions.
pub(crate) const STATUS: &[u8] = b"status";
pub(crate) const STATUS_JSON: &[u8] = b"status json";
pub(crate) const JOURNAL: &[u8] = b"journal";

/// Answers a question; one that is not understood with nothing.
pub(crate) fn tell(talk: &mut Talk, n: u64, what: &[u8], node: Option<&VrrpNode>) {
    let answer = match (what, node) {
        (STATUS, Some(node)) => status(node),
        (JOURNAL, _) => recorder::image(),
        _ => Vec::new(),
    };
    let (head, rest) = answer.split_at(answer.len().min(REST_MAX));
    if rest.is_empty() {
        return talk.told(n, head, None);
    }
    match memfd::sealed(rest) {
        Ok(file) => talk.told(n, head, Some(file.as_fd())),
        // Cut, and whoever reads it says so.
        Err(error) => {
            log::error!("no file in memory for a long answer: {error}");
            talk.told(n, head, None);
        }
    }
}

/// Stand-in.
fn status(node: &VrrpNode) -> Vec<u8> {
    let mut text = String::new();
    for instance in &node.bound().instances {
        text.push_str(&instance.name);
        text.push('\n');
    }
    text.into_bytes()
}

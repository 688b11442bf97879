//! Where in the files of the nodes a finding is.

use super::super::bound::InstanceConfig;
use super::super::code::Code;
use super::super::diag::{Class, Diagnostic, Related, Severity, Span};
use super::super::vrrp_instance::Instance;
use super::Node;

/// A virtual router on one of the nodes.
#[derive(Copy, Clone, Debug)]
pub(super) struct Member<'a> {
    pub(super) node: Node<'a>,
    /// As its daemon would use it.
    pub(super) config: &'a InstanceConfig,
    /// As written.
    pub(super) written: Option<&'a Instance>,
}

impl Member<'_> {
    /// Where `word` was written in the block, or else the block's name.
    pub(super) fn place(&self, word: &str) -> Place {
        let span = self.written.map(|written| {
            let of_word = (|| match word {
                "advert_int" => written.advert_int.as_ref().map(|it| it.span),
                "interface" => written.interface.as_ref().map(|it| it.span),
                "mcast_dst_ip" => written.transport.mcast_dst.as_ref().map(|it| it.span),
                "nopreempt" => written.preempt.as_ref().map(|it| it.span),
                "preempt_delay" => written.preempt_delay.as_ref().map(|it| it.span),
                "priority" => written.priority.as_ref().map(|it| it.span),
                "state" => written.state.0.as_ref().map(|it| it.span),
                "timer_expired_backup" => written.timer_expired_backup.as_ref().map(|it| it.span),
                "unicast_peer" => written.transport.unicast,
                "unicast_src_ip" => written.transport.source_place(),
                "unicast_ttl" => written.transport.unicast_ttl.as_ref().map(|it| it.span),
                "version" => written.version.as_ref().map(|it| it.span),
                "virtual_router_id" => written.vrid.as_ref().map(|it| it.span),
                "auth_pass" => {
                    let authentication = written.authentication.as_deref();
                    authentication?.password.as_ref().map(|it| it.span)
                }
                "auth_type" => {
                    let authentication = written.authentication.as_deref();
                    authentication?.kind.as_ref().map(|it| it.span)
                }
                "use_vmac" => written.vmac.use_vmac.as_ref().map(|it| it.span),
                "accept" => written.accept.as_ref().map(|it| it.span),
                "strict_mode" => written.strict.as_ref().map(|it| it.span),
                _ => None,
            })();
            of_word.unwrap_or(written.span)
        });
        self.node.place(span.unwrap_or_default())
    }

    /// Where the address was written, or else the block's name.
    pub(super) fn place_of_address(&self, addr: std::net::IpAddr) -> Place {
        let span = self.written.and_then(|written| {
            let mut entries = written.addresses.0.iter().chain(&written.excluded.0);
            let entry = entries.find(|entry| entry.value.address.addr == addr)?;
            Some(entry.span)
        });
        span.map_or_else(|| self.place(""), |span| self.node.place(span))
    }

    /// Where the peer was written, or else the list.
    pub(super) fn place_of_peer(&self, addr: std::net::IpAddr) -> Place {
        let span = self.written.and_then(|written| {
            let peer = written
                .transport
                .peers
                .0
                .iter()
                .find(|peer| peer.value.addr == addr)?;
            Some(peer.span)
        });
        span.map_or_else(|| self.place("unicast_peer"), |span| self.node.place(span))
    }
}

impl Node<'_> {
    pub(super) fn place(&self, span: Span) -> Place {
        Place {
            file: self.config.places.name(span.file).to_owned(),
            span,
        }
    }
}

/// A place in the file of a node.
#[derive(Clone, Debug)]
pub(super) struct Place {
    file: String,
    span: Span,
}

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Diagnostic>);

impl Findings {
    /// The cluster works wrongly with this: two masters, or addresses that are lost.
    pub(super) fn error(&mut self, code: Code, at: Place, message: String) -> &mut Diagnostic {
        self.add(Severity::Error, code, at, message)
    }

    /// The cluster works, but probably not as meant.
    pub(super) fn warning(&mut self, code: Code, at: Place, message: String) -> &mut Diagnostic {
        self.add(Severity::Warning, code, at, message)
    }

    fn add(
        &mut self,
        severity: Severity,
        code: Code,
        at: Place,
        message: String,
    ) -> &mut Diagnostic {
        self.0.push(Diagnostic {
            severity,
            class: Class::Ok,
            code,
            file: at.file,
            span: at.span.bytes(),
            line: at.span.line.max(1),
            column: u32::from(at.span.column).max(1),
            message,
            help: None,
            suggestion: None,
            related: Vec::new(),
        });
        let last = self.0.len() - 1;
        &mut self.0[last]
    }

    /// All of them, by node and place.
    pub(super) fn in_order(mut self, nodes: &[Node<'_>]) -> Vec<Diagnostic> {
        let rank = |file: &str| nodes.iter().position(|node| node.config.file == file);
        self.0
            .sort_by_key(|it| (rank(&it.file), it.span.start, it.span.end, it.code));
        self.0
    }
}

impl Diagnostic {
    /// Adds a second place.
    pub(super) fn see(&mut self, at: Place, text: impl Into<String>) -> &mut Self {
        self.related.push(Related {
            file: at.file,
            span: at.span.bytes(),
            line: at.span.line.max(1),
            column: u32::from(at.span.column).max(1),
            text: text.into(),
        });
        self
    }
}

//! `corelog.admin.listener`: where `/metrics` and `/health` are served.

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminListener {
    /// Name or address, without brackets; empty is every address.
    pub host: String,
    /// The port; 0 lets the kernel choose.
    pub port: u16,
}

impl AdminListener {
    /// Reads `host:port`, an IPv6 address in brackets; nothing where the text is empty.
    pub fn parse(text: &str) -> Result<Option<Self>, String> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        let wrong = || {
            format!(
                "Invalid value {text} for configuration corelog.admin.listener: it must be host:port, or empty for none"
            )
        };
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        if bare.is_none() && host.contains([':', '/', '[', ']', ' ']) {
            return Err(wrong());
        }
        let port = port.parse().map_err(|_| wrong())?;
        Ok(Some(Self { host: bare.unwrap_or(host).to_owned(), port }))
    }
}

impl std::fmt::Display for AdminListener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written_back() {
        for (text, host, port) in [("127.0.0.1:9644", "127.0.0.1", 9644), ("[::1]:0", "::1", 0), (":9644", "", 9644)] {
            let listener = AdminListener::parse(text).unwrap().unwrap();
            assert_eq!((listener.host.as_str(), listener.port), (host, port));
            assert_eq!(listener.to_string(), text);
        }
        assert_eq!(AdminListener::parse(" "), Ok(None));
    }

    #[test]
    fn what_is_no_address_is_refused_by_name() {
        for text in ["localhost", "a:b", "::1:9644", "http://x:1", "x:65536", "x:-1"] {
            let refusal = AdminListener::parse(text).unwrap_err();
            assert!(refusal.contains(text) && refusal.contains("corelog.admin.listener"), "{refusal}");
        }
    }
}

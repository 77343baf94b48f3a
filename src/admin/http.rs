//! HTTP/1.1, as little of it as a scrape needs (pure): a request's head in, an answer's head out.

use bytes::Bytes;

/// A request's head may be this long.
pub const HEAD_BYTES_MAX: usize = 8 << 10;

/// A request that is understood.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// `HEAD`: the answer goes without its body.
    pub head_only: bool,
    /// The path, without what follows a question mark.
    pub path: String,
    /// The client wants the connection closed after the answer.
    pub close: bool,
    /// The client takes answers packed with gzip.
    pub gzip: bool,
}

/// What stands behind an answer's head.
#[derive(Debug, Default)]
pub struct Body {
    /// Its bytes.
    pub bytes: Bytes,
    /// They are packed with gzip.
    pub gzip: bool,
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self { bytes: text.into(), gzip: false }
    }
}

/// What the bytes received so far are.
#[derive(Debug, PartialEq, Eq)]
pub enum Parsed {
    /// The head has not ended yet.
    NeedMore,
    /// A request, and how long its head is.
    Request(Request, usize),
    /// To be answered with this status; the connection is closed then.
    Bad(Status),
}

/// The statuses that are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// 200.
    Ok,
    /// 400: not HTTP, or with a body.
    BadRequest,
    /// 404: no such path.
    NotFound,
    /// 405: neither GET nor HEAD.
    MethodNotAllowed,
    /// 408: the request did not come in time.
    RequestTimeout,
    /// 431: the head is too long.
    HeadTooLarge,
    /// 503: not now.
    Unavailable,
}

impl Status {
    fn line(self) -> &'static str {
        match self {
            Self::Ok => "200 OK",
            Self::BadRequest => "400 Bad Request",
            Self::NotFound => "404 Not Found",
            Self::MethodNotAllowed => "405 Method Not Allowed",
            Self::RequestTimeout => "408 Request Timeout",
            Self::HeadTooLarge => "431 Request Header Fields Too Large",
            Self::Unavailable => "503 Service Unavailable",
        }
    }
}

/// Reads the head of a request from all that came since the last one.
pub fn parse(received: &[u8]) -> Parsed {
    let Some(end) = head_end(received) else {
        return match received.len() {
            0..HEAD_BYTES_MAX => Parsed::NeedMore,
            _ => Parsed::Bad(Status::HeadTooLarge),
        };
    };
    if end > HEAD_BYTES_MAX {
        return Parsed::Bad(Status::HeadTooLarge);
    }
    let Ok(head) = std::str::from_utf8(received.get(..end).unwrap_or_default()) else {
        return Parsed::Bad(Status::BadRequest);
    };
    match request(head) {
        Ok(request) => Parsed::Request(request, end),
        Err(status) => Parsed::Bad(status),
    }
}

/// Behind the empty line that ends the head; lines may end with LF alone.
fn head_end(received: &[u8]) -> Option<usize> {
    let lf = |at: &usize| received.get(*at) == Some(&b'\n');
    (0..received.len()).filter(lf).find_map(|at| match received.get(at + 1..) {
        Some([b'\n', ..]) => Some(at + 2),
        Some([b'\r', b'\n', ..]) => Some(at + 3),
        _ => None,
    })
}

fn request(head: &str) -> Result<Request, Status> {
    let mut lines = head.lines();
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Status::BadRequest);
    };
    let is_word = !method.is_empty() && method.bytes().all(|b| b.is_ascii_alphabetic());
    if !is_word || !target.starts_with('/') || !matches!(version, "HTTP/1.1" | "HTTP/1.0") {
        return Err(Status::BadRequest);
    }
    let (mut close, mut gzip) = (version == "HTTP/1.0", false);
    for line in lines.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').ok_or(Status::BadRequest)?;
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "connection" if value.eq_ignore_ascii_case("close") => close = true,
            "connection" if value.eq_ignore_ascii_case("keep-alive") => close = false,
            "accept-encoding" => gzip |= takes_gzip(value),
            // A request with a body is none of ours, and where the next one begins would have to be found out.
            "content-length" if value != "0" => return Err(Status::BadRequest),
            "transfer-encoding" => return Err(Status::BadRequest),
            _ => {}
        }
    }
    let head_only = match method {
        "GET" => false,
        "HEAD" => true,
        _ => return Err(Status::MethodNotAllowed),
    };
    let path = target.split('?').next().unwrap_or_default().to_owned();
    Ok(Request { head_only, path, close, gzip })
}

/// `gzip`, `deflate, gzip;q=0.5`: named, and not with the weight 0. What says `*` alone gets plain text, as it may.
fn takes_gzip(value: &str) -> bool {
    value.split(',').any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
        named && weight.is_none_or(|weight| weight.parse::<f32>().is_ok_and(|weight| weight > 0.0))
    })
}

/// The bytes of an answer.
pub fn answer(status: Status, content_type: &str, body: Body, request: Option<&Request>) -> Vec<Bytes> {
    let closes = request.is_none_or(|request| request.close);
    let allow = if status == Status::MethodNotAllowed { "Allow: GET, HEAD\r\n" } else { "" };
    let coding = if body.gzip { "Content-Encoding: gzip\r\nVary: Accept-Encoding\r\n" } else { "" };
    let head = format!(
        "HTTP/1.1 {}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n{coding}{allow}Connection: {}\r\n\r\n",
        status.line(),
        body.bytes.len(),
        if closes { "close" } else { "keep-alive" },
    );
    let mut parts = vec![Bytes::from(head)];
    if !body.bytes.is_empty() && !request.is_some_and(|request| request.head_only) {
        parts.push(body.bytes);
    }
    parts
}

/// An answer that only says its status; the connection is closed behind it unless a `request` says otherwise.
pub fn plain(status: Status, request: Option<&Request>) -> Vec<Bytes> {
    answer(status, "text/plain; charset=utf-8", format!("{}\n", status.line()).into(), request)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_text(text: &str) -> Parsed {
        parse(text.as_bytes())
    }

    #[test]
    fn a_scrape_as_prometheus_sends_it_is_understood_wherever_it_is_cut() {
        let text =
            "GET /metrics?x=1 HTTP/1.1\r\nHost: a:9644\r\nAccept: text/plain\r\nAccept-Encoding: gzip\r\n\r\nGET";
        let whole = text.len() - 3;
        for cut in 0..whole {
            assert_eq!(parse_text(&text[..cut]), Parsed::NeedMore, "{cut}");
        }
        let request = Request { head_only: false, path: "/metrics".into(), close: false, gzip: true };
        assert_eq!(parse_text(text), Parsed::Request(request, whole));
    }

    #[test]
    fn methods_paths_and_the_end_of_the_connection_are_told_apart() {
        let cases = [
            ("HEAD /health HTTP/1.1\n\n", true, "/health", false),
            ("GET / HTTP/1.0\r\n\r\n", false, "/", true),
            ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", false, "/", false),
            ("GET /a HTTP/1.1\r\nconnection: close\r\nContent-Length: 0\r\n\r\n", false, "/a", true),
        ];
        for (text, head_only, path, close) in cases {
            let request = Request { head_only, path: path.into(), close, gzip: false };
            assert_eq!(parse_text(text), Parsed::Request(request, text.len()), "{text}");
        }
    }

    #[test]
    fn packed_answers_go_only_to_those_who_take_them() {
        for (value, takes) in [
            ("gzip", true),
            ("GZIP", true),
            ("deflate, gzip;q=0.5, br", true),
            ("gzip ; q=1.0", true),
            ("gzip;q=0", false),
            ("gzip;q=0.000", false),
            ("gzip;q=x", false),
            ("identity", false),
            ("x-gzip2", false),
            ("*", false),
            ("", false),
        ] {
            let text = format!("GET / HTTP/1.1\r\nAccept-Encoding: {value}\r\n\r\n");
            let Parsed::Request(request, _) = parse_text(&text) else { panic!("{text}") };
            assert_eq!(request.gzip, takes, "{value}");
        }
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let cases = [
            ("\r\n\r\n", Status::BadRequest),
            ("GET /\r\n\r\n", Status::BadRequest),
            ("GET  / HTTP/1.1\r\n\r\n", Status::BadRequest),
            ("GET metrics HTTP/1.1\r\n\r\n", Status::BadRequest),
            ("GET / HTTP/2\r\n\r\n", Status::BadRequest),
            ("G\u{0} / HTTP/1.1\r\n\r\n", Status::BadRequest),
            ("GET / HTTP/1.1\r\nno colon\r\n\r\n", Status::BadRequest),
            ("GET / HTTP/1.1\r\nContent-Length: 4\r\n\r\nabcd", Status::BadRequest),
            ("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", Status::BadRequest),
            ("POST /metrics HTTP/1.1\r\n\r\n", Status::MethodNotAllowed),
        ];
        for (text, status) in cases {
            assert_eq!(parse_text(text), Parsed::Bad(status), "{text:?}");
        }
        assert_eq!(parse(b"GET /\xff HTTP/1.1\r\n\r\n"), Parsed::Bad(Status::BadRequest));
    }

    #[test]
    fn a_head_ends_within_its_bound_or_is_refused() {
        let head = |filler: usize| format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(filler));
        let fits = HEAD_BYTES_MAX - head(0).len();
        assert!(matches!(parse_text(&head(fits)), Parsed::Request(_, HEAD_BYTES_MAX)));
        assert_eq!(parse_text(&head(fits + 1)), Parsed::Bad(Status::HeadTooLarge));
        assert_eq!(parse_text(&"z".repeat(HEAD_BYTES_MAX)), Parsed::Bad(Status::HeadTooLarge));
    }

    #[test]
    fn any_bytes_are_answered_or_wait_for_more() {
        let mut seed = 88172645463325252u64;
        for _ in 0..2000 {
            let bytes: Vec<u8> = (0..seed % 200)
                .map(|_| {
                    seed ^= seed << 13;
                    seed ^= seed >> 7;
                    seed ^= seed << 17;
                    b"GET / HTTP/1.1\r\n:\xff\0 a"[(seed % 21) as usize]
                })
                .collect();
            parse(&bytes);
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1);
        }
    }

    #[test]
    fn an_answer_tells_its_length_also_without_its_body() {
        let request = Request { head_only: true, path: "/".into(), close: false, gzip: false };
        let parts = answer(Status::Ok, "text/plain", "abc".to_owned().into(), Some(&request));
        assert_eq!(parts.len(), 1);
        let head = String::from_utf8(parts[0].to_vec()).unwrap();
        assert!(head.contains("Content-Length: 3\r\n") && head.contains("keep-alive"), "{head}");
        assert!(!head.contains("Content-Encoding"), "{head}");
        let packed = Body { bytes: Bytes::from_static(b"xy"), gzip: true };
        let head = answer(Status::Ok, "text/plain", packed, None).remove(0);
        let head = String::from_utf8(head.to_vec()).unwrap();
        assert!(head.contains("Content-Encoding: gzip\r\n") && head.contains("Content-Length: 2\r\n"), "{head}");
        let refusal = plain(Status::MethodNotAllowed, None).concat();
        let text = String::from_utf8(refusal).unwrap();
        assert!(text.contains("Allow: GET, HEAD") && text.contains("Connection: close"), "{text}");
    }
}

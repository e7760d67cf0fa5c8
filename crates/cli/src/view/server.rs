//! A server for one page, on loopback alone.
//!
//! It answers `GET /` and nothing else, reads no more than a few kilobytes of a request, and asks who is
//! meant: a page of another site cannot read the run through a name that it points at this machine.

use anyhow::{Context, Result};
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// No browser's request for a page is longer.
const MOST_REQUEST_BYTES: usize = 16 << 10;
/// Browsers open connections ahead and may leave them silent.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct Server {
    listener: TcpListener,
    address: SocketAddr,
    page: Arc<Vec<u8>>,
}

impl Server {
    pub(super) fn bind(address: SocketAddr, page: Vec<u8>) -> Result<Self> {
        let listener =
            TcpListener::bind(address).with_context(|| format!("cannot listen on {address}"))?;
        let address = listener
            .local_addr()
            .context("cannot read the own address")?;
        Ok(Self {
            listener,
            address,
            page: Arc::new(page),
        })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Serves until the process ends.
    pub(super) fn run(self) -> Result<ExitCode> {
        loop {
            // One that is gone before it was taken is no reason to end.
            let Ok((stream, _)) = self.listener.accept() else {
                thread::sleep(Duration::from_millis(50));
                continue;
            };
            let page = Arc::clone(&self.page);
            let answering = thread::Builder::new().spawn(move || {
                if let Err(error) = answer(stream, &page) {
                    log::debug!("a browser went away: {error}");
                }
            });
            answering.context("cannot start a thread for a browser")?;
        }
    }
}

fn answer(mut stream: TcpStream, page: &[u8]) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let Some(request) = read_head(&mut stream)? else {
        return Ok(());
    };
    let (status, body) = match judge(&request) {
        Ok(()) => ("200 OK", page),
        Err(status) => (status, status.as_bytes()),
    };
    let kind = if status.starts_with("200") {
        "text/html; charset=utf-8"
    } else {
        "text/plain; charset=utf-8"
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
         X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
        body.len()
    )?;
    if !request.starts_with("HEAD ") {
        stream.write_all(body)?;
    }
    stream.flush()
}

/// The request up to the empty line; `None` when the other side said nothing.
fn read_head(stream: &mut impl Read) -> io::Result<Option<String>> {
    let mut head = Vec::new();
    let mut piece = [0; 2048];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let count = stream.read(&mut piece)?;
        if count == 0 {
            break;
        }
        head.extend_from_slice(&piece[..count]);
        if head.len() > MOST_REQUEST_BYTES {
            break;
        }
    }
    Ok((!head.is_empty()).then(|| String::from_utf8_lossy(&head).into_owned()))
}

/// Whether a request is one for the page, from a browser that means this machine.
fn judge(request: &str) -> Result<(), &'static str> {
    let Some((head, _)) = request.split_once("\r\n\r\n") else {
        return Err("400 Bad Request");
    };
    let mut lines = head.split("\r\n");
    let words: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
    let &[method, target, version] = words.as_slice() else {
        return Err("400 Bad Request");
    };
    if !version.starts_with("HTTP/1.") {
        return Err("400 Bad Request");
    }
    let mut fields = lines.filter_map(|line| line.split_once(':'));
    let host = fields.find(|(name, _)| name.eq_ignore_ascii_case("host"));
    if !host.is_some_and(|(_, value)| is_this_machine(value.trim())) {
        return Err("403 Forbidden");
    }
    match (method, target) {
        ("GET" | "HEAD", "/") => Ok(()),
        ("GET" | "HEAD", _) => Err("404 Not Found"),
        _ => Err("405 Method Not Allowed"),
    }
}

fn is_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let address: Result<IpAddr, _> = name.parse();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(request: &str) -> Result<(), &'static str> {
        judge(&format!("{}\r\n\r\n", request.replace('|', "\r\n")))
    }

    #[test]
    fn the_page_goes_to_browsers_of_this_machine_alone() {
        assert_eq!(judged("GET / HTTP/1.1|Host: 127.0.0.1:8080"), Ok(()));
        assert_eq!(judged("GET / HTTP/1.1|Accept: */*|HOST: localhost"), Ok(()));
        assert_eq!(judged("GET / HTTP/1.1|Host: [::1]:80"), Ok(()));
        let forbidden = Err("403 Forbidden");
        assert_eq!(
            judged("GET / HTTP/1.1|Host: elsewhere.example:80"),
            forbidden
        );
        assert_eq!(judged("GET / HTTP/1.1|Host: 10.0.0.1"), forbidden);
        assert_eq!(judged("GET / HTTP/1.1"), forbidden);
    }

    #[test]
    fn what_is_no_request_for_the_page_is_refused() {
        assert_eq!(
            judged("GET /x HTTP/1.1|Host: localhost"),
            Err("404 Not Found")
        );
        assert_eq!(
            judged("POST / HTTP/1.1|Host: localhost"),
            Err("405 Method Not Allowed")
        );
        assert_eq!(judged("GET /"), Err("400 Bad Request"));
        assert_eq!(
            judge("GET / HTTP/1.1\r\nHost: localhost"),
            Err("400 Bad Request")
        );
        let endless = vec![b'x'; 4 * MOST_REQUEST_BYTES];
        let read = read_head(&mut endless.as_slice()).unwrap().unwrap();
        assert!(read.len() <= MOST_REQUEST_BYTES + 2048);
    }
}

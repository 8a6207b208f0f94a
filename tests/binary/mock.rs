//! A server that does what a test wants: std threads and just enough HTTP.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What a request gets.
pub(crate) enum Answer {
    /// Status and body.
    Whole(u16, String),
    /// The same, from the replica of this name.
    By(String, u16, String),
    /// The same as the first, and the end of the connection, without a warning.
    Last(u16, String),
    /// The end of the connection.
    HangUp,
}

/// Listens on a free port until dropped; a thread a connection, kept alive.
pub(crate) struct Mock {
    address: SocketAddr,
    pub(crate) url: String,
    pub(crate) requests: Arc<AtomicUsize>,
    pub(crate) connections: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
}

impl Mock {
    /// `answer` is asked with the path of each request.
    pub(crate) fn start(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let [requests, connections] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
        let over = Arc::new(AtomicBool::new(false));
        let answer = Arc::new(answer);
        let (counted, opened, stop) = (requests.clone(), connections.clone(), over.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                opened.fetch_add(1, Ordering::Relaxed);
                let (answer, counted) = (answer.clone(), counted.clone());
                // A client that goes away in the middle is no concern of the mock.
                std::thread::spawn(move || stream.and_then(|s| converse(s, &*answer, &counted)));
            }
        });
        Self { address, url: format!("http://{address}"), requests, connections, over }
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // Wakes the listener, which then sees that it is over.
        let _ = TcpStream::connect(self.address);
    }
}

fn converse(
    stream: TcpStream,
    answer: &(dyn Fn(&str) -> Answer + Sync),
    requests: &AtomicUsize,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    loop {
        let mut request_line = String::new();
        if reader.read_line(&mut request_line)? == 0 {
            return Ok(());
        }
        let mut length = 0;
        loop {
            let mut field = String::new();
            reader.read_line(&mut field)?;
            let Some((name, value)) = field.trim_end().split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().expect("a length");
            }
        }
        std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink())?;
        requests.fetch_add(1, Ordering::Relaxed);
        let path = request_line.split(' ').nth(1).expect("a path");
        let (status, body, last, further) = match answer(path) {
            Answer::Whole(status, body) => (status, body, false, String::new()),
            Answer::By(name, status, body) => (status, body, false, format!("X-Served-By: {name}\r\n")),
            Answer::Last(status, body) => (status, body, true, String::new()),
            Answer::HangUp => return Ok(()),
        };
        let length = body.len();
        let head = format!("HTTP/1.1 {status} Whatever\r\n{further}Content-Length: {length}\r\n\r\n");
        stream.write_all(&[head.as_bytes(), body.as_bytes()].concat())?;
        if last {
            return Ok(());
        }
    }
}

//! The public socket.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use anyhow::anyhow;
use tokio::net::{TcpListener, TcpSocket};

/// Connections the kernel may hold for us: a burst waits here instead of being refused.
pub(super) const BACKLOG: u32 = 4096;

pub(super) fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    listen(address).map_err(|error| anyhow!("cannot listen on {address}: {error}; {}", advice(error.kind())))
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restarted server has its port back at once.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn advice(error: ErrorKind) -> &'static str {
    match error {
        ErrorKind::AddrInUse => "is another server there? (--port 0 picks a free one)",
        ErrorKind::PermissionDenied => {
            "ports below 1024 need privileges: choose a higher --port behind a proxy, or `setcap cap_net_bind_service=+ep` \
             the binary"
        }
        ErrorKind::AddrNotAvailable => {
            "--host must be an address of this machine (0.0.0.0 for all, 127.0.0.1 for itself alone)"
        }
        _ => "choose another --host or --port",
    }
}

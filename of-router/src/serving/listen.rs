//! Listening so that a new process can take over from an old one without a client noticing.

use std::io;
use std::net::SocketAddr;

use nix::libc::{BPF_K, BPF_RET, sock_filter, sock_fprog};
use nix::sys::socket::{setsockopt, sockopt};
use tokio::net::{TcpListener, TcpSocket};

/// How many clients may wait to be accepted.
const BACKLOG: u32 = 4096;

/// Listens on an address that another process of the same user may listen on too: the one that is to be replaced.
///
/// # Errors
/// When the address cannot be used.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Sends new clients to the process that listened second, so that none is left in our queue when we close it.
/// Does nothing where there is no second process: then the program's choice is invalid, and the kernel falls back.
pub(crate) fn steer_away(listener: &TcpListener) {
    // "Return 1": of the listeners of one address in the order in which they came, which closes up when one goes.
    let mut program = [sock_filter { code: (BPF_RET | BPF_K) as u16, jt: 0, jf: 0, k: 1 }];
    let program = sock_fprog { len: 1, filter: program.as_mut_ptr() };
    if let Err(error) = setsockopt(listener, sockopt::AttachReusePortCbpf, &program) {
        tracing::debug!(%error, "new clients cannot be sent to another process");
    }
}

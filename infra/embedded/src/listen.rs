//! A listener that no single client can hold: so many connections, so many of them for one address, and so long for a
//! handshake and a request's head.

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

/// What a listener allows.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many connections there are at once; further ones wait until one ends. Half of them may come from one address.
    pub connections: usize,
    /// How long a handshake may take, how long a request's head may, and how long a connection may be idle.
    pub head: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { connections: 256, head: Duration::from_secs(5) }
    }
}

/// What stays of an IPv6 address: whoever has one usually has all that begin alike.
const NETWORK: u128 = !0 << 64;

/// How long to wait before another connection is taken where the machine gives none.
const PAUSE: Duration = Duration::from_millis(50);

/// Where connections come in, and what is taken from them.
#[derive(Clone, Default)]
pub struct Front {
    /// What the listener allows.
    pub limits: Limits,
    /// Speaks TLS, where a certificate is given.
    pub tls: Option<TlsAcceptor>,
    /// The proxies whose `X-Forwarded-For` is believed. They bear many clients, and may have all connections.
    pub proxies: Arc<[IpAddr]>,
}

impl From<Limits> for Front {
    fn from(limits: Limits) -> Front {
        Front { limits, ..Front::default() }
    }
}

/// Where connections come from: a port, or a socket in a folder.
pub(crate) trait Listener: Send + Sync {
    /// A connection.
    type Stream: Duplex + 'static;
    /// Whose it is.
    type Peer: Send;

    /// The next connection.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, Self::Peer)>> + Send;

    /// The address that it comes from, where there are several.
    fn address(peer: &Self::Peer) -> Option<IpAddr>;
}

impl Listener for TcpListener {
    type Stream = TcpStream;
    type Peer = SocketAddr;

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        TcpListener::accept(self).await
    }

    fn address(peer: &SocketAddr) -> Option<IpAddr> {
        Some(peer.ip())
    }
}

/// How many connections each address has.
struct Shares {
    most: usize,
    proxies: Arc<[IpAddr]>,
    taken: Mutex<HashMap<IpAddr, usize>>,
}

/// One connection of an address, until it is dropped.
struct Share {
    of: Option<IpAddr>,
    shares: Arc<Shares>,
}

impl Shares {
    /// A connection of an address, unless that has its share.
    fn take(self: &Arc<Shares>, address: Option<IpAddr>) -> Option<Share> {
        let of =
            address.map(|address| address.to_canonical()).filter(|address| !self.proxies.contains(address));
        let of = of.map(|address| match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & NETWORK).into(),
        });
        if let Some(of) = of {
            let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
            let taken = taken.entry(of).or_default();
            if *taken >= self.most {
                return None;
            }
            *taken += 1;
        }
        Some(Share { of, shares: self.clone() })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let Some(of) = self.of else { return };
        let mut taken = self.shares.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut left) = taken.entry(of) {
            *left.get_mut() -= 1;
            if *left.get() == 0 {
                left.remove();
            }
        }
    }
}

/// Serves connections until `stop` resolves, then finishes what has begun. `app` makes the service of one peer.
pub(crate) async fn serve<L: Listener>(
    listener: L,
    front: &Front,
    app: impl Fn(L::Peer) -> Router,
    stop: impl Future<Output = ()> + Send,
) {
    let limits = front.limits;
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.head);
    let places = Arc::new(Semaphore::new(limits.connections));
    let most = limits.connections.div_ceil(2);
    let shares = Arc::new(Shares { most, proxies: front.proxies.clone(), taken: Mutex::default() });
    let shutdown = GracefulShutdown::new();
    tokio::pin!(stop);
    loop {
        let accepted = async {
            let place = places.clone().acquire_owned().await;
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut stop => break,
        };
        let Ok((stream, peer)) = accepted else {
            // Out of files, or a stranger, say; the next may be better.
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let Some(share) = shares.take(L::address(&peer)) else { continue };
        let service = TowerToHyperService::new(app(peer));
        let (builder, watcher, tls) = (builder.clone(), shutdown.watcher(), front.tls.clone());
        tokio::spawn(async move {
            if let Some(stream) = opened(stream, tls, limits.head).await {
                let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
                let _ = watcher.watch(connection).await;
            }
            drop((place, share));
        });
    }
    drop(listener);
    shutdown.shutdown().await;
}

/// A connection, with TLS or without.
type Opened = Box<dyn Duplex>;

/// What is read and written.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// A connection as it is spoken over; nothing where its handshake fails or takes too long.
async fn opened(stream: impl Duplex + 'static, tls: Option<TlsAcceptor>, time: Duration) -> Option<Opened> {
    let Some(tls) = tls else { return Some(Box::new(stream)) };
    let stream = tokio::time::timeout(time, tls.accept(stream)).await.ok()?.ok()?;
    Some(Box::new(stream))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_share_a_proxy_has_all_and_what_ends_is_free_again() {
        let ip = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        let proxies = Arc::new([ip("192.0.2.7").unwrap()]);
        let shares = Arc::new(Shares { most: 2, proxies, taken: Mutex::default() });
        for (one, same) in [("203.0.113.9", "::ffff:203.0.113.9"), ("2001:db8::1", "2001:db8::ffff:1")] {
            let taken = [shares.take(ip(one)), shares.take(ip(same))];
            assert!(taken.iter().all(Option::is_some));
            assert!(shares.take(ip(one)).is_none() && shares.take(ip(same)).is_none(), "{one}");
            drop(taken);
            assert!(shares.take(ip(one)).is_some(), "{one}");
        }
        assert!(shares.taken.lock().unwrap().is_empty(), "nothing is kept of who has gone");
        let many = |of: Option<IpAddr>| (0..9).map(|_| shares.take(of)).collect::<Vec<_>>();
        assert!(many(ip("192.0.2.7")).iter().all(Option::is_some), "a proxy that is named");
        assert!(many(None).iter().all(Option::is_some), "a socket of this machine's own");
    }
}

//! What strangers can hold of a listener: over real sockets, with connections that begin and say no more.

use embedded::{Front, Limits, Socket, server};
use postledger::client::agent_at;
use postledger_tests::World;
use postledger_tests::command::Folder;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpSocket};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Longer than anything here takes.
const MOST: Duration = Duration::from_secs(60);
/// A request that is answered at once.
const WHOLE: &[u8] = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
/// A request whose head never ends.
const HALF: &[u8] = b"GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ";

/// Serves the doors of a world with other limits.
fn serve(world: &World, front: Front) -> SocketAddr {
    let listener = world.block(TcpListener::bind((HERE, 0))).unwrap();
    let address = listener.local_addr().unwrap();
    world.spawn(server::serve(world.stack.clone(), listener, front, std::future::pending()));
    address
}

/// A connection that says something and waits.
fn say(to: SocketAddr, words: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(MOST)).unwrap();
    // It may be closed already.
    let _ = stream.write_all(words);
    stream
}

/// What is said until the connection ends; one that is reset has ended too.
fn told(mut stream: impl Read) -> String {
    let mut told = Vec::new();
    if let Err(error) = stream.read_to_end(&mut told) {
        let ended = matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe);
        assert!(ended, "its connection is not ended: {error}");
    }
    String::from_utf8_lossy(&told).into_owned()
}

#[test]
fn connections_on_which_no_request_comes_hold_nobody_up_for_longer_than_a_head_may_take() {
    let world = World::default();
    // Behind a proxy all come from one address, which has all places.
    let front = Front { proxies: [HERE].into(), ..Front::default() };
    let limits = front.limits;
    let address = serve(&world, front);
    let start = Instant::now();
    let half: Vec<TcpStream> =
        (0..limits.connections).map(|turn| say(address, if turn % 2 == 0 { HALF } else { b"" })).collect();
    let waited = told(say(address, WHOLE));
    assert!(waited.starts_with("HTTP/1.1 200 "), "{waited}");
    let elapsed = start.elapsed();
    assert!(elapsed > limits.head / 2, "all places were held: {elapsed:?}");
    assert!(elapsed < limits.head + Duration::from_secs(10), "{elapsed:?}");
    half.into_iter().for_each(|stream| drop(told(stream)));
}

#[test]
fn a_handshake_that_does_not_end_is_ended() {
    let (world, folder) = (World::default(), Folder::new("handshake"));
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    platform::private::write(&key, made.signing_key.serialize_pem().as_bytes()).unwrap();
    let tls = Some(embedded::tls::acceptor(&certificate, &key).unwrap());
    let limits = Limits { connections: 2, head: Duration::from_millis(300) };
    let address = serve(&world, Front { limits, tls, ..Front::default() });
    for _ in 0..4 {
        // The beginning of a message that is said to be longer.
        assert_eq!(told(say(address, b"\x16\x03\x01\x02\x00\x01\x00")), "");
    }
}

#[test]
fn a_connection_that_is_idle_ends_after_as_long_as_a_head_may_take_and_no_sooner() {
    let world = World::default();
    let limits = Limits { head: Duration::from_millis(700), ..Limits::default() };
    let address = serve(&world, limits.into());
    let mut stream = say(address, b"");
    let mut answer = [0; 4096];
    for _ in 0..3 {
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let read = stream.read(&mut answer).unwrap();
        assert!(answer[..read].starts_with(b"HTTP/1.1 200 "), "it goes on with the next request");
    }
    let idle = Instant::now();
    assert_eq!(told(stream), "");
    assert!(idle.elapsed() >= Duration::from_millis(600), "{:?}", idle.elapsed());
}

#[test]
fn half_of_all_connections_is_the_most_that_one_address_has() {
    let world = World::default();
    let limits = Limits { connections: 4, head: MOST * 2 };
    let address = serve(&world, limits.into());
    let held: Vec<TcpStream> = (0..2).map(|_| say(address, HALF)).collect();
    for _ in 0..6 {
        assert_eq!(told(say(address, WHOLE)), "", "it has its share");
    }
    let other = TcpSocket::new_v4().unwrap();
    // Systems that have one address of their own cannot show the rest.
    if other.bind(SocketAddr::from(([127, 0, 0, 2], 0))).is_ok() {
        let mut other = world.block(other.connect(address)).unwrap().into_std().unwrap();
        other.set_nonblocking(false).unwrap();
        other.set_read_timeout(Some(MOST)).unwrap();
        other.write_all(WHOLE).unwrap();
        assert!(told(other).starts_with("HTTP/1.1 200 "), "another address has places");
    }
    drop(held);
    let start = Instant::now();
    while !told(say(address, WHOLE)).starts_with("HTTP/1.1 200 ") {
        assert!(start.elapsed() < MOST, "what has ended counts no more");
    }
}

#[test]
fn the_socket_of_the_operator_has_the_same_limits() {
    let world = World::default();
    let home = Folder::new("socket-limits");
    let socket = world.block(async { Socket::bind(home.path(), 1).unwrap() });
    let path = socket.path().to_owned();
    let limits = Limits { connections: 2, head: Duration::from_millis(300) };
    world.spawn(server::serve_admin(world.stack.clone(), socket, limits, std::future::pending()));
    let half: Vec<UnixStream> = (0..8)
        .map(|_| {
            let mut stream = UnixStream::connect(&path).unwrap();
            stream.set_read_timeout(Some(MOST)).unwrap();
            stream.write_all(HALF).unwrap();
            stream
        })
        .collect();
    let queues = agent_at(&path).get("http://127.0.0.1/v1/operator/queues").call().unwrap();
    assert_eq!(queues.status(), 200, "those who say nothing are sent away");
    half.into_iter().for_each(|stream| drop(told(stream)));
}

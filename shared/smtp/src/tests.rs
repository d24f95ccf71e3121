//! The client against a server on this machine that speaks as much SMTP as it takes, with a certificate that is made anew.

use super::*;
use postmark_api::Token;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::sync::Mutex;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// `user` and `pass`, as AUTH PLAIN has them.
const GOOD: &str = "AHVzZXIAcGFzcw==";

/// How the server differs from one that is as it should be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Oddity {
    None,
    /// It offers no TLS.
    Open,
    /// It takes the command and gives up.
    NoHandshake,
    /// It greets nobody.
    Silent,
    /// It turns everybody away with this.
    Greeting(&'static str),
    /// It answers each log-in with this.
    Auth(&'static str),
    /// It answers a recipient with this.
    Recipient(&'static str),
    /// It says nothing to a farewell.
    NoFarewell,
    /// It says nothing to a mail that it took.
    NoReceipt,
    /// It hangs up after a mail that it took.
    HangsUp,
}

/// What was said to it, line by line; before TLS and after, marked so.
type Said = Arc<Mutex<Vec<String>>>;

struct Server {
    client: Client,
    said: Said,
}

async fn server(oddity: Oddity) -> Server {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("localhost:0").await.unwrap();
    let place = SmtpPlace { host: "localhost".to_owned(), port: listener.local_addr().unwrap().port() };
    let said = Said::default();
    let heard = said.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(talk(stream, acceptor.clone(), oddity, heard.clone()));
        }
    });
    let trusted = Some(Certificate::from_der(cert.der().to_vec()).unwrap());
    let client = Client { trusted, patience: Duration::from_secs(5), ..Client::default().at(place) };
    Server { client, said }
}

async fn talk(stream: TcpStream, acceptor: TlsAcceptor, oddity: Oddity, said: Said) -> Option<()> {
    let mut stream = BufReader::new(stream);
    match oddity {
        Oddity::Silent => std::future::pending::<()>().await,
        Oddity::Greeting(answer) => {
            say(&mut stream, answer).await?;
            return None;
        }
        _ => say(&mut stream, "220 localhost").await?,
    }
    let tls = if oddity == Oddity::Open { "250 localhost" } else { "250-localhost\r\n250 STARTTLS" };
    loop {
        let line = heard(&mut stream, "open", &said).await?;
        match line.as_str() {
            "STARTTLS" => break,
            line if line.starts_with("EHLO") => say(&mut stream, tls).await?,
            _ => say(&mut stream, "221 bye").await?,
        }
    }
    say(&mut stream, "220 go ahead").await?;
    if oddity == Oddity::NoHandshake {
        return None;
    }
    let mut stream = BufReader::new(acceptor.accept(stream.into_inner()).await.ok()?);
    loop {
        let line = heard(&mut stream, "tls", &said).await?;
        let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let answer = match (verb, oddity) {
            ("EHLO", _) => "250-localhost\r\n250 AUTH LOGIN PLAIN",
            ("AUTH", Oddity::Auth(answer)) => answer,
            ("AUTH", _) if rest == format!("PLAIN {GOOD}") => "235 welcome",
            ("AUTH", _) => "535 5.7.8 user unknown: the pair of ida@customer.example",
            ("RCPT", Oddity::Recipient(answer)) => answer,
            ("DATA", _) => {
                say(&mut stream, "354 go ahead").await?;
                while heard(&mut stream, "mail", &said).await? != "." {}
                match oddity {
                    Oddity::NoReceipt => std::future::pending().await,
                    Oddity::HangsUp => return None,
                    _ => "250 taken",
                }
            }
            ("QUIT", Oddity::NoFarewell) => std::future::pending().await,
            ("QUIT", _) => "221 bye",
            _ => "250 well",
        };
        say(&mut stream, answer).await?;
    }
}

async fn say(stream: &mut (impl AsyncWrite + Unpin), line: &str) -> Option<()> {
    stream.write_all(format!("{line}\r\n").as_bytes()).await.ok()?;
    stream.flush().await.ok()
}

async fn heard<S: AsyncRead + Unpin>(stream: &mut BufReader<S>, how: &str, said: &Said) -> Option<String> {
    let mut line = String::new();
    if stream.read_line(&mut line).await.ok()? == 0 {
        return None;
    }
    let line = line.trim_end().to_owned();
    said.lock().unwrap().push(format!("{how}: {line}"));
    Some(line)
}

fn pair(secret: &str) -> SmtpPair {
    SmtpPair { access: Token::new("user").unwrap(), secret: Token::new(secret).unwrap() }
}

async fn logs_in(server: &Server, secret: &str) -> SmtpOutcome {
    server.client.log_in(StreamKind::Transactional, &pair(secret)).await
}

fn mail() -> SmtpMail {
    SmtpMail {
        from: "hello@shop.example".to_owned(),
        to: "ida@shop.example".to_owned(),
        stream: "outbound".to_owned(),
        tag: "smtp-test-outbound\r\nBcc: all@shop.example".to_owned(),
        at: "2026-11-25T12:00:00Z".parse().unwrap(),
    }
}

#[tokio::test]
async fn a_pair_that_is_right_logs_in_by_tls_and_nothing_is_sent() {
    let server = server(Oddity::None).await;
    assert_eq!(logs_in(&server, "pass").await, SmtpOutcome::Accepted);
    let said = server.said.lock().unwrap().clone();
    assert!(said.contains(&format!("tls: AUTH PLAIN {GOOD}")), "{said:?}");
    assert!(!said.iter().any(|line| line.contains("MAIL") || line.contains("DATA")), "{said:?}");
}

#[tokio::test]
async fn a_wrong_pair_is_told_by_its_name() {
    assert_eq!(logs_in(&server(Oddity::None).await, "other").await, SmtpOutcome::WrongPair);
}

#[tokio::test]
async fn no_key_is_said_where_tls_is_not_offered() {
    let server = server(Oddity::Open).await;
    assert_eq!(logs_in(&server, "pass").await, SmtpOutcome::TlsRefused);
    let said = server.said.lock().unwrap().clone();
    assert!(!said.is_empty() && !said.iter().any(|line| line.contains("AUTH")), "{said:?}");
}

#[tokio::test]
async fn no_key_is_said_where_the_certificate_is_nobodys_or_anothers() {
    let server = server(Oddity::None).await;
    let distrusts = Client { trusted: None, ..server.client.clone() };
    let place = server.client.place(StreamKind::Transactional);
    let other = server.client.clone().at(SmtpPlace { host: "127.0.0.1".to_owned(), ..place });
    for client in [distrusts, other] {
        assert_eq!(client.log_in(StreamKind::Transactional, &pair("pass")).await, SmtpOutcome::TlsRefused);
    }
    assert!(!server.said.lock().unwrap().iter().any(|line| line.contains("AUTH")));
}

#[tokio::test]
async fn a_handshake_that_ends_early_is_no_tls() {
    assert_eq!(logs_in(&server(Oddity::NoHandshake).await, "pass").await, SmtpOutcome::TlsRefused);
}

#[tokio::test]
async fn where_nothing_listens_nothing_is_reached() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let nobody = Client::default().at(SmtpPlace { host: "127.0.0.1".to_owned(), port });
    let outcome = nobody.log_in(StreamKind::Broadcast, &pair("pass")).await;
    assert_eq!(outcome, SmtpOutcome::Unreachable);
}

#[tokio::test]
async fn a_port_that_is_blocked_so_that_nothing_at_all_comes_back_is_unreachable() {
    let dropped = std::future::pending::<std::io::Result<()>>();
    assert_eq!(reached(Duration::from_millis(10), dropped).await, Err(SmtpOutcome::Unreachable));
}

#[tokio::test]
async fn a_farewell_that_is_not_answered_changes_nothing_of_what_was_done() {
    let mut server = server(Oddity::NoFarewell).await;
    server.client.patience = Duration::from_millis(400);
    assert_eq!(logs_in(&server, "pass").await, SmtpOutcome::Accepted);
    let sent = server.client.send(StreamKind::Transactional, &pair("pass"), &mail()).await;
    assert_eq!(sent, Ok(SmtpOutcome::Accepted));
    assert_eq!(logs_in(&server, "other").await, SmtpOutcome::WrongPair);
}

#[tokio::test]
async fn a_mail_whose_receipt_does_not_come_may_have_been_sent() {
    for oddity in [Oddity::NoReceipt, Oddity::HangsUp] {
        let mut server = server(oddity).await;
        server.client.patience = Duration::from_millis(400);
        let sent = server.client.send(StreamKind::Transactional, &pair("pass"), &mail()).await;
        assert_eq!(sent, Err(Uncertain));
    }
}

#[tokio::test]
async fn who_never_greets_is_not_waited_for() {
    let mut server = server(Oddity::Silent).await;
    server.client.patience = Duration::from_millis(50);
    assert_eq!(logs_in(&server, "pass").await, SmtpOutcome::TimedOut);
}

#[tokio::test]
async fn any_other_answer_is_told_by_its_code() {
    for (oddity, code) in [
        (Oddity::Greeting("421 too many connections"), 421),
        (Oddity::Auth("454 4.7.0 not now"), 454),
        (Oddity::Auth("530 5.7.0 no"), 530),
    ] {
        assert_eq!(logs_in(&server(oddity).await, "pass").await, SmtpOutcome::Other(Some(code)));
    }
}

#[tokio::test]
async fn a_mail_names_its_stream_and_tag_and_nothing_that_is_filled_in_becomes_a_header() {
    let server = server(Oddity::None).await;
    let sent = server.client.send(StreamKind::Transactional, &pair("pass"), &mail()).await;
    assert_eq!(sent, Ok(SmtpOutcome::Accepted));
    let said = server.said.lock().unwrap().clone();
    for line in [
        "tls: MAIL FROM:<hello@shop.example>",
        "tls: RCPT TO:<ida@shop.example>",
        "mail: X-PM-Message-Stream: outbound",
        "mail: X-PM-Tag: smtp-test-outbound  Bcc: all@shop.example",
        "mail: Date: Wed, 25 Nov 2026 12:00:00 -0000",
    ] {
        assert!(said.iter().any(|one| one == line), "{line}: {said:?}");
    }
}

#[tokio::test]
async fn a_mail_that_is_refused_is_told_by_its_code_and_a_wrong_pair_sends_none() {
    let refuses = server(Oddity::Recipient("550 no such mailbox")).await;
    let sent = refuses.client.send(StreamKind::Transactional, &pair("pass"), &mail()).await;
    assert_eq!(sent, Ok(SmtpOutcome::Other(Some(550))));
    let server = server(Oddity::None).await;
    let sent = server.client.send(StreamKind::Transactional, &pair("other"), &mail()).await;
    assert_eq!(sent, Ok(SmtpOutcome::WrongPair));
    assert!(!server.said.lock().unwrap().iter().any(|line| line.contains("MAIL")));
}

#[test]
fn mail_of_each_kind_of_stream_goes_to_its_own_host() {
    let client = Client::default();
    assert_eq!(client.place(StreamKind::Transactional).host, "smtp.postmarkapp.com");
    assert_eq!(client.place(StreamKind::Broadcast).host, "smtp-broadcasts.postmarkapp.com");
}

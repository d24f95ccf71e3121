//! Mail that is put on a queue of SQS: who asks for it waits for that one call, and a function of its own sends it.

use crate::{Mail, Outbox, OutboxError};
use async_trait::async_trait;
use aws::Link;
use platform::Config;
use platform::config::MAIL_QUEUE_URL;
use std::sync::Arc;

/// Where mail is put down on AWS.
pub struct QueuedMail {
    link: Link,
    url: String,
}

impl QueuedMail {
    /// On the queue at a URL.
    pub fn new(link: Link, url: impl Into<String>) -> QueuedMail {
        QueuedMail { link, url: url.into() }
    }

    /// On the queue that a function is told of; where it is told of none, nobody is mailed.
    pub fn configured(link: Link, config: &Config) -> Arc<dyn Outbox> {
        match config.text(MAIL_QUEUE_URL) {
            Some(url) => Arc::new(QueuedMail::new(link, url)),
            None => Arc::new(crate::NoMail),
        }
    }
}

#[async_trait]
impl Outbox for QueuedMail {
    fn sends(&self) -> bool {
        true
    }

    async fn put(&self, mail: Mail) -> Result<(), OutboxError> {
        self.link.send_message(&self.url, &mail.encode()).await.map_err(|failed| {
            platform::counted(&failed);
            OutboxError(format!("the queue of mails: {failed}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws::{Access, Limits};
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    /// A stand-in for SQS that answers one call, and gives what it was sent.
    fn answering(status: &'static str) -> (String, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heard = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut heard, mut part) = (Vec::new(), [0; 4096]);
            while !heard.ends_with(b"}") {
                let count = stream.read(&mut part).unwrap();
                assert_ne!(count, 0, "it ends with the message");
                heard.extend_from_slice(&part[..count]);
            }
            let answer = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{{}}");
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(heard).unwrap()
        });
        (url, heard)
    }

    fn outbox(endpoint: &str) -> QueuedMail {
        let link = Link::new(
            Access::of_emulator(endpoint, "eu-west-1"),
            Limits { attempts_max: 1, ..Limits::COMMAND },
        );
        QueuedMail::new(link, "https://sqs.example/1/us-mail")
    }

    fn code() -> Mail {
        let to = Some("ida@client.example".to_owned());
        Mail::Code { to, code: "12345678".to_owned(), link: None, portal: None }
    }

    #[tokio::test]
    async fn a_mail_that_is_put_down_is_a_message_that_reads_as_the_same_mail() {
        let (url, heard) = answering("200 OK");
        outbox(&url).put(code()).await.unwrap();
        let heard = heard.join().unwrap();
        let (head, body) = heard.split_once("\r\n\r\n").unwrap();
        assert!(head.to_lowercase().contains("x-amz-target: amazonsqs.sendmessage"), "{head}");
        let sent: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(sent["QueueUrl"], "https://sqs.example/1/us-mail");
        assert_eq!(Mail::decode(sent["MessageBody"].as_str().unwrap()), Some(code()));
    }

    #[tokio::test]
    async fn what_the_queue_refuses_is_told_without_address_or_code() {
        let (url, heard) = answering("403 Forbidden");
        let told = outbox(&url).put(code()).await.unwrap_err().0;
        heard.join().unwrap();
        assert!(told.contains("permission") && !told.contains("ida") && !told.contains("1234"), "{told}");
    }
}

//! Text as it lies in items: compressed with a dictionary, so that an ordinary event is below one kilobyte, which
//! is what DynamoDB bills by.
//!
//! The first byte says how the rest is to be read. A dictionary never changes: a better one gets a new number, and
//! the old ones stay for as long as anything packed with them may be stored. The present one was trained on
//! Postmark's bodies as `shared/postmark/fixtures` has them, with everything that is peculiar to one mail replaced
//! by random text (`make dictionary`).

use std::cell::RefCell;
use std::sync::LazyLock;
use zstd::bulk::{Compressor, Decompressor};
use zstd::dict::{DecoderDictionary, EncoderDictionary};

/// As it is, in UTF-8.
const PLAIN: u8 = 0;
/// Zstandard with the first dictionary.
const DICTIONARY_1: u8 = 1;
/// The most bytes that anything unpacks to; far more than an item can hold of what we write.
const UNPACKED_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// How hard to try: on bodies of this size the next levels gain a percent and cost twice the time.
const LEVEL: i32 = 3;

static DICTIONARY: &[u8] = include_bytes!("../dictionary-1.bin");
static ENCODER: LazyLock<EncoderDictionary<'static>> =
    LazyLock::new(|| EncoderDictionary::copy(DICTIONARY, LEVEL));
static DECODER: LazyLock<DecoderDictionary<'static>> = LazyLock::new(|| DecoderDictionary::copy(DICTIONARY));

thread_local! {
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = RefCell::new(compressor());
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> =
        RefCell::new(Decompressor::with_prepared_dictionary(&DECODER).ok());
}

fn compressor() -> Option<Compressor<'static>> {
    let mut compressor = Compressor::with_prepared_dictionary(&ENCODER).ok()?;
    // The first byte names the dictionary already.
    compressor.include_dictid(false).ok()?;
    Some(compressor)
}

/// Packs text; what does not become smaller stays as it is.
pub fn pack(text: &str) -> Vec<u8> {
    let packed = COMPRESSOR.with_borrow_mut(|compressor| compressor.as_mut()?.compress(text.as_bytes()).ok());
    match packed {
        Some(packed) if packed.len() < text.len() => [&[DICTIONARY_1], &*packed].concat(),
        _ => [&[PLAIN], text.as_bytes()].concat(),
    }
}

/// Unpacks text; `None` where it was not packed by [`pack`].
pub fn unpack(packed: &[u8]) -> Option<String> {
    let (how, rest) = packed.split_first()?;
    let bytes = match *how {
        PLAIN => rest.to_vec(),
        DICTIONARY_1 => {
            let size = zstd::zstd_safe::get_frame_content_size(rest).ok().flatten()?;
            if size > UNPACKED_BYTES_MAX {
                return None;
            }
            DECOMPRESSOR.with_borrow_mut(|decompressor| {
                decompressor.as_mut()?.decompress(rest, usize::try_from(size).ok()?).ok()
            })?
        }
        _ => return None,
    };
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"DeliveredAt":"2026-09-20T06:03:11.8909305Z","Details":"smtp;250 2.0.0 OK","MessageID":"c27a4bc5-f1b4-4d9a-9d27-7ec22e1f61bd","MessageStream":"outbound","Recipient":"ada.abbott@customer.example","RecordType":"Delivery","ServerID":8123456,"Tag":"invoice"}"#;

    #[test]
    fn what_was_packed_comes_back_and_a_body_is_less_than_half() {
        let long = "x\u{1f600}".repeat(100_000);
        for text in ["", "x", BODY, &long] {
            assert_eq!(unpack(&pack(text)).as_deref(), Some(text));
        }
        assert!(pack(BODY).len() < BODY.len() / 2, "{}", pack(BODY).len());
    }

    #[test]
    fn what_the_first_release_packed_is_read_for_ever() {
        let packed = include_bytes!("../packed-1.bin");
        assert_eq!(unpack(packed).as_deref(), Some(BODY));
    }

    #[test]
    fn what_is_damaged_is_refused() {
        let packed = pack(BODY);
        assert_eq!(unpack(&[]), None);
        assert_eq!(unpack(&[9, 1, 2]), None);
        assert_eq!(unpack(&[PLAIN, 0xff]), None);
        assert_eq!(unpack(&packed[..packed.len() / 2]), None);
        let huge = [&[DICTIONARY_1, 0x28, 0xb5, 0x2f, 0xfd, 0xe0][..], &u64::MAX.to_le_bytes()].concat();
        assert_eq!(unpack(&huge), None);
    }
}

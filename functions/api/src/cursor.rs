//! Cursors: where a list goes on. A cursor holds a place within the list that it came from, never which list that is:
//! whose it is comes from the token and the path, so that an altered one leads to another place of the same list.

use crate::problem::Problem;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The longest cursor, in bytes.
const BYTES_MAX: usize = 2_048;
/// The longest sort key, in bytes, as DynamoDB has it.
const KEY_BYTES_MAX: usize = 1_024;

/// A cursor from a place.
pub(crate) fn write(place: &impl Serialize) -> String {
    let place = serde_json::to_vec(place).unwrap_or_else(|_| unreachable!("a place is plain JSON"));
    URL_SAFE_NO_PAD.encode(place)
}

/// The place of a cursor.
pub(crate) fn read<T: DeserializeOwned>(cursor: Option<&str>) -> Result<Option<T>, Problem> {
    let place = |cursor: &str| {
        let place = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        serde_json::from_slice(&place).ok()
    };
    let read = |cursor: &str| {
        let short = Some(cursor).filter(|cursor| cursor.len() <= BYTES_MAX);
        short.and_then(place).ok_or_else(Problem::bad_cursor)
    };
    cursor.map(read).transpose()
}

/// A name that a table's keys can have, as a cursor bears it.
pub(crate) fn key(name: String) -> Result<String, Problem> {
    if (1..=KEY_BYTES_MAX).contains(&name.len()) { Ok(name) } else { Err(Problem::bad_cursor()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_where_it_was_taken_and_a_spoilt_one_nowhere() {
        let place = (5_i64, "x".to_owned());
        assert_eq!(read(Some(&write(&place))), Ok(Some(place)));
        assert_eq!(read::<i64>(None), Ok(None));
        for wrong in ["", "!", "AAAA", &write(&"x"), &"A".repeat(BYTES_MAX + 1)] {
            assert_eq!(read::<(i64, String)>(Some(wrong)), Err(Problem::bad_cursor()), "{wrong}");
        }
    }
}

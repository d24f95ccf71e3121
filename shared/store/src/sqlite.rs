//! The tables in one SQLite file: the same items under the same keys, with a column for each attribute that is searched for
//! or worth looking at, and JSON for the rest.

use crate::item::{self, Item, Key, Value};
use crate::local::{Backend, Items, ItemsMut, Local, Range, Show, Span};
use crate::tables::{EXPIRES_AT, Table};
use crate::{Collection, StoreError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledger::{RecipientId, ServerId, Time};
use platform::CallFailed;
use sqlite::rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use sqlite::rusqlite::{self, Connection, OptionalExtension as _, Row, params};
use sqlite::{Database, Durability};
use std::borrow::Cow;
use std::ops::Bound;
use std::sync::Arc;

/// All tables of a ledger, in one file.
pub type Sqlite = Local<InFile>;

/// What keeps the items.
pub struct InFile {
    database: Database,
    /// Is told of erasures and revocations before they are committed.
    journal: Option<Journal>,
}

/// Keeps what must outlive the database: it returns once that is on the disk.
pub type Journal = Arc<dyn Fn(&[Entry]) -> Result<(), CallFailed> + Send + Sync>;

/// An erasure or a revocation, by ids alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A recipient of a server was erased.
    Erased(ServerId, RecipientId),
    /// These generations of servers' credentials are revoked, and no others: from when on.
    Revoked(Vec<(ServerId, u32, Time)>),
    /// A token of the read API was revoked, and whether those that were made with it stay.
    TokenRevoked {
        /// Its id.
        id: String,
        /// Whether those that were made with it stay.
        children_kept: bool,
    },
    /// What a user of the portal may do is another than before, or the user is gone.
    UserAccess {
        /// The user's id.
        id: String,
        /// What it may do now, as its document says it; nothing where it is gone.
        access: Option<serde_json::Value>,
    },
}

impl Sqlite {
    /// The tables of an open database.
    pub fn new(database: Database) -> Sqlite {
        Local::over(InFile { database, journal: None })
    }

    /// The same, with a journal of erasures and revocations.
    pub fn with_journal(database: Database, journal: Journal) -> Sqlite {
        Local::over(InFile { database, journal: Some(journal) })
    }
}

impl Backend for InFile {
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Items) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.database.read(move |connection| work(&Tables::of(connection))).await
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn ItemsMut) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let journal = self.journal.clone();
        let write = move |connection: &Connection| {
            let mut tables = Tables::of(connection);
            let done = work(&mut tables)?;
            if let Some(journal) = journal.filter(|_| !tables.entries.is_empty()) {
                journal(&tables.entries)?;
            }
            Ok(done)
        };
        self.database.write(Durability::Power, write).await
    }
}

struct Tables<'a> {
    connection: &'a Connection,
    /// What the journal is to be told of.
    entries: Vec<Entry>,
}

impl<'a> Tables<'a> {
    fn of(connection: &'a Connection) -> Tables<'a> {
        Tables { connection, entries: Vec::new() }
    }

    /// Notes what the journal is to be told of.
    fn note(&mut self, table: Table, key: &Key, item: Option<&Item>) -> Result<(), StoreError> {
        if table != Table::Registry {
            return Ok(());
        }
        if key.0 == item::ERASURES_PK
            && let Some(item) = item
        {
            let erased = item::to_erasure(key, item)?;
            self.entries.push(Entry::Erased(erased.server, erased.recipient));
        }
        if key.0 == Collection::Tokens.pk() {
            let (before, now) = (revoked_token(self.get(table, key)?.as_ref()), revoked_token(item));
            if let Some(children_kept) = now.filter(|_| before != now) {
                self.entries.push(Entry::TokenRevoked { id: key.1.clone(), children_kept });
            }
        }
        if key.0 == Collection::Users.pk() {
            let (before, now) = (access_of(self.get(table, key)?.as_ref()), access_of(item));
            if before.is_some() && before != now {
                self.entries.push(Entry::UserAccess { id: key.1.clone(), access: now });
            }
        }
        if *key == item::rules_key() {
            let revoked = |item: Option<&Item>| item.map(item::to_rules).unwrap_or_default().revocations();
            let (before, now) = (revoked(self.get(table, key)?.as_ref()), revoked(item));
            if before != now {
                self.entries.push(Entry::Revoked(now));
            }
        }
        Ok(())
    }
}

/// Whether a token's document says that it is revoked, and if so whether those that were made with it stay.
fn revoked_token(item: Option<&Item>) -> Option<bool> {
    let token: serde_json::Value = serde_json::from_str(item?.text("document")?).ok()?;
    let revoked = token.get("revoked_at").is_some_and(|at| !at.is_null());
    revoked.then(|| token.get("children_kept") == Some(&serde_json::Value::Bool(true)))
}

/// What a user's document says that it may do. No address is in it.
fn access_of(item: Option<&Item>) -> Option<serde_json::Value> {
    let user: serde_json::Value = serde_json::from_str(item?.text("document")?).ok()?;
    user.get("access").cloned()
}

/// The attributes of a table's items that have columns; one more column, `rest`, has all others.
const fn columns(table: Table) -> &'static [&'static str] {
    match table {
        Table::Events => &[
            "kind",
            "stream",
            "at",
            "message",
            "slot",
            "address",
            "source",
            "received_at",
            "hash",
            "body",
            "dropped",
            "expires_at",
        ],
        Table::Recipients => &["folded", "view", "suppressed", "since", "causes", "address"],
        Table::Counters => &[],
        Table::Registry => &["document", "version"],
        Table::Quarantine => &["part", "expires_at", "replayed_at"],
    }
}

/// The columns of a table's items, as a query names them: keys first, `rest` last.
fn selected(table: Table) -> String {
    let columns: String = columns(table).iter().map(|column| format!("{column}, ")).collect();
    format!("pk, sk, {columns}rest")
}

fn failed(error: rusqlite::Error) -> StoreError {
    sqlite::failed(&error).into()
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::S(text) => ValueRef::Text(text.as_bytes()),
            Value::N(number) => ValueRef::Integer(*number),
            Value::B(bytes) => ValueRef::Blob(bytes),
            Value::Bool(flag) => ValueRef::Integer(i64::from(*flag)),
        }))
    }
}

/// What JSON calls bytes.
const BYTES: &str = "base64";

/// The attributes that have no column, as JSON; nothing where there are none.
fn rest<'a>(attributes: impl Iterator<Item = (&'a str, &'a Value)>) -> Option<String> {
    let json = |(name, value): (&str, &Value)| {
        let value = match value {
            Value::S(text) => text.as_str().into(),
            Value::N(number) => (*number).into(),
            Value::Bool(flag) => (*flag).into(),
            Value::B(bytes) => serde_json::json!({ BYTES: STANDARD.encode(bytes) }),
        };
        (name.to_owned(), value)
    };
    let rest: serde_json::Map<String, serde_json::Value> = attributes.map(json).collect();
    (!rest.is_empty()).then(|| serde_json::Value::Object(rest).to_string())
}

/// An item from its row; nothing where it is not what is written.
fn read(table: Table, row: &Row<'_>) -> rusqlite::Result<Option<(Key, Item)>> {
    let mut item = Item::default();
    for (at, column) in columns(table).iter().enumerate() {
        let value = match row.get_ref(at + 2)? {
            ValueRef::Null => continue,
            ValueRef::Integer(number) => Value::N(number),
            ValueRef::Text(text) => match str::from_utf8(text) {
                Ok(text) => Value::S(text.to_owned()),
                Err(_) => return Ok(None),
            },
            ValueRef::Blob(bytes) => Value::B(bytes.to_owned()),
            ValueRef::Real(_) => return Ok(None),
        };
        item.set(*column, value);
    }
    if let Some(rest) = row.get_ref(columns(table).len() + 2)?.as_str_or_null()? {
        let Ok(serde_json::Value::Object(rest)) = serde_json::from_str(rest) else { return Ok(None) };
        for (name, value) in rest {
            let value = match value {
                serde_json::Value::String(text) => Some(Value::S(text)),
                serde_json::Value::Bool(flag) => Some(Value::Bool(flag)),
                serde_json::Value::Number(number) => number.as_i64().map(Value::N),
                serde_json::Value::Object(bytes) => {
                    let text = bytes.get(BYTES).and_then(serde_json::Value::as_str);
                    text.and_then(|text| STANDARD.decode(text).ok()).map(Value::B)
                }
                _ => None,
            };
            let Some(value) = value else { return Ok(None) };
            item.set(Cow::Owned(name), value);
        }
    }
    Ok(Some(((row.get(0)?, row.get(1)?), item)))
}

impl Tables<'_> {
    /// Shows what a query finds.
    fn show(
        &self,
        table: Table,
        query: &str,
        parameters: &[&dyn ToSql],
        show: Show<'_>,
    ) -> Result<(), StoreError> {
        let mut statement = self.connection.prepare_cached(query).map_err(failed)?;
        let mut rows = statement.query(parameters).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let (key, item) = read(table, row).map_err(failed)?.ok_or(StoreError::Damaged(table.name()))?;
            if !show(&key, &item)? {
                break;
            }
        }
        Ok(())
    }
}

impl Items for Tables<'_> {
    fn get(&self, table: Table, key: &Key) -> Result<Option<Item>, StoreError> {
        let query = format!("SELECT {} FROM {} WHERE pk = ?1 AND sk = ?2", selected(table), table.name());
        let mut statement = self.connection.prepare_cached(&query).map_err(failed)?;
        let found = statement.query_row(params![key.0, key.1], |row| read(table, row)).optional();
        match found.map_err(failed)? {
            None => Ok(None),
            Some(None) => Err(StoreError::Damaged(table.name())),
            Some(Some((_, item))) => Ok(Some(item)),
        }
    }

    fn range(&self, table: Table, range: Range, show: Show<'_>) -> Result<(), StoreError> {
        let mut query = format!("SELECT {} FROM {} WHERE pk = ?1", selected(table), table.name());
        let mut parameters: Vec<&dyn ToSql> = vec![&range.pk];
        for (bound, included, excluded) in [(&range.from, ">=", ">"), (&range.to, "<=", "<")] {
            let (sk, compared) = match bound {
                Bound::Included(sk) => (sk, included),
                Bound::Excluded(sk) => (sk, excluded),
                Bound::Unbounded => continue,
            };
            parameters.push(sk);
            query.push_str(&format!(" AND sk {compared} ?{}", parameters.len()));
        }
        query.push_str(if range.backwards { " ORDER BY sk DESC" } else { " ORDER BY sk" });
        self.show(table, &query, &parameters, show)
    }

    fn scan(&self, table: Table, after: Option<Key>, show: Show<'_>) -> Result<(), StoreError> {
        let (columns, name) = (selected(table), table.name());
        let query = format!("SELECT {columns} FROM {name} WHERE (pk, sk) > (?1, ?2) ORDER BY pk, sk");
        // Every key comes behind the empty one.
        let (pk, sk) = after.unwrap_or_default();
        self.show(table, &query, &[&pk, &sk], show)
    }

    fn places(&self, span: Span, show: Show<'_>) -> Result<(), StoreError> {
        let Span { index, pk, within, after, backwards } = span;
        let (columns, name) = (selected(index.table), index.table.name());
        let (order, ties) =
            (if backwards { " DESC" } else { "" }, if after.is_some() { ", pk, sk" } else { "" });
        let mut query = format!(
            "SELECT {columns} FROM {name} INDEXED BY {} WHERE {} = ?1 AND {at} >= ?2 AND {at} <= ?3",
            index.name,
            index.pk,
            at = index.sk,
        );
        let (from, to) = (within.from.micros(), within.to.micros());
        let (at, key) = after.unwrap_or_default();
        let mut parameters: Vec<&dyn ToSql> = vec![&pk, &from, &to];
        if !ties.is_empty() {
            query.push_str(&format!(" AND ({}, pk, sk) > (?4, ?5, ?6)", index.sk));
            parameters.extend([&at as &dyn ToSql, &key.0, &key.1]);
        }
        // Those of a list stand in the order of their keys, as the index has them: a page goes on behind one.
        let ties = if index == crate::tables::SUPPRESSED { ", pk, sk" } else { "" };
        query.push_str(&format!(" ORDER BY {}{order}{ties}", index.sk));
        self.show(index.table, &query, &parameters, show)
    }
}

impl ItemsMut for Tables<'_> {
    fn set(&mut self, table: Table, key: &Key, item: Option<Item>) -> Result<(), StoreError> {
        self.note(table, key, item.as_ref())?;
        let name = table.name();
        let Some(item) = item else {
            let delete = format!("DELETE FROM {name} WHERE pk = ?1 AND sk = ?2");
            let mut statement = self.connection.prepare_cached(&delete).map_err(failed)?;
            return statement.execute(params![key.0, key.1]).map(drop).map_err(failed);
        };
        let columns = columns(table);
        let own: Vec<Option<&Value>> = columns.iter().map(|column| item.get(column)).collect();
        let rest = rest(item.attributes().filter(|(name, _)| !columns.contains(name)));
        let places: Vec<String> = (1..=columns.len() + 3).map(|at| format!("?{at}")).collect();
        let changed: Vec<String> =
            columns.iter().chain(&["rest"]).map(|column| format!("{column} = excluded.{column}")).collect();
        let put = format!(
            "INSERT INTO {name} ({}) VALUES ({}) ON CONFLICT (pk, sk) DO UPDATE SET {}",
            selected(table),
            places.join(", "),
            changed.join(", ")
        );
        let mut parameters: Vec<&dyn ToSql> = vec![&key.0, &key.1];
        parameters.extend(own.iter().map(|value| value as &dyn ToSql));
        parameters.push(&rest);
        let mut statement = self.connection.prepare_cached(&put).map_err(failed)?;
        statement.execute(&parameters[..]).map(drop).map_err(failed)
    }

    fn expire(&mut self, table: Table, by: Time, limit: usize) -> Result<usize, StoreError> {
        let name = table.name();
        let due = format!("SELECT rowid FROM {name} WHERE {EXPIRES_AT} <= ?1 LIMIT ?2");
        let delete = format!("DELETE FROM {name} WHERE rowid IN ({due})");
        let mut statement = self.connection.prepare_cached(&delete).map_err(failed)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        statement.execute(params![by.seconds(), limit]).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scan;

    crate::store_contract!(async |_: &str| {
        Some(Arc::new(Sqlite::new(Database::temporary().unwrap())) as Arc<dyn Scan>)
    });
    crate::by_time_contract!(async || {
        let tables = Sqlite::new(Database::temporary().unwrap());
        tables.before_and_with_by_time().map(|store| Arc::new(store) as Arc<dyn Scan>)
    });
}

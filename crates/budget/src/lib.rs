//! Hard budgets that many proxies share without a round trip per request (docs/spec/money.md).
//!
//! What proxies share is *authority*: the most that one of them may have drawn from an account, ever. A [`Holder`] is
//! one proxy's side: it draws requests from the authority that it holds and asks for more by a [`LeaseCommand`]. A
//! [`Books`] is the store's side: it grants while the sum of all authority stays below the cap. [`Ledger`] is the root:
//! it knows what every proxy reported, and loads the book anew whenever the store lost data.

mod book_store;
mod books;
mod command;
mod holder;
mod journal;
mod ledger;
mod memory_books;
mod rebuild;
mod redis_books;
mod reservation;
#[cfg(test)]
mod schedule;
mod units;

pub use book_store::{BookStore, RedisStore};
pub use books::{Begin, Books, BooksError, ClosedBook, Load, Row};
pub use command::{CapRevision, LeaseCommand, LeaseReply, NamedAccount, Sequence, Token, Want};
pub use holder::{Drawn, Folder, Holder, Keep, LeaseOutcome};
pub use journal::{Journal, JournalError, Record};
pub use ledger::{Ledger, Member, MemberState, Seal, SealOutcome, Told};
pub use memory_books::MemoryBooks;
pub use rebuild::{Rebuild, RebuildStep};
pub use redis_books::RedisBooks;
pub use reservation::{Hold, Refused, Reservation, Settled, Wanted};
pub use units::{Units, money, units_up};

//! Puts load on servers and hands what happens to the recorder. Read [`run::run`] first.

mod check;
mod closed;
mod images;
mod keys;
mod open;
mod requests;
mod run;
mod test;

pub(crate) use self::check::Check;
pub(crate) use self::images::{Upload, load};
pub(crate) use self::keys::Keys;
pub(crate) use self::requests::{PREDICT, get};
pub(crate) use self::run::{Setting, run};

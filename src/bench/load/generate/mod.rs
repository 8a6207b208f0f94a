//! Puts load on servers and hands what happens to the recorder. Read [`run::run`] first.
//!
//! Imports `client`, `plan` and `record`. `run` prepares the `requests`, starts the `loops`, and ends in what the recorder
//! makes of it; `check` judges answers, `api_key` those with status 401.

mod api_key;
mod check;
mod loops;
mod requests;
mod run;

pub(crate) use self::api_key::ApiKeys;
pub(crate) use self::check::Check;
pub(crate) use self::requests::load_uploads;
pub(crate) use self::run::{Progress, Setting, run};

//! `skinclf serve`: predictions over HTTP.
//!
//! [`api`] knows requests and answers and no sockets; [`socket`] moves them in and out with
//! tiny_http. Hostile clients are not yet kept off: put a reverse proxy in front.

mod api;
mod multipart;
mod socket;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};

use self::api::Api;
use crate::cli::ServeArgs;
use crate::exit::Exit;
use crate::interrupt;

pub(crate) fn run(args: &ServeArgs) -> anyhow::Result<Exit> {
    let workers = match args.workers {
        Some(n) => n.get(),
        None => {
            std::thread::available_parallelism().context("how many cores there are; give --workers")?.get()
        }
    };
    let address = SocketAddr::new(args.host, args.port);
    let server = tiny_http::Server::http(address).map_err(|e| {
        anyhow!("cannot listen on {address}: {e}; is another server there? (--port 0 picks a free one)")
    })?;
    let server = Arc::new(server);
    let api = Api::new(args.model.load()?);

    interrupt::on_signal({
        let server = server.clone();
        move || (0..workers).for_each(|_| server.unblock())
    })?;
    eprintln!("listening on http://{}", server.server_addr());
    let max_body = args.max_body.as_u64();
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| socket::work(&server, &api, max_body));
        }
    });
    Ok(Exit::Done)
}

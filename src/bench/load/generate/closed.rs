//! The closed loop: users, each of whom waits for an answer, thinks, and asks again.

use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::time::{sleep, sleep_until};

use super::test::{Test, User};
use crate::bench::load::result::FailureKind;

/// What a user waits at least after a connection that failed, so that a dead server is not spun on.
const BACK_OFF: Duration = Duration::from_millis(200);

/// Asks until dropped, from `begin` on.
pub(crate) async fn user(
    test: Rc<Test>,
    mut user: User,
    begin: Instant,
    think_s: [f64; 2],
    mut random: fastrand::Rng,
) {
    sleep_until(begin.into()).await;
    test.recorder.borrow_mut().users += 1;
    loop {
        let endpoint = test.requests.draw(&mut random);
        let outcome = test.ask(&mut user, endpoint, Instant::now()).await;

        let [min, max] = think_s;
        let think = Duration::from_secs_f64(min + (max - min) * random.f64());
        let lost = matches!(outcome, Err(FailureKind::Connect | FailureKind::Reset));
        let pause = if lost { think.max(BACK_OFF) } else { think };
        test.recorder.borrow_mut().paused(pause);
        if !pause.is_zero() {
            sleep(pause).await;
        }
    }
}

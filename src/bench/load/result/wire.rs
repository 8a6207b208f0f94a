//! One run is one object; several are a list of them.

use serde::{Deserialize, Serialize};

use super::run::{Knee, LoadTest, Run};
use crate::bench::environment::Environment;

/// One run or several, as written.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Wire {
    Several {
        runs: Vec<Run>,
        knee: Option<Knee>,
        command: String,
        environment: Environment,
    },
    One {
        #[serde(flatten)]
        run: Box<Run>,
        command: String,
        environment: Environment,
    },
}

impl From<LoadTest> for Wire {
    fn from(report: LoadTest) -> Self {
        let LoadTest { command, mut runs, knee, environment } = report;
        match runs.pop() {
            Some(run) if runs.is_empty() && knee.is_none() => {
                Self::One { run: Box::new(run), command, environment }
            }
            last => {
                runs.extend(last);
                Self::Several { runs, knee, command, environment }
            }
        }
    }
}

impl From<Wire> for LoadTest {
    fn from(wire: Wire) -> Self {
        match wire {
            Wire::Several { runs, knee, command, environment } => Self { command, runs, knee, environment },
            Wire::One { run, command, environment } => {
                Self { command, runs: vec![*run], knee: None, environment }
            }
        }
    }
}

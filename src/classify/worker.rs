//! What a worker does with one input.

use bytesize::ByteSize;
use skinclf::{Classifier, Options, panics};

use super::inputs::Input;
use crate::output::{self, Failure, Outcome};

pub(super) struct Classified {
    pub(super) name: String,
    pub(super) outcome: Outcome,
    /// The heatmap as a PNG, with [`Options::explain`].
    pub(super) png: Option<Vec<u8>>,
}

/// Reads at most `max_file` bytes of the input, and classifies them.
pub(super) fn classify(
    classifier: &Classifier,
    options: &Options,
    max_file: ByteSize,
    input: Input,
) -> Classified {
    let name = input.name();
    let classified = guarded(|| {
        let mut prediction = classifier.classify_with(&input.read(max_file)?, options)?;
        // It holds an image, and the results that wait for earlier ones are many.
        let explanation = prediction.explanation.take();
        Ok((prediction, explanation.map(|explanation| output::heatmap::png(&explanation))))
    });
    match classified {
        Ok((prediction, png)) => Classified { name, outcome: Ok(prediction), png },
        Err(failure) => Classified { name, outcome: Err(failure), png: None },
    }
}

/// A panic, which is a bug, costs the image that met it and not the run.
fn guarded<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    panics::catch(work).unwrap_or_else(|panic| {
        Err(Failure::new("internal", format_args!("internal error: {panic}; please report this bug")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::ordered;

    #[test]
    fn a_panic_costs_its_image_and_no_other() {
        let work = |n| guarded(|| if n == 1 { panic!("this panic is part of a test") } else { Ok(n) });
        let results: Vec<_> = ordered::map(2, 0..3, work).expect("threads").collect();
        assert_eq!([&results[0], &results[2]], [&Ok(0), &Ok(2)]);
        let failure = results[1].as_ref().expect_err("a panic is a failure");
        assert_eq!(failure.code, "internal");
        assert!(failure.message.contains("this panic is part of a test"), "{}", failure.message);
    }
}

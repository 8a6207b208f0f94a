//! Whether an image is fit to be classified, and why not.

use serde::Serialize;

use crate::spec::Usable;

/// What was measured of an image, to be compared with the limits in [`Usable`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Quality {
    /// Shorter side of the image as stored in the file, in pixels.
    pub side: u32,
    /// See [`Texture::contrast`](crate::image::Texture::contrast).
    pub contrast: f32,
    /// See [`Texture::sharpness`](crate::image::Texture::sharpness).
    pub sharpness: f32,
    /// Probability that this is a dermoscopic image of a lesion; `None` if the model has no such output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dermoscopy: Option<f32>,
}

/// Why the prediction of an image should not be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Smaller than [`Usable::min_side`].
    TooSmall,
    /// One colour, or nearly: below [`Usable::min_contrast`].
    Blank,
    /// Out of focus or shaken: below [`Usable::min_sharpness`].
    Blurred,
    /// Not an image of a lesion through a dermatoscope: below [`Usable::min_dermoscopy`].
    NotDermoscopy,
}

impl Reason {
    /// All reasons.
    pub const ALL: [Self; 4] = [Self::TooSmall, Self::Blank, Self::Blurred, Self::NotDermoscopy];

    /// A stable identifier, the same on the command line and over HTTP.
    pub fn code(self) -> &'static str {
        match self {
            Self::TooSmall => "too_small",
            Self::Blank => "blank",
            Self::Blurred => "blurred",
            Self::NotDermoscopy => "not_dermoscopy",
        }
    }

    /// A phrase for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::TooSmall => "too small",
            Self::Blank => "blank",
            Self::Blurred => "blurred",
            Self::NotDermoscopy => "not a dermoscopic image of a lesion",
        }
    }
}

impl Quality {
    /// Why the image is not usable; empty if it is. A blank image has no other reason: nothing else
    /// that was measured of it means anything.
    pub fn reasons(&self, usable: &Usable) -> Vec<Reason> {
        let below = |value: f32, min: Option<f32>| min.is_some_and(|min| value < min);
        if below(self.contrast, usable.min_contrast) {
            return vec![Reason::Blank];
        }
        let mut reasons = Vec::new();
        if usable.min_side.is_some_and(|min| self.side < min) {
            reasons.push(Reason::TooSmall);
        }
        if below(self.sharpness, usable.min_sharpness) {
            reasons.push(Reason::Blurred);
        }
        if self.dermoscopy.is_some_and(|p| below(p, usable.min_dermoscopy)) {
            reasons.push(Reason::NotDermoscopy);
        }
        reasons
    }
}

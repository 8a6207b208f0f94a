//! Heatmaps: where in the square the network found a class.

use image::{ImageBuffer, Luma, Rgb, RgbImage, imageops};

/// A class activation map (Zhou et al., Learning deep features for discriminative localization, CVPR
/// 2016) of one class: what each cell of a grid over the square adds to the class's logit, the mean of the cells.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassMap {
    /// Rows of the grid, and columns.
    pub side: usize,
    /// Row by row, from the top left, in logits.
    pub cells: Vec<f32>,
}

/// Logits above the mean at which a cell has at most the full colour. If only the highest cell counted, a nearly flat map
/// would look as decided as one with a clear summit.
const FULL_HEAT: f32 = 1.0;

/// Share of the hottest colour over the image: half of a lesion's contrast remains visible.
const OPACITY: f32 = 0.5;

/// Viridis (Smith, van der Walt and Firing 2015, CC0; the table of matplotlib), at nine even steps: equal steps look equal,
/// hotter is lighter, also in gray and for the colour-blind, and none is a colour of skin.
const VIRIDIS: [[f32; 3]; 9] = [
    [68.0, 1.0, 84.0],
    [71.0, 45.0, 123.0],
    [59.0, 82.0, 139.0],
    [44.0, 114.0, 142.0],
    [33.0, 144.0, 140.0],
    [39.0, 173.0, 129.0],
    [93.0, 200.0, 99.0],
    [170.0, 220.0, 50.0],
    [253.0, 231.0, 37.0],
];

/// The square with colour over the cells that add more to the class than its cells do on average.
///
/// Softmax does not change when all logits grow alike, so a cell's value has a meaning only relative to the
/// others: cells at or below the mean have no colour. The highest cell has the hottest colour, unless it
/// is less than one logit above the mean. Between cells colours are interpolated bilinearly.
pub fn heatmap(square: &RgbImage, map: &ClassMap) -> RgbImage {
    let side = map.side as u32;
    let Some(cells) = ImageBuffer::<Luma<f32>, _>::from_raw(side, side, heat(&map.cells)) else {
        return square.clone();
    };
    let (width, height) = square.dimensions();
    let heat = imageops::resize(&cells, width, height, imageops::FilterType::Triangle);
    let mut drawn = square.clone();
    for (pixel, heat) in drawn.pixels_mut().zip(heat.pixels()) {
        let (color, opacity) = heat_color(heat[0]);
        *pixel = Rgb([0, 1, 2].map(|channel| {
            let below = f32::from(pixel[channel]);
            (below + opacity * (color[channel] - below)).round() as u8
        }));
    }
    drawn
}

/// From 0, at the mean and below, to 1.
fn heat(cells: &[f32]) -> Vec<f32> {
    let mean = cells.iter().sum::<f32>() / cells.len() as f32;
    let summit = cells.iter().fold(FULL_HEAT, |summit, cell| summit.max(cell - mean));
    cells.iter().map(|cell| ((cell - mean) / summit).max(0.0)).collect()
}

/// The colour that is laid over the image for a heat of 0 (the mean of the cells) to 1 (the maximum): red, green and blue
/// from 0 to 255, and the opacity from 0 to 1.
pub fn heat_color(heat: f32) -> ([f32; 3], f32) {
    let heat = heat.clamp(0.0, 1.0);
    let place = heat * (VIRIDIS.len() - 1) as f32;
    let below = (place as usize).min(VIRIDIS.len() - 2);
    let share = place - below as f32;
    let color = [0, 1, 2].map(|channel| {
        let (from, to) = (VIRIDIS[below][channel], VIRIDIS[below + 1][channel]);
        from + share * (to - from)
    });
    // Steeper at first, or low heat would hardly be visible.
    (color, OPACITY * heat * (2.0 - heat))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Y of CIE XYZ, which orders colours as their lightness does.
    fn luminance(color: [f32; 3]) -> f32 {
        let linear = color.map(|value| (value / 255.0).powf(2.2));
        0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    }

    #[test]
    fn hotter_is_lighter() {
        let lightness: Vec<f32> = (0..=100).map(|n| luminance(heat_color(n as f32 / 100.0).0)).collect();
        assert!(lightness.is_sorted_by(|a, b| a < b), "{lightness:?}");
    }

    #[test]
    fn what_adds_no_more_than_the_mean_stays_as_it_is() {
        let square = RgbImage::from_pixel(8, 8, Rgb([200, 150, 140]));
        let flat = ClassMap { side: 2, cells: vec![3.0; 4] };
        assert_eq!(heatmap(&square, &flat), square);
        let corner = ClassMap { side: 2, cells: vec![9.0, 1.0, 1.0, 1.0] };
        let drawn = heatmap(&square, &corner);
        assert_eq!(drawn.get_pixel(7, 7), square.get_pixel(7, 7));
        // Half of the way to the hottest colour.
        assert_eq!(*drawn.get_pixel(0, 0), Rgb([227, 191, 89]));
    }

    #[test]
    fn a_lesion_is_seen_through_the_hottest_colour() {
        let square =
            RgbImage::from_fn(8, 8, |_, y| if y < 4 { Rgb([90, 60, 50]) } else { Rgb([210, 160, 150]) });
        let left = ClassMap { side: 2, cells: vec![9.0, 1.0, 9.0, 1.0] };
        let drawn = heatmap(&square, &left);
        for channel in 0..3 {
            let contrast = |picture: &RgbImage| {
                i32::from(picture.get_pixel(0, 7)[channel]) - i32::from(picture.get_pixel(0, 0)[channel])
            };
            let (before, left) = (contrast(&square), contrast(&drawn));
            assert!(2 * left >= before, "{left} of {before}");
        }
    }

    #[test]
    fn the_hotter_the_less_is_seen_of_the_picture() {
        let opacities: Vec<f32> = (0..=100).map(|n| heat_color(n as f32 / 100.0).1).collect();
        assert!(opacities[0] == 0.0 && opacities.is_sorted_by(|a, b| a < b), "{opacities:?}");
    }

    #[test]
    fn a_map_without_a_summit_is_pale() {
        assert_eq!(heat(&[0.2, 0.0, 0.0, -0.2]), [0.2, 0.0, 0.0, 0.0]);
        assert_eq!(heat(&[6.0, 0.0, 0.0, -6.0]), [1.0, 0.0, 0.0, 0.0]);
    }
}

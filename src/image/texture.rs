//! Contrast and sharpness, measured on the square that the network gets.

use image::RgbImage;

/// Contrast and sharpness of a square; both are zero if all pixels are equal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Texture {
    /// Standard deviation of the luma, on the 0..=255 scale.
    pub contrast: f32,
    /// Variance of the luma's Laplacian: low where nothing has an edge, as out of focus.
    pub sharpness: f32,
}

/// Measures the luma of ITU-R BT.601 (0.299, 0.587, 0.114), in 8-bit fixed point.
///
/// The Laplacian is that of the four neighbours, taken wherever all four exist; its variance as a
/// measure of focus is that of Pech-Pacheco et al., Diatom autofocusing in brightfield microscopy
/// (ICPR 2000).
pub fn texture(square: &RgbImage) -> Texture {
    let width = square.width().max(1) as usize;
    let luma = luma(square.as_raw());
    let mut of_luma = Moments::default();
    let mut of_laplacian = Moments::default();
    let rows: Vec<&[u8]> = luma.chunks_exact(width).collect();
    for row in &rows {
        of_luma.add(row.iter().map(|value| i16::from(*value)));
    }
    for rows in rows.windows(3) {
        // Slices of equal length, so that the loop needs no bounds checks.
        let inner = width.saturating_sub(2);
        let (above, row, below) = (&rows[0][1..=inner], rows[1], &rows[2][1..=inner]);
        let (left, middle, right) = (&row[..inner], &row[1..=inner], &row[width - inner..]);
        of_laplacian.add((0..inner).map(|x| {
            let [above, left, right, below] = [above[x], left[x], right[x], below[x]].map(i16::from);
            above + left + right + below - 4 * i16::from(middle[x])
        }));
    }
    Texture { contrast: of_luma.variance().sqrt() as f32, sharpness: of_laplacian.variance() as f32 }
}

// HWC -> HW
fn luma(rgb: &[u8]) -> Vec<u8> {
    /// Pixels at a time: with their channels separated, the compiler vectorises the weighting.
    const LANES: usize = 16;
    let mut luma = vec![0; rgb.len() / 3];
    let whole = luma.len() - luma.len() % LANES;
    let (blocks, rest) = luma.split_at_mut(whole);
    for (luma, rgb) in blocks.chunks_exact_mut(LANES).zip(rgb.chunks_exact(3 * LANES)) {
        let [mut red, mut green, mut blue] = [[0; LANES]; 3];
        for lane in 0..LANES {
            (red[lane], green[lane], blue[lane]) = (rgb[3 * lane], rgb[3 * lane + 1], rgb[3 * lane + 2]);
        }
        for (((luma, red), green), blue) in luma.iter_mut().zip(red).zip(green).zip(blue) {
            *luma = weigh(red, green, blue);
        }
    }
    for (luma, rgb) in rest.iter_mut().zip(rgb[3 * whole..].chunks_exact(3)) {
        *luma = weigh(rgb[0], rgb[1], rgb[2]);
    }
    luma
}

fn weigh(red: u8, green: u8, blue: u8) -> u8 {
    ((77 * u16::from(red) + 150 * u16::from(green) + 29 * u16::from(blue) + 128) >> 8) as u8
}

/// Sums over values of at most 1020; those over a row, of at most 4096, fit 32 bits.
#[derive(Default)]
struct Moments {
    count: u64,
    sum: i64,
    squares: u64,
}

impl Moments {
    fn add(&mut self, row: impl ExactSizeIterator<Item = i16>) {
        self.count += row.len() as u64;
        let (sum, squares) = row.fold((0_i32, 0_u32), |(sum, squares), value| {
            let value = i32::from(value);
            (sum + value, squares + (value * value) as u32)
        });
        self.sum += i64::from(sum);
        self.squares += u64::from(squares);
    }

    fn variance(&self) -> f64 {
        let count = self.count.max(1) as f64;
        let mean = self.sum as f64 / count;
        (self.squares as f64 / count - mean * mean).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage};

    use super::{Texture, texture};

    #[test]
    fn one_colour_has_no_texture_and_a_checkerboard_has_the_most() {
        let flat = RgbImage::from_pixel(9, 9, Rgb([200, 20, 90]));
        assert_eq!(texture(&flat), Texture { contrast: 0.0, sharpness: 0.0 });
        let checkered = RgbImage::from_fn(10, 10, |x, y| Rgb([[0, 255][(x as usize + y as usize) % 2]; 3]));
        assert_eq!(texture(&checkered), Texture { contrast: 127.5, sharpness: 1020.0 * 1020.0 });
    }
}

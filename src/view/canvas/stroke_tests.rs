use proptest::prelude::*;
use tiny_skia::{Color, LineCap, Paint, PathBuilder, Stroke, Transform};

use super::*;

const BLACK: ColorU8 = ColorU8::from_rgba(0, 0, 0, 255);

fn white(side: u32) -> Pixmap {
    let mut pixmap = Pixmap::new(side, side).unwrap();
    pixmap.fill(Color::WHITE);
    pixmap
}

fn drawn(spots: &[Spot], width: f32) -> Pixmap {
    let mut pixmap = white(64);
    let mut mask = Mask::new(64, 64);
    for pair in spots.windows(2) {
        mask.add(pair[0], pair[1], width / 2.0);
    }
    mask.paint(&mut pixmap, BLACK);
    assert!(mask.cells.iter().all(|cell| *cell == 0), "the mask is empty again");
    pixmap
}

/// How much black there is, in pixels.
fn ink(pixmap: &Pixmap) -> f32 {
    pixmap.pixels().iter().map(|pixel| f32::from(255 - pixel.red()) / 255.0).sum()
}

#[test]
fn a_level_line_on_a_pixel_is_sharp() {
    let pixmap = drawn(&[(10.5, 20.5), (50.5, 20.5)], 1.0);
    assert_eq!(pixmap.pixel(30, 20).unwrap().red(), 0);
    assert_eq!(pixmap.pixel(30, 19).unwrap().red(), 255);
    assert_eq!(pixmap.pixel(30, 21).unwrap().red(), 255);
}

#[test]
fn a_joint_is_neither_a_knot_nor_a_gap() {
    let whole = drawn(&[(10.0, 10.3), (50.0, 40.3)], 1.4);
    let cut = drawn(&[(10.0, 10.3), (22.0, 19.3), (22.4, 19.6), (50.0, 40.3)], 1.4);
    let off = whole.pixels().iter().zip(cut.pixels()).map(|(a, b)| a.red().abs_diff(b.red())).max().unwrap();
    assert!(off <= 3, "{off}");
}

#[test]
fn a_dense_line_fills_the_plane() {
    let comb: Vec<Spot> =
        (0..80).map(|k| (10.0 + k as f32 / 2.0, if k % 2 == 0 { 10.0 } else { 50.0 })).collect();
    let pixmap = drawn(&comb, 1.4);
    for x in 14..46 {
        assert!(pixmap.pixel(x, 30).unwrap().red() < 3, "column {x}");
    }
}

#[test]
fn a_point_draws_nothing() {
    assert_eq!(ink(&drawn(&[(30.5, 30.5), (30.5, 30.5)], 3.0)), 0.0);
}

#[test]
fn colour_and_transparency_are_kept() {
    let mut pixmap = white(64);
    let mut mask = Mask::new(64, 64);
    mask.add((10.5, 20.5), (50.5, 20.5), 1.0);
    mask.paint(&mut pixmap, ColorU8::from_rgba(255, 0, 0, 51));
    let pixel = pixmap.pixel(30, 20).unwrap();
    assert_eq!((pixel.red(), pixel.green(), pixel.blue(), pixel.alpha()), (255, 204, 204, 255));
}

#[test]
fn what_lies_outside_is_left_out() {
    assert_eq!(ink(&drawn(&[(-500.0, -500.0), (-10.0, 900.0)], 2.0)), 0.0);
    assert_eq!(ink(&drawn(&[(900.0, 10.0), (950.0, 10.0)], 2.0)), 0.0);
    let across = ink(&drawn(&[(-1e4, 32.0), (1e4, 32.0)], 2.0));
    assert!((across - 128.0).abs() < 1.0, "{across}");
}

proptest! {
    /// As much ink as the line has area, pixel by pixel where tiny-skia's own stroke has it.
    #[test]
    fn a_line_covers_its_area(
        from in (8.0_f32..56.0, 8.0_f32..56.0),
        to in (8.0_f32..56.0, 8.0_f32..56.0),
        // Up to one pixel tiny-skia has another way, in which slanting lines come out thinner.
        width in 1.1_f32..6.0,
    ) {
        let mut path = PathBuilder::new();
        path.move_to(from.0, from.1);
        path.line_to(to.0, to.1);
        let mut exact = white(64);
        let stroke = Stroke { width, line_cap: LineCap::Butt, ..Stroke::default() };
        let paint = Paint { anti_alias: true, ..Paint::default() };
        exact.stroke_path(&path.finish().unwrap(), &paint, &stroke, Transform::identity(), None);
        let ours = drawn(&[from, to], width);
        for (at, (a, b)) in exact.pixels().iter().zip(ours.pixels()).enumerate() {
            let off = a.red().abs_diff(b.red());
            prop_assert!(off < 80, "pixel {} {} is {} instead of {}", at % 64, at / 64, b.red(), a.red());
        }
        let area = (to.0 - from.0).hypot(to.1 - from.1) * width;
        prop_assert!((ink(&ours) - area).abs() < 0.08 * area + 0.5, "{} pixels of ink, not {}", ink(&ours), area);
    }
}

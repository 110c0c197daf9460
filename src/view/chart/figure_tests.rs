use super::*;

#[test]
fn a_grid_grows_in_columns_before_panels_become_too_low() {
    let grid = |panels, columns| Grid::new(panels, columns, (970.0, 650.0), (330.0, 95.0));
    assert_eq!(grid(1, 1), Grid { rows: 1, columns: 1 });
    assert_eq!(grid(4, 1), Grid { rows: 4, columns: 1 });
    assert_eq!(grid(9, 2), Grid { rows: 5, columns: 2 });
    assert_eq!(grid(100, 2).len(), 12, "what does not fit is left out");
    assert_eq!(grid(0, 1), Grid { rows: 1, columns: 1 });
    assert_eq!(Grid::new(5, 2, (-10.0, f64::NAN), (330.0, 95.0)), Grid { rows: 1, columns: 1 });
}

#[test]
fn the_footer_breaks_between_pieces() {
    let pieces = ["aaaa ", "bbbb ", "cccc "].map(String::from);
    let width = |text: &str| i32::try_from(text.len()).unwrap();
    assert_eq!(wrapped(&pieces, 9, width), ["aaaa bbbb ", "cccc "]);
    assert_eq!(wrapped(&pieces, 1, width).len(), 3, "a piece that is too long has a line of its own");
}

//! Arrays as numpy's bytes: `{"NUMPY_ARRAY": base64, "DTYPE": "float64", "SHAPE": [2, 3]}`. Only raw numbers are read.
//! What is compressed is a pickle inside, and to decode one is to run whatever its sender wants: that is never done.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json};

/// Largest array that is decoded, in bytes.
pub(super) const ARRAY_MAX_BYTES: usize = 1 << 20;
/// Most dimensions.
const DIMENSIONS_MAX: usize = 8;

/// An array's numbers in the order of their indices, the last index running fastest.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Array {
    pub(super) shape: Vec<usize>,
    pub(super) numbers: Vec<f64>,
}

/// The array that an object stands for, if it stands for one; or why it cannot be read.
pub(super) fn decode(fields: &Map<String, Json>, blosc: bool) -> Option<Result<Array, String>> {
    let text = fields.get("NUMPY_ARRAY")?;
    if blosc {
        let why = "it is compressed, which makes it a pickle, and pickles are never decoded: send it with blosc=False";
        return Some(Err(why.to_owned()));
    }
    Some(read(text, fields))
}

fn read(text: &Json, fields: &Map<String, Json>) -> Result<Array, String> {
    let text = text.as_str().ok_or("NUMPY_ARRAY is no text")?;
    if text.len() / 4 * 3 > ARRAY_MAX_BYTES + 3 {
        return Err(format!("it has more than {ARRAY_MAX_BYTES} bytes"));
    }
    let dtype = fields.get("DTYPE").and_then(Json::as_str).ok_or("DTYPE is missing")?;
    let (kind, is_big_endian) = Kind::of(dtype).ok_or_else(|| {
        format!("DTYPE {:?} is not one of numbers", dtype.chars().take(20).collect::<String>())
    })?;
    let shape = fields.get("SHAPE").and_then(Json::as_array).ok_or("SHAPE is missing")?;
    if shape.len() > DIMENSIONS_MAX {
        return Err(format!("it has more than {DIMENSIONS_MAX} dimensions"));
    }
    let size = |size: &Json| size.as_u64().and_then(|size| usize::try_from(size).ok());
    let shape: Option<Vec<usize>> = shape.iter().map(size).collect();
    let shape = shape.ok_or("SHAPE is no list of sizes")?;
    let expected = shape.iter().try_fold(kind.width(), |bytes, size| bytes.checked_mul(*size));
    let bytes = STANDARD.decode(text).map_err(|error| format!("NUMPY_ARRAY is no base64: {error}"))?;
    if expected != Some(bytes.len()) {
        return Err(format!("{} bytes do not fill the shape {shape:?} of {dtype}", bytes.len()));
    }
    let numbers =
        bytes.chunks_exact(kind.width()).filter_map(|element| kind.number(element, is_big_endian)).collect();
    Ok(Array { shape, numbers })
}

/// What an element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bool,
    Signed(usize),
    Unsigned(usize),
    Float(usize),
}

impl Kind {
    /// By numpy's name (`float64`) or code (`<f8`), with whether its bytes begin with the largest.
    fn of(dtype: &str) -> Option<(Self, bool)> {
        let (is_big_endian, name) = match dtype.as_bytes().first()? {
            b'>' => (true, dtype.get(1..)?),
            b'<' | b'=' | b'|' => (false, dtype.get(1..)?),
            _ => (false, dtype),
        };
        let kind = match name {
            "bool" | "b1" => Kind::Bool,
            "int8" | "i1" => Kind::Signed(1),
            "int16" | "i2" => Kind::Signed(2),
            "int32" | "i4" => Kind::Signed(4),
            "int64" | "i8" => Kind::Signed(8),
            "uint8" | "u1" => Kind::Unsigned(1),
            "uint16" | "u2" => Kind::Unsigned(2),
            "uint32" | "u4" => Kind::Unsigned(4),
            "uint64" | "u8" => Kind::Unsigned(8),
            "float32" | "f4" => Kind::Float(4),
            "float64" | "f8" => Kind::Float(8),
            _ => return None,
        };
        Some((kind, is_big_endian))
    }

    fn width(self) -> usize {
        match self {
            Kind::Bool => 1,
            Kind::Signed(width) | Kind::Unsigned(width) | Kind::Float(width) => width,
        }
    }

    /// The number that an element's bytes are.
    fn number(self, bytes: &[u8], is_big_endian: bool) -> Option<f64> {
        // The element's bytes as a whole number, its least significant byte in the lowest place.
        let place = |bits: u64, byte: &u8| (bits << 8) | u64::from(*byte);
        let bits =
            if is_big_endian { bytes.iter().fold(0, place) } else { bytes.iter().rev().fold(0, place) };
        Some(match self {
            Kind::Bool => f64::from(u8::from(bits != 0)),
            Kind::Unsigned(_) => bits as f64,
            Kind::Signed(width) => {
                let unused = 64 - 8 * u32::try_from(width).ok()?;
                ((bits << unused).cast_signed() >> unused) as f64
            }
            Kind::Float(4) => f64::from(f32::from_bits(u32::try_from(bits).ok()?)),
            Kind::Float(_) => f64::from_bits(bits),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn decoded(json: Json, blosc: bool) -> Result<Array, String> {
        decode(json.as_object().unwrap(), blosc).unwrap()
    }

    /// As auto-pi-lot 0.5.1 wrote `np.array([[1.5, -2], [3, 4]])` and `np.array([1, -2, 3], dtype='>i2')` raw.
    #[test]
    fn arrays_that_were_seen_are_read() {
        let text = "AAAAAAAA+D8AAAAAAAAAwAAAAAAAAAhAAAAAAAAAEEA=";
        let json = json!({"NUMPY_ARRAY": text, "DTYPE": "float64", "SHAPE": [2, 2]});
        assert_eq!(decoded(json, false), Ok(Array { shape: vec![2, 2], numbers: vec![1.5, -2.0, 3.0, 4.0] }));
        let json = json!({"NUMPY_ARRAY": "AAH//gAD", "DTYPE": ">i2", "SHAPE": [3]});
        assert_eq!(decoded(json, false), Ok(Array { shape: vec![3], numbers: vec![1.0, -2.0, 3.0] }));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let good = json!({"NUMPY_ARRAY": "AAH//gAD", "DTYPE": "<i2", "SHAPE": [3]});
        assert!(decoded(good.clone(), true).unwrap_err().contains("pickle"));
        let cases = [
            ("NUMPY_ARRAY", json!("A"), "base64"),
            ("NUMPY_ARRAY", json!(""), "0 bytes do not fill"),
            ("NUMPY_ARRAY", json!("gASVAAAA"), ""),
            ("NUMPY_ARRAY", json!([1]), "no text"),
            ("NUMPY_ARRAY", json!("A".repeat(2 * ARRAY_MAX_BYTES)), "more than"),
            ("DTYPE", json!("object"), "numbers"),
            ("DTYPE", json!("<O"), "numbers"),
            ("DTYPE", json!(""), "numbers"),
            ("SHAPE", json!([4]), "do not fill"),
            ("SHAPE", json!([u64::MAX, 2, u64::MAX]), "do not fill"),
            ("SHAPE", json!([-3]), "sizes"),
            ("SHAPE", json!([1, 1, 1, 1, 1, 1, 1, 1, 3]), "dimensions"),
        ];
        for (field, value, why) in cases {
            let mut json = good.clone();
            json[field] = value.clone();
            match decoded(json, false) {
                Err(said) => assert!(said.contains(why), "{field} {value}: {said}"),
                Ok(array) => assert_eq!((why, array.numbers.len()), ("", 3)),
            }
        }
        assert_eq!(decode(&Map::new(), false), None);
    }

    #[test]
    fn every_kind_has_its_sign_and_its_order() {
        let number =
            |dtype: &str, bytes: &[u8]| Kind::of(dtype).and_then(|(kind, is_big)| kind.number(bytes, is_big));
        assert_eq!(number("bool", &[2]), Some(1.0));
        assert_eq!(number("int8", &[0xff]), Some(-1.0));
        assert_eq!(number("uint8", &[0xff]), Some(255.0));
        assert_eq!(number(">u4", &[0, 0, 1, 0]), Some(256.0));
        assert_eq!(number("int32", &(-7_i32).to_le_bytes()), Some(-7.0));
        assert_eq!(number("int64", &i64::MIN.to_le_bytes()), Some(i64::MIN as f64));
        assert_eq!(number("uint64", &u64::MAX.to_le_bytes()), Some(u64::MAX as f64));
        assert_eq!(number("float32", &1.5_f32.to_le_bytes()), Some(1.5));
        assert_eq!(number(">f8", &(-2.25_f64).to_be_bytes()), Some(-2.25));
    }

    proptest! {
        #[test]
        fn what_numpy_would_write_is_read(numbers in prop::collection::vec(any::<f64>(), 0..50)) {
            let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
            let json = json!({"NUMPY_ARRAY": STANDARD.encode(bytes), "DTYPE": "float64", "SHAPE": [numbers.len()]});
            let read = decoded(json, false).unwrap().numbers;
            let bits = |numbers: &[f64]| numbers.iter().map(|number| number.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&read), bits(&numbers));
        }
    }
}

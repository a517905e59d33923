//! The tensors of a static model: its vectors, and what says which of them is whose.

use std::{fs::File, io::Read, path::Path};

use half::{bf16, f16};
use safetensors::{
    Dtype,
    tensor::{Metadata, TensorInfo},
};
use sha2::{Digest, Sha256};

/// The longest header that is read.
const MAX_HEADER: u64 = 100 << 20;
/// How many bytes of a tensor are read at once: whole elements of every type.
const PIECE: usize = 1 << 16;

/// Rows of numbers, one for each token or each group of tokens.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) rows: usize,
    pub(super) columns: usize,
    numbers: Numbers,
}

#[derive(Debug)]
enum Numbers {
    F32(Vec<f32>),
    /// As they are: a quarter of the memory.
    I8(Vec<i8>),
}

impl Table {
    /// Adds the beginning of a row, times a weight.
    pub(super) fn add(&self, row: usize, weight: f32, sum: &mut [f32]) {
        fn add<T: Copy + Into<f32>>(row: &[T], weight: f32, sum: &mut [f32]) {
            for (sum, x) in sum.iter_mut().zip(row) {
                *sum += (*x).into() * weight;
            }
        }
        let place = row * self.columns..(row + 1) * self.columns;
        match &self.numbers {
            Numbers::F32(all) => add(all.get(place).unwrap_or_default(), weight, sum),
            Numbers::I8(all) => add(all.get(place).unwrap_or_default(), weight, sum),
        }
    }
}

/// The tensors of `model.safetensors`.
#[derive(Debug)]
pub(super) struct Tensors {
    pub(super) table: Table,
    /// What the row of each token counts, by token.
    pub(super) weights: Option<Vec<f32>>,
    /// The row of each token; without it, tokens and rows have the same numbers.
    pub(super) mapping: Option<Vec<u32>>,
    /// Whether they are named as model2vec names them, and not as Sentence Transformers does.
    pub(super) of_model2vec: bool,
}

impl Tensors {
    /// Reads the file. All that is read is added to the digest. The error says what is wrong with it.
    pub(super) fn read(path: &Path, digest: &mut Sha256) -> Result<Self, String> {
        let mut file = File::open(path).map_err(|e| format!("cannot be read: {e}"))?;
        let (start, header) = read_header(&mut file)?;
        let names = [("embeddings", true), ("embedding.weight", false)];
        let Some((name, of_model2vec)) = names.into_iter().find(|(name, _)| header.info(name).is_some())
        else {
            let mut found = header.offset_keys();
            let n = found.len();
            found.truncate(3);
            return Err(format!(
                "is no static model: it has neither a tensor `embeddings` nor `embedding.weight`, but {n} others \
                 ({}). A model with layers is served by an embedding server and reached with \
                 `EmbeddingModel::builder(..).api_base(..)`",
                found.join(", ")
            ));
        };
        let numeric = [Dtype::I8, Dtype::F16, Dtype::BF16, Dtype::F32, Dtype::F64];
        if let Some(info) = header.info(name).filter(|info| !numeric.contains(&info.dtype)) {
            return Err(format!(
                "`{name}` has the type {:?}; supported are I8, F16, BF16, F32 and F64",
                info.dtype
            ));
        }
        let mut reader = Reader { file, start, digest };
        let mut read = |name: &str| header.info(name).map(|info| reader.tensor(name, info)).transpose();
        let Some((shape, numbers)) = read(name)? else { return Err(format!("has no `{name}`")) };
        let [rows, columns] = shape[..] else {
            return Err(format!("`{name}` should have two dimensions, and has the shape {shape:?}"));
        };
        if rows == 0 || columns == 0 {
            return Err(format!("`{name}` is empty: its shape is {shape:?}"));
        }
        let numbers = match numbers {
            Elements::Floats(all) => Numbers::F32(all),
            Elements::Bytes(all) => Numbers::I8(all),
            Elements::Indices(_) => return Err(format!("`{name}` should be numbers")),
        };
        let table = Table { rows, columns, numbers };
        let weights = match read("weights")? {
            None => None,
            Some((_, Elements::Floats(all))) => Some(all),
            Some(_) => return Err("`weights` should be F16, BF16, F32 or F64".into()),
        };
        let mapping = match read("mapping")? {
            None => None,
            Some((_, Elements::Indices(all))) => Some(all),
            Some(_) => return Err("`mapping` should be I32, I64, U32 or U64".into()),
        };
        if let Some(row) = mapping.iter().flatten().find(|row| **row as usize >= rows) {
            return Err(format!("`mapping` names the row {row}, but `{name}` has only {rows}"));
        }
        Ok(Self { table, weights, mapping, of_model2vec })
    }

    /// For how many tokens there are vectors.
    pub(super) fn tokens(&self) -> usize {
        let known = self.mapping.as_ref().map_or(self.table.rows, Vec::len);
        self.weights.as_ref().map_or(known, |weights| known.min(weights.len()))
    }
}

enum Elements {
    Floats(Vec<f32>),
    Bytes(Vec<i8>),
    Indices(Vec<u32>),
}

struct Reader<'a> {
    file: File,
    /// Where the tensors begin.
    start: u64,
    digest: &'a mut Sha256,
}

impl Reader<'_> {
    fn tensor(&mut self, name: &str, info: &TensorInfo) -> Result<(Vec<usize>, Elements), String> {
        let elements = match info.dtype {
            Dtype::I8 => Elements::Bytes(self.elements(name, info, |[b]: [u8; 1]| Ok(b.cast_signed()))?),
            Dtype::F16 => Elements::Floats(self.floats(name, info, |b| f16::from_le_bytes(b).to_f32())?),
            Dtype::BF16 => Elements::Floats(self.floats(name, info, |b| bf16::from_le_bytes(b).to_f32())?),
            Dtype::F32 => Elements::Floats(self.floats(name, info, f32::from_le_bytes)?),
            Dtype::F64 => Elements::Floats(self.floats(name, info, |b| f64::from_le_bytes(b) as f32)?),
            Dtype::I32 => Elements::Indices(self.indices(name, info, |b| i32::from_le_bytes(b).into())?),
            Dtype::U32 => Elements::Indices(self.indices(name, info, |b| u32::from_le_bytes(b).into())?),
            Dtype::I64 => Elements::Indices(self.indices(name, info, |b| i64::from_le_bytes(b).into())?),
            Dtype::U64 => Elements::Indices(self.indices(name, info, |b| u64::from_le_bytes(b).into())?),
            other => return Err(format!("`{name}` has the type {other:?}, which is not known")),
        };
        Ok((info.shape.clone(), elements))
    }

    fn floats<const N: usize>(
        &mut self,
        name: &str,
        info: &TensorInfo,
        read: impl Fn([u8; N]) -> f32,
    ) -> Result<Vec<f32>, String> {
        let finite = |x: f32| if x.is_finite() { Ok(x) } else { Err("has an element that is no number") };
        self.elements(name, info, |bytes| finite(read(bytes)))
    }

    fn indices<const N: usize>(
        &mut self,
        name: &str,
        info: &TensorInfo,
        read: impl Fn([u8; N]) -> i128,
    ) -> Result<Vec<u32>, String> {
        self.elements(name, info, |bytes| {
            u32::try_from(read(bytes)).map_err(|_| "has an element that is no row's number")
        })
    }

    /// Reads a tensor piece by piece: its bytes and its elements need not both be in memory.
    fn elements<const N: usize, T>(
        &mut self,
        name: &str,
        info: &TensorInfo,
        read: impl Fn([u8; N]) -> Result<T, &'static str>,
    ) -> Result<Vec<T>, String> {
        use std::io::{Seek, SeekFrom};
        let (from, to) = info.data_offsets;
        self.digest.update(name);
        self.digest.update(format!("{:?}{:?}", info.dtype, info.shape));
        let failed = |e: std::io::Error| format!("`{name}` cannot be read: {e}");
        self.file.seek(SeekFrom::Start(self.start + from as u64)).map_err(failed)?;
        let mut all = Vec::with_capacity((to - from) / N);
        let mut piece = vec![0; PIECE.min(to - from)];
        let mut left = to - from;
        while left > 0 {
            let piece = &mut piece[..PIECE.min(left)];
            self.file.read_exact(piece).map_err(failed)?;
            self.digest.update(&*piece);
            for bytes in piece.as_chunks::<N>().0 {
                all.push(read(*bytes).map_err(|why| format!("`{name}` {why}"))?);
            }
            left -= piece.len();
        }
        Ok(all)
    }
}

/// What the file says of its tensors, which has been compared with the file's length, and the byte where they begin.
fn read_header(file: &mut File) -> Result<(u64, Metadata), String> {
    const CURE: &str = "download it again";
    let failed = |e: std::io::Error| format!("cannot be read: {e}");
    let size = file.metadata().map_err(failed)?.len();
    let mut length = [0; 8];
    if size < 8 {
        return Err(format!("has {size} bytes, so it is no safetensors file; {CURE}"));
    }
    file.read_exact(&mut length).map_err(failed)?;
    let length = u64::from_le_bytes(length);
    let start = length.saturating_add(8);
    if length > MAX_HEADER || start > size {
        return Err(format!("is no safetensors file, or was cut off; {CURE}"));
    }
    let mut header = vec![0; length as usize];
    file.read_exact(&mut header).map_err(failed)?;
    let header: Metadata =
        serde_json::from_slice(&header).map_err(|e| format!("has a broken header ({e}); {CURE}"))?;
    let whole = start.saturating_add(header.data_len() as u64);
    if size < whole {
        return Err(format!("was cut off: it has {size} bytes of {whole}; {CURE}"));
    }
    Ok((start, header))
}

//! Tensors by name, from whatever file holds them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs::File,
    io::{BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::Arc,
};

use candle_core::{
    DType, Device, Tensor,
    quantized::{QMatMul, QTensor, ggml_file::qtensor_from_ggml, gguf_file::Content},
};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{
    failure::{Failure, in_file},
    linear::{Embedding, Linear},
    lora::Adapter,
};

/// Where tensors come from, and what they become.
pub(crate) struct Weights {
    source: Source,
    adapter: Option<Adapter>,
    device: Device,
    dtype: DType,
    digest: Sha256,
    used: BTreeSet<String>,
}

enum Source {
    Safetensors(Safetensors),
    Gguf(Gguf),
}

/// The header of one `*.safetensors` file, by tensor.
#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (u64, u64),
}

struct Safetensors {
    /// The directory.
    place: PathBuf,
    files: Vec<(PathBuf, File)>,
    /// The file, the byte where it begins there, and the rest.
    tensors: HashMap<String, (usize, u64, Entry)>,
}

/// The longest header that is read, against files that are none.
const MAX_HEADER: u64 = 100 << 20;

impl Safetensors {
    /// All tensors of `model.safetensors`, or of the files that `model.safetensors.index.json` names.
    fn open(place: &Path) -> Result<Self, Failure> {
        let mut all = Self { place: place.to_owned(), files: Vec::new(), tensors: HashMap::new() };
        let index = place.join("model.safetensors.index.json");
        let single = place.join("model.safetensors");
        if single.exists() {
            all.add(single)?;
        } else if index.exists() {
            #[derive(Deserialize)]
            struct Index {
                weight_map: BTreeMap<String, String>,
            }
            let text = std::fs::read(&index).map_err(|e| in_file(&index, e))?;
            let read: Index = serde_json::from_slice(&text)
                .map_err(|e| in_file(&index, format!("is no index of tensors: {e}")))?;
            for file in read.weight_map.values().collect::<BTreeSet<_>>() {
                // A name that leads elsewhere is not followed.
                if Path::new(file).file_name() != Some(file.as_ref()) {
                    return Err(in_file(&index, format!("names `{file}`, which is not beside it")));
                }
                all.add(place.join(file))?;
            }
        } else {
            return Err(in_file(place, "holds neither model.safetensors nor model.safetensors.index.json"));
        }
        Ok(all)
    }

    fn add(&mut self, path: PathBuf) -> Result<(), Failure> {
        let mut file = File::open(&path).map_err(|e| in_file(&path, e))?;
        let (start, header) = read_header(&mut file).map_err(|why| in_file(&path, why))?;
        for (name, entry) in header {
            self.tensors.insert(name, (self.files.len(), start, entry));
        }
        self.files.push((path, file));
        Ok(())
    }

    fn read(&mut self, name: &str, digest: &mut Sha256) -> Result<Option<Tensor>, Failure> {
        let Some((file, start, entry)) = self.tensors.get(name) else { return Ok(None) };
        let (path, file) = &mut self.files[*file];
        let wrong = |why: String| in_file(path, format!("`{name}` {why}"));
        let dtype = match entry.dtype.as_str() {
            "F32" => DType::F32,
            "F16" => DType::F16,
            "BF16" => DType::BF16,
            "F64" => DType::F64,
            other => {
                return Err(wrong(format!("has the type {other}; supported are F64, F32, F16 and BF16")));
            }
        };
        let (from, to) = entry.data_offsets;
        let mut bytes = vec![0; (to - from) as usize];
        file.seek(SeekFrom::Start(start + from))
            .and_then(|_| file.read_exact(&mut bytes))
            .map_err(|e| wrong(format!("cannot be read: {e}")))?;
        digest.update(&bytes);
        let tensor = Tensor::from_raw_buffer(&bytes, dtype, &entry.shape, &Device::Cpu);
        tensor.map(Some).map_err(|e| wrong(e.to_string()))
    }
}

/// The tensors of a file, and the byte where their data begins.
fn read_header(file: &mut File) -> Result<(u64, HashMap<String, Entry>), String> {
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(|e| format!("is too short: {e}"))?;
    let length = u64::from_le_bytes(length);
    let size = file.metadata().map_err(|e| e.to_string())?.len();
    if length > MAX_HEADER || length + 8 > size {
        return Err("is not in the safetensors format, or was cut off".into());
    }
    let mut header = vec![0; length as usize];
    file.read_exact(&mut header).map_err(|e| e.to_string())?;
    let entries: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&header).map_err(|e| format!("has a broken header: {e}"))?;
    let start = 8 + length;
    let mut tensors = HashMap::new();
    for (name, entry) in entries.into_iter().filter(|(name, _)| name != "__metadata__") {
        let entry: Entry =
            serde_json::from_value(entry).map_err(|e| format!("describes `{name}` so: {e}"))?;
        let (from, to) = entry.data_offsets;
        if from > to || start.saturating_add(to) > size {
            return Err(format!("ends before `{name}` does: the download may be incomplete"));
        }
        tensors.insert(name, entry);
    }
    Ok((start, tensors))
}

struct Gguf {
    path: PathBuf,
    file: BufReader<File>,
    content: Content,
    /// How many heads the rows of the queries and keys belong to, where they are interleaved.
    interleaved: Option<(usize, usize)>,
}

/// Names of a Hugging Face file as GGUF has them.
const GGUF_NAMES: [(&str, &str); 14] = [
    ("model.embed_tokens", "token_embd"),
    ("model.norm", "output_norm"),
    ("lm_head", "output"),
    ("model.layers", "blk"),
    ("input_layernorm", "attn_norm"),
    ("post_attention_layernorm", "ffn_norm"),
    ("self_attn.q_proj", "attn_q"),
    ("self_attn.k_proj", "attn_k"),
    ("self_attn.v_proj", "attn_v"),
    ("self_attn.o_proj", "attn_output"),
    ("self_attn.q_norm", "attn_q_norm"),
    ("self_attn.k_norm", "attn_k_norm"),
    ("mlp.gate_proj", "ffn_gate"),
    ("mlp.up_proj", "ffn_up"),
];

fn gguf_name(name: &str) -> String {
    let renamed = GGUF_NAMES.iter().fold(name.to_owned(), |name, (from, to)| name.replace(from, to));
    renamed.replace("mlp.down_proj", "ffn_down")
}

impl Gguf {
    fn read(&mut self, name: &str, device: &Device, digest: &mut Sha256) -> Result<Option<QTensor>, Failure> {
        let theirs = gguf_name(name);
        if !self.content.tensor_infos.contains_key(&theirs) {
            return Ok(None);
        }
        let wrong = |why: candle_core::Error| in_file(&self.path, format!("`{theirs}` {why}"));
        let tensor = self.content.tensor(&mut self.file, &theirs, device).map_err(wrong)?;
        let bytes = tensor.data().map_err(wrong)?;
        digest.update(&bytes);
        let heads = match self.interleaved {
            Some((heads, _)) if name.contains("q_proj") => heads,
            Some((_, kv_heads)) if name.contains("k_proj") => kv_heads,
            _ => return Ok(Some(tensor)),
        };
        let rows = tensor.shape().dims().first().copied().unwrap_or(0);
        if rows == 0 || !rows.is_multiple_of(2 * heads) {
            // Its shape is refused later, with what it should be.
            return Ok(Some(tensor));
        }
        let sorted = straighten(&bytes, rows, rows / heads);
        qtensor_from_ggml(tensor.dtype(), &sorted, tensor.shape().dims().to_vec(), device)
            .map(Some)
            .map_err(wrong)
    }
}

/// Llama's queries and keys stand in GGUF files with the two halves of each head interleaved; here, one half follows the
/// other.
fn straighten(bytes: &[u8], rows: usize, head_dim: usize) -> Vec<u8> {
    let width = bytes.len() / rows;
    let mut sorted = Vec::with_capacity(bytes.len());
    for row in 0..rows {
        let (head, i) = (row / head_dim, row % head_dim);
        let (half, i) = (i / (head_dim / 2), i % (head_dim / 2));
        let from = (head * head_dim + 2 * i + half) * width;
        sorted.extend_from_slice(&bytes[from..from + width]);
    }
    sorted
}

impl Weights {
    /// The tensors of a directory, with an adapter for them merged in, if there is one.
    pub(crate) fn of_directory(
        place: &Path,
        adapter: Option<Adapter>,
        device: Device,
        dtype: DType,
    ) -> Result<Self, Failure> {
        Ok(Self::new(Source::Safetensors(Safetensors::open(place)?), adapter, device, dtype))
    }

    /// The tensors of a GGUF file. `interleaved` is the number of heads and of key-value heads if their rows are.
    pub(crate) fn of_gguf(
        path: &Path,
        file: File,
        content: Content,
        interleaved: Option<(usize, usize)>,
        device: Device,
        dtype: DType,
    ) -> Self {
        let gguf = Gguf { path: path.to_owned(), file: BufReader::new(file), content, interleaved };
        Self::new(Source::Gguf(gguf), None, device, dtype)
    }

    fn new(source: Source, adapter: Option<Adapter>, device: Device, dtype: DType) -> Self {
        Self { source, adapter, device, dtype, digest: Sha256::new(), used: BTreeSet::new() }
    }

    fn place(&self) -> &Path {
        match &self.source {
            Source::Safetensors(files) => &files.place,
            Source::Gguf(gguf) => &gguf.path,
        }
    }

    fn wrong(&self, name: &str, why: impl std::fmt::Display) -> Failure {
        in_file(self.place(), format!("the tensor `{name}` {why}"))
    }

    fn raw(&mut self, name: &str, shape: &[usize]) -> Result<Raw, Failure> {
        let found = match &mut self.source {
            Source::Safetensors(files) => files.read(name, &mut self.digest)?.map(Raw::Plain),
            Source::Gguf(gguf) => gguf.read(name, &self.device, &mut self.digest)?.map(Raw::Packed),
        };
        self.digest.update(name.as_bytes());
        let raw = found.ok_or_else(|| self.wrong(name, "is missing"))?;
        let dims = match &raw {
            Raw::Plain(tensor) => tensor.dims(),
            Raw::Packed(tensor) => tensor.shape().dims(),
        };
        if dims != shape {
            return Err(
                self.wrong(name, format!("has the shape {dims:?}, but the config asks for {shape:?}"))
            );
        }
        self.used.insert(name.to_owned());
        Ok(raw)
    }

    fn plain(&self, name: &str, raw: Raw) -> Result<Tensor, Failure> {
        let tensor = match raw {
            Raw::Plain(tensor) => Ok(tensor),
            Raw::Packed(tensor) => tensor.dequantize(&self.device),
        };
        tensor.and_then(|t| t.to_dtype(self.dtype)?.to_device(&self.device)).map_err(|e| self.wrong(name, e))
    }

    /// A tensor of one dimension.
    pub(crate) fn vector(&mut self, name: &str, length: usize) -> Result<Tensor, Failure> {
        let raw = self.raw(name, &[length])?;
        self.plain(name, raw)
    }

    /// The linear layer `name`, from `inputs` to `outputs` numbers.
    pub(crate) fn linear(
        &mut self,
        name: &str,
        outputs: usize,
        inputs: usize,
        bias: bool,
    ) -> Result<Linear, Failure> {
        let weight = format!("{name}.weight");
        let bias = match bias {
            true => Some(self.vector(&format!("{name}.bias"), outputs)?),
            false => None,
        };
        match self.raw(&weight, &[outputs, inputs])? {
            Raw::Packed(tensor) if packed(&tensor) => {
                let weight = QMatMul::from_qtensor(tensor).map_err(|e| self.wrong(&weight, e))?;
                Ok(Linear::Quantized { weight, bias })
            }
            raw => {
                let mut plain = self.plain(&weight, raw)?;
                if let Some(adapter) = &mut self.adapter {
                    plain = adapter.merged(name, plain, &mut self.digest)?;
                }
                Ok(Linear::Dense { weight: plain, bias })
            }
        }
    }

    /// The vectors of the tokens.
    pub(crate) fn embedding(
        &mut self,
        name: &str,
        tokens: usize,
        width: usize,
    ) -> Result<Embedding, Failure> {
        match self.raw(name, &[tokens, width])? {
            Raw::Packed(tensor) if packed(&tensor) => Ok(Embedding::Quantized(Arc::new(tensor))),
            raw => Ok(Embedding::Dense(self.plain(name, raw)?)),
        }
    }

    /// A digest of all that was read, in hexadecimal. Tensors that nobody asked for are named in a warning.
    pub(crate) fn finish(mut self) -> Result<String, Failure> {
        let names: Vec<String> = match &self.source {
            Source::Safetensors(files) => files.tensors.keys().cloned().collect(),
            Source::Gguf(_) => Vec::new(),
        };
        let mut left: Vec<_> = names
            .iter()
            .filter(|n| {
                !self.used.contains(*n) && !n.ends_with("rotary_emb.inv_freq") && *n != "lm_head.weight"
            })
            .collect();
        left.sort();
        if !left.is_empty() {
            tracing::warn!(model = %self.place().display(), ?left, "tensors of the model that are not used");
        }
        if let Some(adapter) = self.adapter.take() {
            adapter.finish()?;
        }
        let digest = self.digest.finalize();
        Ok(digest.iter().take(16).map(|b| format!("{b:02x}")).collect())
    }
}

enum Raw {
    Plain(Tensor),
    Packed(QTensor),
}

/// Whether a tensor stays as it is in the file: arithmetic on half-precision numbers is not faster than on `f32`.
fn packed(tensor: &QTensor) -> bool {
    use candle_core::quantized::GgmlDType;
    !matches!(tensor.dtype(), GgmlDType::F32 | GgmlDType::F16 | GgmlDType::BF16)
}

/// Reads single tensors, outside of a model.
pub(super) fn tensors(path: &Path) -> Result<BTreeMap<String, Tensor>, Failure> {
    let mut files = Safetensors { place: path.to_owned(), files: Vec::new(), tensors: HashMap::new() };
    files.add(path.to_owned())?;
    let names: BTreeSet<String> = files.tensors.keys().cloned().collect();
    let mut all = BTreeMap::new();
    for name in names {
        if let Some(tensor) = files.read(&name, &mut Sha256::new())? {
            all.insert(name, tensor);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_translated() {
        assert_eq!(gguf_name("model.layers.3.self_attn.q_proj.weight"), "blk.3.attn_q.weight");
        assert_eq!(gguf_name("model.layers.0.post_attention_layernorm.weight"), "blk.0.ffn_norm.weight");
        assert_eq!(gguf_name("model.norm.weight"), "output_norm.weight");
        assert_eq!(gguf_name("lm_head.weight"), "output.weight");
        assert_eq!(gguf_name("model.layers.1.mlp.down_proj.weight"), "blk.1.ffn_down.weight");
    }

    #[test]
    fn interleaved_rows_are_straightened() {
        // Two heads of four rows: halves (0 1) and (2 3) stand as 0 2 1 3.
        assert_eq!(straighten(&[0, 2, 1, 3, 4, 6, 5, 7], 8, 4), [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn a_file_that_was_cut_off_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.safetensors");
        let header = br#"{"w":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"#;
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(header);
        bytes.extend_from_slice(&[0; 8]);
        std::fs::write(&path, &bytes).unwrap();
        let error = Safetensors::open(dir.path()).err().unwrap().to_string();
        assert!(error.contains("model.safetensors") && error.contains("`w`"), "{error}");
        std::fs::write(&path, b"oops").unwrap();
        assert!(Safetensors::open(dir.path()).err().unwrap().to_string().contains("too short"));
        std::fs::remove_file(&path).unwrap();
        assert!(Safetensors::open(dir.path()).err().unwrap().to_string().contains("neither"));
    }
}

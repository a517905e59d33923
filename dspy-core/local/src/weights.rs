//! Tensors by name, from whatever file holds them.

use std::{
    collections::BTreeSet,
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
    sync::Arc,
};

use candle_core::{
    DType, Device, Tensor,
    quantized::{QMatMul, QTensor, ggml_file::qtensor_from_ggml, gguf_file::Content},
};
use sha2::{Digest, Sha256};

use crate::{
    error::{Error, in_file},
    linear::{Embedding, Linear},
    lora::Adapter,
    safetensors::Safetensors,
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
    fn read(&mut self, name: &str, device: &Device, digest: &mut Sha256) -> Result<Option<QTensor>, Error> {
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
    ) -> Result<Self, Error> {
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
            Source::Safetensors(files) => files.place(),
            Source::Gguf(gguf) => &gguf.path,
        }
    }

    fn wrong(&self, name: &str, why: impl std::fmt::Display) -> Error {
        in_file(self.place(), format!("the tensor `{name}` {why}"))
    }

    fn raw(&mut self, name: &str, shape: &[usize]) -> Result<Raw, Error> {
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

    fn plain(&self, name: &str, raw: Raw) -> Result<Tensor, Error> {
        let tensor = match raw {
            Raw::Plain(tensor) => Ok(tensor),
            Raw::Packed(tensor) => tensor.dequantize(&self.device),
        };
        tensor.and_then(|t| t.to_dtype(self.dtype)?.to_device(&self.device)).map_err(|e| self.wrong(name, e))
    }

    /// A tensor of one dimension.
    pub(crate) fn vector(&mut self, name: &str, length: usize) -> Result<Tensor, Error> {
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
    ) -> Result<Linear, Error> {
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
    pub(crate) fn embedding(&mut self, name: &str, tokens: usize, width: usize) -> Result<Embedding, Error> {
        match self.raw(name, &[tokens, width])? {
            Raw::Packed(tensor) if packed(&tensor) => Ok(Embedding::Quantized(Arc::new(tensor))),
            raw => Ok(Embedding::Dense(self.plain(name, raw)?)),
        }
    }

    /// A digest of all that was read, in hexadecimal. Tensors that nobody asked for are named in a warning.
    pub(crate) fn finish(mut self) -> Result<String, Error> {
        let names: Vec<String> = match &self.source {
            Source::Safetensors(files) => files.names(),
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
}

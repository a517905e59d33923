//! Tensors of `*.safetensors` files.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use candle_core::{DType, Device, Tensor};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::error::{Error, in_file};

/// The header of one `*.safetensors` file, by tensor.
#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (u64, u64),
}

/// The files of a directory, with what their headers say.
pub(crate) struct Safetensors {
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
    pub(crate) fn open(place: &Path) -> Result<Self, Error> {
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

    /// The directory.
    pub(crate) fn place(&self) -> &Path {
        &self.place
    }

    /// The names of all tensors, in no particular order.
    pub(crate) fn names(&self) -> Vec<String> {
        self.tensors.keys().cloned().collect()
    }

    fn add(&mut self, path: PathBuf) -> Result<(), Error> {
        let mut file = File::open(&path).map_err(|e| in_file(&path, e))?;
        let (start, header) = read_header(&mut file).map_err(|why| in_file(&path, why))?;
        for (name, entry) in header {
            self.tensors.insert(name, (self.files.len(), start, entry));
        }
        self.files.push((path, file));
        Ok(())
    }

    /// The tensor of this name, whose bytes are added to the digest; `None` when there is none.
    pub(crate) fn read(&mut self, name: &str, digest: &mut Sha256) -> Result<Option<Tensor>, Error> {
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

/// Reads single tensors, outside of a model.
pub(crate) fn tensors(path: &Path) -> Result<BTreeMap<String, Tensor>, Error> {
    let mut files = Safetensors { place: path.to_owned(), files: Vec::new(), tensors: HashMap::new() };
    files.add(path.to_owned())?;
    let names = files.names();
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

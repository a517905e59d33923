//! The file of an index: a line that says what it is, a header in JSON, the passages in JSON lines, then the numbers of
//! vectors and graph in little-endian order.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};

use super::{
    Passage,
    vectors::{GraphOptions, SavedGraph, VectorIndex},
};
use crate::{
    Result, RetrievalError,
    files::{not_written, write_atomically},
};

/// The first line. Its number changes with the format.
const MAGIC: &str = "dspy dense index 1\n";

#[derive(Serialize, Deserialize)]
struct Header {
    embedder: String,
    passages: usize,
    dimension: usize,
    graph: Option<GraphHeader>,
}

#[derive(Serialize, Deserialize)]
struct GraphHeader {
    options: GraphOptions,
    entry: u32,
    /// How many numbers the lists above the ground have.
    upper: usize,
}

pub(super) fn save(path: &Path, embedder: &str, passages: &[Passage], vectors: &VectorIndex) -> Result<()> {
    let graph = vectors.saved_graph();
    let header = Header {
        embedder: embedder.to_owned(),
        passages: passages.len(),
        dimension: vectors.dimension(),
        graph: graph.as_ref().map(|graph| GraphHeader {
            options: graph.options,
            entry: graph.entry,
            upper: graph.upper.len(),
        }),
    };
    let written = write_atomically(path, |out| {
        out.write_all(MAGIC.as_bytes())?;
        line(out, &header)?;
        passages.iter().try_for_each(|passage| line(out, passage))?;
        vectors.numbers().iter().try_for_each(|x| out.write_all(&x.to_le_bytes()))?;
        if let Some(graph) = &graph {
            out.write_all(&graph.levels)?;
            let mut numbers = graph.ground.iter().chain(&*graph.upper);
            numbers.try_for_each(|n| out.write_all(&n.to_le_bytes()))?;
        }
        Ok(())
    });
    written.map_err(|e| at(path, not_written(path, &e)).into())
}

fn line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

/// The id of the embedder, the passages and their vectors.
pub(super) fn load(path: &Path) -> Result<(String, Vec<Passage>, VectorIndex)> {
    let unreadable = |e: io::Error| at(path, format!("the file cannot be read: {e}"));
    let file = File::open(path).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    let mut file = BufReader::with_capacity(1 << 20, file);
    let damaged =
        |what: &str| at(path, format!("the file is damaged: {what}; build and save the index again"));
    let mut text = String::new();
    // A file of something else may have no lines at all.
    let first = (&mut file).take(MAGIC.len() as u64).read_to_string(&mut text);
    if first.is_err() || text != MAGIC {
        let message = "the file is not an index of this version; write one with `DenseIndex::save`";
        return Err(at(path, message.to_owned()).into());
    }
    let mut next = |what: &str| {
        text.clear();
        match file.read_line(&mut text) {
            Ok(n) if n > 0 => Ok(text.clone()),
            _ => Err(damaged(&format!("{what} is missing"))),
        }
    };
    let header: Header = serde_json::from_str(&next("the header")?).map_err(|e| damaged(&e.to_string()))?;
    // Before anything of a size that the header says is asked for.
    let count = header.passages as u128;
    if count * (header.dimension as u128) * 4 > u128::from(size) || count > u128::from(size) {
        return Err(damaged("it is shorter than its header says").into());
    }
    let passages = (0..header.passages)
        .map(|i| {
            let line = next(&format!("passage {i}"))?;
            serde_json::from_str(&line).map_err(|e| damaged(&format!("passage {i}: {e}")))
        })
        .collect::<Result<Vec<Passage>, _>>()?;
    let short = |_| damaged("it ends early");
    let numbers =
        numbers(&mut file, header.passages * header.dimension, size, f32::from_le_bytes).map_err(short)?;
    let graph = match header.graph {
        None => None,
        Some(GraphHeader { options, entry, upper }) => {
            let mut levels = vec![0; header.passages];
            file.read_exact(&mut levels).map_err(short)?;
            let ground = header.passages.saturating_mul(options.width(0));
            let ground = self::numbers(&mut file, ground, size, u32::from_le_bytes).map_err(short)?;
            let upper = self::numbers(&mut file, upper, size, u32::from_le_bytes).map_err(short)?;
            Some(SavedGraph {
                options,
                entry,
                levels: levels.into(),
                ground: ground.into(),
                upper: upper.into(),
            })
        }
    };
    if !matches!(file.fill_buf(), Ok([])) {
        return Err(damaged("it goes on after its end").into());
    }
    let vectors = VectorIndex::restore(header.dimension, numbers, graph).map_err(|what| damaged(&what))?;
    if vectors.len() != passages.len() {
        return Err(damaged("it has not one vector for each passage").into());
    }
    Ok((header.embedder, passages, vectors))
}

/// So many numbers of four bytes. `size` is that of the file, which no part of it exceeds.
fn numbers<T>(file: &mut impl Read, count: usize, size: u64, number: fn([u8; 4]) -> T) -> io::Result<Vec<T>> {
    if count as u128 * 4 > u128::from(size) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut numbers = Vec::with_capacity(count);
    let mut buffer = vec![0; 1 << 16];
    while numbers.len() < count {
        let bytes = buffer.len().min((count - numbers.len()) * 4);
        let part = buffer.get_mut(..bytes).unwrap_or_default();
        file.read_exact(part)?;
        numbers.extend(part.as_chunks::<4>().0.iter().map(|bytes| number(*bytes)));
    }
    Ok(numbers)
}

fn at(path: &Path, message: String) -> RetrievalError {
    RetrievalError::new(path.display().to_string(), message)
}

use dspy::{
    prelude::*,
    retrieve::{Bm25, DenseIndex, Hybrid, Retrieve, VectorStore},
};

struct Search;

#[module]
struct Program {
    passages: Arc<dyn Retriever>,
}

async fn misuse(texts: Vec<String>) -> Result<()> {
    // A model is made of its name.
    let index = DenseIndex::build(texts.clone(), "openai/text-embedding-3-small").await?;

    // What is searched are texts or passages.
    let numbers = Bm25::new([1, 2, 3]);

    // Own types need the trait, wherever a retriever is wanted.
    let program = Program { passages: Arc::new(Search) };
    let hybrid = Hybrid::new().with(Bm25::new(texts)).with(Search);
    let module = Retrieve::new(Search);

    // A context of texts takes texts, not passages.
    let mut context: Vec<String> = Vec::new();
    context.extend(program.passages.search("query", 3).await?);

    // A store is a retriever once it has an embedder.
    let store = Retrieve::new(VectorStore::qdrant("http://localhost:6333", "wiki"));
    Ok(())
}

fn main() {}

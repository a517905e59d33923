//! An agent over a database: it looks at the tables, asks in SQL, and answers from what it found.
//!
//! ```text
//! cargo run -p dspy-examples --features sqlite,tls --bin sqlite_agent -- --model openai/gpt-4o-mini \
//!     "Which town lost the most inhabitants between 1989 and 2021?"
//! ```
//!
//! The database is real: SQLite in memory. Choosing tools and writing SQL needs a model that follows instructions, which
//! the tiny model of this repository does not. Without `--model` a scripted one stands in, which writes three fixed steps
//! and reads the answer from what the tools gave; it knows only the question that is asked then.

#![allow(clippy::print_stdout)]

mod support;

use std::sync::Mutex;

use dspy::{
    lm::{Capabilities, Request, StubModel},
    predict::react::AgentUpdate,
    prelude::*,
};
use rusqlite::{Connection, types::ValueRef};
use serde_json::{Map, Value, json};

/// Answer the question from the database.
#[signature]
struct Ask {
    #[input]
    question: String,
    /// the name of a town
    #[output]
    town: String,
    /// one sentence, with the numbers
    #[output]
    because: String,
}

const SCRIPTED: &str = "Which town lost the most inhabitants between 1989 and 2021?";

/// A database that an agent may look at.
struct Database {
    connection: Mutex<Connection>,
}

#[tool]
impl Database {
    /// List the tables and views.
    #[tool]
    fn tables(&self) -> Result<Vec<String>> {
        let rows =
            self.rows("SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name", 100)?;
        Ok(rows.iter().filter_map(|row| Some(row["name"].as_str()?.to_owned())).collect())
    }

    /// Show how a table was created: its columns, their types and what refers to what.
    #[tool]
    fn describe(&self, table: String) -> Result<String> {
        let connection = self.connection.lock().map_err(|_| Error::other("the database is lost"))?;
        let sql = "SELECT sql FROM sqlite_master WHERE name = ?1";
        connection.query_row(sql, [&table], |row| row.get(0)).map_err(|e| match e {
            rusqlite::Error::QueryReturnedNoRows => Error::other(format!("there is no table `{table}`")),
            other => Error::other(other),
        })
    }

    /// Run one SELECT statement of SQLite. Nothing can be changed.
    #[tool(max_output = 4000)]
    fn query(
        &self,
        sql: String,
        /// how many rows to show
        #[arg(default = 20)]
        limit: usize,
    ) -> Result<Vec<Map<String, Value>>> {
        self.rows(&sql, limit)
    }

    fn rows(&self, sql: &str, limit: usize) -> Result<Vec<Map<String, Value>>> {
        let connection = self.connection.lock().map_err(|_| Error::other("the database is lost"))?;
        let mut statement = connection.prepare(sql).map_err(Error::other)?;
        // `ATTACH` changes nothing by SQLite's own account, but opens files.
        let first = sql.split_whitespace().next().unwrap_or_default();
        let selects = ["select", "with"].iter().any(|word| first.eq_ignore_ascii_case(word));
        if !selects || !statement.readonly() {
            return Err(Error::other("only SELECT statements may be run"));
        }
        let names: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
        let mut rows = statement.query([]).map_err(Error::other)?;
        let mut shown = Vec::new();
        while let Some(row) = rows.next().map_err(Error::other)? {
            if shown.len() == limit {
                break;
            }
            let mut values = Map::new();
            for (i, name) in names.iter().enumerate() {
                let value = match row.get_ref(i).map_err(Error::other)? {
                    ValueRef::Null => Value::Null,
                    ValueRef::Integer(n) => n.into(),
                    ValueRef::Real(x) => x.into(),
                    ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
                    ValueRef::Blob(bytes) => format!("{} bytes", bytes.len()).into(),
                };
                values.insert(name.clone(), value);
            }
            shown.push(values);
        }
        Ok(shown)
    }
}

/// Towns and how many people live there, in two years; the numbers are made up.
const DATA: &str = "
    CREATE TABLE town (id INTEGER PRIMARY KEY, name TEXT NOT NULL, county TEXT NOT NULL);
    CREATE TABLE census (town INTEGER NOT NULL REFERENCES town, year INTEGER NOT NULL, inhabitants INTEGER NOT NULL);
    INSERT INTO town VALUES (1, 'Asula', 'North'), (2, 'Metsa', 'South'), (3, 'Ranna', 'West'), (4, 'Linna', 'North');
    INSERT INTO census VALUES (1, 1989, 41000), (1, 2021, 36500), (2, 1989, 23000), (2, 2021, 12400),
        (3, 1989, 8200), (3, 2021, 9100), (4, 1989, 160000), (4, 2021, 171000);
";

/// A stand-in for a model: three steps that are written here, and an answer from what the last of them gave.
fn scripted(request: &Request) -> String {
    let asked = request.prompt.messages().last().map(|m| m.content.text().to_owned()).unwrap_or_default();
    let step = |thought: &str, tool: &str, arguments: Value| {
        json!({ "next_thought": thought, "next_tool_name": tool, "next_tool_args": arguments }).to_string()
    };
    if !asked.contains("next_tool_name") {
        let found = asked.split("observation: ").filter_map(|text| text.split_once("\"town\":\"")).next();
        let town = found.and_then(|(_, rest)| rest.split('"').next()).unwrap_or("unknown");
        let because = "It has the largest loss among the rows that the query gave.";
        return json!({ "reasoning": because, "town": town, "because": because }).to_string();
    }
    let sql = "SELECT t.name AS town, old.inhabitants - new.inhabitants AS lost FROM town t \
               JOIN census old ON old.town = t.id AND old.year = 1989 \
               JOIN census new ON new.town = t.id AND new.year = 2021 ORDER BY lost DESC";
    match asked.matches("observation: ").count() {
        0 => step("I look at what there is.", "tables", json!({})),
        1 => step("The numbers must be in `census`.", "describe", json!({ "table": "census" })),
        2 => step("I compare both years.", "query", json!({ "sql": sql, "limit": "3" })),
        _ => step("The first row answers it.", "finish", json!({})),
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let connection = Connection::open_in_memory().map_err(Error::other)?;
    connection.execute_batch(DATA).map_err(Error::other)?;
    let database = Arc::new(Database { connection: connection.into() });

    let mut agent = ReAct::<Ask>::builder().tools(database.tools()).max_iters(10).build();
    let named = std::env::args().any(|arg| arg.starts_with("--model") || arg.starts_with("--api-base"));
    let question = if named {
        let setup = support::setup(&[])?;
        setup.words_or(SCRIPTED)
    } else {
        agent.set_lm(&StubModel::from_fn(scripted).capabilities(Capabilities::none()));
        SCRIPTED.into()
    };

    println!("{question}\n");
    let mut stream = agent.stream(question);
    while let Some(update) = stream.next().await {
        match update? {
            AgentUpdate::Step(step) => {
                println!("{}", step.thought);
                for action in step.actions {
                    let arguments = Value::Object(action.arguments);
                    println!(
                        "  {}({arguments})\n  {}\n",
                        action.tool,
                        action.observation.text.replace('\n', "\n  ")
                    );
                }
            }
            AgentUpdate::Done(p) => {
                println!("{}: {} ({} requests)", p.town, p.because, p.usage().total().calls);
            }
            _ => {}
        }
    }
    Ok(())
}

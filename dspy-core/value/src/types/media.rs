//! Images, sounds and files.

use std::{borrow::Cow, path::Path, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{
    KIND_KEY,
    source::{Fields, Loose, MediaError, Source, read_file, sniff},
};

/// An image: a URL that the provider fetches, or the image's bytes.
///
/// In JSON it is `{"url": …}` or `{"media_type": …, "data": …}`; a plain URL or data URI is read as well. Reading one
/// never opens a file; [`Image::from_path`] is the only way to a local file.
///
/// ```
/// # use dspy_value::Image;
/// let image: Image = "https://example.org/cat.png".parse()?;
/// assert_eq!(image.url(), Some("https://example.org/cat.png"));
/// # Ok::<(), dspy_value::MediaError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image(Source);

impl Image {
    /// An image at an `http`, `https` or `gs` URL, or in a base64 data URI.
    ///
    /// # Errors
    /// [`MediaError::Url`] for any other text.
    pub fn from_url(url: &str) -> Result<Self, MediaError> {
        Source::url(url).map(Self)
    }

    /// An image from its bytes, recognised as PNG, JPEG, GIF or WebP.
    ///
    /// # Errors
    /// [`MediaError::UnknownFormat`] when it is none of these.
    pub fn from_bytes(bytes: impl AsRef<[u8]>) -> Result<Self, MediaError> {
        let bytes = bytes.as_ref();
        let media_type = sniff(bytes)
            .filter(|m| m.starts_with("image/"))
            .ok_or(MediaError::UnknownFormat("image", "Image::from_bytes_as"))?;
        Ok(Self::from_bytes_as(bytes, media_type))
    }

    /// An image from its bytes and media type, such as `image/png`.
    pub fn from_bytes_as(bytes: impl AsRef<[u8]>, media_type: &str) -> Self {
        Self(Source::bytes(bytes.as_ref(), media_type))
    }

    /// Reads an image file.
    ///
    /// # Errors
    /// [`MediaError::Io`] when the file cannot be read, otherwise as [`Image::from_bytes`].
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self, MediaError> {
        Self::from_bytes(read_file(path.as_ref())?)
    }

    /// Its URL, unless it holds the bytes.
    pub fn url(&self) -> Option<&str> {
        self.0.as_url()
    }

    /// Its media type, when it holds the bytes.
    pub fn media_type(&self) -> Option<&str> {
        self.0.media_type()
    }

    /// Its bytes, when it holds them.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        self.0.decode()
    }
}

/// A sound recording.
///
/// In JSON it is `{"format": "wav", "data": …}`; a data URI is read as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audio(Source);

impl Audio {
    /// A recording from its bytes and its format in one word: `wav`, `mp3`, `flac`, `ogg`.
    pub fn from_bytes(bytes: impl AsRef<[u8]>, format: &str) -> Self {
        Self(Source::bytes(bytes.as_ref(), &media_type_of(format)))
    }

    /// Reads a sound file, recognised as WAV, MP3, FLAC or Ogg by its first bytes, otherwise by its extension.
    ///
    /// # Errors
    /// [`MediaError::Io`] when the file cannot be read, [`MediaError::UnknownFormat`] when it has no extension.
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self, MediaError> {
        let path = path.as_ref();
        let bytes = read_file(path)?;
        if let Some(media_type) = sniff(&bytes).filter(|m| m.starts_with("audio/")) {
            return Ok(Self(Source::bytes(&bytes, media_type)));
        }
        let format = path
            .extension()
            .and_then(|e| e.to_str())
            .ok_or(MediaError::UnknownFormat("audio", "Audio::from_bytes"))?;
        Ok(Self::from_bytes(bytes, &format.to_ascii_lowercase()))
    }

    /// Its format in one word, such as `wav`.
    pub fn format(&self) -> &str {
        let media_type = self.0.media_type().unwrap_or_default();
        media_type.split_once('/').map_or(media_type, |(_, format)| format)
    }

    /// Its bytes.
    pub fn bytes(&self) -> Vec<u8> {
        self.0.decode().unwrap_or_default()
    }
}

/// The media type of a sound format, with the names that providers use.
fn media_type_of(format: &str) -> String {
    let format = format.strip_prefix("audio/").unwrap_or(format);
    let format = match format {
        "x-wav" | "wave" | "vnd.wave" => "wav",
        "mpeg" => "mp3",
        other => other,
    };
    format!("audio/{format}")
}

/// A file, such as a PDF: its bytes, a URL, or the id under which it was uploaded to the provider.
///
/// In JSON it is `{"media_type": …, "data": …}`, `{"url": …}` or `{"file_id": …}`, with an optional `filename`; a
/// plain URL or data URI is read as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    source: Source,
    filename: Option<String>,
}

impl File {
    /// A file from its bytes and media type, such as `application/pdf`.
    pub fn from_bytes(bytes: impl AsRef<[u8]>, media_type: &str) -> Self {
        Self { source: Source::bytes(bytes.as_ref(), media_type), filename: None }
    }

    /// Reads a file; its name goes along.
    ///
    /// # Errors
    /// [`MediaError::Io`] when it cannot be read.
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self, MediaError> {
        let path = path.as_ref();
        let bytes = read_file(path)?;
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        let media_type = sniff(&bytes).unwrap_or(match extension.as_str() {
            "txt" | "log" => "text/plain",
            "md" => "text/markdown",
            "csv" => "text/csv",
            "html" | "htm" => "text/html",
            "json" => "application/json",
            _ => "application/octet-stream",
        });
        let filename = path.file_name().map(|name| name.to_string_lossy().into_owned());
        Ok(Self { filename, ..Self::from_bytes(bytes, media_type) })
    }

    /// A file at an `http`, `https` or `gs` URL, or in a base64 data URI.
    ///
    /// # Errors
    /// [`MediaError::Url`] for any other text.
    pub fn from_url(url: &str) -> Result<Self, MediaError> {
        Ok(Self { source: Source::url(url)?, filename: None })
    }

    /// A file that was uploaded to the provider.
    pub fn from_id(id: &str) -> Self {
        Self { source: Source::Id(id.into()), filename: None }
    }

    /// Names the file.
    #[must_use]
    pub fn named(mut self, filename: impl Into<String>) -> Self {
        self.filename = Some(filename.into());
        self
    }

    /// Its name.
    pub fn filename(&self) -> Option<&str> {
        self.filename.as_deref()
    }

    /// Its id with the provider.
    pub fn id(&self) -> Option<&str> {
        match &self.source {
            Source::Id(id) => Some(id),
            _ => None,
        }
    }

    /// Its URL.
    pub fn url(&self) -> Option<&str> {
        self.source.as_url()
    }

    /// Its media type, when it holds the bytes.
    pub fn media_type(&self) -> Option<&str> {
        self.source.media_type()
    }

    /// Its bytes, when it holds them.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        self.source.decode()
    }
}

impl Serialize for Image {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct("$dspy::Part:image", &self.0.fields())
    }
}

impl Serialize for Audio {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = Fields { format: Some(self.format()), media_type: None, ..self.0.fields() };
        serializer.serialize_newtype_struct("$dspy::Part:audio", &fields)
    }
}

impl Serialize for File {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = Fields { filename: self.filename(), ..self.source.fields() };
        serializer.serialize_newtype_struct("$dspy::Part:file", &fields)
    }
}

impl FromStr for Image {
    type Err = MediaError;
    fn from_str(url: &str) -> Result<Self, MediaError> {
        Self::from_url(url)
    }
}

impl TryFrom<Loose> for Image {
    type Error = MediaError;
    fn try_from(loose: Loose) -> Result<Self, MediaError> {
        let fields = match loose {
            Loose::Text(url) => return Self::from_url(&url),
            Loose::Fields(fields) => fields,
        };
        match (&fields.url, &fields.data, &fields.media_type) {
            (Some(url), ..) => Self::from_url(url),
            (None, Some(data), Some(media_type)) => Source::base64(data, media_type).map(Self),
            _ => Err(MediaError::Empty { kind: "an image", fields: "`url`, or `media_type` and `data`" }),
        }
    }
}

impl TryFrom<Loose> for Audio {
    type Error = MediaError;
    fn try_from(loose: Loose) -> Result<Self, MediaError> {
        let fields = match loose {
            Loose::Text(url) => match Source::url(&url)? {
                Source::Data { media_type, data } => {
                    return Source::base64(&data, &media_type_of(&media_type)).map(Self);
                }
                _ => return Err(MediaError::Url(url)),
            },
            Loose::Fields(fields) => fields,
        };
        match (&fields.data, fields.format.as_ref().or(fields.media_type.as_ref())) {
            (Some(data), Some(format)) => Source::base64(data, &media_type_of(format)).map(Self),
            _ => Err(MediaError::Empty { kind: "audio", fields: "`format` and `data`" }),
        }
    }
}

impl TryFrom<Loose> for File {
    type Error = MediaError;
    fn try_from(loose: Loose) -> Result<Self, MediaError> {
        let fields = match loose {
            Loose::Text(url) => return Self::from_url(&url),
            Loose::Fields(fields) => *fields,
        };
        let source = match (&fields.data, &fields.file_data, &fields.url, &fields.file_id) {
            (Some(data), ..) => {
                Source::base64(data, fields.media_type.as_deref().unwrap_or("application/octet-stream"))?
            }
            (_, Some(url), ..) | (_, _, Some(url), _) => Source::url(url)?,
            (_, _, _, Some(id)) => Source::Id(id.as_str().into()),
            _ => return Err(MediaError::Empty { kind: "a file", fields: "`data`, `url` or `file_id`" }),
        };
        Ok(Self { source, filename: fields.filename })
    }
}

macro_rules! medium {
    ($($type:ident, $kind:literal, $schema:tt;)*) => {$(
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::try_from(Loose::read(deserializer)?).map_err(de::Error::custom)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                let mut schema = json_schema!($schema);
                schema.insert(KIND_KEY.into(), $kind.into());
                schema
            }
        }
    )*};
}
medium! {
    Image, "image", { "type": "object", "properties": { "url": { "type": "string" } }, "required": ["url"] };
    Audio, "audio", {
        "type": "object",
        "properties": { "format": { "type": "string" }, "data": { "type": "string" } },
        "required": ["format", "data"],
    };
    File, "file", {
        "type": "object",
        "properties": { "url": { "type": "string" }, "filename": { "type": ["string", "null"] } },
        "required": ["url"],
    };
}

//! Where the bytes of a medium are: inline as base64, at a URL, or with the provider.

use std::{fmt, path::Path, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, de};

use super::marker::{self, OwnedFields};
use crate::encoded::base64_len;

/// A medium that could not be made.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum MediaError {
    /// The file could not be read.
    #[error("cannot read {path}: {message}")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        message: String,
    },
    /// The bytes do not begin like any known format.
    #[error("unknown {0} format: say which it is, or use {1}")]
    UnknownFormat(&'static str, &'static str),
    /// The text is no URL that a provider could fetch.
    #[error("{0:?} is neither an http, https or gs URL nor a base64 data URI")]
    Url(String),
    /// The text is not base64.
    #[error("the data is not base64")]
    Base64,
    /// The object has none of the fields that say where the medium is.
    #[error("{kind} without {fields}")]
    Empty {
        /// What was asked for.
        kind: &'static str,
        /// The fields of which one is needed.
        fields: &'static str,
    },
}

/// Where a medium's bytes are. Base64 text is shared, so media are cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Source {
    Url(Arc<str>),
    Id(Arc<str>),
    Data { media_type: Arc<str>, data: Arc<str> },
}

impl Source {
    pub(super) fn bytes(bytes: &[u8], media_type: &str) -> Self {
        Self::Data { media_type: media_type.into(), data: STANDARD.encode(bytes).into() }
    }

    /// A URL that a provider may fetch, or a data URI. Never a path: text must not open files.
    pub(super) fn url(url: &str) -> Result<Self, MediaError> {
        let url = url.trim();
        let refuse = || MediaError::Url(crate::shorten(url, 60).into_owned());
        let (scheme, rest) = url.split_once(':').ok_or_else(refuse)?;
        match scheme.to_ascii_lowercase().as_str() {
            "http" | "https" | "gs" if rest.starts_with("//") && rest.len() > 2 => Ok(Self::Url(url.into())),
            "data" => {
                let (head, data) = rest.split_once(',').ok_or_else(refuse)?;
                let head = head.strip_suffix(";base64").ok_or_else(refuse)?;
                let media_type = head.split(';').next().filter(|m| !m.is_empty()).unwrap_or("text/plain");
                Self::base64(data, media_type)
            }
            _ => Err(refuse()),
        }
    }

    pub(super) fn base64(data: &str, media_type: &str) -> Result<Self, MediaError> {
        STANDARD.decode(data).map_err(|_| MediaError::Base64)?;
        Ok(Self::Data { media_type: media_type.into(), data: data.into() })
    }

    pub(super) fn as_url(&self) -> Option<&str> {
        match self {
            Self::Url(url) => Some(url),
            _ => None,
        }
    }

    pub(super) fn media_type(&self) -> Option<&str> {
        match self {
            Self::Data { media_type, .. } => Some(media_type),
            _ => None,
        }
    }

    pub(super) fn decode(&self) -> Option<Vec<u8>> {
        match self {
            Self::Data { data, .. } => STANDARD.decode(data.as_bytes()).ok(),
            _ => None,
        }
    }

    /// The fields of the object form.
    pub(super) fn fields(&self) -> Fields<'_> {
        match self {
            Self::Url(url) => Fields { url: Some(url), ..Fields::default() },
            Self::Id(id) => Fields { file_id: Some(id), ..Fields::default() },
            Self::Data { media_type, data } => {
                Fields { media_type: Some(media_type), data: Some(data), ..Fields::default() }
            }
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => write!(f, "{:?}", crate::shorten(url, 80)),
            Self::Id(id) => write!(f, "id {id:?}"),
            Self::Data { media_type, data } => write!(f, "{media_type}, {} bytes", base64_len(data)),
        }
    }
}

pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, MediaError> {
    std::fs::read(path)
        .map_err(|e| MediaError::Io { path: path.display().to_string(), message: e.to_string() })
}

/// The media type that the first bytes give away.
pub(super) fn sniff(bytes: &[u8]) -> Option<&'static str> {
    let riff = |tag: &[u8]| bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(tag);
    Some(match bytes {
        b if b.starts_with(b"\x89PNG\r\n\x1a\n") => "image/png",
        b if b.starts_with(b"\xff\xd8\xff") => "image/jpeg",
        b if b.starts_with(b"GIF87a") || b.starts_with(b"GIF89a") => "image/gif",
        _ if riff(b"WEBP") => "image/webp",
        _ if riff(b"WAVE") => "audio/wav",
        b if b.starts_with(b"ID3") => "audio/mp3",
        [0xff, second, ..] if second & 0xe6 == 0xe2 => "audio/mp3",
        b if b.starts_with(b"fLaC") => "audio/flac",
        b if b.starts_with(b"OggS") => "audio/ogg",
        b if b.starts_with(b"%PDF-") => "application/pdf",
        _ => return None,
    })
}

/// The object form of a medium, as it is written.
#[derive(Debug, Default, Serialize)]
pub(super) struct Fields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) media_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) format: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) data: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) filename: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) context: Option<&'a str>,
}

/// What a medium is read from.
pub(super) enum Loose {
    Text(String),
    Fields(Box<OwnedFields>),
}

impl Loose {
    /// Reads an object, a plain text, or DSPy's text with its marks.
    pub(super) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Loose;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a URL, a data URI, or an object that says where the data is")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Loose, E> {
                Ok(match marker::fields(text) {
                    Some(fields) => Loose::Fields(Box::new(fields)),
                    None => Loose::Text(text.to_owned()),
                })
            }
            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Loose, A::Error> {
                OwnedFields::deserialize(de::value::MapAccessDeserializer::new(map))
                    .map(|fields| Loose::Fields(Box::new(fields)))
            }
            fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Loose, D::Error> {
                inner.deserialize_any(self)
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

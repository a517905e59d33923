//! Who asks Amazon's services.

// Without the feature all of this is set, and nothing is made of it.
#![cfg_attr(not(feature = "bedrock"), allow(dead_code))]

#[cfg(feature = "bedrock")]
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::place::Place;

/// Credentials of Amazon Web Services; see [`LMBuilder::aws_credentials`](super::LMBuilder::aws_credentials).
///
/// ```no_run
/// # fn f() -> Result<(), dspy_core::LmError> {
/// use dspy_core::lm::{AwsCredentials, LM};
///
/// let credentials = AwsCredentials::new("AKIA...", "the secret access key").session_token("...");
/// let lm = LM::builder("bedrock/amazon.nova-lite-v1:0").region("eu-west-1").aws_credentials(credentials).build()?;
/// # let _ = lm; Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct AwsCredentials {
    pub(crate) access_key_id: SecretString,
    pub(crate) secret_access_key: SecretString,
    pub(crate) session_token: Option<SecretString>,
}

impl AwsCredentials {
    /// The id of an access key, and its secret.
    pub fn new(access_key_id: impl Into<SecretString>, secret_access_key: impl Into<SecretString>) -> Self {
        Self {
            access_key_id: access_key_id.into(),
            secret_access_key: secret_access_key.into(),
            session_token: None,
        }
    }

    /// Sets the token of a session, which temporary credentials have besides.
    #[must_use]
    pub fn session_token(mut self, token: impl Into<SecretString>) -> Self {
        self.session_token = Some(token.into());
        self
    }

    fn of_environment(env: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let credentials = Self::new(env("AWS_ACCESS_KEY_ID")?, env("AWS_SECRET_ACCESS_KEY")?);
        Some(match env("AWS_SESSION_TOKEN") {
            Some(token) => credentials.session_token(token),
            None => credentials,
        })
    }
}

/// How requests to an Amazon service are signed.
#[derive(Debug, Clone)]
pub(crate) struct Signing {
    pub(crate) region: String,
    /// Those that are looked for where AWS's own tools look, if there are none.
    pub(crate) credentials: Option<AwsCredentials>,
}

impl Signing {
    /// How requests to a place are signed: with the credentials of the code, else those of the environment, else those
    /// that are found when they are needed.
    pub(super) fn find(
        place: &Place,
        model: &str,
        given: Option<AwsCredentials>,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        let region = place.region.clone().or_else(|| region_of(model)).or_else(|| {
            let host = place.api_base.split_once("://")?.1;
            Some(host.strip_prefix("bedrock-runtime")?.split('.').nth(1)?.to_owned())
        });
        let region = region.ok_or(
            "requests are signed for a region, and none is known: set it with `.region(..)`, in AWS_REGION or in the profile",
        )?;
        let credentials = match given {
            Some(given) => Some(given),
            None if place.trusted => AwsCredentials::of_environment(env),
            None => {
                return Err(format!(
                    "no credentials of the environment are sent to an endpoint that was chosen in code: give them with \
                     `.aws_credentials(..)` or `.api_key(..)`, or set AWS_ENDPOINT_URL_BEDROCK_RUNTIME={} instead",
                    place.api_base
                ));
            }
        };
        Ok(Self { region, credentials })
    }
}

/// The region of the profile that `AWS_PROFILE` names, or of the usual one, in the files of AWS's own tools.
#[cfg(feature = "bedrock")]
pub(super) fn region_of_profile(env: impl Fn(&str) -> Option<String>) -> Option<String> {
    let home = env("HOME").or_else(|| env("USERPROFILE"));
    let file = |var: &str, name: &str| {
        let named = env(var).map(PathBuf::from);
        named.or_else(|| Some(Path::new(home.as_ref()?).join(".aws").join(name)))
    };
    let profile = env("AWS_PROFILE").unwrap_or_else(|| "default".to_owned());
    let region = |path: Option<PathBuf>, sections: &[&str]| {
        let files = ini::Ini::load_from_file(path?).ok()?;
        let region = sections.iter().find_map(|section| files.get_from(Some(*section), "region"))?.trim();
        (!region.is_empty()).then(|| region.to_owned())
    };
    let section = format!("profile {profile}");
    let sections = if profile == "default" { [&*profile, &*section] } else { [&*section, &*section] };
    region(file("AWS_CONFIG_FILE", "config"), &sections)
        .or_else(|| region(file("AWS_SHARED_CREDENTIALS_FILE", "credentials"), &[&profile]))
}

#[cfg(not(feature = "bedrock"))]
pub(super) fn region_of_profile(_: impl Fn(&str) -> Option<String>) -> Option<String> {
    None
}

/// The region that a model's name tells, if it is an ARN.
pub(super) fn region_of(model: &str) -> Option<String> {
    let mut parts = model.strip_prefix("arn:")?.split(':');
    parts.nth(2).filter(|region| !region.is_empty()).map(str::to_owned)
}

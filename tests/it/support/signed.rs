//! A file that is signed by every kind of key, by `rig/signer.py`.

use super::{rig, run, web};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

pub(crate) const HASHES: [&str; 4] = ["SHA-224", "SHA-256", "SHA-384", "SHA-512"];

/// One file, signed by every kind of key; made once for the test process.
pub(crate) struct Signed {
    pub(crate) folder: PathBuf,
    pub(crate) file: PathBuf,
    /// Key type (or `leaf`) → hash → signature.
    pub(crate) made: BTreeMap<String, BTreeMap<String, String>>,
}

impl Signed {
    /// Where [`web::Web`] has the same data.
    pub(crate) const ON_THE_WEB: &str = "/big";

    pub(crate) fn get() -> Option<&'static Self> {
        static SIGNED: OnceLock<Option<Signed>> = OnceLock::new();
        // Removed as the folders of the rig's servers are.
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("rig-{}-signer", std::process::id()));
        SIGNED.get_or_init(|| Self::new(folder)).as_ref()
    }

    fn new(folder: PathBuf) -> Option<Self> {
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("disk.raw");
        fs::write(&file, web::data(Self::ON_THE_WEB).unwrap()).unwrap();
        let made = signer(&["all", folder.to_str().unwrap(), file.to_str().unwrap()])?;
        Some(Self { made: serde_json::from_str(&made).unwrap(), folder, file })
    }

    pub(crate) fn certificate(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.pem"))
    }

    /// The arguments of `larder image push` for a signature.
    pub(crate) fn properties(&self, by: &str, hash: &str, certificate: &str) -> [String; 8] {
        let all = self.fields(by, hash, certificate);
        let all: Vec<String> =
            all.iter().flat_map(|(name, value)| ["--property".to_owned(), format!("{name}={value}")]).collect();
        all.try_into().unwrap()
    }

    /// The four properties.
    pub(crate) fn fields<'a>(
        &'a self,
        by: &'a str,
        hash: &'a str,
        certificate: &'a str,
    ) -> [(&'static str, &'a str); 4] {
        let kind = if by == "leaf" { "ECC_SECP384R1" } else { by };
        [
            ("img_signature", self.made[by][hash].as_str()),
            ("img_signature_hash_method", hash),
            ("img_signature_key_type", kind),
            ("img_signature_certificate_uuid", certificate),
        ]
    }

    /// The same, as fields of a new raw image.
    pub(crate) fn image(&self, by: &str, hash: &str, certificate: &str) -> Value {
        let fields = self.fields(by, hash, certificate).map(|(name, value)| (name.to_owned(), value.into()));
        let formats = [("disk_format", "raw"), ("container_format", "bare"), ("name", "signed")];
        let formats = formats.map(|(name, value)| (name.to_owned(), value.into()));
        Value::Object(fields.into_iter().chain(formats).collect())
    }

    pub(crate) fn data(&self) -> Vec<u8> {
        fs::read(&self.file).unwrap()
    }
}

/// Runs `signer.py`; none where there is no rig.
pub(crate) fn signer(args: &[&str]) -> Option<String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/rig/signer.py");
    Some(run(Command::new(rig::program("python")?).arg(script).args(args).env("PYTHONWARNINGS", "ignore")))
}

//! No property of an image and no certificate makes verifying a signature panic.

#![no_main]

use larder::{
    base::certificate::{Anchor, Certificate, check_chain},
    image::signature::Signature,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, usize, [u8; 64], &[u8])| {
    let (value, which, hash, certificate) = input;
    let kinds = ["RSA-PSS", "DSA", "ECC_SECP384R1", "ECC_SECP521R1", "ECC_SECT571K1", value];
    let property = |name: &str| match name {
        "img_signature_hash_method" => Some("SHA-512"),
        "img_signature_key_type" => Some(kinds[which % kinds.len()]),
        "img_signature_certificate_uuid" => Some("3f0e8d1c-7f3b-4a55-9d36-0a3b5b0a2f11"),
        _ => Some(value),
    };
    let signature = Signature::of(property);
    let Ok(certificate) = Certificate::read(certificate) else { return };
    let hex: String = hash.iter().map(|it| format!("{it:02x}")).collect();
    if let Ok(Some(signature)) = signature {
        let _ = signature.verify(&certificate, &hex);
    }
    let anchors = [Anchor { id: String::new(), certificate: certificate.clone() }];
    let _ = check_chain(&certificate, &anchors, certificate.not_before());
});

//! Planes speak only to those who prove that they belong: join token or client certificate.

use std::fs;

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use testkit::{MASTER_KEY, Process, binary};

use crate::world::{World, admin, apply, chat, client, secrets, text};

/// An authority, and a certificate of it for 127.0.0.1 that serves both ends.
fn certificates(world: &World, name: &str) -> [std::path::PathBuf; 3] {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority_params = CertificateParams::new(Vec::new()).unwrap();
    authority_params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = authority_params.self_signed(&authority_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let issuer = Issuer::new(authority_params, authority_key);
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let files = [("ca", authority.pem()), ("cert", certificate.pem()), ("key", key.serialize_pem())];
    files.map(|(part, pem)| {
        let path = world.path(&format!("{name}-{part}.pem"));
        fs::write(&path, pem).unwrap();
        path
    })
}

#[test]
fn a_client_certificate_stands_for_the_join_token() {
    let world = World::new();
    let [ca, cert, key] = certificates(&world, "fleet");
    let dir = world.path("control-plane");
    let args = [
        "control-plane",
        "--data-dir",
        text(&dir),
        "--admin-listen",
        "127.0.0.1:0",
        "--grpc-listen",
        "127.0.0.1:0",
        "--ops-listen",
        "127.0.0.1:0",
        "--allow-private-networks",
        "--output",
        "json",
        "--grpc-cert",
        text(&cert),
        "--grpc-key",
        text(&key),
        "--grpc-client-ca",
        text(&ca),
    ];
    let control = Process::spawn(&binary("portcullis").unwrap(), args, &secrets()).unwrap();
    let tenant_key = apply(&admin(&control), &world.document()).unwrap();
    let grpc = control.ready().grpc.as_ref().unwrap().replace("http://", "https://");
    let more = ["--grpc-ca", text(&ca), "--grpc-cert", text(&cert), "--grpc-key", text(&key)];
    let args = world.proxy_args(&grpc, "proxy-1", &more);
    let proxy =
        Process::spawn(&binary("portcullis-proxy").unwrap(), args, &[("PORTCULLIS_MASTER_KEY", MASTER_KEY)])
            .unwrap();
    let reply = client(&proxy, &tenant_key).post("/v1/chat/completions", &chat("hi")).unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
}

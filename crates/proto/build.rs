//! Compiles `proto/portcullis.proto` in Rust, so that no machine needs a `protoc`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=../../proto/portcullis.proto");
    let descriptors = protox::compile(["portcullis.proto"], ["../../proto"])?;
    tonic_prost_build::configure().bytes(".").compile_fds(descriptors)?;
    Ok(())
}

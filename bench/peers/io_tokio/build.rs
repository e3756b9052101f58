//! Tells the program which Tokio it was built with, from the lock file.
fn main() {
    println!("cargo:rerun-if-changed=Cargo.lock");
    let lock = std::fs::read_to_string("Cargo.lock").unwrap_or_default();
    let version = lock
        .split("[[package]]")
        .find(|p| p.contains("name = \"tokio\""))
        .and_then(|p| p.split("version = \"").nth(1))
        .and_then(|p| p.split('"').next())
        .unwrap_or("of unknown version");
    println!("cargo:rustc-env=BENCH_TOKIO_VERSION={version}");
}

//! Links the driver and the tree that all programs share, from FJ_LIBRARY (the path of the static
//! library), and tells the program which Rayon it was built with, from the lock file.
use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=Cargo.lock");
    println!("cargo:rerun-if-env-changed=FJ_LIBRARY");
    let lock = std::fs::read_to_string("Cargo.lock").unwrap_or_default();
    let version = lock
        .split("[[package]]")
        .find(|p| p.contains("name = \"rayon\""))
        .and_then(|p| p.split("version = \"").nth(1))
        .and_then(|p| p.split('"').next())
        .unwrap_or("of unknown version");
    println!("cargo:rustc-env=BENCH_RAYON_VERSION={version}");
    let library = std::env::var("FJ_LIBRARY").expect("FJ_LIBRARY is not set");
    println!("cargo:rerun-if-changed={library}");
    let directory = Path::new(&library).parent().expect("FJ_LIBRARY is a path");
    println!("cargo:rustc-link-search=native={}", directory.display());
    println!("cargo:rustc-link-arg={library}");
    println!("cargo:rustc-link-arg=-lm");
}

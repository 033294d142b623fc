//! Lists the files of `catalogue/matrix`, so that a new one is embedded
//! without being named anywhere.

use std::{env, error::Error, fmt::Write as _, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR")?)
        .join("../../catalogue/matrix")
        .canonicalize()?;
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            paths.push(path);
        }
    }
    paths.sort();
    let mut list = String::from("&[\n");
    for path in &paths {
        println!("cargo::rerun-if-changed={}", path.display());
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or("a file name that is not UTF-8")?;
        let full = path.to_str().ok_or("a path that is not UTF-8")?;
        writeln!(list, "    ({name:?}, include_str!({full:?})),")?;
    }
    list.push(']');
    fs::write(
        Path::new(&env::var("OUT_DIR")?).join("matrix_files.rs"),
        list,
    )?;
    Ok(())
}

// `PROGRAM URL LIBRARY [ask]` does the same with the library that is named.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("which server?")?;
    let user_name = match arguments.next().as_deref() {
        Some("isahc") => job_isahc::user_name,
        Some("reqwest") => job_reqwest::user_name,
        _ => job_ureq::user_name,
    };
    println!("{}", user_name(&url, arguments.next().is_some())?);
    Ok(())
}

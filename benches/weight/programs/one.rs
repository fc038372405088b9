// `PROGRAM URL [ask]` logs in, fetches a user, and prints the name. With `ask` it asks the server first
// how it wants to be logged in to.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("which server?")?;
    println!("{}", job::user_name(&url, arguments.next().is_some())?);
    Ok(())
}

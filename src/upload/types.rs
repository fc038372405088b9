//! Media types by the ending of the file name, which is what the server goes by.

/// Endings and the types that machines know them by, the usual one first.
///
/// The server looks an ending up in the table of its machine, and these differ. An ending is here only
/// if all that are in use are here with it: for one that some machines take for plain text, for
/// example, nobody but the server can say what comes of it.
static TYPES: &[(&str, &[&str])] = &[
    ("pdf", &["application/pdf", "application/x-pdf"]),
    ("rtf", &["application/rtf", "text/rtf"]),
    ("doc", &["application/msword"]),
    ("docx", &["application/vnd.openxmlformats-officedocument.wordprocessingml.document"]),
    ("odt", &["application/vnd.oasis.opendocument.text"]),
    ("latex", &["application/x-latex"]),
    ("tex", &["text/x-tex", "application/x-tex"]),
    ("xls", &["application/vnd.ms-excel", "application/msexcel", "application/excel"]),
    ("xlsx", &["application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"]),
    ("ods", &["application/vnd.oasis.opendocument.spreadsheet"]),
    ("ppt", &["application/vnd.ms-powerpoint", "application/mspowerpoint"]),
    ("pptx", &["application/vnd.openxmlformats-officedocument.presentationml.presentation"]),
    ("odp", &["application/vnd.oasis.opendocument.presentation"]),
    ("txt", &["text/plain"]),
    ("md", &["text/markdown", "text/x-markdown", "text/plain"]),
    ("rtx", &["text/richtext"]),
    ("csv", &["text/csv", "text/comma-separated-values", "application/vnd.ms-excel"]),
    ("png", &["image/png", "image/x-png"]),
    ("jpg", &["image/jpeg", "image/jpg", "image/pjpeg"]),
    ("jpeg", &["image/jpeg", "image/jpg", "image/pjpeg"]),
    ("gif", &["image/gif"]),
    ("svg", &["image/svg+xml"]),
    ("tif", &["image/tiff"]),
    ("tiff", &["image/tiff"]),
    ("bmp", &["image/bmp", "image/x-ms-bmp", "image/x-bmp"]),
    ("webp", &["image/webp"]),
    ("html", &["text/html"]),
    ("htm", &["text/html"]),
    ("zip", &["application/zip", "application/x-zip-compressed", "application/x-zip"]),
    ("tar", &["application/x-tar", "application/tar"]),
    ("7z", &["application/x-7z-compressed"]),
    (
        "rar",
        &[
            "application/vnd.rar",
            "application/x-rar-compressed",
            "application/x-rar",
            "application/rar",
        ],
    ),
    (
        "exe",
        &[
            "application/x-msdos-program",
            "application/x-msdownload",
            "application/x-dosexec",
            "application/x-ms-dos-executable",
            "application/vnd.microsoft.portable-executable",
            "application/octet-stream",
        ],
    ),
    ("mp3", &["audio/mpeg", "audio/mp3"]),
    ("mp4", &["video/mp4", "application/mp4"]),
    ("mov", &["video/quicktime"]),
];

const UNKNOWN: &str = "application/octet-stream";

/// The endings of compressed files, in front of which the server looks for another one. It minds
/// their case.
const COMPRESSIONS: [&str; 5] = ["gz", "bz2", "xz", "Z", "br"];

/// What comes after the last point of the name, unless that is at its beginning.
fn ending(name: &str) -> Option<(&str, &str)> {
    let (root, ending) = name.rsplit_once('.')?;
    (!root.trim_start_matches('.').is_empty() && !ending.is_empty()).then_some((root, ending))
}

fn types_of(ending: &str) -> Option<&'static [&'static str]> {
    let found = TYPES.iter().find(|(known, _)| known.eq_ignore_ascii_case(ending));
    found.map(|(_, types)| *types)
}

/// The usual media type of a file of this name.
pub(super) fn content_type_of(name: &str) -> &'static str {
    let types = ending(name).and_then(|(_, ending)| types_of(ending));
    types.and_then(|types| types.first()).copied().unwrap_or(UNKNOWN)
}

/// Why a server that takes files of the types `allowed` certainly does not take one of this name, as
/// the end of a sentence; `None` if it may take it.
pub(crate) fn refused_type(name: &str, allowed: &[String]) -> Option<String> {
    // The server goes by what it keeps of the name.
    let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let Some((root, mut found)) = ending(name) else {
        return Some("has no ending such as `.pdf`, by which the server tells its type".to_owned());
    };
    if COMPRESSIONS.contains(&found) {
        found = ending(root)?.1;
    }
    let types = types_of(found)?;
    let usual = types.first()?;
    let is_allowed = types.iter().any(|known| allowed.iter().any(|allowed| allowed == known));
    (!is_allowed).then(|| format!("is of type {usual}, which the server does not take"))
}

/// The endings of files that a server with these types usually takes.
pub(crate) fn commonly_accepted(allowed: &[String]) -> impl Iterator<Item = &'static str> {
    let usual = TYPES.iter().filter(move |(_, types)| {
        types.first().is_some_and(|usual| allowed.iter().any(|allowed| allowed == usual))
    });
    usual.map(|(ending, _)| *ending)
}

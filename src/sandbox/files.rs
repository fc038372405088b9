//! Uploaded files: which are taken, and under which names they are stored. Their content is not
//! kept, since the server has no address that shows it.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use fastrand::Rng;

use crate::sandbox::random;

/// The largest file in bytes.
pub(crate) const MAX_SIZE: usize = 2_621_440;

/// The longest name of an uploaded file that is kept, in characters.
const MAX_SENT_NAME: usize = 255;

/// The longest path of a stored file, in characters.
const MAX_PATH: usize = 100;

const FOLDER: &str = "allocations";

/// The types of files that may be stored.
pub(crate) static ALLOWED_TYPES: &[&str] = &[
    "application/pdf",
    "application/rtf",
    "application/msword",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.oasis.opendocument.text",
    "application/x-latex",
    "application/x-tex",
    "application/vnd.ms-excel",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.oasis.opendocument.spreadsheet",
    "application/vnd.ms-powerpoint",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "text/plain",
    "text/markdown",
    "text/richtext",
    "text/csv",
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/svg+xml",
    "image/tiff",
    "image/bmp",
];

/// Extensions and their types, as a server machine knows them: more than may be stored.
static TYPES: &[(&str, &str)] = &[
    ("pdf", "application/pdf"),
    ("rtf", "application/rtf"),
    ("doc", "application/msword"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("odt", "application/vnd.oasis.opendocument.text"),
    ("latex", "application/x-latex"),
    ("tex", "text/x-tex"),
    ("xls", "application/vnd.ms-excel"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("ods", "application/vnd.oasis.opendocument.spreadsheet"),
    ("ppt", "application/vnd.ms-powerpoint"),
    ("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ("odp", "application/vnd.oasis.opendocument.presentation"),
    ("txt", "text/plain"),
    ("md", "text/markdown"),
    ("rtx", "text/richtext"),
    ("csv", "text/csv"),
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("svg", "image/svg+xml"),
    ("tif", "image/tiff"),
    ("tiff", "image/tiff"),
    ("bmp", "image/bmp"),
    ("html", "text/html"),
    ("htm", "text/html"),
    ("xml", "application/xml"),
    ("json", "application/json"),
    ("js", "text/javascript"),
    ("py", "text/x-python"),
    ("c", "text/x-csrc"),
    ("sh", "application/x-sh"),
    ("zip", "application/zip"),
    ("tar", "application/x-tar"),
    ("7z", "application/x-7z-compressed"),
    ("exe", "application/x-msdos-program"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("webp", "image/webp"),
];

/// A file part of a body.
#[derive(Clone, Debug)]
pub(crate) struct Upload {
    /// As sent, without directories.
    pub(crate) name: String,
    /// Without parameters.
    pub(crate) content_type: String,
    pub(crate) content: Bytes,
}

impl Upload {
    /// What the server writes where a file stands in text: a list, as names may come many times.
    pub(crate) fn in_words(&self) -> String {
        format!("[<InMemoryUploadedFile: {} ({})>]", self.name, self.content_type)
    }

    /// Checks a file. Its type is that of its extension, whatever the part says.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.content.is_empty() {
            return Err("The submitted file is empty.".to_owned());
        }
        if self.content.len() > MAX_SIZE {
            return Err("File size should not exceed 2.50 MB.".to_owned());
        }
        let (root, extension) = split_extension(&self.name);
        // What a file is compressed with says nothing about its type.
        let extension = match extension {
            ".gz" | ".Z" | ".bz2" | ".xz" | ".br" => split_extension(root).1,
            ".tgz" | ".taz" | ".tz" | ".txz" | ".tbz2" => ".tar",
            other => other,
        };
        let extension = extension.trim_start_matches('.').to_lowercase();
        let Some((_, found)) = TYPES.iter().find(|(known, _)| *known == extension) else {
            return Err("File type could not be resolved.".to_owned());
        };
        if ALLOWED_TYPES.contains(found) {
            Ok(())
        } else {
            Err(format!("File type '{found}' is not allowed."))
        }
    }
}

/// The name of an uploaded file without directories; none if nothing is left.
pub(crate) fn sent_name(sent: &str) -> Option<String> {
    let sent = unescaped(sent);
    let name: String = base_name(&sent).chars().filter(|it| !it.is_control()).collect();
    if matches!(name.as_str(), "" | "." | "..") {
        return None;
    }
    let (root, extension) = split_extension(&name);
    let extension: String = extension.chars().take(MAX_SENT_NAME).collect();
    let room = MAX_SENT_NAME.saturating_sub(extension.chars().count());
    let root: String = root.chars().take(room).collect();
    Some(format!("{root}{extension}"))
}

/// The server takes names for HTML; here as far as marks of that are concerned.
fn unescaped(name: &str) -> String {
    const MARKS: [(&str, &str); 5] =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    MARKS.iter().fold(name.to_owned(), |name, (escaped, mark)| name.replace(escaped, mark))
}

/// What follows the last slash of either kind.
pub(crate) fn base_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// The name before the extension, and the extension with its dot.
fn split_extension(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(at) if at > 0 => name.split_at(at),
        _ => (name, ""),
    }
}

/// The paths that are taken. A file stays when the attachment goes, and when a write fails.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    paths: Arc<HashSet<String>>,
}

impl Files {
    /// Stores a file of this name and returns its path.
    pub(crate) fn store(&mut self, random: &mut Rng, name: &str) -> String {
        let fits = |character: &char| character.is_alphanumeric() || "-_.".contains(*character);
        let name: String = name.trim().replace(' ', "_").chars().filter(fits).collect();
        let (root, extension) = split_extension(&name);
        let mut path = format!("{FOLDER}/{name}");
        while self.paths.contains(&path) || path.chars().count() > MAX_PATH {
            let suffix: String = random::text(random, 7);
            let others = FOLDER.len() + 2 + suffix.len();
            let extension: String = extension.chars().take(MAX_PATH - others).collect();
            let room = MAX_PATH.saturating_sub(others).saturating_sub(extension.chars().count());
            let root: String = root.chars().take(room).collect();
            path = format!("{FOLDER}/{root}_{suffix}{extension}");
        }
        self.keep(&path);
        path
    }

    /// Takes a path for good.
    pub(crate) fn keep(&mut self, path: &str) {
        Arc::make_mut(&mut self.paths).insert(path.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use fastrand::Rng;

    use super::{ALLOWED_TYPES, Files, TYPES, Upload, sent_name};

    #[test]
    fn the_extension_decides_about_a_file() {
        let check = |name: &str| {
            let content = Bytes::from_static(b"x");
            Upload { name: name.to_owned(), content_type: String::new(), content }.check()
        };
        assert_eq!(check("a.b.PDF"), Ok(()));
        assert_eq!(check("a.pdf.gz"), Ok(()));
        for (name, found) in [
            ("a.zip", "application/zip"),
            ("paper.tex", "text/x-tex"),
            ("a.tar.gz", "application/x-tar"),
        ] {
            assert_eq!(check(name), Err(format!("File type '{found}' is not allowed.")));
        }
        for name in ["README", ".pdf", "a.", "a.gz", "a.unheard-of"] {
            assert_eq!(check(name), Err("File type could not be resolved.".to_owned()), "{name}");
        }
        let known = |it: &&&str| TYPES.iter().any(|(_, found)| found == *it);
        let unknown: Vec<_> = ALLOWED_TYPES.iter().filter(|it| !known(it)).collect();
        assert_eq!(unknown, [&"application/x-tex"]);
    }

    #[test]
    fn names_lose_directories_and_may_be_shortened() {
        let cases = [
            ("report.pdf", Some("report.pdf")),
            ("../../etc/passwd.txt", Some("passwd.txt")),
            (r"C:\Users\me\my report.pdf", Some("my report.pdf")),
            ("R&amp;D &lt;1&gt;.pdf", Some("R&D <1>.pdf")),
            ("R&amp;amp;D.pdf", Some("R&amp;D.pdf")),
            ("  blanks  .pdf", Some("  blanks  .pdf")),
            ("a/..", None),
            ("a/", None),
            ("\u{7}", None),
        ];
        for (sent, expected) in cases {
            assert_eq!(sent_name(sent).as_deref(), expected, "{sent}");
        }
        let long = sent_name(&format!("{}.pdf", "ä".repeat(400))).unwrap();
        assert_eq!((long.chars().count(), long.ends_with("ä.pdf")), (255, true));
    }

    #[test]
    fn stored_names_are_plain_and_never_taken_twice() {
        let (mut files, mut random) = (Files::default(), Rng::with_seed(1));
        let mut store = |name: &str| files.store(&mut random, name);
        assert_eq!(store("proposal ünï (final).pdf"), "allocations/proposal_ünï_final.pdf");
        assert_eq!(store("a.csv"), "allocations/a.csv");
        let second = store("a.csv");
        assert!(second.starts_with("allocations/a_") && second.ends_with(".csv"), "{second}");
        assert_eq!(second.len(), "allocations/a_1234567.csv".len());
        for name in [format!("{}.pdf", "ä".repeat(300)), format!("a.{}", "ä".repeat(300))] {
            let (first, second) = (store(&name), store(&name));
            assert_ne!(first, second);
            assert_eq!(first.chars().count(), 100);
        }
    }
}

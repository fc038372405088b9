//! Reads JSON with the tolerance and the error texts of Python's reader, which the server uses.

use std::borrow::Cow;

use crate::sandbox::json::{Json, Name};

/// Deeper nesting is refused, so that no input can exhaust the stack.
const MAX_DEPTH: usize = 200;

/// Why a text is not JSON.
#[derive(Debug, PartialEq)]
pub(crate) enum JsonError {
    /// The message of the server.
    Syntax(String),
    /// Nested too deeply; the server runs into an internal error.
    TooDeep,
}

pub(crate) fn parse(text: &str) -> Result<Json, JsonError> {
    let characters: Vec<char> = text.chars().collect();
    let mut parser = Parser { characters: &characters, at: 0 };
    if characters.first() == Some(&'\u{feff}') {
        return Err(parser.error_at("Unexpected UTF-8 BOM (decode using utf-8-sig)", 0));
    }
    parser.skip_blanks();
    let value = parser.value(0)?;
    parser.skip_blanks();
    if parser.at < characters.len() {
        return Err(parser.error_at("Extra data", parser.at));
    }
    Ok(value)
}

struct Parser<'a> {
    characters: &'a [char],
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t' | '\n' | '\r')) {
            self.at += 1;
        }
    }

    fn error_at(&self, message: &str, at: usize) -> JsonError {
        let before = self.characters.get(..at).unwrap_or(self.characters);
        let line = before.iter().filter(|&&character| character == '\n').count() + 1;
        let column = before.iter().rev().take_while(|&&character| character != '\n').count() + 1;
        JsonError::Syntax(format!("{message}: line {line} column {column} (char {at})"))
    }

    fn take_word(&mut self, word: &str) -> bool {
        let end = self.at + word.len();
        let found = self
            .characters
            .get(self.at..end)
            .is_some_and(|found| found.iter().copied().eq(word.chars()));
        if found {
            self.at = end;
        }
        found
    }

    fn value(&mut self, depth: usize) -> Result<Json, JsonError> {
        if depth > MAX_DEPTH {
            return Err(JsonError::TooDeep);
        }
        match self.peek() {
            Some('"') => self.string().map(Json::Text),
            Some('{') => self.object(depth),
            Some('[') => self.list(depth),
            Some('n') if self.take_word("null") => Ok(Json::Null),
            Some('t') if self.take_word("true") => Ok(Json::Boolean(true)),
            Some('f') if self.take_word("false") => Ok(Json::Boolean(false)),
            Some('N') if self.take_word("NaN") => Err(Self::out_of_range("NaN")),
            Some('I') if self.take_word("Infinity") => Err(Self::out_of_range("Infinity")),
            Some('-') if self.take_word("-Infinity") => Err(Self::out_of_range("-Infinity")),
            Some('-' | '0'..='9') => self.number(),
            _ => Err(self.error_at("Expecting value", self.at)),
        }
    }

    fn out_of_range(value: &str) -> JsonError {
        JsonError::Syntax(format!("Out of range float values are not JSON compliant: '{value}'"))
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.peek(), Some('0'..='9')) {
            self.at += 1;
        }
        self.at - start
    }

    fn number(&mut self) -> Result<Json, JsonError> {
        let start = self.at;
        if self.peek() == Some('-') {
            self.at += 1;
        }
        if self.peek() == Some('0') {
            self.at += 1;
        } else if self.digits() == 0 {
            return Err(self.error_at("Expecting value", start));
        }
        let mut integer = true;
        let mark = self.at;
        if self.peek() == Some('.') {
            self.at += 1;
            if self.digits() == 0 {
                self.at = mark;
            } else {
                integer = false;
            }
        }
        let mark = self.at;
        if matches!(self.peek(), Some('e' | 'E')) {
            self.at += 1;
            if matches!(self.peek(), Some('+' | '-')) {
                self.at += 1;
            }
            if self.digits() == 0 {
                self.at = mark;
            } else {
                integer = false;
            }
        }
        let text: String = self.characters.get(start..self.at).unwrap_or_default().iter().collect();
        if integer {
            // Beyond this range only the sign matters: every column is narrower.
            let limit = if text.starts_with('-') { i128::MIN } else { i128::MAX };
            return Ok(Json::Integer(text.parse().unwrap_or(limit)));
        }
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Json::Float(value)),
            _ => Err(Self::out_of_range("inf")),
        }
    }

    fn string(&mut self) -> Result<String, JsonError> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            let Some(character) = self.peek() else {
                return Err(self.error_at("Unterminated string starting at", start));
            };
            self.at += 1;
            match character {
                '"' => return Ok(text),
                '\\' => text.push(self.escape(start)?),
                '\u{0}'..='\u{1f}' => {
                    return Err(self.error_at("Invalid control character at", self.at - 1));
                }
                other => text.push(other),
            }
        }
    }

    fn escape(&mut self, start: usize) -> Result<char, JsonError> {
        let Some(character) = self.peek() else {
            return Err(self.error_at("Unterminated string starting at", start));
        };
        self.at += 1;
        Ok(match character {
            '"' | '\\' | '/' => character,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let first = self.hexadecimal()?;
                let mark = self.at;
                if (0xd800..0xdc00).contains(&first) && self.take_word("\\u") {
                    let second = self.hexadecimal()?;
                    if (0xdc00..0xe000).contains(&second) {
                        let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                        return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                    }
                    self.at = mark;
                }
                char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            _ => return Err(self.error_at("Invalid \\escape", self.at - 2)),
        })
    }

    fn hexadecimal(&mut self) -> Result<u32, JsonError> {
        let digits: String =
            self.characters.get(self.at..self.at + 4).unwrap_or_default().iter().collect();
        let valid = digits.len() == 4 && digits.chars().all(|digit| digit.is_ascii_hexdigit());
        let code = u32::from_str_radix(&digits, 16).ok().filter(|_| valid);
        let Some(code) = code else {
            return Err(self.error_at("Invalid \\uXXXX escape", self.at - 1));
        };
        self.at += 4;
        Ok(code)
    }

    fn list(&mut self, depth: usize) -> Result<Json, JsonError> {
        self.at += 1;
        let mut items = Vec::new();
        self.skip_blanks();
        if self.peek() == Some(']') {
            self.at += 1;
            return Ok(Json::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.skip_blanks();
            match self.peek() {
                Some(']') => {
                    self.at += 1;
                    return Ok(Json::List(items));
                }
                Some(',') => self.at += 1,
                _ => return Err(self.error_at("Expecting ',' delimiter", self.at)),
            }
            self.skip_blanks();
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, JsonError> {
        self.at += 1;
        let mut members: Vec<(Name, Json)> = Vec::new();
        self.skip_blanks();
        if self.peek() == Some('}') {
            self.at += 1;
            return Ok(Json::Object(members));
        }
        loop {
            if self.peek() != Some('"') {
                let message = "Expecting property name enclosed in double quotes";
                return Err(self.error_at(message, self.at));
            }
            let name = self.string()?;
            self.skip_blanks();
            if self.peek() != Some(':') {
                return Err(self.error_at("Expecting ':' delimiter", self.at));
            }
            self.at += 1;
            self.skip_blanks();
            members.push((Cow::Owned(name), self.value(depth + 1)?));
            self.skip_blanks();
            match self.peek() {
                Some('}') => {
                    self.at += 1;
                    return Ok(Json::Object(members));
                }
                Some(',') => self.at += 1,
                _ => return Err(self.error_at("Expecting ',' delimiter", self.at)),
            }
            self.skip_blanks();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{JsonError, parse};
    use crate::sandbox::json::Json;

    #[test]
    fn errors_name_the_place() {
        let cases = [
            ("", "Expecting value: line 1 column 1 (char 0)"),
            ("{\"name\":", "Expecting value: line 1 column 9 (char 8)"),
            ("{bad", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
            ("{\"a\" 1}", "Expecting ':' delimiter: line 1 column 6 (char 5)"),
            ("[1\n 2]", "Expecting ',' delimiter: line 2 column 2 (char 4)"),
            ("{} x", "Extra data: line 1 column 4 (char 3)"),
            ("\"abc", "Unterminated string starting at: line 1 column 1 (char 0)"),
            ("\"\\q\"", "Invalid \\escape: line 1 column 2 (char 1)"),
            ("\"a\nb\"", "Invalid control character at: line 1 column 3 (char 2)"),
        ];
        for (text, message) in cases {
            assert_eq!(parse(text), Err(JsonError::Syntax(message.to_owned())), "{text}");
        }
        assert!(matches!(parse("[NaN]"), Err(JsonError::Syntax(_))));
        assert_eq!(parse(&"[".repeat(100_000)), Err(JsonError::TooDeep));
    }

    #[test]
    fn values_keep_their_range_and_the_last_of_repeated_names() {
        let json = parse(
            "{\"a\":1,\"b\":[18446744073709551616,-1.5e3,true,null],\"a\":\"\\ud83e\\udd80\"}",
        );
        let json = json.unwrap();
        assert_eq!(json.get("a"), Some(&Json::text("🦀")));
        let list = [
            Json::Integer(18_446_744_073_709_551_616),
            Json::Float(-1500.0),
            Json::Boolean(true),
            Json::Null,
        ];
        assert_eq!(json.get("b"), Some(&Json::List(list.to_vec())));
    }
}

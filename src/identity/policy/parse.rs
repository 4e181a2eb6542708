//! The policy language, as oslo.policy reads it.
//!
//! ```text
//! or    = and ("or" and)*
//! and   = not ("and" not)*
//! not   = "not"* one
//! one   = "(" or ")" | "@" | "!" | kind ":" match
//! ```
//!
//! Words stand apart by white space; brackets may touch the words they enclose. What cannot be understood denies: a
//! check without a colon is `!`, a rule without a structure is `!` (oslo.policy's behaviour), and where oslo.policy would
//! fail in the middle of a request, the rule and all that refer to it deny.

use crate::identity::policy::{Check, Leaf, check::LeafKind, literal, template::Template};
use serde_json::Value as Json;

/// Longest rule that is read, bytes.
const MAX_RULE: usize = 64 << 10;

/// Deepest nesting of brackets and `not`.
const MAX_DEPTH: usize = 64;

/// What is wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at character {}: {what}", at + 1)]
pub struct SyntaxError {
    /// Counted in characters from 0.
    pub at: usize,
    /// In words.
    pub what: String,
}

/// A rule as far as it was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// `!` where the text makes no sense.
    pub check: Check,
    /// The first thing that makes no sense.
    pub problem: Option<SyntaxError>,
}

/// Reads one rule.
pub fn parse(text: &str) -> Parsed {
    if text.is_empty() {
        return Parsed { check: Check::True, problem: None };
    }
    if text.len() > MAX_RULE {
        return denies(error(0, &format!("the rule is longer than {MAX_RULE} bytes")), Check::Refused);
    }
    let mut problem = None;
    let whole = tokens(text, &mut problem).and_then(|tokens| {
        let mut parser = Parser { tokens: &tokens, next: 0, end: text.chars().count(), depth: 0 };
        let check = parser.or()?;
        match parser.peek() {
            None => Ok(check),
            Some((at, Token::Close)) => Err(error(*at, "')' without '('")),
            Some((at, _)) => Err(error(*at, "'and' or 'or' is missing before this")),
        }
    });
    match whole {
        Ok(check) => Parsed { check, problem },
        Err(error) => denies(error, Check::False),
    }
}

/// Reads a rule as a policy file holds it: text, or the list of lists of old (an `or` of `and`s).
pub fn parse_value(value: &Json) -> Parsed {
    let wrong = |what: &str| denies(error(0, what), Check::Refused);
    match value {
        Json::Null => Parsed { check: Check::True, problem: None },
        Json::String(text) => parse(text),
        Json::Array(items) if items.is_empty() => Parsed { check: Check::True, problem: None },
        Json::Array(items) => {
            let mut problem = None;
            let mut choices = Vec::new();
            for item in items {
                let words: Vec<&Json> = match item {
                    Json::Array(words) => words.iter().collect(),
                    other => vec![other],
                };
                let mut all = Vec::new();
                for word in words {
                    let Some(word) = word.as_str() else { return wrong("a list of a rule holds more than texts") };
                    if word.is_empty() && item.is_string() {
                        continue;
                    }
                    all.push(leaf(word, 0, &mut problem));
                }
                if !all.is_empty() {
                    choices.push(joined(all, Check::And));
                }
            }
            let check = if choices.is_empty() { Check::False } else { joined(choices, Check::Or) };
            Parsed { check, problem }
        }
        _ => wrong("a rule is a text, or a list of lists of texts"),
    }
}

fn denies(problem: SyntaxError, check: Check) -> Parsed {
    Parsed { check, problem: Some(problem) }
}

fn error(at: usize, what: &str) -> SyntaxError {
    SyntaxError { at, what: what.to_owned() }
}

/// One check stays as it is.
fn joined(mut checks: Vec<Check>, join: fn(Vec<Check>) -> Check) -> Check {
    match checks.pop() {
        Some(only) if checks.is_empty() => only,
        Some(last) => {
            checks.push(last);
            join(checks)
        }
        None => join(checks),
    }
}

#[derive(Clone, Debug)]
enum Token {
    Open,
    Close,
    And,
    Or,
    Not,
    Leaf(Check),
}

/// Splits as oslo.policy does: at white space, then brackets off both ends of each word.
fn tokens(text: &str, problem: &mut Option<SyntaxError>) -> Result<Vec<(usize, Token)>, SyntaxError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    for word in text.split(char::is_whitespace) {
        let length = word.chars().count();
        let inner = word.trim_start_matches('(');
        let opened = word.len() - inner.len();
        tokens.extend((0..opened).map(|it| (at + it, Token::Open)));
        let core = inner.trim_end_matches(')');
        let start = at + opened;
        match core.to_lowercase().as_str() {
            "" => {}
            "and" => tokens.push((start, Token::And)),
            "or" => tokens.push((start, Token::Or)),
            "not" => tokens.push((start, Token::Not)),
            _ if is_quoted(inner) => {
                return Err(error(start, "a quoted text alone is no check; it takes 'text':%(attribute)s"));
            }
            _ => tokens.push((start, Token::Leaf(leaf(core, start, problem)))),
        }
        let close = start + core.chars().count();
        tokens.extend((close..start + inner.chars().count()).map(|it| (it, Token::Close)));
        at += length + 1;
    }
    Ok(tokens)
}

fn is_quoted(word: &str) -> bool {
    let quoted = |mark: char| word.len() >= 2 && word.starts_with(mark) && word.ends_with(mark);
    quoted('\'') || quoted('"')
}

/// One check; `at` is where it stands.
fn leaf(text: &str, at: usize, problem: &mut Option<SyntaxError>) -> Check {
    match text {
        "!" => return Check::False,
        "@" => return Check::True,
        _ => {}
    }
    let Some((kind, wanted)) = text.split_once(':') else {
        let shown: String = text.chars().take(60).collect();
        problem.get_or_insert_with(|| error(at, &format!("'{shown}' is no check: it has no ':'")));
        return Check::False;
    };
    match leaf_kind(kind, wanted, at) {
        Ok(leaf) => Check::Leaf(Leaf(leaf)),
        Err(error) => {
            problem.get_or_insert(error);
            Check::Refused
        }
    }
}

fn leaf_kind(kind: &str, wanted: &str, at: usize) -> Result<LeafKind, SyntaxError> {
    let template = || Template::parse(wanted, at + kind.chars().count() + 1);
    Ok(match kind {
        "rule" => LeafKind::Rule { name: wanted.to_owned(), at: None },
        "role" => LeafKind::Role(match template()? {
            Template::Fixed(role) => Template::Fixed(role.to_lowercase()),
            other => other,
        }),
        "http" | "https" => LeafKind::Remote(Template::parse(&format!("{kind}:{wanted}"), at)?),
        _ => match literal::left_side(kind).map_err(|what| SyntaxError { at, what })? {
            literal::LeftSide::Literal(value) => {
                LeafKind::Literal { written: kind.to_owned(), value, template: template()? }
            }
            literal::LeftSide::Attribute(key, path) => LeafKind::Credential { key, path, template: template()? },
        },
    })
}

struct Parser<'a> {
    tokens: &'a [(usize, Token)],
    next: usize,
    /// The length of the text, in characters.
    end: usize,
    depth: usize,
}

// === impl Parser ===

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a (usize, Token)> {
        self.tokens.get(self.next)
    }

    fn or(&mut self) -> Result<Check, SyntaxError> {
        let mut checks = vec![self.and()?];
        while let Some((_, Token::Or)) = self.peek() {
            self.next += 1;
            checks.push(self.and()?);
        }
        Ok(joined(checks, Check::Or))
    }

    fn and(&mut self) -> Result<Check, SyntaxError> {
        let mut checks = vec![self.one()?];
        while let Some((_, Token::And)) = self.peek() {
            self.next += 1;
            checks.push(self.one()?);
        }
        Ok(joined(checks, Check::And))
    }

    fn one(&mut self) -> Result<Check, SyntaxError> {
        let Some((at, token)) = self.peek() else {
            return Err(error(self.end, "a check is missing at the end"));
        };
        self.next += 1;
        match token {
            Token::Leaf(check) => Ok(check.clone()),
            Token::Not => self.deeper(*at, |it| it.one().map(|check| Check::Not(Box::new(check)))),
            Token::Open => self.deeper(*at, |it| {
                let check = it.or()?;
                match it.peek() {
                    Some((_, Token::Close)) => {
                        it.next += 1;
                        Ok(check)
                    }
                    Some((at, _)) => Err(error(*at, "'and' or 'or' is missing before this")),
                    None => Err(error(*at, "'(' without ')'")),
                }
            }),
            Token::Close => Err(error(*at, "')' without a check before it")),
            Token::And => Err(error(*at, "'and' without a check before it")),
            Token::Or => Err(error(*at, "'or' without a check before it")),
        }
    }

    fn deeper(
        &mut self,
        at: usize,
        parse: impl FnOnce(&mut Self) -> Result<Check, SyntaxError>,
    ) -> Result<Check, SyntaxError> {
        if self.depth == MAX_DEPTH {
            return Err(error(at, "the rule nests too deep"));
        }
        self.depth += 1;
        let check = parse(self);
        self.depth -= 1;
        check
    }
}

//! Which line of a Dockerfile a failure is about. The engine passes BuildKit's sentences on and leaves out the places
//! that BuildKit knows, so the line is found by the failed step's text and its number.

use crate::transcript::FailedStep;

/// Instructions that BuildKit gives a number, besides a `FROM`.
const NUMBERED: [&str; 4] = ["RUN", "COPY", "ADD", "WORKDIR"];
/// Where BuildKit looks an image up.
const LOOK_UP: &str = "[internal] load metadata for ";
/// Where BuildKit names a line itself.
const PARSE_ERRORS: [&str; 2] = ["dockerfile parse error line ", "dockerfile parse error on line "];

/// A Dockerfile, as far as its lines matter.
#[derive(Debug)]
pub(crate) struct Dockerfile {
    stages: Vec<Stage>,
    lines: u32,
}

/// From one `FROM` to the next.
#[derive(Debug)]
struct Stage {
    name: Option<String>,
    /// The image; `None` where it is another stage or nothing.
    image: Option<String>,
    instructions: Vec<Instruction>,
}

#[derive(Debug)]
struct Instruction {
    line: u32,
    keyword: String,
    /// The whole of it on one line, with single spaces.
    text: String,
}

/// A step as BuildKit names it: `[builder 2/5] RUN make`.
struct Step<'a> {
    stage: Option<&'a str>,
    number: usize,
    of: usize,
    text: String,
}

impl Dockerfile {
    pub(crate) fn parse(text: &str) -> Self {
        let mut file = Self { stages: Vec::new(), lines: u32::try_from(text.lines().count()).unwrap_or(u32::MAX) };
        for instruction in instructions(text) {
            if instruction.keyword == "FROM" {
                let stage = file.stage(&instruction);
                file.stages.push(stage);
            }
            if let Some(stage) = file.stages.last_mut() {
                stage.instructions.push(instruction);
            }
        }
        file
    }

    /// The line, from 1, that a build's failure is about.
    pub(crate) fn line_of(&self, step: Option<&FailedStep>, message: &str) -> Option<u32> {
        let named = step.and_then(|step| self.line_of_step(step.name()));
        named.or_else(|| parse_error(message).filter(|line| (1..=self.lines).contains(line)))
    }

    fn line_of_step(&self, name: &str) -> Option<u32> {
        if let Some(image) = name.strip_prefix(LOOK_UP) {
            return self.line_of_image(image);
        }
        let step = Step::parse(name)?;
        let all = || self.stages.iter().flat_map(|stage| &stage.instructions);
        let same: Vec<&Instruction> = all().filter(|one| one.is_called(&step.text)).collect();
        // A step that another build runs at the same time may carry that one's number: the text counts for more.
        let numbered = self.numbered(&step);
        match (same.as_slice(), numbered) {
            ([one], _) => Some(one.line),
            ([], numbered) => numbered.filter(|one| step.text.starts_with(&one.keyword)).map(|one| one.line),
            (several, Some(numbered)) if several.iter().any(|one| one.line == numbered.line) => Some(numbered.line),
            ([first, ..], _) => Some(first.line),
        }
    }

    /// The instruction with the step's number, if the numbers of its stage are what they would be here.
    fn numbered(&self, step: &Step<'_>) -> Option<&Instruction> {
        let called = |(at, stage): &(usize, &Stage)| match step.stage {
            Some(name) => stage.name.as_deref() == Some(name) || format!("stage-{at}") == name,
            None => self.stages.len() == 1,
        };
        let (_, stage) = self.stages.iter().enumerate().find(called)?;
        let counted: Vec<&Instruction> = stage.instructions.iter().filter(|one| stage.counts(one)).collect();
        counted.get(step.number.checked_sub(1)?).filter(|_| counted.len() == step.of).copied()
    }

    fn line_of_image(&self, image: &str) -> Option<u32> {
        let outside: Vec<&Stage> = self.stages.iter().filter(|stage| stage.image.is_some()).collect();
        let wanted = outside.iter().find(|stage| stage.image.as_deref().is_some_and(|own| is_image(own, image)));
        // Its name may be put together from arguments.
        let only = outside.first().filter(|_| outside.len() == 1);
        wanted.or(only)?.instructions.first().map(|from| from.line)
    }

    fn stage(&self, from: &Instruction) -> Stage {
        let mut words = from.text.split(' ').skip(1).filter(|word| !word.starts_with("--"));
        let image = words.next().unwrap_or_default().to_owned();
        let alias = words.next().is_some_and(|word| word.eq_ignore_ascii_case("as")).then(|| words.next()).flatten();
        let known = self.stages.iter().any(|stage| stage.name.as_deref() == Some(&image.to_lowercase()));
        let image = Some(image).filter(|image| !known && image != "scratch" && !image.is_empty());
        Stage { name: alias.map(str::to_lowercase), image, instructions: Vec::new() }
    }
}

impl Stage {
    fn counts(&self, instruction: &Instruction) -> bool {
        let from = instruction.keyword == "FROM" && self.image.is_some();
        from || NUMBERED.contains(&instruction.keyword.as_str())
    }
}

impl Instruction {
    /// True for the name that BuildKit gives its step; a long one is cut.
    fn is_called(&self, step: &str) -> bool {
        self.text == step || (step.chars().count() >= CUT && self.text.starts_with(step))
    }
}

/// A step's text of so many characters may have been cut.
const CUT: usize = 200;

impl<'a> Step<'a> {
    fn parse(name: &'a str) -> Option<Self> {
        let (place, text) = name.strip_prefix('[')?.split_once("] ")?;
        let (number, of) = place.rsplit(' ').next()?.split_once('/')?;
        // Before the number: a platform, which has a slash, and the stage.
        let stage = place.split(' ').rfind(|word| !word.is_empty() && !word.contains('/'));
        Some(Self { stage, number: number.parse().ok()?, of: of.parse().ok()?, text: on_one_line(text) })
    }
}

/// `debian` and `docker.io/library/debian:latest` are the same.
fn is_image(own: &str, full: &str) -> bool {
    let bare = full.trim_start_matches("docker.io/").trim_start_matches("library/");
    let own = own.trim_start_matches("docker.io/").trim_start_matches("library/");
    own == bare || bare.strip_suffix(":latest") == Some(own)
}

fn parse_error(message: &str) -> Option<u32> {
    let rest = PARSE_ERRORS.iter().find_map(|begin| Some(message.split_once(begin)?.1))?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The instructions in their order: comments and here-documents left out, continued lines joined.
fn instructions(text: &str) -> Vec<Instruction> {
    let escape = escape(text);
    let mut found = Vec::new();
    let mut lines = (1u32..).zip(text.lines());
    while let Some((number, line)) = lines.next() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut whole = line.to_owned();
        while let Some(open) = whole.strip_suffix(escape) {
            whole = open.to_owned();
            let Some((_, next)) = lines.find(|(_, next)| !next.trim().is_empty() && !next.trim().starts_with('#'))
            else {
                break;
            };
            whole.push_str(next.trim_end());
        }
        for (word, tabs) in here_documents(&whole) {
            let ends = |line: &str| if tabs { line.trim_start_matches('\t') == word } else { line == word };
            let _ = lines.find(|(_, line)| ends(line));
        }
        let text = on_one_line(&whole);
        let (keyword, rest) = text.split_once(' ').unwrap_or((&text, ""));
        let keyword = keyword.to_uppercase();
        let text = format!("{keyword} {rest}");
        found.push(Instruction { line: number, keyword, text });
    }
    found
}

/// The character that continues a line; `# escape=` at the file's top may change it.
fn escape(text: &str) -> char {
    let directives = text.lines().map_while(|line| line.trim().strip_prefix('#')?.split_once('='));
    for (name, value) in directives {
        if name.trim().eq_ignore_ascii_case("escape") {
            return if value.trim() == "`" { '`' } else { '\\' };
        }
    }
    '\\'
}

/// The ends of the here-documents that an instruction opens (`<<EOF`, `<<-"EOF"`), and whether tabs before them count
/// for nothing.
fn here_documents(line: &str) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    let takes_them = ["RUN ", "COPY ", "ADD "]
        .iter()
        .any(|keyword| line.get(..keyword.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(keyword)));
    for rest in line.split("<<").skip(1).filter(|_| takes_them) {
        let (tabs, rest) = rest.strip_prefix('-').map_or((false, rest), |rest| (true, rest));
        let rest = rest.trim_start_matches(['"', '\'']);
        let word: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        if !word.is_empty() {
            found.push((word, tabs));
        }
    }
    found
}

#[cfg(test)]
mod tests;

//! The effective configuration as text that reads back to the same values.

/// Lines of a configuration, indented by their block.
#[derive(Debug)]
pub(super) struct Page {
    text: String,
    depth: usize,
    defaults: bool,
}

impl Page {
    /// An empty page; with `defaults` it also shows, as comments, what counts where nothing is
    /// written.
    pub(super) const fn new(defaults: bool) -> Self {
        Self {
            text: String::new(),
            depth: 0,
            defaults,
        }
    }

    /// True if it also shows what counts where nothing is written.
    pub(super) const fn with_defaults(&self) -> bool {
        self.defaults
    }

    /// One line of words, each in quotes where it needs them.
    pub(super) fn line(&mut self, words: &[&str]) {
        self.begin();
        self.words(words);
        self.text.push('\n');
    }

    /// A line that is written already, as commands are.
    pub(super) fn raw(&mut self, line: &str) {
        self.begin();
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// What counts because nothing is written.
    pub(super) fn default(&mut self, word: &str, value: &str) {
        if self.defaults {
            self.raw(&format!("# {word} {value}"));
        }
    }

    /// The beginning of a block.
    pub(super) fn open(&mut self, words: &[&str]) {
        self.begin();
        self.words(words);
        self.text.push_str(" {\n");
        self.depth += 1;
    }

    /// The end of the innermost block.
    pub(super) fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.raw("}");
    }

    /// Everything that was written.
    pub(super) fn finish(self) -> String {
        self.text
    }

    fn begin(&mut self) {
        self.text.extend(std::iter::repeat_n("    ", self.depth));
    }

    fn words(&mut self, words: &[&str]) {
        for (place, word) in words.iter().enumerate() {
            if place > 0 {
                self.text.push(' ');
            }
            if needs_quotes(word) {
                self.text.push('"');
                self.text.push_str(word);
                self.text.push('"');
            } else {
                self.text.push_str(word);
            }
        }
    }
}

/// True if `word` would not be read as one word without quotes.
fn needs_quotes(word: &str) -> bool {
    let splits = |c: char| c.is_whitespace() || c.is_control() || "{}#!\u{feff}".contains(c);
    word.is_empty() || word.contains(splits) || word.starts_with(['@', '~', '$'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_indented_and_words_quoted_where_they_must() {
        let mut page = Page::new(true);
        page.open(&["a", "b c"]);
        page.line(&["d", "", "e#f", "g"]);
        page.default("h", "1");
        page.close();
        assert_eq!(
            page.finish(),
            "a \"b c\" {\n    d \"\" \"e#f\" g\n    # h 1\n}\n"
        );
    }
}

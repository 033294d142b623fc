//! Whether a text is inside the target of a link here.

/// LIMIT: targets open at once; with more, everything is taken to be in one.
const TARGETS_MAX: usize = 8;

/// All targets that may be open. Each `](` begins one of its own, since it
/// depends on the reader which of them is text.
#[derive(Debug, Clone, Default)]
pub(super) struct Targets {
    open: Vec<Target>,
    /// There were too many.
    crowded: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Only blanks so far.
    Start,
    /// Between `<` and `>`.
    Angle,
    /// Without them, or after them.
    Bare,
}

#[derive(Debug, Clone, Copy)]
struct Target {
    form: Form,
    /// Parentheses open in it.
    depth: u32,
}

impl Targets {
    /// Takes the next character. `escaped` says that a backslash makes it
    /// plain, `closed` that a bracket has just closed.
    pub(super) fn feed(&mut self, char: char, escaped: bool, closed: bool) {
        self.open.retain_mut(|target| target.goes_on(char, escaped));
        if char == '(' && closed {
            if self.open.len() < TARGETS_MAX {
                self.open.push(Target {
                    form: Form::Start,
                    depth: 0,
                });
            } else {
                self.crowded = true;
            }
        }
    }

    /// A blank line ends every target.
    pub(super) fn end(&mut self) {
        self.open.clear();
        self.crowded = false;
    }

    /// Whether this is inside one.
    pub(super) fn carry(&self) -> bool {
        self.crowded || !self.open.is_empty()
    }
}

impl Target {
    /// Whether the target goes on after this character. Where readers differ
    /// it does: not all of them know backslashes.
    fn goes_on(&mut self, char: char, escaped: bool) -> bool {
        self.form = match (self.form, char) {
            (Form::Start, '<') => Form::Angle,
            (Form::Start, blank) if blank.is_whitespace() => Form::Start,
            (Form::Start, _) => Form::Bare,
            (Form::Angle, '\n') => Form::Bare,
            (Form::Angle, '>') if !escaped => Form::Bare,
            (form, _) => form,
        };
        match (char, self.form) {
            ('(', _) => self.depth = self.depth.saturating_add(1),
            (')', Form::Bare) if !escaped => match self.depth.checked_sub(1) {
                Some(depth) => self.depth = depth,
                None => return false,
            },
            _ => {}
        }
        true
    }
}

//! Controls, what they may decide and how far they are trusted.

words! {
    /// One safeguard that the gate performs. Each has a canary at start-up and
    /// a line in every record that says on how many bytes it ran.
    pub enum Control {
        /// Injection signatures in what goes to the vendor.
        Screening = "screening",
        /// Sensitive data, both ways.
        Redaction = "redaction",
        /// Active markup and data-carrying links in what comes back.
        Sanitising = "sanitising",
        /// Internal paths and configuration in what comes back.
        Leakage = "leakage",
    }
}

words! {
    /// What is done about a finding, mildest first.
    pub enum Action {
        /// Nothing; the finding is noted and passes.
        Allow = "allow",
        /// The text passes, the finding is recorded.
        Flag = "flag",
        /// The text is replaced, reversibly where that is safe.
        Redact = "redact",
        /// The exchange is refused.
        Block = "block",
    }
}

words! {
    /// What a control decided about one exchange, mildest first. There is no
    /// word for "did not run": a control without a verdict refuses.
    pub enum Verdict {
        /// Nothing was found that the policy minds.
        Pass = "pass",
        /// Something was found and let through.
        Flag = "flag",
        /// Something was found and replaced.
        Redact = "redact",
        /// Something was found and the exchange refused.
        Block = "block",
    }
}

words! {
    /// How far a control's decisions are carried out.
    pub enum Mode {
        /// Decisions are carried out.
        Enforce = "enforce",
        /// Decisions are recorded and not carried out, until an end date.
        Shadow = "shadow",
        /// The control does not look at all.
        Off = "off",
    }
}

impl From<Action> for Verdict {
    fn from(action: Action) -> Self {
        match action {
            Action::Allow => Self::Pass,
            Action::Flag => Self::Flag,
            Action::Redact => Self::Redact,
            Action::Block => Self::Block,
        }
    }
}

words! {
    /// What somebody may be allowed to do.
    pub enum Verb {
        /// Call a model.
        Infer = "infer",
        /// Train a model at a vendor.
        Finetune = "finetune",
        /// Read records.
        ViewLog = "view_log",
        /// Read captured content.
        Reveal = "reveal",
        /// Send records elsewhere.
        Export = "export",
        /// Make and revoke keys, switch, reload.
        Admin = "admin",
    }
}

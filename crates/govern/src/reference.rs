//! The frameworks that rows refer to. Identifiers only: the texts of several
//! of them may not be redistributed.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! frameworks {
    ($($(#[$meta:meta])* $variant:ident = $name:literal;)+) => {
        /// A published framework, in the version that the identifiers belong to.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Framework { $($(#[$meta])* #[doc = $name] #[serde(rename = $name)] $variant),+ }

        impl Framework {
            /// Every framework.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its name and version, spelled out.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }
    };
}

frameworks! {
    NistCsf = "NIST CSF 2.0";
    Nist80053 = "NIST SP 800-53 Rev. 5";
    PciDss = "PCI DSS 4.0.1";
    Asvs4 = "OWASP ASVS 4.0.3";
    Asvs5 = "OWASP ASVS 5.0.0";
    LlmTop10 = "OWASP LLM Top 10 2025";
    Atlas = "MITRE ATLAS";
    Iso27001 = "ISO/IEC 27001:2022";
    Iso42001 = "ISO/IEC 42001:2023";
    Soc2 = "SOC 2 TSC 2017";
    Aicm = "CSA AICM 1.1.0";
    Finos = "FINOS AI Governance Framework";
    Oscal = "NIST OSCAL";
    Cuad = "CUAD";
    Gdpr = "GDPR";
    Nis2 = "NIS2";
    Dora = "DORA";
    SecForm8k = "SEC Form 8-K";
    Hipaa = "HIPAA";
}

impl fmt::Display for Framework {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One requirement of one framework, by its identifier.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Reference {
    /// The framework.
    pub framework: Framework,
    /// The identifier in it.
    pub id: String,
}

//! Any bytes as a vendor's usage export, held against an empty ledger: read or
//! refused; what is read keeps its limits, and none of it is explained.
#![no_main]

use govern::{
    reconcile::{Ask, Reconciling},
    usage::{Exporter, UsageExport},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for exporter in [Exporter::OpenAi, Exporter::Anthropic] {
        let Ok(export) = UsageExport::read(exporter, data) else {
            continue;
        };
        assert!(export.spans.iter().all(|(from, until)| from < until));
        assert!(export.rows.iter().all(|row| row.input_tokens <= 1 << 53));
        let used = export.rows.iter().any(|row| row.input_tokens + row.output_tokens > 0);
        if let Ok(work) = Reconciling::new(export, Ask::default()) {
            assert!(!used || !work.end().explained);
        }
    }
});

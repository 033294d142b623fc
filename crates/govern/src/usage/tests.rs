use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn openai(text: &str) -> Result<UsageExport, UsageFault> {
    UsageExport::read(Exporter::OpenAi, text.as_bytes())
}

fn anthropic(text: &str) -> Result<UsageExport, UsageFault> {
    UsageExport::read(Exporter::Anthropic, text.as_bytes())
}

fn openai_page() -> Value {
    json!({
        "object": "page",
        "data": [
            {"object": "bucket", "start_time": 1_795_651_200, "end_time": 1_795_737_600, "results": [{
                "object": "organization.usage.completions.result", "input_tokens": 1_000,
                "output_tokens": 500, "input_cached_tokens": 800, "input_audio_tokens": 0,
                "num_model_requests": 5, "project_id": null, "user_id": null,
                "api_key_id": "key_a", "model": "gpt-1", "batch": null, "service_tier": "default",
            }]},
            {"object": "bucket", "start_time": 1_795_737_600, "end_time": 1_795_824_000, "results": []},
        ],
        "has_more": false, "next_page": null,
    })
}

fn anthropic_page() -> Value {
    json!({
        "data": [{
            "starting_at": "2026-11-26T00:00:00Z", "ending_at": "2026-11-27T00:00:00Z",
            "results": [{
                "uncached_input_tokens": 1_500,
                "cache_creation": {"ephemeral_1h_input_tokens": 10, "ephemeral_5m_input_tokens": 5},
                "cache_read_input_tokens": 200, "output_tokens": 500,
                "server_tool_use": {"web_search_requests": 1}, "api_key_id": "apikey_1",
                "workspace_id": "wrkspc_1", "model": "claude-1", "service_tier": "standard",
                "context_window": "0-200k",
            }],
        }],
        "has_more": false, "next_page": null,
    })
}

/// What both shapes of `OpenAI` say.
fn openai_row() -> UsageRow {
    UsageRow {
        from_seconds: 1_795_651_200,
        until_seconds: 1_795_737_600,
        key: Some("key_a".into()),
        model: Some("gpt-1".into()),
        requests: Some(5),
        input_tokens: 1_000,
        output_tokens: 500,
        cached_tokens: 800,
        cache_written_tokens: 0,
    }
}

fn anthropic_row() -> UsageRow {
    UsageRow {
        key: Some("apikey_1".into()),
        model: Some("claude-1".into()),
        requests: None,
        input_tokens: 1_500,
        cached_tokens: 200,
        cache_written_tokens: 15,
        ..openai_row()
    }
}

const OPENAI_TABLE: &str = "start_time,end_time,start_time_iso,project_id,num_model_requests,user_id,api_key_id,model,batch,input_tokens,output_tokens,input_cached_tokens
1795651200,1795737600,2026-11-26T00:00:00+00:00,proj_1,5,,key_a,gpt-1,,1000,500,800.0
1795737600,1795824000,2026-11-27T00:00:00+00:00,,,,,,,,,
";
const ANTHROPIC_TABLE: &str = "usage_date_utc,model_version,api_key,workspace,usage_type,context_window,usage_input_tokens_no_cache,usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,usage_output_tokens,web_search_count
2026-11-26,claude-1,apikey_1,Default,standard,\u{2264} 200k,1500,5,10,200,500,1
";

#[test]
fn pages_and_tables_of_both_vendors_are_read() {
    for text in [openai_page().to_string(), OPENAI_TABLE.to_owned()] {
        let export = openai(&text).unwrap();
        assert_eq!(export.rows, [openai_row()]);
        // A day without use is covered.
        let next = (1_795_737_600, 1_795_824_000);
        assert_eq!(export.spans, [(1_795_651_200, 1_795_737_600), next]);
    }
    for text in [
        anthropic_page().to_string(),
        ANTHROPIC_TABLE.to_owned(),
        format!("\u{feff}{ANTHROPIC_TABLE}"),
    ] {
        assert_eq!(anthropic(&text).unwrap().rows, [anthropic_row()]);
    }
    let older = ANTHROPIC_TABLE
        .replace("cache_write_5m", "cache_write")
        .replace(",usage_input_tokens_cache_write_1h", "")
        .replace(",5,10,", ",15,");
    assert_eq!(anthropic(&older).unwrap().rows, [anthropic_row()]);
}

#[test]
fn pages_follow_each_other_and_the_last_must_be_there() {
    let mut first = openai_page();
    first["has_more"] = json!(true);
    assert_eq!(openai(&first.to_string()), Err(UsageFault::MorePages));
    let both = format!("{first}\n{}\n", openai_page());
    assert_eq!(openai(&both).unwrap().rows.len(), 2);
}

#[test]
fn what_is_no_export_is_refused_with_its_place_and_without_its_values() {
    let told = |text: &str| openai(text).unwrap_err().to_string();
    for (member, value) in [
        ("input_tokens", json!("NEEDLE")),
        ("input_tokens", json!(-5)),
        ("output_tokens", json!(1.5)),
        ("model", json!(7)),
        ("num_model_requests", json!(null)),
    ] {
        let mut page = openai_page();
        page["data"][0]["results"][0][member] = value;
        let text = serde_json::to_string_pretty(&page).unwrap();
        let fault = told(&text);
        assert!(
            fault.contains("page 1") && fault.contains("line ") && !fault.contains("NEEDLE"),
            "{fault}"
        );
    }
    let mut page = openai_page();
    page["data"][0]["results"][0]
        .as_object_mut()
        .unwrap()
        .remove("num_model_requests");
    assert!(told(&page.to_string()).contains("num_model_requests"));
    let mut page = openai_page();
    page["data"][0]["results"][0]["input_tokens"] = json!(u64::MAX);
    assert!(told(&page.to_string()).contains("data[0].results[0]: a count is too large"));
    let mut page = openai_page();
    page["data"][1]["end_time"] = json!(5);
    assert!(told(&page.to_string()).contains("data[1]"));
    let mut page = openai_page();
    page["data"][0]["results"][0]["model"] = json!("x".repeat(300));
    assert!(told(&page.to_string()).contains("too long"));
    let doubled = openai_page().to_string().replace(
        "\"output_tokens\":500",
        "\"output_tokens\":500,\"output_tokens\":501",
    );
    assert!(told(&doubled).contains("duplicate field"));
    assert_eq!(told("  "), UsageFault::Empty.to_string());
    assert!(told("{\"data\": [").contains("no JSON"));
    assert_eq!(
        UsageExport::read(Exporter::OpenAi, &[0xff]),
        Err(UsageFault::Encoding)
    );
    // The other vendor's, and costs.
    assert!(
        anthropic(&openai_page().to_string()).is_err()
            && openai(&anthropic_page().to_string()).is_err()
    );
    assert_eq!(
        anthropic(OPENAI_TABLE),
        Err(UsageFault::NoColumn("usage_date_utc"))
    );
    let mut late = anthropic_page();
    late["data"][0]["starting_at"] = json!("NEEDLE");
    let fault = anthropic(&late.to_string()).unwrap_err().to_string();
    assert!(
        fault.contains("data[0].starting_at") && !fault.contains("NEEDLE"),
        "{fault}"
    );
}

#[test]
fn a_bad_cell_is_named_by_line_and_column() {
    let table = |from: &str, to: &str| {
        anthropic(&ANTHROPIC_TABLE.replace(from, to))
            .unwrap_err()
            .to_string()
    };
    assert!(
        table("1500", "1,500").starts_with("line 2 of the table: it has another number of cells")
    );
    assert!(
        table("1500", "NEEDLE")
            .starts_with("line 2, column usage_input_tokens_no_cache: not a whole number")
    );
    assert!(table("1500", "+15").contains("not a whole number"));
    assert!(table("2026-11-26", "26.11.2026").starts_with("line 2, column usage_date_utc"));
    assert!(table("workspace", "api_key").contains("two columns"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_text_is_read_or_refused(text in ".{0,200}", lines in prop::collection::vec("[0-9a-z,\"\\.\\-]{0,60}", 0..6)) {
        for text in [text, format!("{OPENAI_TABLE}{}", lines.join("\n")), format!("{ANTHROPIC_TABLE}{}", lines.join("\n"))] {
            let _ = openai(&text);
            let _ = anthropic(&text);
        }
    }

    #[test]
    fn counts_come_through_pages_and_tables_alike(input in 0_u64..1 << 40, output in 0_u64..1 << 40, requests in 0_u64..1 << 30) {
        let mut page = openai_page();
        for (member, value) in [("input_tokens", input), ("output_tokens", output), ("num_model_requests", requests)] {
            page["data"][0]["results"][0][member] = json!(value);
        }
        let line = format!("1795651200,1795737600,,,{requests},,key_a,gpt-1,,{input},{output},800");
        let head = OPENAI_TABLE.lines().next().unwrap();
        let table = openai(&format!("{head}\n{line}\n")).unwrap();
        prop_assert_eq!(&table.rows, &openai(&page.to_string()).unwrap().rows);
        prop_assert_eq!(table.rows[0].input_tokens, input);
    }
}

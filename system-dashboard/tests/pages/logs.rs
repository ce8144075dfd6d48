//! What functions write while they run.

use http::StatusCode;
use sdk::function_log::FunctionLogRequest;
use serde_json::json;

use crate::setup::{Dashboard, EVIL};

fn lines(texts: &[&str]) -> String {
    let line = |(n, text): (usize, &&str)| {
        json!({"at": 1_790_000_000_000_u64 + n as u64, "instance": "cart-7f9c", "text": text}).to_string() + "\n"
    };
    texts.iter().enumerate().map(line).collect()
}

#[tokio::test]
async fn a_log_is_text_and_is_asked_for_as_the_form_says() {
    let dashboard = Dashboard::start().await;
    let text = lines(&["hello", EVIL, "\u{1b}[32mgreen"]);
    dashboard.fake.answer_with("function-logs", move |_| (StatusCode::OK, text.clone()));
    let page = dashboard.get("/alice/cart/logs?grep=he+llo&range=24h&instance=cart-7f9c").await.text;
    assert!(page.contains("hello") && page.contains("<span class=\"c2\">green") && !page.contains("<script>"));
    let asked: FunctionLogRequest = dashboard.fake.messages("function-logs")[0].read();
    assert_eq!((asked.function.as_str(), asked.owner_id.id), ("alice-cart", 7));
    assert_eq!((asked.grep.as_deref(), asked.instance.as_deref()), (Some("he llo"), Some("cart-7f9c")));
    assert!(asked.since.is_some() && asked.tail == Some(500));
    dashboard.fails("function-logs");
    assert!(dashboard.get("/alice/cart/logs").await.text.contains("The log cannot be shown"));
}

#[tokio::test]
async fn a_live_log_says_where_it_goes_on() {
    let dashboard = Dashboard::start().await;
    let text = lines(&["one", EVIL]);
    dashboard.fake.answer_with("function-logs/follow", move |_| (StatusCode::OK, text.clone()));
    let live = dashboard.get("/alice/cart/logs/live?since=5").await.text;
    assert!(
        live.contains("event: log") && live.contains("id: 1790000000001.1") && live.contains("event: end"),
        "{live}"
    );
    let asked: FunctionLogRequest = dashboard.fake.messages("function-logs/follow")[0].read();
    assert_eq!(asked.since, Some(5));
    dashboard.fails("function-logs/follow");
    assert!(dashboard.get("/alice/cart/logs/live").await.text.contains("event: down"));
}

//! Questions to the whole function.

#[path = "metrics/ask.rs"]
mod ask;
#[path = "metrics/failures.rs"]
mod failures;
#[path = "metrics/gateway.rs"]
mod gateway;
#[path = "metrics/hostile.rs"]
mod hostile;
#[path = "../../of-gateway/tests/support/scraper.rs"]
mod scraper;

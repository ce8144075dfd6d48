//! Prometheus' answers, as far as they are needed.

use serde::Deserialize;

#[derive(Deserialize)]
pub(super) struct Reply {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    result: Vec<WireRow>,
}

#[derive(Deserialize)]
struct WireRow {
    metric: Labels,
    /// Of an answer for one moment.
    #[serde(default)]
    value: Option<(f64, String)>,
    /// Of an answer over time.
    #[serde(default)]
    values: Vec<(f64, String)>,
}

#[derive(Deserialize)]
struct Labels {
    #[serde(default)]
    function_name: String,
    #[serde(default)]
    code: String,
}

/// The values of one function, and perhaps one code, with their times in seconds since 1970.
#[derive(Debug, PartialEq)]
pub(super) struct Row {
    pub(super) function: String,
    pub(super) code: Option<u16>,
    pub(super) values: Vec<(f64, f64)>,
}

impl Reply {
    /// Without values that are no numbers: of the latency of no calls there is none.
    pub(super) fn rows(self) -> Vec<Row> {
        self.data.result.into_iter().map(WireRow::read).collect()
    }
}

impl WireRow {
    fn read(self) -> Row {
        let all = self.value.into_iter().chain(self.values);
        let number =
            |(at, text): (f64, String)| Some((at, text.parse().ok().filter(|number: &f64| number.is_finite())?));
        Row {
            function: self.metric.function_name,
            code: self.metric.code.parse().ok(),
            values: all.filter_map(number).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_is_left_out() {
        let text = r#"{"status":"success","data":{"resultType":"vector","result":[
            {"metric":{"function_name":"a.ns","code":"200"},"value":[1.5,"2"]},
            {"metric":{"function_name":"b.ns","code":"odd","le":"1"},"values":[[1,"NaN"],[2,"+Inf"],[3,"x"],[4,"1e3"]]},
            {"metric":{}}]}}"#;
        let rows = serde_json::from_str::<Reply>(text).unwrap().rows();
        let row = |function: &str, code, values| Row { function: function.to_owned(), code, values };
        assert_eq!(
            rows,
            [row("a.ns", Some(200), vec![(1.5, 2.0)]), row("b.ns", None, vec![(4.0, 1000.0)]), row("", None, vec![])]
        );
    }
}

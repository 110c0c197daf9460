//! What a standby says of its place in the order of sinks, for people.

use serde_json::Value as Json;

/// Its place in a line, then those before it, then what is odd about them.
pub(super) fn lines(standby: &Json) -> Vec<String> {
    let list = |key: &str| standby.get(key).and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let acts = standby.get("acts").and_then(Json::as_bool) == Some(true);
    let does = if acts { "collects: it has the sink's place" } else { "stands by" };
    let mut lines = vec![format!("standby  {}, {does}", standby.get("rank").unwrap_or(&Json::Null))];
    lines.extend(list("watches").iter().map(watch_line));
    lines.extend(
        list("findings").iter().filter_map(Json::as_str).map(|finding| format!("LOOK     {finding}")),
    );
    lines
}

fn watch_line(watch: &Json) -> String {
    let text = |key: &str| watch.get(key).and_then(Json::as_str).unwrap_or("?");
    let does = match text("state") {
        "acts" => "collects",
        "hears" => "stands by, hears of one who collects",
        "waits" => "stands by, hears of nobody who collects",
        "no sink" => "NO SINK: neither collects nor stands by",
        _ => "SILENT",
    };
    format!("before   {:<22} {:<16} {does}", text("address"), text("node"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn its_turn_and_who_comes_before_it_are_told() {
        let watch = |address: &str, node: Json, state: &str| json!({"address": address, "node": node, "state": state});
        let told = lines(&json!({
            "rank": 2, "acts": false, "findings": ["odd"],
            "watches": [watch("pi-1:7001", json!("pi-1"), "silent"), watch("pi-2:7001", Json::Null, "waits")],
        }));
        assert_eq!(told[0], "standby  2, stands by");
        assert_eq!(told[1], format!("before   {:<22} {:<16} SILENT", "pi-1:7001", "pi-1"));
        assert!(told[2].ends_with("?                stands by, hears of nobody who collects"), "{}", told[2]);
        assert_eq!(told[3], "LOOK     odd");
        assert!(lines(&json!({"rank": 1, "acts": true}))[0].contains("collects"));
    }
}

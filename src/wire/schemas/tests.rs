use super::*;

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().map(|it| it.keys().map(String::as_str).collect()).unwrap_or_default()
}

#[test]
fn the_image_schema_has_glances_fields_in_their_order() {
    let formats = Formats { disk: vec!["raw".to_owned()], container: vec!["bare".to_owned()], ..Formats::default() };
    let schema = image(&formats);
    assert_eq!(keys(&schema), ["name", "properties", "additionalProperties", "links"]);
    let properties = keys(&schema["properties"]);
    let base = "id name status visibility protected os_hidden checksum os_hash_algo os_hash_value owner size \
        virtual_size container_format disk_format created_at updated_at tags direct_url min_ram min_disk self file \
        stores schema locations";
    assert_eq!(properties[..25], base.split_whitespace().collect::<Vec<_>>());
    assert!(properties[25..].iter().all(|it| formats.site.describes(it)));
    assert!(properties[25..].iter().all(|it| schema["properties"][it]["is_base"] == false));
    assert!(properties[..25].iter().all(|it| schema["properties"][it].get("is_base").is_none()));
    assert_eq!(schema["properties"]["disk_format"]["enum"], json!([null, "raw"]));
    assert_eq!(images(&formats)["properties"]["images"]["items"], schema);
}

#[test]
fn listed_tasks_have_no_details() {
    let task = task();
    let one = keys(&task["properties"]).join(" ");
    assert!(one.contains("input") && one.contains("result") && one.contains("message"));
    let listed = tasks();
    let listed = keys(&listed["properties"]["tasks"]["items"]["properties"]).join(" ");
    assert!(!listed.contains("input") && !listed.contains("result") && !listed.contains("message"));
}

use super::{Comparison, Filter, Limits, ListQuery, MemberStatus, QueryError, Sort, SortKey, VisibilityFilter};
use crate::image::Visibility;
use crate::image::query::{NumberField, TextField, TimeField};
use proptest::prelude::{any, proptest};

fn parse(query: &str) -> Result<ListQuery, QueryError> {
    let params: Vec<(String, String)> = query
        .split('&')
        .filter(|it| !it.is_empty())
        .map(|it| it.split_once('=').unwrap_or((it, "")))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    ListQuery::parse(&params, Limits { default: 25, max: 1000 })
}

fn desc(key: SortKey) -> Sort {
    Sort { key, descending: true }
}

fn asc(key: SortKey) -> Sort {
    Sort { key, descending: false }
}

#[test]
fn nothing_said_means_the_defaults() {
    let query = parse("").unwrap();
    assert_eq!(query.limit, 25);
    assert_eq!(query.sort, [desc(SortKey::CreatedAt), desc(SortKey::Id)]);
    assert_eq!(query.visibility, VisibilityFilter::Default);
    assert_eq!(query.member_status, MemberStatus::Accepted);
    assert!(!query.hidden && query.filters.is_empty() && query.marker.is_none());
}

#[test]
fn limits_are_clamped_and_checked() {
    assert_eq!(parse("limit=0").unwrap().limit, 0);
    assert_eq!(parse("limit=5000").unwrap().limit, 1000);
    assert_eq!(parse("limit=99999999999999999999999").unwrap().limit, 1000);
    assert_eq!(parse("limit=-1"), Err(QueryError::LimitNegative));
    assert_eq!(parse("limit=many"), Err(QueryError::LimitNotInteger));
    assert_eq!(parse("limit="), Err(QueryError::LimitNotInteger));
}

#[test]
fn both_sort_forms() {
    let new = parse("sort=name:asc,size").unwrap();
    assert_eq!(new.sort, [asc(SortKey::Name), desc(SortKey::Size), desc(SortKey::CreatedAt), desc(SortKey::Id)]);
    let classic = parse("sort_key=name&sort_key=size&sort_dir=asc&sort_dir=desc").unwrap();
    assert_eq!(classic.sort, new.sort);
    let one = parse("sort_key=name&sort_dir=asc").unwrap();
    assert_eq!(one.sort, [asc(SortKey::Name), asc(SortKey::CreatedAt), asc(SortKey::Id)]);
    assert_eq!(parse("sort_dir=asc").unwrap().sort, [asc(SortKey::CreatedAt), asc(SortKey::Id)]);
    assert_eq!(parse("sort=name&sort_key=size"), Err(QueryError::SortMixed));
    assert_eq!(parse("sort_key=name&sort_dir=asc&sort_dir=asc"), Err(QueryError::SortCount));
    assert_eq!(parse("sort=owner"), Err(QueryError::SortKey("owner".into())));
    assert_eq!(parse("sort=name:up"), Err(QueryError::SortDirection("up".into())));
}

#[test]
fn text_columns_know_two_operators() {
    let text = |field, values: &[&str]| Filter::Text { field, any_of: values.iter().map(|&it| it.into()).collect() };
    let one = |query| parse(query).unwrap().filters;
    assert_eq!(one("name=debian"), [text(TextField::Name, &["debian"])]);
    assert_eq!(one("name=eq:a:b"), [text(TextField::Name, &["a:b"])]);
    assert_eq!(one(r#"status=in:active,"x,y",z"#), [text(TextField::Status, &["active", "x,y", "z"])]);
    assert_eq!(one(r#"name=in:"a\"b""#), [text(TextField::Name, &["a\"b"])]);
    assert_eq!(one("owner=in:a"), [text(TextField::Owner, &["in:a"])]);
    assert_eq!(one("name=2026-01-01T00:00:00Z"), [text(TextField::Name, &["2026-01-01T00:00:00Z"])]);
    assert_eq!(parse("name=like:x"), Err(QueryError::TextOperator("like".into())));
    assert!(matches!(parse(r#"name=in:"a"#), Err(QueryError::Quotes { .. })));
    assert!(matches!(parse(r#"name=in:"a"b"#), Err(QueryError::Quotes { .. })));
    assert!(matches!(parse(r#"name=in:a"b""#), Err(QueryError::Quotes { .. })));
}

#[test]
fn times_know_six_operators() {
    let at = |text: &str| text.parse().unwrap();
    let filter = |is, than| vec![Filter::Time { field: TimeField::CreatedAt, is, than }];
    let than = at("2026-01-02T03:04:05Z");
    for (operator, is) in [
        ("gt", Comparison::Greater),
        ("gte", Comparison::GreaterOrEqual),
        ("lt", Comparison::Less),
        ("lte", Comparison::LessOrEqual),
        ("eq", Comparison::Equal),
        ("neq", Comparison::NotEqual),
    ] {
        assert_eq!(parse(&format!("created_at={operator}:2026-01-02T03:04:05Z")).unwrap().filters, filter(is, than));
    }
    for same in ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05", "2026-01-02 03:04:05", "2026-01-02T05:04:05+02:00"] {
        assert_eq!(parse(&format!("created_at={same}")).unwrap().filters, filter(Comparison::Equal, than), "{same}");
    }
    assert_eq!(
        parse("created_at=gt:2026-01-02").unwrap().filters,
        filter(Comparison::Greater, at("2026-01-02T00:00:00Z"))
    );
    assert_eq!(parse("created_at=gt:soon"), Err(QueryError::Time("created_at")));
    assert_eq!(parse("updated_at=about:2026-01-02"), Err(QueryError::TimeOperator));
}

#[test]
fn numbers_have_ranges_and_other_names_are_properties() {
    let number = |field, is, than| vec![Filter::Number { field, is, than }];
    assert_eq!(parse("size_min=5").unwrap().filters, number(NumberField::Size, Comparison::GreaterOrEqual, 5));
    assert_eq!(parse("min_ram_max=5").unwrap().filters, number(NumberField::MinRam, Comparison::LessOrEqual, 5));
    assert_eq!(parse("min_disk=5").unwrap().filters, number(NumberField::MinDisk, Comparison::Equal, 5));
    assert_eq!(parse("size_min=big"), Err(QueryError::Number));
    let far = number(NumberField::MinDisk, Comparison::LessOrEqual, i64::MAX);
    assert_eq!(parse("min_disk_max=99999999999999999999").unwrap().filters, far);
    assert_eq!(parse("size=99999999999999999999").unwrap().filters, [Filter::Never]);
    for name in ["os_distro", "properties", "name_min", "nothing_max"] {
        let property = Filter::Property { name: name.into(), value: "7".into() };
        assert_eq!(parse(&format!("{name}=7")).unwrap().filters, [property]);
    }
}

#[test]
fn words_of_the_other_filters() {
    assert_eq!(parse("visibility=all").unwrap().visibility, VisibilityFilter::All);
    assert_eq!(parse("visibility=public").unwrap().visibility, VisibilityFilter::Only(Visibility::Public));
    assert_eq!(parse("visibility=open"), Err(QueryError::Visibility("open".into())));
    assert_eq!(parse("member_status=all").unwrap().member_status, MemberStatus::All);
    assert_eq!(parse("member_status=x"), Err(QueryError::MemberStatus("x".into())));
    assert!(parse("os_hidden=TRUE").unwrap().hidden);
    assert!(parse("os_hidden=all").is_err());
    assert_eq!(parse("protected=true").unwrap().filters, [Filter::Protected(true)]);
    assert!(parse("protected=True").is_err());
    assert_eq!(parse("changes-since=2026-01-01"), Err(QueryError::ChangesSince));
    assert_eq!(parse("deleted=true").unwrap().filters, []);
    assert_eq!(parse("tag=a&tag=b").unwrap().filters, [Filter::Tag("a".into()), Filter::Tag("b".into())]);
    assert_eq!(parse("os_distro=a&os_distro=b").unwrap().filters.len(), 1);
}

#[test]
fn more_filters_than_the_bound_are_refused() {
    let query = (0..70).map(|n| format!("p{n}=x")).collect::<Vec<_>>().join("&");
    assert_eq!(parse(&query), Err(QueryError::TooMany(64)));
}

proptest! {
    #[test]
    fn any_text_is_answered(pairs in proptest::collection::vec((any::<String>(), any::<String>()), 0..8)) {
        let _ = ListQuery::parse(&pairs, Limits { default: 25, max: 1000 });
    }

    #[test]
    fn any_value_of_a_known_name_is_answered(
        name in proptest::sample::select(vec!["name", "status", "created_at", "size_min", "sort", "limit", "visibility"]),
        value in ".{0,40}",
    ) {
        if let Ok(query) = ListQuery::parse(&[(name.to_owned(), value)], Limits { default: 25, max: 1000 }) {
            assert!(query.limit <= 1000);
            assert!(query.sort.iter().any(|it| it.key == SortKey::Id));
        }
    }
}

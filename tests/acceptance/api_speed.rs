//! The read API's own binary as Lambda runs it; `make api-speed` measures it over a million rows.

use postledger_tests::api_speed::ApiBench;
use postledger_tests::lambda::built;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_function_checks_many_addresses_in_few_calls_and_tells_a_long_list_page_by_page() {
    let binary = built().join("api");
    let mut asked = ApiBench::start(&binary, 5_000).await;
    let checked = asked.check(1_000, 2).await;
    let words = "a hundred keys a call, and two spellings of each address";
    assert_eq!(checked.aws["BatchGetItem"], 40, "{words}: {:?}", checked.aws);
    assert!(!checked.aws.contains_key("Scan"));
    let listed = asked.list(5_000, 1_000).await;
    // One for each page, and one for the streams that there are.
    assert_eq!((listed.told, listed.aws["Query"]), (5_000, 6), "{:?}", listed.aws);
    assert!(!listed.aws.contains_key("Scan"));
}

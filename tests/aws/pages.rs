//! The portal's own binary as Lambda runs it; `make page-speed` measures it over a thousand servers and a million suppressions.

use postledger_tests::lambda::built;
use postledger_tests::page_speed::{PageBench, pages};

/// The most that a page may weigh with its style, packed, in bytes.
const PAGE_BYTES_MAX: usize = 30 * 1_024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_a_large_agency_are_light_and_take_no_more_calls_than_those_of_a_small_one() {
    let mut bench = PageBench::start(&built().join("portal"), 60, 5_000).await;
    for (what, path) in pages() {
        let page = bench.page(&path, 2).await;
        let bytes = page.page_bytes + page.style_bytes;
        assert!(bytes <= PAGE_BYTES_MAX, "{what}: {bytes} bytes");
        // The list of servers asks of each for its streams; no other page asks more where there is more.
        let most = if path == "/" { 300 } else { 80 };
        assert!(page.calls <= most, "{what}: {} calls", page.calls);
    }
}

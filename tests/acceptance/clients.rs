//! A client that is generated for Python from the API's description runs its example. `make clients` does so with the
//! one for TypeScript.

use postledger_tests::SERVER;
use postledger_tests::clients::{bounced, of_example_in_python};

#[test]
fn a_client_generated_for_python_asks_the_api_and_understands_it() {
    let (world, address) = bounced();
    let told = of_example_in_python(&world, &address);
    let expected = format!(
        "servers [{SERVER}] admin\n\
         check {address} do_not_send ['listed_hard_bounce', 'hard_bounce']\n\
         check bob@customer.example send []\n\
         check none the address has no @\n\
         recipient outbound do_not_send\n"
    );
    assert!(told.starts_with(&expected), "{told}");
    assert!(told.contains("\nimport 2 1 1\nproblem urn:postledger:problem:not-found\n"), "{told}");
}

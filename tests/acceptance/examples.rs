//! The examples for senders, run as their page says: 0 is only ever said where every address was answered and may be
//! mailed. `make clients` runs the one in JavaScript.

use postledger_tests::clients::{Example, take_only_an_answer_to_their_question_for_a_leave_to_mail};
use postledger_tests::command::{command, run};

fn examples() -> [Example; 2] {
    [Example::new("python3", "check.py"), Example::new("sh", "check.sh")]
}

#[test]
fn the_examples_for_senders_name_whom_not_to_mail_and_why() {
    for example in examples() {
        example.names_whom_not_to_mail_and_why();
    }
}

#[test]
fn what_is_no_answer_to_this_question_is_never_a_leave_to_mail() {
    let [python, sh] = examples();
    let check = |base: &str| {
        let question = ["check", "--server", "8123456", "--stream", "outbound", "--url", base];
        let mut command = command();
        command.args(question).args(["--address", "bob@customer.example"]);
        run(command.env("POSTLEDGER_TOKEN", "plt_abcdefghijkl_x"), b"")
    };
    take_only_an_answer_to_their_question_for_a_leave_to_mail(&[
        &|base| python.ask(base),
        &|base| sh.ask(base),
        &check,
    ]);
}

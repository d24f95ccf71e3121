//! The command `keys store`: the newest key goes to where the function that sets up webhooks from the portal reads it.

use crate::api::Api;
use crate::args::keys::Store as Args;
use crate::keys::KeyRing;
use crate::prompt::must_agree;
use crate::target::{Context, Deployment};
use crate::{Failure, aws, registry, say};
use account::audited::{self, Change};
use ledger::ServerId;
use serde_json::json;

/// The command.
///
/// # Errors
/// Where no stack on AWS is meant, its doors do not know the key yet, or there is nobody to ask.
pub fn run(args: &Args, context: &Context, json: bool) -> Result<(), Failure> {
    let Deployment::Aws(on_aws) = Deployment::of(args.target.url.as_deref(), &args.target.aws, context)?
    else {
        return Err(Failure::new(
            "a Postledger on one machine reads the key where it is: nothing has to be stored",
        )
        .next("for a stack on AWS, name its region by --region or --profile"));
    };
    let stack = &context.stack;
    let ring = KeyRing::open(&context.home()?, stack)?;
    let secret = if args.remove { None } else { Some(known_secret(&ring, &on_aws, stack)?) };
    let parameter = aws::signing_key_parameter(stack);
    if secret.is_some() {
        let question = format!(
            "whoever can read the parameter {parameter} can make webhook passwords of every server of stack {stack}. Store the \
             key there?"
        );
        must_agree(args.yes, &question)?;
    }
    let ledger = Api::operated(&args.target, context)?;
    let asked =
        json!({ "key": secret.is_some().then(|| ring.newest().map(|key| key.public().id().to_owned())) });
    let change = Change { server: ServerId::NONE, what: "keys.store", target: None, asked };
    let who = ledger.who();
    let begun = registry::on(&ledger, async |store| {
        audited::begin(store, who.clone(), change, platform::now()).await
    })?;
    let done = aws::store_signing_key(&on_aws, stack, secret.as_deref());
    let changed = registry::on(&ledger, async |store| {
        begun.end(store, done, |changed| json!({ "changed": changed }), platform::now()).await
    })?;
    let (state, next) = match (secret.is_some(), changed) {
        (true, _) => ("stored", "deploy with PortalConnects=true, if that is not done yet"),
        (false, true) => ("removed", "webhooks are set up by `postledger connect` from now on"),
        (false, false) => ("was not there", "nothing"),
    };
    say(match json {
        true => serde_json::to_string_pretty(&json!({ "parameter": parameter, "state": state }))?,
        false => format!("the signing key in {parameter}: {state}\nnext: {next}"),
    });
    Ok(())
}

/// The newest key, where it is the newest that the stack's doors know: another one would sign what they refuse.
fn known_secret(ring: &KeyRing, on_aws: &crate::args::OnAws, stack: &str) -> Result<String, Failure> {
    let key = ring.newest().ok_or_else(|| {
        Failure::new(format!("stack {stack} has no key in {}", ring.path().display()))
            .next("do this where the key is, or name its folder by --home")
    })?;
    let known = aws::public_keys(on_aws, stack)?.ok_or_else(|| {
        Failure::new(format!("stack {stack} is not deployed there: it has no doors that know a key"))
            .next("deploy (`make deploy`, which takes the keys along), then do this again")
    })?;
    ring.must_have_one_of(&known)?;
    let newest = known.split(',').next().unwrap_or_default().trim();
    if newest != key.public().to_string() {
        return Err(Failure::new(format!(
            "the doors of stack {stack} do not have passwords signed by the newest key yet"
        ))
        .next("deploy (`make deploy`, which takes the keys along), then do this again"));
    }
    Ok(key.secret())
}

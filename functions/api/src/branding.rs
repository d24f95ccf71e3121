//! The branding of the portal: read, and set whole.

use crate::call::{Answer, Call};
use crate::problem::Problem;
use crate::scope::Look;
use answers::NewBranding;
use people::{Branding, BrandingRefused, Logo};

/// The branding as it is.
pub(crate) async fn get(look: &Look<'_>, call: &Call<'_>) -> Result<Answer, Problem> {
    call.query(&[])?;
    Ok(told(look, &look.get().await?))
}

/// Sets all of it: what is left out is as it was set up.
pub(crate) async fn set(look: &Look<'_>, call: &Call<'_>) -> Result<Answer, Problem> {
    call.query(&[])?;
    // Of an array the members would be taken in their order.
    if call.body.trim_ascii_start().starts_with(b"[") {
        return Err(Problem::bad_request("the body: expected an object"));
    }
    let wanted = read(call.json()?)?;
    look.put(&wanted).await?;
    Ok(told(look, &wanted))
}

fn read(new: NewBranding) -> Result<Branding, Problem> {
    let wrong = |refused: BrandingRefused| {
        Problem::bad_request(format!("the body, at /{}: {refused}", refused.field()))
    };
    new.try_into().map_err(wrong)
}

fn told(look: &Look<'_>, branding: &Branding) -> Answer {
    Answer::json(&answers::Branding {
        url: look.url().to_owned(),
        name: branding.name.as_ref().map(ToString::to_string),
        accent: branding.accent.as_ref().map(ToString::to_string),
        support: branding.support.as_ref().map(ToString::to_string),
        logo: branding.logo.as_ref().map(Logo::base64),
        logo_type: branding.logo.as_ref().map(|logo| logo.media_type().to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use crate::bench::{Bench, SERVER};
    use crate::scope::{Caller, Gate, Parts};
    use crate::token::Role;
    use account::audit::{Who, WhoKind};
    use http::Method;
    use ledger::ServerId;
    use people::{Branding, Mail};
    use serde_json::{Value, json};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use store::Collection;
    use store::prelude::*;

    /// A GIF, as base64.
    const GIF: &str = "R0lGODlhAQABAAAAADs=";
    const PATH: &str = "/v1/branding";

    async fn set(bench: &Bench, by: &str, body: &Value) -> (u16, Value) {
        let told = bench.ask(by, Method::PUT, PATH, body.to_string().as_bytes()).await;
        (told.status(), told.json())
    }

    #[tokio::test]
    async fn an_operator_sets_all_of_it_and_what_is_left_out_is_none() {
        let bench = Bench::default();
        let by = bench.token(Role::Operator, None, false).await;
        let all = json!({ "name": "Acme Mail", "accent": "#FFCC00", "support": "help@agency.example", "logo": GIF });
        let (status, told) = set(&bench, &by, &all).await;
        assert_eq!(status, 200, "{told}");
        let expected = json!({
            "url": "https://portal.example", "name": "Acme Mail", "accent": "#ffcc00", "support": "help@agency.example",
            "logo": GIF, "logo_type": "image/gif",
        });
        assert_eq!(told, expected, "it is nobody's recipient: it is not masked");
        assert_eq!(bench.ask(&by, Method::GET, PATH, b"").await.json(), expected);
        let (_, told) = set(&bench, &by, &json!({ "name": "Acme" })).await;
        assert_eq!(told, json!({ "url": "https://portal.example", "name": "Acme" }));
    }

    #[tokio::test]
    async fn nobody_below_an_operator_of_all_servers_learns_or_sets_any_of_it() {
        let bench = Bench::default();
        for (role, servers) in
            [(Role::Viewer, None), (Role::Admin, None), (Role::Operator, Some(&[SERVER][..]))]
        {
            let by = bench.token(role, servers, true).await;
            assert_eq!(bench.ask(&by, Method::GET, PATH, b"").await.status(), 403, "{role:?}");
            assert_eq!(set(&bench, &by, &json!({ "name": "x" })).await.0, 403, "{role:?}");
        }
        assert_eq!(Branding::get(&*bench.store).await.unwrap(), Branding::default());
    }

    #[tokio::test]
    async fn what_is_wrong_is_told_by_its_place_and_changes_nothing() {
        let bench = Bench::default();
        let by = bench.token(Role::Operator, None, true).await;
        let svg = "PHN2ZyB4bWxucz0naHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmcnLz4=";
        for (field, value, says) in [
            ("name", "a\nb".to_owned(), "1 to 60 characters"),
            ("accent", "red".to_owned(), "#1f5f8b"),
            ("support", "nobody".to_owned(), "address"),
            ("logo", "AAAA".to_owned(), "PNG, JPEG, WebP or GIF"),
            ("logo", svg.to_owned(), "script"),
            ("logo", "A".repeat(30_000), "20 KB"),
        ] {
            let (status, told) = set(&bench, &by, &json!({ field: value })).await;
            let detail = told["detail"].as_str().unwrap();
            assert_eq!(status, 400, "{told}");
            assert!(detail.contains(&format!("/{field}")) && detail.contains(says), "{detail}");
        }
        assert_eq!(Branding::get(&*bench.store).await.unwrap(), Branding::default());
    }

    #[tokio::test]
    async fn a_change_is_noted_by_the_names_of_its_fields_and_no_change_is_not() {
        let bench = Bench::default();
        let by = bench.token(Role::Operator, None, true).await;
        let body = json!({ "support": "help@agency.example", "logo": GIF });
        for _ in 0..2 {
            assert_eq!(set(&bench, &by, &body).await.0, 200);
        }
        let noted = bench.store.documents(&Collection::Audit(ServerId::NONE)).await.unwrap();
        let steps: Vec<&str> = noted.iter().map(|(_, document)| document.text.as_str()).collect();
        let steps: Vec<&&str> = steps.iter().filter(|text| text.contains("branding.set")).collect();
        assert_eq!(steps.len(), 2, "begun and done, once: {steps:?}");
        for step in steps {
            assert!(step.contains(r#"["logo","support"]"#), "{step}");
            assert!(!step.contains("agency") && !step.contains(GIF), "{step}");
        }
    }

    #[tokio::test]
    async fn what_is_kept_is_shown_even_where_that_cannot_be_noted() {
        let bench = Bench::default();
        let writes = AtomicUsize::new(0);
        let plan = faults::Plan::new(move |call| {
            let is_third = call == "put_document" && writes.fetch_add(1, Ordering::Relaxed) == 2;
            if is_third { faults::Fault::Refuse } else { faults::Fault::None }
        });
        let store = Arc::new(store::Faulty::new(bench.store.clone(), plan));
        let parts = Parts { store, ..bench.api.parts.clone() };
        let gate = Gate::known(&parts, Caller::operator(Who { kind: WhoKind::Local, name: "x".to_owned() }));
        let wanted = Branding { name: Some("Acme".parse().unwrap()), ..Branding::default() };
        let put = gate.look().unwrap().put(&wanted).await;
        assert!(put.is_err(), "the note of its end is missing");
        assert_eq!(Branding::get(&*bench.store).await.unwrap(), wanted);
        assert_eq!(*parts.portal.as_ref().unwrap().brand.last(), wanted);
    }

    #[tokio::test]
    async fn an_invitation_bears_the_name() {
        let bench = Bench::default();
        let by = bench.token(Role::Operator, None, true).await;
        set(&bench, &by, &json!({ "name": "Acme Mail" })).await;
        let body = json!({ "addresses": ["ida@client.example"], "servers": [{ "server": SERVER, "role": "viewer" }] });
        bench.ask(&by, Method::POST, "/v1/users", body.to_string().as_bytes()).await;
        let mails = bench.outbox.take();
        let [Mail::Invitation { portal, .. }] = &*mails else { panic!("{mails:?}") };
        assert_eq!(portal.as_deref(), Some("Acme Mail"));
    }
}

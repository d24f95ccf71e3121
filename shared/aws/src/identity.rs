//! Who calls, as AWS knows them, by the one call of the Security Token Service that is made. It needs no permission.

use crate::{Link, Service};
use aws_credential_types::provider::ProvideCredentials as _;
use platform::{CallFailed, FailureKind};
use roxmltree::Document;

impl Link {
    /// The ARN of whoever calls.
    ///
    /// # Errors
    /// Why AWS does not tell.
    pub async fn caller_arn(&self) -> Result<String, CallFailed> {
        let form = "Action=GetCallerIdentity&Version=2011-06-15".to_owned();
        let told = self.form(Service::Sts, form).await?;
        arn(&String::from_utf8_lossy(&told)).ok_or_else(|| FailureKind::Fault.into())
    }

    /// The unique id of the role or user who calls, as SQS tells it of what they send; for a role its session stands
    /// behind a colon.
    ///
    /// # Errors
    /// Why AWS does not tell.
    pub async fn caller_id(&self) -> Result<String, CallFailed> {
        let form = "Action=GetCallerIdentity&Version=2011-06-15".to_owned();
        let told = self.form(Service::Sts, form).await?;
        text_of(&String::from_utf8_lossy(&told), "UserId").ok_or_else(|| FailureKind::Fault.into())
    }

    /// The id of the access key that calls are signed with: no secret, and known to AWS's own records too.
    pub async fn access_key_id(&self) -> Option<String> {
        let credentials = self.access.credentials.provide_credentials().await.ok()?;
        Some(credentials.access_key_id().to_owned())
    }
}

fn arn(xml: &str) -> Option<String> {
    text_of(xml, "Arn").filter(|arn| arn.starts_with("arn:"))
}

fn text_of(xml: &str, name: &str) -> Option<String> {
    let document = Document::parse(xml).ok()?;
    let node = document.descendants().find(|node| node.tag_name().name() == name)?;
    node.text().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caller_is_read_from_the_answer_as_aws_writes_it() {
        let xml = r#"<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
            <GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/ida</Arn><UserId>AIDA</UserId>
            <Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"#;
        assert_eq!(arn(xml).as_deref(), Some("arn:aws:iam::123456789012:user/ida"));
        assert_eq!(text_of(xml, "UserId").as_deref(), Some("AIDA"));
        for wrong in ["", "{}", "<a><Arn/></a>", "<a><Arn>ida</Arn></a>"] {
            assert_eq!(arn(wrong), None, "{wrong}");
        }
    }
}

//! One call of CloudFormation: what a deployed stack tells of itself. Signed and sent by hand, as the parameters' are.

use crate::{FIRST_PAUSE, Link, Service};
use roxmltree::{Document, Node};
use std::collections::BTreeMap;

/// What a stack tells of itself: values by name.
pub type Outputs = BTreeMap<String, String>;

/// Why a stack cannot be looked up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutputsError {
    /// There is no stack of this name.
    #[error("there is no stack {0}")]
    Missing(String),
    /// AWS refuses, by its own code.
    #[error("the stack {0} cannot be looked up: {1}")]
    Refused(String, String),
    /// Nobody answered in time, or nobody that can be understood.
    #[error("the stack {0} cannot be looked up: nobody answered in time")]
    Unavailable(String),
}

impl Link {
    /// The outputs of a stack; none yet while it is first made.
    ///
    /// # Errors
    /// See [`OutputsError`].
    pub async fn outputs(&self, stack: &str) -> Result<Outputs, OutputsError> {
        let unavailable = || OutputsError::Unavailable(stack.to_owned());
        let unreserved = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
        if stack.is_empty() || !stack.chars().all(unreserved) {
            return Err(OutputsError::Missing(stack.to_owned()));
        }
        for attempt in 0..self.limits.attempts_max {
            if attempt > 0 {
                tokio::time::sleep(FIRST_PAUSE * attempt).await;
            }
            let form = [("content-type", "application/x-www-form-urlencoded")];
            let body = format!("Action=DescribeStacks&Version=2010-05-15&StackName={stack}");
            let request = self.signed(Service::CloudFormation, &form, body).await.ok_or_else(unavailable)?;
            let Ok((status, body)) = self.call(request).await else { continue };
            match (status, read(&String::from_utf8_lossy(&body))) {
                (200, Some(Read::Outputs(outputs))) => return Ok(outputs),
                (400, Some(Read::Error(code, message))) => {
                    return Err(match &*code {
                        // CloudFormation has no code of its own for this.
                        "ValidationError" if message.contains("does not exist") => {
                            OutputsError::Missing(stack.to_owned())
                        }
                        "Throttling" => continue,
                        _ => OutputsError::Refused(stack.to_owned(), code),
                    });
                }
                (403, Some(Read::Error(code, _))) => {
                    return Err(OutputsError::Refused(stack.to_owned(), code));
                }
                _ => {}
            }
        }
        Err(unavailable())
    }
}

/// What an answer says.
#[derive(Debug, PartialEq, Eq)]
enum Read {
    Outputs(Outputs),
    Error(String, String),
}

fn read(xml: &str) -> Option<Read> {
    let document = Document::parse(xml).ok()?;
    let child = |of: Node<'_, '_>, name: &str| {
        of.children()
            .find(|node| node.tag_name().name() == name)
            .and_then(|node| node.text().map(str::to_owned))
    };
    let found = |name: &'static str| document.descendants().find(move |node| node.tag_name().name() == name);
    if let Some(error) = found("Error") {
        return Some(Read::Error(child(error, "Code")?, child(error, "Message").unwrap_or_default()));
    }
    let outputs = found("Stacks")?
        .descendants()
        .filter_map(|node| Some((child(node, "OutputKey")?, child(node, "OutputValue").unwrap_or_default())));
    Some(Read::Outputs(outputs.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_read_from_the_answer_as_cloudformation_writes_it() {
        let xml = r#"<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/">
            <DescribeStacksResult><Stacks><member><StackName>us-prod</StackName><Outputs>
            <member><OutputKey>ApiId</OutputKey><OutputValue>a1&amp;b2</OutputValue><Description>d</Description></member>
            <member><OutputKey>Empty</OutputKey><OutputValue/></member>
            </Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>"#;
        let pairs = [("ApiId", "a1&b2"), ("Empty", "")];
        let expected = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(read(xml), Some(Read::Outputs(expected.into())));
    }

    #[test]
    fn an_error_is_read_by_its_code_and_nonsense_is_no_answer() {
        let xml = "<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code>\
                   <Message>Stack with id x does not exist</Message></Error></ErrorResponse>";
        let error = Read::Error("ValidationError".to_owned(), "Stack with id x does not exist".to_owned());
        assert_eq!(read(xml), Some(error));
        assert_eq!(read("<html>"), None);
        assert_eq!(read("{}"), None);
    }
}

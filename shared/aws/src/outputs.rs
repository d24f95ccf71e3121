//! What a deployed stack tells of itself, by the one call of CloudFormation that is made.

use crate::{Link, Service};
use platform::{CallFailed, FailureKind};
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
    /// The call failed.
    #[error("the stack {0} cannot be looked up: {1}")]
    Failed(String, #[source] CallFailed),
}

impl Link {
    /// The outputs of a stack; none yet while it is first made.
    pub async fn outputs(&self, stack: &str) -> Result<Outputs, OutputsError> {
        let unreserved = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
        if stack.is_empty() || !stack.chars().all(unreserved) {
            return Err(OutputsError::Missing(stack.to_owned()));
        }
        let form = format!("Action=DescribeStacks&Version=2010-05-15&StackName={stack}");
        let failed = |failed| OutputsError::Failed(stack.to_owned(), failed);
        let told = self.form(Service::CloudFormation, form).await.map_err(|told| match told.code() {
            // CloudFormation has no code of its own for a stack that is not there.
            Some("ValidationError") => OutputsError::Missing(stack.to_owned()),
            _ => failed(told),
        })?;
        read(&String::from_utf8_lossy(&told)).ok_or_else(|| failed(FailureKind::Fault.into()))
    }
}

fn read(xml: &str) -> Option<Outputs> {
    let document = Document::parse(xml).ok()?;
    let child = |of: Node<'_, '_>, name: &str| {
        of.children()
            .find(|node| node.tag_name().name() == name)
            .map(|node| node.text().unwrap_or_default().to_owned())
    };
    let stacks = document.descendants().find(|node| node.tag_name().name() == "Stacks")?;
    let outputs = stacks
        .descendants()
        .filter_map(|node| Some((child(node, "OutputKey")?, child(node, "OutputValue")?)));
    Some(outputs.collect())
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
        assert_eq!(read(xml), Some(expected.into()));
        assert_eq!(read("<html>"), None);
        assert_eq!(read("{}"), None);
    }
}

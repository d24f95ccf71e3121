//! Addresses as those see them who are not to see them whole.

/// An address of which only its first letter and its domain are told: `i***@customer.example`.
pub(crate) fn masked(address: &str) -> String {
    match address.rsplit_once('@') {
        Some((local, domain)) => {
            let first: String = local.chars().take(1).collect();
            format!("{first}***@{domain}")
        }
        None => "***".to_owned(),
    }
}

/// An address as a list shows it to a caller.
pub(crate) fn shown(address: Option<&str>, reveal: bool) -> Option<String> {
    address.map(|address| if reveal { address.to_owned() } else { masked(address) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_address_tells_one_letter_and_the_domain() {
        assert_eq!(masked("ida.moreau@customer.example"), "i***@customer.example");
        assert_eq!(masked("\"a@b\"@customer.example"), "\"***@customer.example");
        assert_eq!(masked("ida"), "***");
        assert_eq!(shown(Some("ida@x"), true).as_deref(), Some("ida@x"));
        assert_eq!(shown(None, true), None);
    }
}

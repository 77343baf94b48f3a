//! Who a client is, as far as subscriptions may ask (`ClientMetricsInstanceMetadata`).

use crate::base::Uuid;

/// A client's attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientAttributes {
    /// The id it got, or made, for itself.
    pub instance_id: Uuid,
    /// `client.id`.
    pub client_id: String,
    /// What it called its library in ApiVersions; empty where it did not.
    pub software_name: String,
    /// The library's version.
    pub software_version: String,
    /// Its address.
    pub source_address: String,
    /// Its port.
    pub source_port: String,
}

impl ClientAttributes {
    /// An attribute by the name a pattern has for it; `instance_id` is the id's text.
    pub(super) fn get<'a>(&'a self, name: &str, instance_id: &'a str) -> Option<&'a str> {
        Some(match name {
            "client_instance_id" => instance_id,
            "client_id" => &self.client_id,
            "client_software_name" => &self.software_name,
            "client_software_version" => &self.software_version,
            "client_source_address" => &self.source_address,
            "client_source_port" => &self.source_port,
            _ => return None,
        })
    }
}

"""SCIM 2.0 (RFC 7643, 7644): a directory makes, changes and removes people and groups."""

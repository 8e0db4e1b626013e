"""The one way out to addresses that a user can influence: `client.Egress`."""

"""Who an identity provider says that somebody is: its keys, and the tokens that it signs."""

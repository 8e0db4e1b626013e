"""What every caller is told whose credential counts for nothing."""

REFUSAL = "Send a valid API key or access token: Authorization: Bearer …"

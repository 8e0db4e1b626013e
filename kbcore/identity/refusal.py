"""Why a token counts for nothing."""


class TokenRefused(Exception):
    """The reason is for the log; whoever sent the token is told what everybody is told."""

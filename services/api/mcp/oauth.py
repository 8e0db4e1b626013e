"""Where an assistant that insists on OAuth finds who issues tokens for `/mcp`: RFC 9728, as the protocol asks for it.

Zhiku issues no tokens itself: people log in at the identity provider of `[oidc]`, whose tokens it takes everywhere.
"""

from kbcore.settings import Settings

WELL_KNOWN = "/.well-known/oauth-protected-resource"
MCP = "/mcp"


def offers_login(settings: Settings) -> bool:
    """True if there is an identity provider, and the address is known by which assistants call `/mcp`."""
    return bool(settings.mcp.enabled and settings.mcp.public_url and settings.oidc.issuer)


def challenge(settings: Settings, path: str) -> str:
    """`WWW-Authenticate` of a 401 on this path."""
    if path != MCP or not offers_login(settings):
        return "Bearer"
    return f'Bearer resource_metadata="{settings.mcp.public_url.removesuffix(MCP)}{WELL_KNOWN}{MCP}"'

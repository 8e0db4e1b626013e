"""Scripts of installation and deployment."""

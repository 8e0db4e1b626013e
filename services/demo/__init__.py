"""The sample company 青禾科技 and the show: `python -m services.demo`, against a running server, through its API."""

from services.demo.run import main

__all__ = ["main"]

"""The sample company 青禾科技 and the show: `python -m services.demo`, against a running server, through its API."""

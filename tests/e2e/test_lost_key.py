"""The way back in when every key is lost."""

import json

from tests.e2e.product import Product


def test_a_new_key_is_made_on_the_machine(product: Product) -> None:
    made = product.zhiku("key", "admin", "--json")
    assert made.returncode == 0, made.stderr
    with product.client(json.loads(made.stdout)["key"]) as http:
        assert http.get("/v1/users/me").json()["name"] == "admin"


def test_an_unknown_person_gets_a_clear_message(product: Product) -> None:
    made = product.zhiku("key", "nobody-of-that-name")
    assert made.returncode == 1
    assert "No such user" in made.stderr
    assert "Traceback" not in made.stderr

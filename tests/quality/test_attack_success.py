"""A sample of the attacks: none of them gets past the guard where a model obeys, and without it some do."""

from tests.quality.attack_success import DEFENCES, succeeds
from tests.quality.attacks import own

BY_NAME = {defence.name: defence for defence in DEFENCES}
SAMPLE = [
    attack for attack in own() if attack.injected.startswith(("Ignore all", "忽略以上", "<|im_end|>", "Ign\u200b"))
]


def test_verification_alone_lets_through_what_a_document_says_itself() -> None:
    assert sum(succeeds(attack, BY_NAME["obedient, verification only"]) for attack in SAMPLE) > len(SAMPLE) // 2


def test_the_guard_lets_none_of_the_sample_through() -> None:
    for name in ("obedient, guard", "obedient, guard that drops", "obedient but for marks, guard"):
        assert [attack.injected for attack in SAMPLE if succeeds(attack, BY_NAME[name])] == []

"""Tokens of an identity provider over HTTP: who somebody is, whom nobody becomes, and which groups follow."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from kbcore.domain.principal import MemberSource
from kbcore.metadata import directory, groups, users
from services.auth.api_keys import issue_key
from tests.integration.signing_in import Office
from tests.servers.issuer import assembled

NOW = int(time.time())


@pytest.fixture
def office(open_with: Callable[..., Office]) -> Office:
    return open_with()


def test_whoever_comes_first_becomes_a_user_of_the_lowest_kind(office: Office) -> None:
    me = office.me(name="Li Na", email="li.na@example.com", is_admin=True, roles=["admin"]).json()
    assert (me["name"], me["display_name"], me["email"]) == ("li.na", "Li Na", "li.na@example.com")
    assert (me["clearance"], me["is_admin"], me["groups"]) == ("internal", False, [])
    assert office.me().json()["id"] == me["id"]
    assert office.me(sub="s-1", preferred_username="renamed").json()["id"] == me["id"]
    (made,) = office.audited("user.changed")
    assert (made["user"], made["before"], made["source"]) == (me["id"], None, "oidc")


def test_a_token_works_on_other_routes_and_is_no_key_to_administration(office: Office) -> None:
    office.client.headers["Authorization"] = f"Bearer {office.issuer.token()}"
    assert office.client.get("/v1/documents").json() == {"items": [], "next_cursor": None}
    assert office.client.get("/v1/conversations").status_code == 200
    assert office.client.get("/v1/users").status_code == 403


def test_a_token_opens_mcp(office: Office) -> None:
    listing = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    headers = {"Authorization": f"Bearer {office.issuer.token()}", "Accept": "application/json"}
    answer = office.client.post("/mcp", json=listing, headers=headers).raise_for_status().json()
    assert [tool["name"] for tool in answer["result"]["tools"]] == ["search", "fetch", "ask"]
    stale = {**headers, "Authorization": f"Bearer {office.issuer.token(exp=NOW - 100)}"}
    assert office.client.post("/mcp", json=listing, headers=stale).status_code == 401


def test_every_refusal_looks_like_a_wrong_key(office: Office) -> None:
    office.user("taken")
    wrong_key = office.with_token(f"zk_{'0' * 32}_{'A' * 43}")
    for token in (
        office.issuer.token(exp=NOW - 100),
        office.issuer.token(aud="others"),
        office.issuer.token(key=office.issuer.rsa("attacker"), header={"kid": "first"}),
        office.issuer.token(sub="s-9", preferred_username="taken"),
        assembled({"alg": "none"}, office.issuer.claims()),
        "a.b.c",
        "a.b.",
    ):
        answer = office.with_token(token)
        assert answer.status_code == wrong_key.status_code == 401
        differing = {"trace_id"}
        assert {k: v for k, v in answer.json().items() if k not in differing} == {
            k: v for k, v in wrong_key.json().items() if k not in differing
        }
        assert answer.headers["www-authenticate"] == wrong_key.headers["www-authenticate"]


def test_without_a_provider_tokens_are_wrong_keys(open_with: Callable[..., Office]) -> None:
    office = open_with(ZHIKU_OIDC__ISSUER="")
    assert office.me().status_code == 401
    assert office.issuer.fetches == 0


def test_an_outage_is_503_with_its_own_code(office: Office) -> None:
    office.issuer.down = True
    answer = office.me()
    assert (answer.status_code, answer.json()["code"]) == (503, "identity_provider_unavailable")


def test_nobody_takes_over_a_user_by_its_name(office: Office) -> None:
    admin = office.user("admin", is_admin=True)
    for name in ("admin", "ADMIN", "Admin"):
        assert office.me(sub=f"evil-{name}", preferred_username=name).status_code == 401
    # What is made to fit a name may collide, too.
    office.user("a-b")
    assert office.me(sub="evil", preferred_username="a b").status_code == 401
    with office.platform.database.begin() as connection:
        users.update_user(connection, admin, {"external_id": "s-boss"})
    assert office.me(sub="s-boss", preferred_username="whatever").json()["id"] == admin
    assert office.audited("identity.linked") == [{"user": admin}]


def test_a_name_is_made_to_fit(office: Office) -> None:
    guest = office.me(sub="g", preferred_username="eve_mail.com#EXT#@corp.example").json()
    assert guest["name"] == "eve_mail.com-EXT-@corp.example"
    chinese = office.me(sub="z", preferred_username="王 芳").json()
    assert chinese["name"] == "王-芳"
    nameless = office.me(sub="0190163d-8694-739b-aea5-966c26f8ad90", preferred_username=None).json()
    assert nameless["name"] == "user-0190163d-8694-739b-aea5-966c26f8ad90"


def test_the_linking_claim_can_be_another_one(open_with: Callable[..., Office]) -> None:
    office = open_with(ZHIKU_OIDC__EXTERNAL_ID_CLAIM="oid")
    known = office.user("wang.fang", external_id="object-1")
    assert office.me(sub="pairwise", oid="object-1").json()["id"] == known
    assert office.me(sub="object-1").json()["id"] != known


def test_inactive_users_and_service_accounts_are_refused(office: Office) -> None:
    me = office.me().json()["id"]
    with office.platform.database.begin() as connection:
        users.update_user(connection, me, {"active": False})
    assert office.me().status_code == 401
    office.user("robot", external_id="s-robot", kind="service")
    office.user("left", external_id="s-left", active=False)
    assert office.me(sub="s-robot").status_code == office.me(sub="s-left").status_code == 401
    with office.platform.database.begin() as connection:
        users.update_user(connection, me, {"active": True})
    assert office.me().status_code == 200


def test_unknown_people_stay_out_if_users_are_not_made(open_with: Callable[..., Office]) -> None:
    office = open_with(ZHIKU_OIDC__CREATE_USERS="false")
    office.user("li.na", external_id="s-1")
    assert office.me().status_code == 200
    assert office.me(sub="s-2", preferred_username="new").status_code == 401


def test_a_removed_user_is_not_remembered(office: Office) -> None:
    token = office.issuer.token()
    first = office.with_token(token).json()["id"]
    with office.platform.database.begin() as connection:
        users.delete_user(connection, first)
    again = office.with_token(token).json()["id"]  # the same token, checked before
    assert again != first


def test_two_first_requests_make_one_user(office: Office) -> None:
    tokens = [office.issuer.token(groups=["x"], iat=NOW - second) for second in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(office.with_token, tokens))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(office.audited("user.changed")) == 1


def test_groups_follow_the_newest_token(office: Office) -> None:
    assert office.groups_of(groups=["/hr", "/hr/leads"], iat=NOW - 50) == ["hr", "hr-leads"]
    assert office.groups_of(groups=["/hr"], iat=NOW - 40) == ["hr"]
    assert office.groups_of(groups=["/hr", "/hr/leads"], iat=NOW - 45) == ["hr"], "an older token brings nothing back"
    assert office.groups_of(groups=["/hr", "/hr/leads"], iat=NOW - 40) == ["hr"], "nor one of the same second"
    assert office.groups_of(iat=NOW - 30) == ["hr"], "no claim, no change"
    assert office.groups_of(groups=[], iat=NOW - 20) == []
    changes = office.audited("membership.changed")
    assert [(len(change["added"]), len(change["removed"])) for change in changes] == [(1, 0), (1, 0), (0, 1), (0, 1)]
    assert {change["group"] for change in changes[2:]} == {change["group"] for change in changes[:2]}
    assert {change["source"] for change in changes} == {"oidc"}


def test_a_group_is_known_by_its_external_id_and_never_by_its_name(office: Office) -> None:
    ours, linked = office.group("board"), office.group("finance", external_id="g-1")
    assert office.groups_of(groups=["board", "g-1"], iat=NOW - 50) == ["board-2", "finance"]
    assert ours not in office.sources()
    assert office.sources()[linked] == "oidc"


def test_unknown_groups_are_left_out_if_groups_are_not_made(open_with: Callable[..., Office]) -> None:
    office = open_with(ZHIKU_OIDC__CREATE_GROUPS="false")
    office.group("finance", external_id="g-1")
    assert office.groups_of(groups=["g-1", "g-2"], iat=NOW - 50) == ["finance"]


@pytest.mark.parametrize("source", [MemberSource.MANUAL, MemberSource.SCIM])
def test_members_put_in_by_others_stay(office: Office, source: MemberSource) -> None:
    group = office.group("finance", external_id="g-1")
    user_id = office.me().json()["id"]
    with office.platform.database.begin() as connection:
        groups.add_members(connection, group, [f"user:{user_id}"], source=source)
    assert office.groups_of(groups=["g-1"], iat=NOW - 50) == ["finance"]
    assert office.groups_of(groups=[], iat=NOW - 40) == ["finance"]
    assert office.sources() == {group: source.value}


@pytest.mark.parametrize(
    "said",
    [
        {"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://graph.example"}}},
        {"hasgroups": True},
        {"groups": {"a": 1}},
        {"groups": [1, 2]},
        {"groups": ["a\x00b"]},
        {"groups": [""]},
        {"groups": ["x" * 256]},
    ],
)
def test_a_claim_that_says_not_all_or_nonsense_changes_nothing(office: Office, said: dict[str, object]) -> None:
    assert office.groups_of(groups=["a"], iat=NOW - 50) == ["a"]
    assert office.groups_of(**said, iat=NOW - 40) == ["a"]
    assert office.groups_of(groups=["b"], iat=NOW - 45) == ["b"], "the newest token that says something counts"


def test_groups_with_the_same_fitted_name_are_two_groups(office: Office) -> None:
    assert office.groups_of(groups=["a b", "a/b", "研发"], iat=NOW - 50) == ["a-b", "a-b-2", "研发"]
    ids = ["0190163d-8694-739b-aea5-966c26f8ad90"]
    assert office.groups_of(groups=ids, iat=NOW - 40) == [f"group-{ids[0]}"]


def test_rights_are_read_afresh_with_a_token_that_was_checked_before(office: Office) -> None:
    token = office.issuer.token(groups=["hr"])
    user_id = office.with_token(token).json()["id"]
    with office.platform.database.begin() as connection:
        group = groups.get_group(connection, "hr").id
        groups.remove_member(connection, group, f"user:{user_id}")
    assert office.with_token(token).json()["groups"] == []


def test_an_administrator_links_a_user_over_http(office: Office) -> None:
    boss = office.user("boss", is_admin=True)
    with office.platform.database.begin() as connection:
        key = issue_key(connection, user_id=boss, name="k").token
    office.client.headers["Authorization"] = f"Bearer {key}"
    known = office.client.post("/v1/users", json={"name": "li.na"}).json()
    assert office.me().status_code == 401, "the name alone is not enough"
    linked = office.client.patch("/v1/users/li.na", json={"external_id": "s-1"}).json()
    assert linked["external_id"] == "s-1"
    taken = office.client.post("/v1/users", json={"name": "other", "external_id": "s-1"})
    assert (taken.status_code, taken.json()["code"]) == (409, "external_id_taken")
    office.client.post("/v1/groups", json={"name": "hr", "external_id": "g-1"}).raise_for_status()
    assert office.me(groups=["g-1"]).json()["id"] == known["id"]
    assert office.groups_of(groups=["g-1"]) == ["hr"]


def test_a_wrong_link_is_cut_with_the_id_that_made_it(office: Office) -> None:
    known = office.user("li.na", external_id="s-thief")
    assert office.me(sub="s-thief", preferred_username="thief").json()["id"] == known
    with office.platform.database.begin() as connection:
        users.update_user(connection, known, {"external_id": "s-li"})
    assert office.me(sub="s-thief", preferred_username="thief").json()["id"] != known
    assert office.me(sub="s-li", preferred_username="li.na").json()["id"] == known
    with office.platform.database.begin() as connection:
        users.update_user(connection, known, {"external_id": None})
    assert office.me(sub="s-li", preferred_username="li.na").status_code == 401
    with office.platform.database.begin() as connection:
        users.update_user(connection, known, {"external_id": "s-li"})
        users.update_user(connection, known, {"external_id": "s-li", "display_name": "Li"})
    assert office.me(sub="s-li", preferred_username="li.na").json()["id"] == known


def test_another_subject_of_the_same_person_brings_back_no_group(open_with: Callable[..., Office]) -> None:
    office = open_with(ZHIKU_OIDC__EXTERNAL_ID_CLAIM="oid")
    known = office.user("wang.fang", external_id="object-1")
    assert office.groups_of(sub="app-1", oid="object-1", groups=["hr"], iat=NOW - 50) == ["hr"]
    assert office.groups_of(sub="app-1", oid="object-1", groups=[], iat=NOW - 30) == []
    assert office.groups_of(sub="app-2", oid="object-1", groups=["hr"], iat=NOW - 40) == []
    assert office.me(sub="app-2", oid="object-1").json()["id"] == known
    assert office.groups_of(sub="app-2", oid="object-1", groups=["it"], iat=NOW - 20) == ["it"]


def test_whom_a_directory_has_removed_stays_out_by_every_subject(
    open_with: Callable[..., Office],
) -> None:
    office = open_with(ZHIKU_OIDC__EXTERNAL_ID_CLAIM="oid")
    known = office.user("wang.fang", external_id="object-1")
    with office.platform.database.begin() as connection:
        directory.depart(connection, users.get_user(connection, known), office.issuer.url)
    assert office.me(sub="app-1", oid="object-1", groups=["hr"]).status_code == 401
    again = office.user("wang.fang", external_id="object-1")
    assert office.me(sub="app-1", oid="object-1").json()["id"] == again

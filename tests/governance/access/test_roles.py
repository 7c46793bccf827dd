"""What the three roles may do, against the sentence that defines them.

Admin edits and deploys, Developer tests and views, User only calls deployed models.
"""

import pytest

from llmops.governance.access.roles import MATRIX, Action, Role, highest, may


def allowed(role: Role) -> set[str]:
    return {action.value for action in Action if may(role, action)}


def test_user_only_calls_deployed_models() -> None:
    assert allowed(Role.USER) == {"generate", "give_feedback", "list_models", "read_customer_context"}


def test_developer_tests_and_views_and_deploys_nothing() -> None:
    added = allowed(Role.DEVELOPER) - allowed(Role.USER)

    assert added == {"choose_model", "read_metrics", "read_reports", "read_quarantine", "run_pipeline"}


def test_admin_may_do_everything() -> None:
    assert allowed(Role.ADMIN) == {action.value for action in Action}


def test_each_role_may_do_what_the_one_before_it_may() -> None:
    assert allowed(Role.USER) < allowed(Role.DEVELOPER) < allowed(Role.ADMIN)


def test_every_action_has_its_roles() -> None:
    assert set(MATRIX) == set(Action)


def test_unknown_action_is_an_error_for_every_role() -> None:
    for role in Role:
        with pytest.raises(ValueError, match="drop_database"):
            may(role, "drop_database")


@pytest.mark.parametrize(
    ("names", "role"),
    [
        (["user", "developer"], Role.DEVELOPER),
        (["admin", "user"], Role.ADMIN),
        (["Developer"], Role.DEVELOPER),
        (["offline_access", "uma_authorization"], None),
        (["administrator"], None),
        ([], None),
    ],
)
def test_of_several_roles_the_highest_counts(names: list[str], role: Role | None) -> None:
    assert highest(names) is role

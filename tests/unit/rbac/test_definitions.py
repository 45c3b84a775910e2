"""Definition files: what is read of them, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from st2common.rbac.definitions import read

ROLE = """\
name: operator
permission_grants:
  - resource_uid: "pack:core"
    permission_types: [action_execute]
  - permission_types: [action_list, execution_list]
"""


def written(directory: Path, **files: str) -> Path:
    for name, text in files.items():
        path = directory / f"{name.replace('__', '/')}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return directory


def test_what_enabled_files_say(tmp_path: Path) -> None:
    written(
        tmp_path,
        roles__operator=ROLE,
        roles__old="name: old\nenabled: false\n",
        assignments__ada="username: ada\nroles: [operator, observer]\n",
        assignments__more="username: ada\nroles: [admin]\n",
        mappings__staff="group: cn=staff\nroles: [operator]\nenabled: false\n",
    )
    found = read(tmp_path)
    assert found.errors == []
    assert list(found.roles) == ["roles/operator.yaml"]
    assert list(found.assignments) == ["assignments/ada.yaml", "assignments/more.yaml"]
    assert found.mappings["mappings/staff.yaml"]["enabled"] is False


def test_no_directory_is_no_definitions(tmp_path: Path) -> None:
    assert read(tmp_path / "nothing").errors == []


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("roles__r", "name: admin\n", 'the role "admin" is the platform\'s own'),
        ("roles__r", "description: x\n", "'name' is a required property"),
        ("roles__r", "name: r\ncolour: red\n", "'colour' was unexpected"),
        ("roles__r", "name: r\nname: s\n", 'r.yaml:2: the key "name" stands twice'),
        ("roles__r", "name: r\npermission_grants: [{permission_types: [fly]}]\n", 'there is no permission "fly"'),
        (
            "roles__r",
            'name: r\npermission_grants: [{resource_uid: "rule:a:b", permission_types: [action_view]}]\n',
            '"action_view" cannot be granted on "rule:a:b"',
        ),
        (
            "roles__r",
            "name: r\npermission_grants: [{resource_uid: core, permission_types: [action_view]}]\n",
            "begins with no type of resource",
        ),
        ("assignments__a", "username: ada\nroles: [nosuch]\n", "no such role: nosuch"),
        ("assignments__a", "roles: [admin]\n", "'username' is a required property"),
        ("mappings__m", "group: g\n", "'roles' is a required property"),
    ],
)
def test_what_is_not_valid(tmp_path: Path, name: str, text: str, complaint: str) -> None:
    [error] = read(written(tmp_path, **{name: text})).errors
    assert complaint in error
    assert str(tmp_path) in error


def test_two_files_cannot_define_one_role(tmp_path: Path) -> None:
    [error] = read(written(tmp_path, roles__a=ROLE, roles__b=ROLE)).errors
    assert '"operator" is defined by a.yaml already' in error

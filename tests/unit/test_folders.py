"""The tree in the README names the folders that exist."""

import re

from config.stack.place import PROJECT

# The README omits these, because Django and Python define their contents.
DEFINED = {"management", "migrations", "models", "static", "__pycache__"}


def named() -> set[str]:
    section = (PROJECT / "README.md").read_text().partition("## Find your way")[2]
    folders: set[str] = set()
    parent = ""
    for line in section.split("```")[1].splitlines():
        names = re.findall(r"([a-z]+)/", line[:14])
        if names and not line.startswith(" "):
            (parent,) = names
        folders |= {f"{parent}/{each}" if line.startswith(" ") else each for each in names}
    return folders


def test_readme_names_each_folder_of_both_packages() -> None:
    existing = {
        f"{package}/{folder.name}"
        for package in ("payments", "readmodels")
        for folder in (PROJECT / package).iterdir()
        if folder.is_dir() and folder.name not in DEFINED
    }

    assert {each for each in named() if "/" in each} == existing

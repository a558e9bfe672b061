from __future__ import annotations

import pytest

from pipeline.checks.wording import says


@pytest.mark.parametrize(
    ("content", "text", "said"),
    [
        ("It is PARIS.", "Paris", True),
        ("It is sunny", "sun", True),
        ("There are 16 people.", "6", False),
        ("There are 60 people.", "6", False),
        ("There are 6 people.", "6", True),
        ("6", "6", True),
        ("It is 6.5 degrees", "6", False),
        ("It is 6.0 degrees", "6", True),
        ("It is 6.", "6", True),
        ("6, 16 and 26", "6", True),
        ("version 1.16", "16", False),
        ("1,600 items", "600", False),
        ("1,600 items", "1", False),
        ("user77", "77", True),
        ("16 of 6", "6", True),
        ("a (b", "(", True),
    ],
)
def test_what_is_said(content: str, text: str, said: bool) -> None:
    assert says(content, text) is said

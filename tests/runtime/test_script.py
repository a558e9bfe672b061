from __future__ import annotations

import pytest

from pipeline.runtime.script import Script, table


def test_scripts_may_share_places_only_with_the_same_words() -> None:
    assert table([Script(3, (7, 8)), Script(3, (7, 8, 9)), Script(9, (1,))]) == {2: 7, 3: 8, 4: 9, 8: 1}
    with pytest.raises(ValueError, match="meet at position 3"):
        table([Script(3, (7, 8)), Script(4, (9,))])

"""Our attacks against other libraries' at equal budgets, on one victim (extra `peers`); `make bench` prints it."""

import pytest

for module in ("torchattacks", "foolbox", "art"):
    pytest.importorskip(module, reason="needs the extra `peers` (`make peers`)")

from benchmarks.parity import Match, Outcome, matches, play_all  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.peers, pytest.mark.timeout(3600)]

# One point where both sides walk the same path. Random draws differ from library to library: on 200 images that moves
# a rate by a few images, so those may be two points below.
POINTS = {False: 0.01, True: 0.02}
DISTANCE = 1.05


@pytest.fixture(scope="module")
def outcomes(request) -> dict[tuple[str, str], tuple[Match, Outcome, Outcome]]:
    played = play_all(request.config.cache.mkdir("victims"))
    return {(match.attack.digest(), match.peer): (match, ours, theirs) for match, ours, theirs in played}


@pytest.mark.parametrize(
    "match",
    matches(),
    ids=lambda match: f"{match.attack.name}-{getattr(match.attack, 'loss', '')}-{match.peer}",
)
def test_our_attack_finds_as_much_as_the_peers(outcomes, match: Match):
    _, ours, theirs = outcomes[match.attack.digest(), match.peer]
    if match.minimal:
        assert ours.value <= DISTANCE * theirs.value
        assert ours.queries <= 1.05 * theirs.queries
    else:
        assert 0.05 < theirs.value < 0.99, "a setting at which any two attacks agree proves nothing"
        assert ours.value >= theirs.value - POINTS[match.random] - 1 / match.images

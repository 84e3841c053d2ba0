"""What commands in outage gain: `python -m bench.streets loophole` prints the same for many more episodes."""

from bench.streets import loophole


def test_commands_in_outage_pay_in_v0_alone() -> None:
    """A3 against A3 that names the strongest other cell below `out_db`, 96 drives on training maps, in bit/s/Hz."""
    v0, v1 = (loophole(version, 96)[0] for version in (0, 1))
    assert v0.low is not None
    assert v0.low > 0.0
    assert v0.mean > 0.01
    assert abs(v1.mean) < 0.01

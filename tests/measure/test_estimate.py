from nasaudit.measure.estimate import Estimate, Measurement, exact


def test_an_exact_value_is_its_own_interval_and_settings_are_text():
    assert (exact(5, "parameters").low, exact(5, "parameters").high) == (5, 5)
    assert Measurement("asr", exact(1, "x"), (("steps", 7),)).setting == (("steps", "7"),)


def test_an_interval_is_cut_where_the_quantity_ends_and_nothing_else_of_it_changes():
    share = Estimate(0.9, -0.1, 1.1, 20, "fraction", "lower")
    assert share.within(0, 1) == Estimate(0.9, 0, 1, 20, "fraction", "lower")
    assert share.within(-1, 2) == share

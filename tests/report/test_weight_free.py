"""What the report says of paths without weights: none, where, not checked."""

from tests.report.parts import tables

from nasaudit.measure.estimate import exact
from nasaudit.report.evidence import Evidence
from nasaudit.report.sections.analyses import topology
from nasaudit.testing.rows import make_row


def said(make_study, tmp_path, found):
    results = make_study()
    rows = []
    for spec in results.architectures:
        common = {"seed": "all", "family": "topology"}
        rows.append(make_row(spec.name, "parameters", exact(9, "parameters"), **common))
        joins = found.get(spec.name)
        if joins is None:
            continue
        rows.append(make_row(spec.name, "weight_free_paths", exact(len(joins), "paths"), **common))
        for op, layer in joins:
            join = make_row(spec.name, "weight_free_join", exact(1, "paths"), **common, op=op, layer=layer)
            rows.append(join)
    section = topology.section(Evidence(results.model_copy(update={"rows": rows}), tmp_path))
    all_tables = [] if section is None else tables(section)
    return {
        row[0].text: row[1].text
        for table in all_tables
        if table.caption.startswith("Architectural backdoors")
        for row in table.rows
    }


def test_each_outcome_has_its_words(make_study, tmp_path):
    none, found = (), (("mul", "body.gate"), ("add", "network"))
    assert said(make_study, tmp_path, {"darts": none, "resnet": found}) == {
        "DARTS": "no weight-independent path found",
        "ResNet": "found: mul in body.gate and add in network",
    }
    assert said(make_study, tmp_path, {"resnet": none})["DARTS"] == "could not be followed: not checked"
    assert set(said(make_study, tmp_path, {}).values()) == {"could not be followed: not checked"}

from sadtalker_pack.sadtalker_core.metrics.report import Row, markdown_table


def test_a_table_of_rows():
    table = markdown_table(
        [Row("lips", "0.5", "0.4", "≥ 0.3", True), Row("head", "1", holds=False), Row("eyes", "not measured")]
    )
    assert table.splitlines() == [
        "| measure | value | beside | target | holds |",
        "|---|---|---|---|---|",
        "| lips | 0.5 | 0.4 | ≥ 0.3 | yes |",
        "| head | 1 |  |  | no |",
        "| eyes | not measured |  |  |  |",
    ]
